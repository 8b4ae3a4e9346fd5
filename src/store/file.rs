//! The file itself: opened, or made under another name first, for a power cut while redb makes its file would leave one
//! that it refuses for ever. And how every commit on it begins.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, Durability, RepairSession, StorageBackend, WriteTransaction};

use super::error::StoreError;
use super::watch::{Doing, Looks, Watched};
use crate::disk;

pub(super) fn connect(path: &Path, cache: usize, looks: &Looks) -> Result<Database, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    connect_on(FileBackend::new(file)?, cache, looks).map_err(|error| match error {
        StoreError::Locked(_) => StoreError::Locked(path.to_owned()),
        other => other,
    })
}

fn repairs(repair: &RepairSession) -> Doing {
    Doing::Repairs { percent: (repair.progress() * 100.0) as u8 }
}

/// What a power cut left of a file in the making is made again: nothing was ever acknowledged in it.
pub(super) fn connect_unfinished(path: &Path, cache: usize, looks: &Looks) -> Result<Database, StoreError> {
    match connect(path, cache, looks) {
        Err(StoreError::Corrupt(_)) => {
            std::fs::remove_file(path)?;
            connect(path, cache, looks)
        }
        other => other,
    }
}

/// Where a file is made before it is given its name.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Fails when the name is taken meanwhile: then another dmgw was faster.
pub(super) fn give_name(from: &Path, to: &Path) -> Result<(), StoreError> {
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Locked(to.to_owned()));
        }
        // A file system without links.
        Err(_) => std::fs::rename(from, to)?,
    }
    Ok(disk::sync_folder(to)?)
}

pub(super) fn connect_on(backend: impl StorageBackend, cache: usize, looks: &Looks) -> Result<Database, StoreError> {
    let watch = looks.watch.clone();
    let mut builder = Builder::new();
    builder.set_cache_size(cache).set_repair_callback(move |repair| watch.tell(repairs(repair)));
    Ok(builder.create_with_backend(Watched { backend, looks: looks.clone() })?)
}

pub(super) fn begin(db: &Database) -> Result<WriteTransaction, StoreError> {
    let mut txn = db.begin_write()?;
    txn.set_durability(Durability::Immediate)?;
    txn.set_quick_repair(true);
    Ok(txn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_faster_keeps_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("new"), folder.path().join("name"));
        std::fs::write(&from, "mine").unwrap();
        std::fs::write(&to, "theirs").unwrap();
        assert!(matches!(give_name(&from, &to), Err(StoreError::Locked(path)) if path == to));
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "theirs");
    }

    /// A folder cannot be linked, wherever it is: it stands for a file where nothing can.
    #[test]
    fn where_nothing_can_be_linked_it_gets_its_name_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("new"), folder.path().join("name"));
        std::fs::create_dir(&from).unwrap();
        give_name(&from, &to).unwrap();
        assert!(to.exists() && !from.exists());
    }
}
