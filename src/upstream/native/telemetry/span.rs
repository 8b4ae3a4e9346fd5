//! Which readings make one pack: those of one boot under one clock, whose numbers follow one another without a hole.

use crate::model::{Boot, DeviceNo, Heard, Mono, Reading};
use crate::store::block::{MOST_READINGS, cost};
use crate::store::{Block, Clock};

/// Bytes of readings from where on no further block is added: far from what one message of columns may hold.
const ENOUGH: usize = 2 << 20;

pub(super) struct Span<'a> {
    pub(super) first: u64,
    pub(super) boot: Boot,
    pub(super) clock: Clock,
    pub(super) readings: usize,
    parts: Vec<Part<'a>>,
}

/// What came in one arrival, or the rest of it.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) device: DeviceNo,
    pub(super) at: Mono,
    pub(super) readings: &'a [Reading],
}

impl<'a> Span<'a> {
    /// `None`: nothing has such a number.
    pub(super) fn of(blocks: &'a [Block], from: u64) -> Option<Span<'a>> {
        let mut blocks = blocks.iter().skip_while(|block| end(block) <= from);
        let block = blocks.next()?;
        let first = from.max(block.seq);
        let mut span = Span { first, boot: block.boot, clock: block.clock, readings: 0, parts: Vec::new() };
        let mut weight = span.add(&block.arrivals, (first - block.seq) as usize);
        for block in blocks {
            let follows = block.seq == span.end() && (block.boot, block.clock) == (span.boot, span.clock);
            if !follows || weight > ENOUGH || span.readings + count(&block.arrivals) > MOST_READINGS {
                break;
            }
            weight += span.add(&block.arrivals, 0);
        }
        (span.readings > 0).then_some(span)
    }

    fn end(&self) -> u64 {
        self.first + self.readings as u64
    }

    /// Without the first `skip` readings. Returns what they weigh.
    fn add(&mut self, arrivals: &'a [Heard], mut skip: usize) -> usize {
        let mut weight = 0;
        for heard in arrivals {
            let skipped = skip.min(heard.readings.len());
            skip -= skipped;
            let readings = &heard.readings[skipped..];
            if !readings.is_empty() {
                self.readings += readings.len();
                weight += readings.iter().map(cost).sum::<usize>();
                self.parts.push(Part { device: heard.device, at: heard.at, readings });
            }
        }
        weight
    }

    /// The first so many readings, arrival by arrival.
    pub(super) fn parts(&self, count: usize) -> impl Iterator<Item = Part<'a>> {
        let mut left = count;
        self.parts.iter().map_while(move |part| {
            let taken = left.min(part.readings.len());
            left -= taken;
            (taken > 0).then_some(Part { readings: &part.readings[..taken], ..*part })
        })
    }
}

fn count(arrivals: &[Heard]) -> usize {
    arrivals.iter().map(|heard| heard.readings.len()).sum()
}

fn end(block: &Block) -> u64 {
    block.seq.saturating_add(count(&block.arrivals) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClockQuality, PointNo, Quality, Value};

    fn block(seq: u64, boot: u32, arrivals: &[usize]) -> Block {
        let reading = |no: usize| Reading {
            point: PointNo(no as u16),
            value: Value::Bool(true),
            quality: Quality::Good,
            source: None,
        };
        let heard =
            |count: &usize| Heard { device: DeviceNo(1), at: Mono(seq), readings: (0..*count).map(reading).collect() };
        let clock = Clock { offset: 5, quality: ClockQuality::Set };
        Block { seq, boot: Boot(boot), clock, arrivals: arrivals.iter().map(heard).collect() }
    }

    fn shape(blocks: &[Block], from: u64) -> Option<(u64, Vec<usize>)> {
        let span = Span::of(blocks, from)?;
        Some((span.first, span.parts(usize::MAX).map(|part| part.readings.len()).collect()))
    }

    #[test]
    fn blocks_go_together_while_their_numbers_follow_in_one_boot() {
        let blocks = [block(1, 1, &[2, 3]), block(6, 1, &[4]), block(10, 2, &[1]), block(12, 2, &[1])];
        assert_eq!(shape(&blocks, 0), Some((1, vec![2, 3, 4])));
        assert_eq!(shape(&blocks, 4), Some((4, vec![2, 4])));
        assert_eq!(shape(&blocks, 10), Some((10, vec![1])));
        assert_eq!(shape(&blocks, 11), Some((12, vec![1])));
        assert_eq!(shape(&blocks, 13), None);
        let mut other = [block(1, 1, &[2]), block(3, 1, &[2])];
        other[1].clock.offset = 6;
        assert_eq!(shape(&other, 0), Some((1, vec![2])));
    }

    #[test]
    fn a_span_is_cut_within_an_arrival() {
        let blocks = [block(1, 1, &[2, 3])];
        let span = Span::of(&blocks, 0).unwrap();
        let cut = |count| span.parts(count).map(|part| part.readings.len()).collect::<Vec<_>>();
        assert_eq!((cut(1), cut(2), cut(4)), (vec![1], vec![2], vec![2, 2]));
    }
}
