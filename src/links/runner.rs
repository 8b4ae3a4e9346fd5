//! The polled runner: the part of a driver that asks devices in turn, and that keeps the rules of the seam.
//!
//! One task. It takes orders and the driver's [`Notice`]s, starts requests (one at a time per device, `lanes` at a time
//! per link, commands before reads), and tells what came of them. Each request is a child task with a deadline, at most
//! `lanes` of them; all are joined before the runner ends. One timer for the next thing that is due.
//!
//! Channels: orders in (its room is the engine's business, see [`links`](crate::links)), notices in (bounded by the
//! driver), events out. Where the events stand still, the runner stands still, and with it the driver; nothing is
//! dropped, and polls that come too late are skipped.
//!
//! Invariants: every `Perform` taken stands in exactly one place, a device's `waiting` or `begun`, until its `Finished`;
//! every other order is counted in `took` once, when it is obeyed. A write is started once. What comes from a driver is
//! bounded here, whichever driver it is; `Missed` is told at most once for each read or probe that began.

mod ending;
mod listening;
mod orders;
pub mod polled;
mod request;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use self::listening::Listening;
pub use self::polled::{Miss, Notice, Polled, Seen};
use self::request::Answered;
use self::schedule::Schedule;
use super::{EngineGone, Seam, mono};
use crate::model::event::MOST_IDENTITIES;
use crate::model::{
    Address, CommandNo, DeviceNo, Heard, LinkEvent, LinkOrder, Mono, Operation, Outcome, PlanPoint, PointNo, PointPath,
    Reading, Sighting,
};

/// How a link asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Requests under way at a time.
    pub lanes: usize,
    /// For one read.
    pub timeout: Duration,
    /// Further tries of a read whose device answered the last time.
    pub retries: u32,
    /// Before the first retry; twice as long before each further one.
    pub pause: Duration,
    /// How slow a device that does not answer is asked in the end.
    pub slowest: Duration,
    /// Once it was silent twice, it is left alone for so long at least: what it costs the others to wait for it in vain.
    pub spared: Duration,
    /// Commands go out beside reads, also of the same device: what lies below asks one thing after the other, commands
    /// first.
    pub beside: bool,
}

struct Waiting {
    command: CommandNo,
    operation: Operation,
    deadline: Instant,
}

/// A plan, and its places by path.
type Sorted = (Arc<[PlanPoint]>, Arc<[u16]>);

struct Admitted {
    address: Address,
    plan: Arc<[PlanPoint]>,
    /// Places in the plan, by path.
    by_path: Arc<[u16]>,
    waiting: VecDeque<Waiting>,
}

impl Admitted {
    fn number(&self, path: &PointPath) -> Option<PointNo> {
        let path_at = |place: &u16| self.plan.get(usize::from(*place)).map(|point| &point.path);
        let found = self.by_path.binary_search_by(|place| path_at(place).cmp(&Some(path))).ok()?;
        self.plan.get(usize::from(*self.by_path.get(found)?)).map(|point| point.no)
    }
}

enum Begun {
    /// Of this address: the device may have another by the time it is answered.
    Read(Address),
    Probe(Address),
    Perform(CommandNo),
    /// Stands for so many orders.
    Aside {
        orders: u16,
    },
    Listening {
        orders: u16,
    },
}

struct Runner<P> {
    seam: Seam,
    notices: mpsc::Receiver<Notice>,
    polled: Arc<P>,
    pace: Pace,
    credits: u16,
    /// Why the link is down, while it is.
    down: Option<String>,
    told_down: bool,
    devices: BTreeMap<DeviceNo, Admitted>,
    /// The last plan with its places by path: the next device is most likely of the same kind.
    sorted: Option<Sorted>,
    by_address: HashMap<Address, DeviceNo>,
    refused: HashMap<Address, Option<Mono>>,
    schedule: Schedule,
    /// Who may be read as soon as there is a lane.
    ready: VecDeque<DeviceNo>,
    /// Who has commands waiting; a device is here once for each.
    urgent: VecDeque<DeviceNo>,
    probes: VecDeque<DeviceNo>,
    work: JoinSet<Answered>,
    begun: HashMap<Id, (DeviceNo, Begun)>,
    /// Who is being read.
    busy: HashSet<DeviceNo>,
    /// Who carries out a command.
    performing: HashSet<DeviceNo>,
    /// Whose turn came while it was busy.
    deferred: HashSet<DeviceNo>,
    listening: Listening,
    took: u16,
}

/// Ends after a `Stop` or when the engine has gone, with every order answered.
pub async fn run<P: Polled>(seam: Seam, credits: u16, pace: Pace, polled: Arc<P>, notices: mpsc::Receiver<Notice>) {
    let mut runner = Runner {
        seam,
        notices,
        polled,
        pace,
        credits,
        down: Some("not attached yet".into()),
        told_down: false,
        devices: BTreeMap::new(),
        sorted: None,
        by_address: HashMap::new(),
        refused: HashMap::new(),
        schedule: Schedule::new(Instant::now(), pace.slowest, pace.spared),
        ready: VecDeque::new(),
        urgent: VecDeque::new(),
        probes: VecDeque::new(),
        work: JoinSet::new(),
        begun: HashMap::new(),
        busy: HashSet::new(),
        performing: HashSet::new(),
        deferred: HashSet::new(),
        listening: Listening::default(),
        took: 0,
    };
    let ended = match runner.serve().await {
        Ok(()) => runner.finish().await,
        Err(gone) => Err(gone),
    };
    if let Err(gone) = ended {
        tracing::warn!(link = %runner.seam.name, "{gone}");
    }
}

impl<P: Polled> Runner<P> {
    /// Until told to stop.
    async fn serve(&mut self) -> Result<(), EngineGone> {
        let mut notices = true;
        loop {
            self.begin().await?;
            if self.seam.orders.is_empty() {
                self.give_back().await?;
            }
            let wake = self.schedule.wake().filter(|_| self.down.is_none());
            tokio::select! {
                order = self.seam.orders.recv() => match order {
                    Some(LinkOrder::Stop) => {
                        self.took += 1;
                        return Ok(());
                    }
                    Some(order) => self.obey(order).await?,
                    None => return Ok(()),
                },
                Some(answered) = self.work.join_next_with_id() => self.ended(answered).await?,
                notice = self.notices.recv(), if notices => match notice {
                    Some(notice) => self.hear(notice).await?,
                    None => {
                        notices = false;
                        self.lost("its driver has ended".into()).await?;
                    }
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    async fn give_back(&mut self) -> Result<(), EngineGone> {
        match std::mem::take(&mut self.took) {
            0 => Ok(()),
            orders => self.seam.tell(LinkEvent::Took { orders }).await,
        }
    }

    async fn finished(&mut self, command: CommandNo, outcome: Outcome) -> Result<(), EngineGone> {
        self.seam.tell(LinkEvent::Finished { command, outcome: outcome.bounded() }).await
    }

    async fn hear(&mut self, notice: Notice) -> Result<(), EngineGone> {
        match notice {
            Notice::Attached => self.attached().await,
            Notice::Lost { why } => self.lost(why).await,
            Notice::Spoke { address, values } => match self.by_address.get(&address) {
                Some(&device) => self.heard(device, values).await,
                None => Ok(()),
            },
            Notice::Sighted(who) => match self.welcome(&who) {
                true => self.seam.tell(LinkEvent::Sighted(who)).await,
                false => Ok(()),
            },
            Notice::Asks { exchange, who } => match self.welcome(&who) {
                true => self.seam.tell(LinkEvent::Asked { exchange, who }).await,
                false => Ok(()),
            },
            Notice::Changed { address, capabilities } => match self.by_address.get(&address) {
                Some(&device) if capabilities.check().is_ok() => {
                    self.seam.tell(LinkEvent::Changed { device, capabilities }).await
                }
                _ => Ok(()),
            },
            Notice::Gone { address } => match self.by_address.get(&address) {
                Some(&device) => self.seam.tell(LinkEvent::Gone { device }).await,
                None => Ok(()),
            },
            Notice::Strained { why } => self.seam.tell(LinkEvent::Strained { why }).await,
            Notice::Progress { command, share } => {
                self.seam.tell(LinkEvent::Progress { command, share: share.min(1000) }).await
            }
        }
    }

    /// Not refused, and within its bounds.
    fn welcome(&mut self, who: &Sighting) -> bool {
        let sane = who.identities.len() <= MOST_IDENTITIES
            && who.capabilities.as_ref().is_none_or(|capabilities| capabilities.check().is_ok())
            && who.about.as_ref().is_none_or(|about| about.check().is_ok());
        if !sane {
            tracing::warn!(link = %self.seam.name, address = %who.address, "a device shows more than a device may have; left out");
        }
        sane && !self.is_refused(&who.address)
    }

    fn is_refused(&mut self, address: &Address) -> bool {
        match self.refused.get(address) {
            Some(Some(until)) if *until <= mono() => {
                self.refused.remove(address);
                false
            }
            found => found.is_some(),
        }
    }

    async fn attached(&mut self) -> Result<(), EngineGone> {
        self.settle(Duration::ZERO).await?;
        // Rule 4: nothing that rests on old credits may be left in the channel.
        while let Ok(order) = self.seam.orders.try_recv() {
            if order == LinkOrder::Stop {
                // It comes last anyway: whoever stops a link orders nothing after it.
                self.seam.orders.close();
                self.took += 1;
                break;
            }
            self.obey(order).await?;
        }
        self.give_back().await?;
        (self.down, self.told_down) = (None, false);
        self.ready.clear();
        self.deferred.clear();
        self.schedule.restart(Instant::now());
        self.seam.tell(LinkEvent::Up { credits: self.credits }).await?;
        let planned = self.devices.values().filter(|admitted| !admitted.plan.is_empty());
        let addresses: Vec<Address> = planned.map(|admitted| admitted.address.clone()).collect();
        self.heed(0, addresses);
        Ok(())
    }

    async fn lost(&mut self, why: String) -> Result<(), EngineGone> {
        let before = self.down.replace(why.clone());
        if std::mem::replace(&mut self.told_down, true) {
            // It stays down; only another reason is news.
            let news = before.as_deref() != Some(&why);
            return if news { self.seam.tell(LinkEvent::Down { why }).await } else { Ok(()) };
        }
        self.probes.clear();
        // First: what comes back as not sent then waits in the engine until the link is up again.
        self.seam.tell(LinkEvent::Down { why: why.clone() }).await?;
        self.settle(Duration::from_secs(1)).await?;
        self.refuse_waiting(&format!("the link is down: {why}")).await
    }

    /// What is known by a number goes on; the rest nobody has asked for.
    async fn heard(&mut self, device: DeviceNo, seen: Vec<Seen>) -> Result<(), EngineGone> {
        let Some(admitted) = self.devices.get(&device) else { return Ok(()) };
        let reading = |seen: Seen| {
            let point = admitted.number(&seen.path)?;
            Some(Reading { point, value: seen.value, quality: seen.quality, source: seen.source })
        };
        let readings: Vec<Reading> = seen.into_iter().filter_map(reading).collect();
        self.schedule.answered(device, Instant::now());
        self.seam.tell(LinkEvent::Heard(Heard { device, at: mono(), readings })).await
    }

    /// A request has ended, one way or the other.
    async fn ended(&mut self, answered: Result<(Id, Answered), JoinError>) -> Result<(), EngineGone> {
        let (id, answered) = match answered {
            Ok((id, answered)) => (id, Some(answered)),
            Err(broken) => (broken.id(), None),
        };
        let Some((device, begun)) = self.begun.remove(&id) else { return Ok(()) };
        match begun {
            Begun::Aside { orders } => {
                self.took += orders;
                return Ok(());
            }
            Begun::Listening { orders } => {
                self.said_whom(orders);
                return Ok(());
            }
            _ => {}
        }
        match begun {
            Begun::Perform(_) => self.performing.remove(&device),
            _ => self.busy.remove(&device),
        };
        match (begun, answered) {
            (Begun::Perform(command), answered) => self.performed(device, command, answered).await?,
            (Begun::Read(address), Some(Answered::Read(seen))) => {
                self.schedule.again(device, seen.is_ok(), Instant::now());
                self.was_read(device, &address, seen).await?;
            }
            (Begun::Probe(address), Some(Answered::Read(seen))) => self.was_read(device, &address, seen).await?,
            (Begun::Read(_), _) => self.schedule.again(device, false, Instant::now()),
            (Begun::Probe(_) | Begun::Aside { .. } | Begun::Listening { .. }, _) => {}
        }
        if self.deferred.remove(&device) {
            self.ready.push_back(device);
        }
        Ok(())
    }

    /// What came of a read of this address. Where somebody else has the address by now, nobody can tell whose it is.
    async fn was_read(
        &mut self,
        device: DeviceNo,
        address: &Address,
        seen: Result<Vec<Seen>, Miss>,
    ) -> Result<(), EngineGone> {
        let lives_there = self.by_address.get(address);
        match seen {
            Ok(seen) if lives_there.is_none_or(|there| *there == device) => self.heard(device, seen).await,
            Err(_) if self.down.is_none() && lives_there == Some(&device) => {
                self.seam.tell(LinkEvent::Missed { device }).await
            }
            _ => Ok(()),
        }
    }

    async fn performed(
        &mut self,
        device: DeviceNo,
        command: CommandNo,
        answered: Option<Answered>,
    ) -> Result<(), EngineGone> {
        let (outcome, is_there) = match answered {
            Some(Answered::Performed(outcome)) => {
                let is_there = matches!(outcome, Outcome::Done(_) | Outcome::Failed(_));
                (outcome, is_there)
            }
            Some(Answered::Probed(true)) => (Outcome::Done(Vec::new()), true),
            Some(Answered::Probed(false)) => (Outcome::Failed("it does not answer".into()), false),
            _ => (Outcome::Lost("the link gave up waiting for the answer".into()), false),
        };
        if is_there {
            self.schedule.answered(device, Instant::now());
        }
        self.finished(command, outcome).await
    }
}
