//! Links: the seam between the engine and the drivers, and the drivers themselves.
//!
//! A link is one task. Orders come to it through a bounded channel, events leave it through the loop's own bounded
//! channel. A link never drops an event: it waits for room. The engine never waits for a link: it sends an order only
//! with a credit in hand.
//!
//! # The rule of credits
//!
//! 1. The first `Up { credits }` of a link's task gives the engine so many credits, for as long as the task lives; later
//!    ones only say that the link is attached again. An order takes one.
//! 2. `Finished` brings back one, `Took { orders }` so many. Every `Perform` is answered by exactly one `Finished` and
//!    by no `Took`; every other order is in exactly one `Took`, also the orders that changed nothing.
//! 3. So orders under way and credits in hand are always as many as the first `Up` gave, a channel with that much room
//!    never fills, and sending cannot fail.
//! 4. A link that is down takes and answers orders as before: `Perform` with `NotSent`, the others are remembered
//!    (`Admit`, `Plan`, `Refuse`) or dropped (`Answer`, `Probe`, `Discover`), and in both cases given back.
//! 5. When the task is gone, whoever ran it says `Ended`: its credits and its channel are no more.
//!
//! # To add a driver
//!
//! One file or folder here, one variant of [`Driver`], one arm in [`run`]. A driver that asks its devices in turn
//! implements [`runner::Polled`] and leaves the rest to [`runner::run`], which keeps the rules above.

pub mod backoff;
pub mod chance;
pub mod modbus;
pub mod own;
pub mod proof;
pub mod runner;
pub mod serial;
pub mod sim;
pub mod wires;

use std::collections::BTreeMap;
use std::sync::Arc;

use nix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;

pub use self::proof::Keys;
use self::wires::Wires;
use crate::metrics;
use crate::model::{DeviceNo, Event, Identity, LinkEvent, LinkNo, LinkOrder, Mono, Name, Wall};
use crate::profile::Shaped;

/// Why a link is down that was told to stop.
pub const STOPPING: &str = "the link is stopping";

/// What a link takes at once if its driver does not say otherwise.
pub const CREDITS: u16 = 64;

/// How a link is attached: `[link.NAME.sim]` and what follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Driver {
    Sim(sim::Settings),
    Own(own::Settings),
    ModbusTcp(modbus::settings::Tcp),
    ModbusRtu(modbus::settings::Rtu),
}

impl Driver {
    /// Its key below `[link.NAME]`.
    pub const fn name(&self) -> &'static str {
        match self {
            Driver::Sim(_) => "sim",
            Driver::Own(_) => "own",
            Driver::ModbusTcp(_) => "modbus-tcp",
            Driver::ModbusRtu(_) => "modbus-rtu",
        }
    }

    /// What the first `Up` of this link gives, and the room that its channel of orders must have.
    pub const fn credits(&self) -> u16 {
        match self {
            Driver::Sim(_) | Driver::Own(_) | Driver::ModbusTcp(_) | Driver::ModbusRtu(_) => CREDITS,
        }
    }
}

/// What a link holds of the engine.
pub struct Seam {
    pub link: LinkNo,
    pub name: Name,
    pub events: mpsc::Sender<Event>,
    pub orders: mpsc::Receiver<LinkOrder>,
    pub readers: Readers,
}

/// What a link may look up, and nothing else. Each may be asked at any time, and block for a moment. And where it shows
/// what it lays open itself.
#[derive(Clone)]
pub struct Readers {
    /// Who shows which key is who it says to be.
    pub keys: Keys,
    /// What there is to tell of the gateway itself.
    pub numbers: metrics::Reader,
    pub profiles: Profiles,
    /// By what a device is known that the link was told of.
    pub identities: Arc<dyn Fn(DeviceNo) -> Vec<Identity> + Send + Sync>,
    /// The time by the calendar; none while nobody knows it.
    pub wall: Arc<dyn Fn() -> Option<Wall> + Send + Sync>,
    /// Where a link lays its wire open for engineers.
    pub wires: Wires,
}

/// What all profiles say, as they hold now.
pub type Profiles = Arc<dyn Fn() -> Arc<BTreeMap<Name, Arc<Shaped>>> + Send + Sync>;

impl Readers {
    /// That know nothing.
    pub fn none() -> Readers {
        Readers {
            keys: Arc::new(|_| None),
            numbers: Arc::new(metrics::Seen::default),
            profiles: Arc::new(Arc::default),
            identities: Arc::new(|_| Vec::new()),
            wall: Arc::new(|| None),
            wires: Wires::default(),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the engine takes no more events; the link ends")]
pub struct EngineGone;

impl Seam {
    /// Waits for room.
    pub async fn tell(&self, event: LinkEvent) -> Result<(), EngineGone> {
        self.events.send(Event::Link { link: self.link, event }).await.map_err(|_| EngineGone)
    }
}

/// Ends after a `Stop`, or when the engine has gone.
pub async fn run(driver: Driver, seam: Seam) {
    let credits = driver.credits();
    match driver {
        Driver::Sim(settings) => sim::run(settings, credits, seam).await,
        Driver::Own(settings) => own::run(settings, credits, seam).await,
        Driver::ModbusTcp(settings) => modbus::attach::tcp(settings, credits, seam).await,
        Driver::ModbusRtu(settings) => modbus::attach::rtu(settings, credits, seam).await,
    }
}

/// Links read the clock that never steps, and no other.
pub fn mono() -> Mono {
    // The clock is there on every Linux that this runs on.
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(Mono(0), |t| Mono(u64::try_from(t.tv_sec()).unwrap_or(0) * 1000 + t.tv_nsec() as u64 / 1_000_000))
}
