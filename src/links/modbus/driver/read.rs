//! Reading points of a unit: in as few requests as its refusals allow.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio::time::sleep_until;

use super::planned::Way;
use super::{Driver, Unit, When, lock};
use crate::links::modbus::bus::Urgency;
use crate::links::modbus::plan::{self, Block, Bounds, Learnt};
use crate::links::modbus::value::{self, Got, Unread};
use crate::links::modbus::who::Asking;
use crate::links::modbus::wire::{Answer, Exception, Request, Wrong};
use crate::links::mono;
use crate::links::runner::Seen;
use crate::model::reading::BadReason;
use crate::model::{PointPath, Quality, Value};
use crate::profile::modbus::{Spot, Table};

/// What is told instead of a value.
const REFUSED: &str = "the unit says that it has nothing there";
/// What is asked of a unit of which nothing is known.
const SOMETHING: Request = Request::Read { table: Table::Holding, at: 0, count: 1 };

/// A read in which writes got between so often is given up.
const BEGUN_ANEW: u8 = 3;

/// The points of one read, and what came of them.
struct Read<'a> {
    unit: &'a Unit,
    bounds: &'a Bounds,
    way: Arc<Way>,
    left: VecDeque<plan::Request>,
    seen: Vec<Seen>,
    /// How often the unit had been written when this began.
    writes: u64,
}

impl Driver {
    /// What the unit gave of these; of none where it shall only be seen whether it is there. What it refuses is told as
    /// bad. Nothing of it is older than the last write that has ended.
    pub(super) async fn read_points(&self, unit: &Unit, points: &[PointPath], when: When) -> Result<Vec<Seen>, Wrong> {
        let Some(mut read) = Read::of(unit, points) else {
            return self.is_there(unit, &self.asking(when.urgency)).await.map(|()| Vec::new());
        };
        let mut turn = None;
        for _ in 0..BEGUN_ANEW {
            read.begin();
            // A unit of which only bad points are due says nothing of itself.
            if read.left.is_empty() {
                self.is_there(unit, &self.asking(when.urgency)).await?;
            }
            while let Some(request) = read.left.pop_front().filter(|_| read.is_new()) {
                if when.urgency == Urgency::Poll {
                    self.wait_for_turn(unit.no, &mut turn).await;
                }
                read.take(&request, self.ask(unit.no, request.block.asked(), when).await)?;
            }
            if read.is_new() {
                return Ok(read.all());
            }
        }
        Err(Wrong::NotSent("it was written again and again while it was read".into()))
    }

    /// While a unit is not to be asked, others have its turn.
    async fn wait_for_turn<'a>(&'a self, unit: u8, turn: &mut Option<SemaphorePermit<'a>>) {
        while let Some(until) = self.bus.quiet_until(unit) {
            turn.take();
            sleep_until(until).await;
        }
        if turn.is_none() {
            *turn = self.turns.acquire().await.ok();
        }
    }

    /// Whatever it answers, it is there; but for a gateway that says that nobody is.
    pub(super) async fn is_there(&self, unit: &Unit, asking: &Asking<'_>) -> Result<(), Wrong> {
        let first = unit.kind.as_ref().and_then(|kind| kind.spots.values().next());
        let asked = first.map_or(SOMETHING, |spot| Block::of(spot).asked());
        match asking.ask(unit.no, asked).await {
            Ok(_) => Ok(()),
            Err(Wrong::Exception(exception)) if !exception.is_of_gateway() => Ok(()),
            Err(wrong) => Err(wrong),
        }
    }
}

impl<'a> Read<'a> {
    /// None: its profile says of none of these where they stand.
    fn of(unit: &'a Unit, points: &[PointPath]) -> Option<Read<'a>> {
        let kind = unit.kind.as_deref()?;
        let way = kind.way(points);
        let (left, seen) = (VecDeque::new(), Vec::new());
        (!way.wanted.is_empty()).then_some(Read { unit, bounds: &kind.bounds, way, left, seen, writes: 0 })
    }

    fn begin(&mut self) {
        self.writes = self.unit.writes();
        self.seen.clear();
        let blocks = lock(&self.unit.blocks);
        self.left = match blocks.knows_nothing() {
            true => self.way.requests.clone().into(),
            false => blocks.plan(&self.way.spots, self.bounds, mono()).requests.into(),
        };
    }

    /// Nothing was written since it began.
    fn is_new(&self) -> bool {
        self.writes == self.unit.writes()
    }

    fn take(&mut self, request: &plan::Request, answered: Result<Answer, Wrong>) -> Result<(), Wrong> {
        let learnt = match answered {
            Ok(answer) => {
                let taken = |place: &usize| taken(self.way.wanted.get(*place)?, request, &answer);
                self.seen.extend(request.points.iter().filter_map(taken));
                lock(&self.unit.blocks).answered(request)
            }
            Err(Wrong::Exception(exception)) if exception.is_of_address() => {
                lock(&self.unit.blocks).refused(request, &self.way.spots, mono())
            }
            Err(Wrong::Exception(exception)) if !exception.is_of_gateway() => {
                self.says_no(request, exception);
                Learnt::Nothing
            }
            // What it gave before it gave nothing more is worth having.
            Err(_) if !self.seen.is_empty() => {
                self.left.clear();
                Learnt::Nothing
            }
            Err(wrong) => return Err(wrong),
        };
        self.learn(learnt);
        Ok(())
    }

    /// It is there, and gives these another time. One that is busy is left alone until then.
    fn says_no(&mut self, request: &plan::Request, exception: Exception) {
        let bad = |place: &usize| Some(bad(&self.way.wanted.get(*place)?.0, &exception.to_string()));
        self.seen.extend(request.points.iter().filter_map(bad));
        if matches!(exception, Exception::Busy | Exception::Acknowledge) {
            self.left.clear();
        }
    }

    fn learn(&mut self, learnt: Learnt) {
        match learnt {
            Learnt::Halves(halves) => halves.into_iter().rev().for_each(|half| self.left.push_front(half)),
            Learnt::Bad(places) => told(self.unit, &self.way.wanted, &places, "has no register there, it says"),
            Learnt::Back(places) => told(self.unit, &self.way.wanted, &places, "gives it again"),
            Learnt::Nothing => {}
        }
    }

    /// With those that the unit refuses, asked for this time or not.
    fn all(mut self) -> Vec<Seen> {
        let blocks = lock(&self.unit.blocks);
        let refused = self.way.wanted.iter().filter(|(_, spot)| blocks.is_bad(spot));
        self.seen.extend(refused.map(|(path, _)| bad(path, REFUSED)));
        self.seen
    }
}

fn bad(path: &PointPath, why: &str) -> Seen {
    let quality = Quality::Bad(BadReason::DeviceSays);
    Seen { path: path.clone(), value: Value::text(why), quality, source: None }
}

fn told(unit: &Unit, wanted: &[(PointPath, Spot)], places: &[usize], what: &str) {
    for (path, spot) in places.iter().filter_map(|place| wanted.get(*place)) {
        tracing::warn!(unit = unit.no, point = %path, register = %format_args!("{} {}", spot.table.name(), spot.at), "the unit {what}");
    }
}

/// The bus lets no answer of another length through.
pub(super) fn read_from(spot: &Spot, answer: &Answer, part: Range<usize>) -> Result<Value, Unread> {
    let got = match answer {
        Answer::Bits(bits) => Got::Bits(bits.get(part).unwrap_or_default()),
        Answer::Words(words) => Got::Words(words.get(part).unwrap_or_default()),
        _ => Got::Words(&[]),
    };
    value::read(spot, got)
}

fn taken((path, spot): &(PointPath, Spot), request: &plan::Request, answer: &Answer) -> Option<Seen> {
    let (value, quality) = match read_from(spot, answer, request.block.part(spot)?) {
        Ok(value) => (value, Quality::Good),
        Err(unread) => (Value::text(&unread.to_string()), Quality::Bad(BadReason::WrongType)),
    };
    Some(Seen { path: path.clone(), value, quality, source: None })
}
