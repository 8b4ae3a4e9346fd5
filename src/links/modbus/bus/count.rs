//! What became of the requests to each unit.
//!
//! One writer, the task of the bus; a lock is held for a moment and never across a wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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
    /// All of these together.
    pub rounds: Duration,
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
            self.rounds += took;
        }
    }
}

/// At most one row for each number of a unit.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<u8, Counts>>);

impl Tally {
    pub(super) fn add(&self, unit: u8, result: &Result<Answer, Wrong>, took: Duration) {
        if !matches!(result, Err(Wrong::NotSent(_))) {
            let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            table.entry(unit).or_default().add(result, took);
        }
    }

    pub fn read(&self) -> BTreeMap<u8, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
