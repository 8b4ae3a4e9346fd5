//! Deadlines as data. A timer that is no longer wanted is not removed: when it fires, whoever it is for looks whether
//! it still means something.

use std::collections::BTreeSet;

use crate::model::{CommandNo, DeviceNo, Mono};

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
    /// When it is decided whether a device is where it was or where another claims to be it.
    Contest(DeviceNo),
    /// When a retired device need no longer be known.
    Retired(DeviceNo),
    /// When to look again at what waits for a device.
    Ready(DeviceNo),
    /// When a block ends, or is to be stored anew.
    Block(DeviceNo),
    /// When work on a device ends, or its end is to be stored anew.
    Maintenance(DeviceNo),
}

#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(Mono, Timer)>);

impl Timers {
    pub fn set(&mut self, at: Mono, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub fn next(&self) -> Option<Mono> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The earliest timer that is due, taken out.
    pub fn due(&mut self, now: Mono) -> Option<Timer> {
        match self.0.first() {
            Some((at, _)) if *at <= now => self.0.pop_first().map(|(_, timer)| timer),
            _ => None,
        }
    }
}
