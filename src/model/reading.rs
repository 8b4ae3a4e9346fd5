//! Readings: one value of one point at one time, and how far it can be trusted.

use serde::{Deserialize, Serialize};

use super::id::{DeviceNo, PointNo};
use super::now::{Mono, Wall};
use super::value::Value;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    #[default]
    Good,
    /// The device says it is not sure, or the value is older than it should be.
    Uncertain,
    Bad(BadReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BadReason {
    /// The device itself marks the value as invalid.
    DeviceSays,
    /// Outside what the point can have.
    OutOfRange,
    /// Not of the type of the point.
    WrongType,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub point: PointNo,
    pub value: Value,
    #[serde(default)]
    pub quality: Quality,
    /// When the device says it was so; the arrival time stands in [`Heard`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Wall>,
}

/// What came from one device in one arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    pub device: DeviceNo,
    pub at: Mono,
    pub readings: Vec<Reading>,
}

impl Quality {
    pub const ALL: [Quality; 5] = [
        Quality::Good,
        Quality::Uncertain,
        Quality::Bad(BadReason::DeviceSays),
        Quality::Bad(BadReason::OutOfRange),
        Quality::Bad(BadReason::WrongType),
    ];
}
