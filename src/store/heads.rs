//! The heads of the journal: how far each stream and each reader is. One small row, written by every commit that
//! touches the journal and by no other.

use std::collections::BTreeMap;
use std::fmt;

use redb::{Database, ReadTransaction, ReadableDatabase, TableError};
use serde::{Deserialize, Serialize};

use crate::model::{Boot, ClockQuality, Name, Now, Stream, Wall};

use super::block::Clock;
use super::error::StoreError;
use super::rows::{HEADS, JOURNAL, unpack};
use super::settings::{Reader, Settings};

/// Boots whose clock is remembered; blocks of older ones go by the clock they were written with.
const MOST_CLOCKS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The first number still held; `next` when nothing is.
    pub(super) first: u64,
    /// What the next record gets.
    pub(super) next: u64,
    /// Telemetry: numbers below may have been shown outside.
    pub(super) reserved: u64,
    /// Rows held.
    pub(super) rows: u64,
}

impl Default for Head {
    fn default() -> Head {
        Head { first: 1, next: 1, reserved: 1, rows: 0 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heads {
    /// Counts the commits that wrote this row: tells whether one that seemed to fail took hold.
    pub(super) serial: u64,
    /// Nothing was in memory only when this was written, and nothing came after.
    pub(super) clean: bool,
    pub(super) newest: Wall,
    /// When nothing was in memory only.
    pub(super) flushed: Now,
    pub(super) vital: Head,
    pub(super) events: Head,
    pub(super) telemetry: Head,
    #[serde(default)]
    pub(super) cursors: BTreeMap<Name, BTreeMap<Stream, u64>>,
    #[serde(default)]
    pub(super) clocks: BTreeMap<Boot, Clock>,
}

/// A reading every microsecond for a hundred thousand years: a number beyond it was never given.
const LARGEST_NUMBER: u64 = 1 << 61;

impl Heads {
    /// Arithmetic on its numbers cannot overflow.
    fn is_sound(&self) -> bool {
        let sound =
            |head: &Head| head.first >= 1 && head.first <= head.next && head.next.max(head.reserved) <= LARGEST_NUMBER;
        [&self.vital, &self.events, &self.telemetry].into_iter().all(sound)
    }

    pub(super) fn of(&self, stream: Stream) -> &Head {
        match stream {
            Stream::Vital => &self.vital,
            Stream::Events => &self.events,
            Stream::Telemetry => &self.telemetry,
        }
    }

    pub(super) fn of_mut(&mut self, stream: Stream) -> &mut Head {
        match stream {
            Stream::Vital => &mut self.vital,
            Stream::Events => &mut self.events,
            Stream::Telemetry => &mut self.telemetry,
        }
    }

    pub(super) fn cursor(&self, reader: &Name, stream: Stream) -> u64 {
        self.cursors.get(reader).and_then(|streams| streams.get(&stream)).copied().unwrap_or(0)
    }

    /// Forward only. True if that changes anything.
    pub(super) fn pass(&mut self, reader: &Name, stream: Stream, seq: u64) -> bool {
        let cursor = self.cursors.entry(reader.clone()).or_default().entry(stream).or_default();
        std::mem::replace(cursor, seq.max(*cursor)) < seq
    }

    /// Up to where everybody who wants the stream has it; nobody wants it: nothing may go.
    pub(super) fn passed_by_all(&self, readers: &[Reader], stream: Stream) -> Option<u64> {
        let wanting = readers.iter().filter(|reader| reader.streams.contains(&stream));
        wanting.map(|reader| self.cursor(&reader.name, stream)).min()
    }

    pub(super) fn forget_strangers(&mut self, settings: &Settings) {
        self.cursors.retain(|reader, _| settings.readers.iter().any(|known| known.name == *reader));
    }

    pub(super) fn tick(&mut self, now: &Now) {
        self.serial += 1;
        // A set clock may step back, and what was believed before it was wrong.
        self.newest = if now.quality == ClockQuality::Set { now.wall } else { self.newest.max(now.wall) };
        let clock = self.clocks.entry(now.boot).or_default();
        if now.quality >= clock.quality {
            *clock = Clock::of(now);
        }
        while self.clocks.len() > MOST_CLOCKS {
            self.clocks.pop_first();
        }
    }
}

/// Names one life of the journal: its numbers mean something only together with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JournalId(pub [u8; 16]);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) fn read_heads(db: &Database) -> Result<Option<Heads>, StoreError> {
    read_heads_in(&db.begin_read()?)
}

pub(super) fn read_heads_in(txn: &ReadTransaction) -> Result<Option<Heads>, StoreError> {
    let table = match txn.open_table(JOURNAL) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let row = table.get(HEADS)?;
    Ok(row.and_then(|row| unpack(&HEADS, row.value())).filter(Heads::is_sound))
}
