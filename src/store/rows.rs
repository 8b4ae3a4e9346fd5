//! Rows as they stand on disk: a payload, then the crc32c of key and payload.
//!
//! redb does not look at its checksums when it reads, so every read of ours does: a row that was changed behind our
//! back, or moved under another key, is not believed.

use redb::{ReadTransaction, TableDefinition, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::attempt::Stranger;
use crate::model::{Identity, Stream};

use super::error::StoreError;

/// Stream, number, piece. Stream 0 holds the heads and cursors.
pub(super) type JournalKey = (u8, u64, u16);
/// Device, line.
pub(super) type LogKey = (u32, u64);

// Names as bytes: redb panics on a text key that is no text any more.
pub(super) const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");
pub(super) const SHAPES: TableDefinition<u32, &[u8]> = TableDefinition::new("shapes");
pub(super) const DEVICES: TableDefinition<u32, &[u8]> = TableDefinition::new("devices");
pub(super) const ABOUT: TableDefinition<u32, &[u8]> = TableDefinition::new("about");
pub(super) const TOTALS: TableDefinition<u32, &[u8]> = TableDefinition::new("totals");
pub(super) const LOGS: TableDefinition<LogKey, &[u8]> = TableDefinition::new("logs");
pub(super) const KEYS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("keys");
pub(super) const ATTEMPTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("attempts");
pub(super) const TOKENS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("tokens");
pub(super) const LAYERS: TableDefinition<u64, &[u8]> = TableDefinition::new("layers");
pub(super) const COMMANDS: TableDefinition<u64, &[u8]> = TableDefinition::new("commands");
pub(super) const DEEDS: TableDefinition<u64, &[u8]> = TableDefinition::new("deeds");
pub(super) const JOURNAL: TableDefinition<JournalKey, &[u8]> = TableDefinition::new("journal");

pub(super) const HEADS: JournalKey = (0, 0, 0);

/// Every table with the number of its format.
pub(super) const FORMATS: [(&str, u32); 14] = [
    ("file", 1),
    ("meta", 1),
    ("shapes", 1),
    ("devices", 2),
    ("about", 1),
    ("totals", 1),
    ("logs", 1),
    ("keys", 2),
    ("attempts", 1),
    ("tokens", 1),
    ("layers", 1),
    ("commands", 2),
    ("deeds", 1),
    ("journal", 1),
];

/// Those that a file of a former version does not have: there they are empty, and get their format at the next open.
pub(super) const LATER: [&str; 4] = ["totals", "layers", "tokens", "deeds"];

const CRC: usize = 4;

/// The bytes of a key that go into the checksum.
pub(super) trait KeyBytes {
    fn crc(&self) -> u32;
}

impl KeyBytes for u32 {
    fn crc(&self) -> u32 {
        crc32c::crc32c(&self.to_le_bytes())
    }
}

impl KeyBytes for u64 {
    fn crc(&self) -> u32 {
        crc32c::crc32c(&self.to_le_bytes())
    }
}

impl KeyBytes for &[u8] {
    fn crc(&self) -> u32 {
        crc32c::crc32c(self)
    }
}

impl KeyBytes for LogKey {
    fn crc(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.0.to_le_bytes()), &self.1.to_le_bytes())
    }
}

impl KeyBytes for JournalKey {
    fn crc(&self) -> u32 {
        let head = crc32c::crc32c(&[self.0]);
        crc32c::crc32c_append(crc32c::crc32c_append(head, &self.1.to_le_bytes()), &self.2.to_le_bytes())
    }
}

pub(super) fn seal(key: &impl KeyBytes, mut payload: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c_append(key.crc(), &payload);
    payload.extend_from_slice(&crc.to_le_bytes());
    payload
}

/// The payload, if the row is what was written under this key.
pub(super) fn unseal<'a>(key: &impl KeyBytes, row: &'a [u8]) -> Option<&'a [u8]> {
    let (payload, crc) = row.split_last_chunk::<CRC>()?;
    (crc32c::crc32c_append(key.crc(), payload) == u32::from_le_bytes(*crc)).then_some(payload)
}

pub(super) fn pack(key: &impl KeyBytes, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    Ok(seal(key, cbor(value)?))
}

pub(super) fn unpack<T: DeserializeOwned>(key: &impl KeyBytes, row: &[u8]) -> Option<T> {
    minicbor_serde::from_slice(unseal(key, row)?).ok()
}

pub(super) fn cbor(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    // Most rows fit, with their checksum, so that none of them grows step by step.
    let mut bytes = Vec::with_capacity(512);
    let written = value.serialize(&mut minicbor_serde::Serializer::new(&mut bytes));
    written.map(|()| bytes).map_err(|error| StoreError::Row(error.to_string()))
}

/// By kind and value: the proof makes no other identity of it.
pub(super) fn identity_key(identity: &Identity) -> Result<Vec<u8>, StoreError> {
    cbor(&(identity.kind, &identity.value))
}

/// Neither part holds a space.
pub(super) fn stranger_key(stranger: &Stranger) -> Vec<u8> {
    let Stranger { link, who } = stranger;
    who.as_ref().map_or_else(|| link.to_string(), |who| format!("{link} {who}")).into_bytes()
}

pub(super) fn code(stream: Stream) -> u8 {
    match stream {
        Stream::Vital => 1,
        Stream::Events => 2,
        Stream::Telemetry => 3,
    }
}

pub(super) fn meta<T: serde::de::DeserializeOwned>(txn: &ReadTransaction, name: &str) -> Result<Option<T>, StoreError> {
    let table = match txn.open_table(META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let row = table.get(name.as_bytes())?;
    Ok(row.and_then(|row| unpack(&name.as_bytes(), row.value())))
}

pub(super) fn put_meta(txn: &WriteTransaction, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
    let key = name.as_bytes();
    txn.open_table(META)?.insert(key, pack(&key, value)?.as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Device, DeviceId, DeviceNo, LifeCycle, Now};

    #[test]
    fn a_device_of_a_former_version_has_no_mark_of_its_key_any_more_and_is_whole() {
        let id = DeviceId::new("urn:dev:dmgw:serial:acme:1").unwrap();
        let device = Device::new(DeviceNo(1), id, LifeCycle::Managed, &Now::default());
        let device = Device { keyed: true, key_mark: u64::MAX, settings_mark: 7, ..device };
        let row = pack(&1u32, &device).unwrap();
        assert_eq!(unpack::<Device>(&1u32, &row), Some(device.clone()));
        // A mark of sixteen bits stood under a name of its own.
        let now = [&[0x60 | 11][..], b"mark_of_key", &[0x1b], &[0xff; 8]].concat();
        let then = [&[0x60 | 8][..], b"key_mark", &[0x19, 0xab, 0xcd]].concat();
        let payload = unseal(&1u32, &row).unwrap();
        let at = payload.windows(now.len()).position(|there| there == now).unwrap();
        let former = [&payload[..at], &then[..], &payload[at + now.len()..]].concat();
        let read: Device = unpack(&1u32, &seal(&1u32, former)).unwrap();
        assert_eq!(read, Device { key_mark: 0, ..device });
    }

    #[test]
    fn a_row_is_believed_only_whole_and_under_its_own_key() {
        let row = seal(&7u32, b"payload".to_vec());
        assert_eq!(unseal(&7u32, &row), Some(&b"payload"[..]));
        assert_eq!(unseal(&8u32, &row), None);
        for i in 0..row.len() {
            let mut bad = row.clone();
            bad[i] ^= 1;
            assert_eq!(unseal(&7u32, &bad), None, "byte {i}");
            assert_eq!(unseal(&7u32, &row[..i]), None, "length {i}");
        }
    }
}
