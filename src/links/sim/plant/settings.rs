//! PLANT.toml: what devices there are, how they behave and when they misbehave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::PlantError;
use super::value::Source;
use crate::model::id::BadId;
use crate::model::operation::OperationKind;
use crate::model::{
    Access, Address, Capabilities, Identity, IdentityKind, Limits, Name, OperationSet, Point, PointNo, PointPath,
    Proof, ValueKind,
};
use crate::units;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// Where to listen. A file of that name is replaced.
    pub socket: PathBuf,
    /// The witness: what the devices emitted and received.
    pub record: PathBuf,
    /// Go on with the record rather than begin it anew.
    #[serde(default)]
    pub append: bool,
    /// Makes runs repeat.
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub device: BTreeMap<String, Kind>,
}

/// One device, or many of a kind. `{n}` in a pattern stands for 1 to `count`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    #[serde(default = "one")]
    pub count: u32,
    /// A pattern; without one the name, with `-{n}` where there are several.
    pub address: Option<String>,
    /// A pattern; without one `sim:` and the address.
    pub serial: Option<String>,
    /// Further identities; the values are patterns.
    #[serde(default)]
    pub identities: Vec<FurtherIdentity>,
    #[serde(default)]
    pub mode: Mode,
    /// What it can beside reading and writing its points.
    #[serde(default)]
    pub operations: Vec<OperationKind>,
    /// How long it takes to answer.
    #[serde(default, deserialize_with = "units::span_text")]
    pub slow: Duration,
    /// How long an operation takes; it tells its progress meanwhile.
    #[serde(default)]
    pub takes: BTreeMap<OperationKind, Span>,
    #[serde(default)]
    pub point: BTreeMap<PointPath, PointSettings>,
    #[serde(default)]
    pub fault: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(deserialize_with = "units::span_text")] pub Duration);

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FurtherIdentity {
    pub kind: IdentityKind,
    pub value: String,
    #[serde(default)]
    pub proof: Proof,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    #[default]
    Polled,
    /// Speaks so often, once somebody heeds it; can be read too.
    Speaks(#[serde(deserialize_with = "units::span_text")] Duration),
    /// Asks to be let in, waits for the answer, then speaks so often.
    Asks(#[serde(deserialize_with = "units::span_text")] Duration),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSettings {
    #[serde(rename = "type")]
    pub kind: ValueKind,
    pub unit: Option<Name>,
    #[serde(default)]
    pub access: Access,
    pub limits: Option<Limits>,
    pub value: Source,
}

/// Begins at a time since the start, or after so many requests and readings; ends the same ways, or not at all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(default, deserialize_with = "units::some_span_text")]
    pub at: Option<Duration>,
    pub after: Option<u64>,
    #[serde(default, deserialize_with = "units::some_span_text")]
    pub lasts: Option<Duration>,
    pub times: Option<u64>,
    /// From one beginning to the next.
    #[serde(default, deserialize_with = "units::some_span_text")]
    pub again: Option<Duration>,
    /// Only the n-th of its kind.
    pub only: Option<u32>,
    #[serde(rename = "do")]
    pub what: Misdeed,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Misdeed {
    /// Hears and obeys, but says nothing.
    Silent,
    /// Takes so much longer to answer.
    Slow(#[serde(deserialize_with = "units::span_text")] Duration),
    /// Answers with text where numbers belong.
    WrongType,
    /// Answers with another point than asked.
    OtherPoint,
    /// Answers with a line that nobody understands.
    Garbage,
    /// Leaves, and says so; nothing reaches it.
    Vanish,
    /// Has other components for a while.
    Change {
        #[serde(default)]
        without: Vec<Name>,
        #[serde(default)]
        with: BTreeMap<PointPath, PointSettings>,
    },
}

fn one() -> u32 {
    1
}

impl Plant {
    pub fn read(path: &Path) -> Result<Plant, PlantError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| PlantError::Unreadable { path: path.to_owned(), source })?;
        let mut plant = Plant::parse(&text, path)?;
        // What a plant file names lies beside it.
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        plant.socket = folder.join(&plant.socket);
        plant.record = folder.join(&plant.record);
        Ok(plant)
    }

    pub fn parse(text: &str, path: &Path) -> Result<Plant, PlantError> {
        toml::from_str(text).map_err(|error| PlantError::bad_toml(path, text, &error))
    }
}

impl Kind {
    pub fn address_of(&self, name: &str, n: u32) -> Result<Address, BadId> {
        let pattern = match &self.address {
            Some(pattern) => pattern.clone(),
            None if self.count == 1 => name.to_owned(),
            None => format!("{name}-{{n}}"),
        };
        Address::new(&filled(&pattern, n))
    }

    /// The serial number first.
    pub fn identities_of(&self, address: &Address, n: u32) -> Result<Vec<Identity>, BadId> {
        let serial = self.serial.clone().unwrap_or_else(|| format!("sim:{address}"));
        let serial = Identity::new(IdentityKind::Serial, &filled(&serial, n), Proof::Claimed);
        let further = self.identities.iter().map(|it| Identity::new(it.kind, &filled(&it.value, n), it.proof));
        std::iter::once(serial).chain(further).collect()
    }
}

fn filled(pattern: &str, n: u32) -> String {
    pattern.replace("{n}", &n.to_string())
}

/// What a device made of these points can do. Point numbers mean nothing outside their device.
pub fn capabilities(points: &BTreeMap<PointPath, PointSettings>, operations: &[OperationKind]) -> Capabilities {
    let point = |(no, (path, it)): (usize, (&PointPath, &PointSettings))| Point {
        no: PointNo(no as u16),
        path: path.clone(),
        kind: it.kind,
        unit: it.unit.clone(),
        access: it.access,
        limits: it.limits.clone(),
    };
    let mut kinds = operations.to_vec();
    if points.values().any(|it| it.access.reads()) {
        kinds.push(OperationKind::Read);
    }
    if points.values().any(|it| it.access.writes()) {
        kinds.push(OperationKind::Write);
    }
    Capabilities {
        points: points.iter().enumerate().map(point).collect(),
        operations: OperationSet::of(&kinds),
        ..Capabilities::default()
    }
}
