//! What the gateway counts of itself: plain atomics that are added to where something happens, and read by whoever asks.
//!
//! [`Metrics`] and [`OfStore`] are what is added to. [`Seen`] is what there is at one moment, put together by the daemon
//! from these and from what others know already (the view, the questions in flight). [`FAMILIES`] is the closed table of
//! what is told of it to others; [`text::written`] spells it for Prometheus, `links::own` as points of the gateway itself.
//!
//! Invariants: adding takes no lock and no memory; reading holds nobody up; nothing here has a task or a timer, so nothing
//! wakes for it. Names of devices are never among the labels, and names of links are bounded.

mod count;
mod families;
pub mod process;
pub mod seen;
pub mod text;

use std::sync::Arc;

pub use count::{Count, Spans, Spread};
pub use families::{FAMILIES, Family, Kind};
pub use seen::Seen;

use crate::model::{CommandState, GapReason, Record, Stream};

/// Gives what there is now.
pub type Reader = Arc<dyn Fn() -> Seen + Send + Sync>;

/// What is added to by the loop and the doors.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Readings that links told of.
    pub heard: Count,
    pub accepted: Count,
    /// By [`Ended`].
    pub ended: [Count; Ended::ALL.len()],
    /// Changes that wait for the disk.
    pub held: Count,
    pub doors: [OfDoor; Door::ALL.len()],
}

/// What one door counts.
#[derive(Debug, Default)]
pub struct OfDoor {
    /// Now; of upstreams the requests that are carried out.
    pub connections: Count,
    /// By the first figure of their status, from 1xx on.
    pub requests: [Count; CLASSES.len()],
    /// Nobody who may come in.
    pub refused: Count,
}

pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl OfDoor {
    /// A request was answered with this status.
    pub fn answered(&self, status: u16) {
        if let Some(count) = usize::from(status / 100).checked_sub(1).and_then(|class| self.requests.get(class)) {
            count.add(1);
        }
    }
}

/// Where requests come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The socket on this machine.
    Socket,
    /// The network.
    Net,
    /// A broker, where those far away leave what they ask.
    Upstream,
}

impl Door {
    pub const ALL: [Door; 3] = [Door::Socket, Door::Net, Door::Upstream];

    pub fn name(self) -> &'static str {
        match self {
            Door::Socket => "socket",
            Door::Net => "net",
            Door::Upstream => "upstream",
        }
    }
}

impl Metrics {
    pub fn door(&self, door: Door) -> &OfDoor {
        &self.doors[door as usize]
    }

    /// It has come to this state, which it was not in before.
    pub fn command_is(&self, state: CommandState) {
        if let Some(ended) = Ended::of(state) {
            self.ended[ended as usize].add(1);
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Failed,
    Expired,
    Cancelled,
    Unknown,
}

impl Ended {
    pub const ALL: [Ended; 5] = [Ended::Done, Ended::Failed, Ended::Expired, Ended::Cancelled, Ended::Unknown];

    pub fn of(state: CommandState) -> Option<Ended> {
        match state {
            CommandState::Queued | CommandState::Sent => None,
            CommandState::Done => Some(Ended::Done),
            CommandState::Failed => Some(Ended::Failed),
            CommandState::Expired => Some(Ended::Expired),
            CommandState::Cancelled => Some(Ended::Cancelled),
            CommandState::Unknown => Some(Ended::Unknown),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Ended::Done => "done",
            Ended::Failed => "failed",
            Ended::Expired => "expired",
            Ended::Cancelled => "cancelled",
            Ended::Unknown => "unknown",
        }
    }
}

/// What rows are of that the store writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Commands, and the records of their results.
    Commands,
    Readings,
    /// What happened to links and devices, with the logs of devices.
    Events,
    /// Versions of the settings, and the records of their changes.
    Settings,
    /// Devices, keys, attempts, totals, gaps, the heads of the journal.
    Rest,
}

impl Cause {
    pub const ALL: [Cause; 5] = [Cause::Commands, Cause::Readings, Cause::Events, Cause::Settings, Cause::Rest];

    pub fn name(self) -> &'static str {
        match self {
            Cause::Commands => "commands",
            Cause::Readings => "readings",
            Cause::Events => "events",
            Cause::Settings => "settings",
            Cause::Rest => "rest",
        }
    }

    pub fn of(record: &Record) -> Cause {
        match record {
            Record::Result { .. } => Cause::Commands,
            Record::Settings { .. } => Cause::Settings,
            Record::Gap(_) => Cause::Rest,
            _ => Cause::Events,
        }
    }
}

pub const GAPS: [GapReason; 4] = [GapReason::Crash, GapReason::Bound, GapReason::Memory, GapReason::Corrupt];

/// What one commit wrote: added to the counts when it has succeeded, so that one that is tried again counts once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    given: [u64; Cause::ALL.len()],
    gaps: [u64; GAPS.len()],
    records: [u64; Stream::ALL.len()],
    lost: u64,
}

impl Tally {
    pub fn give(&mut self, cause: Cause, bytes: usize) {
        self.given[cause as usize] += bytes as u64;
    }

    pub fn record(&mut self, stream: Stream, count: u64) {
        self.records[place(stream)] += count;
    }

    /// How many readings a crash took nobody knows; all others are counted.
    pub fn gap(&mut self, record: &Record) {
        let Record::Gap(gap) = record else { return };
        self.gaps[GAPS.iter().position(|why| *why == gap.why).unwrap_or(0)] += 1;
        if gap.exact && gap.stream == Stream::Telemetry {
            self.lost += gap.count;
        }
    }
}

fn place(stream: Stream) -> usize {
    Stream::ALL.iter().position(|known| *known == stream).unwrap_or(0)
}

/// What the store counts.
#[derive(Debug, Default)]
pub struct OfStore {
    pub commits: Count,
    pub failed: Count,
    pub took: Spans,
    pub syncs: Count,
    /// Bytes that the database wrote to its file.
    pub written: Count,
    pub given: [Count; Cause::ALL.len()],
    pub gaps: [Count; GAPS.len()],
    pub records: [Count; Stream::ALL.len()],
    /// Readings under a gap that tells how many.
    pub lost: Count,
    /// Rows that each stream holds.
    pub rows: [Count; Stream::ALL.len()],
    /// Readings in memory only.
    pub gathered: Count,
}

impl OfStore {
    pub fn add(&self, tally: &Tally) {
        let pairs = |counts: &[Count], by: &[u64]| counts.iter().zip(by).for_each(|(count, by)| count.add(*by));
        pairs(&self.given, &tally.given);
        pairs(&self.gaps, &tally.gaps);
        pairs(&self.records, &tally.records);
        self.lost.add(tally.lost);
    }

    pub fn holds(&self, stream: Stream, rows: u64) {
        self.rows[place(stream)].set(rows);
    }
}

#[cfg(test)]
mod tests;
