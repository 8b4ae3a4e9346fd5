//! Links as they look from outside, and what is seen of their wires.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::tag::{Still, begin};
use crate::model::{DeviceId, Name, Now};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LinkShown {
    pub name: Name,
    pub driver: String,
    /// `starting`, `up` or `down`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds in this state.
    pub since: f64,
    /// Why it cannot read all that it should as often as it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strained: Option<String>,
    pub devices: usize,
    /// Readings and sightings that made no sense or had no room, and orders that found too many others waiting.
    pub rejected: u64,
    pub dropped: u64,
    /// Its port is closed for a while, for somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent: Option<LentShown>,
    /// Of one link over Modbus that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<BusShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LinksShown {
    pub links: Vec<LinkShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Name>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LentShown {
    /// Who has asked for it.
    pub by: Name,
    /// For how many seconds in all, and how many of them are left.
    pub seconds: f64,
    pub left: f64,
}

/// Since the link began to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BusShown {
    /// The port or address that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// In per cent: for how much of the last so many seconds requests were under way.
    pub load: f64,
    pub load_of: f64,
    /// Those that were asked, and are in scope.
    pub units: Vec<UnitShown>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnitShown {
    pub unit: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    pub requests: u64,
    /// With exceptions.
    pub answers: u64,
    pub exceptions: u64,
    /// Requests that nobody answered …
    pub silent: u64,
    /// … that were answered by what was no right answer …
    pub wrong: u64,
    /// … and during which the port or the connection was lost.
    pub lost: u64,
    /// How long the last answer, all on average, and the slowest took, in seconds; absent before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    Out,
    In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrapped {
    Rtu,
    Tcp,
}

/// One frame of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameShown {
    /// Microseconds since 1970 by the gateway's clock.
    pub micros: u64,
    pub way: Way,
    pub wrapped: Wrapped,
    /// `asked`, `answer`, `stray` (nobody had asked) or `refused` (it is not the answer to what was asked).
    pub made: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// As it went, in hex.
    pub bytes: String,
    pub says: String,
}

/// The listener was too slow for so many frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    pub frames: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RawState {
    /// As it should be.
    Answered,
    /// By an exception of the unit, or of a gateway before it.
    Refused,
    /// No right answer came; nothing was to be changed.
    Failed,
    /// It may have been carried out, and nobody can say so.
    Unknown,
    /// To all units, of which none answers.
    Told,
}

/// What was asked by hand, and what came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RawShown {
    pub unit: u8,
    pub state: RawState,
    /// In hex, without unit and checksum; and in words.
    pub sent: String,
    pub asked: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<String>,
    pub says: String,
    /// By address: what registers and bits hold that were read; by number: the objects of an identification.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<u16, u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bits: BTreeMap<u16, bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<u8, String>,
}

impl Still for LinkShown {
    fn still(&mut self, now: &Now) {
        begin(&mut self.since, now);
        if let Some(lent) = &mut self.lent {
            lent.left = 0.0;
        }
        if let Some(bus) = &mut self.bus {
            (bus.load, bus.load_of) = (0.0, 0.0);
        }
    }
}

impl Still for LinksShown {
    fn still(&mut self, now: &Now) {
        self.links.iter_mut().for_each(|link| link.still(now));
    }
}
