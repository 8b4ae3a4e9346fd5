//! Attempts: those who were turned away, folded. Each stranger is one row, and only so many strangers are told apart:
//! the rest of a link share one.
//!
//! Of each row there are two copies: what readers see, which counts every attempt, and what was stored last, which is
//! written when it is new and each time its count has doubled. So a flood of strangers is bounded in memory, in writes
//! and in time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::*;

use super::step::Step;
use super::{Engine, Touched};

/// Who did not try again for so long makes room for others.
const LONG_AGO: Duration = Duration::from_secs(24 * 3600);

pub struct Attempts {
    /// Strangers that are told apart, without those that stand for many.
    most: usize,
    rows: BTreeMap<Stranger, Row>,
    /// Those that are told apart, by when they tried last.
    order: BTreeMap<u64, Stranger>,
    next: u64,
}

struct Row {
    counted: Attempt,
    stored: Attempt,
    place: u64,
}

impl Attempts {
    pub fn load(most: usize, mut rows: Vec<Attempt>) -> Attempts {
        let mut attempts = Attempts { most, rows: BTreeMap::new(), order: BTreeMap::new(), next: 0 };
        rows.sort_by_key(|row| (row.last.boot, row.last.mono));
        for row in rows {
            let place = attempts.take_place(&row.stranger);
            attempts.rows.insert(row.stranger.clone(), Row { counted: row.clone(), stored: row, place });
        }
        attempts
    }

    /// Those that are there already stay until there is need of room.
    pub fn bound(&mut self, most: usize) {
        self.most = most;
    }

    /// As they stand on disk.
    pub fn stored(&self) -> impl Iterator<Item = &Attempt> {
        self.rows.values().map(|row| &row.stored)
    }

    /// With every attempt counted.
    pub fn counted(&self) -> impl Iterator<Item = &Attempt> {
        self.rows.values().map(|row| &row.counted)
    }

    /// Where it was turned away the last time.
    pub fn address_of(&self, stranger: &Stranger) -> Option<&Address> {
        self.rows.get(stranger).map(|row| &row.counted.address)
    }

    /// One more. True where it is news.
    fn add(&mut self, now: &Now, stranger: Stranger, address: Address, why: Denial, step: &mut Step) -> bool {
        let stranger = self.room_for(now, stranger, step);
        let place = self.take_place(&stranger);
        let (first, count) = self.rows.get(&stranger).map_or((*now, 0), |row| (row.counted.first, row.counted.count));
        let count = count.saturating_add(1);
        let counted = Attempt { stranger: stranger.clone(), address, why, first, last: *now, count };
        let news = counted.is_news();
        if news {
            step.changes.push(Change::Attempt(counted.clone()));
        }
        match self.rows.get_mut(&stranger) {
            Some(row) => {
                self.order.remove(&row.place);
                if news {
                    row.stored = counted.clone();
                }
                (row.counted, row.place) = (counted, place);
            }
            None => {
                self.rows.insert(stranger, Row { stored: counted.clone(), counted, place });
            }
        }
        news
    }

    /// As whom to count this one: itself, or all for whom there is no room.
    fn room_for(&mut self, now: &Now, stranger: Stranger, step: &mut Step) -> Stranger {
        if self.rows.contains_key(&stranger) || self.order.len() < self.most {
            return stranger;
        }
        let oldest = self.order.first_key_value().map(|(_, oldest)| oldest.clone());
        let Some(oldest) = oldest.filter(|oldest| self.rows.get(oldest).is_some_and(|row| is_old(now, &row.counted)))
        else {
            return Stranger { who: None, ..stranger };
        };
        self.forget(&oldest);
        step.changes.push(Change::ForgetAttempt(oldest));
        stranger
    }

    fn forget(&mut self, stranger: &Stranger) {
        if let Some(row) = self.rows.remove(stranger) {
            self.order.remove(&row.place);
        }
    }

    fn take_place(&mut self, stranger: &Stranger) -> u64 {
        self.next += 1;
        if stranger.who.is_some() {
            self.order.insert(self.next, stranger.clone());
        }
        self.next
    }
}

fn is_old(now: &Now, attempt: &Attempt) -> bool {
    let last = &attempt.last;
    let ago = if last.boot == now.boot {
        now.mono.since(last.mono)
    } else {
        Duration::from_millis(now.wall.0.saturating_sub(last.wall.0))
    };
    ago > LONG_AGO
}

impl Engine {
    /// What a clean stop writes beside: counts that have grown since they were written.
    pub fn last_words(&mut self, now: &Now) -> Vec<Change> {
        let grown = self.attempts.rows.values_mut().filter(|row| row.stored != row.counted);
        let told = grown.map(|row| {
            row.stored = row.counted.clone();
            Change::Attempt(row.counted.clone())
        });
        let told: Vec<Change> = told.collect();
        told.into_iter().chain(self.last_totals()).chain(self.last_audits(now)).collect()
    }

    /// Who tried to join, or to be somebody, and was turned away.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.counted()
    }

    /// Somebody is turned away. True where it is news.
    pub(super) fn note(&mut self, now: &Now, link: LinkNo, who: &Sighting, why: Denial, step: &mut Step) -> bool {
        let stranger = Stranger::of(&self.links[usize::from(link.0)].settings.name, who);
        self.touched.attempts = true;
        self.attempts.add(now, stranger, who.address.clone(), why, step)
    }
}

impl Touched {
    /// What a start has to show.
    pub(super) fn of_start(devices: Vec<DeviceNo>, attempts: &Attempts) -> Touched {
        Touched { devices, attempts: !attempts.rows.is_empty(), tokens: true, ..Touched::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    fn now(boot: u32, mono: u64, wall: u64) -> Now {
        Now { mono: Mono(mono), boot: Boot(boot), wall: Wall(wall), quality: ClockQuality::Set }
    }

    fn stranger(link: &str, who: u32) -> Stranger {
        Stranger { link: Name::new(link).unwrap(), who: Some(Address::new(&format!("acme:{who}")).unwrap()) }
    }

    fn add(attempts: &mut Attempts, now: &Now, link: &str, who: u32) -> Vec<Change> {
        let mut step = Step::default();
        let address = Address::new("1").unwrap();
        attempts.add(now, stranger(link, who), address, Denial::Rule, &mut step);
        step.changes
    }

    fn apply(state: &mut State, changes: &[Change]) {
        changes.iter().for_each(|change| state.apply(change));
    }

    fn agree(state: &State, attempts: &Attempts) -> bool {
        state.attempts.iter().eq(attempts.stored())
    }

    #[test]
    fn ten_thousand_strangers_refused_again_and_again_are_bounded() {
        let (mut attempts, mut state, mut changes) = (Attempts::load(1_024, Vec::new()), State::default(), 0);
        let strangers: Vec<Stranger> =
            (0..10_000).map(|who| stranger(if who % 2 == 0 { "plant" } else { "yard" }, who)).collect();
        let address = Address::new("1").unwrap();
        for round in 0..100 {
            for who in &strangers {
                let mut step = Step::default();
                attempts.add(&now(1, round * 1_000, 0), who.clone(), address.clone(), Denial::Rule, &mut step);
                apply(&mut state, &step.changes);
                changes += step.changes.len();
            }
        }
        assert_eq!((attempts.rows.len(), attempts.order.len()), (1_024 + 2, 1_024));
        // Each is written when it is new and each time its count doubles.
        assert_eq!(changes, 1_024 * 7 + 2 * 19);
        assert_eq!(attempts.counted().map(|row| row.count).sum::<u64>(), 1_000_000);
        assert!(agree(&state, &attempts));
    }

    #[test]
    fn who_did_not_try_for_a_day_makes_room() {
        let mut attempts = Attempts::load(2, Vec::new());
        add(&mut attempts, &now(1, 0, 0), "plant", 1);
        add(&mut attempts, &now(1, 1, 0), "plant", 2);
        add(&mut attempts, &now(1, DAY, 0), "plant", 1);
        assert_eq!(add(&mut attempts, &now(1, DAY + 1, 0), "plant", 3).len(), 1, "nobody is old enough");
        let made = add(&mut attempts, &now(1, DAY + 2, 0), "plant", 3);
        assert_eq!(made.first(), Some(&Change::ForgetAttempt(stranger("plant", 2))));
        assert!(matches!(&made[1..], [Change::Attempt(new)] if new.stranger == stranger("plant", 3)));
        let left: Vec<u64> = attempts.counted().map(|row| row.count).collect();
        assert_eq!(left, [1, 2, 1], "all others, the first one, the new one");
    }

    #[test]
    fn over_a_reboot_the_wall_clock_tells_who_is_old() {
        let mut attempts = Attempts::load(1, Vec::new());
        add(&mut attempts, &now(1, 5 * DAY, DAY), "plant", 1);
        assert_eq!(add(&mut attempts, &now(2, 0, DAY + 1), "plant", 2).len(), 1);
        assert_eq!(add(&mut attempts, &now(2, 0, 2 * DAY + 1), "plant", 2).len(), 2);
    }

    #[test]
    fn a_restart_goes_on_from_what_was_stored() {
        let (mut attempts, mut state) = (Attempts::load(9, Vec::new()), State::default());
        for mono in 0..7 {
            apply(&mut state, &add(&mut attempts, &now(1, mono, 0), "plant", 1));
        }
        assert_eq!(attempts.counted().next().map(|row| row.count), Some(7));
        let mut again = Attempts::load(9, state.attempts.clone());
        assert!(agree(&state, &again));
        assert_eq!(again.counted().next().map(|row| row.count), Some(4));
        apply(&mut state, &add(&mut again, &now(2, 9, 0), "plant", 1));
        assert!(agree(&state, &again));
    }

    #[test]
    fn with_no_room_at_all_everybody_is_counted_together() {
        let mut attempts = Attempts::load(0, Vec::new());
        add(&mut attempts, &now(1, 0, 0), "plant", 1);
        add(&mut attempts, &now(1, 0, 0), "plant", 2);
        let rows: Vec<_> = attempts.counted().map(|row| (row.stranger.who.is_none(), row.count)).collect();
        assert_eq!(rows, [(true, 2)]);
    }

    #[test]
    fn a_start_shows_every_device_and_who_was_turned_away() {
        let shown = |state: &State| {
            let touched = Engine::load(Settings::default(), state.clone(), &now(2, 0, 0)).0.touched();
            (touched.devices, touched.attempts)
        };
        let mut state = State::default();
        assert_eq!(shown(&state), (vec![], false));
        let id = DeviceId::new("urn:x").unwrap();
        state.devices.push(Device::new(DeviceNo(7), id, LifeCycle::Managed, &now(1, 0, 0)).into());
        apply(&mut state, &add(&mut Attempts::load(9, Vec::new()), &now(1, 0, 0), "plant", 1));
        assert_eq!(shown(&state), (vec![DeviceNo(7)], true));
    }
}
