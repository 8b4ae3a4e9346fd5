//! What can go wrong with the store, by what the caller may do.

use std::io;
use std::path::PathBuf;

use crate::seal::SealError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk of the store is full; free some space: the store opens itself again and goes on")]
    Full(#[source] redb::Error),
    #[error("the store cannot be written (read-only file system or missing permission); make it writable again")]
    ReadOnly(#[source] redb::Error),
    #[error(
        "the store cannot be read or written; see to its disk and folder: the store opens itself again and goes on"
    )]
    Io(#[source] redb::Error),
    #[error("another dmgw is running on the store {}; stop it or give another path", .0.display())]
    Locked(PathBuf),
    #[error("the store is damaged: {0}; set the file aside and start with a copy or a new one")]
    Corrupt(String),
    #[error("{what} of the store has format {found}, and this dmgw knows only {known}; use the dmgw that wrote it")]
    Format { what: String, found: u32, known: u32 },
    #[error("a row cannot be written: {0}; this is a mistake in dmgw, please report it")]
    Row(String),
    #[error("a key of a device cannot be sealed or opened: {0}; or register the device with its key again")]
    Sealed(#[from] SealError),
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// After [`reopen`](super::Store::reopen) the same commit may be made again.
    pub fn retryable(&self) -> bool {
        matches!(self, StoreError::Full(_) | StoreError::ReadOnly(_) | StoreError::Io(_))
    }

    pub(super) fn from_redb(error: redb::Error) -> StoreError {
        use redb::Error as E;
        match error {
            E::Io(ref source) => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(error),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreError::ReadOnly(error),
                io::ErrorKind::InvalidData => StoreError::Corrupt(error.to_string()),
                _ => StoreError::Io(error),
            },
            E::DatabaseAlreadyOpen => StoreError::Locked(PathBuf::new()),
            E::UpgradeRequired(found) => {
                StoreError::Format { what: "the file".into(), found: found.into(), known: u32::from(REDB_FORMAT) }
            }
            E::Corrupted(what) => StoreError::Corrupt(what),
            E::RepairAborted | E::TableTypeMismatch { .. } | E::TypeDefinitionChanged { .. } => {
                StoreError::Corrupt(error.to_string())
            }
            E::DatabaseClosed => StoreError::Closed,
            _ => StoreError::Io(error),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        StoreError::from_redb(redb::Error::Io(error))
    }
}

/// The file format of the redb that is linked in.
const REDB_FORMAT: u8 = 3;

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> StoreError {
                StoreError::from_redb(error.into())
            }
        })*
    };
}

from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError, SetDurabilityError);
