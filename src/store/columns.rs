//! The body of a block as sections: who spoke when, with which points, and the columns of values.
//!
//! One section holds one kind of bytes, so that zstd finds what repeats. A section that has nothing to say is empty:
//! when all is good and no device told a time of its own, quality and source time cost nothing.

use std::collections::HashMap;

use crate::model::{DeviceNo, Heard, Mono, PointNo, Quality, Reading, Value, Wall};

use super::bytes::{BadBlock, Bytes, MOST_READINGS, put_step, put_varint};
use super::order::{Arrival, Order, order};
use super::runs::{Runs, TakeRuns};
use super::values::{put_values, take_values};

pub(super) const SECTIONS: usize = 13;
const DEVICES: usize = 0;
const TIMES: usize = 1;
const WHICH: usize = 2;
const SETS: usize = 3;
pub(super) const CODES: usize = 4;
pub(super) const STEPS: usize = 5;
pub(super) const WIDE: usize = 6;
pub(super) const NARROW: usize = 7;
pub(super) const BITS: usize = 8;
pub(super) const BLOBS: usize = 9;
const QUALITY: usize = 10;
const PRESENT: usize = 11;
const SOURCES: usize = 12;

pub(super) struct Columns<T>(pub(super) [T; SECTIONS]);

impl Columns<Vec<u8>> {
    pub(super) fn of(earliest: u64, arrivals: &[Heard]) -> Columns<Vec<u8>> {
        let mut to = Columns(Default::default());
        let (spoke, sets) = to.put_arrivals(earliest, arrivals);
        to.put_sets(&sets);
        let readings: Vec<&Reading> = arrivals.iter().flat_map(|heard| &heard.readings).collect();
        let order = order(&spoke, &sets);
        put_values(&mut to, &order, &readings);
        to.put_qualities(&order, &readings);
        to.put_sources(&order, &readings);
        to
    }

    fn put_arrivals(&mut self, earliest: u64, arrivals: &[Heard]) -> (Vec<Arrival>, Vec<Vec<u16>>) {
        let mut sets = Sets::default();
        let (mut device, mut time) = (0, earliest);
        let spoke = arrivals.iter().map(|heard| {
            let set = sets.number(heard);
            put_step(&mut self.0[DEVICES], &mut device, u64::from(heard.device.0));
            put_step(&mut self.0[TIMES], &mut time, heard.at.0);
            put_varint(&mut self.0[WHICH], u64::from(set));
            Arrival { device: heard.device.0, set }
        });
        (spoke.collect(), sets.list)
    }

    fn put_sets(&mut self, sets: &[Vec<u16>]) {
        for set in sets {
            put_varint(&mut self.0[SETS], set.len() as u64);
            let mut point = 0;
            set.iter().for_each(|no| put_step(&mut self.0[SETS], &mut point, u64::from(*no)));
        }
    }

    fn put_qualities(&mut self, order: &Order, readings: &[&Reading]) {
        if readings.iter().all(|reading| reading.quality == Quality::Good) {
            return;
        }
        let mut runs = Runs::default();
        for place in &order.places {
            runs.push(&mut self.0[QUALITY], code_of(readings[*place as usize].quality));
        }
        runs.end(&mut self.0[QUALITY]);
    }

    fn put_sources(&mut self, order: &Order, readings: &[&Reading]) {
        if readings.iter().all(|reading| reading.source.is_none()) {
            return;
        }
        let (mut runs, mut before) = (Runs::default(), 0);
        for place in &order.places {
            let source = readings[*place as usize].source;
            runs.push(&mut self.0[PRESENT], u8::from(source.is_some()));
            if let Some(wall) = source {
                put_step(&mut self.0[SOURCES], &mut before, wall.0);
            }
        }
        runs.end(&mut self.0[PRESENT]);
    }
}

impl Columns<Bytes<'_>> {
    pub(super) fn arrivals(mut self, earliest: u64) -> Result<Vec<Heard>, BadBlock> {
        let sets = self.sets()?;
        let (spoke, times) = self.spoke(earliest, &sets)?;
        let order = order(&spoke, &sets);
        let points = spoke.iter().flat_map(|arrival| &sets[arrival.set as usize]);
        let mut readings: Vec<Reading> = points.map(|point| unread(PointNo(*point))).collect();
        take_values(&self, &order, &mut readings)?;
        self.qualities(&order, &mut readings)?;
        self.sources(&order, &mut readings)?;
        let mut readings = readings.into_iter();
        let heard = spoke.iter().zip(times).map(|(arrival, at)| {
            let points = sets[arrival.set as usize].len();
            Heard { device: DeviceNo(arrival.device), at, readings: readings.by_ref().take(points).collect() }
        });
        Ok(heard.collect())
    }

    fn sets(&mut self) -> Result<Vec<Vec<u16>>, BadBlock> {
        let from = &mut self.0[SETS];
        let mut sets = Vec::new();
        while from.len() > 0 {
            let (count, mut point) = (from.count()?, 0);
            let step = |_| u16::try_from(from.step(&mut point)?).map_err(|_| BadBlock::Bound("a point"));
            sets.push((0..count).map(step).collect::<Result<_, _>>()?);
        }
        Ok(sets)
    }

    fn spoke(&mut self, earliest: u64, sets: &[Vec<u16>]) -> Result<(Vec<Arrival>, Vec<Mono>), BadBlock> {
        let (mut spoke, mut times) = (Vec::new(), Vec::new());
        let (mut device, mut time, mut readings) = (0, earliest, 0);
        while self.0[WHICH].len() > 0 {
            let set = self.0[WHICH].small("a set of points")?;
            let points = sets.get(set as usize).ok_or(BadBlock::Bound("a set of points"))?;
            readings += points.len();
            if readings > MOST_READINGS {
                return Err(BadBlock::Bound("the number of readings"));
            }
            let device = self.0[DEVICES].step(&mut device)?.try_into().map_err(|_| BadBlock::Bound("a device"))?;
            spoke.push(Arrival { device, set });
            times.push(Mono(self.0[TIMES].step(&mut time)?));
        }
        Ok((spoke, times))
    }

    fn qualities(&mut self, order: &Order, into: &mut [Reading]) -> Result<(), BadBlock> {
        if self.0[QUALITY].len() == 0 {
            return Ok(());
        }
        let mut runs = TakeRuns::new(self.0[QUALITY]);
        for place in &order.places {
            let code = usize::from(runs.next()?);
            into[*place as usize].quality = *Quality::ALL.get(code).ok_or(BadBlock::Bound("a quality"))?;
        }
        Ok(())
    }

    fn sources(&mut self, order: &Order, into: &mut [Reading]) -> Result<(), BadBlock> {
        if self.0[PRESENT].len() == 0 {
            return Ok(());
        }
        let (mut runs, mut before) = (TakeRuns::new(self.0[PRESENT]), 0);
        for place in &order.places {
            if runs.next()? != 0 {
                into[*place as usize].source = Some(Wall(self.0[SOURCES].step(&mut before)?));
            }
        }
        Ok(())
    }
}

/// The sets of points that arrivals carry, each once: most devices of a kind always send the same ones.
#[derive(Default)]
struct Sets {
    list: Vec<Vec<u16>>,
    numbers: HashMap<Vec<u16>, u32>,
    points: Vec<u16>,
    last: u32,
}

impl Sets {
    fn number(&mut self, heard: &Heard) -> u32 {
        self.points.clear();
        self.points.extend(heard.readings.iter().map(|reading| reading.point.0));
        if self.list.get(self.last as usize) == Some(&self.points) {
            return self.last;
        }
        self.last = match self.numbers.get(&self.points) {
            Some(known) => *known,
            None => {
                self.numbers.insert(self.points.clone(), self.list.len() as u32);
                self.list.push(self.points.clone());
                self.list.len() as u32 - 1
            }
        };
        self.last
    }
}

fn code_of(quality: Quality) -> u8 {
    Quality::ALL.iter().position(|known| *known == quality).unwrap_or(0) as u8
}

fn unread(point: PointNo) -> Reading {
    Reading { point, value: Value::Bool(false), quality: Quality::Good, source: None }
}
