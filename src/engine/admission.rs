//! Admission: what a sighting makes of what we know, and who may join.
//!
//! Identity comes first: a device with a known identity is that device, wherever it is. Only a device that shows none is
//! known by its place.

use std::sync::Arc;

use crate::model::device::Connectivity;
use crate::model::event::MOST_IDENTITIES;
use crate::model::order::Verdict;
use crate::model::*;

use super::settings::Admission;
use super::step::Step;
use super::{Engine, record};

impl Engine {
    pub(super) fn sighted(&mut self, now: &Now, link: LinkNo, sighting: Sighting, step: &mut Step) {
        let address = sighting.address.clone();
        if self.meet(now, link, sighting, step) == Some(LifeCycle::Refused) {
            self.order(now, link, LinkOrder::Refuse { address, until: None }, step);
        }
    }

    pub(super) fn asked(&mut self, now: &Now, link: LinkNo, exchange: u64, who: Sighting, step: &mut Step) {
        let life = self.meet(now, link, who, step);
        let later = Some(self.settings.come_back);
        let (verdict, wait) = match life {
            Some(LifeCycle::Managed) => (Verdict::Accepted, None),
            Some(LifeCycle::Refused | LifeCycle::Retired) => (Verdict::Refused, None),
            Some(LifeCycle::Pending | LifeCycle::Quarantined) | None => (Verdict::Later, later),
        };
        self.order(now, link, LinkOrder::Answer { exchange, verdict, wait }, step);
    }

    /// What the device is to us, once this sighting is taken in; `None` where it made no sense or there is no room.
    fn meet(&mut self, now: &Now, link: LinkNo, mut sighting: Sighting, step: &mut Step) -> Option<LifeCycle> {
        sighting.identities.truncate(MOST_IDENTITIES);
        sighting.identities.sort_by(|a, b| b.kind.cmp(&a.kind).then(b.proof.cmp(&a.proof)));
        if sighting.capabilities.as_ref().is_some_and(|capabilities| capabilities.check().is_err()) {
            self.links[usize::from(link.0)].rejected += 1;
            return None;
        }
        match self.recognise(link, &sighting) {
            Some(no) => {
                self.meet_again(now, link, no, sighting, step);
                self.registry.get(no).map(|entry| entry.device.life)
            }
            None => self.admit(now, link, sighting, step),
        }
    }

    fn recognise(&self, link: LinkNo, sighting: &Sighting) -> Option<DeviceNo> {
        let known = sighting.identities.iter().find_map(|identity| self.registry.by_identity(identity));
        known.or_else(|| {
            let no = self.registry.by_address(link, &sighting.address)?;
            let entry = self.registry.get(no)?;
            let only_by_place = entry.device.identities.iter().all(|identity| identity.kind == IdentityKind::Place);
            (sighting.identities.is_empty() || only_by_place).then_some(no)
        })
    }

    fn meet_again(&mut self, now: &Now, link: LinkNo, no: DeviceNo, sighting: Sighting, step: &mut Step) {
        let Some(entry) = self.registry.get(no).cloned() else { return };
        let mut device = entry.device.as_ref().clone();
        let link = self.links[usize::from(link.0)].settings.name.clone();
        device.place = Some(Place { link, address: sighting.address });
        device.displaced = false;
        // What names another device already goes on naming that one.
        let others = |identity: &Identity| self.registry.by_identity(identity).is_none_or(|owner| owner == no);
        add_identities(&mut device.identities, sighting.identities.into_iter().filter(others).collect());
        if let Some(capabilities) = sighting.capabilities {
            device.shape = self.shape_after(&entry.capabilities, &capabilities, step).unwrap_or(device.shape);
        }
        if device == *entry.device {
            // The link may have lost what it was told, and a sign of life is one.
            self.alive(now, no, step);
            return;
        }
        if let Some(Place { link, address }) = device.place.clone().filter(|_| device.place != entry.device.place) {
            step.changes.push(record(now, no, Record::DeviceMoved { device: device.id.clone(), link, address }));
        }
        self.change_device(now, device, step);
        self.alive(now, no, step);
    }

    fn admit(&mut self, now: &Now, link: LinkNo, sighting: Sighting, step: &mut Step) -> Option<LifeCycle> {
        let settings = self.links[usize::from(link.0)].settings.clone();
        let life = match settings.admission {
            Admission::Accept => LifeCycle::Managed,
            Admission::Hold => LifeCycle::Pending,
            Admission::Quarantine => LifeCycle::Quarantined,
            Admission::Refuse => return Some(LifeCycle::Refused),
        };
        if self.registry.count() >= self.settings.most_devices {
            self.links[usize::from(link.0)].rejected += 1;
            return None;
        }
        let identities = match sighting.identities.is_empty() {
            true => vec![place(&settings.name, &sighting.address)?],
            false => sighting.identities,
        };
        let capabilities = sighting.capabilities.unwrap_or_default();
        let (no, id) = (self.registry.next_no(), self.unused_id(identities.first()?)?);
        let shape = self.shape_after(&Capabilities::default(), &capabilities, step)?;
        let (link, address) = (settings.name, sighting.address);
        let place = Some(Place { link: link.clone(), address: address.clone() });
        let device = Device { identities, place, shape, ..Device::new(no, id.clone(), life, now) };
        step.changes.push(record(now, no, Record::DeviceAdded { device: id, link, address, life }));
        self.change_device(now, device, step);
        self.alive(now, no, step);
        Some(life)
    }

    /// An id says nothing of the present: one that was made of a place may since have moved away from it.
    fn unused_id(&self, identity: &Identity) -> Option<DeviceId> {
        let id = identity.urn();
        if self.registry.by_id(&id).is_none() {
            return Some(id);
        }
        let next = self.registry.next_no();
        DeviceId::new(&format!("{id}:{next}")).ok()
    }

    pub(super) fn changed(
        &mut self,
        now: &Now,
        link: LinkNo,
        no: DeviceNo,
        capabilities: Arc<Capabilities>,
        step: &mut Step,
    ) {
        if self.registry.link_of(no) != Some(link) || capabilities.check().is_err() {
            self.links[usize::from(link.0)].rejected += 1;
            return;
        }
        let Some(entry) = self.registry.get(no).cloned() else { return };
        let Some(shape) = self.shape_after(&entry.capabilities, &capabilities, step) else { return };
        if shape != entry.device.shape {
            step.changes.push(record(now, no, Record::DeviceChanged { device: entry.device.id.clone() }));
            self.change_device(now, Device { shape, ..entry.device.as_ref().clone() }, step);
        }
    }

    /// `None` where the device has used up its point numbers: it keeps what it had.
    fn shape_after(&mut self, before: &Capabilities, now: &Capabilities, step: &mut Step) -> Option<ShapeNo> {
        let capabilities = Arc::new(now.clone().numbered_after(before)?);
        let (no, new) = self.registry.shape(capabilities.clone());
        if new {
            step.changes.push(Change::Shape { no, capabilities });
        }
        Some(no)
    }

    /// Takes the device as it is from now on, and has its link told.
    pub(super) fn change_device(&mut self, now: &Now, device: Device, step: &mut Step) {
        let no = device.no;
        let left = self.registry.link_of(no);
        let displaced = self.displaced(&device);
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
        step.changes.push(Change::Device(device));
        step.changes.extend(left.map(Change::ForgetShape));
    }
}

fn place(link: &Name, address: &Address) -> Option<Identity> {
    let mut value = format!("{link}/{address}");
    value.truncate(id::LONGEST_ADDRESS); // ASCII, so no character is cut; a longer place could not be told apart anyway.
    Identity::new(IdentityKind::Place, &value, Proof::Seen).ok()
}

/// Known ones take the better proof; new ones join while there is room. Strongest first.
fn add_identities(known: &mut Vec<Identity>, seen: Vec<Identity>) {
    for identity in seen {
        if let Some(known) = known.iter_mut().find(|known| known.same_as(&identity)) {
            known.proof = known.proof.max(identity.proof);
        } else if known.len() < MOST_IDENTITIES {
            known.push(identity);
        }
    }
    known.sort_by(|a, b| b.kind.cmp(&a.kind).then(a.value.cmp(&b.value)));
}
