//! The bounds and times of the store, each by name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Name, Stream};

use super::block::MOST_READINGS;

/// One that empties its share of the journal, with the streams it wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    pub name: Name,
    pub streams: Vec<Stream>,
}

/// Rows (pieces under 4 kB) that a stream may hold; a record of ordinary size is one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    pub vital: u64,
    pub events: u64,
    pub telemetry: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { vital: 4_000, events: 16_000, telemetry: 10_000 }
    }
}

impl Bounds {
    pub fn of(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Vital => self.vital,
            Stream::Events => self.events,
            Stream::Telemetry => self.telemetry,
        }
    }

    /// How much is dropped at once when the bound is passed: dropping costs a commit as much as writing does.
    pub fn step(&self, stream: Stream) -> u64 {
        // At least two, for the gap record takes the place of one.
        (self.of(stream) / 16).max(2)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of pages that redb keeps in memory.
    pub cache: usize,
    pub readers: Vec<Reader>,
    pub bounds: Bounds,
    /// Numbers of readings reserved ahead in one step.
    pub reserve: u64,
    /// Readings kept in memory while the disk takes nothing; beyond it the oldest go, under a gap record.
    pub held: u64,
    /// The same in bytes.
    pub held_bytes: usize,
    /// A block is flushed at once when it holds so many readings,
    pub block_readings: usize,
    /// or so many bytes before compression,
    pub block_bytes: usize,
    /// or when it is so old and holds at least `many` readings,
    pub busy_age: Duration,
    pub many: u64,
    /// or when it is so old.
    pub idle_age: Duration,
    /// No snapshot lives longer, but for the one row that is being read: it pins pages, and the file grows meanwhile.
    pub longest_read: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            cache: 4 << 20,
            readers: Vec::new(),
            bounds: Bounds::default(),
            reserve: 131_072,
            held: 262_144,
            held_bytes: 48 << 20,
            block_readings: MOST_READINGS,
            block_bytes: 4 << 20,
            busy_age: Duration::from_secs(5),
            many: 10_000,
            idle_age: Duration::from_secs(60),
            longest_read: Duration::from_secs(2),
        }
    }
}

impl Settings {
    pub(super) fn wants(&self, reader: &Name, stream: Stream) -> bool {
        self.readers.iter().any(|known| known.name == *reader && known.streams.contains(&stream))
    }
}
