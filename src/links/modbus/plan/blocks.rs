//! What was learnt of one device from its refusals: points that it does not know, and registers that it does not give
//! together.
//!
//! A request that is refused is parted in two, and each half is asked for; so is a half that is refused again. A half of one
//! value that is refused is bad: it is asked for by itself from then on, more and more rarely, and nothing reads over it.
//! What both halves give, but not together, stays parted. Where a bad value is found, partings that came on the way to it are
//! forgotten: they were its fault. A parting is forgotten after an hour too, for a refusal may have had another reason.
//!
//! Invariant: each refusal parts something further or finds something bad, so a device that refuses everything is asked for
//! each value once and then left alone.

use std::collections::BTreeMap;

use super::{Block, Bounds, Plan, Request, requests};
use crate::model::Mono;
use crate::profile::modbus::{MOST_BITS, Spot, Table};

/// A bad value is asked for again after this time, then after twice as long each time.
const FIRST_PAUSE: u64 = 60_000;
const LONGEST_PAUSE: u64 = 3_600_000;
/// So long a parting holds.
const CUT_FOR: u64 = 3_600_000;
/// Partings that are remembered; beyond these the oldest is forgotten, and found again if it matters.
const MOST_CUTS: usize = 1_024;

/// What an answer or a refusal has shown, by the places of points among those that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learnt {
    Nothing,
    /// Ask for these instead, at once.
    Halves(Vec<Request>),
    /// The device refuses these by themselves.
    Bad(Vec<usize>),
    /// It gives these again.
    Back(Vec<usize>),
}

#[derive(Clone, Debug, Default)]
pub struct Blocks {
    bad: BTreeMap<Block, Bad>,
    cuts: Vec<Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Bad {
    refusals: u32,
    again: Mono,
}

/// The registers on both sides are not read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    table: Table,
    before: u16,
    behind: u16,
    /// What was refused.
    of: Block,
    until: Mono,
}

impl Blocks {
    /// The fewest requests are those of [`requests`].
    pub fn knows_nothing(&self) -> bool {
        self.bad.is_empty() && self.cuts.is_empty()
    }

    /// The fewest requests by what is known. What is bad is left out until its time has come, and then asked for by itself.
    pub fn plan(&self, spots: &[Spot], bounds: &Bounds, now: Mono) -> Plan {
        if self.knows_nothing() {
            return requests(spots, bounds);
        }
        let cuts = self.cuts.iter().filter(|cut| cut.until > now).map(|cut| (cut.table, cut.before, cut.behind));
        let mut plan = requests(spots, &bounds.without(cuts, self.bad.keys().copied()));
        let mut alone: BTreeMap<Block, Vec<usize>> = BTreeMap::new();
        plan.left_out.retain(|place| {
            let block = Block::of(&spots[*place]);
            let Some((bad, _)) = self.bad_at(&block).find(|(_, bad)| bad.again <= now) else { return true };
            alone.entry(if bad.has(&block) { *bad } else { block }).or_default().push(*place);
            false
        });
        plan.requests.extend(alone.into_iter().map(|(block, points)| Request { block, points }));
        plan
    }

    /// Whether the device is known to refuse it.
    pub fn is_bad(&self, spot: &Spot) -> bool {
        self.bad_at(&Block::of(spot)).next().is_some()
    }

    fn bad_at(&self, block: &Block) -> impl Iterator<Item = (&Block, &Bad)> {
        let from = Block { at: block.at.saturating_sub(MOST_BITS), count: 0, ..*block };
        let near =
            self.bad.range(from..).take_while(|(bad, _)| bad.table == block.table && u32::from(bad.at) < block.end());
        near.filter(|(bad, _)| bad.meets(block))
    }

    /// It was answered with an exception that says: no such register (2), or no such value (3).
    pub fn refused(&mut self, request: &Request, spots: &[Spot], now: Mono) -> Learnt {
        let mut of: Vec<(usize, Spot)> = request.points.iter().map(|place| (*place, spots[*place])).collect();
        of.sort_unstable_by_key(|(place, spot)| (spot.at, std::cmp::Reverse(spot.count), *place));
        let Some(middle) = middle(&of) else { return self.found(request, now) };
        let (left, right) = of.split_at(middle);
        let (left, right) = (around(request.block.table, left), around(request.block.table, right));
        self.cuts.retain(|cut| cut.until > now);
        if self.cuts.len() == MOST_CUTS {
            self.cuts.remove(0);
        }
        let (before, until) = ((left.block.end() - 1) as u16, Mono(now.0.saturating_add(CUT_FOR)));
        self.cuts.push(Cut { table: request.block.table, before, behind: right.block.at, of: request.block, until });
        Learnt::Halves(vec![left, right])
    }

    fn found(&mut self, request: &Request, now: Mono) -> Learnt {
        let block = request.block;
        self.cuts.retain(|cut| !cut.of.has(&block));
        let before = self.bad.get(&block).map_or(0, |bad| bad.refusals);
        let pause = FIRST_PAUSE.saturating_mul(1 << before.min(16)).min(LONGEST_PAUSE);
        let again = Mono(now.0.saturating_add(pause));
        self.bad.insert(block, Bad { refusals: before.saturating_add(1), again });
        if before == 0 { Learnt::Bad(request.points.clone()) } else { Learnt::Nothing }
    }

    /// It was answered as it should.
    pub fn answered(&mut self, request: &Request) -> Learnt {
        let before = self.bad.len();
        self.bad.retain(|bad, _| !request.block.has(bad));
        if self.bad.len() < before { Learnt::Back(request.points.clone()) } else { Learnt::Nothing }
    }
}

fn around(table: Table, of: &[(usize, Spot)]) -> Request {
    let at = of.iter().map(|(_, spot)| spot.at).min().unwrap_or(0);
    let end = of.iter().map(|(_, spot)| spot.end()).max().unwrap_or(0);
    let points = of.iter().map(|(place, _)| *place).collect();
    Request { block: Block { table, at, count: (end - u32::from(at)) as u16 }, points }
}

/// Where to part them: nearest to the middle, and rather at a gap, for what is missing there is the usual reason. None:
/// each of them shares registers with the others.
fn middle(of: &[(usize, Spot)]) -> Option<usize> {
    let mut end = 0;
    let mut places = Vec::new();
    for (no, (_, spot)) in of.iter().enumerate() {
        if no > 0 && u32::from(spot.at) >= end {
            places.push((no, u32::from(spot.at) > end));
        }
        end = end.max(spot.end());
    }
    let from_middle = |no: usize| (2 * no).abs_diff(of.len());
    let is_good = |no: usize, is_gap: bool| is_gap && 2 * from_middle(no) <= of.len();
    let best = places.into_iter().min_by_key(|(no, is_gap)| (!is_good(*no, *is_gap), from_middle(*no), *no));
    best.map(|(no, _)| no)
}
