//! Units that are not asked for a while: a late answer of theirs may be on its way, or they want to be left alone between
//! an answer and the next request.
//!
//! The task of the bus says since when, whoever asks may look how long. A lock is held for a moment and never across a
//! wait. At most one row for each number of a unit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
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

impl Table {
    fn is_empty(&self) -> bool {
        self.until.is_empty() && self.pauses.is_empty() && self.in_doubt.is_empty()
    }
}

#[derive(Debug, Default)]
pub struct Quiet {
    table: Mutex<Table>,
    /// There is a row, or was when somebody looked last: mostly there is none, and then no lock is taken.
    any: AtomicBool,
}

impl Quiet {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that is done under this lock can panic half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For who puts a row in.
    fn filled(&self) -> MutexGuard<'_, Table> {
        let table = self.table();
        self.any.store(true, Ordering::Release);
        table
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// None: it may be asked now.
    pub fn until(&self, unit: u8) -> Option<Instant> {
        if self.is_empty() {
            return None;
        }
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
        let mut table = self.filled();
        if pause.is_zero() {
            table.pauses.remove(&unit);
        } else {
            table.pauses.insert(unit, pause);
        }
    }

    pub(super) fn answered(&self, unit: u8) {
        if self.is_empty() {
            return;
        }
        let mut table = self.table();
        table.in_doubt.remove(&unit);
        if let Some(pause) = table.pauses.get(&unit).copied() {
            table.until.insert(unit, Instant::now() + pause);
        }
        self.any.store(!table.is_empty(), Ordering::Release);
    }

    pub(super) fn leave(&self, unit: u8, time: Duration) {
        if !time.is_zero() {
            let mut table = self.filled();
            table.until.insert(unit, Instant::now() + time);
            table.in_doubt.insert(unit);
        }
    }
}
