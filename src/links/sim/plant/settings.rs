//! PLANT.toml: what devices there are, and how they behave; when they misbehave stands in [`misdeed`](super::misdeed).
//! `config/demo/plant.toml` shows most of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::PlantError;
use super::misdeed::Fault;
use super::modbus::settings::Bus;
use super::value::Source;
use crate::document::{Faults, Origin, Sources, leaf, parse};
use crate::model::id::BadId;
use crate::model::operation::OperationKind;
use crate::model::{
    Access, Address, Component, Identity, IdentityKind, Limits, Name, PointPath, Proof, Secret, ValueKind,
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
    /// Buses that speak Modbus, beside the link of the devices above.
    #[serde(default)]
    pub modbus: BTreeMap<Name, Bus>,
}

/// One device, or many of a kind. `{n}` in a pattern stands for 1 to `count`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    #[serde(default = "one")]
    pub count: u32,
    /// A pattern; without one the name, with `-{n}` where there are several.
    pub address: Option<String>,
    /// A pattern; without one `sim:` and the address; empty: it shows none.
    pub serial: Option<String>,
    /// Further identities; the values are patterns.
    #[serde(default)]
    pub identities: Vec<FurtherIdentity>,
    #[serde(default)]
    pub mode: Mode,
    /// A pattern: the key that it shows when it is found or asks.
    pub key: Option<Secret>,
    /// It sleeps most of the time: it wakes, says its points, hears for a while, and sleeps again.
    pub sleeps: Option<Sleeps>,
    /// What it can beside reading and writing its points. `power-mode` makes it a sleeper or wakes it for good,
    /// `update` and `fall-back` change its version of `firmware`.
    #[serde(default)]
    pub operations: Vec<OperationKind>,
    /// How long it takes to answer.
    #[serde(default, deserialize_with = "units::span_text")]
    pub slow: Duration,
    /// How long an operation takes; it tells its progress meanwhile. While it restarts it neither speaks nor hears.
    #[serde(default)]
    pub takes: BTreeMap<OperationKind, Span>,
    #[serde(default)]
    pub point: BTreeMap<PointPath, PointSettings>,
    /// Services and peripherals without points: `"modem"`, `"relay.1"`.
    #[serde(default)]
    pub components: Vec<Part>,
    /// What it tells about itself, beside these and its source of power.
    #[serde(default)]
    pub versions: BTreeMap<Name, String>,
    #[serde(default)]
    pub labels: BTreeMap<Name, String>,
    pub application: Option<String>,
    pub hardware: Option<String>,
    /// Latitude and longitude.
    pub location: Option<(f64, f64)>,
    pub security: Option<u8>,
    pub access: Option<u8>,
    #[serde(default)]
    pub fault: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(deserialize_with = "units::span_text")] pub Duration);

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sleeps {
    /// From one waking to the next.
    #[serde(deserialize_with = "units::span_text")]
    pub every: Duration,
    /// It hears for so long after it woke.
    #[serde(deserialize_with = "units::span_text")]
    pub awake: Duration,
    /// From the start, or only once its power mode is `sleep`.
    #[serde(default = "yes")]
    pub at_first: bool,
}

/// A component as people write it: its name and, where there are several, its instance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Part(pub Component);

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(text: String) -> Result<Part, String> {
        let (name, instance) = text.split_once('.').unwrap_or((&text, "0"));
        let instance =
            instance.parse().map_err(|_| format!("{text:?} is not a component; write \"relay\" or \"relay.1\""))?;
        Ok(Part(Component { name: Name::new(name).map_err(|e| e.to_string())?, instance }))
    }
}

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

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
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
        plant.modbus.values_mut().for_each(|bus| bus.pty = bus.pty.take().map(|link| folder.join(link)));
        Ok(plant)
    }

    pub fn parse(text: &str, path: &Path) -> Result<Plant, PlantError> {
        let (mut sources, mut faults) = (Sources::default(), Faults::default());
        sources.add(Origin::File(path.to_owned()), text.to_owned());
        let root = parse::whole(&sources, 0, &mut faults);
        let plant = if faults.is_empty() { leaf(&root, &mut faults) } else { None };
        faults.settle(&sources);
        plant.ok_or_else(|| PlantError::BadToml(faults.show(&sources)))
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
        let serial =
            (!serial.is_empty()).then(|| Identity::new(IdentityKind::Serial, &filled(&serial, n), Proof::Claimed));
        let further = self.identities.iter().map(|it| Identity::new(it.kind, &filled(&it.value, n), it.proof));
        serial.into_iter().chain(further).collect()
    }

    pub fn key_of(&self, n: u32) -> Option<Secret> {
        self.key.as_ref().map(|pattern| Secret::new(filled(pattern.reveal(), n)))
    }
}

pub fn filled(pattern: &str, n: u32) -> String {
    pattern.replace("{n}", &n.to_string())
}
