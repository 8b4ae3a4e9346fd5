//! A link over Modbus: the bus below, the runner above, and between them what each unit is by its profile.
//!
//! Tasks: the bus, which owns the port, one that tells the runner how the bus stands and what units have, and the server
//! for masters, where there is one. Channels: requests to the bus, and notices to the runner, both bounded; a unit's points wait for their turn in a table, one entry a
//! unit. Locks are held for a moment and never across a wait.
//!
//! Invariants: a value is told only of a unit that answered, under the point that its profile names; what may have been
//! written is never said not to have been, and is never written again by the driver.

mod attending;
mod discover;
mod load;
mod perform;
mod planned;
mod read;
mod same;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use self::discover::Absent;
use self::load::Load;
use self::planned::Planned;
use self::same::Known;
use super::bus::{self, Bus, Framing, Manner, Urgency};
use super::plan::{Blocks, Bounds};
use super::serve::{self, Serve};
use super::units::Units;
use super::wire::{Answer, Request, Wrong};
use crate::links::runner::{self, Miss, Notice, Pace, Polled, Seen};
use crate::links::wires::Wire;
use crate::links::{Readers, Seam};
use crate::model::device::Capabilities;
use crate::model::order::Verdict;
use crate::model::{Address, CommandNo, DeviceNo, Name, Operation, Outcome, PlanPoint, PointPath};
use crate::profile::Shaped;
use crate::profile::modbus::{Spot, capabilities_of};

/// Notices on their way to the runner.
const NOTICES: usize = 256;
/// Devices that are read at a time. Most of these wait for their turn, or until their unit may be asked again.
const LANES: usize = 16;
/// Of these, so many are on the line. The bus asks one thing after the other; with two it never waits for us, and what is
/// read of a device comes from one moment.
const TURNS: usize = 2;
/// Time-outs that a unit is left alone for that is silent again and again: so it takes less than a tenth of the time from
/// the others on its line.
const SPARED: u32 = 12;
/// A request that did not go out by then was in vain: the bus is busy with others, or keeps the unit quiet.
const PATIENCE: Duration = Duration::from_secs(60);
/// One read of a device, all its requests together, and the wait for its turn.
const READ: Duration = Duration::from_secs(600);

/// One unit of the bus.
struct Unit {
    no: u8,
    /// As the engine calls who is meant by it.
    of: Option<DeviceNo>,
    kind: Option<Arc<Kind>>,
    /// What was learnt from its refusals.
    blocks: Mutex<Blocks>,
    /// Rises before and after each request that writes.
    writes: AtomicU64,
    known: Mutex<Known>,
}

impl Unit {
    /// Of which nothing is known.
    fn unknown(no: u8) -> Unit {
        Unit { no, of: None, kind: None, blocks: Mutex::default(), writes: AtomicU64::new(0), known: Mutex::default() }
    }

    fn is_written(&self) {
        self.writes.fetch_add(1, Ordering::AcqRel);
    }

    fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }
}

/// How a request goes out: before others or behind them, and until when.
#[derive(Clone, Copy, Debug)]
struct When {
    urgency: Urgency,
    until: Option<Instant>,
}

impl From<Urgency> for When {
    fn from(urgency: Urgency) -> When {
        When { urgency, until: None }
    }
}

/// What a unit is by its profile; units of one kind share it.
struct Kind {
    shaped: Arc<Shaped>,
    spots: BTreeMap<PointPath, Spot>,
    bounds: Bounds,
    given: Arc<Capabilities>,
    planned: Planned,
}

impl Kind {
    fn new(shaped: Arc<Shaped>) -> Kind {
        let spots = shaped.profile.spots().into_iter().map(|(path, spot)| (path.clone(), spot)).collect();
        let bounds = Bounds::of(shaped.profile.speaks());
        let given = Arc::new(capabilities_of(&shaped.profile));
        Kind { shaped, spots, bounds, given, planned: Planned::default() }
    }
}

struct Driver {
    bus: Bus,
    /// The same bus, as it is laid open.
    wire: Arc<Wire>,
    readers: Readers,
    /// To be looked for.
    wanted: Units,
    /// How often to look around unasked; zero: never.
    scan_every: Duration,
    absent: Mutex<BTreeMap<u8, Absent>>,
    /// Units of devices that somebody wants to hear of.
    read: Mutex<BTreeSet<u8>>,
    /// Some of these are new.
    to_learn: Notify,
    units: Mutex<HashMap<Address, Arc<Unit>>>,
    /// By their profiles, of which there are so many as settings name.
    kinds: Mutex<BTreeMap<Name, Arc<Kind>>>,
    /// What units have by their profiles, as far as it was not told yet.
    changed: Mutex<BTreeMap<Address, Arc<Capabilities>>>,
    to_tell: Notify,
    leaving: Notify,
    load: Load,
    turns: Semaphore,
    /// One look around at a time.
    looking: tokio::sync::Mutex<()>,
    /// None: the link is leaving.
    notices: Mutex<Option<mpsc::Sender<Notice>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What there is to know to begin.
pub struct Begun {
    pub framing: Framing,
    pub bus: bus::Settings,
    pub opener: Box<dyn bus::open::Opens>,
    pub units: Units,
    pub scan_every: Duration,
    /// Who reads the same bus through us.
    pub serve: Option<Serve>,
}

pub async fn run(begun: Begun, credits: u16, seam: Seam) {
    let (to_runner, notices) = mpsc::channel(NOTICES);
    let mut manner = Manner::new(begun.framing, &begun.bus);
    begun.serve.iter().for_each(|serve| manner.guests = serve.share);
    let (slowest, spared) = (manner.slowest, manner.timeout * SPARED);
    let (bus, task) = bus::bus(manner, begun.opener);
    let laid = seam.readers.wires.lay(seam.name.clone(), bus.clone());
    let driver = Arc::new(Driver {
        bus,
        wire: laid.wire.clone(),
        readers: seam.readers.clone(),
        wanted: begun.units,
        scan_every: begun.scan_every,
        absent: Mutex::default(),
        read: Mutex::default(),
        to_learn: Notify::new(),
        units: Mutex::default(),
        kinds: Mutex::default(),
        changed: Mutex::default(),
        to_tell: Notify::new(),
        leaving: Notify::new(),
        load: Load::new(begun.framing),
        turns: Semaphore::new(TURNS),
        looking: tokio::sync::Mutex::default(),
        notices: Mutex::new(Some(to_runner)),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(attending::run(driver.clone()));
    tasks.spawn(discover::run(driver.clone()));
    begun.serve.map(|serve| tasks.spawn(serve::run(serve, seam.name.clone(), driver.bus.clone())));
    let mut bus = tokio::spawn(task);
    // The bus has its own deadlines, and its pauses after silence.
    let pace = Pace { lanes: LANES, timeout: READ, retries: 0, pause: Duration::ZERO, slowest, spared, beside: true };
    tokio::select! {
        () = runner::run(seam, credits, pace, driver, notices) => {}
        // It ends by itself only where it fails; without it there is no link, and whoever runs the link starts it anew.
        ended = &mut bus => tracing::error!("the bus of a Modbus link has failed: {ended:?}"),
    }
    // Its port is free when the link has ended: the next one may want it at once.
    if !bus.is_finished() {
        bus.abort();
        let _ = (&mut bus).await;
    }
    tasks.shutdown().await;
}

impl Driver {
    fn unit(&self, address: &Address) -> Result<Arc<Unit>, String> {
        if let Some(known) = lock(&self.units).get(address) {
            return Ok(known.clone());
        }
        Ok(Arc::new(Unit::unknown(number(address)?)))
    }

    /// None: no such profile, or it says of no register.
    fn kind(&self, profile: &Name) -> Option<Arc<Kind>> {
        let shaped = (self.readers.profiles)().get(profile).cloned()?;
        let mut kinds = lock(&self.kinds);
        // A profile that says the same stays the same over a reload.
        if let Some(kind) = kinds.get(profile).filter(|kind| Arc::ptr_eq(&kind.shaped, &shaped)) {
            return Some(kind.clone());
        }
        let kind = Some(Kind::new(shaped)).filter(|kind| !kind.spots.is_empty()).map(Arc::new)?;
        kinds.insert(profile.clone(), kind.clone());
        Some(kind)
    }

    async fn ask(&self, unit: u8, request: Request, When { urgency, until }: When) -> Result<Answer, Wrong> {
        let patience = Instant::now() + PATIENCE;
        self.bus.ask(unit, request, until.map_or(patience, |until| until.min(patience)), urgency).await
    }
}

fn number(address: &Address) -> Result<u8, String> {
    let no = address.as_str().parse().ok().filter(|no: &u8| no.to_string() == address.as_str());
    no.ok_or_else(|| format!("{address} is no unit: units are 1 to 247, over TCP 0 to 255"))
}

impl Polled for Driver {
    async fn read(&self, address: &Address, points: &[PointPath]) -> Result<Vec<Seen>, Miss> {
        let unit = self.unit(address).map_err(Miss)?;
        let read = match self.is_itself(&unit, Urgency::Poll.into()).await {
            Ok(()) => self.read_points(&unit, points, Urgency::Poll.into()).await,
            Err(wrong) => Err(wrong),
        };
        match &read {
            Err(Wrong::Silent | Wrong::Lost(_) | Wrong::NotAnAnswer(_)) => lock(&unit.known).doubts(),
            Err(Wrong::Exception(exception)) if exception.is_of_gateway() => lock(&unit.known).doubts(),
            _ => {}
        }
        read.map_err(|wrong| Miss(wrong.to_string()))
    }

    async fn perform(&self, _: CommandNo, address: &Address, operation: &Operation, deadline: Instant) -> Outcome {
        let unit = match self.unit(address) {
            Ok(unit) => unit,
            Err(why) => return Outcome::NotSent(why),
        };
        let when = When { urgency: Urgency::Command, until: Some(deadline) };
        // Nothing is written to a unit of which nobody knows whether it is the one that is meant.
        match timeout_at(deadline, self.is_itself(&unit, when)).await {
            Ok(Ok(())) => self.carry_out(&unit, operation, deadline).await,
            Ok(Err(Wrong::NotSent(why))) => Outcome::NotSent(why),
            Ok(Err(wrong)) => Outcome::NotSent(format!("it could not be seen who the unit is: {wrong}")),
            Err(_) => Outcome::NotSent("it could not be seen in time who the unit is".into()),
        }
    }

    fn know(&self, device: DeviceNo, address: &Address, profile: Option<&Name>) {
        let Ok(no) = number(address) else { return };
        let kind = profile.and_then(|name| self.kind(name));
        let mut units = lock(&self.units);
        let known = units.get(address).cloned();
        let same = |known: &Arc<Unit>| {
            known.of == Some(device) && known.kind.as_ref().map(Arc::as_ptr) == kind.as_ref().map(Arc::as_ptr)
        };
        let new = || {
            let expected = |kind: &Arc<Kind>| Known::expecting((self.readers.identities)(device), &kind.shaped.profile);
            let known = Mutex::new(kind.as_ref().map(expected).unwrap_or_default());
            Arc::new(Unit { of: Some(device), kind: kind.clone(), known, ..Unit::unknown(no) })
        };
        let unit = known.clone().filter(same).unwrap_or_else(new);
        let pause = kind.as_ref().map_or(Duration::ZERO, |kind| kind.shaped.profile.speaks().pause.0);
        self.bus.leave_between(no, pause);
        // Told each time: another device may be meant now, and who knows it already takes no note of it.
        let given = unit.kind.as_ref().map(|kind| kind.given.clone());
        if given.is_some() || known.is_some_and(|known| known.kind.is_some()) {
            lock(&self.changed).insert(address.clone(), given.unwrap_or_default());
            self.to_tell.notify_one();
        }
        units.insert(address.clone(), unit);
    }

    fn planned(&self, address: &Address, points: &[PlanPoint]) {
        let unit = lock(&self.units).get(address).cloned();
        let of = |unit: Arc<Unit>| Some((unit.no, self.load.needs(unit.kind.as_deref()?, points)));
        self.load.planned(address, unit.and_then(of));
    }

    /// Units speak only when they are asked; so it only says of whom somebody wants to hear.
    async fn heed(&self, addresses: Vec<Address>) {
        lock(&self.read).extend(addresses.iter().filter_map(|address| number(address).ok()));
        self.to_learn.notify_one();
    }

    async fn ignore(&self, addresses: Vec<Address>) {
        let mut read = lock(&self.read);
        addresses.iter().filter_map(|address| number(address).ok()).for_each(|no| _ = read.remove(&no));
    }

    async fn discover(&self) {
        self.look_around().await;
    }

    async fn answer(&self, _: u64, _: Verdict, _: Option<Duration>) {}

    async fn leave(&self) {
        self.leaving.notify_one();
    }
}

#[cfg(test)]
mod tests;
