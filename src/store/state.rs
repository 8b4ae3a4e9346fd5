//! The tables of the state: shapes, devices, commands. Read whole at a start, written row by row.

use std::sync::Arc;

use redb::{Key, ReadTransaction, TableDefinition, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::record::Entry;
use crate::model::{Capabilities, Change, Command, Device, Name, ShapeNo, State, Stream, Wall};

use super::error::StoreError;
use super::rows::{COMMANDS, DEVICES, KeyBytes, SHAPES, meta, pack, put_meta, unpack};

/// In `meta`.
const FORGOTTEN_TO: &str = "forgotten-to";

/// A row that was left out because it could not be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRow {
    pub table: &'static str,
    pub key: u64,
}

/// The changes of one commit by where they go.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    shapes: Vec<(u32, Option<&'a Capabilities>)>,
    devices: Vec<(u32, Option<&'a Device>)>,
    commands: Vec<(u64, Option<&'a Command>)>,
    forgotten_to: Option<Wall>,
    pub(super) records: Vec<&'a Entry>,
    pub(super) passed: Vec<(&'a Name, Stream, u64)>,
}

impl<'a> Sorted<'a> {
    pub(super) fn of(changes: &'a [Change]) -> Sorted<'a> {
        let mut sorted = Sorted::default();
        for change in changes {
            match change {
                Change::Shape { no, capabilities } => sorted.shapes.push((no.0, Some(capabilities))),
                Change::Device(device) => sorted.devices.push((device.no.0, Some(device))),
                Change::Command(command) => sorted.commands.push((command.no.0, Some(command))),
                Change::ForgetShape(no) => sorted.shapes.push((no.0, None)),
                Change::Forget { no, forgotten_to } => {
                    sorted.commands.push((no.0, None));
                    sorted.forgotten_to = sorted.forgotten_to.max(Some(*forgotten_to));
                }
                Change::About { .. } | Change::Was { .. } | Change::Key { .. } => {}
                Change::ForgetDevice(no) => sorted.devices.push((no.0, None)),
                Change::Attempt(_) | Change::ForgetAttempt(_) => {}
                Change::Record(entry) => sorted.records.push(entry),
                Change::Passed { reader, stream, seq } => sorted.passed.push((reader, *stream, *seq)),
            }
        }
        sorted
    }

    /// True when there is anything to write outside the journal.
    pub(super) fn has_rows(&self) -> bool {
        !(self.shapes.is_empty() && self.devices.is_empty() && self.commands.is_empty())
    }

    /// Touches only the tables that change.
    pub(super) fn write(&self, to: &WriteTransaction) -> Result<(), StoreError> {
        write_rows(to, SHAPES, &self.shapes)?;
        write_rows(to, DEVICES, &self.devices)?;
        write_rows(to, COMMANDS, &self.commands)?;
        self.forgotten_to.map_or(Ok(()), |to_wall| put_meta(to, FORGOTTEN_TO, &to_wall))
    }
}

/// In order: a row may be written more than once, or written and removed.
fn write_rows<K, T>(
    to: &WriteTransaction,
    table: TableDefinition<K, &[u8]>,
    rows: &[(K, Option<&T>)],
) -> Result<(), StoreError>
where
    K: Key + for<'k> redb::Value<SelfType<'k> = K> + KeyBytes + Copy + 'static,
    for<'k> K: std::borrow::Borrow<<K as redb::Value>::SelfType<'k>>,
    T: Serialize,
{
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = to.open_table(table)?;
    for (no, row) in rows {
        match row {
            Some(row) => drop(table.insert(*no, pack(no, row)?.as_slice())?),
            None => drop(table.remove(*no)?),
        }
    }
    Ok(())
}

pub(super) fn read_state(from: &ReadTransaction) -> Result<(State, Vec<DamagedRow>), StoreError> {
    let mut damaged = Vec::new();
    let shapes = read_all(from, SHAPES, "shapes", &mut damaged)?;
    let devices: Vec<(u32, Arc<Device>)> = read_all(from, DEVICES, "devices", &mut damaged)?;
    let commands: Vec<(u64, Arc<Command>)> = read_all(from, COMMANDS, "commands", &mut damaged)?;
    let (open, ended): (Vec<_>, Vec<_>) = commands.into_iter().map(|(_, row)| row).partition(|row| row.state.is_open());
    let ended = ended.iter().map(|command| command.brief()).collect();
    let state = State {
        shapes: shapes.into_iter().map(|(no, shape)| (ShapeNo(no), shape)).collect(),
        devices: devices.into_iter().map(|(_, device)| device).collect(),
        commands: open,
        ended,
        attempts: Vec::new(),
        forgotten_to: meta(from, FORGOTTEN_TO)?.unwrap_or_default(),
    };
    Ok((state, damaged))
}

fn read_all<K, N, T>(
    from: &ReadTransaction,
    table: TableDefinition<K, &[u8]>,
    name: &'static str,
    damaged: &mut Vec<DamagedRow>,
) -> Result<Vec<(N, T)>, StoreError>
where
    K: Key + for<'k> redb::Value<SelfType<'k> = N> + 'static,
    N: KeyBytes + Copy + Into<u64> + std::borrow::Borrow<N>,
    T: DeserializeOwned,
{
    let table = match from.open_table(table) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut rows = Vec::new();
    for row in redb::ReadableTable::iter(&table)? {
        let (key, row) = row?;
        let no = key.value();
        match unpack(&no, row.value()) {
            Some(value) => rows.push((no, value)),
            None => damaged.push(DamagedRow { table: name, key: no.into() }),
        }
    }
    Ok(rows)
}
