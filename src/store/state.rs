//! The tables of the state: written row by row. Shapes, devices, commands, deeds and attempts are read at a start; what is known
//! about devices, their logs and keys stay on disk.

use std::sync::Arc;

use redb::{Key, ReadTransaction, TableDefinition, TableError, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::metrics::{Cause, Tally};
use crate::model::attempt::{Attempt, Stranger};
use crate::model::record::Entry;
use crate::model::secret::Secret;
use crate::model::{
    About, Capabilities, Change, Command, CommandNo, Deed, DeedNo, DeviceNo, Identity, Layer, Name, ShapeNo, State,
    Stream, Token, Wall,
};
use crate::seal::Seal;

use super::error::StoreError;
use super::keys::sealed_row;
use super::of_device::OfDevices;
use super::rows::{
    ABOUT, ATTEMPTS, COMMANDS, DEEDS, DEVICES, KEYS, KeyBytes, LAYERS, SHAPES, TOKENS, TOTALS, identity_key, meta,
    pack, put_meta, stranger_key, unpack,
};

/// In `meta`.
const FORGOTTEN_TO: &str = "forgotten-to";

/// A row that was left out because it could not be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRow {
    pub table: &'static str,
    /// Where the key is no number: the place of the row in its table.
    pub key: u64,
}

/// The changes of one commit by where they go.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    shapes: Vec<(u32, Option<&'a Capabilities>)>,
    devices: OfDevices<'a>,
    commands: Vec<(u64, Option<&'a Command>)>,
    deeds: Vec<(u64, Option<&'a Deed>)>,
    keys: Vec<(&'a Identity, Option<&'a Secret>)>,
    attempts: Vec<(&'a Stranger, Option<&'a Attempt>)>,
    tokens: Vec<(&'a Name, Option<&'a Token>)>,
    layers: Vec<(u64, Option<&'a Layer>)>,
    forgotten_to: Option<Wall>,
    pub(super) records: Vec<&'a Entry>,
    pub(super) passed: Vec<(&'a Name, Stream, u64)>,
}

impl<'a> Sorted<'a> {
    pub(super) fn of(changes: &'a [Change]) -> Sorted<'a> {
        let mut sorted = Sorted::default();
        changes.iter().for_each(|change| sorted.add(change));
        sorted
    }

    fn add(&mut self, change: &'a Change) {
        match change {
            Change::Shape { no, capabilities } => self.shapes.push((no.0, Some(capabilities))),
            Change::ForgetShape(no) => self.shapes.push((no.0, None)),
            Change::Device(device) => self.devices.row(device),
            Change::Was { device, connectivity } => self.devices.was(*device, *connectivity),
            Change::About { device, about } => self.devices.about(*device, about),
            Change::Totals { device, totals, .. } => self.devices.totals(*device, totals),
            Change::ForgetDevice(no) => self.devices.forget(*no),
            Change::Command(command) => self.commands.push((command.no.0, Some(command))),
            Change::Forget { no, forgotten_to } => {
                self.commands.push((no.0, None));
                self.forgotten_to = self.forgotten_to.max(Some(*forgotten_to));
            }
            Change::Deed(deed) => self.deeds.push((deed.no.0, Some(deed))),
            Change::ForgetDeed { no, forgotten_to } => {
                self.deeds.push((no.0, None));
                self.forgotten_to = self.forgotten_to.max(Some(*forgotten_to));
            }
            Change::Key { identity, key } => self.keys.push((identity, key.as_ref())),
            Change::Attempt(attempt) => self.attempts.push((&attempt.stranger, Some(attempt))),
            Change::ForgetAttempt(stranger) => self.attempts.push((stranger, None)),
            Change::Token(token) => self.tokens.push((&token.name, Some(token))),
            Change::ForgetToken(name) => self.tokens.push((name, None)),
            Change::Layer(layer) => self.layers.push((layer.version, Some(layer))),
            Change::ForgetLayer(version) => self.layers.push((*version, None)),
            Change::Record(entry) => {
                self.devices.record(entry);
                self.records.push(entry);
            }
            Change::Passed { reader, stream, seq } => self.passed.push((reader, *stream, *seq)),
        }
    }

    /// True when there is anything to write outside the journal.
    pub(super) fn has_rows(&self) -> bool {
        let rows = self.shapes.is_empty() && self.devices.is_empty() && self.commands.is_empty();
        let named = self.keys.is_empty() && self.attempts.is_empty() && self.tokens.is_empty();
        !(rows && named && self.layers.is_empty() && self.deeds.is_empty())
    }

    /// The heads of the journal must tell whether it took hold.
    pub(super) fn touches_journal(&self) -> bool {
        !(self.records.is_empty() && self.passed.is_empty()) || self.devices.builds_on_what_is_there()
    }

    /// Touches only the tables that change.
    pub(super) fn write(&self, to: &WriteTransaction, seal: &Seal, tally: &mut Tally) -> Result<(), StoreError> {
        tally.give(Cause::Rest, write_rows(to, SHAPES, &self.shapes)?);
        self.devices.write(to, tally)?;
        tally.give(Cause::Commands, write_rows(to, COMMANDS, &self.commands)?);
        tally.give(Cause::Commands, write_rows(to, DEEDS, &self.deeds)?);
        tally.give(Cause::Rest, self.write_keys(to, seal)?);
        let attempts = self.attempts.iter().map(|(stranger, attempt)| (stranger_key(stranger), *attempt));
        tally.give(Cause::Rest, write_named(to, ATTEMPTS, attempts)?);
        let tokens = self.tokens.iter().map(|(name, token)| (name.as_str().as_bytes().to_vec(), *token));
        tally.give(Cause::Settings, write_named(to, TOKENS, tokens)?);
        tally.give(Cause::Settings, write_rows(to, LAYERS, &self.layers)?);
        self.forgotten_to.map_or(Ok(()), |to_wall| put_meta(to, FORGOTTEN_TO, &to_wall))
    }

    fn write_keys(&self, to: &WriteTransaction, seal: &Seal) -> Result<usize, StoreError> {
        if self.keys.is_empty() {
            return Ok(0);
        }
        let mut bytes = 0;
        let mut table = to.open_table(KEYS)?;
        for (identity, secret) in &self.keys {
            let key = identity_key(identity)?;
            let key = key.as_slice();
            match secret {
                Some(secret) => {
                    let row = sealed_row(&key, identity, secret, seal)?;
                    bytes += row.len();
                    table.insert(key, row.as_slice())?;
                }
                None => drop(table.remove(key)?),
            }
        }
        Ok(bytes)
    }
}

/// The same, of rows that have names.
fn write_named<T: Serialize>(
    to: &WriteTransaction,
    table: TableDefinition<&[u8], &[u8]>,
    rows: impl ExactSizeIterator<Item = (Vec<u8>, Option<T>)>,
) -> Result<usize, StoreError> {
    if rows.len() == 0 {
        return Ok(0);
    }
    let mut bytes = 0;
    let mut table = to.open_table(table)?;
    for (key, row) in rows {
        let key = key.as_slice();
        match row {
            Some(row) => {
                let row = pack(&key, &row)?;
                bytes += row.len();
                table.insert(key, row.as_slice())?;
            }
            None => drop(table.remove(key)?),
        }
    }
    Ok(bytes)
}

/// In order: a row may be written more than once, or written and removed. Tells how many bytes of rows it wrote.
fn write_rows<K, T>(
    to: &WriteTransaction,
    table: TableDefinition<K, &[u8]>,
    rows: &[(K, Option<&T>)],
) -> Result<usize, StoreError>
where
    K: Key + for<'k> redb::Value<SelfType<'k> = K> + KeyBytes + Copy + 'static,
    for<'k> K: std::borrow::Borrow<<K as redb::Value>::SelfType<'k>>,
    T: Serialize,
{
    if rows.is_empty() {
        return Ok(0);
    }
    let mut bytes = 0;
    let mut table = to.open_table(table)?;
    for (no, row) in rows {
        match row {
            Some(row) => {
                let row = pack(no, row)?;
                bytes += row.len();
                table.insert(*no, row.as_slice())?;
            }
            None => drop(table.remove(*no)?),
        }
    }
    Ok(bytes)
}

pub(super) fn read_state(from: &ReadTransaction) -> Result<(State, Vec<DamagedRow>), StoreError> {
    let (mut state, mut damaged) = (State::default(), Vec::new());
    read_all(from, SHAPES, "shapes", &mut damaged, |no, shape| state.shapes.push((ShapeNo(no), shape)))?;
    read_all(from, DEVICES, "devices", &mut damaged, |_, device| state.devices.push(device))?;
    read_all(from, TOTALS, "totals", &mut damaged, |no: u32, totals| state.totals.push((DeviceNo(no), totals)))?;
    read_all(from, ABOUT, "about", &mut damaged, |no: u32, about: About| {
        let facts = about.facts();
        state.about.extend((!facts.is_empty()).then(|| (DeviceNo(no), facts.into())));
    })?;
    // Results can be large; of each command that has ended only what memory keeps outlives its row.
    read_all(from, COMMANDS, "commands", &mut damaged, |_, command: Arc<Command>| match command.state.is_open() {
        true => state.commands.push(command),
        false => state.ended.push(command.brief()),
    })?;
    read_all(from, DEEDS, "deeds", &mut damaged, |_: u64, deed: Deed| state.deeds.push(deed.brief().into()))?;
    let lost = |table: &'static str| damaged.iter().filter(move |row| row.table == table).map(|row| row.key);
    state.lost_device = lost("devices").filter_map(|key| u32::try_from(key).ok()).max().map(DeviceNo);
    state.lost_commands = lost("commands").map(CommandNo).collect();
    state.lost_deeds = lost("deeds").map(DeedNo).collect();
    state.attempts = read_named(from, ATTEMPTS, "attempts", &mut damaged)?;
    state.attempts.sort_by(|a: &Attempt, b| a.stranger.cmp(&b.stranger));
    state.tokens = read_named(from, TOKENS, "tokens", &mut damaged)?;
    state.forgotten_to = meta(from, FORGOTTEN_TO)?.unwrap_or_default();
    Ok((state, damaged))
}

/// In the order of their versions.
pub(super) fn read_layers(from: &ReadTransaction) -> Result<(Vec<Layer>, Vec<DamagedRow>), StoreError> {
    let (mut layers, mut damaged) = (Vec::new(), Vec::new());
    read_all(from, LAYERS, "layers", &mut damaged, |_, layer| layers.push(layer))?;
    Ok((layers, damaged))
}

/// In the order of their names.
fn read_named<T: DeserializeOwned>(
    from: &ReadTransaction,
    table: TableDefinition<&[u8], &[u8]>,
    name: &'static str,
    damaged: &mut Vec<DamagedRow>,
) -> Result<Vec<T>, StoreError> {
    let table = match from.open_table(table) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut rows = Vec::new();
    for (place, row) in (0..).zip(redb::ReadableTable::iter(&table)?) {
        let (key, row) = row?;
        match unpack(&key.value(), row.value()) {
            Some(row) => rows.push(row),
            None => damaged.push(DamagedRow { table: name, key: place }),
        }
    }
    Ok(rows)
}

/// Row by row: nothing of a row is held once it was taken.
fn read_all<K, N, T>(
    from: &ReadTransaction,
    table: TableDefinition<K, &[u8]>,
    name: &'static str,
    damaged: &mut Vec<DamagedRow>,
    mut take: impl FnMut(N, T),
) -> Result<(), StoreError>
where
    K: Key + for<'k> redb::Value<SelfType<'k> = N> + 'static,
    N: KeyBytes + Copy + Into<u64> + std::borrow::Borrow<N>,
    T: DeserializeOwned,
{
    let table = match from.open_table(table) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for row in redb::ReadableTable::iter(&table)? {
        let (key, row) = row?;
        let no = key.value();
        match unpack(&no, row.value()) {
            Some(value) => take(no, value),
            None => damaged.push(DamagedRow { table: name, key: no.into() }),
        }
    }
    Ok(())
}
