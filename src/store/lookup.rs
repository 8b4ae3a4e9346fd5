//! What others than the loop look up row by row: a command with its result, what is known about a device, its log, a key.
//!
//! A damaged row is as if it were not there, and counted.

use std::sync::atomic::Ordering;
use std::time::Instant;

use redb::{Key, ReadTransaction, ReadableDatabase, TableDefinition, TableError};
use serde::de::DeserializeOwned;

use crate::model::record::Entry;
use crate::model::secret::Secret;
use crate::model::{About, Command, CommandNo, Deed, DeedNo, DeviceNo, Identity};

use super::error::StoreError;
use super::keys::opened;
use super::rows::{ABOUT, COMMANDS, DEEDS, KEYS, KeyBytes, LOGS, identity_key, unpack, unseal};
use super::snapshot::Snapshots;

impl Snapshots {
    /// A command as it stands on disk, with its result; one to many lists its children.
    pub fn command(&self, no: CommandNo) -> Result<Option<Command>, StoreError> {
        self.row(COMMANDS, no.0)
    }

    /// With its answer, where that is kept.
    pub fn deed(&self, no: DeedNo) -> Result<Option<Deed>, StoreError> {
        self.row(DEEDS, no.0)
    }

    /// Empty where nothing is known.
    pub fn about(&self, device: DeviceNo) -> Result<About, StoreError> {
        Ok(self.row(ABOUT, device.0)?.unwrap_or_default())
    }

    /// The oldest first.
    pub fn log(&self, device: DeviceNo) -> Result<Vec<Entry>, StoreError> {
        let (mut lines, mut from) = (Vec::new(), Some(0));
        while let Some(line) = from {
            from = self.read(|txn| self.log_from(txn, device, line, &mut lines))?;
        }
        Ok(lines)
    }

    /// The line to go on with, where the disk takes longer than a snapshot may live.
    fn log_from(
        &self,
        txn: &ReadTransaction,
        device: DeviceNo,
        from: u64,
        lines: &mut Vec<Entry>,
    ) -> Result<Option<u64>, StoreError> {
        let until = Instant::now() + self.shared.longest_read;
        let Some(table) = there(txn.open_table(LOGS))? else { return Ok(None) };
        for row in table.range((device.0, from)..=(device.0, u64::MAX))? {
            let (key, row) = row?;
            lines.extend(self.believed(unpack(&key.value(), row.value())));
            if Instant::now() >= until {
                return Ok(key.value().1.checked_add(1));
            }
        }
        Ok(None)
    }

    /// What who shows this identity must hold. `None` too where the row is damaged, and an error where it cannot be opened:
    /// whether there has to be a key says the device (`keyed`), so nobody gets in because of that.
    pub fn key(&self, identity: &Identity) -> Result<Option<Secret>, StoreError> {
        let key = identity_key(identity)?;
        let key = key.as_slice();
        self.read(|txn| {
            let Some(table) = there(txn.open_table(KEYS))? else { return Ok(None) };
            let Some(row) = table.get(key)? else { return Ok(None) };
            match self.believed(unseal(&key, row.value())) {
                Some(closed) => opened(closed, identity, &self.shared.seal).map(Some),
                None => Ok(None),
            }
        })
    }

    fn row<K, T>(&self, table: TableDefinition<K, &[u8]>, no: K) -> Result<Option<T>, StoreError>
    where
        K: Key + for<'k> redb::Value<SelfType<'k> = K> + KeyBytes + Copy + std::borrow::Borrow<K> + 'static,
        T: DeserializeOwned,
    {
        self.read(|txn| {
            let Some(table) = there(txn.open_table(table))? else { return Ok(None) };
            let row = table.get(no)?;
            Ok(row.and_then(|row| self.believed(unpack(&no, row.value()))))
        })
    }

    fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.shared.with(|db| look(&db.begin_read()?))
    }

    fn believed<T>(&self, row: Option<T>) -> Option<T> {
        if row.is_none() {
            self.shared.damaged.fetch_add(1, Ordering::Relaxed);
        }
        row
    }
}

fn there<T>(table: Result<T, TableError>) -> Result<Option<T>, StoreError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
