//! Keys of devices on disk: sealed, and what a former version kept in clear is gone.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableHandle};

use super::torn_disk::{Dice, TornDisk};
use super::words::*;
use crate::model::*;
use crate::seal::Seal;
use crate::store::file::begin;
use crate::store::keys::{IN_CLEAR, REWRITE};
use crate::store::open::format_of;
use crate::store::rows::{KEYS, LATER, META, identity_key, meta, put_meta, seal as with_checksum};
use crate::store::{Opening, Settings, Store, StoreError};

const KEY: &str = "planted-key-of-a-device";

fn identity(value: &str) -> Identity {
    Identity::new(IdentityKind::Serial, value, Proof::Claimed).unwrap()
}

fn key(value: &str) -> Change {
    Change::Key { identity: identity(value), key: Some(Secret::new(format!("{KEY} {value}"))) }
}

/// Many, so that they fill pages of their own.
fn many() -> Vec<Change> {
    (0..400).map(|n| key(&format!("acme:{n}"))).chain([key("acme:1")]).collect()
}

fn is_in(path: &Path) -> bool {
    holds(&std::fs::read(path).unwrap())
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes())
}

fn read(store: &Store, value: &str) -> Option<String> {
    store.snapshots().key(&identity(value)).unwrap().map(|key| key.reveal().to_owned())
}

/// As a former version left it.
fn in_clear(db: &Database) -> Result<(), StoreError> {
    let txn = begin(db).unwrap();
    {
        let mut table = txn.open_table(KEYS).unwrap();
        for n in 0..400 {
            let key = identity_key(&identity(&format!("acme:{n}"))).unwrap();
            let row = with_checksum(&key.as_slice(), format!("{KEY} acme:{n}").into_bytes());
            table.insert(key.as_slice(), row.as_slice()).unwrap();
        }
    }
    put_meta(&txn, &format_of("keys"), &IN_CLEAR)?;
    Ok(txn.commit()?)
}

fn clear_file(path: &Path) {
    let (mut store, _) = Store::open(path, Settings::default(), &opening(0)).unwrap();
    store.commit(&at(1), &kept(1), false).unwrap();
    store.commit(&at(1), &[Change::Layer(layer().into())], false).unwrap();
    store.shared.with(in_clear).unwrap();
    store.close(&at(2)).unwrap();
}

fn layer() -> Layer {
    let by = Name::new("root").unwrap();
    let text = "[link.a]\nsim = {}\n".into();
    Layer { version: 1, at: at(1), by, note: String::new(), text, hide: Vec::new(), lift: Vec::new() }
}

/// As it was before these tables were thought of.
fn without_later_tables(db: &Database) -> Result<(), StoreError> {
    let txn = begin(db)?;
    for table in LATER {
        let untyped = txn.list_tables()?.find(|known| known.name() == table);
        untyped.map(|known| txn.delete_table(known)).transpose()?;
        txn.open_table(META)?.remove(format_of(table).as_bytes())?;
    }
    Ok(txn.commit()?)
}

fn tables(db: &Database) -> usize {
    let mut names: Vec<String> =
        db.begin_read().unwrap().list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    names.dedup();
    names.len()
}

#[test]
fn a_key_is_sealed_on_disk_and_opens_only_under_the_same_seal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let (mut store, _) = Store::open(&path, Settings::default(), &opening(0)).unwrap();
    store.commit(&at(1), &many(), false).unwrap();
    assert_eq!(read(&store, "acme:7"), Some(format!("{KEY} acme:7")));
    store.close(&at(2)).unwrap();
    assert!(!is_in(&path));
    let other = Opening { seal: Seal::new(&[8; 32]).into(), ..opening(3) };
    let (store, opened) = Store::open(&path, Settings::default(), &other).unwrap();
    assert_eq!(opened.damaged, []);
    let error = store.snapshots().key(&identity("acme:7")).unwrap_err();
    assert!(matches!(error, StoreError::Sealed(_)) && !error.retryable(), "{error}");
}

#[test]
fn a_sealed_row_that_is_moved_to_another_device_opens_nothing() {
    let (mut store, _) = open(&TornDisk::default(), Settings::default(), 0);
    store.commit(&at(1), &[key("acme:1"), key("acme:2")], false).unwrap();
    let moved = store.shared.with(|db| {
        let txn = begin(db)?;
        {
            let mut table = txn.open_table(KEYS)?;
            let (one, two) = (identity_key(&identity("acme:1"))?, identity_key(&identity("acme:2"))?);
            let payload = table.get(one.as_slice())?.unwrap().value().to_vec();
            let row = with_checksum(&two.as_slice(), payload[..payload.len() - 4].to_vec());
            table.insert(two.as_slice(), row.as_slice())?;
        }
        Ok(txn.commit()?)
    });
    moved.unwrap();
    assert!(store.snapshots().key(&identity("acme:1")).is_ok());
    assert!(matches!(store.snapshots().key(&identity("acme:2")), Err(StoreError::Sealed(_))));
}

#[test]
fn keys_in_clear_are_sealed_by_the_next_open_and_cannot_be_read_in_the_file_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    clear_file(&path);
    assert!(is_in(&path), "the search finds what is there");
    // Somebody who kept the old file open reads nothing in it either.
    let old = folder.path().join("old");
    std::fs::hard_link(&path, &old).unwrap();
    let before = tables(&Database::open(&path).unwrap());
    let (mut store, opened) = Store::open(&path, Settings::default(), &opening(3)).unwrap();
    assert_eq!((opened.clean, opened.damaged.len(), opened.state.devices.len()), (true, 0, 1));
    assert_eq!(store.snapshots().layers().unwrap(), (vec![layer()], Vec::new()));
    assert_eq!(read(&store, "acme:399"), Some(format!("{KEY} acme:399")));
    assert!(!is_in(&path) && !is_in(&old));
    assert_eq!(store.shared.with(|db| Ok(tables(db))).unwrap(), before, "a table is missing in copy_all");
    std::fs::remove_file(old).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    // What is written after goes into the file that has the name.
    store.commit(&at(4), &[key("acme:new")], false).unwrap();
    store.close(&at(5)).unwrap();
    let before = std::fs::metadata(&path).unwrap();
    let (store, _) = Store::open(&path, Settings::default(), &opening(6)).unwrap();
    assert_eq!(read(&store, "acme:new"), Some(format!("{KEY} acme:new")));
    use std::os::unix::fs::MetadataExt;
    assert_eq!(before.ino(), std::fs::metadata(&path).unwrap().ino(), "once is enough");
}

#[test]
fn a_file_of_a_former_version_is_opened_with_and_without_keys_in_clear_and_what_came_later_is_kept_from_then_on() {
    for clear in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        clear_file(&path);
        if !clear {
            Store::open(&path, Settings::default(), &opening(3)).unwrap().0.close(&at(4)).unwrap();
        }
        without_later_tables(&Database::open(&path).unwrap()).unwrap();
        let (mut store, opened) = Store::open(&path, Settings::default(), &opening(5)).unwrap();
        assert_eq!((opened.damaged.len(), opened.state.devices.len()), (0, 1));
        assert!(!is_in(&path));
        store.commit(&at(6), &[Change::Layer(layer().into())], false).unwrap();
        store.close(&at(7)).unwrap();
        let (store, _) = Store::open(&path, Settings::default(), &opening(8)).unwrap();
        assert_eq!(store.snapshots().layers().unwrap(), (vec![layer()], Vec::new()));
        let marked = |table: &str| store.shared.with(|db| meta::<u32>(&db.begin_read()?, &format_of(table))).unwrap();
        assert_eq!(LATER.map(marked), [Some(1); 4]);
    }
}

#[test]
fn a_file_that_cannot_be_written_anew_serves_and_the_next_open_cleans_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    clear_file(&path);
    // In the way: a folder is not removed like a file.
    let way = folder.path().join("state.redb.anew");
    std::fs::create_dir(&way).unwrap();
    let (store, _) = Store::open(&path, Settings::default(), &opening(3)).unwrap();
    assert_eq!(read(&store, "acme:1"), Some(format!("{KEY} acme:1")));
    store.close(&at(4)).unwrap();
    assert!(is_in(&path));
    std::fs::remove_dir(way).unwrap();
    let (store, _) = Store::open(&path, Settings::default(), &opening(5)).unwrap();
    assert_eq!(read(&store, "acme:1"), Some(format!("{KEY} acme:1")));
    assert!(!is_in(&path));
}

/// The disk stops at each sync of the open in turn, then the power goes.
#[test]
fn a_cut_while_keys_are_sealed_loses_none_and_leaves_none_half_sealed() {
    let disk = TornDisk::default();
    let (store, _) = open(&disk, Settings::default(), 0);
    store.shared.with(in_clear).unwrap();
    drop(store);
    let image = disk.cut(&mut Dice(1));
    for syncs in 1..=4 {
        let disk = TornDisk::holding(image.clone());
        disk.stop_at(syncs);
        let _ = Store::open_on(disk.clone(), Settings::default(), &opening(1));
        for dice in 1..=8 {
            let (store, opened) = open(&TornDisk::holding(disk.cut(&mut Dice(dice))), Settings::default(), 2);
            assert_eq!(opened.damaged, []);
            for n in [0, 7, 399] {
                assert_eq!(read(&store, &format!("acme:{n}")), Some(format!("{KEY} acme:{n}")), "{syncs} {dice}");
            }
            // That the file is to be written anew is never forgotten, for it was not.
            let due = store.shared.with(|db| meta::<bool>(&db.begin_read()?, REWRITE));
            assert_eq!(due.unwrap(), Some(true));
        }
    }
}

#[test]
fn a_damaged_key_in_clear_is_believed_by_nobody_and_not_kept() {
    let (store, disk) = {
        let disk = TornDisk::default();
        (open(&disk, Settings::default(), 0).0, disk)
    };
    store.shared.with(in_clear).unwrap();
    let spoiled = store.shared.with(|db| {
        let txn = begin(db)?;
        let row = identity_key(&identity("acme:1"))?;
        drop(txn.open_table(KEYS)?.insert(row.as_slice(), KEY.as_bytes())?);
        Ok(txn.commit()?)
    });
    spoiled.unwrap();
    drop(store);
    let (store, _) = open(&disk, Settings::default(), 1);
    assert_eq!((read(&store, "acme:1"), read(&store, "acme:2")), (None, Some(format!("{KEY} acme:2"))));
}
