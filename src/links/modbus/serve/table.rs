//! What masters ask for now, and what they were told a moment ago.
//!
//! Who asks what another one asks at the same time waits for the same answer; so the bus hears it once. Invariants: a row is
//! there while somebody waits for it, or its answer is fresh; there are no more than [`MOST_ROWS`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::Serve;
use crate::links::modbus::bus::{Bus, Standing, Urgency};
use crate::links::modbus::units::Units;
use crate::links::modbus::wire::master::{asked, refused, told};
use crate::links::modbus::wire::{Exception, Request, Wrong};

/// Each with up to half a kilobyte.
const MOST_ROWS: usize = 512;

/// Who is asked, and for what.
type Question = (u8, Vec<u8>);

/// When it was answered, with what, and whether that may be told again.
#[derive(Debug)]
struct Told {
    at: Instant,
    pdu: Vec<u8>,
    good: bool,
}

type Row = Arc<OnceCell<Told>>;

pub struct Table {
    bus: Bus,
    units: Units,
    fresh: Duration,
    patience: Duration,
    rows: Mutex<BTreeMap<Question, Row>>,
}

impl Table {
    pub fn new(serve: &Serve, bus: Bus) -> Table {
        let Serve { units, fresh, patience, .. } = serve;
        Table { bus, units: units.clone(), fresh: fresh.0, patience: patience.0, rows: Mutex::default() }
    }

    /// The PDU that answers that one.
    pub async fn told(&self, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let function = pdu.first().copied().unwrap_or(0);
        let request = match asked(pdu) {
            Ok(request) => request,
            Err(why) => return refused(function, why),
        };
        // On a serial line nobody answers to unit 0.
        if self.bus.is_to_all(unit) || !(self.units.is_empty() || self.units.iter().any(|known| known == unit)) {
            return refused(function, Exception::NoPath);
        }
        let question = (unit, pdu.to_vec());
        let row = self.row(&question);
        let told = row.get_or_init(|| self.ask(unit, request)).await;
        if !self.is_fresh(told) {
            self.forget(&question, &row);
        }
        told.pdu.clone()
    }

    async fn ask(&self, unit: u8, request: Request) -> Told {
        let answer = self.bus.ask(unit, request.clone(), Instant::now() + self.patience, Urgency::Guest).await;
        let answer = answer.map_err(|wrong| self.why(wrong));
        let pdu = answer.and_then(|answer| told(&request, &answer).ok_or(Exception::DeviceFailure));
        let good = pdu.is_ok();
        let pdu = pdu.unwrap_or_else(|why| refused(request.function(), why));
        Told { at: Instant::now(), pdu, good }
    }

    fn why(&self, wrong: Wrong) -> Exception {
        match wrong {
            Wrong::Exception(exception) => exception,
            Wrong::Silent | Wrong::NotAnAnswer(_) => Exception::NoAnswer,
            Wrong::NotSent(_) if matches!(*self.bus.standing().borrow(), Standing::Open { .. }) => Exception::Busy,
            Wrong::Lost(_) | Wrong::NotSent(_) => Exception::NoPath,
        }
    }

    fn row(&self, question: &Question) -> Row {
        let mut rows = self.rows();
        let may_stay = |row: &Row| row.get().is_none_or(|told| self.is_fresh(told));
        if let Some(row) = rows.get(question).filter(|row| may_stay(row)) {
            return row.clone();
        }
        if rows.len() >= MOST_ROWS {
            rows.retain(|_, row| may_stay(row));
        }
        let row = Row::default();
        if rows.len() < MOST_ROWS {
            rows.insert(question.clone(), row.clone());
        }
        row
    }

    fn is_fresh(&self, told: &Told) -> bool {
        told.good && told.at.elapsed() < self.fresh
    }

    fn forget(&self, question: &Question, row: &Row) {
        let mut rows = self.rows();
        if rows.get(question).is_some_and(|known| Arc::ptr_eq(known, row)) {
            rows.remove(question);
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Question, Row>> {
        // Nothing that is done under this lock can panic half-way.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
