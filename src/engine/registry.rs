//! The registry: who is there, by number, by id, by identity and by address.
//!
//! A device's number and id stay for good. Capabilities are kept once for all devices that share them, under a number
//! whose meaning never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::device::{DeviceNow, Live};
use crate::model::*;

use super::settings::Settings;

/// Device numbers are given in order, so this is far more devices than there ever were.
const MOST_NUMBERS: u32 = 1 << 24;

pub struct Registry {
    /// By number.
    slots: Vec<Option<Slot>>,
    pub(super) most_numbers: u32,
    count: usize,
    /// Devices that wait for a decision.
    pending: usize,
    by_id: BTreeMap<DeviceId, DeviceNo>,
    by_identity: BTreeMap<(IdentityKind, Address), DeviceNo>,
    by_address: BTreeMap<LinkNo, BTreeMap<Address, DeviceNo>>,
    /// Further places of devices.
    by_way: BTreeMap<(LinkNo, Address), DeviceNo>,
    shapes: BTreeMap<ShapeNo, Arc<Capabilities>>,
    /// The shapes again, by what they hold.
    by_content: BTreeMap<Vec<u8>, ShapeNo>,
    /// How many devices have each shape.
    uses: BTreeMap<ShapeNo, usize>,
    /// Points and components of all shapes together, and how many there may be.
    points: usize,
    most_points: usize,
    links: BTreeMap<Name, LinkNo>,
    /// Above every shape that a device was loaded with, also those whose row was damaged.
    next_shape: u32,
}

struct Slot {
    now: Arc<DeviceNow>,
    link: Option<LinkNo>,
    /// Its change is in `Touched` already.
    touched: bool,
    /// A `Silence` timer is set.
    watched: bool,
    /// As in `Live`.
    misses: u8,
}

impl Registry {
    pub fn load(settings: &Settings, shapes: Vec<(ShapeNo, Arc<Capabilities>)>, devices: Vec<Arc<Device>>) -> Registry {
        let links = settings.links.iter().zip(0..).map(|(link, no)| (link.name.clone(), LinkNo(no))).collect();
        let mut registry = Registry {
            slots: Vec::new(),
            most_numbers: MOST_NUMBERS,
            count: 0,
            pending: 0,
            by_id: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_way: BTreeMap::new(),
            shapes: BTreeMap::new(),
            by_content: BTreeMap::new(),
            uses: BTreeMap::new(),
            points: shapes.iter().map(|(_, shape)| weight(shape)).sum(),
            most_points: settings.most_points,
            links,
            next_shape: 0,
        };
        for (no, shape) in shapes {
            registry.by_content.insert(content(&shape), no);
            registry.shapes.insert(no, shape);
        }
        let used = devices.iter().flat_map(|device| device.raw().into_iter().chain([device.shape]));
        registry.next_shape = used.map(|shape| shape.0 + 1).max().unwrap_or(0);
        for device in devices.into_iter().filter(|device| device.no.0 < MOST_NUMBERS) {
            registry.put(device);
        }
        registry
    }

    pub fn numbers(&self) -> impl Iterator<Item = DeviceNo> + '_ {
        self.slots.iter().flatten().map(|slot| slot.now.device.no)
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn pending(&self) -> usize {
        self.pending
    }

    pub fn next_no(&self) -> DeviceNo {
        DeviceNo(u32::try_from(self.slots.len()).unwrap_or(u32::MAX))
    }

    /// Numbers up to this one are given, whoever had them.
    pub fn reserve(&mut self, no: DeviceNo) {
        if no.0 < MOST_NUMBERS && self.slots.len() <= no.0 as usize {
            self.slots.resize_with(no.0 as usize + 1, || None);
        }
    }

    /// There is a number left for another device.
    pub fn has_numbers(&self) -> bool {
        self.next_no().0 < self.most_numbers
    }

    pub fn get(&self, no: DeviceNo) -> Option<&Arc<DeviceNow>> {
        self.slot(no).map(|slot| &slot.now)
    }

    pub fn by_id(&self, id: &DeviceId) -> Option<&Arc<DeviceNow>> {
        self.get(*self.by_id.get(id)?)
    }

    pub fn by_identity(&self, identity: &Identity) -> Option<DeviceNo> {
        self.by_identity.get(&(identity.kind, identity.value.clone())).copied()
    }

    pub fn by_address(&self, link: LinkNo, address: &Address) -> Option<DeviceNo> {
        self.by_address.get(&link)?.get(address).copied()
    }

    /// The device that is found there too.
    pub fn by_way(&self, link: LinkNo, address: &Address) -> Option<DeviceNo> {
        self.by_way.get(&(link, address.clone())).copied()
    }

    pub fn link(&self, name: &Name) -> Option<LinkNo> {
        self.links.get(name).copied()
    }

    pub fn link_names(&self) -> impl Iterator<Item = &Name> {
        self.links.keys()
    }

    /// There is such a link now: who is on it is found there. Gives back who is.
    pub fn add_link(&mut self, name: &Name, no: LinkNo) -> Vec<DeviceNo> {
        self.links.insert(name.clone(), no);
        self.index_anew(name)
    }

    /// Such a link is no more: nobody is found there. Gives back who was.
    pub fn remove_link(&mut self, name: &Name) -> Vec<DeviceNo> {
        if let Some(no) = self.links.remove(name) {
            self.by_address.remove(&no);
            self.by_way.retain(|(link, _), _| *link != no);
        }
        self.index_anew(name)
    }

    fn index_anew(&mut self, link: &Name) -> Vec<DeviceNo> {
        let is_at = |device: &Device| device.place.iter().chain(&device.ways).any(|place| place.link == *link);
        let there: Vec<Arc<Device>> = self.devices().filter(|device| is_at(device)).collect();
        let numbers = there.iter().map(|device| device.no).collect();
        for device in there {
            // Its shape is the same, so nobody leaves one.
            let _ = self.put(device);
        }
        numbers
    }

    /// Bounds that were told anew. What is there already stays.
    pub fn bound(&mut self, settings: &Settings) {
        self.most_points = settings.most_points;
    }

    /// The link where a device is, if it is one of this start's configuration.
    pub fn link_of(&self, no: DeviceNo) -> Option<LinkNo> {
        self.slot(no)?.link
    }

    pub fn on_link(&self, link: LinkNo) -> impl Iterator<Item = DeviceNo> + '_ {
        self.by_address.get(&link).into_iter().flat_map(|devices| devices.values().copied())
    }

    /// Changes what is true now of a device, and marks it for the readers.
    pub fn live(&mut self, no: DeviceNo, touched: &mut Vec<DeviceNo>) -> Option<(&Capabilities, &mut Live)> {
        let slot = self.slots.get_mut(no.0 as usize)?.as_mut()?;
        if !slot.touched {
            slot.touched = true;
            touched.push(no);
        }
        let DeviceNow { capabilities, live, .. } = Arc::make_mut(&mut slot.now);
        live.misses = slot.misses;
        Some((capabilities, live))
    }

    /// Changes which of its last answers are missing. Readers see it with the next change that is marked for them, so
    /// that a device that is only missed again is not copied.
    pub fn misses(&mut self, no: DeviceNo, change: impl FnOnce(u8) -> u8) -> u8 {
        let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) else { return 0 };
        slot.misses = change(slot.misses);
        slot.misses
    }

    /// Nobody has heard the hardware that it is now.
    pub fn unheard(&mut self, no: DeviceNo) {
        if let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) {
            Arc::make_mut(&mut slot.now).live.heard = None;
        }
    }

    /// What is known of it beside. Gives back whether that is news.
    pub fn know(&mut self, no: DeviceNo, more: &About) -> bool {
        let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) else { return false };
        let before = slot.now.about.as_deref().cloned().unwrap_or_default();
        let mut about = before.clone();
        about.learn(more);
        if about == before {
            return false;
        }
        Arc::make_mut(&mut slot.now).about = (!about.is_empty()).then(|| about.into());
        true
    }

    /// In which groups it is by their selectors. Gives back whether that is news.
    pub fn set_dynamic(&mut self, no: DeviceNo, groups: Arc<[Name]>) -> bool {
        let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) else { return false };
        let news = slot.now.dynamic != groups;
        if news {
            Arc::make_mut(&mut slot.now).dynamic = groups;
        }
        news
    }

    /// What a restart finds of it.
    pub fn about(&self) -> impl Iterator<Item = (DeviceNo, Arc<About>)> + '_ {
        self.slots.iter().flatten().filter_map(|slot| Some((slot.now.device.no, slot.now.about.clone()?)))
    }

    /// How the device was when that was last written.
    pub fn set_was(&mut self, no: DeviceNo, was: Connectivity) {
        if let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) {
            Arc::make_mut(&mut Arc::make_mut(&mut slot.now).device).was = was;
        }
    }

    /// True if a `Silence` timer has to be set; from then on it counts as set.
    pub fn watch(&mut self, no: DeviceNo) -> bool {
        let slot = self.slots.get_mut(no.0 as usize).and_then(Option::as_mut);
        slot.is_some_and(|slot| slot.was_seen() && !std::mem::replace(&mut slot.watched, true))
    }

    pub fn unwatch(&mut self, no: DeviceNo) {
        if let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) {
            slot.watched = false;
        }
    }

    /// Takes a new device, or one that is another than before, into every index. Gives back the shapes that nobody has
    /// any more.
    pub fn put(&mut self, device: Arc<Device>) -> Vec<ShapeNo> {
        let no = device.no;
        let place = no.0 as usize;
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || None);
        }
        self.remove_from_indexes(no);
        let left = self.change_shapes(&device);
        let link = device.is_at().and_then(|place| self.link(&place.link));
        self.by_id.insert(device.id.clone(), no);
        // A place names whoever stands there now.
        for identity in device.identities.iter().filter(|identity| identity.kind != IdentityKind::Place) {
            self.by_identity.insert((identity.kind, identity.value.clone()), no);
        }
        if let (Some(link), Some(place)) = (link, device.is_at()) {
            self.by_address.entry(link).or_default().insert(place.address.clone(), no);
        }
        for way in &device.ways {
            if let Some(link) = self.link(&way.link) {
                self.by_way.insert((link, way.address.clone()), no);
            }
        }
        let capabilities = self.shapes.get(&device.shape).cloned().unwrap_or_default();
        let given = device.raw().map(|raw| self.shapes.get(&raw).cloned().unwrap_or_default());
        self.pending += usize::from(device.life == LifeCycle::Pending);
        match &mut self.slots[place] {
            Some(slot) => {
                self.pending -= usize::from(slot.now.device.life == LifeCycle::Pending);
                slot.replace(device, capabilities, given, link);
            }
            empty => {
                *empty = Some(Slot::new(device, capabilities, given, link));
                self.count += 1;
            }
        }
        left
    }

    /// A device is no more. Gives back the shapes that nobody has any more.
    pub fn remove(&mut self, no: DeviceNo) -> Vec<ShapeNo> {
        self.remove_from_indexes(no);
        let Some(slot) = self.slots.get_mut(no.0 as usize).and_then(Option::take) else { return Vec::new() };
        let device = &slot.now.device;
        self.count -= 1;
        self.pending -= usize::from(device.life == LifeCycle::Pending);
        remove_if(&mut self.by_id, &device.id, no);
        self.leave_shapes(device)
    }

    /// Its number is the highest ever given: were it forgotten, the next start would give it again.
    pub fn is_newest(&self, no: DeviceNo) -> bool {
        self.next_no().0 == no.0 + 1
    }

    fn change_shapes(&mut self, device: &Device) -> Vec<ShapeNo> {
        for shape in device.raw().into_iter().chain([device.shape]) {
            *self.uses.entry(shape).or_default() += 1;
        }
        let before = self.get(device.no).map(|before| before.device.clone());
        before.map_or_else(Vec::new, |before| self.leave_shapes(&before))
    }

    fn leave_shapes(&mut self, before: &Device) -> Vec<ShapeNo> {
        let all = before.raw().into_iter().chain([before.shape]);
        all.filter_map(|shape| self.leave_shape(shape)).collect()
    }

    fn leave_shape(&mut self, before: ShapeNo) -> Option<ShapeNo> {
        let uses = self.uses.get_mut(&before)?;
        *uses -= 1;
        if *uses > 0 {
            return None;
        }
        self.uses.remove(&before);
        let shape = self.shapes.remove(&before)?;
        self.points -= weight(&shape);
        self.by_content.remove(&content(&shape));
        Some(before)
    }

    fn remove_from_indexes(&mut self, no: DeviceNo) {
        let Some(Some(slot)) = self.slots.get(no.0 as usize) else { return };
        let (device, link) = (slot.now.device.clone(), slot.link);
        for identity in &device.identities {
            remove_if(&mut self.by_identity, &(identity.kind, identity.value.clone()), no);
        }
        for way in &device.ways {
            if let Some(link) = self.link(&way.link) {
                remove_if(&mut self.by_way, &(link, way.address.clone()), no);
            }
        }
        if let (Some(devices), Some(place)) =
            (link.and_then(|link| self.by_address.get_mut(&link)), device.place.as_ref())
        {
            remove_if(devices, &place.address, no);
        }
    }

    /// The number of these capabilities; the second is true where nobody had them before. `None` where there is no room
    /// for so many more points.
    pub fn shape(&mut self, capabilities: Arc<Capabilities>) -> Option<(ShapeNo, bool)> {
        let content = content(&capabilities);
        if let Some(no) = self.by_content.get(&content) {
            return Some((*no, false));
        }
        let points = self.points.saturating_add(weight(&capabilities));
        if points > self.most_points {
            return None;
        }
        self.points = points;
        let no = ShapeNo(self.shapes.last_key_value().map_or(0, |(no, _)| no.0 + 1).max(self.next_shape));
        self.by_content.insert(content, no);
        self.shapes.insert(no, capabilities);
        Some((no, true))
    }

    /// There is room for these as well.
    pub fn has_room_for(&self, shapes: &[&Capabilities]) -> bool {
        let new = shapes.iter().filter(|shape| !self.by_content.contains_key(&content(shape)));
        self.points.saturating_add(new.map(|shape| weight(shape)).sum()) <= self.most_points
    }

    /// What its other points showed last means nothing any more.
    pub fn keep_values(&mut self, no: DeviceNo, still: impl Fn(&PointPath) -> bool) {
        let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) else { return };
        let DeviceNow { capabilities, live, .. } = Arc::make_mut(&mut slot.now);
        let values = capabilities.points.iter().zip(&mut live.values);
        values.filter(|(point, _)| !still(&point.path)).for_each(|(_, value)| *value = None);
    }

    /// A device is published: its next change is news again.
    pub fn shown(&mut self, devices: &[DeviceNo]) {
        for no in devices {
            if let Some(Some(slot)) = self.slots.get_mut(no.0 as usize) {
                slot.touched = false;
            }
        }
    }

    pub fn touch(&mut self, no: DeviceNo, touched: &mut Vec<DeviceNo>) {
        if let Some(Some(slot)) = self.slots.get_mut(no.0 as usize)
            && !std::mem::replace(&mut slot.touched, true)
        {
            touched.push(no);
        }
    }

    pub fn shapes(&self) -> impl Iterator<Item = (ShapeNo, Arc<Capabilities>)> + '_ {
        self.shapes.iter().map(|(no, shape)| (*no, shape.clone()))
    }

    pub fn devices(&self) -> impl Iterator<Item = Arc<Device>> + '_ {
        self.slots.iter().flatten().map(|slot| slot.now.device.clone())
    }

    fn slot(&self, no: DeviceNo) -> Option<&Slot> {
        self.slots.get(no.0 as usize)?.as_ref()
    }
}

impl Slot {
    fn new(
        device: Arc<Device>,
        capabilities: Arc<Capabilities>,
        given: Option<Arc<Capabilities>>,
        link: Option<LinkNo>,
    ) -> Slot {
        let now = Arc::new(DeviceNow { given, ..DeviceNow::new(device, capabilities) });
        Slot { now, link, touched: false, watched: false, misses: 0 }
    }

    /// One that is registered and was never seen is not missed.
    fn was_seen(&self) -> bool {
        let DeviceNow { device, live, .. } = self.now.as_ref();
        let capabilities = self.now.wire();
        let can = weight(capabilities) > 0 || capabilities.operations != OperationSet::default();
        live.heard.is_some() || device.was != Connectivity::Unknown || can
    }

    /// Last values stay with their points where the points have changed.
    fn replace(
        &mut self,
        device: Arc<Device>,
        capabilities: Arc<Capabilities>,
        given: Option<Arc<Capabilities>>,
        link: Option<LinkNo>,
    ) {
        let before = self.now.clone();
        let now = Arc::make_mut(&mut self.now);
        if before.device.shape != device.shape && !before.live.values.is_empty() {
            let value_of = |point: &Point| {
                let place = before.capabilities.place(point.no)?;
                let same = before.capabilities.points.get(place).is_some_and(|before| before.kind == point.kind);
                before.live.values.get(place).filter(|_| same).cloned().flatten()
            };
            now.live.values = capabilities.points.iter().map(value_of).collect();
        }
        (now.device, now.capabilities, now.given) = (device, capabilities, given);
        self.link = link;
    }
}

/// What a shape takes of the room for points.
fn weight(shape: &Capabilities) -> usize {
    shape.points.len() + shape.components.len()
}

/// Another device may stand there by now.
fn remove_if<K: Ord>(index: &mut BTreeMap<K, DeviceNo>, key: &K, no: DeviceNo) {
    if index.get(key) == Some(&no) {
        index.remove(key);
    }
}

/// Equal capabilities have equal bytes.
fn content(capabilities: &Capabilities) -> Vec<u8> {
    // Plain data in bounded lists: it always has bytes. Were it otherwise, shapes would only be shared too rarely.
    minicbor_serde::to_vec(capabilities).unwrap_or_default()
}

#[cfg(test)]
mod tests;
