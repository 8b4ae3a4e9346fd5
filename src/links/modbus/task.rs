//! What is written and read for an operation, as the profile of the device maps it.
//!
//! Invariant: all of it is known before the first byte goes out: an operation that cannot be done in full is not begun.

use std::time::Duration;

use super::value::{self, Writing};
use crate::model::device::Capabilities;
use crate::model::operation::Part;
use crate::model::{Name, Operation, PointPath, Value, ValueKind, Wall};
use crate::nearest::nearest;
use crate::profile::Shaped;
use crate::profile::modbus::{Speaks, Spot, Step, Way, clock};

/// One thing after another.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    Write {
        writing: Writing,
        /// This must stand there afterwards.
        read_back: Option<(Spot, Value)>,
    },
    /// Points of the link, to be told in the answer.
    Read(Vec<PointPath>),
    Wait(Duration),
}

/// Why nothing of it is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the profile {profile} says no registers for {what}")]
    Unsupported { profile: Name, what: String },
    #[error("{0}")]
    Wrong(String),
}

/// `given`: what the link says that the device gives. `now`: None while the clock is not set.
pub fn tasks(
    shaped: &Shaped,
    given: &Capabilities,
    operation: &Operation,
    now: Option<Wall>,
) -> Result<Vec<Task>, Refused> {
    let asking = Asking { shaped, given, speaks: shaped.profile.speaks(), now };
    match operation {
        Operation::Read { points } => Ok(vec![Task::Read(points.clone())]),
        Operation::Write { point, value } => Ok(vec![asking.to_point(point, value)?]),
        Operation::ConnectivitySet { settings } => {
            let of = |(name, value)| asking.steps(operation, Some(name), Some(value));
            let tasks: Vec<Vec<Task>> = settings.iter().map(of).collect::<Result<_, _>>()?;
            Ok(tasks.concat())
        }
        Operation::PowerMode { mode } => asking.steps(operation, Some(mode), None),
        Operation::Restart { part } | Operation::Activate { part } | Operation::Deactivate { part } => {
            let part = Some(part).filter(|part| **part != Part::Device).map(ToString::to_string);
            let part = part.map(|part| Name::new(&part)).transpose();
            asking.steps(operation, part.map_err(|bad| Refused::Wrong(bad.to_string()))?.as_ref(), None)
        }
        other => asking.steps(other, None, None),
    }
}

struct Asking<'a> {
    shaped: &'a Shaped,
    given: &'a Capabilities,
    speaks: &'a Speaks,
    now: Option<Wall>,
}

impl Asking<'_> {
    /// Those for what was asked; `value` is what it shall be, where that was asked too.
    fn steps(&self, operation: &Operation, of: Option<&Name>, value: Option<&Value>) -> Result<Vec<Task>, Refused> {
        let steps = self.shaped.profile.operation.get(&operation.kind()).map_or(&[][..], |wanted| &wanted.modbus);
        let mut tasks = Vec::new();
        for step in steps.iter().filter(|step| step.is_for(of)) {
            tasks.push(self.step(step, value)?);
            tasks.extend((step.pause.0 > Duration::ZERO).then_some(Task::Wait(step.pause.0)));
        }
        if !tasks.is_empty() {
            return Ok(tasks);
        }
        let known: Vec<&str> = steps.iter().filter_map(|step| Some(step.r#for.as_ref()?.value.as_str())).collect();
        let meant = of.and_then(|of| nearest(of.as_str(), known)).map(|near| format!("; did you mean {near}?"));
        let of = of.map(|of| format!(" {of}")).unwrap_or_default();
        let what = format!("{}{of}{}", operation.kind(), meant.unwrap_or_default());
        Err(Refused::Unsupported { profile: self.shaped.name.clone(), what })
    }

    fn step(&self, step: &Step, value: Option<&Value>) -> Result<Task, Refused> {
        let value = step.value.as_ref().map(|value| &value.value).or(value);
        match (&step.point, value) {
            _ if !step.read.is_empty() => {
                let raw = step.read.iter().flat_map(|point| self.shaped.raw_of(&point.value)).cloned();
                let mut raw: Vec<PointPath> = raw.collect();
                raw.sort();
                raw.dedup();
                Ok(Task::Read(raw))
            }
            (Some(point), Some(value)) => {
                let (raw, value) = self.shaped.raw_for(self.given, &point.value, value).map_err(Refused::Wrong)?;
                self.to_point(&raw, &value)
            }
            (Some(point), None) => Err(Refused::Wrong(format!("it is not said what {} shall be", point.value))),
            (None, value) => self.to_registers(step, value),
        }
    }

    fn to_point(&self, raw: &PointPath, value: &Value) -> Result<Task, Refused> {
        let spot = self.shaped.profile.spots().remove(raw);
        let spot = spot.ok_or_else(|| Refused::Wrong(format!("{raw} has no registers by the profile")))?;
        let writing = value::write(&spot, value).map_err(|wrong| Refused::Wrong(format!("{raw}: {wrong}")))?;
        Ok(Task::Write { writing, read_back: spot.read_back.then(|| (spot, value.clone())) })
    }

    fn to_registers(&self, step: &Step, value: Option<&Value>) -> Result<Task, Refused> {
        let wrong = |says: &str| Refused::Wrong(says.to_owned());
        let spot = self.speaks.spot(&step.register()).ok_or_else(|| wrong("the step names no register"))?;
        let writing = match value {
            Some(Value::List(items)) => {
                let values: Result<Vec<u16>, Refused> = items.iter().map(|item| self.word(item)).collect();
                Writing::Registers { at: spot.at, values: values? }
            }
            Some(value) => value::write(&spot, value).map_err(|error| Refused::Wrong(error.to_string()))?,
            None if spot.kind() == ValueKind::Time => {
                let now = Value::Time(self.clock()?);
                value::write(&spot, &now).map_err(|error| Refused::Wrong(error.to_string()))?
            }
            None => return Err(wrong("it is not said what is written")),
        };
        Ok(Task::Write { writing: one_by_one(&spot, writing), read_back: None })
    }

    /// A number of 16 bits, or a part of the time.
    fn word(&self, item: &Value) -> Result<u16, Refused> {
        let part = match item {
            Value::Text(word) => clock::Part::read(word),
            _ => None,
        };
        let number = match (part, item.clone().into_kind(ValueKind::Uint)) {
            (Some(part), _) => part.of(&value::in_calendar(self.clock()?).ok_or_else(|| unfit(item))?),
            (None, Ok(Value::Uint(number))) => u16::try_from(number).ok(),
            (None, _) => None,
        };
        number.ok_or_else(|| unfit(item))
    }

    fn clock(&self) -> Result<Wall, Refused> {
        self.now.ok_or_else(|| Refused::Wrong("the clock of the gateway is not set; nobody knows the time".into()))
    }
}

fn unfit(item: &Value) -> Refused {
    Refused::Wrong(format!("{item} does not fit a register"))
}

/// A list of one goes out as one, where nothing else is said.
fn one_by_one(spot: &Spot, writing: Writing) -> Writing {
    match writing {
        Writing::Registers { at, values } if values.len() == 1 && spot.write != Some(Way::Multiple) => {
            Writing::Register { at, value: values[0] }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
