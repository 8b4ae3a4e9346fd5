//! What all polls of a link need of its line, and saying so where that is more than there is.
//!
//! On a serial line it is known beforehand what the bytes take; what units think about comes on top once they were asked.
//! Over a network only what answers took is known. Nothing is said while plans still come in, nor again for a small change.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Driver, Kind, lock};
use crate::links::modbus::bus::Framing;
use crate::links::modbus::plan::load::{self, Line, Needs};
use crate::links::runner::Notice;
use crate::model::{Address, PlanPoint};

/// Plans of a link come one after the other; so long after the first of them all are there.
const SETTLES: Duration = Duration::from_secs(2);
/// How answers have slowed down is looked at so often.
const LOOKS: Duration = Duration::from_secs(60);
/// A change of less is no news.
const NEWS: f64 = 0.1;
/// What cannot be kept up with is so until there is a little room again.
const ROOM: f64 = 0.95;

pub struct Load {
    line: Option<Line>,
    of: String,
    polls: Mutex<BTreeMap<Address, (u8, Needs)>>,
    pub changed: Notify,
}

/// When it is looked at next, and what was said last.
#[derive(Default)]
pub struct Look {
    pub at: Option<Instant>,
    told: Option<f64>,
}

impl Load {
    pub fn new(framing: Framing) -> Load {
        let line = match framing {
            Framing::Rtu(pace) => Some(Line { pace, thinks: Duration::ZERO, pause: Duration::ZERO }),
            Framing::Tcp | Framing::RtuOverTcp => None,
        };
        let of = line.map_or_else(|| "the time, by how long answers take".into(), |line| line.named());
        Load { line, of, polls: Mutex::default(), changed: Notify::new() }
    }

    pub fn needs(&self, kind: &Kind, points: &[PlanPoint]) -> Needs {
        let of = |point: &PlanPoint| Some((*kind.spots.get(&point.path)?, point.every?));
        let pause = kind.shaped.profile.speaks().pause.0;
        load::needs(self.line.as_ref(), &kind.bounds, pause, points.iter().filter_map(of))
    }

    /// None: nothing is read of it.
    pub fn planned(&self, address: &Address, needs: Option<(u8, Needs)>) {
        let needs = needs.filter(|(_, needs)| needs.requests > 0.0);
        let before = match needs {
            Some(needs) => lock(&self.polls).insert(address.clone(), needs),
            None => lock(&self.polls).remove(address),
        };
        if before != needs {
            self.changed.notify_one();
        }
    }
}

impl Look {
    pub fn soon(&mut self) {
        let soon = Instant::now() + SETTLES;
        self.at = Some(self.at.map_or(soon, |at| at.min(soon)));
    }
}

impl Driver {
    pub(super) async fn tell_load(&self, look: &mut Look) {
        let needs = self.needs();
        look.at = (!needs.is_empty()).then(|| Instant::now() + LOOKS);
        let strain = load::strain(needs.iter().map(|(who, needs)| (who, *needs)), &self.load.of);
        let share = strain.as_ref().map_or(0.0, |(share, _)| *share);
        let is_news = look.told.map_or(share > 1.0, |told| share < ROOM || (share - told).abs() >= NEWS);
        if is_news {
            look.told = Some(share).filter(|share| *share >= ROOM);
            let why = strain.filter(|_| look.told.is_some()).map(|(_, why)| why);
            self.tell(Notice::Strained { why }).await;
        }
    }

    /// With how long units were found to take.
    fn needs(&self) -> Vec<(Address, Needs)> {
        let counts = self.bus.counts();
        let measured = |(address, (unit, needs)): (&Address, &(u8, Needs))| {
            let answered = counts.get(unit).filter(|counts| counts.answered > 0);
            let each = answered.map_or(0.0, |counts| counts.rounds.as_secs_f64() / counts.answered as f64);
            (address.clone(), Needs { share: needs.share.max(needs.requests * each), ..*needs })
        };
        lock(&self.load.polls).iter().map(measured).collect()
    }
}
