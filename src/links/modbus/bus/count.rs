//! What became of the requests to each unit, and how much of the time they take.
//!
//! One writer, the task of the bus; a lock is held for a moment and never across a wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::wire::{Answer, Odd, Wrong};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub asked: u64,
    /// Exceptions count, too: the unit is there.
    pub answered: u64,
    pub silent: u64,
    pub checksum: u64,
    pub odd: u64,
    pub exceptions: u64,
    pub lost: u64,
    /// From the first byte of the last answered request to the last of its answer.
    pub round: Duration,
    /// The same of all that were answered, together.
    pub rounds: Duration,
    /// The longest of these.
    pub slowest: Duration,
}

impl Counts {
    fn add(&mut self, result: &Result<Answer, Wrong>, took: Duration) {
        self.asked += 1;
        match result {
            Ok(_) => self.answered += 1,
            Err(Wrong::Exception(_)) => {
                self.answered += 1;
                self.exceptions += 1;
            }
            Err(Wrong::Silent) => self.silent += 1,
            Err(Wrong::NotAnAnswer(Odd::Checksum)) => self.checksum += 1,
            Err(Wrong::NotAnAnswer(_)) => self.odd += 1,
            Err(Wrong::Lost(_)) => self.lost += 1,
            Err(Wrong::NotSent(_)) => {}
        }
        if matches!(result, Ok(_) | Err(Wrong::Exception(_))) {
            self.round = took;
            self.rounds = self.rounds.saturating_add(took);
            self.slowest = self.slowest.max(took);
        }
    }
}

/// How long requests were under way, of a late span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub busy: Duration,
    pub of: Duration,
}

impl Load {
    pub fn per_cent(self) -> f64 {
        if self.of.is_zero() { 0.0 } else { (100.0 * self.busy.as_secs_f64() / self.of.as_secs_f64()).min(100.0) }
    }
}

/// The load is that of the last one or two of these.
const WINDOW: Duration = Duration::from_secs(60);

/// The window that has ended, and the one that runs.
#[derive(Debug)]
struct Windows {
    before: Load,
    busy: Duration,
    began: Instant,
}

impl Windows {
    fn turn(&mut self, now: Instant) {
        let of = now - self.began;
        if of >= WINDOW {
            let idle = Load { busy: Duration::ZERO, of: WINDOW };
            self.before = if of < WINDOW * 2 { Load { busy: self.busy, of } } else { idle };
            (self.busy, self.began) = (Duration::ZERO, now);
        }
    }

    fn load(&mut self, now: Instant) -> Load {
        self.turn(now);
        Load { busy: self.before.busy + self.busy, of: self.before.of + (now - self.began) }
    }
}

#[derive(Debug)]
struct Table {
    /// At most one row for each number of a unit.
    units: BTreeMap<u8, Counts>,
    windows: Windows,
}

#[derive(Debug)]
pub struct Tally(Mutex<Table>);

impl Default for Tally {
    fn default() -> Tally {
        let windows = Windows { before: Load::default(), busy: Duration::ZERO, began: Instant::now() };
        Tally(Mutex::new(Table { units: BTreeMap::new(), windows }))
    }
}

impl Tally {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that is done under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, unit: u8, result: &Result<Answer, Wrong>, began: Instant, ended: Instant) {
        if !matches!(result, Err(Wrong::NotSent(_))) {
            let (mut table, took) = (self.table(), ended - began);
            table.windows.turn(ended);
            table.windows.busy += took;
            table.units.entry(unit).or_default().add(result, took);
        }
    }

    pub fn read(&self) -> BTreeMap<u8, Counts> {
        self.table().units.clone()
    }

    pub fn load(&self, now: Instant) -> Load {
        self.table().windows.load(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_load_is_that_of_late_and_an_idle_bus_has_none() {
        let tally = Tally::default();
        let second = Duration::from_secs(1);
        // A quarter of the time, for a minute and a half.
        for _ in 0..90 {
            tokio::time::advance(second).await;
            let now = Instant::now();
            tally.add(7, &Ok(Answer::Written), now - second / 4, now);
        }
        let load = tally.load(Instant::now());
        assert!((load.per_cent() - 25.0).abs() < 0.5 && load.of >= WINDOW, "{load:?}");
        tokio::time::advance(WINDOW).await;
        assert!(tally.load(Instant::now()).per_cent() < 15.0);
        tokio::time::advance(WINDOW * 3).await;
        assert_eq!(tally.load(Instant::now()).per_cent(), 0.0);
    }

    #[test]
    fn the_times_of_answers_are_told_of_those_that_came() {
        let (tally, now) = (Tally::default(), Instant::now());
        for millis in [10, 30, 20] {
            tally.add(1, &Ok(Answer::Written), now, now + Duration::from_millis(millis));
        }
        tally.add(1, &Err(Wrong::Silent), now, now + Duration::from_secs(1));
        let counts = tally.read()[&1];
        assert_eq!((counts.asked, counts.answered, counts.silent), (4, 3, 1));
        let [last, all, slowest] = [20, 60, 30].map(Duration::from_millis);
        assert_eq!((counts.round, counts.rounds, counts.slowest), (last, all, slowest));
    }
}
