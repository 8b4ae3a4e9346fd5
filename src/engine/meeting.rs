//! Meeting a device again: where it is, what it shows of itself, and what of it is another than before.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::device::MOST_WAYS;
use crate::model::event::MOST_IDENTITIES;
use crate::model::*;

use super::admission::Met;
use super::claims::{Stand, beside_key, shows_key};
use super::describing::dated;
use super::kinds::numbers_of;
use super::step::Step;
use super::{Engine, record};

impl Engine {
    /// `shown`: the identity by which it is known; without one it is known by its place.
    pub(super) fn meet_again(
        &mut self,
        now: &Now,
        link: LinkNo,
        (no, shown): (DeviceNo, Option<Identity>),
        sighting: &Sighting,
        step: &mut Step,
    ) -> Met {
        let Some(entry) = self.registry.get(no).cloned() else { return Met::Denied(Denial::NoRoom, None) };
        // It may be named best by what has no key, and show its key with another.
        let is_its = |shown: &&Identity| entry.device.identities.iter().any(|known| known.same_as(shown));
        let with_key = sighting.identities.iter().filter(is_its).find(|shown| shows_key(shown));
        let shown = with_key.cloned().or(shown);
        let name = self.links[usize::from(link.0)].settings.name.clone();
        let place = Place { link: name, address: sighting.address.clone() };
        let has_shown = shown.as_ref().is_some_and(shows_key);
        if entry.device.keyed && !has_shown {
            if entry.device.is_at() == Some(&place) {
                self.leave_place(now, no, step);
            }
            return self.deny(now, link, sighting, Denial::Unproven, step);
        }
        self.shown_there(no, &place, has_shown);
        let denied = denied(now, &entry.device);
        match self.judge(now, &entry, &place, shown.as_ref()) {
            // Of whom is kept off nothing is taken but where it is, and it pushes nobody out.
            Stand::There if denied.is_some() => {
                if self.registry.by_address(link, &place.address).is_none_or(|there| there == no) {
                    self.take_in(now, link, no, &Sighting::new(place.address, Vec::new(), None), step);
                }
            }
            Stand::There => {
                self.alike(now, no, &sighting.identities, step);
                self.take_in(now, link, no, sighting, step);
            }
            Stand::OneWay => {
                self.alike(now, no, &sighting.identities, step);
                self.alive(now, no, step);
            }
            Stand::Taken => return self.deny(now, link, sighting, Denial::Taken, step),
            // Nor is it asked anything: it stays where it was, and both places are kept off.
            Stand::Contested if denied.is_some() => {}
            Stand::Contested => match self.contest(now, link, no, sighting, step) {
                None => return self.deny(now, link, sighting, Denial::NoRoom, step),
                Some(wait) => return Met::Contested(wait),
            },
        }
        match denied {
            Some((why, until)) => {
                self.note(now, link, sighting, why, step);
                Met::Denied(why, until)
            }
            None => Met::Is(no),
        }
    }

    /// The device is where it was sighted, and is what it showed.
    pub(super) fn take_in(&mut self, now: &Now, link: LinkNo, no: DeviceNo, sighting: &Sighting, step: &mut Step) {
        let Some(entry) = self.registry.get(no).cloned() else { return };
        let mut device = entry.device.as_ref().clone();
        let name = self.links[usize::from(link.0)].settings.name.clone();
        move_to(&mut device, Place { link: name, address: sighting.address.clone() });
        // What names another device already goes on naming that one.
        let others = |identity: &&Identity| self.registry.by_identity(identity).is_none_or(|owner| owner == no);
        let joining = sighting.identities.iter().filter(others).cloned();
        let joining = joining.filter_map(|shown| beside_key(&device, shown)).collect();
        add_identities(&mut device.identities, joining);
        if sighting.capabilities.is_some() || device.identities != entry.device.identities || device.profile.is_some() {
            let about = known_with(entry.about.as_deref(), sighting.about.as_deref());
            let given = sighting.capabilities.as_ref().unwrap_or(entry.wire());
            if let Err(why) = self.take_kind(&mut device, about.as_deref(), given, &numbers_of(&entry), step) {
                self.note(now, link, sighting, why, step);
            }
        }
        let about = sighting.about.as_ref().and_then(|about| self.told(now, &mut device, about));
        if device != *entry.device {
            self.record_move(now, &entry.device, &device, step);
            self.take_changed(now, &entry.device, device, step);
            step.changes.extend(about);
        }
        // The link may have lost what it was told, and a sign of life is one.
        self.alive(now, no, step);
    }

    fn record_move(&mut self, now: &Now, before: &Device, device: &Device, step: &mut Step) {
        if let Some(Place { link, address }) = device.place.clone().filter(|_| device.place != before.place) {
            let (id, life) = (device.id.clone(), device.life);
            let what = match &before.place {
                Some(_) => Record::DeviceMoved { device: id, link, address },
                None => Record::DeviceAdded { device: id, link, address, life },
            };
            step.changes.push(record(now, device.no, what));
        }
    }

    fn take_changed(&mut self, now: &Now, before: &Device, device: Device, step: &mut Step) {
        let (no, reshaped) = (device.no, (device.shape, device.raw()) != (before.shape, before.raw()));
        self.tell_kind(now, before, &device, step);
        if reshaped || device.told != before.told {
            step.changes.push(record(now, no, Record::DeviceChanged { device: device.id.clone() }));
        }
        self.change_device(now, device, step);
        if reshaped {
            self.refit(now, no, step);
        }
    }

    /// What it tells of itself, where that is another than the last time.
    pub(super) fn told(&mut self, now: &Now, device: &mut Device, about: &About) -> Option<Change> {
        let mark = crc32c::crc32c(&minicbor_serde::to_vec(about).unwrap_or_default());
        if about.is_empty() || std::mem::replace(&mut device.told, mark) == mark {
            return None;
        }
        let about = Arc::new(dated(about.clone(), now, false));
        Some(Change::About { device: device.no, about })
    }

    pub(super) fn changed(
        &mut self,
        now: &Now,
        link: LinkNo,
        no: DeviceNo,
        capabilities: Arc<Capabilities>,
        step: &mut Step,
    ) {
        let entry = self.registry.get(no).filter(|_| self.registry.link_of(no) == Some(link)).cloned();
        let Some(entry) = entry.filter(|_| capabilities.check().is_ok()) else {
            self.links[usize::from(link.0)].rejected += 1;
            return;
        };
        let mut device = entry.device.as_ref().clone();
        match self.take_kind(&mut device, entry.about.as_deref(), &capabilities, &numbers_of(&entry), step) {
            Ok(()) if device == *entry.device => {}
            Ok(()) => self.take_changed(now, &entry.device, device, step),
            Err(why) => {
                if let Some(place) = &entry.device.place {
                    let who = Sighting::new(place.address.clone(), entry.device.identities.clone(), None);
                    self.note(now, link, &who, why, step);
                }
            }
        }
    }

    /// The device is of another kind now: what waits for it and fits no longer has failed.
    pub(super) fn refit(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(entry) = self.registry.get(no).cloned() else { return };
        for command in self.commands.queued_for(no) {
            let queued = self.commands.get(command);
            let unfit = queued.and_then(|command| {
                let by_kind = unfit(&entry.capabilities, &command.operation);
                by_kind.or_else(|| self.for_the_link(&entry, &command.operation).err())
            });
            if let Some(why) = unfit {
                self.end(now, command, Outcome::NotSent(why).bounded(), step);
            }
        }
    }
}

/// What is known of it, with what it tells now.
fn known_with<'a>(known: Option<&'a About>, told: Option<&About>) -> Option<Cow<'a, About>> {
    let Some(told) = told else { return known.map(Cow::Borrowed) };
    let mut all = known.cloned().unwrap_or_default();
    all.take(told.facts());
    Some(Cow::Owned(all))
}

/// Why the device is kept off, and until when.
pub fn denied(now: &Now, device: &Device) -> Option<(Denial, Option<Mono>)> {
    let blocked = device.blocked.as_ref().map(|until| until.end(now)).filter(|end| *end > now.mono);
    match device.life {
        LifeCycle::Refused => Some((Denial::Refused, None)),
        LifeCycle::Retired => Some((Denial::Retired, None)),
        _ => blocked.map(|end| (Denial::Blocked, Some(end))),
    }
}

/// A way that becomes the place leaves the old place as a way.
fn move_to(device: &mut Device, place: Place) {
    if device.is_at() != Some(&place)
        && let Some(way) = device.ways.iter_mut().find(|way| **way == place)
    {
        match device.place.take() {
            Some(old) => *way = old,
            None => device.ways.retain(|way| *way != place),
        }
    }
    device.ways.truncate(MOST_WAYS);
    device.place = Some(place);
    device.displaced = false;
}

/// Known ones take the better proof; new ones join while there is room. Strongest first.
pub fn add_identities(known: &mut Vec<Identity>, seen: Vec<Identity>) {
    for identity in seen {
        if let Some(known) = known.iter_mut().find(|known| known.same_as(&identity)) {
            known.proof = known.proof.max(identity.proof);
        } else if known.len() < MOST_IDENTITIES {
            known.push(identity);
        }
    }
    known.sort_by(|a, b| b.kind.cmp(&a.kind).then(a.value.cmp(&b.value)));
}

/// Why the operation means nothing any more to a device that can do this.
fn unfit(capabilities: &Capabilities, operation: &Operation) -> Option<String> {
    if !capabilities.can(operation.kind()) {
        return Some(format!("the device is of another kind now, which cannot {}", operation.kind()));
    }
    let named = match operation {
        Operation::Read { points } | Operation::Observe { points, .. } | Operation::ReportPolicyGet { points } => {
            points.as_slice()
        }
        Operation::Write { point, .. } | Operation::ReportPolicySet { point, .. } => std::slice::from_ref(point),
        _ => &[],
    };
    let gone = named.iter().find(|path| capabilities.point(path).is_none());
    gone.map(|path| format!("the device is of another kind now, which has no point {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> Capabilities {
        let point = Point {
            no: PointNo(0),
            path: "relay.on".parse().unwrap(),
            kind: ValueKind::Bool,
            unit: None,
            access: Access::ReadWrite,
            limits: None,
        };
        let operations = OperationSet::of(&[OperationKind::Write]);
        Capabilities { points: vec![point], operations, ..Capabilities::default() }
    }

    #[test]
    fn what_fits_another_kind_too_goes_on() {
        let write = |point: &str| Operation::Write { point: point.parse().unwrap(), value: Value::Bool(true) };
        assert_eq!(unfit(&relay(), &write("relay.on")), None);
        assert_eq!(unfit(&relay(), &Operation::Probe), None);
        assert!(unfit(&relay(), &write("lamp.on")).unwrap().contains("no point lamp.0.on"));
        assert!(unfit(&relay(), &Operation::Lock).unwrap().contains("cannot lock"));
    }

    #[test]
    fn what_would_ask_for_a_point_that_is_no_more_goes_on_no_longer() {
        use OperationKind::{Observe, Read, ReportPolicyGet};
        let relay = Capabilities { operations: OperationSet::of(&[Read, Observe, ReportPolicyGet]), ..relay() };
        let here: Vec<PointPath> = vec!["relay.on".parse().unwrap()];
        let both = [here.clone(), vec!["lamp.on".parse().unwrap()]].concat();
        let asks: [fn(Vec<PointPath>) -> Operation; 3] = [
            |points| Operation::Read { points },
            |points| Operation::Observe { points, on: true },
            |points| Operation::ReportPolicyGet { points },
        ];
        for ask in asks {
            assert_eq!(unfit(&relay, &ask(here.clone())), None);
            assert!(unfit(&relay, &ask(both.clone())).unwrap().contains("no point lamp.0.on"));
        }
    }

    #[test]
    fn a_place_and_a_way_change_over() {
        let place = |address: &str| Place { link: Name::new("a").unwrap(), address: Address::new(address).unwrap() };
        let id = DeviceId::new("urn:x").unwrap();
        let mut device = Device::new(DeviceNo(0), id, LifeCycle::Managed, &Now::default());
        device.place = Some(place("1"));
        device.ways = vec![place("2"), place("3")];
        move_to(&mut device, place("2"));
        assert_eq!((device.place.clone(), device.ways.clone()), (Some(place("2")), vec![place("1"), place("3")]));
        move_to(&mut device, place("2"));
        move_to(&mut device, place("9"));
        assert_eq!((device.place, device.ways), (Some(place("9")), vec![place("1"), place("3")]));
    }
}
