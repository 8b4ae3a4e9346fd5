//! When to read what: pure, with the time as an argument.
//!
//! A device stands in the one ordered set of due times at most once. Taken out (`pop`), it is *out* until `again` puts it
//! back: so a read that is late delays the next one and nothing queues up. All times of a device are the same distance
//! from a multiple of the period, and the distance comes from its address: points of periods 1 s and 5 s meet in one
//! read, and ten thousand devices spread over the period.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::links::chance::{Chance, hash};
use crate::model::{Address, DeviceNo, PlanPoint};

/// Nothing is read more often.
const SHORTEST: Duration = Duration::from_millis(10);
/// Nothing is read less often.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);
/// A new plan has been read once after this time, however long its periods are.
const FIRST_WITHIN: Duration = Duration::from_secs(5);

struct Group {
    every: Duration,
    due: Instant,
    /// Places in the plan.
    points: Vec<u16>,
}

struct Timing {
    groups: Vec<Group>,
    phase: u64,
    chance: Chance,
    misses: u32,
    /// Where it stands in the set; none while it is out.
    due: Option<Instant>,
}

pub struct Schedule {
    epoch: Instant,
    slowest: Duration,
    /// A device that was silent more than once is left alone for so long at least.
    spared: Duration,
    devices: BTreeMap<DeviceNo, Timing>,
    due: BTreeSet<(Instant, DeviceNo)>,
}

impl Schedule {
    pub fn new(epoch: Instant, slowest: Duration, spared: Duration) -> Schedule {
        Schedule { epoch, slowest, spared, devices: BTreeMap::new(), due: BTreeSet::new() }
    }

    /// A device that is out stays out: whoever took it brings it back.
    pub fn plan(&mut self, device: DeviceNo, address: &Address, plan: &[PlanPoint], now: Instant) {
        let out = self.devices.get(&device).is_some_and(|timing| timing.due.is_none() && !timing.groups.is_empty());
        self.forget(device);
        let groups = groups(plan, now);
        if groups.is_empty() {
            return;
        }
        let phase = hash(address.as_str());
        self.devices.insert(device, Timing { groups, phase, chance: Chance::new(phase), misses: 0, due: None });
        if !out {
            self.first(device, now);
        }
    }

    pub fn forget(&mut self, device: DeviceNo) {
        if let Some(due) = self.devices.remove(&device).and_then(|timing| timing.due) {
            self.due.remove(&(due, device));
        }
    }

    /// Everything is due anew: the link was away.
    pub fn restart(&mut self, now: Instant) {
        let devices: Vec<DeviceNo> = self.devices.keys().copied().collect();
        for device in devices {
            if let Some(timing) = self.devices.get_mut(&device) {
                timing.misses = 0;
                timing.groups.iter_mut().for_each(|group| group.due = now);
            }
            self.first(device, now);
        }
    }

    pub fn wake(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next device whose time has come.
    pub fn pop(&mut self, now: Instant) -> Option<DeviceNo> {
        let (at, device) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.devices.get_mut(&device)?.due = None;
        Some(device)
    }

    /// What to read of a device that is out, by places in its plan. Periods that passed meanwhile are skipped.
    pub fn take(&mut self, device: DeviceNo, now: Instant) -> Vec<u16> {
        let Some(timing) = self.devices.get_mut(&device).filter(|timing| timing.due.is_none()) else {
            return Vec::new();
        };
        let (epoch, phase, tired) = (self.epoch, timing.phase, timing.misses > 0);
        let mut points = Vec::new();
        for group in timing.groups.iter_mut().filter(|group| group.due <= now || tired) {
            points.extend_from_slice(&group.points);
            group.due = next(epoch, phase, group.every, now);
        }
        points.sort_unstable();
        points
    }

    /// Back from a read or a command.
    pub fn again(&mut self, device: DeviceNo, answered: bool, now: Instant) {
        let (slowest, spared) = (self.slowest, self.spared);
        let Some(timing) = self.devices.get_mut(&device) else { return };
        timing.misses = if answered { 0 } else { timing.misses.saturating_add(1) };
        let at = match timing.misses {
            0 => timing.soonest(),
            misses => now + timing.pause(misses, slowest, spared),
        };
        self.put(device, at);
    }

    /// The device was heard: it is asked at its old pace again, at once.
    pub fn answered(&mut self, device: DeviceNo, now: Instant) {
        if let Some(timing) = self.devices.get_mut(&device).filter(|timing| timing.misses > 0) {
            timing.misses = 0;
            timing.groups.iter_mut().for_each(|group| group.due = now);
            if timing.due.is_some() {
                self.put(device, now);
            }
        }
    }

    pub fn misses(&self, device: DeviceNo) -> u32 {
        self.devices.get(&device).map_or(0, |timing| timing.misses)
    }

    fn first(&mut self, device: DeviceNo, now: Instant) {
        let Some(timing) = self.devices.get(&device) else { return };
        let spread = timing.shortest().min(FIRST_WITHIN);
        self.put(device, now + within(timing.phase, spread));
    }

    fn put(&mut self, device: DeviceNo, at: Instant) {
        let Some(timing) = self.devices.get_mut(&device) else { return };
        if let Some(before) = timing.due.replace(at) {
            self.due.remove(&(before, device));
        }
        self.due.insert((at, device));
    }
}

impl Timing {
    fn shortest(&self) -> Duration {
        self.groups.iter().map(|group| group.every).min().unwrap_or(FIRST_WITHIN)
    }

    fn soonest(&self) -> Instant {
        self.groups.iter().map(|group| group.due).min().unwrap_or_else(Instant::now)
    }

    /// Twice as long each time, up to a cap; a quarter of it is chance, so that devices that fell silent together do
    /// not come back together. Never sooner than the plan says, and from the second time on than `spared`.
    fn pause(&mut self, misses: u32, slowest: Duration, spared: Duration) -> Duration {
        let shortest = self.shortest();
        let grown = shortest.saturating_mul(1 << misses.min(16)).min(slowest).max(shortest);
        let chance = self.chance.share();
        let spared = if misses > 1 { spared.mul_f64(1.0 + 0.25 * chance) } else { Duration::ZERO };
        grown.mul_f64(0.75 + 0.25 * chance).max(shortest).max(spared)
    }
}

fn groups(plan: &[PlanPoint], now: Instant) -> Vec<Group> {
    let mut by_period: BTreeMap<Duration, Vec<u16>> = BTreeMap::new();
    for (place, point) in plan.iter().enumerate() {
        if let (Some(every), Ok(place)) = (point.every, u16::try_from(place)) {
            by_period.entry(every.clamp(SHORTEST, LONGEST)).or_default().push(place);
        }
    }
    by_period.into_iter().map(|(every, points)| Group { every, due: now, points }).collect()
}

/// The first time after `now` that is `phase` past a multiple of the period.
fn next(epoch: Instant, phase: u64, every: Duration, now: Instant) -> Instant {
    let every = u64::try_from(every.as_micros()).unwrap_or(u64::MAX / 2).clamp(1, u64::MAX / 2);
    let now_micros = u64::try_from((now - epoch).as_micros()).unwrap_or(0);
    // The phase is cut last: where one period divides the other, their times meet.
    let wait = (phase % every + every - now_micros % every) % every;
    now + Duration::from_micros(if wait == 0 { every } else { wait })
}

fn within(phase: u64, span: Duration) -> Duration {
    Duration::from_micros(phase % u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(periods: &[u64]) -> Vec<PlanPoint> {
        let point = |(i, every): (usize, &u64)| PlanPoint {
            no: crate::model::PointNo(i as u16),
            path: format!("a.{i}.x").parse().unwrap(),
            every: Some(Duration::from_millis(*every)),
        };
        periods.iter().enumerate().map(point).collect()
    }

    fn schedule() -> (Schedule, Instant) {
        let now = Instant::now();
        (Schedule::new(now, Duration::from_secs(60), Duration::ZERO), now)
    }

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    /// Reads as told for a while; gives back what was read when.
    fn play(schedule: &mut Schedule, from: Instant, span: Duration, answers: bool) -> Vec<(Duration, usize)> {
        let mut reads = Vec::new();
        while let Some(at) = schedule.wake().filter(|at| *at < from + span) {
            let device = schedule.pop(at).unwrap();
            reads.push((at - from, schedule.take(device, at).len()));
            schedule.again(device, answers, at);
        }
        reads
    }

    #[test]
    fn points_that_are_due_together_are_read_together() {
        let (mut schedule, now) = schedule();
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[1000, 5000, 1000]), now);
        let reads = play(&mut schedule, now, Duration::from_secs(51), true);
        assert_eq!(reads[0].1, 3, "the first read takes all");
        let later = &reads[1..];
        assert!((50..=52).contains(&later.len()), "one read a second: {}", later.len());
        assert!((9..=11).contains(&later.iter().filter(|(_, points)| *points == 3).count()));
        assert!(later.iter().all(|(_, points)| *points == 2 || *points == 3));
        assert!(later.windows(2).all(|pair| pair[1].0 - pair[0].0 == Duration::from_secs(1)));
    }

    #[test]
    fn devices_spread_over_the_period() {
        let (mut schedule, now) = schedule();
        for i in 0..10_000 {
            schedule.plan(DeviceNo(i), &address(&format!("m{i}")), &plan(&[1000]), now);
        }
        let mut tenths = [0; 10];
        play(&mut schedule, now, Duration::from_secs(3), true)
            .iter()
            .filter(|(at, _)| at.as_secs() == 2)
            .for_each(|(at, _)| tenths[(at.as_millis() % 1000 / 100) as usize] += 1);
        assert!(tenths.iter().all(|n| (900..1100).contains(n)), "{tenths:?}");
    }

    #[test]
    fn who_does_not_answer_is_asked_ever_slower_but_never_given_up() {
        let (mut schedule, now) = schedule();
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[1000]), now);
        let reads = play(&mut schedule, now, Duration::from_secs(1000), false);
        let pauses: Vec<f64> = reads.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect();
        assert!((1.4..=2.0).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 60.0));
        assert!(pauses[8..].iter().all(|pause| *pause >= 45.0), "{pauses:?}");
        assert!(pauses[8..].windows(2).any(|pair| pair[0] != pair[1]), "there is chance in it");
    }

    #[test]
    fn one_that_is_silent_again_is_spared_its_time_out_for_a_while() {
        let now = Instant::now();
        let mut schedule = Schedule::new(now, Duration::from_secs(30), Duration::from_secs(12));
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[1000]), now);
        let reads = play(&mut schedule, now, Duration::from_secs(300), false);
        let pauses: Vec<f64> = reads.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64()).collect();
        assert!(pauses[0] <= 2.0, "once is no habit: {pauses:?}");
        assert!(pauses[1..].iter().all(|pause| (12.0..=30.0).contains(pause)), "{pauses:?}");
    }

    #[test]
    fn who_answers_again_is_back_at_once() {
        let (mut schedule, now) = schedule();
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[1000]), now);
        play(&mut schedule, now, Duration::from_secs(300), false);
        let later = now + Duration::from_secs(300);
        schedule.answered(DeviceNo(1), later);
        assert_eq!(schedule.wake(), Some(later));
        let reads = play(&mut schedule, later, Duration::from_secs(10), true);
        assert!((10..=11).contains(&reads.len()), "{reads:?}");
    }

    #[test]
    fn a_late_read_skips_what_it_missed() {
        let (mut schedule, now) = schedule();
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[1000]), now);
        let first = schedule.wake().unwrap();
        schedule.pop(first).unwrap();
        let late = first + Duration::from_millis(7300);
        assert_eq!(schedule.take(DeviceNo(1), late).len(), 1);
        schedule.again(DeviceNo(1), true, late);
        let next = schedule.wake().unwrap();
        assert!(next > late && next <= late + Duration::from_secs(1));
    }

    #[test]
    fn an_empty_plan_stops_reading_and_a_new_one_of_a_device_that_is_out_waits_for_it() {
        let (mut schedule, now) = schedule();
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[1000]), now);
        let due = schedule.wake().unwrap();
        schedule.pop(due).unwrap();
        schedule.plan(DeviceNo(1), &address("7"), &plan(&[500]), now);
        assert_eq!(schedule.wake(), None);
        schedule.again(DeviceNo(1), true, due);
        assert!(schedule.wake().is_some());
        schedule.plan(DeviceNo(1), &address("7"), &[], now);
        assert_eq!(schedule.wake(), None);
    }
}
