//! Admission: who may join, and what a sighting comes to.
//!
//! Identity comes first: a device with a known identity is that device, wherever it is, as far as it can prove it. Only a
//! device that shows none is known by its place. Whom nobody knows, the rules let in or turn away.

use std::sync::Arc;
use std::time::Duration;

use crate::model::device::DeviceNow;
use crate::model::event::MOST_IDENTITIES;
use crate::model::order::Verdict;
use crate::model::*;

use super::describing::dated;
use super::grouping::is_about;
use super::meeting::{add_identities, denied};
use super::settings::{Admission, LinkSettings};
use super::step::Step;
use super::{Engine, record};

/// Where the id of a new device is another's already.
const IDS_TO_TRY: u32 = 64;

/// What a sighting came to.
pub enum Met {
    /// It is this device, known before or new.
    Is(DeviceNo),
    /// It says to be a device that may be somewhere else: after so long that is known.
    Contested(Duration),
    /// It is turned away: for good, or until then.
    Denied(Denial, Option<Mono>),
}

impl Engine {
    pub(super) fn sighted(&mut self, now: &Now, link: LinkNo, sighting: Sighting, step: &mut Step) {
        let address = sighting.address.clone();
        if let Met::Denied(Denial::Rule | Denial::Refused | Denial::Retired | Denial::Blocked, until) =
            self.meet(now, link, sighting, step)
            && self.serves_nobody_at(now, link, &address)
        {
            self.order(now, link, LinkOrder::Refuse { address, until }, step);
        }
    }

    /// To keep a stranger off must not keep off who has a right to be there.
    fn serves_nobody_at(&self, now: &Now, link: LinkNo, address: &Address) -> bool {
        let there = self.registry.by_address(link, address).and_then(|no| self.registry.get(no));
        there.is_none_or(|entry| denied(now, &entry.device).is_some())
    }

    pub(super) fn asked(&mut self, now: &Now, link: LinkNo, exchange: u64, who: Sighting, step: &mut Step) {
        let (verdict, wait) = match self.meet(now, link, who, step) {
            Met::Is(no) if self.is_served(no) => (Verdict::Accepted, None),
            Met::Is(_) | Met::Denied(Denial::NoRoom, _) => (Verdict::Later, Some(self.settings.come_back)),
            Met::Contested(wait) => (Verdict::Later, Some(wait)),
            Met::Denied(_, until) => (Verdict::Refused, until.map(|until| until.since(now.mono))),
        };
        self.order(now, link, LinkOrder::Answer { exchange, verdict, wait }, step);
    }

    fn is_served(&self, no: DeviceNo) -> bool {
        let life = self.registry.get(no).map(|entry| entry.device.life);
        matches!(life, Some(LifeCycle::Managed | LifeCycle::Quarantined))
    }

    fn meet(&mut self, now: &Now, link: LinkNo, mut sighting: Sighting, step: &mut Step) -> Met {
        sighting.identities.truncate(MOST_IDENTITIES);
        let shown = std::mem::take(&mut sighting.identities);
        add_identities(&mut sighting.identities, shown);
        sighting.identities.sort_by(|a, b| b.kind.cmp(&a.kind).then(b.proof.cmp(&a.proof)));
        if sighting.capabilities.as_ref().is_some_and(|capabilities| capabilities.check().is_err()) {
            return self.deny(now, link, &sighting, Denial::Nonsense, step);
        }
        if sighting.about.as_ref().is_some_and(|about| about.check().is_err()) {
            self.note(now, link, &sighting, Denial::Nonsense, step);
            sighting.about = None;
        }
        match self.recognise(link, &sighting) {
            Some(known) => self.meet_again(now, link, known, &sighting, step),
            None => match self.admit(now, link, &sighting, step) {
                Ok(no) => Met::Is(no),
                Err(why) => self.deny(now, link, &sighting, why, step),
            },
        }
    }

    pub(super) fn deny(&mut self, now: &Now, link: LinkNo, who: &Sighting, why: Denial, step: &mut Step) -> Met {
        if matches!(why, Denial::NoRoom | Denial::Nonsense) {
            self.links[usize::from(link.0)].rejected += 1;
        }
        self.note(now, link, who, why, step);
        Met::Denied(why, None)
    }

    /// The device that is meant, with the identity that names it: the one that is there already, else the one that is
    /// named best.
    fn recognise(&self, link: LinkNo, sighting: &Sighting) -> Option<(DeviceNo, Option<Identity>)> {
        let there = self.registry.by_address(link, &sighting.address);
        let known = |identity: &Identity| Some((self.registry.by_identity(identity)?, Some(identity.clone())));
        let named = || sighting.identities.iter().filter_map(known);
        named().find(|(no, _)| Some(*no) == there).or_else(|| named().next()).or_else(|| {
            let Some(no) = there else {
                // Two that were merged are one also where one of them was known only by its place.
                let way = || self.registry.by_way(link, &sighting.address);
                return sighting.identities.is_empty().then(way)?.map(|no| (no, None));
            };
            let entry = self.registry.get(no)?;
            let only_by_place = entry.device.identities.iter().all(|identity| identity.kind == IdentityKind::Place);
            (sighting.identities.is_empty() || only_by_place).then_some((no, None))
        })
    }

    fn admit(&mut self, now: &Now, link: LinkNo, sighting: &Sighting, step: &mut Step) -> Result<DeviceNo, Denial> {
        let settings = self.links[usize::from(link.0)].settings.clone();
        let identities = match sighting.identities.is_empty() {
            true => place(&settings.name, &sighting.address).into_iter().collect(),
            false => sighting.identities.clone(),
        };
        let strongest = identities.first().ok_or(Denial::Nonsense)?;
        let mut would_be = would_be(now, &settings.name, sighting, &identities, strongest.urn());
        // A rule may ask for the profile that it would have.
        let profile = self.kind_of(&would_be.device, would_be.about.as_deref(), &would_be.capabilities);
        Arc::make_mut(&mut would_be.device).profile = profile.clone().map(Box::new);
        would_be.dynamic = self.dynamic_of(&would_be);
        let life = self.life_for(&settings, &would_be)?;
        let id = self.unused_id(strongest).ok_or(Denial::Nonsense)?;
        let capabilities = sighting.capabilities.clone().unwrap_or_default();
        let (no, link, address) = (self.registry.next_no(), settings.name, sighting.address.clone());
        let place = Some(Place { link: link.clone(), address: address.clone() });
        let mut device = Device { identities, place, ..Device::new(no, id.clone(), life, now) };
        self.become_kind(&mut device, profile, &capabilities, &Capabilities::default(), step)?;
        let about = sighting.about.as_ref().and_then(|about| self.told(now, &mut device, about));
        step.changes.push(record(now, no, Record::DeviceAdded { device: id, link, address, life }));
        if device.profile.is_some() {
            self.tell_kind(now, &Device { profile: None, ..device.clone() }, &device, step);
        }
        self.change_device(now, device, step);
        step.changes.extend(about);
        self.alive(now, no, step);
        Ok(no)
    }

    /// As what one who is met for the first time joins.
    fn life_for(&self, link: &LinkSettings, would_be: &DeviceNow) -> Result<LifeCycle, Denial> {
        let life = match self.rule_for(link, would_be) {
            Admission::Refuse => return Err(Denial::Rule),
            Admission::Accept => LifeCycle::Managed,
            Admission::Quarantine => LifeCycle::Quarantined,
            Admission::Hold => LifeCycle::Pending,
        };
        if self.room_for_device() && self.room_as(life) { Ok(life) } else { Err(Denial::NoRoom) }
    }

    pub(super) fn rule_for(&self, link: &LinkSettings, would_be: &DeviceNow) -> Admission {
        let identities = &would_be.device.identities;
        let fitting = self.settings.admission.iter().find(|rule| {
            rule.link.as_ref().is_none_or(|name| *name == link.name)
                && identities.iter().any(|identity| {
                    rule.identity.as_ref().is_none_or(|pattern| pattern.fits(identity))
                        && rule.proof.is_none_or(|proof| identity.proof >= proof)
                })
                && rule.profile.as_ref().is_none_or(|name| would_be.device.profile_name() == Some(name))
                && is_about(&rule.of, would_be)
        });
        fitting.map_or(link.admission, |rule| rule.then)
    }

    pub(super) fn room_for_device(&self) -> bool {
        self.registry.count() < self.settings.most_devices && self.registry.has_numbers()
    }

    /// Room for one more that waits for a decision; for any other life there is.
    pub(super) fn room_as(&self, life: LifeCycle) -> bool {
        life != LifeCycle::Pending || self.registry.pending() < self.settings.most_pending
    }

    /// An id says nothing of the present: one that was made of a place may since have moved away from it.
    pub(super) fn unused_id(&self, identity: &Identity) -> Option<DeviceId> {
        let id = identity.urn();
        if self.registry.by_id(&id).is_none() {
            return Some(id);
        }
        // An identity may be written just like an id that was made so.
        let next = self.registry.next_no().0;
        let others = (next..next.saturating_add(IDS_TO_TRY)).map(|no| DeviceId::new(&format!("{id}:{no}")));
        others.filter_map(Result::ok).find(|id| self.registry.by_id(id).is_none())
    }

    /// Takes the device as it is from now on, and has its link told.
    pub(super) fn change_device(&mut self, now: &Now, device: Device, step: &mut Step) {
        let no = device.no;
        let left = self.registry.link_of(no);
        let displaced = self.displaced(&device);
        let kept_off = self.kept_off_at(now, no);
        if let Some(other) = displaced.and_then(|other| self.registry.get(other)).cloned() {
            self.store_device(Device { displaced: true, ..other.device.as_ref().clone() }, step);
            self.connect(now, other.device.no, Connectivity::Gone, step);
        }
        self.store_device(device, step);
        let link = self.registry.link_of(no);
        self.commands.list(no, link);
        if let Some(link) = link {
            self.tell(link, no);
            displaced.into_iter().for_each(|other| self.tell(link, other));
            self.watch_for_silence(now, no);
            self.pump(now, link, step);
        }
        if let Some(left) = left.filter(|left| Some(*left) != link) {
            self.tell(left, no);
            self.pump(now, left, step);
        }
        let kept_off = kept_off.filter(|(link, address)| self.registry.by_address(*link, address) != Some(no));
        self.lift_refusals(now, kept_off, step);
    }

    /// Where its link was told to have nothing to do with it.
    pub(super) fn kept_off_at(&self, now: &Now, no: DeviceNo) -> Option<(LinkNo, Address)> {
        let device = &self.registry.get(no)?.device;
        denied(now, device)?;
        Some((self.registry.link_of(no)?, device.is_at()?.address.clone()))
    }

    /// What kept off who is not there any more. Of anybody else the link is told by itself, but of who waits.
    pub(super) fn lift_refusals(
        &mut self,
        now: &Now,
        places: impl IntoIterator<Item = (LinkNo, Address)>,
        step: &mut Step,
    ) {
        for (link, address) in places {
            let there = self.registry.by_address(link, &address).and_then(|no| self.registry.get(no));
            let is_up = self.links[usize::from(link.0)].up.is_some();
            let is_left = there
                .is_none_or(|entry| entry.device.life == LifeCycle::Pending && denied(now, &entry.device).is_none());
            if is_up && is_left {
                self.order(now, link, LinkOrder::Refuse { address, until: Some(now.mono) }, step);
            }
        }
    }

    /// The device that stands where this one is now.
    fn displaced(&self, device: &Device) -> Option<DeviceNo> {
        let place = device.is_at()?;
        let link = self.registry.link(&place.link)?;
        self.registry.by_address(link, &place.address).filter(|other| *other != device.no)
    }

    pub(super) fn store_device(&mut self, device: Device, step: &mut Step) {
        let device = Arc::new(device);
        let left = self.registry.put(device.clone());
        self.registry.touch(device.no, &mut self.touched.devices);
        self.keep_converter(&device, step);
        step.changes.push(Change::Device(device));
        step.changes.extend(left.into_iter().map(Change::ForgetShape));
    }
}

/// The device that would join, as far as it has shown itself.
fn would_be(now: &Now, link: &Name, sighting: &Sighting, identities: &[Identity], id: DeviceId) -> DeviceNow {
    let place = Some(Place { link: link.clone(), address: sighting.address.clone() });
    let device = Device {
        identities: identities.to_vec(),
        place,
        ..Device::new(DeviceNo(u32::MAX), id, LifeCycle::Pending, now)
    };
    let about = sighting.about.as_ref().map(|about| Arc::new(dated(about.as_ref().clone(), now, false)));
    DeviceNow { about, ..DeviceNow::new(device.into(), sighting.capabilities.clone().unwrap_or_default()) }
}

pub fn place(link: &Name, address: &Address) -> Option<Identity> {
    let mut value = format!("{link}/{address}");
    value.truncate(id::LONGEST_ADDRESS); // ASCII, so no character is cut; a longer place could not be told apart anyway.
    Identity::new(IdentityKind::Place, &value, Proof::Seen).ok()
}

#[cfg(test)]
mod tests {
    use super::super::settings::{AdmissionRule, Settings};
    use super::*;
    use crate::engine::Pattern;

    const PLANT: LinkNo = LinkNo(0);

    fn now(s: u64) -> Now {
        Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set }
    }

    fn link(name: &str, admission: Admission) -> LinkSettings {
        let every = Duration::from_secs(1);
        LinkSettings {
            name: Name::new(name).unwrap(),
            driver: None,
            admission,
            every,
            silent_after: Duration::from_secs(3_600),
        }
    }

    fn identity(kind: IdentityKind, value: &str, proof: Proof) -> Identity {
        Identity::new(kind, value, proof).unwrap()
    }

    fn known(place: &str, change: impl FnOnce(&mut Device)) -> Engine {
        let id = DeviceId::new("urn:x").unwrap();
        let mut device = Device::new(DeviceNo(0), id, LifeCycle::Managed, &now(0));
        device.identities = vec![identity(IdentityKind::Serial, "acme:1", Proof::Seen)];
        device.place = Some(Place { link: Name::new(place).unwrap(), address: Address::new("1").unwrap() });
        change(&mut device);
        let state = State { devices: vec![device.into()], ..State::default() };
        let settings = Settings { links: vec![link("plant", Admission::Accept)], ..Settings::default() };
        let (mut engine, _) = Engine::load(settings, state, &now(0));
        engine.handle(&now(0), Event::Link { link: PLANT, event: LinkEvent::Up { credits: 99 } });
        engine
    }

    fn shown(address: &str, proof: Proof) -> Sighting {
        let who = vec![identity(IdentityKind::Serial, "acme:1", proof)];
        Sighting::new(Address::new(address).unwrap(), who, None)
    }

    fn handle(engine: &mut Engine, event: LinkEvent) -> Vec<LinkOrder> {
        let step = engine.handle(&now(10), Event::Link { link: PLANT, event });
        let orders = step.orders.into_iter().filter_map(|order| match order {
            Order::Link { order, .. } => Some(order),
            _ => None,
        });
        orders.collect()
    }

    fn why(engine: &Engine) -> Vec<Denial> {
        engine.attempts().map(|attempt| attempt.why).collect()
    }

    #[test]
    fn where_the_numbers_are_used_up_nobody_new_joins() {
        let mut engine = known("plant", |_| ());
        engine.registry.most_numbers = 2;
        let new = |n: u32| {
            let who = vec![identity(IdentityKind::Serial, &format!("acme:{n}"), Proof::Seen)];
            LinkEvent::Sighted(Sighting::new(Address::new(&n.to_string()).unwrap(), who, None))
        };
        handle(&mut engine, new(2));
        handle(&mut engine, new(3));
        assert_eq!((engine.registry.count(), why(&engine)), (2, vec![Denial::NoRoom]));
    }

    #[test]
    fn a_blocked_device_is_kept_off_until_its_time() {
        let block = |device: &mut Device| device.blocked = Some(Until::after(&now(0), Duration::from_secs(60)));
        let mut engine = known("plant", block);
        engine.touched();
        let orders = handle(&mut engine, LinkEvent::Sighted(shown("1", Proof::Seen)));
        let refuse = LinkOrder::Refuse { address: Address::new("1").unwrap(), until: Some(Mono(60_000)) };
        assert!(orders.contains(&refuse), "{orders:?}");
        assert_eq!(why(&engine), [Denial::Blocked]);
        assert!(engine.touched().attempts && !engine.touched().attempts);
        let orders = handle(&mut engine, LinkEvent::Asked { exchange: 3, who: shown("1", Proof::Seen) });
        let wait = Some(Duration::from_secs(50));
        assert!(orders.contains(&LinkOrder::Answer { exchange: 3, verdict: Verdict::Refused, wait }), "{orders:?}");
    }

    #[test]
    fn a_block_that_is_over_keeps_nobody_off() {
        let block = |device: &mut Device| device.blocked = Some(Until::after(&now(0), Duration::from_secs(10)));
        let mut engine = known("plant", block);
        let orders = handle(&mut engine, LinkEvent::Asked { exchange: 3, who: shown("1", Proof::Seen) });
        assert!(orders.contains(&LinkOrder::Answer { exchange: 3, verdict: Verdict::Accepted, wait: None }));
        assert!(why(&engine).is_empty());
    }

    #[test]
    fn who_was_on_a_link_that_is_no_more_moves_at_once() {
        let mut engine = known("gone", |_| ());
        handle(&mut engine, LinkEvent::Sighted(shown("7", Proof::Claimed)));
        assert_eq!(engine.device(DeviceNo(0)).unwrap().device.place.clone().unwrap().address.as_str(), "7");
        assert!(why(&engine).is_empty());
    }

    #[test]
    fn who_was_silent_before_the_start_moves_at_once() {
        for (was, place) in [(Connectivity::Silent, "7"), (Connectivity::Gone, "7"), (Connectivity::Up, "1")] {
            let mut engine = known("plant", |device| device.was = was);
            handle(&mut engine, LinkEvent::Sighted(shown("7", Proof::Seen)));
            assert_eq!(engine.device(DeviceNo(0)).unwrap().device.place.clone().unwrap().address.as_str(), place);
        }
    }

    #[test]
    fn the_place_of_a_device_with_a_key_is_no_proof() {
        let mut engine = known("plant", |device| device.keyed = true);
        let nobody = Sighting::new(Address::new("1").unwrap(), Vec::new(), None);
        for (who, denials) in [(nobody, 1), (shown("1", Proof::Seen), 2), (shown("1", Proof::Certificate), 2)] {
            handle(&mut engine, LinkEvent::Sighted(who));
            assert_eq!(why(&engine), vec![Denial::Unproven; denials]);
            let up = engine.device(DeviceNo(0)).unwrap().live.connectivity == Connectivity::Up;
            assert_eq!(up, engine.device(DeviceNo(0)).unwrap().device.identities[0].proof == Proof::Certificate);
        }
        assert_eq!(engine.registry.count(), 1);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rule = |link: Option<&str>, pattern: Option<&str>, proof, then| AdmissionRule {
            link: link.map(|link| Name::new(link).unwrap()),
            identity: pattern.map(|pattern| Pattern::new(pattern).unwrap()),
            proof,
            profile: None,
            of: None,
            then,
        };
        let settings = Settings {
            links: vec![link("plant", Admission::Hold), link("yard", Admission::Refuse)],
            admission: vec![
                rule(Some("plant"), Some("serial:bad:*"), None, Admission::Refuse),
                rule(None, Some("eui:*"), Some(Proof::Seen), Admission::Accept),
                rule(None, None, Some(Proof::Key), Admission::Quarantine),
                rule(Some("yard"), Some("place:yard/*"), None, Admission::Accept),
            ],
            ..Settings::default()
        };
        let (engine, _) = Engine::load(settings, State::default(), &now(0));
        let serial = |value, proof| identity(IdentityKind::Serial, value, proof);
        let eui = |proof| identity(IdentityKind::Eui, "0001", proof);
        let here = identity(IdentityKind::Place, "yard/1", Proof::Seen);
        for (link, identities, decided) in [
            (0, vec![serial("bad:1", Proof::Key)], Admission::Refuse),
            (1, vec![serial("bad:1", Proof::Key)], Admission::Quarantine),
            (1, vec![eui(Proof::Claimed), serial("bad:1", Proof::Seen)], Admission::Refuse),
            (1, vec![eui(Proof::Seen)], Admission::Accept),
            (0, vec![serial("good:1", Proof::Seen)], Admission::Hold),
            (1, vec![here], Admission::Accept),
        ] {
            let settings = &engine.links[link].settings;
            let sighting = Sighting::new(Address::new("1").unwrap(), Vec::new(), None);
            let would_be = would_be(&now(0), &settings.name, &sighting, &identities, identities[0].urn());
            assert_eq!(engine.rule_for(settings, &would_be), decided, "{identities:?} on {}", settings.name);
        }
    }
}
