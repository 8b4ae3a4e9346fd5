//! Carrying out an operation: step by step as the profile maps it.

use tokio::time::sleep;

use super::{Driver, Unit};
use crate::links::modbus::bus::Urgency;
use crate::links::modbus::plan::Block;
use crate::links::modbus::task::{self, Task};
use crate::links::modbus::value::{self, Got, Writing};
use crate::links::modbus::wire::{Answer, Exception, Request, Wrong};
use crate::model::{Operation, Outcome, PointPath, Value};
use crate::profile::modbus::{Spot, Table};

/// Why an operation stopped.
enum Stop {
    /// Nothing was to be changed by what went wrong.
    Wrong(Wrong),
    /// A request that writes.
    Writing(Wrong),
    /// What was written does not stand there.
    Differs(String),
}

impl From<Wrong> for Stop {
    fn from(wrong: Wrong) -> Stop {
        Stop::Wrong(wrong)
    }
}

impl Driver {
    pub(super) async fn carry_out(&self, unit: &Unit, operation: &Operation) -> Outcome {
        let Some(kind) = &unit.kind else {
            return Outcome::NotSent("the device has no profile that says which registers it has".into());
        };
        let tasks = match task::tasks(&kind.shaped, &kind.given, operation, (self.readers.wall)()) {
            Ok(tasks) => tasks,
            Err(refused) => return Outcome::Failed(refused.to_string()),
        };
        let (mut values, mut wrote) = (Vec::new(), false);
        for task in tasks {
            let stopped = match task {
                Task::Wait(time) => {
                    sleep(time).await;
                    continue;
                }
                Task::Read(points) => self.told(unit, &points, &mut values).await,
                Task::Write { writing, read_back } => self.write(unit, writing, read_back, &mut wrote).await,
            };
            if let Err(stop) = stopped {
                return outcome(stop, wrote);
            }
        }
        Outcome::Done(values)
    }

    async fn told(&self, unit: &Unit, points: &[PointPath], to: &mut Vec<(PointPath, Value)>) -> Result<(), Stop> {
        let seen = self.read_points(unit, points, Urgency::Command).await?;
        if let Some(missing) = points.iter().find(|point| !seen.iter().any(|seen| seen.path == **point)) {
            return Err(Stop::Differs(format!("the unit does not give {missing}")));
        }
        to.extend(seen.into_iter().map(|seen| (seen.path, seen.value)));
        Ok(())
    }

    async fn write(
        &self,
        unit: &Unit,
        writing: Writing,
        read_back: Option<(Spot, Value)>,
        wrote: &mut bool,
    ) -> Result<(), Stop> {
        let writing = match &writing {
            Writing::Change { at, bits, .. } => {
                let before = Block { table: Table::Holding, at: *at, count: bits.len() as u16 };
                match self.ask(unit.no, before.asked(), Urgency::Command).await? {
                    Answer::Words(before) => writing.over(&before),
                    _ => None,
                }
            }
            _ => Some(writing),
        };
        let Some(asked) = writing.and_then(request) else {
            return Err(Stop::Differs("the unit answered with something else than its registers".into()));
        };
        self.ask(unit.no, asked, Urgency::Command).await.map_err(Stop::Writing)?;
        *wrote = true;
        match read_back {
            Some((spot, value)) => self.stands(unit, &spot, &value).await,
            None => Ok(()),
        }
    }

    async fn stands(&self, unit: &Unit, spot: &Spot, wanted: &Value) -> Result<(), Stop> {
        let read = self.value_at(unit.no, spot, Urgency::Command).await?;
        let as_written = as_written(spot, wanted);
        match read {
            Ok(read) if read == as_written => Ok(()),
            Ok(read) => Err(Stop::Differs(format!("{wanted} was written, and {read} stands there afterwards"))),
            Err(unread) => Err(Stop::Differs(format!("{wanted} was written, and afterwards {unread}"))),
        }
    }
}

/// What reads back where this was written: registers hold less of some values than was said.
fn as_written(spot: &Spot, wanted: &Value) -> Value {
    let read = match value::write(spot, wanted) {
        Ok(Writing::Register { value, .. }) => value::read(spot, Got::Words(&[value])),
        Ok(Writing::Registers { values, .. }) => value::read(spot, Got::Words(&values)),
        // Bits and whole numbers stand there as they were said.
        _ => return wanted.clone().into_kind(spot.kind()).unwrap_or_else(|_| wanted.clone()),
    };
    read.unwrap_or_else(|_| wanted.clone())
}

/// None: it takes another request first.
fn request(writing: Writing) -> Option<Request> {
    Some(match writing {
        Writing::Coil { at, on } => Request::WriteCoil { at, on },
        Writing::Coils { at, on } => Request::WriteCoils { at, on },
        Writing::Register { at, value } => Request::WriteRegister { at, value },
        Writing::Registers { at, values } => Request::WriteRegisters { at, values },
        Writing::Mask { at, and, or } => Request::MaskWrite { at, and, or },
        Writing::Change { .. } => return None,
    })
}

/// What may have been written is never said not to have been.
fn outcome(stop: Stop, wrote: bool) -> Outcome {
    let done = |why: String| match wrote {
        true => format!("a part of it is done; then: {why}"),
        false => why,
    };
    let (wrong, writes) = match stop {
        Stop::Wrong(wrong) => (wrong, false),
        Stop::Writing(wrong) => (wrong, true),
        Stop::Differs(why) => return Outcome::Failed(done(why)),
    };
    let says = wrong.to_string();
    match wrong {
        Wrong::NotSent(why) if !wrote => Outcome::NotSent(why),
        Wrong::Exception(Exception::NoPath) if writes && !wrote => Outcome::NotSent(says),
        // It was passed on, or taken: what came of it nobody has said.
        Wrong::Exception(Exception::NoAnswer | Exception::Acknowledge) if writes => Outcome::Lost(done(says)),
        // The unit is not there: it has said nothing.
        Wrong::Exception(exception) if !writes && exception.is_of_gateway() => Outcome::Lost(done(says)),
        Wrong::Exception(_) | Wrong::NotSent(_) => Outcome::Failed(done(says)),
        _ => Outcome::Lost(done(says)),
    }
}
