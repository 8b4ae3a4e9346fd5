//! When the disk fails, is full or lies: nothing moves, nothing is believed, and it goes on where it can.

use std::io::ErrorKind;

use super::torn_disk::{Dice, TornDisk};
use super::words::*;
use crate::model::*;
use crate::store::file::begin;
use crate::store::rows::put_meta;
use crate::store::rows::{HEADS, JOURNAL};
use crate::store::{DamagedRow, JournalId, Opened, Settings, Store, StoreError};

fn everything(i: u64) -> Vec<Change> {
    let mut changes = kept(i as u32);
    changes.extend([result(i, i), seen(i, i), passed("up", Stream::Events, i - 1)]);
    changes
}

fn settings() -> Settings {
    Settings { readers: vec![reader("up", &Stream::ALL)], reserve: 100, ..Settings::default() }
}

#[test]
fn a_full_or_failing_disk_loses_nothing_and_the_same_commit_succeeds_after_reopening() {
    let kinds = [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::Other];
    for kind in kinds {
        let disk = TornDisk::default();
        let (mut store, _) = open(&disk, settings(), 0);
        store.gather(&at(1), heard(1, 10));
        store.commit(&at(1), &everything(1), true).unwrap();
        store.gather(&at(2), heard(2, 10));
        let heads = store.heads.clone();

        disk.fail(Some(kind));
        let error = store.commit(&at(2), &everything(2), true).unwrap_err();
        let right = match kind {
            ErrorKind::StorageFull => matches!(error, StoreError::Full(_)),
            ErrorKind::ReadOnlyFilesystem => matches!(error, StoreError::ReadOnly(_)),
            _ => matches!(error, StoreError::Io(_)),
        };
        assert!(right && error.retryable(), "{kind:?}: {error:?}");
        assert!(store.commit(&at(2), &everything(2), true).unwrap_err().retryable());
        assert!(store.reopen_on(disk.clone()).is_err_and(|error| error.retryable()));
        assert_eq!((&store.heads, store.gathered()), (&heads, 10), "nothing moved");
        // What comes meanwhile waits in memory.
        assert_eq!(store.gather(&at(3), heard(3, 10)), 21);

        disk.fail(None);
        store.reopen_on(disk.clone()).unwrap();
        store.commit(&at(4), &everything(2), true).unwrap();
        let snapshots = store.snapshots();
        assert_eq!((seqs(&snapshots, Stream::Vital), seqs(&snapshots, Stream::Events)), (vec![1, 2], vec![2]));
        assert_eq!(readings(&snapshots).iter().map(|r| r.0).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
        store.close(&at(5)).unwrap();
        let (_, opened) = open(&disk, settings(), 6);
        assert!(opened.clean && opened.state.devices.len() == 2, "{opened:?}");
    }
}

/// The disk says no at each single call of a commit in turn, and whatever of it took hold before: it counts once.
#[test]
fn a_commit_that_took_hold_and_still_failed_is_not_made_twice() {
    let mut landed = 0;
    for syncs in 1..=2 {
        let disk = TornDisk::default();
        let (mut store, _) = open(&disk, settings(), 0);
        store.gather(&at(1), heard(1, 10));
        store.tell(true);
        disk.stop_at(disk.syncs() + syncs);
        let changes = everything(1);
        assert!(store.commit(&at(1), &changes, true).is_err());
        // The cable is plugged in again; everything that was written is there, synced or not.
        let disk = TornDisk::holding(disk.seen());
        store.reopen_on(disk.clone()).unwrap();
        landed += usize::from(store.gathered() == 0);
        let mut more = changes.clone();
        more.push(seen(9, 9));
        store.commit(&at(2), &more, true).unwrap();
        let snapshots = store.snapshots();
        assert_eq!((seqs(&snapshots, Stream::Vital), seqs(&snapshots, Stream::Events)), (vec![1], vec![1, 2]));
        assert_eq!(readings(&snapshots).len(), 10);
        // Counted as it stands there: one in vital, two in events, ten readings.
        let counts = store.counts();
        let records = counts.records.each_ref().map(|count| count.get());
        assert_eq!((records, counts.failed.get()), ([1, 2, 10], 1));
        assert_eq!((counts.rows[0].get(), counts.gathered.get()), (1, 0));
        let mut told: Vec<_> = store.told().iter().map(|(no, entry)| (entry.record.stream(), *no)).collect();
        told.sort_unstable();
        assert_eq!(told, [(Stream::Vital, 1), (Stream::Events, 1), (Stream::Events, 2)], "each is told once");
        assert!(store.told().is_empty());
    }
    assert!(landed > 0, "the case that this test is about did not come up");
}

#[test]
fn a_file_that_is_not_the_one_from_before_is_not_written() {
    let (disk, other) = (TornDisk::default(), TornDisk::default());
    let (mut store, _) = open(&disk, settings(), 0);
    store.commit(&at(1), &everything(1), true).unwrap();
    drop(open(&other, settings(), 0));
    assert!(matches!(store.reopen_on(other), Err(StoreError::Corrupt(_))));
}

/// Overwrites the payload of a row in the file itself, behind redb's back; returns what opening then says.
fn damage(wanted: &[u8], settings: Settings, fill: impl FnOnce(&mut Store)) -> (TornDisk, Opened, Store) {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, settings.clone(), 0);
    fill(&mut store);
    store.close(&at(90)).unwrap();
    let mut image = disk.seen();
    let places: Vec<usize> =
        image.windows(wanted.len()).enumerate().filter(|(_, w)| *w == wanted).map(|(i, _)| i).collect();
    assert!(!places.is_empty(), "the row stands in the file");
    places.into_iter().for_each(|at| image[at + wanted.len() / 2] ^= 0x20);
    let disk = TornDisk::holding(image);
    let (store, opened) = open(&disk, settings, 100);
    (disk, opened, store)
}

#[test]
fn a_damaged_row_of_the_state_is_left_out_and_reported() {
    let (_, opened, _) = damage(b"urn:x:2", Settings::default(), |store| {
        store.commit(&at(1), &[kept(1), kept(2), kept(3)].concat(), false).unwrap();
    });
    assert_eq!(opened.damaged, [DamagedRow { table: "devices", key: 2 }]);
    assert_eq!(opened.state.devices.iter().map(|d| d.no.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(opened.state.commands.len(), 3);
    assert_eq!((opened.state.lost_device, opened.state.lost_commands), (Some(DeviceNo(2)), vec![]));
}

#[test]
fn the_number_of_a_damaged_command_is_told_until_it_is_forgotten() {
    let named =
        |no: u64| Change::Command(Command { id: CommandId::new(&format!("mine-{no}")).unwrap(), ..command(no) }.into());
    let (disk, opened, mut store) = damage(b"mine-2", Settings::default(), |store| {
        store.commit(&at(1), &[named(1), named(2), named(3)], false).unwrap();
    });
    assert_eq!(opened.state.lost_commands, [CommandNo(2)]);
    let forget = Change::Forget { no: CommandNo(2), forgotten_to: Wall(5) };
    store.commit(&at(101), &[forget], false).unwrap();
    store.close(&at(102)).unwrap();
    let (_, again) = open(&disk, Settings::default(), 200);
    assert_eq!((again.state.lost_commands, again.state.forgotten_to), (vec![], Wall(5)));
}

#[test]
fn a_damaged_record_is_left_out_of_its_page_and_named() {
    let (_, opened, store) = damage(b"urn:x:777", Settings::default(), |store| {
        store.commit(&at(1), &[seen(1, 1), seen(777, 2), seen(3, 3)], false).unwrap();
    });
    assert!(opened.damaged.is_empty(), "no start reads the journal");
    let page = store.snapshots().page(Stream::Events, 1, 9).unwrap();
    assert_eq!(page.damaged, [(2, 2)]);
    assert_eq!(entries(&page).iter().map(|e| e.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(store.snapshots().damaged(), 1);
}

#[test]
fn a_damaged_block_is_left_out_of_its_page_and_named_and_can_still_be_dropped() {
    let settings = Settings { block_readings: 10, ..settings() };
    let text = "a text that nobody would compress: 8f1c5b";
    let (_, _, mut store) = damage(text.as_bytes(), settings, |store| {
        for i in 1..=3 {
            let mut heard = heard(i, 10);
            if i == 2 {
                heard.readings[4].value = Value::text(text);
            }
            store.gather(&at(i), heard);
        }
        store.commit(&at(5), &[], true).unwrap();
    });
    let page = store.snapshots().page(Stream::Telemetry, 1, 99).unwrap();
    assert_eq!((page.damaged, page.go_on), (vec![(11, 20)], 31));
    store.commit(&at(101), &[passed("up", Stream::Telemetry, 30)], false).unwrap();
    assert_eq!(store.heads.telemetry.rows, 0);
}

#[test]
fn lost_heads_are_counted_again_under_a_new_journal_id() {
    let disk = TornDisk::default();
    let (mut store, opened) = open(&disk, settings(), 1);
    store.gather(&at(1), heard(1, 10));
    store.commit(&at(1), &[everything(1), everything(2)].concat(), true).unwrap();
    let (rows, id) = (store.heads.telemetry.rows, opened.journal);
    let shared = store.shared.clone();
    shared
        .with(|db| {
            let txn = begin(db)?;
            txn.open_table(JOURNAL)?.insert(HEADS, &b"nonsense"[..])?;
            Ok(txn.commit()?)
        })
        .unwrap();
    drop((store, shared));
    let (mut store, opened) = open(&disk, settings(), 50);
    assert_eq!(opened.damaged, [DamagedRow { table: "journal", key: 0 }]);
    assert!(!opened.clean && opened.journal != id && opened.journal == JournalId([50; 16]));
    assert_eq!((store.heads.telemetry.rows, store.heads.telemetry.next), (rows, 11));
    store.commit(&at(60), &[seen(8, 60)], false).unwrap();
    assert_eq!(seqs(&store.snapshots(), Stream::Events), [1, 2, 3]);
    drop(store);
    assert_eq!(open(&disk, settings(), 70).1.journal, JournalId([50; 16]));
}

#[test]
fn a_format_from_the_future_is_refused_in_clear_words() {
    for (table, known) in crate::store::rows::FORMATS {
        let disk = TornDisk::default();
        let (store, _) = open(&disk, Settings::default(), 1);
        let changed = store.shared.with(|db| {
            let txn = begin(db)?;
            put_meta(&txn, &format!("format.{table}"), &7u32)?;
            Ok(txn.commit()?)
        });
        changed.unwrap();
        drop(store);
        let error = Store::open_on(disk, Settings::default(), &opening(2)).err().unwrap();
        assert!(matches!(error, StoreError::Format { found: 7, known: other, .. } if other == known), "{error}");
        assert!(error.to_string().contains(&format!("has format 7, and this dmgw knows only {known}")), "{error}");
    }
}

#[test]
fn every_table_has_a_format_number() {
    let disk = TornDisk::default();
    let (store, _) = open(&disk, Settings::default(), 1);
    let rows = store.shared.with(|db| {
        let txn = redb::ReadableDatabase::begin_read(db)?;
        Ok(txn.list_tables()?.map(|table| redb::TableHandle::name(&table).to_owned()).collect::<Vec<_>>())
    });
    let mut rows: Vec<String> = rows.unwrap();
    rows.push("file".into());
    // The journal is made by the first start as well, so no table comes later.
    let mut known: Vec<String> = crate::store::rows::FORMATS.iter().map(|(table, _)| (*table).to_owned()).collect();
    rows.sort_unstable();
    known.sort_unstable();
    assert_eq!(rows, known);
}

#[test]
fn what_a_power_cut_left_of_a_file_in_the_making_hinders_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    std::fs::write(folder.path().join("state.redb.new"), vec![0u8; 70_000]).unwrap();
    let (mut store, _) = Store::open(&path, Settings::default(), &opening(0)).unwrap();
    assert!(path.exists() && !folder.path().join("state.redb.new").exists());
    store.commit(&at(1), &kept(1), false).unwrap();
    store.reopen().unwrap();
    store.close(&at(2)).unwrap();
    assert_eq!(Store::open(&path, Settings::default(), &opening(3)).unwrap().1.state.devices.len(), 1);
}

#[test]
fn garbage_in_the_place_of_the_store_is_an_error_and_not_a_panic() {
    let mut dice = Dice(5);
    for length in [1usize, 100, 5_000, 100_000] {
        let image: Vec<u8> = (0..length).map(|_| dice.next() as u8).collect();
        let error = Store::open_on(TornDisk::holding(image), Settings::default(), &opening(0)).err().unwrap();
        assert!(!error.retryable(), "{error:?}");
    }
}

#[test]
fn a_file_that_was_put_in_place_of_the_store_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let (mut store, _) = Store::open(&path, Settings::default(), &opening(10)).unwrap();
    store.commit(&at(20), &kept(1), false).unwrap();
    store.reopen().unwrap();
    store.commit(&at(30), &kept(2), false).unwrap();
    std::fs::rename(&path, folder.path().join("away")).unwrap();
    assert!(matches!(store.reopen(), Err(StoreError::Corrupt(_))));
}

#[test]
fn numbers_near_the_end_of_all_numbers_are_not_believed() {
    let disk = TornDisk::default();
    let settings = Settings { reserve: u64::MAX, ..Settings::default() };
    let (mut store, _) = open(&disk, settings, 10);
    store.gather(&at(20), heard(20, 5));
    store.commit(&at(20), &[], true).unwrap();
    drop(store);
    let (mut store, opened) = open(&TornDisk::holding(disk.cut(&mut Dice(1))), Settings::default(), 30);
    assert!(opened.damaged.iter().any(|row| row.table == "journal"), "{:?}", opened.damaged);
    store.gather(&at(40), heard(40, 5));
    store.commit(&at(40), &[], true).unwrap();
}
