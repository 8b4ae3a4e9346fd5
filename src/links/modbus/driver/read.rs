//! Reading points of a unit: in as few requests as its refusals allow.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Driver, Kind, Unit, lock};
use crate::links::modbus::bus::Urgency;
use crate::links::modbus::plan::{self, Block, Learnt};
use crate::links::modbus::value::{self, Got, Unread};
use crate::links::modbus::wire::{Answer, Exception, Request, Wrong};
use crate::links::mono;
use crate::links::runner::Seen;
use crate::model::reading::BadReason;
use crate::model::{PointPath, Quality, Value};
use crate::profile::modbus::{Spot, Table};

/// What is asked of a unit of which nothing is known.
const SOMETHING: Request = Request::Read { table: Table::Holding, at: 0, count: 1 };

impl Driver {
    /// What the unit gave of these; of none where it shall only be seen whether it is there.
    pub(super) async fn read_points(
        &self,
        unit: &Unit,
        points: &[PointPath],
        urgency: Urgency,
    ) -> Result<Vec<Seen>, Wrong> {
        let of = |kind: &Kind| points.iter().filter_map(|path| Some((path.clone(), *kind.spots.get(path)?))).collect();
        let wanted: Vec<(PointPath, Spot)> = unit.kind.as_deref().map(of).unwrap_or_default();
        let Some(kind) = unit.kind.as_ref().filter(|_| !wanted.is_empty()) else {
            return self.is_there(unit, urgency).await.map(|()| Vec::new());
        };
        let spots: Vec<Spot> = wanted.iter().map(|(_, spot)| *spot).collect();
        let mut left: VecDeque<plan::Request> =
            lock(&unit.blocks).plan(&spots, &kind.bounds, mono()).requests.into_iter().collect();
        let mut seen = Vec::new();
        while let Some(request) = left.pop_front() {
            let learnt = match self.ask(unit.no, request.block.asked(), urgency).await {
                Ok(answer) => {
                    seen.extend(request.points.iter().filter_map(|place| taken(&wanted[*place], &request, &answer)));
                    lock(&unit.blocks).answered(&request)
                }
                Err(Wrong::Exception(Exception::IllegalAddress | Exception::IllegalValue)) => {
                    lock(&unit.blocks).refused(&request, &spots, mono())
                }
                // What it gave before it gave nothing more is worth having.
                Err(_) if !seen.is_empty() => break,
                Err(wrong) => return Err(wrong),
            };
            match learnt {
                Learnt::Halves(halves) => halves.into_iter().rev().for_each(|half| left.push_front(half)),
                Learnt::Bad(places) => told(unit, &wanted, &places, "has no register there, it says"),
                Learnt::Back(places) => told(unit, &wanted, &places, "gives it again"),
                Learnt::Nothing => {}
            }
        }
        Ok(seen)
    }

    /// What stands in one spot, or why what stands there is no value of it.
    pub(super) async fn value_at(&self, no: u8, spot: &Spot, urgency: Urgency) -> Result<Result<Value, Unread>, Wrong> {
        let answer = self.ask(no, Block::of(spot).asked(), urgency).await?;
        Ok(read_from(spot, &answer, 0..usize::from(spot.count)))
    }

    /// Whatever it answers, it is there; but for a gateway that says that nobody is.
    pub(super) async fn is_there(&self, unit: &Unit, urgency: Urgency) -> Result<(), Wrong> {
        let first = unit.kind.as_ref().and_then(|kind| kind.spots.values().next());
        let asked = first.map_or(SOMETHING, |spot| Block::of(spot).asked());
        match self.ask(unit.no, asked, urgency).await {
            Ok(_) => Ok(()),
            Err(Wrong::Exception(exception)) if !exception.is_of_gateway() => Ok(()),
            Err(wrong) => Err(wrong),
        }
    }
}

fn told(unit: &Unit, wanted: &[(PointPath, Spot)], places: &[usize], what: &str) {
    for (path, spot) in places.iter().filter_map(|place| wanted.get(*place)) {
        tracing::warn!(unit = unit.no, point = %path, register = %format_args!("{} {}", spot.table.name(), spot.at), "the unit {what}");
    }
}

/// The bus lets no answer of another length through.
fn read_from(spot: &Spot, answer: &Answer, part: Range<usize>) -> Result<Value, Unread> {
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
