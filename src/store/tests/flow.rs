//! What goes in comes out again: after a clean end, after a crash, page by page; numbers are never given twice.

use super::torn_disk::{Dice, TornDisk};
use super::words::*;
use crate::model::*;
use crate::store::{Opening, Records, Settings, Store, StoreError};

#[test]
fn after_a_clean_end_everything_is_there_and_numbers_go_on() {
    let disk = TornDisk::default();
    let (mut store, opened) = open(&disk, Settings::default(), 10);
    assert!(opened.clean && opened.state == State::default());
    let mut changes = kept(1);
    changes.extend([result(1, 20), seen(1, 20)]);
    assert_eq!(store.gather(&at(20), heard(20, 5)), 1);
    store.commit(&at(20), &changes, false).unwrap();
    assert_eq!(store.gathered(), 5);
    store.close(&at(30)).unwrap();

    let (mut store, opened) = open(&disk, Settings::default(), 40);
    assert!(opened.clean && opened.gap.is_none() && opened.damaged.is_empty());
    let state = &opened.state;
    assert_eq!((state.shapes.len(), state.devices.len(), state.commands.len()), (1, 1, 1));
    assert_eq!((*state.devices[0]).clone(), device(1));
    assert_eq!((*state.commands[0]).clone(), command(1));
    let snapshots = store.snapshots();
    assert_eq!((seqs(&snapshots, Stream::Vital), seqs(&snapshots, Stream::Events)), (vec![1], vec![1]));
    assert_eq!(readings(&snapshots), (1..).zip((20_000..20_005).map(Value::Int)).take(5).collect::<Vec<_>>());
    assert_eq!(store.gather(&at(50), heard(50, 1)), 6);
}

#[test]
fn after_a_crash_a_gap_names_what_was_in_memory_and_its_numbers_are_not_used_again() {
    let disk = TornDisk::default();
    let settings = Settings { reserve: 100, ..Settings::default() };
    let (mut store, _) = open(&disk, settings.clone(), 10);
    store.gather(&at(3_020), heard(3_020, 5));
    store.commit(&at(3_020), &[], true).unwrap();
    store.gather(&at(3_030), heard(3_030, 7));
    assert_eq!(store.sendable_to(), 12);
    drop(store);

    let disk = TornDisk::holding(disk.cut(&mut Dice(1)));
    let (mut store, opened) = open(&disk, settings, 4_000);
    assert!(!opened.clean);
    let gap = opened.gap.unwrap();
    assert_eq!((gap.first, gap.last, gap.count, gap.exact, gap.why), (6, 105, 100, false, GapReason::Crash));
    assert!(gap.from.mono <= Mono(3_020) && gap.from.mono >= Mono(1_000) && gap.to == at(4_000), "{gap:?}");
    let told = gaps(&store.snapshots());
    assert_eq!(told[0], gap);
    // Of records that waited for a commit nobody knows how many there were, and they had no numbers.
    let events = &told[1];
    assert_eq!((told.len(), events.stream, events.why), (2, Stream::Events, GapReason::Crash));
    assert_eq!((events.first, events.last, events.count, events.exact), (1, 0, 0, false));
    assert_eq!((events.from, events.to), (at(3_020), at(4_000)));
    assert_eq!(store.gather(&at(4_010), heard(4_010, 1)), 106);
    store.commit(&at(4_010), &[], true).unwrap();
    assert_eq!(readings(&store.snapshots()).iter().map(|r| r.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 106]);
}

#[test]
fn numbers_do_not_come_again_after_everything_was_deleted_and_the_power_was_gone() {
    let disk = TornDisk::default();
    let settings = Settings { reserve: 50, readers: vec![reader("up", &Stream::ALL)], ..Settings::default() };
    let (mut store, _) = open(&disk, settings.clone(), 10);
    store.gather(&at(20), heard(20, 5));
    store.commit(&at(20), &[result(1, 20), seen(1, 20)], true).unwrap();
    let all = [passed("up", Stream::Vital, 9), passed("up", Stream::Events, 1), passed("up", Stream::Telemetry, 9)];
    store.commit(&at(21), &all, false).unwrap();
    let snapshots = store.snapshots();
    assert!(seqs(&snapshots, Stream::Vital).is_empty() && seqs(&snapshots, Stream::Events).is_empty());
    assert!(readings(&snapshots).is_empty());
    // A cursor never goes beyond what was handed out.
    assert_eq!(snapshots.cursors().unwrap().iter().map(|c| c.2).collect::<Vec<_>>(), [1, 1, 5]);
    drop((store, snapshots));

    let disk = TornDisk::holding(disk.cut(&mut Dice(2)));
    let (mut store, opened) = open(&disk, settings, 30);
    assert_eq!(opened.gap.map(|gap| (gap.first, gap.last)), Some((6, 55)));
    store.commit(&at(30), &[result(2, 30), seen(2, 30)], false).unwrap();
    let snapshots = store.snapshots();
    assert_eq!((seqs(&snapshots, Stream::Vital), seqs(&snapshots, Stream::Events)), (vec![2, 3, 4], vec![2]));
    assert_eq!(store.gather(&at(31), heard(31, 1)), 56);
}

#[test]
fn what_was_forgotten_is_remembered_as_a_time() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 10);
    let forget = |to| Change::Forget { no: CommandNo(1), forgotten_to: Wall(to) };
    store.commit(&at(20), &[forget(70), forget(90)], false).unwrap();
    drop(store);
    let (_, opened) = open(&TornDisk::holding(disk.cut(&mut Dice(1))), Settings::default(), 30);
    assert_eq!(opened.state.forgotten_to, Wall(90));
}

#[test]
fn a_commit_that_happens_anyway_takes_ripe_readings_along() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 0);
    store.gather(&at(1_000), heard(1_000, 5));
    assert_eq!(store.flush_at(), Some(Mono(61_000)));
    store.commit(&at(30_999), &kept(1), false).unwrap();
    assert_eq!(store.gathered(), 5);
    store.commit(&at(31_000), &kept(1), false).unwrap();
    assert_eq!((store.gathered(), store.flush_at()), (0, None));
}

#[test]
fn a_page_goes_on_where_the_one_before_ended() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings { block_readings: 20, ..Settings::default() }, 0);
    for i in 0..10 {
        store.gather(&at(i), heard(i, 9));
    }
    store.commit(&at(10), &(0..30).map(|i| seen(i, i)).collect::<Vec<_>>(), true).unwrap();
    let snapshots = store.snapshots();
    assert_eq!(readings(&snapshots).iter().map(|r| r.0).collect::<Vec<_>>(), (1..=90).collect::<Vec<_>>());
    let page = snapshots.page(Stream::Events, 11, 5).unwrap();
    assert_eq!(entries(&page).iter().map(|e| e.0).collect::<Vec<_>>(), [11, 12, 13, 14, 15]);
    assert_eq!((page.first_held, page.next, page.go_on), (1, 31, 16));
    let page = snapshots.page(Stream::Telemetry, 25, 3).unwrap();
    let Records::Readings(blocks) = page.records else { panic!() };
    assert_eq!((blocks[0].seq, blocks[0].boot, page.go_on), (25, Boot(1), 28));
    assert_eq!(blocks[0].clock.wall(Mono(7)), Wall(1_000_007));
    for stream in [Stream::Events, Stream::Telemetry] {
        let beyond = snapshots.page(stream, 99, 5).unwrap();
        assert_eq!((beyond.go_on, beyond.is_empty()), (beyond.next, true), "nothing stands beyond the end");
    }
}

#[test]
fn a_record_larger_than_a_page_of_the_file_comes_back_whole() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 0);
    let values = (0..100).map(|_| ("a.b".parse().unwrap(), Value::text(&"x".repeat(1_000)))).collect();
    let Change::Record(mut entry) = result(1, 5) else { panic!() };
    if let Record::Result { outcome, .. } = &mut entry.record {
        *outcome = Some(Outcome::Done(values));
    }
    store.commit(&at(5), &[Change::Record(entry.clone()), result(2, 5)], false).unwrap();
    let page = store.snapshots().page(Stream::Vital, 1, 9).unwrap();
    assert_eq!(entries(&page)[0], (1, entry));
    assert_eq!(entries(&page).len(), 2);
}

#[test]
fn a_later_and_better_clock_is_told_for_the_whole_boot() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 0);
    let unset = |mono| Now { wall: Wall(mono), quality: ClockQuality::Unset, ..at(mono) };
    store.gather(&unset(10), heard(10, 1));
    store.commit(&unset(10), &[], true).unwrap();
    store.commit(&at(20), &[seen(1, 20)], false).unwrap();
    let Records::Readings(blocks) = store.snapshots().page(Stream::Telemetry, 1, 9).unwrap().records else { panic!() };
    assert_eq!(blocks[0].clock.wall(Mono(10)), Wall(1_000_010));
}

#[test]
fn boots_are_counted_and_a_clock_that_is_not_set_never_lies_before_what_is_stored() {
    let disk = TornDisk::default();
    let (mut store, opened) = open(&disk, Settings::default(), 0);
    assert_eq!(opened.now.boot, Boot(1));
    store.commit(&at(500), &[seen(1, 500)], false).unwrap();
    store.close(&at(500)).unwrap();
    assert_eq!(open(&disk, Settings::default(), 600).1.now.boot, Boot(1));
    let opening = Opening { boot_id: [9; 16], wall: Wall(7), quality: ClockQuality::Unset, ..opening(3) };
    let (_, opened) = Store::open_on(disk.clone(), Settings::default(), &opening).unwrap();
    assert_eq!((opened.now.boot, opened.now.wall, opened.newest), (Boot(2), Wall(1_000_600), Wall(1_000_600)));
}

#[test]
fn a_reader_that_nobody_knows_changes_nothing() {
    let disk = TornDisk::default();
    let settings = Settings { readers: vec![reader("up", &[Stream::Vital])], ..Settings::default() };
    let (mut store, _) = open(&disk, settings, 0);
    store.commit(&at(1), &[seen(1, 1)], false).unwrap();
    store.commit(&at(2), &[passed("stranger", Stream::Events, 1), passed("up", Stream::Events, 1)], false).unwrap();
    assert_eq!(seqs(&store.snapshots(), Stream::Events), [1]);
    assert_eq!(store.snapshots().cursors().unwrap(), []);
}

#[test]
fn a_second_opening_is_refused_in_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let (store, _) = Store::open(&path, Settings::default(), &opening(0)).unwrap();
    let error = Store::open(&path, Settings::default(), &opening(0)).err().unwrap();
    assert!(matches!(error, StoreError::Locked(_)) && !error.retryable());
    assert!(error.to_string().starts_with("another dmgw is running on the store /"), "{error}");
    store.close(&at(1)).unwrap();
    assert!(Store::open(&path, Settings::default(), &opening(0)).unwrap().1.clean);
}

#[test]
fn a_start_reads_the_state_and_not_the_journal() {
    let read_at_start = |blocks: u64| {
        let disk = TornDisk::default();
        let (mut store, _) = open(&disk, Settings::default(), 0);
        store.commit(&at(1), &(0..1_000).flat_map(kept).collect::<Vec<_>>(), false).unwrap();
        let mut dice = Dice(3);
        for i in 0..blocks {
            let mut heard = heard(i, 2_000);
            heard.readings.iter_mut().for_each(|reading| reading.value = Value::Uint(dice.next()));
            store.gather(&at(i), heard);
            store.commit(&at(i), &[], true).unwrap();
        }
        drop(store);
        let disk = TornDisk::holding(disk.seen());
        let (_store, opened) = open(&disk, Settings::default(), 500);
        assert_eq!(opened.state.devices.len(), 1_000);
        (disk.seen().len() as u64, disk.traffic().0)
    };
    let ((small, little), (large, as_little)) = (read_at_start(1), read_at_start(200));
    assert!(large > small + 3_000_000, "{small} and {large}");
    assert!(as_little < little + 100_000 && as_little < 2_000_000 + 1_000 * 1_000, "{little} and {as_little}");
}

#[test]
fn a_command_costs_two_small_commits() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 0);
    let before = disk.traffic().1;
    for i in 1..=100 {
        store.commit(&at(i), &kept(i as u32)[2..], false).unwrap();
        store.commit(&at(i), &[&kept(i as u32)[2..], &[result(i, i)]].concat(), false).unwrap();
    }
    let each = (disk.traffic().1 - before) / 100;
    assert!(each < 150_000, "{each} bytes a command");
}
