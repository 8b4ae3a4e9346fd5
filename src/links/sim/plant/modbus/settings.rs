//! `[modbus.NAME]` of PLANT.toml. `config/demo/plant.toml` shows all of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::super::misdeed::{Fault, Misdeed};
use crate::model::{Name, PointPath, Value};

/// Exactly one of `tcp` and `pty`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// Where to listen; with port 0 the kernel picks one, and the plant says which.
    pub tcp: Option<String>,
    /// A serial line: the name that its tty gets, a link that goes with the plant.
    pub pty: Option<PathBuf>,
    /// Of a serial line: bytes take their time, and a frame ends with silence.
    #[serde(default = "usual_baud")]
    pub baud: u32,
    #[serde(default)]
    pub unit: BTreeMap<UnitNo, Unit>,
}

/// A unit that has the registers of a profile. Measured values move by themselves.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    pub profile: Name,
    /// What stands where the profile looks for these.
    pub serial: Option<Value>,
    pub firmware: Option<Value>,
    /// What it says by function 43/14: maker, model, revision, and on. Without any it does not know that function.
    #[serde(default)]
    pub identity: Vec<String>,
    /// What points are at first, as people mean them. Those that can be written keep what is written.
    #[serde(default)]
    pub set: BTreeMap<PointPath, Value>,
    #[serde(default)]
    pub fault: Vec<Fault>,
}

/// A key of TOML is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitNo(pub u8);

impl<'de> Deserialize<'de> for UnitNo {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<UnitNo, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let no = text.parse().ok().filter(|no| *no != 0);
        no.map(UnitNo).ok_or_else(|| D::Error::custom("a unit is a number from 1 to 255"))
    }
}

fn usual_baud() -> u32 {
    9_600
}

impl Unit {
    pub fn check(&self) -> Result<(), String> {
        for fault in &self.fault {
            fault.check()?;
            if !matches!(fault.what, Misdeed::Silent | Misdeed::Slow(_) | Misdeed::Vanish) {
                return Err(format!("a Modbus unit can be silent, slow or vanish, not {}", fault.name()));
            }
            if fault.only.is_some() {
                return Err("a fault of a Modbus unit is that of one; leave `only` out".into());
            }
        }
        Ok(())
    }
}
