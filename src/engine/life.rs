//! The life of a device, as administrators decide it: accepted, refused, in quarantine, retired, and at last forgotten.

use std::time::Duration;

use crate::model::device::DeviceNow;
use crate::model::*;

use super::settings::Admission;
use super::step::Step;
use super::timers::{SOONEST, Timer};
use super::{Engine, record};

/// What could not be forgotten in time is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

impl Engine {
    pub(super) fn accept_device(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        self.set_life(now, no, LifeCycle::Managed, step);
        Ok(())
    }

    pub(super) fn refuse_device(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        self.set_life(now, no, LifeCycle::Refused, step);
        Ok(())
    }

    pub(super) fn quarantine(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return Ok(()) };
        if device.life == LifeCycle::Retired {
            return Err(format!("{} is retired; accept it first", device.id));
        }
        self.set_life(now, no, LifeCycle::Quarantined, step);
        Ok(())
    }

    pub(super) fn release(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return Ok(()) };
        if device.life != LifeCycle::Quarantined {
            return Err(format!("{} is {}, not quarantined; accept lets any device in", device.id, device.life));
        }
        self.set_life(now, no, LifeCycle::Managed, step);
        Ok(())
    }

    /// What was wanted of it and what it was trusted with ends; what is known of it stays for a while.
    pub(super) fn retire(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).filter(|entry| entry.device.life != LifeCycle::Retired) else {
            return Ok(());
        };
        let mut device = entry.device.as_ref().clone();
        forget_keys(&device, step);
        (device.keyed, device.blocked, device.maintenance) = (false, None, None);
        device.desired.clear();
        device.groups.clear();
        self.live_as(now, device, LifeCycle::Retired, step);
        self.timers.set(now.mono + self.settings.keep_retired, Timer::Retired(no));
        Ok(())
    }

    pub(super) fn set_life(&mut self, now: &Now, no: DeviceNo, life: LifeCycle, step: &mut Step) {
        if let Some(entry) = self.registry.get(no).filter(|entry| entry.device.life != life) {
            self.live_as(now, entry.device.as_ref().clone(), life, step);
            self.write_what_waited(now, no, step);
        }
    }

    fn live_as(&mut self, now: &Now, mut device: Device, life: LifeCycle, step: &mut Step) {
        self.fail_unwanted(now, device.no, life, step);
        device.life = life;
        if matches!(life, LifeCycle::Refused | LifeCycle::Retired) {
            self.start_anew(now, device.no);
        }
        device.retired = (life == LifeCycle::Retired).then_some(*now);
        step.changes.push(record(now, device.no, Record::DeviceLife { device: device.id.clone(), life }));
        self.change_device(now, device, step);
    }

    /// Set back to how it left its factory it joins anew: the rules for who comes decide again, what was switched off is
    /// on, what it showed says nothing, and what is desired of it is written once more. One that is kept off stays so.
    pub(super) fn joins_anew(&mut self, now: &Now, command: &Command, step: &mut Step) {
        let is_reset = command.operation.kind() == OperationKind::FactoryReset && command.state == CommandState::Done;
        let entry = command.device().filter(|_| is_reset).and_then(|no| self.registry.get(no)).cloned();
        let Some(entry) = entry else { return };
        let (no, life) = (entry.device.no, self.life_anew(&entry));
        let mut device = entry.device.as_ref().clone();
        device.inactive.clear();
        device.desired.iter_mut().for_each(|desired| desired.waits = true);
        if let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) {
            live.values.fill(None);
        }
        if life != device.life {
            self.live_as(now, device, life, step);
        } else if device != *entry.device {
            self.change_device(now, device, step);
        }
        self.write_what_waited(now, no, step);
    }

    /// What the settings name is let in by them.
    fn life_anew(&self, entry: &DeviceNow) -> LifeCycle {
        let device = &entry.device;
        let link = self.registry.link_of(device.no).filter(|_| device.settings_mark == 0);
        let Some(link) = link.filter(|_| device.life == LifeCycle::Managed) else { return device.life };
        match self.rule_for(&self.links[usize::from(link.0)].settings, entry) {
            Admission::Accept => LifeCycle::Managed,
            Admission::Hold => LifeCycle::Pending,
            Admission::Quarantine => LifeCycle::Quarantined,
            Admission::Refuse => LifeCycle::Refused,
        }
    }

    /// Ends what waits for a device and may not be asked of one that lives so.
    pub(super) fn fail_unwanted(&mut self, now: &Now, no: DeviceNo, life: LifeCycle, step: &mut Step) {
        let allowed = self.settings.quarantine;
        match life {
            LifeCycle::Pending | LifeCycle::Managed => {}
            LifeCycle::Refused => self.fail_queued(now, no, "the device was refused", |_| false, step),
            LifeCycle::Retired => self.fail_queued(now, no, "the device was retired", |_| false, step),
            LifeCycle::Quarantined => {
                self.fail_queued(now, no, "the device was put into quarantine", |kind| allowed.has(kind), step);
            }
        }
    }

    /// Ends what waits for the device, but for what it may still be asked.
    pub(super) fn fail_queued(
        &mut self,
        now: &Now,
        no: DeviceNo,
        why: &str,
        stays: impl Fn(OperationKind) -> bool,
        step: &mut Step,
    ) {
        for command in self.commands.queued_for(no) {
            if self.commands.get(command).is_some_and(|command| !stays(command.operation.kind())) {
                self.end(now, command, Outcome::NotSent(why.into()).bounded(), step);
            }
        }
    }

    /// After a start: those that are to be forgotten at their time.
    pub(super) fn watch_retired(&mut self, now: &Now) {
        let retired = |no: &DeviceNo| Some((*no, self.registry.get(*no)?.device.retired?));
        let retired: Vec<(DeviceNo, Now)> = self.registry.numbers().filter_map(|no| retired(&no)).collect();
        for (no, since) in retired {
            let left = self.left_to_keep(now, &since).min(LOOK_AGAIN);
            self.timers.set(now.mono + left, Timer::Retired(no));
        }
    }

    /// Not before both clocks say so, and not while the clock is a guess.
    pub(super) fn retirement_over(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.clone()) else { return };
        let Some(since) = device.retired else { return };
        let left = self.left_to_keep(now, &since);
        let needed = self.commands.is_flying(no) || self.registry.is_newest(no) || now.quality != ClockQuality::Set;
        if now.quality == ClockQuality::Set && since.quality == ClockQuality::Unset {
            // Nobody knows when that was: it counts from now.
            self.store_device(Device { retired: Some(*now), ..device.as_ref().clone() }, step);
            self.timers.set(now.mono + self.settings.keep_retired.max(SOONEST), Timer::Retired(no));
        } else if needed || !left.is_zero() {
            let again = if left.is_zero() { LOOK_AGAIN } else { left.min(LOOK_AGAIN).max(SOONEST) };
            self.timers.set(now.mono + again, Timer::Retired(no));
        } else {
            self.forget_device(now, no, step);
        }
    }

    fn left_to_keep(&self, now: &Now, since: &Now) -> Duration {
        let keep = self.settings.keep_retired;
        let by_wall = Duration::from_millis((since.wall + keep).0.saturating_sub(now.wall.0));
        let by_mono = if since.boot == now.boot { (since.mono + keep).since(now.mono) } else { Duration::ZERO };
        by_wall.max(by_mono)
    }

    fn forget_device(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        if let Some(entry) = self.registry.get(no) {
            forget_keys(&entry.device, step);
        }
        let kept_off = self.kept_off_at(now, no);
        self.claims.forget(no);
        let left = self.registry.remove(no);
        self.kinds.forget(no);
        self.touched.gone.push(no);
        step.changes.push(Change::ForgetDevice(no));
        step.changes.extend(left.into_iter().map(Change::ForgetShape));
        self.lift_refusals(now, kept_off, step);
    }
}

/// From now on nobody has to show a key to be this device.
pub fn forget_keys(device: &Device, step: &mut Step) {
    if device.keyed {
        let real = device.identities.iter().filter(|identity| identity.kind != IdentityKind::Place);
        step.changes.extend(real.map(|identity| Change::Key { identity: identity.clone(), key: None }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;
    use crate::model::event::Operate;

    const KEEP: Duration = Duration::from_secs(100);

    fn now(s: u64, wall_s: u64, quality: ClockQuality) -> Now {
        Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(wall_s * 1_000), quality }
    }

    /// Two devices, the first of which is retired.
    fn retired(at: &Now) -> Engine {
        let settings = Settings { keep_retired: KEEP, ..Settings::default() };
        let (mut engine, _) = Engine::load(settings, State::default(), at);
        let named = |n: u8| Registration {
            identities: vec![Identity::new(IdentityKind::Serial, &format!("acme:{n}"), Proof::Claimed).unwrap()],
            ..Registration::default()
        };
        let by = Principal::local_root();
        let devices = vec![named(1), named(2)];
        engine.handle(at, Event::Ask { to: 1, by: by.clone(), ask: Ask::Register { devices } });
        let first = engine.device(DeviceNo(0)).unwrap().device.id.clone();
        let ask = Ask::Operate(Operate::new(first, Operation::Retire));
        engine.handle(at, Event::Ask { to: 2, by, ask });
        engine
    }

    fn forgotten(engine: &mut Engine, now: &Now) -> bool {
        let step = engine.handle(now, Event::Wake);
        let forgets = step.changes.contains(&Change::ForgetDevice(DeviceNo(0)));
        assert_eq!(forgets, engine.touched().gone == [DeviceNo(0)]);
        assert_eq!(forgets, engine.device(DeviceNo(0)).is_none());
        forgets
    }

    #[test]
    fn both_clocks_must_have_passed() {
        use ClockQuality::Set;
        let mut engine = retired(&now(0, 1_000, Set));
        assert!(!forgotten(&mut engine, &now(99, 9_000, Set)), "the clock was stepped");
        assert!(!forgotten(&mut engine, &now(4_000, 1_099, Set)), "the clock was stepped back");
        assert!(forgotten(&mut engine, &now(4_001, 1_100, Set)));
    }

    #[test]
    fn while_the_clock_is_a_guess_nobody_is_forgotten() {
        let mut engine = retired(&now(0, 1_000, ClockQuality::Set));
        assert!(!forgotten(&mut engine, &now(200, 1_200, ClockQuality::Held)));
        assert!(!forgotten(&mut engine, &now(3_799, 4_799, ClockQuality::Set)), "not looked at yet");
        assert!(forgotten(&mut engine, &now(3_800, 4_800, ClockQuality::Set)));
    }

    #[test]
    fn who_was_retired_without_a_clock_is_kept_from_when_it_is_set() {
        let mut engine = retired(&now(0, 5, ClockQuality::Unset));
        let set = now(150, 900_000, ClockQuality::Set);
        assert!(!forgotten(&mut engine, &set));
        assert_eq!(engine.device(DeviceNo(0)).unwrap().device.retired, Some(set));
        assert!(!forgotten(&mut engine, &now(249, 900_099, ClockQuality::Set)));
        assert!(forgotten(&mut engine, &now(250, 900_100, ClockQuality::Set)));
    }

    #[test]
    fn after_a_reboot_the_wall_clock_decides() {
        let engine = retired(&now(500, 1_000, ClockQuality::Set));
        let later = |s, wall_s| Now { boot: Boot(2), ..now(s, wall_s, ClockQuality::Set) };
        let settings = Settings { keep_retired: KEEP, ..Settings::default() };
        let (mut engine, _) = Engine::load(settings, engine.state(), &later(1, 1_050));
        assert!(!forgotten(&mut engine, &later(50, 1_099)));
        assert!(forgotten(&mut engine, &later(51, 1_100)));
    }
}
