//! The fewest requests for points of one table, by dynamic programming from the last point to the first.
//!
//! Sorted by where they begin, the points of a request need not be others than those that follow each other: one that
//! begins later and ends sooner than a point of another request can move there at no cost.

use super::{Block, OfTable, Request};
use crate::profile::modbus::{Spot, Table};

/// Points that lie at the same registers, as one.
struct Stretch {
    at: u16,
    end: u32,
    points: Vec<usize>,
}

/// The best for all stretches from one on: how many requests and registers that takes, and where the first request ends.
#[derive(Clone, Copy, Default)]
struct Best {
    requests: u32,
    registers: u32,
    next: usize,
}

/// In the order of where they begin; each point is allowed by itself.
pub fn fewest(table: Table, sorted: &[(usize, Spot)], bounds: &OfTable) -> Vec<Request> {
    let stretches = stretches(sorted);
    let mut best = vec![Best::default(); stretches.len() + 1];
    for from in (0..stretches.len()).rev() {
        best[from] = first_request(&stretches, from, &best, bounds);
    }
    let (mut requests, mut from) = (Vec::new(), 0);
    while from < stretches.len() {
        let next = best[from].next;
        requests.push(request(table, &stretches[from..next]));
        from = next;
    }
    requests
}

fn stretches(sorted: &[(usize, Spot)]) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::with_capacity(sorted.len());
    for (place, spot) in sorted {
        match all.last_mut() {
            Some(last) if (last.at, last.end) == (spot.at, spot.end()) => last.points.push(*place),
            _ => all.push(Stretch { at: spot.at, end: spot.end(), points: vec![*place] }),
        }
    }
    all
}

fn first_request(stretches: &[Stretch], from: usize, best: &[Best], bounds: &OfTable) -> Best {
    let at = stretches[from].at;
    let mut end = stretches[from].end;
    let mut found: Option<Best> = None;
    for (next, stretch) in stretches.iter().enumerate().skip(from) {
        let near = u32::from(stretch.at) <= end + u32::from(bounds.gap);
        end = end.max(stretch.end);
        if !near || !bounds.allows(at, end) {
            break;
        }
        let rest = best[next + 1];
        let here =
            Best { requests: rest.requests + 1, registers: rest.registers + (end - u32::from(at)), next: next + 1 };
        // Of equal ones the longest: later points find their request sooner.
        if found.is_none_or(|found| (here.requests, here.registers) <= (found.requests, found.registers)) {
            found = Some(here);
        }
    }
    found.unwrap_or(Best { next: from + 1, ..best[from + 1] })
}

fn request(table: Table, stretches: &[Stretch]) -> Request {
    let at = stretches.first().map_or(0, |first| first.at);
    let end = stretches.iter().map(|stretch| stretch.end).max().unwrap_or(0);
    let mut points: Vec<usize> = stretches.iter().flat_map(|stretch| stretch.points.iter().copied()).collect();
    points.sort_unstable();
    Request { block: Block { table, at, count: (end - u32::from(at)) as u16 }, points }
}
