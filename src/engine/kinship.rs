//! Who is who, as administrators know better: new hardware in the same place, two that are one, one that is two.

use crate::model::device::MOST_WAYS;
use crate::model::event::MOST_IDENTITIES;
use crate::model::*;

use super::claims::has_key;
use super::kinds::numbers_of;
use super::life::forget_keys;
use super::meeting::add_identities;
use super::reporting::is_there;
use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

impl Engine {
    /// New hardware: nobody has seen it as this device yet, but where it joined by itself before.
    pub(super) fn replace(
        &mut self,
        now: &Now,
        no: DeviceNo,
        identity: &Identity,
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        if identity.kind == IdentityKind::Place {
            return Err("a place says nothing of the hardware there; name its serial number or address".into());
        }
        let mut device = entry.device.as_ref().clone();
        device.identities.retain(|known| known.kind == IdentityKind::Place);
        (device.keyed, device.displaced) = (false, true);
        add_identities(&mut device.identities, vec![unproven(identity)]);
        match self.registry.by_identity(identity).filter(|other| *other != no) {
            Some(other) => {
                // The ways led to the old hardware.
                device.ways.clear();
                device.keyed = self.registry.get(other).is_some_and(|other| other.device.keyed);
                self.absorb(now, device, other, step)?;
            }
            None => self.change_device(now, device, step),
        }
        self.kinds.anew.insert(no);
        if self.registry.get(no).is_some_and(|entry| entry.device.displaced) {
            self.connect(now, no, Connectivity::Gone, step);
            self.registry.unheard(no);
            // Whatever is there is somebody of its own now.
            if let Some(link) = entry.device.place.as_ref().and_then(|place| self.registry.link(&place.link)) {
                self.look_round(now, link, step);
            }
        }
        forget_keys(&entry.device, step);
        step.changes.push(record(now, no, Record::DeviceReplaced { device: entry.device.id.clone() }));
        Ok(())
    }

    pub(super) fn merge(&mut self, now: &Now, no: DeviceNo, with: &DeviceId, step: &mut Step) -> Result<(), String> {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.as_ref().clone()) else { return Ok(()) };
        let other = self.registry.by_id(with).ok_or_else(|| format!("there is no device {with}"))?.device.no;
        if other == no {
            return Err(format!("{with} is this device already"));
        }
        self.absorb(now, device, other, step)
    }

    /// What names the other device names this one from now on; the other row only says so.
    fn absorb(&mut self, now: &Now, mut device: Device, other: DeviceNo, step: &mut Step) -> Result<(), String> {
        let Some(entry) = self.registry.get(other).cloned() else { return Ok(()) };
        let (no, id, with) = (device.no, device.id.clone(), entry.device.as_ref());
        if let Some(into) = with.merged {
            let into = self.registry.get(into).map_or_else(|| "another".into(), |into| into.device.id.to_string());
            return Err(format!("{} was merged into {into} before", with.id));
        }
        stays_as_decided(&device, with)?;
        if device.keyed != with.keyed && is_named(&device) && is_named(with) {
            let says = "only one of the two has a key, so the other could not prove who it is";
            return Err(format!("{says}; register both with the same key first"));
        }
        take_identities(&mut device, with)?;
        let moves = take_places(&mut device, with)?;
        if moves {
            let before = self.registry.get(no).cloned();
            let numbers = before.as_ref().map_or_else(Default::default, |before| numbers_of(before));
            let about = before.as_ref().and_then(|before| before.about.as_deref());
            // Where there is no room for another kind of device it keeps what it had until it is sighted.
            let _ = self.take_kind(&mut device, about, entry.wire(), &numbers, step);
            if let Some(before) = &before {
                self.tell_kind(now, &before.device, &device, step);
            }
        }
        self.kinds.anew.insert(no);
        device.keyed |= with.keyed;
        self.take_flags(now, &mut device, with, step);
        let why = format!("merged into {id}");
        self.fail_queued(now, other, &why, |_| false, step);
        let life = Record::DeviceLife { device: with.id.clone(), life: LifeCycle::Retired };
        step.changes.push(record(now, no, Record::DeviceMerged { device: id, with: with.id.clone() }));
        step.changes.push(record(now, other, life));
        self.start_anew(now, other);
        self.claims.forget(other);
        self.change_device(now, emptied(with, no, now), step);
        self.timers.set(now.mono + self.settings.keep_retired, Timer::Retired(other));
        self.change_device(now, device, step);
        if moves && is_there(entry.live.connectivity) {
            self.alive(now, no, step);
        }
        self.refit(now, no, step);
        Ok(())
    }

    /// Whoever keeps one of the two off, or works on it, goes on doing so.
    fn take_flags(&mut self, now: &Now, device: &mut Device, with: &Device, step: &mut Step) {
        let end = |device: &Device| device.blocked.filter(|until| !until.is_over(now)).map(|until| until.end(now));
        if let Some(blocked) = with.blocked.filter(|_| end(with) > end(device)) {
            device.blocked = Some(blocked);
            let (id, until) = (device.id.clone(), blocked.shown(now));
            step.changes.push(record(now, device.no, Record::DeviceBlocked { device: id, until }));
            self.start_anew(now, device.no);
            self.forget_probes(device.no);
        }
        if let (None, Some(theirs)) = (&device.maintenance, &with.maintenance) {
            let what = Record::Maintenance { device: device.id.clone(), by: theirs.by.clone(), on: true };
            step.changes.push(record(now, device.no, what));
            device.maintenance = Some(theirs.clone());
        }
        self.watch_flags(now, device);
    }

    fn watch_flags(&mut self, now: &Now, device: &Device) {
        if let Some(blocked) = device.blocked {
            self.timers.set(blocked.renew_at(now), Timer::Block(device.no));
        }
        if let Some(until) = device.maintenance.as_ref().and_then(|work| work.until) {
            self.timers.set(until.renew_at(now), Timer::Maintenance(device.no));
        }
    }

    pub(super) fn split(
        &mut self,
        now: &Now,
        no: DeviceNo,
        identity: &Identity,
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        let mut device = entry.device.as_ref().clone();
        let place = to_split(&device, identity)?;
        if !self.room_for_device() || !self.room_as(device.life) {
            return Err(Denial::NoRoom.to_string());
        }
        let mut identity = device.identities.remove(place);
        let keyed = device.keyed && has_key(&identity);
        if device.keyed {
            // What it proved it proved with the key of the other, or beside it.
            identity = unproven(&identity);
        }
        device.keyed &= device.identities.iter().any(has_key);
        let id = self.unused_id(&identity).ok_or("there is no id left for it")?;
        let empty = Capabilities::default();
        let mut new = Device {
            identities: vec![identity],
            groups: device.groups.clone(),
            keyed,
            blocked: device.blocked,
            maintenance: device.maintenance.clone(),
            retired: device.retired,
            ..Device::new(self.registry.next_no(), id.clone(), device.life, now)
        };
        self.take_kind(&mut new, None, &empty, &empty, step).map_err(|why| why.to_string())?;
        self.kinds.anew.insert(no);
        if new.retired.is_some() {
            self.timers.set(now.mono + self.settings.keep_retired, Timer::Retired(new.no));
        }
        self.watch_flags(now, &new);
        let from = device.id.clone();
        step.changes.push(record(now, new.no, Record::DeviceSplit { device: id, from }));
        self.change_device(now, device, step);
        self.change_device(now, new, step);
        Ok(())
    }
}

/// Which of its identities that is, if it can do without.
fn to_split(device: &Device, identity: &Identity) -> Result<usize, String> {
    let known = device.identities.iter().position(|known| known.same_as(identity));
    match known.filter(|_| identity.kind != IdentityKind::Place) {
        Some(_) if device.identities.len() == 1 => {
            Err(format!("{} is known by nothing else: nothing would be left", device.id))
        }
        Some(place) => Ok(place),
        None => {
            let has = device.identities.iter().filter(|known| known.kind != IdentityKind::Place);
            let has: Vec<String> = has.map(|known| known.urn().to_string()).collect();
            Err(format!("{} is not known by {}; it is known by {}", device.id, identity.urn(), has.join(", ")))
        }
    }
}

/// What was decided of the other device is not undone by making it this one.
fn stays_as_decided(device: &Device, with: &Device) -> Result<(), String> {
    let id = &with.id;
    match with.life {
        life if life == device.life => Ok(()),
        LifeCycle::Managed => Ok(()),
        LifeCycle::Quarantined => Err(format!("{id} is in quarantine; release it first")),
        life => Err(format!("{id} is {life}; accept it first")),
    }
}

/// What somebody says of an identity proves nothing yet.
pub fn unproven(identity: &Identity) -> Identity {
    Identity { proof: Proof::Claimed, ..identity.clone() }
}

fn is_named(device: &Device) -> bool {
    device.identities.iter().any(|identity| identity.kind != IdentityKind::Place)
}

fn take_identities(device: &mut Device, with: &Device) -> Result<(), String> {
    let new = |theirs: &&Identity| !device.identities.iter().any(|ours| ours.same_as(theirs));
    let together = device.identities.len() + with.identities.iter().filter(new).count();
    if together > MOST_IDENTITIES {
        return Err(format!("a device has at most {MOST_IDENTITIES} identities; these would be {together}"));
    }
    add_identities(&mut device.identities, with.identities.clone());
    Ok(())
}

/// True where the device is from now on where the other one was.
fn take_places(device: &mut Device, with: &Device) -> Result<bool, String> {
    let mut ways = with.ways.clone();
    let moves = match (device.is_at(), with.is_at()) {
        (None, Some(place)) => {
            device.place = Some(place.clone());
            device.displaced = false;
            true
        }
        (_, place) => {
            ways.extend(place.cloned());
            false
        }
    };
    ways.retain(|way| !device.ways.contains(way) && device.place.as_ref() != Some(way));
    device.ways.extend(ways);
    match device.ways.len() {
        0..=MOST_WAYS => Ok(moves),
        many => Err(format!("a device has at most {MOST_WAYS} ways beside its place; these would be {many}")),
    }
}

/// What is left of a device that turned out to be another one.
fn emptied(device: &Device, into: DeviceNo, now: &Now) -> Device {
    Device {
        name: device.name.clone(),
        shape: device.shape,
        first_seen: device.first_seen,
        was: device.was,
        merged: Some(into),
        retired: Some(*now),
        ..Device::new(device.no, device.id.clone(), LifeCycle::Retired, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    fn place(address: &str) -> Place {
        Place { link: Name::new("a").unwrap(), address: Address::new(address).unwrap() }
    }

    fn device(no: u32, at: Option<&str>, serials: std::ops::Range<u32>) -> Device {
        let identity = |n| Identity::new(IdentityKind::Serial, &format!("acme:{n}"), Proof::Claimed).unwrap();
        let id = DeviceId::new(&format!("urn:{no}")).unwrap();
        let new = Device::new(DeviceNo(no), id, LifeCycle::Managed, &Now::default());
        Device { place: at.map(place), identities: serials.map(identity).collect(), ..new }
    }

    #[test]
    fn a_place_becomes_a_way_unless_there_is_none_yet() {
        let (mut placed, mut nowhere) = (device(0, Some("1"), 0..1), device(1, None, 1..2));
        let other = Device { ways: vec![place("3")], ..device(2, Some("2"), 2..3) };
        assert_eq!(take_places(&mut placed, &other), Ok(false));
        assert_eq!((placed.place, placed.ways), (Some(place("1")), vec![place("3"), place("2")]));
        assert_eq!(take_places(&mut nowhere, &other), Ok(true));
        assert_eq!((nowhere.place, nowhere.ways), (Some(place("2")), vec![place("3")]));
    }

    #[test]
    fn no_more_ways_and_identities_than_there_is_room_for() {
        let ways = |from: u32| (from..from + 3).map(|n| place(&n.to_string())).collect();
        let mut one = Device { ways: ways(10), ..device(0, Some("1"), 0..6) };
        let two = Device { ways: ways(20), ..device(1, Some("2"), 4..10) };
        assert!(take_places(&mut one, &two).unwrap_err().contains("at most 4 ways"));
        assert!(take_identities(&mut one, &two).unwrap_err().contains("would be 10"));
        assert_eq!(take_identities(&mut one, &device(2, None, 4..8)), Ok(()));
        assert_eq!(one.identities.len(), 8);
    }

    fn registered(entries: &[(u32, bool)]) -> Engine {
        let (mut engine, _) = Engine::load(Settings::default(), State::default(), &Now::default());
        let entry = |(n, keyed): &(u32, bool)| Registration {
            identities: device(0, None, *n..*n + 1).identities,
            key: keyed.then(|| Secret::new("0123456789".into())),
            ..Registration::default()
        };
        let ask = Ask::Register { devices: entries.iter().map(entry).collect() };
        engine.handle(&Now::default(), Event::Ask { to: 1, by: Principal::local_root(), ask });
        engine
    }

    fn id(n: u32) -> DeviceId {
        DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{n}")).unwrap()
    }

    #[test]
    fn one_with_a_key_and_one_without_are_not_merged() {
        let mut engine = registered(&[(0, true), (1, false), (2, true)]);
        let mut step = Step::default();
        let refused = engine.merge(&Now::default(), DeviceNo(0), &id(1), &mut step);
        assert!(refused.unwrap_err().contains("only one of the two has a key") && step == Step::default());
        assert_eq!(engine.merge(&Now::default(), DeviceNo(0), &id(2), &mut step), Ok(()));
        assert!(engine.device(DeviceNo(0)).unwrap().device.keyed);
        let again = engine.merge(&Now::default(), DeviceNo(1), &id(2), &mut step);
        assert!(again.unwrap_err().contains("was merged into urn:dev:dmgw:serial:acme:0"));
        assert!(engine.merge(&Now::default(), DeviceNo(1), &id(1), &mut step).unwrap_err().contains("already"));
        assert!(engine.merge(&Now::default(), DeviceNo(1), &id(9), &mut step).unwrap_err().contains("no device"));
    }

    #[test]
    fn new_hardware_brings_its_own_key_or_none() {
        for (new, keyed) in [(1, true), (9, false)] {
            let mut engine = registered(&[(0, true), (1, true)]);
            let mut step = Step::default();
            let identity = device(0, None, new..new + 1).identities[0].clone();
            assert_eq!(engine.replace(&Now::default(), DeviceNo(0), &identity, &mut step), Ok(()));
            let entry = engine.device(DeviceNo(0)).unwrap();
            assert_eq!((entry.device.keyed, entry.device.identities.clone()), (keyed, vec![identity]));
            let old = device(0, None, 0..1).identities[0].clone();
            assert!(step.changes.contains(&Change::Key { identity: old, key: None }));
        }
    }

    #[test]
    fn what_waits_for_the_other_has_failed() {
        let mut engine = registered(&[(0, false), (1, false)]);
        let whom = Whom::Device { no: DeviceNo(1), id: id(1) };
        let name = Name::new("p").unwrap();
        let command = CommandId::new("c-1").unwrap();
        let queued = Command::new(CommandNo(1), command, name, whom, Operation::Probe, Now::default());
        engine.commands.add(std::sync::Arc::new(queued.clone()));
        engine.enqueue(&Now::default(), &queued);
        let mut step = Step::default();
        assert_eq!(engine.merge(&Now::default(), DeviceNo(0), &id(1), &mut step), Ok(()));
        let ended = engine.commands.get(CommandNo(1)).unwrap();
        assert_eq!(ended.outcome, Some(Outcome::NotSent(format!("merged into {}", id(0)))));
    }

    #[test]
    fn a_key_goes_with_the_identities_that_are_split_off() {
        let mut engine = registered(&[(0, true)]);
        let mut step = Step::default();
        let mut both = engine.device(DeviceNo(0)).unwrap().device.as_ref().clone();
        both.identities.push(Identity::new(IdentityKind::Place, "a/1", Proof::Seen).unwrap());
        let serial = both.identities[0].clone();
        engine.store_device(both, &mut step);
        assert_eq!(engine.split(&Now::default(), DeviceNo(0), &serial, &mut step), Ok(()));
        let keyed = |no| engine.device(DeviceNo(no)).unwrap().device.keyed;
        assert_eq!((keyed(0), keyed(1)), (false, true), "a place has no key to show");
        // And comes back with them.
        let proven = engine.device(DeviceNo(1)).unwrap().device.id.clone();
        assert_eq!(engine.merge(&Now::default(), DeviceNo(0), &proven, &mut step), Ok(()));
        assert!(engine.device(DeviceNo(0)).unwrap().device.keyed);
    }

    #[test]
    fn a_place_is_no_hardware_and_no_identity_to_split_off() {
        let mut engine = registered(&[(0, false)]);
        let here = Identity::new(IdentityKind::Place, "a/1", Proof::Seen).unwrap();
        let mut step = Step::default();
        assert!(engine.replace(&Now::default(), DeviceNo(0), &here, &mut step).is_err());
        assert!(engine.split(&Now::default(), DeviceNo(0), &here, &mut step).is_err());
        assert_eq!(step, Step::default());
    }
}
