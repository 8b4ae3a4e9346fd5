//! Keys of devices as they stand on disk: sealed, each for its identity, so that a row moved to another one opens nothing.
//!
//! Files of the format before held them in clear. They are closed at the first open, in one transaction that also says
//! that the file is to be [written anew](super::rewrite), for what redb replaces stays readable in pages nobody uses.

use redb::{Database, ReadableDatabase, ReadableTable};

use crate::model::{Address, Identity, IdentityKind, Proof, Secret};
use crate::seal::{Seal, Sealed};

use super::error::StoreError;
use super::file::begin;
use super::open::{check_formats, format_of};
use super::rows::{KEYS, meta, put_meta, seal as with_checksum, unseal};

/// The format of `keys` before they were sealed.
pub(super) const IN_CLEAR: u32 = 1;
const SEALED: u32 = 2;
/// In `meta`: something that must not be read stands in pages nobody uses.
pub(super) const REWRITE: &str = "rewrite";

pub(super) fn sealed_row(key: &&[u8], of: &Identity, secret: &Secret, seal: &Seal) -> Result<Vec<u8>, StoreError> {
    let sealed = seal.seal(secret, &purpose(of))?;
    Ok(with_checksum(key, sealed.as_bytes().to_vec()))
}

pub(super) fn opened(payload: &[u8], of: &Identity, seal: &Seal) -> Result<Secret, StoreError> {
    Ok(seal.open(&Sealed::from_bytes(payload)?, &purpose(of))?)
}

fn purpose(of: &Identity) -> String {
    format!("device-key:{}", of.urn())
}

/// Does nothing where it was done before.
pub(super) fn close_all(db: &Database, seal: &Seal) -> Result<(), StoreError> {
    let read = db.begin_read()?;
    if !check_formats(&read)? || meta(&read, &format_of("keys"))? != Some(IN_CLEAR) {
        return Ok(());
    }
    drop(read);
    let txn = begin(db)?;
    let closed = close_rows(&mut txn.open_table(KEYS)?, seal)?;
    put_meta(&txn, &format_of("keys"), &SEALED)?;
    put_meta(&txn, REWRITE, &true)?;
    txn.commit()?;
    tracing::info!(closed, "the keys of devices were kept in clear by a former version; now they are sealed");
    Ok(())
}

fn close_rows(table: &mut redb::Table<&[u8], &[u8]>, seal: &Seal) -> Result<usize, StoreError> {
    let mut keys = Vec::new();
    for row in table.iter()? {
        keys.push(row?.0.value().to_vec());
    }
    for key in &keys {
        let key = key.as_slice();
        let row = table.get(key)?.map(|row| closed(&key, row.value(), seal)).transpose()?.flatten();
        match row {
            Some(row) => drop(table.insert(key, row.as_slice())?),
            // Nobody believes it, and what is left of it must not stay in clear.
            None => {
                table.remove(key)?;
                tracing::error!("a key of a device was damaged; register the device with its key again");
            }
        }
    }
    Ok(keys.len())
}

fn closed(key: &&[u8], row: &[u8], seal: &Seal) -> Result<Option<Vec<u8>>, StoreError> {
    let clear = unseal(key, row).and_then(|payload| std::str::from_utf8(payload).ok());
    let of: Option<(IdentityKind, Address)> = minicbor_serde::from_slice(key).ok();
    let (Some(clear), Some((kind, value))) = (clear, of) else { return Ok(None) };
    let of = Identity { kind, value, proof: Proof::Claimed };
    sealed_row(key, &of, &Secret::new(clear.to_owned()), seal).map(Some)
}
