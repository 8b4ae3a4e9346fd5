//! One simulated device: what it answers, what it says unasked. Pure; times are milliseconds since the plant's start, so
//! tests use the same devices without a socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fault::{Script, Turn, millis};
use super::settings::{Kind, Misdeed, Mode, PointSettings, capabilities};
use super::value::Generator;
use crate::links::chance::Chance;
use crate::model::order::Verdict;
use crate::model::{Address, Capabilities, Identity, Operation, Outcome, PointPath, Sighting, Value};

/// A device that gets no answer asks again after this time.
const ASK_AGAIN: u64 = 5_000;

pub type Values = Vec<(PointPath, Value)>;

pub struct SimDevice {
    pub address: Address,
    identities: Vec<Identity>,
    kind: Arc<Kind>,
    capabilities: Arc<Capabilities>,
    generators: BTreeMap<PointPath, Generator>,
    chance: Chance,
    script: Script,
    /// Requests and readings so far.
    count: u64,
    asking: Asking,
    /// When it speaks next; none while nobody heeds it.
    speaks: Option<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Asking {
    /// It need not.
    Never,
    At(u64),
    In,
    Refused,
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

pub enum Answer {
    Silence,
    Values { values: Values, wrong: bool },
    Garbage,
    Failed(String),
    Done(Outcome),
}

/// An answer and how long it takes.
pub struct Reply {
    pub after: Duration,
    pub answer: Answer,
}

impl SimDevice {
    pub fn new(
        name: &str,
        kind: &Arc<Kind>,
        capabilities: &Arc<Capabilities>,
        n: u32,
        seed: u64,
    ) -> Result<SimDevice, String> {
        let address = kind.address_of(name, n).map_err(|e| e.to_string())?;
        let identities = kind.identities_of(&address, n).map_err(|e| e.to_string())?;
        let faults = kind.fault.iter().filter(|fault| fault.only.is_none_or(|only| only == n));
        Ok(SimDevice {
            identities,
            generators: generators(&kind.point)?,
            chance: Chance::of(seed, address.as_str()),
            script: Script::new(faults.cloned().map(Arc::new)),
            count: 0,
            asking: if matches!(kind.mode, Mode::Asks(_)) { Asking::At(0) } else { Asking::Never },
            speaks: None,
            capabilities: capabilities.clone(),
            kind: kind.clone(),
            address,
        })
    }

    pub fn serial(&self) -> &str {
        self.identities.first().map_or("", |identity| identity.value.as_str())
    }

    pub fn capabilities(&self) -> Arc<Capabilities> {
        self.capabilities.clone()
    }

    pub fn sighting(&self) -> Sighting {
        Sighting {
            address: self.address.clone(),
            identities: self.identities.clone(),
            capabilities: Some(self.capabilities.clone()),
            about: None,
        }
    }

    /// Answers to a look-round: who must ask first does not.
    pub fn is_found(&self) -> bool {
        self.may_speak() && !self.suffers(|misdeed| matches!(misdeed, Misdeed::Silent | Misdeed::Vanish))
    }

    fn suffers(&self, what: impl Fn(&Misdeed) -> bool) -> bool {
        self.script.active().any(what)
    }

    /// Somebody connected: whoever has to, asks to be let in.
    pub fn connected(&mut self, now: u64) {
        if let Asking::At(_) = self.asking {
            self.asking = Asking::At(now + self.chance.draw() % 500);
        }
    }

    pub fn disconnected(&mut self) {
        self.speaks = None;
    }

    /// Somebody listens to it from now on.
    pub fn heeded(&mut self, now: u64) {
        if let (None, Mode::Speaks(every) | Mode::Asks(every)) = (self.speaks, self.kind.mode) {
            self.speaks = Some(now.saturating_add(1 + self.chance.draw() % millis(every).max(1)));
        }
    }

    pub fn answered(&mut self, now: u64, verdict: Verdict, wait: Option<Duration>) {
        self.asking = match (verdict, wait) {
            (Verdict::Accepted, _) => Asking::In,
            (Verdict::Refused, None) => Asking::Refused,
            (Verdict::Refused | Verdict::Later, wait) => Asking::At(now.saturating_add(wait.map_or(ASK_AGAIN, millis))),
        };
    }

    /// When it has something to do.
    pub fn next(&self, connected: bool) -> Option<u64> {
        let asks = match self.asking {
            Asking::At(at) if connected => Some(at),
            _ => None,
        };
        [self.script.next(), asks, self.speaks.filter(|_| self.may_speak())].into_iter().flatten().min()
    }

    fn may_speak(&self) -> bool {
        matches!(self.asking, Asking::Never | Asking::In)
    }

    /// What it says at this moment.
    pub fn tick(&mut self, now: u64, connected: bool) -> Vec<Said> {
        let mut said = self.turn(now);
        let mute = self.suffers(|misdeed| matches!(misdeed, Misdeed::Silent | Misdeed::Vanish));
        if let Asking::At(at) = self.asking
            && at <= now
            && connected
        {
            self.asking = Asking::At(now + ASK_AGAIN);
            said.extend((!mute).then_some(Said::Asks));
        }
        if let (true, Some(at), Mode::Speaks(every) | Mode::Asks(every)) =
            (self.may_speak(), self.speaks.filter(|at| *at <= now), self.kind.mode)
        {
            // Times that passed are skipped.
            let every = millis(every).max(1);
            self.speaks = Some(at.saturating_add(every.saturating_mul((now - at) / every + 1)));
            if !mute {
                said.extend(self.speak(now));
            }
        }
        said
    }

    fn speak(&mut self, now: u64) -> Vec<Said> {
        let readable = self.capabilities.points.iter().filter(|point| point.access.reads());
        let points: Vec<PointPath> = readable.map(|point| point.path.clone()).collect();
        let answer = self.values(&points);
        self.count += 1;
        let mut said = vec![match answer {
            Answer::Values { values, wrong } => Said::Spoke { values, wrong },
            _ => Said::Garbage,
        }];
        said.extend(self.turn(now));
        said
    }

    /// Faults that begin or end now, and what they make it say.
    pub fn turn(&mut self, now: u64) -> Vec<Said> {
        let mut said = Vec::new();
        for turn in self.script.advance(now, self.count) {
            match &turn.fault.what {
                Misdeed::Vanish => said.push(if turn.begun { Said::Gone } else { self.back(now) }),
                Misdeed::Change { without, with } => {
                    let mut points = self.kind.point.clone();
                    if turn.begun {
                        points.retain(|path, _| !without.contains(&path.component));
                        points.extend(with.clone());
                    }
                    self.capabilities = Arc::new(capabilities(&points, &self.kind.operations));
                    // Checked when the plant was read.
                    self.generators = generators(&points).unwrap_or_default();
                    said.push(Said::Changed);
                }
                _ => {}
            }
            said.push(Said::Turn(turn));
        }
        said
    }

    fn back(&mut self, now: u64) -> Said {
        match self.kind.mode {
            Mode::Asks(_) => {
                self.asking = Asking::At(now + ASK_AGAIN);
                Said::Asks
            }
            _ => Said::Found,
        }
    }

    fn delay(&self) -> Duration {
        let slow =
            self.script.active().map(|misdeed| if let Misdeed::Slow(by) = misdeed { *by } else { Duration::ZERO });
        self.kind.slow + slow.sum::<Duration>()
    }

    pub fn read(&mut self, points: &[PointPath]) -> Reply {
        let after = self.delay();
        self.count += 1;
        let mute = self.suffers(|misdeed| matches!(misdeed, Misdeed::Silent | Misdeed::Vanish));
        Reply { after, answer: if mute { Answer::Silence } else { self.values(points) } }
    }

    fn values(&mut self, points: &[PointPath]) -> Answer {
        if self.suffers(|misdeed| *misdeed == Misdeed::Garbage) {
            return Answer::Garbage;
        }
        if self.suffers(|misdeed| *misdeed == Misdeed::OtherPoint) {
            let other = "other.0.point".parse().map(|path| (path, Value::Int(1)));
            return Answer::Values { values: other.into_iter().collect(), wrong: true };
        }
        if self.suffers(|misdeed| *misdeed == Misdeed::WrongType) {
            let wrong = points.iter().map(|path| (path.clone(), Value::text("wrong"))).collect();
            return Answer::Values { values: wrong, wrong: true };
        }
        let mut values = Vec::with_capacity(points.len());
        for path in points {
            match self.generators.get_mut(path) {
                Some(generator) => values.push((path.clone(), generator.give(&mut self.chance))),
                None => return Answer::Failed(format!("there is no point {path}")),
            }
        }
        Answer::Values { values, wrong: false }
    }

    /// True where an order reaches the device.
    pub fn is_there(&self) -> bool {
        !self.suffers(|misdeed| *misdeed == Misdeed::Vanish)
    }

    /// A silent device obeys all the same: that is why nobody may say that it did not.
    pub fn perform(&mut self, operation: &Operation) -> Reply {
        self.count += 1;
        let takes = self.kind.takes.get(&operation.kind()).map_or(Duration::ZERO, |span| span.0);
        let after = self.delay() + takes;
        if !self.is_there() {
            return Reply { after, answer: Answer::Silence };
        }
        let outcome = match self.obey(operation) {
            Ok(values) => Outcome::Done(values),
            Err(why) => Outcome::Failed(why),
        };
        let answer = match self.suffers(|misdeed| *misdeed == Misdeed::Silent) {
            true => Answer::Silence,
            false if self.suffers(|misdeed| *misdeed == Misdeed::Garbage) => Answer::Garbage,
            false => Answer::Done(outcome),
        };
        Reply { after, answer }
    }

    /// How long it tells its progress for.
    pub fn takes(&self, operation: &Operation) -> Option<Duration> {
        self.kind.takes.get(&operation.kind()).map(|span| span.0)
    }

    fn obey(&mut self, operation: &Operation) -> Result<Values, String> {
        if !self.capabilities.operations.has(operation.kind()) {
            return Err(format!("this device cannot {}", operation.kind()));
        }
        match operation {
            Operation::Read { points } => match self.values(points) {
                Answer::Values { values, .. } => Ok(values),
                Answer::Failed(why) => Err(why),
                _ => Err("the device answered with nonsense".into()),
            },
            Operation::Write { point, value } => self.write(point, value.clone()),
            Operation::FactoryReset => {
                self.generators.values_mut().for_each(Generator::reset);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn write(&mut self, path: &PointPath, value: Value) -> Result<Values, String> {
        let point = self.capabilities.point(path).ok_or_else(|| format!("there is no point {path}"))?;
        if !point.access.writes() {
            return Err(format!("{path} cannot be written"));
        }
        let value = value.into_kind(point.kind).map_err(|e| e.to_string())?;
        let fits = |x| point.limits.as_ref().is_none_or(|limits| limits.allow(x));
        if !value.number().is_none_or(fits) {
            return Err(format!("{value} is outside the limits of {path}"));
        }
        if let Some(generator) = self.generators.get_mut(path) {
            generator.write(value.clone());
        }
        Ok(vec![(path.clone(), value)])
    }
}

fn generators(points: &BTreeMap<PointPath, PointSettings>) -> Result<BTreeMap<PointPath, Generator>, String> {
    let generator = |(path, it): (&PointPath, &PointSettings)| {
        let generator = Generator::new(&it.value, it.kind).map_err(|why| format!("point {path}: {why}"))?;
        Ok((path.clone(), generator))
    };
    points.iter().map(generator).collect()
}
