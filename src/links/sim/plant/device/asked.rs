//! What a device answers, and what it does when it is told to.

use std::time::Duration;

use super::{Later, SimDevice, Sleep, Values};
use crate::links::sim::plant::fault::millis;
use crate::links::sim::plant::misdeed::Misdeed;
use crate::links::sim::plant::parts::{Switched, is_in, named};
use crate::links::sim::plant::settings::Sleeps;
use crate::links::sim::plant::value::{Generator, Wear};
use crate::model::{Component, Name, Operation, Outcome, Part, PointPath, Value};

pub enum Answer {
    Silence,
    Values { values: Values, wrong: bool },
    Garbage,
    Failed(String),
    Done(Outcome),
}

/// An answer and how it is given.
pub struct Reply {
    pub after: Duration,
    pub answer: Answer,
    pub twice: bool,
    /// Under the number of another request.
    pub astray: bool,
}

pub struct Performed {
    pub reached: bool,
    /// It did what it was told, whatever it says.
    pub obeyed: bool,
    /// How long it tells its progress for.
    pub progress: Option<Duration>,
    pub reply: Reply,
}

impl SimDevice {
    /// True where what is said to it reaches it.
    pub(super) fn hears(&self) -> bool {
        !self.suffers(|misdeed| *misdeed == Misdeed::Vanish) && !self.is_asleep() && self.now >= self.restarts
    }

    pub fn read(&mut self, points: &[PointPath]) -> Reply {
        let after = self.delay();
        self.count += u64::from(!self.is_asleep());
        let answer = if self.is_mute() || self.is_asleep() { Answer::Silence } else { self.values(points) };
        self.reply(after, answer)
    }

    /// A silent device obeys all the same: that is why nobody may say that it did not.
    pub fn perform(&mut self, operation: &Operation) -> Performed {
        self.count += u64::from(!self.is_asleep());
        let takes = self.kind.takes.get(&operation.kind()).map_or(Duration::ZERO, |span| span.0);
        let after = self.delay() + takes + self.late();
        if !self.hears() {
            let reply = self.reply(after, Answer::Silence);
            return Performed { reached: false, obeyed: false, progress: None, reply };
        }
        let lies = !operation.kind().only_reads() && self.suffers(|misdeed| *misdeed == Misdeed::Lie);
        let silent = self.suffers(|misdeed| *misdeed == Misdeed::Silent);
        let told = if lies { Ok(claimed(operation)) } else { self.obey(operation, takes) };
        let obeyed = !lies && told.is_ok();
        let answer = match told {
            _ if silent => Answer::Silence,
            _ if self.suffers(|misdeed| *misdeed == Misdeed::Garbage) => Answer::Garbage,
            Ok(values) => Answer::Done(Outcome::Done(values)),
            Err(why) => Answer::Done(Outcome::Failed(why)),
        };
        let speaks = !silent && !matches!(operation, Operation::Restart { part: Part::Device });
        let progress = Some(takes).filter(|takes| speaks && !takes.is_zero());
        Performed { reached: true, obeyed, progress, reply: self.reply(after, answer) }
    }

    fn reply(&self, after: Duration, answer: Answer) -> Reply {
        Reply {
            after,
            answer,
            twice: self.suffers(|misdeed| *misdeed == Misdeed::Twice),
            astray: self.suffers(|misdeed| *misdeed == Misdeed::WrongQuestion),
        }
    }

    fn delay(&self) -> Duration {
        let slow =
            self.script.active().map(|misdeed| if let Misdeed::Slow(by) = misdeed { *by } else { Duration::ZERO });
        self.kind.slow + slow.sum::<Duration>()
    }

    fn late(&self) -> Duration {
        self.script.active().map(|misdeed| if let Misdeed::Late(by) = misdeed { *by } else { Duration::ZERO }).sum()
    }

    /// Of those that are switched on.
    pub(super) fn values(&mut self, points: &[PointPath]) -> Answer {
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
        let up = self.now.saturating_sub(self.restarts) / 1_000;
        let wear = Wear { hours: self.now as f64 / 3_600_000.0, answers: self.count, up };
        let mut values = Vec::with_capacity(points.len());
        for path in points.iter().filter(|path| self.switched.is_on(path)) {
            match self.generators.get_mut(path) {
                Some(generator) => values.push((path.clone(), generator.give(&mut self.chance, wear))),
                None => return Answer::Failed(format!("there is no point {path}")),
            }
        }
        match points.first() {
            Some(path) if values.is_empty() => Answer::Failed(format!("{path} is switched off")),
            _ => Answer::Values { values, wrong: false },
        }
    }

    fn obey(&mut self, operation: &Operation, takes: Duration) -> Result<Values, String> {
        if !self.capabilities.operations.has(operation.kind()) {
            return Err(format!("this device cannot {}", operation.kind()));
        }
        match operation {
            Operation::Read { points } => self.told(points),
            Operation::Write { point, value } => self.write(point, value.clone()),
            Operation::FactoryReset => {
                self.generators.values_mut().for_each(Generator::reset);
                self.switched = Switched::default();
                Ok(Vec::new())
            }
            Operation::Restart { part } => self.restart(part, takes),
            Operation::Activate { part } => self.switch(part, true),
            Operation::Deactivate { part } => self.switch(part, false),
            Operation::PowerMode { mode } => self.power_mode(mode, takes),
            Operation::SoftwareList => Ok(self.software()),
            Operation::Update { image } => {
                let before = firmware().and_then(|name| self.about.versions.get(&name).cloned());
                self.flash(image.to_string(), before, takes)
            }
            Operation::FallBack => {
                let version = self.before.clone().ok_or("there is no firmware to fall back to")?;
                self.flash(version, None, takes)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn told(&mut self, points: &[PointPath]) -> Result<Values, String> {
        self.all_on(points)?;
        match self.values(points) {
            Answer::Values { values, .. } => Ok(values),
            Answer::Failed(why) => Err(why),
            _ => Err("the device answered with nonsense".into()),
        }
    }

    fn all_on(&self, points: &[PointPath]) -> Result<(), String> {
        match points.iter().find(|path| !self.switched.is_on(path)) {
            Some(off) => Err(format!("{off} is switched off")),
            None => Ok(()),
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
        self.all_on(std::slice::from_ref(path))?;
        if let Some(generator) = self.generators.get_mut(path) {
            generator.write(value.clone());
        }
        Ok(vec![(path.clone(), value)])
    }

    fn has(&self, part: &Part) -> Result<(), String> {
        match self.capabilities.has_part(part) {
            true => Ok(()),
            false => Err(format!("there is no {}", named(part))),
        }
    }

    fn restart(&mut self, part: &Part, takes: Duration) -> Result<Values, String> {
        self.has(part)?;
        for (path, generator) in &mut self.generators {
            if is_in(&Component { name: path.component.clone(), instance: path.instance }, part) {
                generator.restart();
            }
        }
        if *part == Part::Device {
            self.restarts = self.now.saturating_add(millis(takes));
        }
        Ok(Vec::new())
    }

    fn switch(&mut self, part: &Part, on: bool) -> Result<Values, String> {
        self.has(part)?;
        self.switched.switch(part, on, &self.capabilities.components());
        Ok(Vec::new())
    }

    fn power_mode(&mut self, mode: &Name, takes: Duration) -> Result<Values, String> {
        let sleeps = self.kind.sleeps.ok_or("this device has no other power mode")?;
        let sleep = match mode.as_str() {
            "sleep" => Some(self.dozes(&sleeps)),
            "normal" => None,
            other => return Err(format!("{other} is no power mode; sleep and normal are")),
        };
        if sleep.is_some() != self.sleep.is_some() {
            self.sleep = sleep;
            let mut changed = (*self.capabilities).clone();
            let Sleeps { every, awake, .. } = sleeps;
            changed.sleeps = sleep.map(|_| crate::model::device::Sleep { every, awake });
            self.capabilities = std::sync::Arc::new(changed);
            self.later.push((self.now.saturating_add(millis(takes)), Later::Changed));
        }
        Ok(Vec::new())
    }

    /// From now on; it stays awake for a while, so that it can answer.
    fn dozes(&self, Sleeps { every, awake, .. }: &Sleeps) -> Sleep {
        Sleep { wakes: self.now.saturating_add(millis(*every)), until: self.now.saturating_add(millis(*awake)) }
    }

    fn software(&self) -> Values {
        let path = |name: &Name| format!("software.{name}").parse::<PointPath>().ok();
        let versions = self.about.versions.iter();
        versions.filter_map(|(name, version)| Some((path(name)?, Value::text(version)))).collect()
    }

    fn flash(&mut self, version: String, before: Option<String>, takes: Duration) -> Result<Values, String> {
        if self.later.iter().any(|(_, later)| matches!(later, Later::Firmware { .. })) {
            return Err("an update is under way".into());
        }
        self.later.push((self.now.saturating_add(millis(takes)), Later::Firmware { version, before }));
        Ok(Vec::new())
    }
}

/// Under which name the version of the firmware stands.
pub(super) fn firmware() -> Option<Name> {
    Name::new("firmware").ok()
}

/// What a liar says that it did.
fn claimed(operation: &Operation) -> Values {
    match operation {
        Operation::Write { point, value } => vec![(point.clone(), value.clone())],
        _ => Vec::new(),
    }
}
