//! Carrying out an operation: step by step as the profile maps it.

use tokio::time::{Instant, sleep};

use super::read::read_from;
use super::{Driver, Unit, When};
use crate::links::modbus::bus::Urgency;
use crate::links::modbus::plan::Block;
use crate::links::modbus::task::{self, Task};
use crate::links::modbus::value::{self, Got, Writing};
use crate::links::modbus::wire::{Answer, Exception, Request, Wrong};
use crate::model::{Operation, Outcome, PointPath, Quality, Value};
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

/// One operation of a unit, on its way.
struct Errand<'a> {
    driver: &'a Driver,
    unit: &'a Unit,
    when: When,
    values: Vec<(PointPath, Value)>,
    wrote: bool,
}

impl Driver {
    pub(super) async fn carry_out(&self, unit: &Unit, operation: &Operation, deadline: Instant) -> Outcome {
        let Some(kind) = &unit.kind else {
            return Outcome::NotSent("the device has no profile that says which registers it has".into());
        };
        let tasks = match task::tasks(&kind.shaped, &kind.given, operation, (self.readers.wall)()) {
            Ok(tasks) => tasks,
            Err(refused) => return Outcome::Failed(refused.to_string()),
        };
        let when = When { urgency: Urgency::Command, until: Some(deadline) };
        let mut errand = Errand { driver: self, unit, when, values: Vec::new(), wrote: false };
        for task in tasks {
            if let Err(stop) = errand.task(task).await {
                return outcome(stop, errand.wrote);
            }
        }
        Outcome::Done(errand.values)
    }
}

impl Errand<'_> {
    async fn task(&mut self, task: Task) -> Result<(), Stop> {
        match task {
            Task::Wait(time) => {
                sleep(time).await;
                Ok(())
            }
            Task::Read(points) => self.told(&points).await,
            Task::Write { writing, read_back } => self.write(writing, read_back).await,
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, Wrong> {
        self.driver.ask(self.unit.no, request, self.when).await
    }

    /// All of them, or none.
    async fn told(&mut self, points: &[PointPath]) -> Result<(), Stop> {
        let seen = self.driver.read_points(self.unit, points, self.when).await?;
        if let Some(missing) = points.iter().find(|point| !seen.iter().any(|seen| seen.path == **point)) {
            return Err(Stop::Differs(format!("the unit does not give {missing}")));
        }
        if let Some(bad) = seen.iter().find(|seen| matches!(seen.quality, Quality::Bad(_))) {
            return Err(Stop::Differs(format!("the unit does not give {}: {}", bad.path, bad.value)));
        }
        self.values.extend(seen.into_iter().map(|seen| (seen.path, seen.value)));
        Ok(())
    }

    async fn write(&mut self, writing: Writing, read_back: Option<(Spot, Value)>) -> Result<(), Stop> {
        let writing = match &writing {
            Writing::Change { at, bits, .. } => {
                let before = Block { table: Table::Holding, at: *at, count: bits.len() as u16 };
                match self.ask(before.asked()).await? {
                    Answer::Words(before) => writing.over(&before),
                    _ => None,
                }
            }
            _ => Some(writing),
        };
        let Some(asked) = writing.and_then(request) else {
            return Err(Stop::Differs("the unit answered with something else than its registers".into()));
        };
        // Whatever came of it: what was read before it, or beside it, may be old.
        self.unit.is_written();
        let written = self.ask(asked).await;
        self.unit.is_written();
        written.map_err(Stop::Writing)?;
        self.wrote = true;
        match read_back {
            Some((spot, value)) => self.stands(&spot, &value).await,
            None => Ok(()),
        }
    }

    async fn stands(&self, spot: &Spot, wanted: &Value) -> Result<(), Stop> {
        let answer = self.ask(Block::of(spot).asked()).await?;
        let as_written = as_written(spot, wanted);
        match read_from(spot, &answer, 0..usize::from(spot.count)) {
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
