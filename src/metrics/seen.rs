//! What there is at one moment, as plain numbers: the one source of all that is told.

use std::time::Duration;

use super::process::Process;
use super::{CLASSES, Cause, Door, Ended, GAPS, Metrics, OfStore, Spread};
use crate::model::{ClockQuality, Connectivity, LifeCycle, Stream};

/// The link that stands for those beyond the bound.
pub const OTHER: &str = "other";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// How this gateway calls itself.
    pub gateway: String,
    pub uptime: Duration,
    pub clock: ClockQuality,
    /// The store takes nothing.
    pub degraded: bool,
    pub events: Filled,
    pub asks: Filled,
    pub changes: Filled,
    /// Commands that wait, and those that are out.
    pub queued: u64,
    pub sent: u64,
    pub heard: u64,
    pub accepted: u64,
    pub ended: [u64; Ended::ALL.len()],
    /// By [`DeviceState`].
    pub devices: [u64; DeviceState::ALL.len()],
    pub links: Vec<LinkSeen>,
    pub doors: [DoorSeen; Door::ALL.len()],
    pub store: StoreSeen,
    pub process: Process,
}

/// How much stands in something that has a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    pub holds: u64,
    pub most: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoorSeen {
    pub connections: Filled,
    pub requests: [u64; CLASSES.len()],
    pub refused: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreSeen {
    pub commits: u64,
    pub failed: u64,
    pub took: Spread,
    pub syncs: u64,
    pub written: u64,
    pub given: [u64; Cause::ALL.len()],
    pub gaps: [u64; GAPS.len()],
    pub records: [u64; Stream::ALL.len()],
    pub rows: [u64; Stream::ALL.len()],
    pub lost: u64,
    pub gathered: u64,
}

/// A link, or all those beyond the bound together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkSeen {
    pub name: String,
    /// 1 where it is up; how many are up where it stands for several.
    pub up: u64,
    pub devices: u64,
    pub heard: u64,
    pub missed: u64,
    pub rejected: u64,
    pub dropped: u64,
    pub waiting: u64,
    /// Orders that it could take now, of as many as it can take.
    pub credits: Filled,
    pub wire: WireSeen,
}

/// What went over the wire of a link that has one, since it began to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireSeen {
    pub requests: u64,
    pub answers: u64,
    pub exceptions: u64,
    pub silent: u64,
    pub wrong: u64,
}

impl LinkSeen {
    fn add(&mut self, other: &LinkSeen) {
        // Field by field, so that a new one is not forgotten here.
        let LinkSeen { name: _, up, devices, heard, missed, rejected, dropped, waiting, credits, wire } = other;
        self.up += up;
        self.devices += devices;
        self.heard += heard;
        self.missed += missed;
        self.rejected += rejected;
        self.dropped += dropped;
        self.waiting += waiting;
        self.credits.holds += credits.holds;
        self.credits.most += credits.most;
        self.wire.add(*wire);
    }
}

impl WireSeen {
    pub fn add(&mut self, WireSeen { requests, answers, exceptions, silent, wrong }: WireSeen) {
        self.requests += requests;
        self.answers += answers;
        self.exceptions += exceptions;
        self.silent += silent;
        self.wrong += wrong;
    }
}

/// The first so many, and one for all the others. A link that is called as that one is goes with it.
pub fn bounded(links: Vec<LinkSeen>, most: usize) -> Vec<LinkSeen> {
    if links.len() <= most {
        return links;
    }
    let mut other = LinkSeen { name: OTHER.into(), ..LinkSeen::default() };
    let mut shown = Vec::with_capacity(most + 1);
    for link in links {
        if shown.len() < most && link.name != OTHER {
            shown.push(link);
        } else {
            other.add(&link);
        }
    }
    shown.push(other);
    shown
}

/// What a device is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    Up,
    Degraded,
    Silent,
    Gone,
    NotHeard,
    Pending,
    Quarantined,
    Refused,
    Retired,
}

impl DeviceState {
    pub const ALL: [DeviceState; 9] = {
        use DeviceState::*;
        [Up, Degraded, Silent, Gone, NotHeard, Pending, Quarantined, Refused, Retired]
    };

    /// How one is heard matters where it is managed.
    pub fn of(life: LifeCycle, connectivity: Connectivity) -> DeviceState {
        match (life, connectivity) {
            (LifeCycle::Pending, _) => DeviceState::Pending,
            (LifeCycle::Quarantined, _) => DeviceState::Quarantined,
            (LifeCycle::Refused, _) => DeviceState::Refused,
            (LifeCycle::Retired, _) => DeviceState::Retired,
            (LifeCycle::Managed, Connectivity::Up) => DeviceState::Up,
            (LifeCycle::Managed, Connectivity::Degraded) => DeviceState::Degraded,
            (LifeCycle::Managed, Connectivity::Silent) => DeviceState::Silent,
            (LifeCycle::Managed, Connectivity::Gone) => DeviceState::Gone,
            (LifeCycle::Managed, Connectivity::Unknown) => DeviceState::NotHeard,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            DeviceState::Up => "up",
            DeviceState::Degraded => "degraded",
            DeviceState::Silent => "silent",
            DeviceState::Gone => "gone",
            DeviceState::NotHeard => "not-heard",
            DeviceState::Pending => "pending",
            DeviceState::Quarantined => "quarantined",
            DeviceState::Refused => "refused",
            DeviceState::Retired => "retired",
        }
    }
}

impl Seen {
    /// What the loop, the store and the doors have counted; the rest is for whoever knows it.
    pub fn counted(metrics: &Metrics, store: &OfStore) -> Seen {
        Seen {
            changes: Filled { holds: metrics.held.get(), most: 0 },
            heard: metrics.heard.get(),
            accepted: metrics.accepted.get(),
            ended: all(&metrics.ended),
            doors: std::array::from_fn(|door| DoorSeen {
                connections: Filled { holds: metrics.doors[door].connections.get(), most: 0 },
                requests: all(&metrics.doors[door].requests),
                refused: metrics.doors[door].refused.get(),
            }),
            store: StoreSeen {
                commits: store.commits.get(),
                failed: store.failed.get(),
                took: store.took.spread(),
                syncs: store.syncs.get(),
                written: store.written.get(),
                given: all(&store.given),
                gaps: all(&store.gaps),
                records: all(&store.records),
                rows: all(&store.rows),
                lost: store.lost.get(),
                gathered: store.gathered.get(),
            },
            ..Seen::default()
        }
    }

    /// Readings and sightings that could not be taken.
    pub fn rejected(&self) -> u64 {
        self.links.iter().map(|link| link.rejected).sum()
    }
}

fn all<const N: usize>(counts: &[super::Count; N]) -> [u64; N] {
    std::array::from_fn(|place| counts[place].get())
}
