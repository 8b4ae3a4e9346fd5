//! What a device is made of: device → component[/instance] → point.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::PointNo;
use super::name::Name;
use super::operation::optional_seconds;

/// Points of one device; more is a hostile or broken device.
pub const MOST_POINTS: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    Bool,
    Int,
    Uint,
    Float,
    Text,
    Bytes,
    Time,
    Object,
    List,
}

impl ValueKind {
    /// It says yes or no, or is a number that is 0 or another.
    pub fn tells_true(self) -> bool {
        matches!(self, ValueKind::Bool | ValueKind::Int | ValueKind::Uint | ValueKind::Float)
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueKind::Bool => "bool",
            ValueKind::Int => "int",
            ValueKind::Uint => "uint",
            ValueKind::Float => "float",
            ValueKind::Text => "text",
            ValueKind::Bytes => "bytes",
            ValueKind::Time => "time",
            ValueKind::Object => "object",
            ValueKind::List => "list",
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    #[default]
    Read,
    Write,
    ReadWrite,
}

impl Access {
    pub fn reads(self) -> bool {
        self != Access::Write
    }

    pub fn writes(self) -> bool {
        self != Access::Read
    }
}

/// What may be written, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    #[serde(default = "lowest")]
    pub min: f64,
    #[serde(default = "highest")]
    pub max: f64,
    /// Only `min` (or 0) and whole steps from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// Not written again sooner than this after the last time.
    #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub pause: Option<Duration>,
    /// Not written while this point of the device is true: somebody on the spot has locked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<PointPath>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { min: lowest(), max: highest(), step: None, pause: None, lock: None }
    }
}

fn lowest() -> f64 {
    f64::MIN
}

fn highest() -> f64 {
    f64::MAX
}

impl Limits {
    pub fn allow(&self, x: f64) -> bool {
        (self.min..=self.max).contains(&x) && self.on_a_step(x)
    }

    /// Within a millionth of a step, for most steps have no exact binary form.
    fn on_a_step(&self, x: f64) -> bool {
        let Some(step) = self.step.filter(|step| *step > 0.0) else { return true };
        let from = if self.min == f64::MIN { 0.0 } else { self.min };
        let steps = (x - from) / step;
        (steps - steps.round()).abs() <= 1e-6
    }
}

/// As a person would say it.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { min, max, .. } = self;
        match (*min > f64::MIN, *max < f64::MAX) {
            (true, true) => write!(f, "{min} to {max}")?,
            (true, false) => write!(f, "at least {min}")?,
            (false, true) => write!(f, "at most {max}")?,
            (false, false) => f.write_str("numbers")?,
        }
        match self.step {
            Some(step) => write!(f, " in steps of {step} from {}", if *min > f64::MIN { *min } else { 0.0 }),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub no: PointNo,
    pub path: PointPath,
    pub kind: ValueKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Name>,
    #[serde(default)]
    pub access: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// A service or peripheral of a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Component {
    pub name: Name,
    #[serde(default)]
    pub instance: u16,
}

/// `component.instance.point`, as people and links write it. Instance 0 may be left out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointPath {
    pub component: Name,
    pub instance: u16,
    pub point: Name,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a point; write component.instance.point, or component.point for instance 0")]
pub struct BadPath(String);

impl FromStr for PointPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<PointPath, BadPath> {
        let bad = || BadPath(text.chars().take(160).collect());
        let name = |part: &str| Name::new(part).map_err(|_| bad());
        let parts: Vec<&str> = text.splitn(4, '.').collect();
        match parts[..] {
            [component, point] => Ok(PointPath { component: name(component)?, instance: 0, point: name(point)? }),
            [component, instance, point] => {
                let instance = instance.parse().map_err(|_| bad())?;
                Ok(PointPath { component: name(component)?, instance, point: name(point)? })
            }
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for PointPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.component, self.instance, self.point)
    }
}

impl fmt::Debug for PointPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PointPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PointPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PointPath, D::Error> {
        std::borrow::Cow::<str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_two_or_three_parts() {
        let path: PointPath = "relay.2.on".parse().unwrap();
        assert_eq!((path.component.as_str(), path.instance, path.point.as_str()), ("relay", 2, "on"));
        assert_eq!("relay.on".parse::<PointPath>().unwrap().to_string(), "relay.0.on");
        for bad in ["", "relay", "relay.x.on", "relay.1.on.off", "relay.70000.on", "re lay.on", ".on"] {
            assert_eq!(bad.parse::<PointPath>(), Err(BadPath(bad.into())));
        }
    }

    #[test]
    fn limits_take_their_ends_and_no_nan() {
        let limits = Limits { min: 0.0, max: 10.0, ..Limits::default() };
        assert!(limits.allow(0.0) && limits.allow(10.0));
        assert!(!limits.allow(10.5) && !limits.allow(f64::NAN));
    }

    #[test]
    fn a_step_counts_from_the_lowest_value() {
        let limits = Limits { min: 0.5, max: 10.0, step: Some(0.1), ..Limits::default() };
        assert!(limits.allow(0.5) && limits.allow(0.8) && limits.allow(10.0));
        assert!(!limits.allow(0.85) && !limits.allow(0.4));
        let free = Limits { step: Some(5.0), ..Limits::default() };
        assert!(free.allow(-10.0) && free.allow(0.0) && !free.allow(7.0));
    }
}
