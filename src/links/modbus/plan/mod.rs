//! From points that are due to the fewest requests.
//!
//! Points of one table that lie close enough come with one request: [`requests`]. The fewest requests are always found,
//! and among those the one way that reads the fewest registers. [`Blocks`] learns from refusals which registers cannot be
//! read together, [`load`](load::share) is how much of a line a plan takes.
//!
//! Invariants: a value is never split over two requests; no request touches what is forbidden, or is larger than the
//! device allows; every point is in exactly one request or among those that cannot be read; the same points give the same
//! requests.

mod blocks;
pub mod load;
mod window;

pub use blocks::{Blocks, Learnt};

use super::wire;
use crate::profile::modbus::{Speaks, Spot, Table};

/// Registers of one table that are read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    pub table: Table,
    pub at: u16,
    pub count: u16,
}

impl Block {
    pub fn of(spot: &Spot) -> Block {
        Block { table: spot.table, at: spot.at, count: spot.count }
    }

    /// What is asked for it on the wire.
    pub fn asked(&self) -> wire::Request {
        wire::Request::Read { table: self.table, at: self.at, count: self.count }
    }

    /// The address behind its last one.
    pub fn end(&self) -> u32 {
        u32::from(self.at) + u32::from(self.count)
    }

    /// True where the other lies within it.
    pub fn has(&self, other: &Block) -> bool {
        self.table == other.table && self.at <= other.at && other.end() <= self.end()
    }

    /// True where they have registers in common.
    pub fn meets(&self, other: &Block) -> bool {
        self.table == other.table && u32::from(self.at) < other.end() && u32::from(other.at) < self.end()
    }

    /// Where the registers of a spot stand among those that were read.
    pub fn part(&self, spot: &Spot) -> Option<std::ops::Range<usize>> {
        let inside = self.has(&Block::of(spot));
        let from = usize::from(spot.at.checked_sub(self.at)?);
        inside.then(|| from..from + usize::from(spot.count))
    }
}

/// One request, and which of the points it is for, by their places among those that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub block: Block,
    pub points: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub requests: Vec<Request>,
    /// What the device may not be asked for: forbidden, or more than it gives at once.
    pub left_out: Vec<usize>,
}

/// What a device allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    tables: [OfTable; 4],
}

#[derive(Clone, Debug, PartialEq)]
struct OfTable {
    most: u16,
    gap: u16,
    /// First and last, in order and apart from each other.
    forbidden: Vec<(u16, u16)>,
    /// No request reads the registers on both sides: the first one behind, in order, and the furthest of the last ones
    /// before, of this cut and all earlier ones.
    cuts: Vec<(u16, u16)>,
}

impl Default for OfTable {
    fn default() -> OfTable {
        OfTable { most: 1, gap: 0, forbidden: Vec::new(), cuts: Vec::new() }
    }
}

/// A gap of bits is as long on the wire as one of registers.
const BITS_OF_REGISTER: u16 = 16;

impl Bounds {
    pub fn of(speaks: &Speaks) -> Bounds {
        let of = |table: Table| OfTable {
            most: speaks.most(table),
            gap: if table.is_bits() { speaks.gap.saturating_mul(BITS_OF_REGISTER) } else { speaks.gap },
            forbidden: apart(speaks.forbidden(table).collect()),
            cuts: Vec::new(),
        };
        Bounds { tables: Table::ALL.map(of) }
    }

    fn table(&self, table: Table) -> &OfTable {
        &self.tables[table as usize]
    }

    /// With registers that are not read together, and blocks that are not read at all.
    fn without(&self, cuts: impl Iterator<Item = (Table, u16, u16)>, blocks: impl Iterator<Item = Block>) -> Bounds {
        let mut bounds = self.clone();
        for (table, before, behind) in cuts {
            bounds.tables[table as usize].cuts.push((behind, before));
        }
        for block in blocks {
            bounds.tables[block.table as usize].forbidden.push((block.at, (block.end() - 1) as u16));
        }
        for table in &mut bounds.tables {
            table.forbidden = apart(std::mem::take(&mut table.forbidden));
            table.cuts.sort_unstable();
            let mut furthest = 0;
            for (_, before) in &mut table.cuts {
                furthest = furthest.max(*before);
                *before = furthest;
            }
        }
        bounds
    }
}

/// The same registers as ranges in order, none of which meets another.
fn apart(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    let mut all: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match all.last_mut() {
            Some((_, last)) if *last >= from => *last = (*last).max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

impl OfTable {
    fn allows(&self, from: u16, end: u32) -> bool {
        end - u32::from(from) <= u32::from(self.most) && !self.forbids(from, end) && !self.cuts_through(from, end)
    }

    fn forbids(&self, from: u16, end: u32) -> bool {
        let first = self.forbidden.partition_point(|(_, to)| *to < from);
        self.forbidden.get(first).is_some_and(|(begin, _)| u32::from(*begin) < end)
    }

    fn cuts_through(&self, from: u16, end: u32) -> bool {
        let inside = self.cuts.partition_point(|(behind, _)| u32::from(*behind) < end);
        inside > 0 && self.cuts[inside - 1].1 >= from
    }
}

/// The fewest requests for all of these.
pub fn requests(spots: &[Spot], bounds: &Bounds) -> Plan {
    let mut plan = Plan::default();
    for table in Table::ALL {
        let of_table = bounds.table(table);
        let of = |(place, spot): (usize, &Spot)| (spot.table == table).then_some((place, *spot));
        let (mut there, left_out): (Vec<_>, Vec<_>) =
            spots.iter().enumerate().filter_map(of).partition(|(_, spot)| of_table.allows(spot.at, spot.end()));
        there.sort_unstable_by_key(|(place, spot)| (spot.at, std::cmp::Reverse(spot.count), *place));
        plan.requests.extend(window::fewest(table, &there, of_table));
        plan.left_out.extend(left_out.into_iter().map(|(place, _)| place));
    }
    plan.left_out.sort_unstable();
    plan
}

#[cfg(test)]
mod tests;
