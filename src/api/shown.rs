//! How things look from outside: the JSON of the answers. The daemon writes these, the command line reads them.
//!
//! Times are milliseconds since 1970 by the gateway's clock as it stands now; spans are seconds.

mod command;
mod device;
mod link;
mod profile;

use serde::{Deserialize, Serialize};

use super::tag::{Still, begin};
use crate::model::*;

pub use command::{Answer, ChildShown, CommandShown, CommandsShown, ManyCounts};
pub use device::{DesiredShown, Detail, DeviceShown, Devices, MaintenanceShown, PointShown, Seen, points_of, waits};
pub use link::{
    BusShown, FrameShown, LentShown, LinkShown, LinksShown, Missed, RawShown, RawState, UnitShown, Way, Wrapped,
};
pub use profile::{Other, ProfileShown, Scored};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    pub gateway: String,
    /// What the gateway proves itself with: Ed25519, base64url. Absent where its own key could not be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    pub version: String,
    pub uptime: f64,
    /// `ok` or `degraded`.
    pub health: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is wrong with the settings files: they are used in part, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// What is wrong with devices of the settings: the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<String>,
    pub clock: ClockShown,
    pub devices: Counts,
    /// Where those from afar may come, with TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listens: Option<std::net::SocketAddr>,
    /// What is shown there: the SHA-256 of the gateway's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<token::Mark>,
    pub commands: usize,
    pub asks_in_flight: usize,
    pub links: Vec<LinkShown>,
    /// Absent where the store could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClockShown {
    pub time: Wall,
    pub quality: ClockQuality,
    pub boot: Boot,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
/// `up` to `unknown` are the managed ones.
pub struct Counts {
    pub all: usize,
    pub pending: usize,
    pub quarantined: usize,
    pub refused: usize,
    pub retired: usize,
    pub up: usize,
    pub degraded: usize,
    pub silent: usize,
    pub gone: usize,
    pub unknown: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AttemptsShown {
    pub attempts: Vec<AttemptShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JournalShown {
    /// Another one means: numbers start again, what was acknowledged before says nothing.
    pub journal: String,
    pub streams: Vec<StreamShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StreamShown {
    pub stream: Stream,
    pub first_held: u64,
    pub next: u64,
    /// By reader: up to and with which number it has everything.
    pub passed: std::collections::BTreeMap<Name, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PageShown {
    pub journal: String,
    pub stream: Stream,
    pub first_held: u64,
    /// From where to go on.
    pub next: u64,
    pub records: Vec<RecordShown>,
    /// First and last number of what stands on the disk and cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordShown {
    pub seq: u64,
    pub time: Wall,
    pub boot: Boot,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Of the telemetry stream: each reading has a number, this one's is `seq`, the next one's `seq` + 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<HeardShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeardShown {
    pub device: String,
    pub readings: Vec<ReadingShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReadingShown {
    pub point: String,
    pub value: Value,
    #[serde(default)]
    pub quality: Quality,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Wall>,
}

/// What became of a device's connection, life and hardware; the oldest of it goes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogShown {
    pub device: DeviceId,
    pub records: Vec<LoggedShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LoggedShown {
    pub time: Wall,
    pub boot: Boot,
    pub record: Record,
}

impl Still for Status {
    fn still(&mut self, now: &Now) {
        begin(&mut self.uptime, now);
        self.clock.time = Wall(0);
        self.links.iter_mut().for_each(|link| link.still(now));
    }
}

impl LogShown {
    pub fn of(device: DeviceId, entries: Vec<record::Entry>) -> LogShown {
        let shown =
            |entry: record::Entry| LoggedShown { time: entry.at.wall, boot: entry.at.boot, record: entry.record };
        LogShown { device, records: entries.into_iter().map(shown).collect() }
    }
}

/// Who was turned away, folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AttemptShown {
    pub link: Name,
    /// Absent: all together for whom there was no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Address>,
    /// Where it was the last time.
    pub address: Address,
    /// Why, the last time: for programs, and as a sentence.
    pub why: Denial,
    pub says: String,
    pub first: Wall,
    pub last: Wall,
    pub count: u64,
}

impl AttemptShown {
    pub fn of(attempt: &Attempt) -> AttemptShown {
        AttemptShown {
            link: attempt.stranger.link.clone(),
            who: attempt.stranger.who.clone(),
            address: attempt.address.clone(),
            why: attempt.why,
            says: attempt.why.to_string(),
            first: attempt.first.wall,
            last: attempt.last.wall,
            count: attempt.count,
        }
    }
}
