//! Looking around: for units that nobody has named, and whether those that are known are still who they were.
//!
//! Whoever orders it has it at once: one unit after the other. By itself a link looks around all the time, behind
//! everything else, for a small share of the line, and for who is not there more and more seldom.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{Driver, PATIENCE, Unit, When, lock};
use crate::links::modbus::bus::{Standing, Urgency};
use crate::links::modbus::who::{Asking, who};
use crate::links::runner::Notice;
use crate::model::Address;

/// How long a unit may think that may well not be there.
const THINKS: Duration = Duration::from_millis(300);
/// Of the time that a look takes, so often it is left to others afterwards: it has a tenth of the line at most.
const LEFT_TO_OTHERS: u32 = 9;
/// Between two looks, however short the settings make it.
const SOONEST: Duration = Duration::from_secs(1);
/// A unit that is not there is looked for each time, then each second time, and so on up to this.
const MOST_SKIPPED: u16 = 15;

/// A unit that was looked for in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Absent {
    skipped: u16,
    to_skip: u16,
}

impl Absent {
    /// Whether it is passed over this time.
    fn rests(&mut self) -> bool {
        self.skipped += 1;
        self.skipped <= self.to_skip
    }

    fn in_vain(&mut self) {
        *self = Absent { skipped: 0, to_skip: (self.to_skip * 2 + 1).min(MOST_SKIPPED) };
    }
}

/// Looks around by itself, as long as the link lives. Who is new is looked at in any case: nobody can be missed who was
/// never known.
pub(super) async fn run(driver: Arc<Driver>) {
    let every = Some(driver.scan_every).filter(|every| !every.is_zero()).map(|every| every.max(SOONEST));
    let mut standing = driver.bus.standing();
    let mut next = every.map(|_| Instant::now());
    loop {
        // The bus has ended: so does the link.
        if standing.wait_for(|now| matches!(now, Standing::Open { .. })).await.is_err() {
            return;
        }
        if next.is_some_and(|next| next <= Instant::now()) {
            driver.look_behind(driver.all()).await;
            next = every.map(|every| Instant::now() + every);
        } else {
            driver.look_behind(driver.unlearnt()).await;
        }
        tokio::select! {
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            // Mostly several come at once.
            () = driver.to_learn.notified() => sleep(SOONEST).await,
        }
    }
}

impl Driver {
    pub(super) fn asking(&self, when: impl Into<When>) -> Asking<'_> {
        let When { urgency, until } = when.into();
        let left = until.map_or(PATIENCE, |until| until.saturating_duration_since(Instant::now()));
        Asking { bus: &self.bus, urgency, patience: left.min(PATIENCE), thinks: None }
    }

    /// Now, for whoever waits for it.
    pub(super) async fn look_around(&self) {
        // One that is under way finds what another would.
        let Ok(_alone) = self.looking.try_lock() else { return };
        for no in self.all() {
            self.look_at(no, &self.asking(Urgency::Poll)).await;
        }
    }

    /// Politely.
    async fn look_behind(&self, units: BTreeSet<u8>) {
        for no in units {
            // Whoever ordered it goes first.
            drop(self.looking.lock().await);
            if lock(&self.absent).get_mut(&no).is_some_and(Absent::rests) {
                continue;
            }
            let began = Instant::now();
            self.look_at(no, &self.asking(Urgency::Scan)).await;
            sleep(began.elapsed() * LEFT_TO_OTHERS).await;
        }
    }

    fn all(&self) -> BTreeSet<u8> {
        let read = lock(&self.read).clone();
        self.wanted.iter().chain(read).collect()
    }

    /// Of whom it is not known yet how they are recognised.
    fn unlearnt(&self) -> BTreeSet<u8> {
        let read = lock(&self.read).clone();
        let units = lock(&self.units);
        let new =
            units.values().filter(|unit| unit.kind.is_some() && read.contains(&unit.no) && lock(&unit.known).is_new());
        new.map(|unit| unit.no).collect()
    }

    async fn look_at(&self, no: u8, asking: &Asking<'_>) {
        let Ok(address) = Address::new(&no.to_string()) else { return };
        let is_read = lock(&self.read).contains(&no);
        let known = lock(&self.units).get(&address).filter(|known| is_read && known.kind.is_some()).cloned();
        match known {
            // Whether a silent one is there the polls will see, and who it is then.
            Some(known) if lock(&known.known).is_in_doubt() => {}
            Some(known) => {
                if let Err(wrong) = self.verify(&known, asking).await {
                    tracing::debug!(unit = no, "who it is could not be looked at: {wrong}");
                }
            }
            None if self.wanted.iter().any(|wanted| wanted == no) => self.look_for(no, address, asking).await,
            None => {}
        }
    }

    async fn look_for(&self, no: u8, address: Address, asking: &Asking<'_>) {
        let unit = Unit::unknown(no);
        let briefly = Asking { thinks: Some(THINKS), ..*asking };
        if self.is_there(&unit, &briefly).await.is_err() {
            lock(&self.absent).entry(no).or_default().in_vain();
            return;
        }
        lock(&self.absent).remove(&no);
        let who = who(asking, no, &(self.readers.profiles)()).await;
        self.tell(Notice::Sighted(who.sighting(address))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_there_is_looked_for_more_and_more_seldom_but_never_given_up() {
        let mut absent = Absent::default();
        absent.in_vain();
        let mut rested = Vec::new();
        for _ in 0..6 {
            let mut times = 0;
            while absent.rests() {
                times += 1;
            }
            rested.push(times);
            absent.in_vain();
        }
        assert_eq!(rested, [1, 3, 7, 15, 15, 15]);
    }
}
