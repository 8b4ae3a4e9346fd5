//! Keeping a device off for a time, leaving it to people for a time, and what of it is switched off. All of it lasts over
//! restarts.
//!
//! **Invariant: a block or maintenance ends by the clock that never steps.** Over a reboot the time that was left has
//! still to pass; it is stored anew now and then, so that a reboot prolongs it by a small part only.

use std::time::Duration;

use crate::model::device::{Connectivity, MOST_INACTIVE, Maintenance};
use crate::model::*;

use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

/// Nothing is kept off, or worked on, for longer.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Engine {
    pub(super) fn block(&mut self, now: &Now, no: DeviceNo, blocked: Until, step: &mut Step) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        let device = entry.device.id.clone();
        step.changes.push(record(now, no, Record::DeviceBlocked { device, until: blocked.shown(now) }));
        self.start_anew(now, no);
        self.forget_probes(no);
        self.timers.set(blocked.renew_at(now), Timer::Block(no));
        self.change_device(now, Device { blocked: Some(blocked), ..entry.device.as_ref().clone() }, step);
        Ok(())
    }

    pub(super) fn unblock(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        if entry.device.blocked.is_none() {
            return Err(format!("{} is not blocked", entry.device.id));
        }
        step.changes.push(record(now, no, Record::DeviceUnblocked { device: entry.device.id.clone() }));
        self.start_anew(now, no);
        self.change_device(now, Device { blocked: None, ..entry.device.as_ref().clone() }, step);
        self.lift_refusal(now, no, step);
        Ok(())
    }

    pub(super) fn block_reached(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return };
        let Some(blocked) = device.blocked else { return };
        if blocked.is_over(now) {
            // It is blocked, so nothing stands in the way.
            let _ = self.unblock(now, no, step);
            return;
        }
        let kept = kept_anew(now, blocked);
        self.timers.set(kept.renew_at(now), Timer::Block(no));
        if kept != blocked {
            self.store_device(Device { blocked: Some(kept), ..device.as_ref().clone() }, step);
        }
    }

    pub(super) fn maintain(
        &mut self,
        now: &Now,
        no: DeviceNo,
        by: &Name,
        until: Option<Until>,
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return Ok(()) };
        if let Some(until) = until {
            self.timers.set(until.renew_at(now), Timer::Maintenance(no));
        }
        let since = device.maintenance.as_ref().map_or(*now, |known| known.since);
        let what = Record::Maintenance { device: device.id.clone(), by: by.clone(), on: true };
        step.changes.push(record(now, no, what));
        let maintenance = Some(Maintenance { by: by.clone(), since, until });
        self.store_device(Device { maintenance, ..device.as_ref().clone() }, step);
        Ok(())
    }

    pub(super) fn end_maintenance_of(
        &mut self,
        now: &Now,
        no: DeviceNo,
        by: &Name,
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return Ok(()) };
        let known = device.maintenance.as_ref();
        known.ok_or_else(|| format!("nobody works on {}, so there is nothing to end", device.id))?;
        self.end_maintenance(now, no, by, step);
        Ok(())
    }

    pub(super) fn maintenance_reached(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return };
        let Some(Maintenance { by, until: Some(until), since }) = device.maintenance.clone() else { return };
        if until.is_over(now) {
            self.end_maintenance(now, no, &by, step);
            return;
        }
        let kept = kept_anew(now, until);
        self.timers.set(kept.renew_at(now), Timer::Maintenance(no));
        if kept != until {
            let maintenance = Some(Maintenance { by, since, until: Some(kept) });
            self.store_device(Device { maintenance, ..device.as_ref().clone() }, step);
        }
    }

    fn end_maintenance(&mut self, now: &Now, no: DeviceNo, by: &Name, step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return };
        let what = Record::Maintenance { device: device.id.clone(), by: by.clone(), on: false };
        step.changes.push(record(now, no, what));
        self.store_device(Device { maintenance: None, ..device.as_ref().clone() }, step);
        self.tell_connectivity(now, no, step);
        // What others asked meanwhile, or before, may go.
        self.look_again(no);
        if let Some(link) = self.registry.link_of(no) {
            self.pump(now, link, step);
        }
    }

    /// At a start: what ran out meanwhile ends, the rest goes on.
    pub(super) fn load_flags(&mut self, now: &Now, step: &mut Step) {
        let has_flags = |device: &Device| device.blocked.is_some() || device.maintenance.is_some();
        let flagged: Vec<DeviceNo> =
            self.registry.devices().filter(|device| has_flags(device)).map(|device| device.no).collect();
        for no in flagged {
            self.block_reached(now, no, step);
            self.maintenance_reached(now, no, step);
        }
    }

    /// What a command switched on or off stays so until the next one.
    pub(super) fn activity_changed(&mut self, now: &Now, command: &Command, step: &mut Step) {
        let (part, on) = match &command.operation {
            Operation::Activate { part } => (part, true),
            Operation::Deactivate { part } => (part, false),
            _ => return,
        };
        let entry = command.device().and_then(|no| self.registry.get(no)).cloned();
        let Some(entry) = entry.filter(|_| command.state == CommandState::Done) else { return };
        let inactive = switched(&entry.device.inactive, part, on, &entry.capabilities);
        if inactive != entry.device.inactive {
            if *part == Part::Device {
                self.start_anew(now, entry.device.no);
            }
            self.change_device(now, Device { inactive, ..entry.device.as_ref().clone() }, step);
        }
    }

    /// It was not to be heard of, or will not be: how it was before says nothing.
    pub(super) fn start_anew(&mut self, now: &Now, no: DeviceNo) {
        self.registry.misses(no, |_| 0);
        self.regroup.insert(no);
        if let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) {
            (live.connectivity, live.since) = (Connectivity::Unknown, *now);
        }
    }
}

/// The end that was asked for, at a time or after a span, if there is to be one.
pub(super) fn end_of(now: &Now, until: Option<Wall>, span: Option<Duration>) -> Result<Option<Until>, String> {
    if until.is_some() && now.quality == ClockQuality::Unset {
        return Err("the clock of the gateway is not set, so nobody can say how long until then is; give a span".into());
    }
    let kept = until.map(|until| Until::wall(now, until)).or(span.map(|span| Until::after(now, span)));
    match kept.map(|kept| kept.left) {
        Some(Duration::ZERO) => Err("that time is over already; give a later one".into()),
        Some(left) if left > LONGEST => Err("that is more than ten years ahead; give an earlier time".into()),
        _ => Ok(kept),
    }
}

/// The same end, told anew where that is due: its boot is over, or much of what was left has passed.
fn kept_anew(now: &Now, until: Until) -> Until {
    let due = until.at.boot != now.boot || until.renew_at(&until.at) <= now.mono;
    if due { until.renewed(now) } else { until }
}

/// What is inactive after this. Beyond the bound nothing is added: what is not known to be off is still read.
fn switched(inactive: &[Part], part: &Part, on: bool, capabilities: &Capabilities) -> Vec<Part> {
    let mut after: Vec<Part> = inactive.iter().filter(|known| !covers(part, known)).cloned().collect();
    if !on && !inactive.iter().any(|known| known != &Part::Device && covers(known, part)) {
        after.push(part.clone());
    } else if !on {
        return inactive.to_vec();
    } else if let Part::Instance(one) = part {
        // Of a component that is off as a whole only this instance is on now.
        let whole = Part::Component(one.name.clone());
        if after.contains(&whole) {
            after.retain(|known| *known != whole);
            let others = capabilities.components().into_iter();
            after.extend(others.filter(|other| other.name == one.name && other != one).map(Part::Instance));
        }
    }
    after.sort();
    after.truncate(MOST_INACTIVE);
    after
}

/// To switch the first says all that there is to say of the second. The device as a whole stands for itself.
fn covers(part: &Part, other: &Part) -> bool {
    match (part, other) {
        (Part::Component(name), Part::Instance(one)) => one.name == *name,
        _ => part == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str) -> Part {
        Part::Component(Name::new(name).unwrap())
    }

    fn instance(name: &str, instance: u16) -> Part {
        Part::Instance(Component { name: Name::new(name).unwrap(), instance })
    }

    fn capabilities() -> Capabilities {
        let part = |instance| Component { name: Name::new("relay").unwrap(), instance };
        Capabilities { components: (0..3).map(part).collect(), ..Capabilities::default() }
    }

    #[test]
    fn a_component_stands_for_all_its_instances() {
        let off = switched(&[instance("relay", 1), instance("lamp", 1)], &component("relay"), false, &capabilities());
        assert_eq!(off, [component("relay"), instance("lamp", 1)]);
        assert_eq!(switched(&off, &instance("relay", 2), false, &capabilities()), off);
        assert_eq!(switched(&off, &component("relay"), true, &capabilities()), [instance("lamp", 1)]);
    }

    #[test]
    fn one_instance_of_a_component_that_is_off_can_be_switched_on() {
        let on = switched(&[component("relay")], &instance("relay", 1), true, &capabilities());
        assert_eq!(on, [instance("relay", 0), instance("relay", 2)]);
    }

    #[test]
    fn the_device_as_a_whole_is_apart_from_its_parts() {
        let off = switched(&[component("relay")], &Part::Device, false, &capabilities());
        assert_eq!(off, [Part::Device, component("relay")]);
        assert_eq!(switched(&off, &Part::Device, true, &capabilities()), [component("relay")]);
        assert_eq!(switched(&[Part::Device], &component("relay"), false, &capabilities()), off);
    }

    #[test]
    fn what_is_off_is_bounded() {
        let many: Vec<Part> = (0..100).map(|no| instance("relay", no)).collect();
        let off = many.iter().fold(Vec::new(), |off, part| switched(&off, part, false, &capabilities()));
        assert_eq!(off.len(), MOST_INACTIVE);
    }

    #[test]
    fn an_end_lies_ahead_and_within_ten_years() {
        let now = Now { wall: Wall(1_000_000), quality: ClockQuality::Set, ..Now::default() };
        for bad in [0, 1_000_000, u64::MAX] {
            assert!(end_of(&now, Some(Wall(bad)), None).is_err());
        }
        assert!(end_of(&now, Some(Wall(1_000_001)), None).is_ok());
        let unset = Now { quality: ClockQuality::Unset, ..now };
        assert!(end_of(&unset, Some(Wall(1_000_001)), None).is_err());
        assert!(end_of(&unset, None, Some(Duration::from_secs(1))).is_ok(), "a span needs no clock");
        assert!(end_of(&now, None, Some(Duration::ZERO)).is_err() && end_of(&now, None, Some(Duration::MAX)).is_err());
    }
}
