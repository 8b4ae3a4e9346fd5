//! The `own` driver: the gateway itself as a device, read like any other, so that plans, profiles, telemetry and whatever
//! looks at devices work on it too.
//!
//! It stands at the address `gateway` and is known by how the gateway calls itself. There is nothing between it and the
//! runner: a read looks at the numbers of that moment. When other links come or go it has other points, and says so.
//! One task, the runner's; notices go to it through a bounded channel, which closes when the link is told to leave.
//!
//! Invariant: it only tells. It wakes only when it is read, and has no timer of its own.

mod points;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Seam;
use super::runner::{self, Miss, Notice, Pace, Polled, Seen as Value};
use crate::metrics::{Reader, Seen};
use crate::model::order::Verdict;
use crate::model::{
    About, Address, Capabilities, CommandNo, DeviceNo, Identity, IdentityKind, Name, Operation, OperationKind,
    OperationSet, Outcome, PointPath, Proof, Quality, Sighting,
};
use crate::section;
use points::Shown;

/// Where it is on its link.
const ADDRESS: &str = "gateway";
const NOTICES: usize = 8;

section! {
    /// This driver tells of the gateway itself, as a device with points: how it is, what it does, how its links are. Each
    /// point is written to telemetry as often as it is read, so read it seldom: every = "60s" is enough for most.
    pub struct Settings {
        /// What it tells: queues, store, readings, commands, devices, memory, links.
        tell: Vec<Part> = Part::ALL.to_vec();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Queues,
    Store,
    Readings,
    Commands,
    Devices,
    Memory,
    Links,
}

impl Part {
    const ALL: [Part; 7] =
        [Part::Queues, Part::Store, Part::Readings, Part::Commands, Part::Devices, Part::Memory, Part::Links];
}

/// One device, so one request at a time; what it is asked it knows at once.
const PACE: Pace = Pace {
    lanes: 1,
    timeout: Duration::from_secs(5),
    retries: 0,
    pause: Duration::from_millis(100),
    slowest: Duration::from_secs(60),
    spared: Duration::ZERO,
    beside: false,
};

pub async fn run(settings: Settings, credits: u16, seam: Seam) {
    let (to_runner, notices) = mpsc::channel(NOTICES);
    let own = Own {
        tell: settings.tell,
        numbers: seam.readers.numbers.clone(),
        links: Mutex::default(),
        told: Mutex::new(Some(to_runner)),
    };
    own.tell(Notice::Attached).await;
    own.discover().await;
    runner::run(seam, credits, PACE, Arc::new(own), notices).await;
}

struct Own {
    tell: Vec<Part>,
    numbers: Reader,
    /// Those that its points were last told by.
    links: Mutex<Vec<String>>,
    /// None: it has left.
    told: Mutex<Option<mpsc::Sender<Notice>>>,
}

impl Own {
    async fn tell(&self, notice: Notice) {
        let to = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(to) = to {
            // A runner that is gone needs to know nothing.
            let _ = to.send(notice).await;
        }
    }

    fn shown(&self, seen: &Seen) -> Vec<Shown> {
        points::shown(&self.tell, seen)
    }

    fn capabilities(&self, seen: &Seen) -> Arc<Capabilities> {
        let points = self.shown(seen).iter().map(Shown::point).collect();
        Arc::new(Capabilities {
            points,
            operations: OperationSet::of(&[OperationKind::Read]),
            ..Capabilities::default()
        })
    }

    /// Other links are there than when its points were told last.
    fn has_other_links(&self, seen: &Seen) -> bool {
        let known = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell.contains(&Part::Links) && !seen.links.iter().map(|link| &link.name).eq(known.iter())
    }

    fn told_links(&self, seen: &Seen) {
        let there = seen.links.iter().map(|link| link.name.clone()).collect();
        *self.links.lock().unwrap_or_else(PoisonError::into_inner) = there;
    }

    fn values(&self, points: &[PointPath], seen: &Seen) -> Vec<Value> {
        let wanted = |shown: &Shown| points.is_empty() || points.contains(&shown.path);
        let value = |shown: Shown| Value { path: shown.path, value: shown.value, quality: Quality::Good, source: None };
        self.shown(seen).into_iter().filter(wanted).map(value).collect()
    }
}

fn address() -> Option<Address> {
    Address::new(ADDRESS).ok()
}

fn about() -> Arc<About> {
    let version = crate::model::Name::new("dmgw").map(|name| (name, env!("CARGO_PKG_VERSION").to_owned()));
    let versions = version.into_iter().collect();
    Arc::new(About { application: Some("this gateway".into()), versions, ..About::default() })
}

impl Polled for Own {
    async fn read(&self, at: &Address, points: &[PointPath]) -> Result<Vec<Value>, Miss> {
        if at.as_str() != ADDRESS {
            return Err(Miss(format!("there is only {ADDRESS} on this link")));
        }
        let seen = (self.numbers)();
        if self.has_other_links(&seen) {
            self.tell(Notice::Changed { address: at.clone(), capabilities: self.capabilities(&seen) }).await;
            // Only now: a read that is given up meanwhile has told nothing.
            self.told_links(&seen);
        }
        Ok(self.values(points, &seen))
    }

    async fn perform(&self, _: CommandNo, at: &Address, operation: &Operation, _: Instant) -> Outcome {
        match operation {
            Operation::Read { points } if at.as_str() == ADDRESS => {
                let values = self.values(points, &(self.numbers)());
                Outcome::Done(values.into_iter().map(|seen| (seen.path, seen.value)).collect())
            }
            _ => Outcome::Failed("the gateway's own points can only be read".into()),
        }
    }

    /// It knows its points itself.
    fn know(&self, _: DeviceNo, _: &Address, _: Option<&Name>) {}

    async fn heed(&self, _: Vec<Address>) {}

    async fn ignore(&self, _: Vec<Address>) {}

    async fn discover(&self) {
        let seen = (self.numbers)();
        let identity = Identity::new(IdentityKind::Endpoint, &seen.gateway, Proof::Seen);
        let (Some(address), Ok(identity)) = (address(), identity) else {
            return tracing::error!(gateway = seen.gateway, "a gateway that is called so cannot be a device");
        };
        let sighting = Sighting::new(address, vec![identity], Some(self.capabilities(&seen)));
        self.tell(Notice::Sighted(Sighting { about: Some(about()), ..sighting })).await;
        self.told_links(&seen);
    }

    async fn answer(&self, _: u64, _: Verdict, _: Option<Duration>) {}

    async fn leave(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests;
