//! Writes the file anew, row by row, so that nothing of what it held before can be read in it.
//!
//! redb does not overwrite what it frees, so bytes of removed rows stay in pages nobody uses. Its `compact` moves pages off
//! the end and cuts that off, but promises nothing of what lies between. So all rows go into a new file, which then takes
//! the name; until that is on disk the old one is what counts. The old one is overwritten before it is let go. (Flash may
//! keep what was overwritten; only a disk that is encrypted helps there.)

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};

use super::error::StoreError;
use super::file::{begin, connect};
use super::keys::REWRITE;
use super::rows::{
    ABOUT, ATTEMPTS, COMMANDS, DEEDS, DEVICES, JOURNAL, KEYS, LAYERS, LOGS, META, SHAPES, TOKENS, TOTALS, meta,
};
use super::watch::{Doing, Looks, Watch};
use crate::disk;

/// Bytes that are overwritten before somebody is told.
const AT_ONCE: u64 = 1 << 20;

/// The file to go on with. One that cannot be written anew now serves as it is: the next start tries again.
pub(super) fn if_due(db: Database, path: &Path, cache: usize, looks: &Looks) -> Result<Database, StoreError> {
    if meta::<bool>(&db.begin_read()?, REWRITE)?.is_none() {
        return Ok(db);
    }
    let (new, old) = match anew(&db, path, cache, looks) {
        Ok(done) => done,
        Err(error) => {
            tracing::warn!(%error, "keys that a former version kept in clear may still be read in unused parts of the \
                                    store; the next start cleans it, if there is room for it a second time");
            let _ = std::fs::remove_file(beside(path));
            return Ok(db);
        }
    };
    // Without this a power cut could bring the old file back, after changes were acknowledged in the new one.
    disk::sync_folder(path)?;
    drop(db);
    if let Err(error) = overwrite(old, &looks.watch) {
        tracing::warn!(%error, "the former file of the store could not be overwritten; it is deleted");
    }
    Ok(new)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".anew");
    name.into()
}

/// The new one, under the name of the old one, which is still open.
fn anew(db: &Database, path: &Path, cache: usize, looks: &Looks) -> Result<(Database, File), StoreError> {
    let beside = beside(path);
    // What a cut left of the last try.
    let _ = std::fs::remove_file(&beside);
    let new = connect(&beside, cache, looks)?;
    let (from, to) = (db.begin_read()?, begin(&new)?);
    copy_all(&from, &to)?;
    to.commit()?;
    let old = OpenOptions::new().write(true).open(path)?;
    std::fs::rename(&beside, path)?;
    Ok((new, old))
}

fn copy_all(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), StoreError> {
    copy(from, to, META)?;
    copy(from, to, SHAPES)?;
    copy(from, to, DEVICES)?;
    copy(from, to, ABOUT)?;
    copy(from, to, TOTALS)?;
    copy(from, to, LOGS)?;
    copy(from, to, KEYS)?;
    copy(from, to, ATTEMPTS)?;
    copy(from, to, TOKENS)?;
    copy(from, to, LAYERS)?;
    copy(from, to, COMMANDS)?;
    copy(from, to, DEEDS)?;
    copy(from, to, JOURNAL)?;
    to.open_table(META)?.remove(REWRITE.as_bytes())?;
    Ok(())
}

fn copy<K: Key + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<K, &[u8]>,
) -> Result<(), StoreError> {
    let from = match from.open_table(table) {
        Ok(from) => from,
        // A former version had none of it.
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut to = to.open_table(table)?;
    for row in from.iter()? {
        let (key, row) = row?;
        to.insert(key.value(), row.value())?;
    }
    Ok(())
}

fn overwrite(mut file: File, watch: &Watch) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    while left > 0 {
        left -= io::copy(&mut io::repeat(0).take(left.min(AT_ONCE)), &mut file)?;
        watch.tell(Doing::Moved);
    }
    file.sync_all()
}
