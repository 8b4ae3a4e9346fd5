//! Deadlines as data. A timer that is no longer wanted is not removed: when it fires, whoever it is for looks whether
//! it still means something, and sets it again where it fired too early.
//!
//! **Invariant: a timer is set at most once**, for the earliest time that it was set for. So timers are never more than
//! what they are for, however often something changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{CommandNo, DeedNo, DeviceNo, Mono};

/// Nothing is looked at again sooner: a time of zero in the settings must not hold the loop.
pub const SOONEST: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// When to see whether a device has been silent for too long.
    Silence(DeviceNo),
    /// When a queued command is no longer wanted.
    Expiry(CommandNo),
    /// When a sent command should have ended.
    Deadline(CommandNo),
    /// When the id and result of a command need no longer be known.
    Forget(CommandNo),
    /// When the id and answer of a deed need no longer be known.
    Deed(DeedNo),
    /// When it is decided whether a device is where it was or where another claims to be it.
    Contest(DeviceNo),
    /// When a retired device need no longer be known.
    Retired(DeviceNo),
    /// When to look again at what waits for a device.
    Ready(DeviceNo),
    /// When a block ends, or is to be stored anew.
    Block(DeviceNo),
    /// When what is counted for a device is written.
    Totals(DeviceNo),
    /// When to look again whether a command was carried out.
    Proof(CommandNo),
    /// When to look for tokens that are over.
    Tokens,
    /// When refusals that were counted are told.
    Audit,
    /// When work on a device ends, or its end is to be stored anew.
    Maintenance(DeviceNo),
}

#[derive(Debug, Default)]
pub struct Timers {
    by_time: BTreeSet<(Mono, Timer)>,
    set: BTreeMap<Timer, Mono>,
}

impl Timers {
    pub fn set(&mut self, at: Mono, timer: Timer) {
        match self.set.get(&timer) {
            Some(before) if *before <= at => return,
            Some(before) => drop(self.by_time.remove(&(*before, timer))),
            None => {}
        }
        self.set.insert(timer, at);
        self.by_time.insert((at, timer));
    }

    pub fn next(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The earliest timer that is due, taken out.
    pub fn due(&mut self, now: Mono) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.set.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_set_once_for_its_earliest_time() {
        let mut timers = Timers::default();
        let (one, two) = (Timer::Ready(DeviceNo(1)), Timer::Ready(DeviceNo(2)));
        for at in [50, 30, 40] {
            timers.set(Mono(at), one);
        }
        timers.set(Mono(35), two);
        assert_eq!((timers.next(), timers.due(Mono(29))), (Some(Mono(30)), None));
        assert_eq!([Mono(60); 3].map(|at| timers.due(at)), [Some(one), Some(two), None]);
        timers.set(Mono(70), one);
        assert_eq!(timers.due(Mono(70)), Some(one));
    }
}
