//! Modbus units of a plant: `[modbus.NAME]`, a bus on TCP or on a serial line that is a pty, with units made of profiles.
//!
//! Read in this order: [`settings`] (the file), [`flow`] (what a meter measures), [`unit`] (registers and answers, pure),
//! then the tasks that serve: one a bus, and one a connection. A bus answers one request at a time, as a real one does.

pub mod flow;
pub mod serve;
pub mod settings;
pub mod tty;
pub mod unit;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::tty::Tty;
use self::unit::Unit;
use super::fault::millis;
use super::{Plant, PlantError};
use crate::links::modbus::wire::timing::Pace;
use crate::model::Name;
use crate::profile::Profile;

/// Start, eight of data and one of stop.
const BITS: u8 = 10;

/// What a unit says, and how much later than at once. None: nothing.
pub type Said = Option<(Vec<u8>, Duration)>;

pub struct Bus {
    units: Mutex<BTreeMap<u8, Unit>>,
    begun: Instant,
}

/// All buses of the plant, until what is given back is dropped. `tell` hears where each of them is.
pub async fn open(
    plant: &Plant,
    kind: impl Fn(&Name) -> Result<Profile, String>,
    tell: impl Fn(&str),
) -> Result<JoinSet<()>, PlantError> {
    let mut buses = JoinSet::new();
    for (name, settings) in &plant.modbus {
        let bad = |why| PlantError::BadBus { name: name.clone(), why };
        let broken = |source| PlantError::Bus { name: name.clone(), source };
        let bus = Arc::new(Bus::new(settings, plant.seed, &kind).map_err(bad)?);
        match (&settings.tcp, &settings.pty) {
            (Some(at), None) => {
                let listener = TcpListener::bind(at).await.map_err(broken)?;
                tell(&format!("{name} {}", listener.local_addr().map_err(broken)?));
                buses.spawn(serve::tcp(listener, bus));
            }
            (None, Some(link)) => {
                let tty = Tty::open(link).map_err(broken)?;
                tell(&format!("{name} {}", link.display()));
                let pace = Pace { baud: settings.baud, bits: BITS };
                buses.spawn(async move { _ = serve::rtu(tty, pace, bus).await });
            }
            _ => return Err(bad("say where it is: tcp or pty, one of them".into())),
        }
    }
    Ok(buses)
}

impl Bus {
    /// `kind`: a profile by its name, or why there is none.
    pub fn new(
        line: &settings::Bus,
        seed: u64,
        kind: impl Fn(&Name) -> Result<Profile, String>,
    ) -> Result<Bus, String> {
        let mut units = BTreeMap::new();
        for (no, unit) in &line.unit {
            let made = kind(&unit.profile).and_then(|profile| Unit::new(unit, no.0, profile, seed));
            units.insert(no.0, made.map_err(|why| format!("unit {}: {why}", no.0))?);
        }
        Ok(Bus { units: Mutex::new(units), begun: Instant::now() })
    }

    pub fn answer(&self, unit: u8, pdu: &[u8]) -> Said {
        self.units().get_mut(&unit)?.answer(millis(self.begun.elapsed()), pdu)
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<u8, Unit>> {
        // Nothing that is done under this lock can panic half-way.
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
