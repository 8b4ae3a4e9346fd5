//! Units that are not asked for a while: a late answer of theirs may be on its way, or they want to be left alone between
//! an answer and the next request.
//!
//! The task of the bus says since when, whoever asks may look how long. A lock is held for a moment and never across a
//! wait. At most one row for each number of a unit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Default)]
struct Table {
    until: BTreeMap<u8, Instant>,
    pauses: BTreeMap<u8, Duration>,
    /// Those that did not answer, or not rightly, when they were asked last.
    in_doubt: BTreeSet<u8>,
}

#[derive(Debug, Default)]
pub struct Quiet(Mutex<Table>);

impl Quiet {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that is done under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: it may be asked now.
    pub fn until(&self, unit: u8) -> Option<Instant> {
        let mut table = self.table();
        let until = *table.until.get(&unit)?;
        if until > Instant::now() {
            return Some(until);
        }
        table.until.remove(&unit);
        None
    }

    /// Not its own pause is why it is not asked.
    pub(super) fn is_in_doubt(&self, unit: u8) -> bool {
        self.table().in_doubt.contains(&unit)
    }

    /// What it wants between an answer and the next request to it.
    pub fn wants(&self, unit: u8, pause: Duration) {
        let mut table = self.table();
        if pause.is_zero() {
            table.pauses.remove(&unit);
        } else {
            table.pauses.insert(unit, pause);
        }
    }

    pub(super) fn answered(&self, unit: u8) {
        let mut table = self.table();
        table.in_doubt.remove(&unit);
        if let Some(pause) = table.pauses.get(&unit).copied() {
            table.until.insert(unit, Instant::now() + pause);
        }
    }

    pub(super) fn leave(&self, unit: u8, time: Duration) {
        if !time.is_zero() {
            let mut table = self.table();
            table.until.insert(unit, Instant::now() + time);
            table.in_doubt.insert(unit);
        }
    }
}
