//! Links as the engine sees them: up or down, and how many orders each can still take.
//!
//! **Credits.** A link's task says once how many orders it can take. Each order takes a credit; `Took` and `Finished`
//! bring it back. So the channel to the link always has room, and *sent* is never a lie. What has no credit waits here,
//! where priority, cancel and expiry still reach it. Commands take at most half of the credits, so that plans, answers
//! and cancels get through while devices are slow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::model::device::DeviceNow;
use crate::model::*;
use crate::profile::Shaped;

use super::kinds::plan_of;
use super::reactions::Fact;
use super::settings::LinkSettings;
use super::step::Step;
use super::{Engine, record};

/// Plans kept for kinds of devices: where there are more kinds, few devices are of one kind.
const MOST_PLANS: usize = 256;

pub struct LinkState {
    pub settings: LinkSettings,
    /// It was taken out of the settings. Its number waits for it to come back.
    pub gone: bool,
    /// Since when it is up.
    pub up: Option<Mono>,
    /// What the link's task can take in all; 0 before it first came up.
    total: u16,
    credits: u16,
    performing: u16,
    /// Devices whose place, plan or refusal the link has to be told, also those that left while it was down.
    to_tell: BTreeSet<DeviceNo>,
    waiting: VecDeque<LinkOrder>,
    /// One plan for all devices of a kind of which nothing is switched off.
    plans: BTreeMap<(ShapeNo, Option<ShapeNo>), Planned>,
    /// Readings and sightings that no device of the link could have sent, or for which there was no room.
    pub rejected: u64,
    /// Orders that found too many others waiting.
    dropped: u64,
}

/// For whom it was made, and how.
struct Planned {
    of: Arc<Capabilities>,
    given: Option<Arc<Capabilities>>,
    by: Option<Arc<Shaped>>,
    plan: Arc<[PlanPoint]>,
}

impl Planned {
    fn is_for(&self, entry: &DeviceNow, shaped: Option<&Arc<Shaped>>) -> bool {
        Arc::ptr_eq(&self.of, &entry.capabilities)
            && self.given.as_ref().map(Arc::as_ptr) == entry.given.as_ref().map(Arc::as_ptr)
            && self.by.as_ref().map(Arc::as_ptr) == shaped.map(Arc::as_ptr)
    }
}

/// What a link was told, or told us, in vain; and what it could be told now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    pub rejected: u64,
    pub dropped: u64,
    /// Orders that wait for a credit, commands not counted.
    pub waiting: usize,
    /// In hand, of as many as the link has given.
    pub credits: u16,
    pub total: u16,
}

impl LinkState {
    pub fn new(settings: LinkSettings) -> LinkState {
        LinkState {
            settings,
            gone: false,
            up: None,
            total: 0,
            credits: 0,
            performing: 0,
            to_tell: BTreeSet::new(),
            waiting: VecDeque::new(),
            plans: BTreeMap::new(),
            rejected: 0,
            dropped: 0,
        }
    }

    pub fn counts(&self) -> LinkCounts {
        let LinkState { rejected, dropped, credits, total, .. } = *self;
        LinkCounts { rejected, dropped, waiting: self.waiting.len() + self.to_tell.len(), credits, total }
    }

    /// What is read changes for every device: all of them have to be told.
    pub(super) fn plan_anew(&mut self, devices: impl Iterator<Item = DeviceNo>) {
        self.plans.clear();
        self.to_tell.extend(devices);
    }

    fn may_perform(&self) -> bool {
        self.credits > 0 && self.performing < (self.total / 2).max(1)
    }

    fn give_back(&mut self, credits: u16) {
        self.credits = self.credits.saturating_add(credits).min(self.total);
    }
}

impl Engine {
    pub(super) fn link_up(&mut self, now: &Now, link: LinkNo, credits: u16, step: &mut Step) {
        let devices: BTreeSet<DeviceNo> = self.registry.on_link(link).collect();
        let state = &mut self.links[usize::from(link.0)];
        if state.total == 0 {
            (state.total, state.credits, state.performing) = (credits, credits, 0);
        }
        state.to_tell.extend(&devices);
        if state.up.replace(now.mono).is_none() {
            step.changes.push(record(now, None, Record::LinkUp { link: state.settings.name.clone() }));
            self.facts.push(Fact::LinkUp(link));
            devices.into_iter().for_each(|no| self.watch_for_silence(now, no));
        }
    }

    pub(super) fn link_down(&mut self, now: &Now, link: LinkNo, why: String, step: &mut Step) {
        let state = &mut self.links[usize::from(link.0)];
        state.waiting.clear();
        if state.up.take().is_some() {
            let why = why.chars().take(command::LONGEST_REASON).collect();
            let link = state.settings.name.clone();
            step.changes.push(record(now, None, Record::LinkDown { link, why }));
        }
    }

    /// Its channel is gone, with whatever orders were in it.
    pub(super) fn link_ended(&mut self, now: &Now, link: LinkNo, why: String, step: &mut Step) {
        for no in self.commands.flying_on(link) {
            self.lost(now, no, format!("the link ended before the answer came: {why}"), step);
        }
        self.link_down(now, link, why, step);
        let state = &mut self.links[usize::from(link.0)];
        (state.total, state.credits, state.performing) = (0, 0, 0);
        state.to_tell.clear();
    }

    pub(super) fn credits_back(&mut self, link: LinkNo, orders: u16) {
        self.links[usize::from(link.0)].give_back(orders);
    }

    pub(super) fn perform_answered(&mut self, link: LinkNo) {
        let state = &mut self.links[usize::from(link.0)];
        state.performing = state.performing.saturating_sub(1);
        state.give_back(1);
    }

    /// The link has to hear of this device's place, plan or refusal.
    pub(super) fn tell(&mut self, link: LinkNo, device: DeviceNo) {
        self.links[usize::from(link.0)].to_tell.insert(device);
    }

    /// An order that is neither a command nor about the place of a device.
    pub(super) fn order(&mut self, now: &Now, link: LinkNo, order: LinkOrder, step: &mut Step) {
        let most = self.settings.most_waiting;
        let state = &mut self.links[usize::from(link.0)];
        if state.up.is_none() || state.waiting.len() >= most {
            state.dropped += 1;
            return;
        }
        state.waiting.push_back(order);
        self.pump(now, link, step);
    }

    /// Sends what the credits allow: answers and the like first, then commands, then what the link has to be told.
    pub(super) fn pump(&mut self, now: &Now, link: LinkNo, step: &mut Step) {
        loop {
            let state = &mut self.links[usize::from(link.0)];
            if state.up.is_none() || state.credits == 0 {
                return;
            }
            if let Some(order) = state.waiting.pop_front() {
                state.performing += u16::from(matches!(order, LinkOrder::Perform { .. }));
                self.send(link, order, step);
            } else if !self.perform_next(now, link, step) && !self.tell_next(now, link, step) {
                return;
            }
        }
    }

    fn send(&mut self, link: LinkNo, order: LinkOrder, step: &mut Step) {
        self.links[usize::from(link.0)].credits -= 1;
        step.orders.push(Order::Link { link, order });
    }

    /// False where no command can go out now.
    fn perform_next(&mut self, now: &Now, link: LinkNo, step: &mut Step) -> bool {
        if !self.links[usize::from(link.0)].may_perform() {
            return false;
        }
        let Some((device, no)) = self.next_ready(now, link) else { return false };
        if self.links[usize::from(link.0)].to_tell.contains(&device) {
            return self.tell_one(now, link, device, step);
        }
        if let Err(refusal) = self.still_takes(device, no) {
            self.end(now, no, Outcome::NotSent(refusal.to_string()).bounded(), step);
            return true;
        }
        if self.registry.get(device).is_some_and(|entry| entry.device.blocked.is_some()) {
            // It waits. Listed again when the device changes.
            self.commands.list(device, None);
            return true;
        }
        if let Some(order) = self.dispatch(now, link, no, step) {
            self.links[usize::from(link.0)].performing += 1;
            self.send(link, order, step);
        }
        true
    }

    fn tell_next(&mut self, now: &Now, link: LinkNo, step: &mut Step) -> bool {
        let first = self.links[usize::from(link.0)].to_tell.first().copied();
        first.is_some_and(|device| self.tell_one(now, link, device, step))
    }

    /// False where it takes more credits than there are.
    fn tell_one(&mut self, now: &Now, link: LinkNo, no: DeviceNo, step: &mut Step) -> bool {
        let orders = self.about(now, link, no);
        if usize::from(self.links[usize::from(link.0)].credits) < orders.len() {
            return false;
        }
        self.links[usize::from(link.0)].to_tell.remove(&no);
        for order in orders {
            self.send(link, order, step);
        }
        true
    }

    /// Whether a link serves the device is told by its life cycle and its block; what is read of it is its plan.
    fn about(&mut self, now: &Now, link: LinkNo, no: DeviceNo) -> Vec<LinkOrder> {
        let Some(entry) = self.registry.get(no).cloned() else { return Vec::new() };
        let nothing = LinkOrder::Plan { device: no, points: Arc::new([]) };
        if let Some(address) = self.left_behind(link, &entry.device) {
            // The link may still have it there, with commands that have not begun: they are for nobody else.
            return vec![LinkOrder::Refuse { address, until: Some(now.mono) }];
        }
        let Some(address) = entry.device.place.as_ref().map(|place| place.address.clone()) else {
            return vec![nothing];
        };
        let is_there = self.registry.by_address(link, &address) == Some(no) && self.registry.link_of(no) == Some(link);
        if !is_there || entry.device.merged.is_some() {
            // It is elsewhere now, or another one stands in its place, or for it.
            return vec![nothing];
        }
        match (entry.device.life, entry.device.blocked) {
            (LifeCycle::Refused | LifeCycle::Retired, _) => vec![LinkOrder::Refuse { address, until: None }],
            (_, Some(until)) => vec![LinkOrder::Refuse { address, until: Some(until.end(now)) }, nothing],
            (LifeCycle::Managed | LifeCycle::Quarantined, None) => {
                let plan = LinkOrder::Plan { device: no, points: self.plan(&entry) };
                let profile = entry.device.profile_name().cloned();
                vec![LinkOrder::Admit { device: no, address, profile }, plan]
            }
            (LifeCycle::Pending, None) => Vec::new(),
        }
    }

    /// Where a displaced device was, if nobody is served there now who would have taken its place on the link.
    fn left_behind(&self, link: LinkNo, device: &Device) -> Option<Address> {
        let place =
            device.place.as_ref().filter(|place| device.displaced && self.registry.link(&place.link) == Some(link))?;
        let there = self.registry.by_address(link, &place.address).and_then(|there| self.registry.get(there));
        let unserved =
            there.is_none_or(|there| there.device.life == LifeCycle::Pending && there.device.blocked.is_none());
        unserved.then(|| place.address.clone())
    }

    /// What to read of a device, how often: everything that can be read and is not switched off, as often as its link
    /// says. One that sleeps tells its values when it wakes, and is not asked for them.
    pub(super) fn plan(&mut self, entry: &DeviceNow) -> Arc<[PlanPoint]> {
        let device = &entry.device;
        if !self.is_read(device) {
            return Arc::new([]);
        }
        let Some(link) = self.registry.link_of(device.no) else { return Arc::new([]) };
        let plans = &self.links[usize::from(link.0)].plans;
        let shaped = self.kinds.shaped(device.no);
        match plans.get(&(device.shape, device.raw())) {
            Some(planned) if device.inactive.is_empty() && planned.is_for(entry, shaped) => planned.plan.clone(),
            _ => self.make_plan(link, entry),
        }
    }

    fn make_plan(&mut self, link: LinkNo, entry: &DeviceNow) -> Arc<[PlanPoint]> {
        let DeviceNow { device, capabilities, .. } = entry;
        let by = self.kinds.shaped(device.no).cloned();
        let LinkState { settings, plans, .. } = &mut self.links[usize::from(link.0)];
        let polled = capabilities.can(OperationKind::Read) && capabilities.sleeps.is_none();
        let every = Some(settings.every).filter(|_| polled);
        let is_on = |path: &PointPath| is_active(device, path);
        let read = capabilities.points.iter().filter(|point| point.access.reads() && is_on(&point.path));
        let plan: Arc<[PlanPoint]> = match &by {
            Some(shaped) => plan_of(shaped, entry, every, is_on),
            None => read.map(|point| PlanPoint { no: point.no, path: point.path.clone(), every }).collect(),
        };
        if device.inactive.is_empty() {
            if plans.len() >= MOST_PLANS {
                plans.clear();
            }
            let planned = Planned { of: capabilities.clone(), given: entry.given.clone(), by, plan: plan.clone() };
            plans.insert((device.shape, device.raw()), planned);
        }
        plan
    }

    /// It is not to be looked for any more.
    pub(super) fn forget_probes(&mut self, no: DeviceNo) {
        for link in &mut self.links {
            link.waiting.retain(|order| !matches!(order, LinkOrder::Probe { device } if *device == no));
        }
    }

    /// One that waits for a decision is not admitted, so nothing else would end what its link was told.
    pub(super) fn lift_refusal(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return };
        let address = device.is_at().map(|place| place.address.clone());
        if let (LifeCycle::Pending, Some(link), Some(address)) = (device.life, self.registry.link_of(no), address) {
            self.order(now, link, LinkOrder::Refuse { address, until: Some(now.mono) }, step);
        }
    }
}

fn is_active(device: &Device, path: &PointPath) -> bool {
    !device.inactive.iter().any(|part| match part {
        Part::Device => true,
        Part::Component(name) => *name == path.component,
        Part::Instance(one) => one.name == path.component && one.instance == path.instance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_is_left_out_by_device_component_and_instance() {
        let name = Name::new("relay").unwrap();
        let off = |part| {
            let id = DeviceId::new("urn:x").unwrap();
            let device =
                Device { inactive: vec![part], ..Device::new(DeviceNo(0), id, LifeCycle::Managed, &Now::default()) };
            let paths = ["relay.0.on", "relay.1.on", "lamp.1.on"];
            paths.map(|path| !is_active(&device, &path.parse().unwrap()))
        };
        assert_eq!(off(Part::Device), [true, true, true]);
        assert_eq!(off(Part::Component(name.clone())), [true, true, false]);
        assert_eq!(off(Part::Instance(Component { name, instance: 1 })), [false, true, false]);
    }
}
