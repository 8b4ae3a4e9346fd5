//! The script of one device's faults: what is wrong with it now. Pure; times are milliseconds since the plant's start.

use std::sync::Arc;
use std::time::Duration;

use super::misdeed::{Fault, Misdeed};

struct Round {
    at: u64,
    count: u64,
}

pub struct Script {
    faults: Vec<Scripted>,
}

struct Scripted {
    fault: Arc<Fault>,
    now: Option<Round>,
    rounds: u64,
    over: bool,
}

/// A fault has begun or ended.
pub struct Turn {
    pub fault: Arc<Fault>,
    pub begun: bool,
}

pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Script {
    pub fn new(faults: impl Iterator<Item = Arc<Fault>>) -> Script {
        let scripted = |fault| Scripted { fault, now: None, rounds: 0, over: false };
        Script { faults: faults.map(scripted).collect() }
    }

    /// Brings the script to this moment; `count` is how many requests and readings there were.
    pub fn advance(&mut self, now: u64, count: u64) -> Vec<Turn> {
        self.faults.iter_mut().filter_map(|scripted| scripted.advance(now, count)).collect()
    }

    pub fn next(&self) -> Option<u64> {
        self.faults.iter().filter_map(Scripted::next).min()
    }

    pub fn suffers(&self, what: impl Fn(&Misdeed) -> bool) -> bool {
        self.active().any(what)
    }

    pub fn active(&self) -> impl Iterator<Item = &Misdeed> {
        self.faults.iter().filter(|scripted| scripted.now.is_some()).map(|scripted| &scripted.fault.what)
    }
}

impl Scripted {
    fn begins(&self) -> Option<u64> {
        let again = self.fault.again.map_or(0, millis);
        self.fault.at.map(|at| millis(at).saturating_add(again.saturating_mul(self.rounds)))
    }

    fn next(&self) -> Option<u64> {
        match &self.now {
            None if self.over => None,
            None => self.begins(),
            Some(round) => self.fault.lasts.map(|lasts| round.at.saturating_add(millis(lasts))),
        }
    }

    fn advance(&mut self, now: u64, count: u64) -> Option<Turn> {
        let timed = self.next().is_some_and(|at| at <= now);
        let turns = match &self.now {
            None => !self.over && (timed || self.fault.after.is_some_and(|after| count >= after)),
            Some(round) => timed || self.fault.times.is_some_and(|times| count >= round.count.saturating_add(times)),
        };
        if !turns {
            return None;
        }
        let begun = self.now.is_none();
        self.now = begun.then(|| Round { at: self.begins().unwrap_or(now), count });
        if !begun {
            self.rounds += 1;
            self.over = self.fault.again.is_none();
        }
        Some(Turn { fault: self.fault.clone(), begun })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plant;
    use super::*;

    fn fault(toml: &str) -> Fault {
        let text = format!("socket = 's'\nrecord = 'r'\n[device.a]\n[[device.a.fault]]\n{toml}\n");
        Plant::parse(&text, "plant.toml".as_ref()).unwrap().device["a"].fault[0].clone()
    }

    fn script(toml: &str) -> Script {
        let fault = fault(toml);
        fault.check().unwrap();
        Script::new(std::iter::once(Arc::new(fault)))
    }

    fn active(script: &mut Script, now: u64, count: u64) -> bool {
        script.advance(now, count);
        script.active().next().is_some()
    }

    #[test]
    fn a_fault_by_time_comes_goes_and_comes_again() {
        let mut script = script("at = '10s'\nlasts = '2s'\nagain = '5s'\ndo = 'silent'");
        let times = [0, 9_999, 10_000, 11_999, 12_000, 14_999, 15_000, 17_000];
        let seen: Vec<bool> = times.iter().map(|now| active(&mut script, *now, 0)).collect();
        assert_eq!(seen, [false, false, true, true, false, false, true, false]);
        assert_eq!(script.next(), Some(20_000));
    }

    #[test]
    fn a_fault_by_count_strikes_so_many_times() {
        let mut script = script("after = 3\ntimes = 2\ndo = 'garbage'");
        let seen: Vec<bool> = (0..8).map(|count| active(&mut script, 0, count)).collect();
        assert_eq!(seen, [false, false, false, true, true, false, false, false]);
        assert_eq!(script.next(), None);
    }

    #[test]
    fn a_fault_that_cannot_be_is_refused() {
        for toml in ["do = 'silent'", "at = '1s'\nafter = 1\ndo = 'silent'", "after = 1\nagain = '1s'\ndo = 'silent'"] {
            assert!(fault(toml).check().is_err(), "{toml}");
        }
    }
}
