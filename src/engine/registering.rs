//! Registering: an administrator makes devices known, before they are ever seen or better than they were.
//!
//! Each entry is taken or refused on its own. One that nobody has seen waits without a place, or at the place that was
//! given, and is not missed there before it was seen.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::Reach;
use crate::model::device::Profiled;
use crate::model::operation::GatewayKind;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::*;
use crate::nearest::nearest;

use super::admission::place;
use super::claims::begin_key;
use super::describing::{add_groups, dated};
use super::kinds::numbers_of;
use super::kinship::unproven;
use super::links::LinkState;
use super::meeting::add_identities;
use super::step::Step;
use super::{Engine, record};

impl Engine {
    pub(super) fn register(
        &mut self,
        now: &Now,
        by: &Principal,
        devices: &[Registration],
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        if devices.len() > MOST_AT_ONCE {
            let many = devices.len();
            return Err(Refusal::BadArgument(format!("{MOST_AT_ONCE} devices at a time, not {many}")));
        }
        let turned_away: BTreeSet<(LinkNo, Address)> =
            devices.iter().flat_map(|entry| self.turned_away(entry)).collect();
        let mut told =
            |entry: &Registration| self.register_one(now, by, entry.clone(), step).unwrap_or_else(Registered::Refused);
        let told = devices.iter().map(&mut told).collect();
        self.look_again_at(now, turned_away, step);
        Ok(Reply::Registered(told))
    }

    /// Where those that are registered now were turned away before.
    fn turned_away(&self, entry: &Registration) -> Vec<(LinkNo, Address)> {
        let who = entry.identities.iter().map(|identity| &identity.value).chain(&entry.address);
        let each = who.flat_map(|who| self.links.iter().zip(0..).map(move |(link, no)| (link, LinkNo(no), who)));
        let known = |(link, no, who): (&LinkState, LinkNo, &Address)| {
            let stranger = Stranger { link: link.settings.name.clone(), who: Some(who.clone()) };
            Some((no, self.attempts.address_of(&stranger)?.clone()))
        };
        each.filter_map(known).collect()
    }

    /// Their links were told to have nothing to do with them.
    fn look_again_at(&mut self, now: &Now, places: BTreeSet<(LinkNo, Address)>, step: &mut Step) {
        let links: BTreeSet<LinkNo> = places.iter().map(|(link, _)| *link).collect();
        for (link, address) in places {
            let kept_off = self.registry.by_address(link, &address).and_then(|no| self.registry.get(no));
            if kept_off.is_none_or(|entry| entry.device.life == LifeCycle::Managed && entry.device.blocked.is_none()) {
                self.order(now, link, LinkOrder::Refuse { address, until: Some(now.mono) }, step);
            }
        }
        links.into_iter().for_each(|link| self.order(now, link, LinkOrder::Discover, step));
    }

    fn register_one(
        &mut self,
        now: &Now,
        by: &Principal,
        mut entry: Registration,
        step: &mut Step,
    ) -> Result<Registered, Refusal> {
        self.check_entry(by, &entry)?;
        entry.identities = entry.identities.iter().map(unproven).collect();
        match self.named_by(&entry)? {
            Some(known) => self.register_known(now, known, entry, step).map(Registered::Known),
            None => self.register_new(now, entry, step).map(Registered::New),
        }
    }

    fn check_entry(&self, by: &Principal, entry: &Registration) -> Result<(), Refusal> {
        entry.check().map_err(Refusal::BadArgument)?;
        if !Reach::of(by).may_gateway(GatewayKind::Register) {
            return Err(Refusal::NotAllowed(format!("{} may not register devices", by.name)));
        }
        if let Some(link) = entry.link.as_ref().filter(|link| self.registry.link(link).is_none()) {
            let links = self.registry.link_names().map(Name::as_str);
            let meant = nearest(link.as_str(), links).map_or_else(String::new, |near| format!("; {near} was meant?"));
            return Err(Refusal::NotFound(format!("there is no link {link}{meant}")));
        }
        if let Some(name) = &entry.profile {
            self.is_profile(name).map_err(Refusal::NotFound)?;
        }
        self.take_by_hand(&entry.groups).map_err(Refusal::BadArgument)?;
        if entry.life == Some(LifeCycle::Retired) {
            return Err(Refusal::BadArgument("nobody begins as retired: register it, then retire it".into()));
        }
        Ok(())
    }

    /// The device that is known by what the entry says, if there is one.
    fn named_by(&self, entry: &Registration) -> Result<Option<DeviceNo>, Refusal> {
        let named = entry.identities.iter().filter_map(|identity| self.registry.by_identity(identity));
        let named: Vec<DeviceNo> = named.collect::<BTreeSet<_>>().into_iter().collect();
        let id = |no: DeviceNo| self.registry.get(no).map_or_else(String::new, |entry| entry.device.id.to_string());
        match named[..] {
            [no] => return Ok(Some(no)),
            [a, b, ..] => {
                let says = format!("its identities name {} and {}: merge them if they are one", id(a), id(b));
                return Err(Refusal::BadArgument(says));
            }
            [] => {}
        }
        let place = entry.link.as_ref().zip(entry.address.as_ref());
        let there = place.and_then(|(link, address)| self.registry.by_address(self.registry.link(link)?, address));
        let Some((no, device)) = there.and_then(|no| Some((no, &self.registry.get(no)?.device))) else {
            return Ok(None);
        };
        let only_by_place = device.identities.iter().all(|identity| identity.kind == IdentityKind::Place);
        if only_by_place || entry.identities.is_empty() {
            return Ok(Some(no));
        }
        Err(Refusal::BadArgument(format!("{} is at that place, and is known by other identities", device.id)))
    }

    fn register_known(
        &mut self,
        now: &Now,
        no: DeviceNo,
        entry: Registration,
        step: &mut Step,
    ) -> Result<DeviceId, Refusal> {
        let Some(before) = self.registry.get(no).map(|entry| entry.device.clone()) else {
            return Err(Refusal::NotFound(format!("there is no device {no}")));
        };
        if entry.has_key() && before.life == LifeCycle::Retired && entry.life.is_none() {
            let says =
                format!("{} is retired, so nobody can show its key; say as what it lives from now on", before.id);
            return Err(Refusal::BadArgument(says));
        }
        if said_before(&before, &entry) {
            return Ok(before.id.clone());
        }
        let mut device = before.as_ref().clone();
        self.take_entry(&mut device, &entry)?;
        if device.place.is_none() {
            device.place = self.free_place(&entry);
        }
        if device != *before {
            self.change_kind(now, no, &mut device, step)?;
        }
        let other_key = is_other_key(&before, &entry);
        let life = entry.life.filter(|life| *life != device.life);
        if let Some(life) = life {
            self.check_life(life)?;
            self.fail_unwanted(now, no, life, step);
            (device.life, device.retired) = (life, None);
            step.changes.push(record(now, no, Record::DeviceLife { device: device.id.clone(), life }));
        }
        if other_key {
            step.changes.push(record(now, no, Record::DeviceReplaced { device: device.id.clone() }));
        }
        if device != *before {
            self.change_device(now, device.clone(), step);
            self.refit(now, no, step);
        }
        self.tell_store(now, &device, entry, step);
        if other_key {
            // Whoever is there has not shown this one.
            self.leave_place(now, no, step);
        }
        Ok(before.id.clone())
    }

    fn register_new(&mut self, now: &Now, entry: Registration, step: &mut Step) -> Result<DeviceId, Refusal> {
        let life = entry.life.unwrap_or(LifeCycle::Managed);
        if !self.room_for_device() {
            return Err(Refusal::Busy(format!("there is room for {} devices", self.settings.most_devices)));
        }
        self.check_life(life)?;
        let mut device = Device::new(self.registry.next_no(), self.id_for(&entry)?, life, now);
        self.take_entry(&mut device, &entry)?;
        device.place = self.free_place(&entry);
        let nothing = Capabilities::default();
        let kind = self.take_kind(&mut device, Some(&entry.about), &nothing, &nothing, step);
        kind.map_err(|why| Refusal::Busy(why.to_string()))?;
        let (no, id) = (device.no, device.id.clone());
        step.changes.push(match device.place.clone() {
            Some(Place { link, address }) => {
                record(now, no, Record::DeviceAdded { device: id.clone(), link, address, life })
            }
            None => record(now, no, Record::DeviceLife { device: id.clone(), life }),
        });
        self.change_device(now, device.clone(), step);
        self.tell_store(now, &device, entry, step);
        Ok(id)
    }

    /// It may be recognised by what was said of it, or somebody has said what it is.
    fn change_kind(&mut self, now: &Now, no: DeviceNo, device: &mut Device, step: &mut Step) -> Result<(), Refusal> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        let kind = self.take_kind(device, entry.about.as_deref(), entry.wire(), &numbers_of(&entry), step);
        kind.map_err(|why| Refusal::Busy(why.to_string()))?;
        self.tell_kind(now, &entry.device, device, step);
        Ok(())
    }

    fn check_life(&self, life: LifeCycle) -> Result<(), Refusal> {
        let most = self.settings.most_pending;
        self.room_as(life)
            .then_some(())
            .ok_or_else(|| Refusal::Busy(format!("{most} devices wait for a decision already")))
    }

    fn id_for(&self, entry: &Registration) -> Result<DeviceId, Refusal> {
        let strongest = entry.identities.iter().max_by_key(|identity| identity.kind).cloned();
        let identity = strongest.or_else(|| place_of(entry));
        let id = identity.and_then(|identity| self.unused_id(&identity));
        id.ok_or_else(|| Refusal::BadArgument("no id can be made of its link and address".into()))
    }

    /// What is said of a device, new or known.
    fn take_entry(&self, device: &mut Device, entry: &Registration) -> Result<(), Refusal> {
        let mut said = entry.identities.clone();
        if said.is_empty() && device.identities.is_empty() {
            said.extend(place_of(entry));
        }
        add_identities(&mut device.identities, said.clone());
        if let Some(more) = said.iter().find(|said| !device.identities.iter().any(|known| known.same_as(said))) {
            let most = event::MOST_IDENTITIES;
            let says = format!("{} has {most} identities already, so {} cannot be added", device.id, more.urn());
            return Err(Refusal::BadArgument(says));
        }
        if entry.has_key() && real_identities(device).next().is_none() {
            return Err(Refusal::BadArgument("a key belongs to an identity; a place has none".into()));
        }
        if is_other_key(device, entry) {
            begin_key(device);
            device.key_mark = entry.key_mark.unwrap_or_default();
        }
        if let Some(name) = entry.profile.as_ref().filter(|name| !is_assigned(device, name)) {
            device.profile = Some(Box::new(Profiled { name: name.clone(), assigned: true, raw: None }));
        }
        // With a key that is still missed, all of it is told again.
        let mark = if entry.key_missing { Some(0) } else { entry.mark };
        device.settings_mark = mark.unwrap_or(device.settings_mark);
        device.name = entry.name.clone().or(device.name.take());
        add_groups(&mut device.groups, &entry.groups).map_err(Refusal::BadArgument)
    }

    /// What the store keeps of it beside its row.
    fn tell_store(&mut self, now: &Now, device: &Device, entry: Registration, step: &mut Step) {
        if let Some(key) = entry.key {
            let key = |identity: &Identity| Change::Key { identity: identity.clone(), key: Some(key.clone()) };
            step.changes.extend(real_identities(device).map(key));
        }
        if !entry.about.is_empty() {
            let about = Arc::new(dated(entry.about, now, true));
            step.changes.push(Change::About { device: device.no, about });
        }
    }

    /// The place that the entry names, where nobody stands.
    fn free_place(&self, entry: &Registration) -> Option<Place> {
        let place = Place { link: entry.link.clone()?, address: entry.address.clone()? };
        let taken = self.registry.by_address(self.registry.link(&place.link)?, &place.address);
        taken.is_none().then_some(place)
    }
}

/// A key that cannot be had now may well be the one that is known.
fn is_other_key(device: &Device, entry: &Registration) -> bool {
    match &entry.key {
        Some(_) => !device.keyed || entry.key_mark != Some(device.key_mark),
        None => entry.key_missing && !device.keyed,
    }
}

fn is_assigned(device: &Device, name: &Name) -> bool {
    device.profile.as_ref().is_some_and(|profile| profile.assigned && profile.name == *name)
}

/// The settings say what they said the last time; what people have changed since stays.
fn said_before(device: &Device, entry: &Registration) -> bool {
    !is_other_key(device, entry) && entry.mark == Some(device.settings_mark)
}

fn place_of(entry: &Registration) -> Option<Identity> {
    place(entry.link.as_ref()?, entry.address.as_ref()?)
}

fn real_identities(device: &Device) -> impl Iterator<Item = &Identity> {
    device.identities.iter().filter(|identity| identity.kind != IdentityKind::Place)
}

#[cfg(test)]
mod tests {
    use super::super::settings::{LinkSettings, Settings};
    use super::*;
    use std::time::Duration;

    const NOW: Now = Now { mono: Mono(1_000), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set };

    fn engine(most_devices: usize, most_pending: usize) -> Engine {
        let link = LinkSettings {
            name: Name::new("plant").unwrap(),
            driver: None,
            admission: Default::default(),
            every: Duration::from_secs(1),
            silent_after: Duration::from_secs(5),
        };
        let settings = Settings { links: vec![link], most_devices, most_pending, ..Settings::default() };
        Engine::load(settings, State::default(), &NOW).0
    }

    fn serial(n: usize) -> Registration {
        let identity = Identity::new(IdentityKind::Serial, &format!("acme:{n}"), Proof::Certificate).unwrap();
        Registration { identities: vec![identity], ..Registration::default() }
    }

    fn ask(engine: &mut Engine, by: Principal, devices: Vec<Registration>) -> (Vec<Registered>, Vec<Change>) {
        let step = engine.handle(&NOW, Event::Ask { to: 1, by, ask: Ask::Register { devices } });
        match step.orders.into_iter().next_back() {
            Some(Order::Reply { reply: Reply::Registered(told), .. }) => (told, step.changes),
            Some(Order::Reply { reply: Reply::Refused(why), .. }) => (vec![Registered::Refused(why)], step.changes),
            other => panic!("{other:?}"),
        }
    }

    fn register(engine: &mut Engine, devices: Vec<Registration>) -> (Vec<Registered>, Vec<Change>) {
        ask(engine, Principal::local_root(), devices)
    }

    fn refused(told: &[Registered]) -> String {
        match told {
            [Registered::Refused(why)] => why.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_ask_holds_a_bounded_number_and_there_is_room_for_so_many_devices() {
        let mut engine = engine(3, 1);
        let (told, changes) = register(&mut engine, (0..=MOST_AT_ONCE).map(serial).collect());
        assert!(refused(&told).contains("not 1001"));
        // All there is to keep is that it was refused.
        assert!(matches!(&changes[..], [Change::Record(_)]), "{changes:?}");
        let (told, _) = register(&mut engine, (0..4).map(serial).collect());
        assert!(matches!(&told[..3], [Registered::New(_), Registered::New(_), Registered::New(_)]));
        assert!(refused(&told[3..]).contains("room for 3 devices"));
        let (told, _) = register(&mut engine, vec![serial(0)]);
        assert!(matches!(&told[..], [Registered::Known(_)]));
    }

    #[test]
    fn no_more_are_made_to_wait_than_may() {
        let mut engine = engine(9, 1);
        let waits = |n| Registration { life: Some(LifeCycle::Pending), ..serial(n) };
        register(&mut engine, vec![waits(0), serial(1)]);
        assert!(refused(&register(&mut engine, vec![waits(2)]).0).contains("1 devices wait"));
        assert!(refused(&register(&mut engine, vec![waits(1)]).0).contains("1 devices wait"));
        assert!(matches!(&register(&mut engine, vec![waits(0)]).0[..], [Registered::Known(_)]));
    }

    #[test]
    fn what_is_registered_proves_nothing_yet() {
        let mut engine = engine(9, 9);
        register(&mut engine, vec![serial(0)]);
        let device = engine.device(DeviceNo(0)).unwrap().device.clone();
        assert_eq!(device.identities[0].proof, Proof::Claimed);
        assert_eq!((device.place.is_none(), device.life), (true, LifeCycle::Managed));
        assert_eq!(engine.wake_at(), None, "nobody misses what nobody has seen");
    }

    #[test]
    fn a_key_is_of_every_identity_and_told_once() {
        let mut engine = engine(9, 9);
        let key = || Some(Secret::new("0123456789".into()));
        register(&mut engine, vec![serial(0)]);
        let eui = Identity::new(IdentityKind::Eui, "0001", Proof::Claimed).unwrap();
        let more = Registration { identities: vec![serial(0).identities[0].clone(), eui], key: key(), ..serial(0) };
        let (told, changes) = register(&mut engine, vec![more]);
        assert!(matches!(&told[..], [Registered::Known(_)]));
        let keys = changes.iter().filter(|change| matches!(change, Change::Key { key: Some(_), .. })).count();
        let replaced = |change: &Change| matches!(change, Change::Record(entry) if matches!(entry.record, Record::DeviceReplaced { .. }));
        assert_eq!((keys, changes.iter().filter(|change| replaced(change)).count()), (2, 1));
        assert!(engine.device(DeviceNo(0)).unwrap().device.keyed);
    }

    #[test]
    fn what_people_have_changed_stays_until_the_settings_say_something_else() {
        let mut engine = engine(9, 9);
        let name = |text: &str| Some(Name::new(text).unwrap());
        let said = |mark| Registration { mark: Some(mark), name: name("said"), ..serial(0) };
        register(&mut engine, vec![said(7)]);
        register(&mut engine, vec![Registration { name: name("by-hand"), ..serial(0) }]);
        let mut named_after = |mark| {
            register(&mut engine, vec![said(mark)]);
            engine.device(DeviceNo(0)).unwrap().device.name.clone()
        };
        assert_eq!([named_after(7), named_after(8)], [name("by-hand"), name("said")]);
    }

    #[test]
    fn of_another_profile_that_is_said_it_is_from_then_on() {
        let mut engine = engine(9, 9);
        engine.settings.profiles = crate::profile::text::ready("[profile.a]\n[profile.b]\n").unwrap();
        for profile in ["a", "b", "b", "a"] {
            let profile = Name::new(profile).unwrap();
            register(&mut engine, vec![Registration { profile: Some(profile.clone()), ..serial(0) }]);
            assert_eq!(engine.device(DeviceNo(0)).unwrap().device.profile_name(), Some(&profile));
        }
    }

    #[test]
    fn a_key_that_cannot_be_had_is_missed_and_one_that_is_known_goes_on() {
        let mut engine = engine(9, 9);
        let missing = || Registration { key_missing: true, mark: Some(7), ..serial(0) };
        let has = |mark| {
            let (key, key_mark) = (Some(Secret::new("0123456789".into())), Some(mark));
            Registration { key, key_mark, mark: Some(7), ..serial(0) }
        };
        let keys = |changes: &[Change]| changes.iter().filter(|change| matches!(change, Change::Key { .. })).count();
        let (told, changes) = register(&mut engine, vec![missing()]);
        assert!(matches!(&told[..], [Registered::New(_)]) && keys(&changes) == 0);
        assert!(engine.device(DeviceNo(0)).unwrap().device.keyed, "who shows no key is somebody else");
        // It is there, it is gone again, it is the same again, it is another one.
        for (entry, changed) in [(has(1), 1), (missing(), 0), (has(1), 0), (has(1 << 40 | 1), 1), (missing(), 0)] {
            assert_eq!(keys(&register(&mut engine, vec![entry]).1), changed);
            let device = &engine.device(DeviceNo(0)).unwrap().device;
            assert!(device.keyed && device.key_mark > 0);
        }
        // What else was said meanwhile has the key too, as soon as it is there again.
        let eui = Identity::new(IdentityKind::Eui, "0001", Proof::Claimed).unwrap();
        let both = |of: Registration| Registration {
            identities: [of.identities, vec![eui.clone()]].concat(),
            mark: Some(8),
            ..of
        };
        assert_eq!(keys(&register(&mut engine, vec![both(missing())]).1), 0);
        assert_eq!(keys(&register(&mut engine, vec![both(has(1 << 40 | 1))]).1), 2);
        let place = Registration {
            link: Some(Name::new("plant").unwrap()),
            address: Some(Address::new("7").unwrap()),
            key_missing: true,
            ..Registration::default()
        };
        assert!(refused(&register(&mut engine, vec![place]).0).contains("belongs to an identity"));
    }

    #[test]
    fn only_an_administrator_of_the_whole_gateway_registers() {
        let mut engine = engine(9, 9);
        let by = |role, scope| Principal { role, scope, local: false, ..Principal::local_root() };
        for (role, scope) in
            [(Role::Operator, Scope::All), (Role::Administrator, Scope::For("link == \"plant\"".into()))]
        {
            assert!(refused(&ask(&mut engine, by(role, scope), vec![serial(0)]).0).contains("may not register"));
        }
        let all = by(Role::Administrator, Scope::All);
        assert!(matches!(&ask(&mut engine, all, vec![serial(0)]).0[..], [Registered::New(_)]));
    }

    #[test]
    fn no_more_identities_than_a_device_may_have() {
        let mut engine = engine(9, 9);
        let many = |range: std::ops::Range<usize>| {
            let identities = range.map(|n| serial(n).identities[0].clone()).collect();
            Registration { identities, ..Registration::default() }
        };
        register(&mut engine, vec![many(0..8)]);
        assert!(refused(&register(&mut engine, vec![many(7..9)]).0).contains("8 identities already"));
        assert!(!refused(&register(&mut engine, vec![many(0..9)]).0).is_empty());
    }

    #[test]
    fn thousands_are_registered_in_a_moment() {
        let mut engine = engine(20_000, 9);
        for from in (0..20_000).step_by(MOST_AT_ONCE) {
            let (told, _) = register(&mut engine, (from..from + MOST_AT_ONCE).map(serial).collect());
            assert!(told.iter().all(|told| matches!(told, Registered::New(_))));
        }
        assert_eq!(engine.state().shapes.len(), 1);
    }
}
