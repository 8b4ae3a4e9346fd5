//! Whoever looks on is told of each sync before it, and of all that comes back; and of a repair.

use std::sync::{Arc, Mutex};

use redb::{Database, TableDefinition};

use super::words::*;
use crate::model::Change;
use crate::store::file::connect;
use crate::store::watch::Looks;
use crate::store::{Doing, Settings, Store, Watch};

fn watch() -> (Watch, Arc<Mutex<Vec<Doing>>>) {
    let told: Arc<Mutex<Vec<Doing>>> = Arc::default();
    let tell = told.clone();
    (Watch::new(move |doing| tell.lock().unwrap().push(doing)), told)
}

#[test]
fn each_sync_is_told_of_before_it_and_when_it_came_back() {
    let folder = tempfile::tempdir().unwrap();
    let (watch, told) = watch();
    let path = folder.path().join("state.redb");
    let (mut store, _) = Store::open_watched(&path, Settings::default(), &opening(0), watch).unwrap();
    told.lock().unwrap().clear();
    store.commit(&at(1), &[Change::Device(Arc::new(device(1)))], false).unwrap();
    let told = std::mem::take(&mut *told.lock().unwrap());
    let syncs: Vec<usize> = (0..told.len()).filter(|no| told[*no] == Doing::Syncs).collect();
    assert!(!syncs.is_empty() && syncs.iter().all(|no| told[no + 1] == Doing::Moved), "{told:?}");
    assert!(told.len() > 2 * syncs.len(), "what was written came back too: {told:?}");
}

#[test]
fn a_repair_tells_how_far_it_is_and_a_clean_file_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let [clean, cut] = ["clean", "cut"].map(|name| folder.path().join(name));
    let db = Database::create(&clean).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(TableDefinition::<u32, u32>::new("t")).unwrap().insert(1, 1).unwrap();
    txn.commit().unwrap();
    std::fs::copy(&clean, &cut).unwrap();
    drop(db);
    let repairs = |path| {
        let (watch, told) = watch();
        drop(connect(path, 1 << 20, &Looks { watch, ..Looks::default() }).unwrap());
        let told = told.lock().unwrap();
        told.iter().filter(|doing| matches!(doing, Doing::Repairs { .. })).count()
    };
    assert!(repairs(&cut) > 0);
    assert_eq!(repairs(&clean), 0);
}
