//! One simulated device: who it is, and when it says what unasked; [`asked`] has what it answers, [`turns`] what commands
//! and faults make of it. Pure; times are milliseconds since the plant's start, so tests use the same devices without a
//! socket.
//!
//! Invariant: whoever asks a device something brings it to the present with [`SimDevice::turn`] first.

mod asked;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use self::asked::{Answer, Performed, Reply};
use super::fault::{Script, Turn, millis};
use super::misdeed::Misdeed;
use super::parts::Switched;
use super::settings::{Kind, Mode, PointSettings, Sleeps};
use super::value::Generator;
use crate::links::chance::Chance;
use crate::links::sim::wire::Shown;
use crate::model::order::Verdict;
use crate::model::{About, Address, Capabilities, Identity, PointPath, Secret, Value};

/// A device that gets no answer asks again after this time.
const ASK_AGAIN: u64 = 5_000;

pub type Values = Vec<(PointPath, Value)>;

/// What all devices of a kind show until one of them changes.
#[derive(Clone)]
pub struct Shape {
    pub capabilities: Arc<Capabilities>,
    pub about: Arc<About>,
}

pub struct SimDevice {
    /// Where it is now.
    pub address: Address,
    home: Address,
    n: u32,
    identities: Vec<Identity>,
    key: Option<Secret>,
    kind: Arc<Kind>,
    capabilities: Arc<Capabilities>,
    about: Arc<About>,
    /// The firmware that it can fall back to.
    before: Option<String>,
    generators: BTreeMap<PointPath, Generator>,
    switched: Switched,
    chance: Chance,
    script: Script,
    /// As of its last turn.
    now: u64,
    /// Requests and readings so far.
    count: u64,
    asking: Asking,
    heeded: bool,
    /// When it speaks next; none while nobody heeds it.
    speaks: Option<u64>,
    sleep: Option<Sleep>,
    /// Until then it neither speaks nor hears.
    restarts: u64,
    later: Vec<(u64, Later)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Asking {
    /// It need not.
    Never,
    At(u64),
    In,
    Refused,
}

/// Of one that sleeps.
#[derive(Clone, Copy)]
struct Sleep {
    wakes: u64,
    /// It hears until then.
    until: u64,
}

/// What a command leads to when it has taken its time.
enum Later {
    Changed,
    Firmware { version: String, before: Option<String> },
}

/// What it says unasked.
pub enum Said {
    Spoke { values: Values, wrong: bool },
    Garbage,
    Asks,
    Found,
    Gone,
    Changed,
    Turn(Turn),
}

impl SimDevice {
    pub fn new(name: &str, kind: &Arc<Kind>, shape: &Shape, n: u32, seed: u64) -> Result<SimDevice, String> {
        let address = kind.address_of(name, n).map_err(|e| e.to_string())?;
        let identities = kind.identities_of(&address, n).map_err(|e| e.to_string())?;
        let faults = kind.fault.iter().filter(|fault| fault.only.is_none_or(|only| only == n));
        let mut chance = Chance::of(seed, address.as_str());
        let sleeps = kind.sleeps.filter(|sleeps| sleeps.at_first);
        Ok(SimDevice {
            n,
            identities,
            key: kind.key_of(n),
            generators: generators(&kind.point)?,
            switched: Switched::default(),
            script: Script::new(faults.cloned().map(Arc::new)),
            now: 0,
            count: 0,
            asking: if matches!(kind.mode, Mode::Asks(_)) { Asking::At(0) } else { Asking::Never },
            heeded: false,
            speaks: None,
            sleep: sleeps.map(|sleeps| Sleep { wakes: chance.draw() % millis(sleeps.every).max(1), until: 0 }),
            restarts: 0,
            later: Vec::new(),
            chance,
            capabilities: shape.capabilities.clone(),
            about: shape.about.clone(),
            before: None,
            kind: kind.clone(),
            home: address.clone(),
            address,
        })
    }

    pub fn serial(&self) -> &str {
        self.identities.first().map_or("", |identity| identity.value.as_str())
    }

    pub fn capabilities(&self) -> Arc<Capabilities> {
        self.capabilities.clone()
    }

    pub fn shown(&self) -> Shown {
        Shown {
            address: self.address.clone(),
            identities: self.identities.clone(),
            capabilities: Some(self.capabilities.clone()),
            about: Some(self.about.clone()).filter(|about| !about.is_empty()),
            key: self.key.clone(),
        }
    }

    /// Answers to a look-round: who must ask first does not.
    pub fn is_found(&self) -> bool {
        self.may_speak() && !self.is_mute() && !self.is_asleep()
    }

    fn suffers(&self, what: impl Fn(&Misdeed) -> bool) -> bool {
        self.script.suffers(what)
    }

    fn is_mute(&self) -> bool {
        self.now < self.restarts || self.suffers(|misdeed| matches!(misdeed, Misdeed::Silent | Misdeed::Vanish))
    }

    fn is_asleep(&self) -> bool {
        self.sleep.is_some_and(|sleep| self.now >= sleep.until)
    }

    /// Somebody connected: whoever has to, asks to be let in.
    pub fn connected(&mut self, now: u64) {
        if let Asking::At(_) = self.asking {
            self.asking = Asking::At(now + self.chance.draw() % 500);
        }
    }

    pub fn disconnected(&mut self) {
        self.ignored();
    }

    /// Somebody listens to it from now on.
    pub fn heeded(&mut self) {
        self.heeded = true;
        if let (None, Mode::Speaks(every) | Mode::Asks(every)) = (self.speaks, self.kind.mode) {
            self.speaks = Some(self.now.saturating_add(1 + self.chance.draw() % millis(every).max(1)));
        }
    }

    /// Nobody listens to it any more.
    pub fn ignored(&mut self) {
        (self.heeded, self.speaks) = (false, None);
    }

    /// False where it did not hear the answer.
    pub fn answered(&mut self, verdict: Verdict, wait: Option<Duration>) -> bool {
        if !self.hears() {
            return false;
        }
        self.asking = match (verdict, wait) {
            (Verdict::Accepted, _) => Asking::In,
            (Verdict::Refused, None) => Asking::Refused,
            (Verdict::Refused | Verdict::Later, wait) => {
                Asking::At(self.now.saturating_add(wait.map_or(ASK_AGAIN, millis)))
            }
        };
        true
    }

    /// When it has something to do.
    pub fn next(&self, connected: bool) -> Option<u64> {
        let wakes = self.sleep.map(|sleep| sleep.wakes);
        let asks = match self.asking {
            Asking::At(at) if connected => Some(at.max(wakes.filter(|_| self.is_asleep()).unwrap_or(0))),
            _ => None,
        };
        let speaks = self.speaks.filter(|_| self.may_speak() && self.sleep.is_none());
        let later = self.later.iter().map(|(at, _)| *at).min();
        [self.script.next(), asks, speaks, wakes, later].into_iter().flatten().min()
    }

    fn may_speak(&self) -> bool {
        matches!(self.asking, Asking::Never | Asking::In)
    }

    /// What it says at this moment.
    pub fn tick(&mut self, now: u64, connected: bool) -> Vec<Said> {
        let mut said = self.turn(now);
        said.extend(self.wake());
        if let Asking::At(at) = self.asking
            && at <= now
            && connected
            && !self.is_asleep()
        {
            self.asking = Asking::At(now + ASK_AGAIN);
            said.extend((!self.is_mute()).then_some(Said::Asks));
        }
        if let (true, Some(at), Mode::Speaks(every) | Mode::Asks(every)) =
            (self.may_speak() && self.sleep.is_none(), self.speaks.filter(|at| *at <= now), self.kind.mode)
        {
            self.speaks = Some(after(at, millis(every), now));
            said.extend(self.speak());
        }
        said
    }

    /// A sleeper that nobody heeds says that it is there.
    fn wake(&mut self) -> Vec<Said> {
        let (Some(sleep), Some(Sleeps { every, awake, .. })) = (&mut self.sleep, self.kind.sleeps) else {
            return Vec::new();
        };
        if sleep.wakes > self.now {
            return Vec::new();
        }
        sleep.wakes = after(sleep.wakes, millis(every), self.now);
        sleep.until = self.now.saturating_add(millis(awake));
        match (self.may_speak() && !self.is_mute(), self.heeded) {
            (true, true) => self.speak(),
            (true, false) => vec![Said::Found],
            (false, _) => Vec::new(),
        }
    }

    fn speak(&mut self) -> Vec<Said> {
        if self.is_mute() || self.switched.off {
            return Vec::new();
        }
        let readable = self.capabilities.points.iter().filter(|point| point.access.reads());
        let readable = readable.filter(|point| self.switched.is_on(&point.path));
        let points: Vec<PointPath> = readable.map(|point| point.path.clone()).collect();
        let answer = self.values(&points);
        self.count += 1;
        let mut said = vec![match answer {
            Answer::Values { values, wrong } => Said::Spoke { values, wrong },
            _ => Said::Garbage,
        }];
        said.extend(self.turn(self.now));
        said
    }
}

/// The next time of a row of times; those that passed are skipped.
fn after(at: u64, every: u64, now: u64) -> u64 {
    let every = every.max(1);
    at.saturating_add(every.saturating_mul(now.saturating_sub(at) / every + 1))
}

fn generators(points: &BTreeMap<PointPath, PointSettings>) -> Result<BTreeMap<PointPath, Generator>, String> {
    let generator = |(path, it): (&PointPath, &PointSettings)| {
        let generator = Generator::new(&it.value, it.kind).map_err(|why| format!("point {path}: {why}"))?;
        Ok((path.clone(), generator))
    };
    points.iter().map(generator).collect()
}
