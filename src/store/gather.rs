//! Readings on their way to disk: numbered when they come, gathered in memory, flushed as blocks.
//!
//! Numbers are given in the order of arrival and without holes, so `next - first` readings are held. The memory is
//! bounded: when the disk takes nothing for too long the oldest arrivals go, and `lost` says which.

use std::collections::VecDeque;

use crate::model::point::MOST_POINTS;
use crate::model::{Gap, GapReason, Heard, Mono, Now, Stream};

use super::block::{LARGEST_BODY, MOST_READINGS, cost};
use super::settings::Settings;

/// Whatever the settings say: one more arrival still fits in a block.
const LARGEST_CUT: usize = LARGEST_BODY / 4;

#[derive(Debug)]
pub(super) struct Gathered {
    arrivals: VecDeque<Heard>,
    /// The number of the oldest reading held.
    first: u64,
    /// What the next reading gets.
    next: u64,
    bytes: usize,
    /// When the oldest was gathered.
    since: Mono,
    /// What had to go and is not yet told in the journal.
    lost: Option<Gap>,
}

impl Gathered {
    pub(super) fn new(next: u64) -> Gathered {
        Gathered { arrivals: VecDeque::new(), first: next, next, bytes: 0, since: Mono(0), lost: None }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn len(&self) -> u64 {
        self.next - self.first
    }

    pub(super) fn lost(&self) -> Option<&Gap> {
        self.lost.as_ref()
    }

    /// Returns the number of the first reading.
    pub(super) fn add(&mut self, now: &Now, mut heard: Heard, settings: &Settings) -> u64 {
        let seq = self.next;
        loop {
            let rest = heard.readings.split_off(heard.readings.len().min(MOST_POINTS));
            self.push(now, Heard { readings: std::mem::replace(&mut heard.readings, rest), ..heard });
            if heard.readings.is_empty() {
                break;
            }
        }
        while (self.len() > settings.held || self.bytes > settings.held_bytes) && self.arrivals.len() > 1 {
            self.drop_oldest(now);
        }
        seq
    }

    fn push(&mut self, now: &Now, heard: Heard) {
        if heard.readings.is_empty() {
            return;
        }
        if self.arrivals.is_empty() {
            self.since = now.mono;
        }
        self.next += heard.readings.len() as u64;
        self.bytes += weight(&heard);
        self.arrivals.push_back(heard);
    }

    fn pop(&mut self) -> Option<Heard> {
        let heard = self.arrivals.pop_front()?;
        self.first += heard.readings.len() as u64;
        self.bytes -= weight(&heard);
        Some(heard)
    }

    fn drop_oldest(&mut self, now: &Now) {
        let first = self.first;
        let Some(heard) = self.pop() else { return };
        let (last, count, at) =
            (self.first - 1, heard.readings.len() as u64, Now { mono: heard.at, wall: now.wall_at(heard.at), ..*now });
        let (stream, why, exact) = (Stream::Telemetry, GapReason::Memory, true);
        let new = Gap { stream, why, first, last, count, exact, from: at, to: at };
        match &mut self.lost {
            None => self.lost = Some(new),
            Some(lost) => {
                (lost.last, lost.count) = (last, lost.count + count);
                lost.from = if at.mono < lost.from.mono { at } else { lost.from };
                lost.to = if at.mono > lost.to.mono { at } else { lost.to };
            }
        }
    }

    /// When what is held should be on disk; `reserved` is up to where numbers may be shown.
    pub(super) fn due(&self, settings: &Settings, reserved: u64) -> Option<Mono> {
        (self.len() > 0).then(|| {
            let full = self.len() >= settings.block_readings as u64 || self.bytes >= settings.block_bytes;
            if full || self.next > reserved { self.since } else { self.since + self.age_wanted(settings) }
        })
    }

    fn age_wanted(&self, settings: &Settings) -> std::time::Duration {
        if self.len() >= settings.many { settings.busy_age } else { settings.idle_age }
    }

    /// Old enough to go along with a commit that happens anyway.
    pub(super) fn ripe(&self, now: Mono, settings: &Settings) -> bool {
        self.len() > 0 && now.since(self.since) * 2 >= self.age_wanted(settings)
    }

    /// What is held as blocks: the number of the first reading, the one after the last, the arrivals.
    pub(super) fn blocks<'a>(&'a mut self, settings: &'a Settings) -> impl Iterator<Item = (u64, u64, &'a [Heard])> {
        let mut seq = self.first;
        let mut rest: &[Heard] = self.arrivals.make_contiguous();
        std::iter::from_fn(move || {
            let (count, readings) = fitting(rest, settings);
            let (block, after) = rest.split_at(count);
            rest = after;
            seq += readings;
            (count > 0).then_some((seq - readings, seq, block))
        })
    }

    /// What is below `next` is on disk, and everything that had to go so far is told there.
    pub(super) fn taken(&mut self, next: u64) {
        while self.first < next && self.pop().is_some() {}
        let told = |gap: &Gap| gap.last < next;
        match &mut self.lost {
            Some(gap) if told(gap) => self.lost = None,
            Some(gap) => (gap.first, gap.count) = (gap.first.max(next), gap.last + 1 - gap.first.max(next)),
            None => {}
        }
    }
}

/// How many of the arrivals, and readings of them, make the next block; at least one arrival.
fn fitting(arrivals: &[Heard], settings: &Settings) -> (usize, u64) {
    let (mut count, mut readings, mut bytes) = (0, 0, 0);
    let (most_readings, most_bytes) =
        (settings.block_readings.min(MOST_READINGS), settings.block_bytes.min(LARGEST_CUT));
    for heard in arrivals {
        readings += heard.readings.len();
        bytes += weight(heard);
        if count > 0 && (readings > most_readings || bytes > most_bytes) {
            return (count, (readings - heard.readings.len()) as u64);
        }
        count += 1;
    }
    (count, readings as u64)
}

fn weight(heard: &Heard) -> usize {
    64 + heard.readings.iter().map(cost).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::*;
    use std::time::Duration;

    fn heard(device: u32, at: u64, readings: usize) -> Heard {
        let reading = |i| Reading {
            point: PointNo(i as u16),
            value: Value::Int(at as i64),
            quality: Quality::Good,
            source: None,
        };
        Heard { device: DeviceNo(device), at: Mono(at), readings: (0..readings).map(reading).collect() }
    }

    fn at(mono: u64) -> Now {
        Now { mono: Mono(mono), wall: Wall(1_000_000 + mono), ..Now::default() }
    }

    #[test]
    fn the_more_comes_the_sooner_it_is_flushed() {
        let settings = Settings { many: 30, block_readings: 60, ..Settings::default() };
        let mut gathered = Gathered::new(1);
        assert_eq!(gathered.due(&settings, 1000), None);
        gathered.add(&at(100), heard(1, 90, 10), &settings);
        assert_eq!(gathered.due(&settings, 1000), Some(Mono(60_100)));
        gathered.add(&at(200), heard(1, 190, 20), &settings);
        assert_eq!(gathered.due(&settings, 1000), Some(Mono(5_100)));
        assert!(!gathered.ripe(Mono(2_599), &settings) && gathered.ripe(Mono(2_600), &settings));
        gathered.add(&at(300), heard(1, 290, 30), &settings);
        assert_eq!(gathered.due(&settings, 1000), Some(Mono(100)));
    }

    #[test]
    fn numbers_that_are_not_reserved_make_it_due_at_once() {
        let settings = Settings::default();
        let mut gathered = Gathered::new(1);
        gathered.add(&at(100), heard(1, 90, 10), &settings);
        assert_eq!(gathered.due(&settings, 11), Some(Mono(100) + Duration::from_secs(60)));
        assert_eq!(gathered.due(&settings, 10), Some(Mono(100)));
    }

    #[test]
    fn as_many_bytes_are_held_as_there_is_room_for() {
        let room = 2 * weight(&heard(1, 0, 10));
        for (held_bytes, held) in [(room, 20), (room - 1, 10)] {
            let settings = Settings { held_bytes, ..Settings::default() };
            let mut gathered = Gathered::new(1);
            gathered.add(&at(0), heard(1, 0, 10), &settings);
            gathered.add(&at(1), heard(1, 1, 10), &settings);
            assert_eq!(gathered.len(), held);
        }
    }

    #[test]
    fn beyond_the_bound_the_oldest_go_and_their_gap_is_exact() {
        let settings = Settings { held: 25, ..Settings::default() };
        let mut gathered = Gathered::new(1);
        for i in 0..5 {
            assert_eq!(gathered.add(&at(100 * i), heard(1, 100 * i, 10), &settings), 1 + 10 * i);
        }
        assert_eq!(gathered.len(), 20);
        let gap = gathered.lost().unwrap();
        assert_eq!((gap.first, gap.last, gap.count, gap.exact), (1, 30, 30, true));
        assert_eq!((gap.from.wall, gap.to.wall), (Wall(1_000_000), Wall(1_000_200)));
        gathered.taken(51);
        assert_eq!((gathered.len(), gathered.lost()), (0, None));
    }

    #[test]
    fn a_gap_that_grew_after_it_was_told_keeps_only_its_new_part() {
        let settings = Settings { held: 20, ..Settings::default() };
        let mut gathered = Gathered::new(1);
        for i in 0..6 {
            gathered.add(&at(i), heard(1, i, 10), &settings);
        }
        // 1 to 40 are gone from memory, of which 1 to 30 turn out to be on disk or told.
        gathered.taken(31);
        let gap = gathered.lost().unwrap();
        assert_eq!((gap.first, gap.last, gap.count, gathered.len()), (31, 40, 10, 20));
    }

    #[test]
    fn blocks_are_cut_between_arrivals_and_hold_everything_once() {
        let settings = Settings { block_readings: 25, ..Settings::default() };
        let mut gathered = Gathered::new(1);
        for i in 0..7 {
            gathered.add(&at(i), heard(1, i, 10), &settings);
        }
        gathered.add(&at(9), heard(2, 9, 2 * MOST_POINTS + 5), &settings);
        let blocks: Vec<_> =
            gathered.blocks(&settings).map(|(from, to, arrivals)| (from, to, arrivals.len())).collect();
        assert_eq!(blocks[..4], [(1, 21, 2), (21, 41, 2), (41, 61, 2), (61, 71, 1)]);
        assert_eq!(blocks.last().map(|last| last.1), Some(71 + 2 * MOST_POINTS as u64 + 5));
        assert!(blocks.windows(2).all(|pair| pair[0].1 == pair[1].0));
    }
}
