//! How things look from outside: the JSON of the answers. The daemon writes these, the command line reads them.
//!
//! Times are milliseconds since 1970 by the gateway's clock as it stands now; spans are seconds.

use serde::{Deserialize, Serialize};

use crate::model::command::Priority;
use crate::model::device::{Connectivity, DeviceNow, LastValue};
use crate::model::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub gateway: String,
    pub version: String,
    pub uptime: f64,
    /// `ok` or `degraded`.
    pub health: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub clock: ClockShown,
    pub devices: Counts,
    pub commands: usize,
    pub asks_in_flight: usize,
    pub links: Vec<LinkShown>,
    /// Absent where the store could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockShown {
    pub time: Wall,
    pub quality: ClockQuality,
    pub boot: Boot,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub all: usize,
    pub pending: usize,
    pub up: usize,
    pub degraded: usize,
    pub silent: usize,
    pub gone: usize,
    pub unknown: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkShown {
    pub name: Name,
    pub driver: String,
    /// `starting`, `up` or `down`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds in this state.
    pub since: f64,
    pub devices: usize,
    /// Readings and sightings that made no sense or had no room, and orders that found too many others waiting.
    pub rejected: u64,
    pub dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalShown {
    /// Another one means: numbers start again, what was acknowledged before says nothing.
    pub journal: String,
    pub streams: Vec<StreamShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamShown {
    pub stream: Stream,
    pub first_held: u64,
    pub next: u64,
    /// By reader: up to and with which number it has everything.
    pub passed: std::collections::BTreeMap<Name, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceShown {
    pub no: DeviceNo,
    pub id: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Where it is, or was last; absent where it was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    pub life: LifeCycle,
    pub connectivity: Connectivity,
    /// Seconds since it was heard; absent where it was not, since the daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<f64>,
    pub first_seen: Wall,
    /// Only where one device is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    pub identities: Vec<Identity>,
    pub operations: OperationSet,
    pub points: Vec<PointShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointShown {
    pub point: PointPath,
    pub kind: ValueKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Name>,
    pub access: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// Seconds since it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Devices {
    pub devices: Vec<DeviceShown>,
    /// Ask with `after` this for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DeviceNo>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandShown {
    pub id: CommandId,
    pub state: CommandState,
    /// Absent where it is for many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    pub operation: Operation,
    pub by: Name,
    pub priority: Priority,
    pub asked: Wall,
    pub expires: Wall,
    /// Seconds that the device may take.
    pub timeout: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Wall>,
    /// In parts of a thousand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
}

/// What an ask is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Accepted(CommandShown),
    /// The same id was asked before.
    Known(CommandShown),
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
pub struct HeardShown {
    pub device: String,
    pub readings: Vec<ReadingShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadingShown {
    pub point: String,
    pub value: Value,
    #[serde(default)]
    pub quality: Quality,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Wall>,
}

fn age(now: Mono, then: Mono) -> f64 {
    now.since(then).as_secs_f64()
}

impl DeviceShown {
    pub fn of(known: &DeviceNow, now: Mono) -> DeviceShown {
        let device = &known.device;
        DeviceShown {
            no: device.no,
            id: device.id.clone(),
            name: device.name.clone(),
            link: device.place.as_ref().map(|place| place.link.clone()),
            address: device.place.as_ref().map(|place| place.address.clone()),
            life: device.life,
            connectivity: known.live.connectivity,
            heard: known.live.heard.map(|heard| age(now, heard)),
            first_seen: device.first_seen.wall,
            detail: None,
        }
    }

    pub fn with_detail(known: &DeviceNow, now: Mono) -> DeviceShown {
        let values = known.live.values.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let points = known.capabilities.points.iter().zip(values);
        let detail = Detail {
            identities: known.device.identities.clone(),
            operations: known.capabilities.operations,
            points: points.map(|(point, last)| PointShown::of(point, last, now)).collect(),
        };
        DeviceShown { detail: Some(detail), ..DeviceShown::of(known, now) }
    }
}

impl PointShown {
    fn of(point: &Point, last: Option<&LastValue>, now: Mono) -> PointShown {
        PointShown {
            point: point.path.clone(),
            kind: point.kind,
            unit: point.unit.clone(),
            access: point.access,
            limits: point.limits.clone(),
            value: last.map(|last| last.value.clone()),
            quality: last.map(|last| last.quality),
            age: last.map(|last| age(now, last.at)),
            source: last.and_then(|last| last.source),
        }
    }
}

impl CommandShown {
    pub fn of(command: &Command) -> CommandShown {
        CommandShown {
            id: command.id.clone(),
            state: command.state,
            device: match &command.whom {
                Whom::Device { id, .. } => Some(id.clone()),
                Whom::Many(_) => None,
            },
            operation: command.operation.clone(),
            by: command.by.clone(),
            priority: command.priority,
            asked: command.asked.wall,
            expires: command.expires.wall,
            timeout: command.timeout.as_secs_f64(),
            sent: command.sent.map(|now| now.wall),
            progress: command.progress,
            outcome: command.outcome.clone(),
            ended: command.ended.map(|now| now.wall),
        }
    }
}
