//! Claims: who says to be a device that is somewhere else.
//!
//! A device that is lost, or that proves better than before who it is, is taken where it shows itself. One that may
//! still be where it was is asked there first, and the claim waits: answers come only from the old place, so an impostor
//! cannot give them. What only one of two can be is decided by who answers, never by who speaks last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::device::DeviceNow;
use crate::model::*;

use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

/// Claims that wait, one a device.
const MOST_CLAIMS: usize = 1_000;
/// A device that sleeps is waited for, but no longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);
/// Pairs of devices that were shown as one, and told.
const MOST_ALIKE: usize = 1_000;

#[derive(Default)]
pub struct Claims {
    open: BTreeMap<DeviceNo, Claim>,
    alike: BTreeSet<(DeviceNo, DeviceNo)>,
}

struct Claim {
    from: Place,
    link: LinkNo,
    /// Who it says to be. What it can do comes with its next sighting: many claims shall not take much memory.
    who: Sighting,
    at: Mono,
    until: Mono,
}

/// What showing a known identity at some place comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is the device, and it is there.
    There,
    /// It is there too, and needs not move.
    OneWay,
    /// It may be the device: the one at the old place is asked.
    Contested,
    /// The device has shown better who it is.
    Taken,
}

impl Engine {
    pub(super) fn judge(&self, entry: &DeviceNow, place: &Place, shown: Option<&Identity>) -> Stand {
        let (device, live) = (&entry.device, &entry.live);
        let Some(at) = device.is_at().filter(|at| *at != place) else { return Stand::There };
        let last = if live.connectivity == Connectivity::Unknown { device.was } else { live.connectivity };
        let lost = matches!(last, Connectivity::Silent | Connectivity::Gone);
        if !lost && device.ways.contains(place) {
            return Stand::OneWay;
        }
        let Some(shown) = shown.filter(|_| !lost && self.registry.link(&at.link).is_some()) else {
            return Stand::There;
        };
        let known = device.identities.iter().find(|identity| identity.same_as(shown));
        let stored = known.map(|identity| identity.proof).unwrap_or_default();
        match shown.proof.cmp(&stored) {
            std::cmp::Ordering::Greater if shows_key(shown) => Stand::There,
            std::cmp::Ordering::Less => Stand::Taken,
            _ => Stand::Contested,
        }
    }

    /// Has the device asked where it was, and says how long that takes. `None` where too many claims wait.
    pub(super) fn contest(
        &mut self,
        now: &Now,
        link: LinkNo,
        no: DeviceNo,
        who: &Sighting,
        step: &mut Step,
    ) -> Option<Duration> {
        if let Some(claim) = self.claims.open.get(&no) {
            return Some(claim.until.since(now.mono));
        }
        let entry = self.registry.get(no).filter(|_| self.claims.open.len() < MOST_CLAIMS)?;
        let (from, wait) = (entry.device.is_at()?.clone(), self.settings.contest.max(asleep(&entry.capabilities)));
        let who = Sighting::new(who.address.clone(), who.identities.clone(), None);
        let (old, until) = (self.registry.link(&from.link), now.mono + wait);
        self.claims.open.insert(no, Claim { from, link, who, at: now.mono, until });
        self.timers.set(until, Timer::Contest(no));
        if let Some(old) = old.filter(|old| self.links[usize::from(old.0)].up.is_some()) {
            self.order(now, old, LinkOrder::Probe { device: no }, step);
        }
        Some(wait)
    }

    /// Time is up: who answered at the old place stays there.
    pub(super) fn contest_over(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(Claim { from, link, who, at, .. }) = self.claims.open.remove(&no) else { return };
        let Some(entry) = self.registry.get(no).cloned() else { return };
        if entry.device.is_at() != Some(&from) || (entry.device.keyed && !who.identities.iter().any(shows_key)) {
            return; // Meanwhile it has moved for another reason, or got a key.
        }
        if entry.live.heard.is_none_or(|heard| heard <= at) {
            self.take_in(now, link, no, &who, step);
        } else if self.note(now, link, &who, Denial::Taken, step) {
            let (device, address) = (entry.device.id.clone(), who.address);
            let link = self.links[usize::from(link.0)].settings.name.clone();
            step.changes.push(record(now, no, Record::DeviceContested { device, link, address }));
        }
    }

    /// Says once that other devices show up as this one too.
    pub(super) fn alike(&mut self, now: &Now, no: DeviceNo, shown: &[Identity], step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.id.clone()) else { return };
        for identity in shown {
            let other = self.registry.by_identity(identity).filter(|other| *other != no);
            let Some(other) = other.and_then(|other| self.registry.get(other)) else { continue };
            // What has a key is not claimed without it.
            let unproven = other.device.keyed && !shows_key(identity);
            let (other, pair) = (other.device.id.clone(), (no.min(other.device.no), no.max(other.device.no)));
            if !unproven && self.claims.alike.len() < MOST_ALIKE && self.claims.alike.insert(pair) {
                let device = device.clone();
                step.changes.push(record(now, no, Record::DeviceAlike { device, other }));
            }
        }
    }
}

pub fn shows_key(identity: &Identity) -> bool {
    identity.proof >= Proof::Key
}

/// How long the device may be unable to answer.
fn asleep(capabilities: &Capabilities) -> Duration {
    let sleep = capabilities.sleeps.map(|sleep| sleep.every.saturating_add(sleep.awake));
    sleep.unwrap_or_default().min(LONGEST_SLEEP)
}

#[cfg(test)]
mod tests {
    use super::super::settings::{LinkSettings, Settings};
    use super::*;
    use crate::model::device::Sleep;

    const PLANT: LinkNo = LinkNo(0);
    const YARD: LinkNo = LinkNo(1);

    fn now(s: u64) -> Now {
        Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set }
    }

    fn engine() -> Engine {
        let link = |name: &str| LinkSettings {
            name: Name::new(name).unwrap(),
            admission: Default::default(),
            every: Duration::from_secs(1),
            silent_after: Duration::from_secs(3_600),
        };
        let settings = Settings { links: vec![link("plant"), link("yard")], ..Settings::default() };
        let (mut engine, _) = Engine::load(settings, State::default(), &now(0));
        for link in [PLANT, YARD] {
            engine.handle(&now(0), Event::Link { link, event: LinkEvent::Up { credits: 9 } });
        }
        engine
    }

    fn show(engine: &mut Engine, at: u64, link: LinkNo, serials: &[usize], sleeps: Option<Sleep>) -> Step {
        let identity =
            |n: &usize| Identity::new(IdentityKind::Serial, &format!("acme:{n:05}"), Proof::Claimed).unwrap();
        let address = Address::new(&format!("{}", serials[0])).unwrap();
        let capabilities = Capabilities { sleeps, ..Capabilities::default() };
        let sighting = Sighting::new(address, serials.iter().map(identity).collect(), Some(capabilities.into()));
        engine.handle(&now(at), Event::Link { link, event: LinkEvent::Sighted(sighting) })
    }

    fn place(engine: &Engine, no: u32) -> String {
        engine.device(DeviceNo(no)).and_then(|entry| entry.device.place.clone()).unwrap().link.to_string()
    }

    #[test]
    fn only_so_many_claims_wait() {
        let mut engine = engine();
        (0..=MOST_CLAIMS).for_each(|n| drop(show(&mut engine, 1, PLANT, &[n], None)));
        (0..=MOST_CLAIMS).for_each(|n| drop(show(&mut engine, 2, YARD, &[n], None)));
        assert_eq!(engine.claims.open.len(), MOST_CLAIMS);
        assert_eq!(engine.attempts().map(|attempt| attempt.why).collect::<Vec<_>>(), [Denial::NoRoom]);
        engine.handle(&now(7), Event::Wake);
        assert!(engine.claims.open.is_empty());
        assert_eq!((place(&engine, 0), place(&engine, MOST_CLAIMS as u32)), ("yard".into(), "plant".into()));
    }

    #[test]
    fn who_sleeps_has_until_it_wakes() {
        let mut engine = engine();
        let sleeps = Sleep { every: Duration::from_secs(60), awake: Duration::from_secs(2) };
        show(&mut engine, 1, PLANT, &[1], Some(sleeps));
        show(&mut engine, 2, YARD, &[1], Some(sleeps));
        engine.handle(&now(63), Event::Wake);
        assert_eq!(place(&engine, 0), "plant");
        engine.handle(&now(64), Event::Wake);
        assert_eq!(place(&engine, 0), "yard");
        let forever = Sleep { every: Duration::MAX, awake: Duration::MAX };
        assert_eq!(asleep(&Capabilities { sleeps: Some(forever), ..Capabilities::default() }), LONGEST_SLEEP);
    }

    #[test]
    fn a_claim_without_a_key_is_void_once_the_device_has_one() {
        let mut engine = engine();
        show(&mut engine, 1, PLANT, &[1], None);
        show(&mut engine, 2, YARD, &[1], None);
        let identities = engine.device(DeviceNo(0)).unwrap().device.identities.clone();
        let key = Some(Secret::new("0123456789".into()));
        let ask = Ask::Register { devices: vec![Registration { identities, key, ..Registration::default() }] };
        engine.handle(&now(3), Event::Ask { to: 1, by: Principal::local_root(), ask });
        assert_eq!(engine.handle(&now(7), Event::Wake), Step::default());
        assert_eq!(place(&engine, 0), "plant");
    }

    #[test]
    fn only_so_many_pairs_are_told() {
        let mut engine = engine();
        (0..=MOST_ALIKE + 1).for_each(|n| drop(show(&mut engine, 1, PLANT, &[n], None)));
        let told = |step: Step| step.changes.iter().filter(|change| matches!(change, Change::Record(_))).count();
        let both = |engine: &mut Engine, n: usize| told(show(engine, 2, PLANT, &[n, 0], None));
        assert_eq!((1..=MOST_ALIKE + 1).map(|n| both(&mut engine, n)).sum::<usize>(), MOST_ALIKE);
        assert_eq!(both(&mut engine, 1), 0, "told before");
    }

    #[test]
    fn the_first_claim_stands() {
        let mut engine = engine();
        show(&mut engine, 1, PLANT, &[1], None);
        show(&mut engine, 2, YARD, &[1], None);
        let other = show(&mut engine, 4, PLANT, &[9, 1], None);
        assert_eq!(other, Step::default());
        engine.handle(&now(7), Event::Wake);
        assert_eq!(place(&engine, 0), "yard");
    }
}
