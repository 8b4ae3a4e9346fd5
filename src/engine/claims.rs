//! Claims: who says to be a device that is somewhere else.
//!
//! A device that is lost, or that proves better than before who it is, is taken where it shows itself. One that may
//! still be where it was is asked there first, and the claim waits: answers come only from the old place, so an impostor
//! cannot give them. What only one of two can be is decided by who answers, never by who speaks last.
//!
//! **Invariant: a claim is never decided by a silence that says nothing.** Who is kept off does not lose its place, who
//! carries out a command is waited for, and so is a link that is down, for as long as its devices may be silent. One in
//! whose place another was met may have been pushed out by an impostor: it is looked for there.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::device::DeviceNow;
use crate::model::*;

use super::meeting::denied;
use super::step::Step;
use super::timers::{SOONEST, Timer};
use super::{Engine, record};

/// Claims that wait, one a device.
const MOST_CLAIMS: usize = 1_000;
/// A device that sleeps is waited for, but no longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 3600);
/// Pairs of devices that were shown as one, and told.
const MOST_ALIKE: usize = 1_000;
/// A pair that was told so long ago makes room for another.
const LONG_AGO: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
pub struct Claims {
    open: BTreeMap<DeviceNo, Claim>,
    alike: BTreeMap<(DeviceNo, DeviceNo), Mono>,
    /// When each link was last asked to look for who was pushed out.
    looked: BTreeMap<LinkNo, Mono>,
}

struct Claim {
    from: Place,
    link: LinkNo,
    /// Who it says to be. What it can do comes with its next sighting: many claims shall not take much memory.
    who: Sighting,
    at: Mono,
    until: Mono,
    /// When the device was asked, if it could be.
    asked: Option<Mono>,
    /// Whoever is at the old place has shown the key there since.
    proven: bool,
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

impl Claims {
    /// A device is no more, or is another one now.
    pub fn forget(&mut self, no: DeviceNo) {
        self.open.remove(&no);
        self.alike.retain(|(a, b), _| *a != no && *b != no);
    }

    /// Who spoke up there is heard no more.
    pub fn forget_link(&mut self, link: LinkNo) {
        self.open.retain(|_, claim| claim.link != link);
        self.looked.remove(&link);
    }

    /// True where that these two are alike was not told yet, and there is room to know that it was.
    fn is_news(&mut self, now: &Now, pair: (DeviceNo, DeviceNo)) -> bool {
        if self.alike.contains_key(&pair) {
            return false;
        }
        if self.alike.len() >= MOST_ALIKE {
            self.alike.retain(|_, told| *told + LONG_AGO > now.mono);
        }
        let news = self.alike.len() < MOST_ALIKE;
        if news {
            self.alike.insert(pair, now.mono);
        }
        news
    }
}

impl Engine {
    pub(super) fn judge(&self, now: &Now, entry: &DeviceNow, place: &Place, shown: Option<&Identity>) -> Stand {
        let device = &entry.device;
        let Some(at) = device.place.as_ref().filter(|at| *at != place) else { return Stand::There };
        let Some(old) = self.registry.link(&at.link) else { return Stand::There };
        let lost = self.is_lost(now, entry, old);
        if !lost && device.ways.contains(place) {
            return if device.displaced { Stand::There } else { Stand::OneWay };
        }
        let Some(shown) = shown.filter(|_| !lost) else { return Stand::There };
        let known = device.identities.iter().find(|identity| identity.same_as(shown));
        let stored = known.map(|identity| identity.proof).unwrap_or_default();
        match shown.proof.cmp(&stored) {
            std::cmp::Ordering::Greater if shows_key(shown) => Stand::There,
            std::cmp::Ordering::Less => Stand::Taken,
            _ => Stand::Contested,
        }
    }

    /// There is nobody to ask where it was.
    fn is_lost(&self, now: &Now, DeviceNow { device, capabilities, live, .. }: &DeviceNow, link: LinkNo) -> bool {
        if device.displaced {
            let after = self.patience(link, capabilities);
            return live.heard.is_none_or(|heard| heard + after <= now.mono);
        }
        match live.connectivity {
            // What was told last may be old: while people work on a device little is told.
            Connectivity::Unknown if device.maintenance.is_some() => device.was == Connectivity::Gone,
            Connectivity::Unknown => matches!(device.was, Connectivity::Silent | Connectivity::Gone),
            now => matches!(now, Connectivity::Silent | Connectivity::Gone),
        }
    }

    /// How long a device of that link may be silent.
    fn patience(&self, link: LinkNo, capabilities: &Capabilities) -> Duration {
        self.links[usize::from(link.0)].settings.silent_after.saturating_add(asleep(capabilities))
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
        let entry = self.registry.get(no).filter(|_| self.claims.open.len() < MOST_CLAIMS)?.clone();
        let (from, wait) = (entry.device.place.clone()?, self.time_to_answer(&entry));
        let who = Sighting::new(who.address.clone(), who.identities.clone(), None);
        let asked = self.ask_there(now, &entry.device, &from, step);
        self.claims
            .open
            .insert(no, Claim { from, link, who, at: now.mono, until: now.mono + wait, asked, proven: false });
        self.timers.set(now.mono + wait, Timer::Contest(no));
        Some(wait)
    }

    fn time_to_answer(&self, entry: &DeviceNow) -> Duration {
        self.settings.contest.max(asleep(&entry.capabilities))
    }

    /// When it was asked: one that carries out a command is not, nor is anybody while the link is down.
    fn ask_there(&mut self, now: &Now, device: &Device, from: &Place, step: &mut Step) -> Option<Mono> {
        let old = self.registry.link(&from.link).filter(|old| self.links[usize::from(old.0)].up.is_some())?;
        if self.commands.is_flying(device.no) {
            return None;
        }
        if !device.displaced {
            self.order(now, old, LinkOrder::Probe { device: device.no }, step);
        }
        // Who has a key shows it when it is looked for, and not when it is asked for values.
        if device.displaced || device.keyed {
            self.look_round(now, old, step);
        }
        Some(now.mono)
    }

    pub(super) fn look_round(&mut self, now: &Now, link: LinkNo, step: &mut Step) {
        let pause = self.settings.contest.max(SOONEST);
        if self.claims.looked.get(&link).is_none_or(|looked| *looked + pause <= now.mono) {
            self.claims.looked.insert(link, now.mono);
            self.order(now, link, LinkOrder::Discover, step);
        }
    }

    /// Whoever is at the device's place has shown there what it is known by.
    pub(super) fn shown_there(&mut self, no: DeviceNo, place: &Place, with_key: bool) {
        if let Some(claim) = self.claims.open.get_mut(&no).filter(|claim| claim.from == *place) {
            claim.proven |= with_key;
        }
    }

    /// Where the device was last stands somebody who could not show its key: it is nowhere until somebody can.
    pub(super) fn leave_place(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(entry) = self.registry.get(no).filter(|entry| !entry.device.displaced).cloned() else { return };
        let claim = self.claims.open.remove(&no);
        self.change_device(now, Device { displaced: true, ..entry.device.as_ref().clone() }, step);
        self.connect(now, no, Connectivity::Gone, step);
        self.registry.unheard(no);
        if let Some(link) = entry.device.place.as_ref().and_then(|place| self.registry.link(&place.link)) {
            self.look_round(now, link, step);
        }
        if let Some(claim) = claim.filter(|claim| claim.who.identities.iter().any(shows_key)) {
            self.take_in(now, claim.link, no, &claim.who, step);
        }
    }

    /// Time is up: who answered at the old place stays there.
    pub(super) fn contest_over(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(mut claim) = self.claims.open.remove(&no) else { return };
        let Some(entry) = self.registry.get(no).cloned() else { return };
        if !self.is_still_open(now, &entry.device, &claim) {
            return;
        }
        // Of two that claim to have the key, answering proves nothing.
        let heard = match entry.device.keyed {
            true => claim.proven,
            false => entry.live.heard.is_some_and(|heard| heard > claim.at),
        };
        let waits = if heard { None } else { self.wait_on(now, &entry, &mut claim, step) };
        if let Some(until) = waits {
            claim.until = until;
            self.timers.set(until, Timer::Contest(no));
            self.claims.open.insert(no, claim);
        } else if !heard {
            self.take_in(now, claim.link, no, &claim.who, step);
        } else if self.note(now, claim.link, &claim.who, Denial::Taken, step) {
            let (device, address) = (entry.device.id.clone(), claim.who.address);
            let link = self.links[usize::from(claim.link.0)].settings.name.clone();
            step.changes.push(record(now, no, Record::DeviceContested { device, link, address }));
        }
    }

    /// Not so where the device moved for another reason meanwhile, is kept off, got a key, or is known by other
    /// identities.
    fn is_still_open(&self, now: &Now, device: &Device, claim: &Claim) -> bool {
        let Claim { from, who, .. } = claim;
        let names = |identity: &Identity| self.registry.by_identity(identity) == Some(device.no);
        device.place.as_ref() == Some(from)
            && denied(now, device).is_none()
            && who.identities.iter().any(names)
            && (!device.keyed || who.identities.iter().any(shows_key))
    }

    /// Until when the claim has to wait on: the device could not answer so far.
    fn wait_on(&mut self, now: &Now, entry: &DeviceNow, claim: &mut Claim, step: &mut Step) -> Option<Mono> {
        if claim.until > now.mono {
            return Some(claim.until);
        }
        if self.commands.is_flying(entry.device.no) {
            claim.asked = None;
        }
        let old = self.registry.link(&claim.from.link)?;
        let long_ago = claim.at + self.patience(old, &entry.capabilities) <= now.mono;
        match (self.links[usize::from(old.0)].up, claim.asked) {
            (Some(up), Some(asked)) if up <= asked => None,
            (None, _) => Some(now.mono + self.settings.contest.max(SOONEST)).filter(|_| !long_ago),
            (Some(_), _) => {
                claim.asked = self.ask_there(now, &entry.device, &claim.from, step);
                Some(now.mono + self.time_to_answer(entry).max(SOONEST))
            }
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
            if !unproven && self.claims.is_news(now, pair) {
                let device = device.clone();
                step.changes.push(record(now, no, Record::DeviceAlike { device, other }));
            }
        }
    }
}

pub fn shows_key(identity: &Identity) -> bool {
    identity.proof >= Proof::Key
}

/// What a device is known by has its key, but for what only joined when it was sighted with the key.
pub fn has_key(identity: &Identity) -> bool {
    identity.kind != IdentityKind::Place && identity.proof != Proof::Seen
}

/// Whoever shows one of its identities has to prove it from now on: that a link saw them counts no more, nor an earlier
/// key.
pub fn begin_key(device: &mut Device) {
    device.keyed = true;
    let real = device.identities.iter_mut().filter(|identity| identity.kind != IdentityKind::Place);
    real.for_each(|identity| identity.proof = Proof::Claimed);
}

/// What joins a device that has a key, and was shown: only with the key it is more than seen.
pub fn beside_key(device: &Device, shown: Identity) -> Option<Identity> {
    if !device.keyed || shows_key(&shown) {
        return Some(shown);
    }
    let known = device.identities.iter().any(|known| known.same_as(&shown));
    (!known).then_some(Identity { proof: Proof::Seen, ..shown })
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
            driver: None,
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
    fn a_pair_that_was_told_long_ago_makes_room() {
        let mut claims = Claims::default();
        let pair = |n: usize| (DeviceNo(0), DeviceNo(n as u32));
        let told: Vec<bool> = (1..=MOST_ALIKE + 1).map(|n| claims.is_news(&now(n as u64), pair(n))).collect();
        assert_eq!(told.iter().position(|told| !told), Some(MOST_ALIKE));
        let day = LONG_AGO.as_secs();
        assert!(!claims.is_news(&now(day), pair(0)), "nobody was told so long ago");
        assert!(claims.is_news(&now(day + 2), pair(0)));
        assert_eq!(claims.alike.len(), MOST_ALIKE - 1, "two made room");
    }

    #[test]
    fn who_is_another_now_or_no_more_is_like_nobody() {
        let mut engine = engine();
        (1..4).for_each(|n| drop(show(&mut engine, 1, PLANT, &[n], None)));
        (2..4).for_each(|n| drop(show(&mut engine, 2, PLANT, &[1, n], None)));
        assert_eq!(engine.claims.alike.len(), 2);
        let with = engine.device(DeviceNo(1)).unwrap().device.id.clone();
        assert_eq!(engine.merge(&now(3), DeviceNo(0), &with, &mut Step::default()), Ok(()));
        assert_eq!(engine.claims.alike.keys().collect::<Vec<_>>(), [&(DeviceNo(0), DeviceNo(2))]);
        engine.claims.forget(DeviceNo(2));
        assert!(engine.claims.alike.is_empty());
    }

    #[test]
    fn what_joins_beside_a_key_has_none() {
        let identity = |proof| Identity::new(IdentityKind::Serial, "acme:1", proof).unwrap();
        let mut device = Device::new(DeviceNo(0), DeviceId::new("urn:x").unwrap(), LifeCycle::Managed, &now(0));
        assert_eq!(beside_key(&device, identity(Proof::Claimed)), Some(identity(Proof::Claimed)));
        device.identities = vec![Identity::new(IdentityKind::Serial, "acme:2", Proof::Seen).unwrap()];
        begin_key(&mut device);
        assert!(device.keyed && device.identities.iter().all(has_key));
        assert_eq!(beside_key(&device, identity(Proof::Key)), Some(identity(Proof::Key)));
        assert_eq!(beside_key(&device, identity(Proof::Claimed)), Some(identity(Proof::Seen)));
        device.identities.push(identity(Proof::Claimed));
        assert_eq!(beside_key(&device, identity(Proof::Seen)), None);
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
