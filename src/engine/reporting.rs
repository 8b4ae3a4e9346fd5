//! Readings and connectivity: what is true of a device now.
//!
//! A reading is never a row: it goes to the journal's open block and into memory. Connectivity follows from what is
//! heard and from what is not; while a link is down, its devices' silence says nothing.

use std::time::Duration;

use crate::model::device::{Connectivity, LastValue, Live};
use crate::model::*;

use super::meaning::turn;
use super::reactions::Fact;
use super::step::Step;
use super::timers::Timer;
use super::waiting::is_asleep;
use super::{Engine, record};

/// Of the last eight answers so many missing: it does not answer each time. It does again when none of them is.
const DEGRADED: u32 = 3;

impl Engine {
    pub(super) fn heard(&mut self, now: &Now, link: LinkNo, mut heard: Heard, step: &mut Step) {
        let no = heard.device;
        let read = self.registry.get(no).is_some_and(|entry| self.is_read(&entry.device));
        if !read || self.registry.link_of(no) != Some(link) {
            self.links[usize::from(link.0)].rejected += heard.readings.len() as u64;
            return;
        }
        heard.at = heard.at.min(now.mono);
        self.links[usize::from(link.0)].rejected += self.mean(now, &mut heard, step) as u64;
        let before = heard.readings.len();
        if let Some((capabilities, live)) = self.registry.live(no, &mut self.touched.devices) {
            heard.readings.retain_mut(|reading| take(capabilities, live, heard.at, reading));
        }
        self.links[usize::from(link.0)].rejected += (before - heard.readings.len()) as u64;
        self.answered(now, no, step);
        self.compare_with_desired(now, no, &heard.readings, step);
        if !heard.readings.is_empty() {
            step.heard.push(heard);
        }
    }

    /// What a device answered to a command is as true as a reading. It stands in the result, not in the journal.
    pub(super) fn take_results(&mut self, now: &Now, no: DeviceNo, values: &[(PointPath, Value)], step: &mut Step) {
        let Some(entry) = self.registry.get(no) else { return };
        let reading = |(path, value): &(PointPath, Value)| {
            let point = entry.capabilities.point(path)?.no;
            Some(Reading { point, value: value.clone(), quality: Quality::Good, source: None })
        };
        let readings: Vec<Reading> = values.iter().filter_map(reading).collect();
        self.take_readings(now, no, readings, step);
    }

    pub(super) fn take_readings(&mut self, now: &Now, no: DeviceNo, mut readings: Vec<Reading>, step: &mut Step) {
        let Some((capabilities, live)) = self.registry.live(no, &mut self.touched.devices) else { return };
        readings.retain_mut(|reading| take(capabilities, live, now.mono, reading));
        self.compare_with_desired(now, no, &readings, step);
    }

    /// Readings of it are taken.
    pub(super) fn is_read(&self, device: &Device) -> bool {
        self.may_be_asked(device, OperationKind::Read) && device.blocked.is_none() && device.merged.is_none()
    }

    /// That it is not heard means something.
    fn is_expected(&self, device: &Device) -> bool {
        self.is_read(device) && !device.is_inactive() && device.is_at().is_some()
    }

    /// It was asked, and answered.
    pub(super) fn answered(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        self.registry.misses(no, |bits| bits << 1);
        self.alive(now, no, step);
    }

    /// It was asked, and did not answer. While its link is down, or it sleeps, that says nothing of the device.
    pub(super) fn missed(&mut self, now: &Now, link: LinkNo, no: DeviceNo, step: &mut Step) {
        let expected =
            self.registry.get(no).is_some_and(|entry| self.is_expected(&entry.device) && !is_asleep(now, entry));
        let up = self.links[usize::from(link.0)].up.is_some();
        if !expected || !up || self.registry.link_of(no) != Some(link) {
            return;
        }
        let misses = self.registry.misses(no, |bits| bits << 1 | 1);
        let was_up = self.registry.get(no).is_some_and(|entry| entry.live.connectivity == Connectivity::Up);
        if was_up && misses.count_ones() >= DEGRADED {
            self.connect(now, no, Connectivity::Degraded, step);
        }
    }

    /// A sign of life. How one that is kept off is nobody judges, and whoever answers for one that is displaced is
    /// another.
    pub(super) fn alive(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        if self.is_kept_off(no) || self.registry.get(no).is_some_and(|entry| entry.device.displaced) {
            return;
        }
        let unwell = self.kinds.unwell(no).is_some();
        let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) else { return };
        live.heard = Some(now.mono);
        let alive = match live.connectivity {
            // By its profile.
            _ if unwell => Connectivity::Degraded,
            Connectivity::Up => Connectivity::Up,
            Connectivity::Degraded if live.misses != 0 => Connectivity::Degraded,
            Connectivity::Degraded => Connectivity::Up,
            _ if live.misses.count_ones() >= DEGRADED => Connectivity::Degraded,
            Connectivity::Unknown | Connectivity::Silent | Connectivity::Gone => Connectivity::Up,
        };
        self.connect(now, no, alive, step);
        self.look_at_queue(no);
        self.watch_for_silence(now, no);
    }

    pub(super) fn gone(&mut self, now: &Now, link: LinkNo, no: DeviceNo, step: &mut Step) {
        if self.registry.link_of(no) == Some(link) && !self.is_kept_off(no) {
            self.connect(now, no, Connectivity::Gone, step);
        }
    }

    fn is_kept_off(&self, no: DeviceNo) -> bool {
        self.registry.get(no).is_none_or(|entry| {
            entry.device.blocked.is_some() || matches!(entry.device.life, LifeCycle::Refused | LifeCycle::Retired)
        })
    }

    pub(super) fn connect(&mut self, now: &Now, no: DeviceNo, connectivity: Connectivity, step: &mut Step) {
        if self.registry.get(no).is_none_or(|entry| entry.live.connectivity == connectivity) {
            return;
        }
        self.regroup.insert(no);
        let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) else { return };
        (live.connectivity, live.since) = (connectivity, *now);
        self.tell_connectivity(now, no, step);
    }

    /// Written where it is another than was written last, so a restart is no news of any device. While people work on a
    /// device only that it left is.
    pub(super) fn tell_connectivity(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(entry) = self.registry.get(no) else { return };
        let (device, connectivity) = (entry.device.id.clone(), entry.live.connectivity);
        let expected = entry.device.maintenance.is_some() && connectivity != Connectivity::Gone;
        if expected || connectivity == entry.device.was {
            return;
        }
        let what = match connectivity {
            Connectivity::Up => Record::DeviceUp { device },
            Connectivity::Degraded => Record::DeviceDegraded { device, why: self.kinds.unwell(no).map(str::to_owned) },
            Connectivity::Silent => Record::DeviceSilent { device },
            Connectivity::Gone => Record::DeviceGone { device },
            Connectivity::Unknown => return,
        };
        step.changes.push(record(now, no, what));
        step.changes.push(Change::Was { device: no, connectivity });
        self.registry.set_was(no, connectivity);
    }

    pub(super) fn watch_for_silence(&mut self, now: &Now, no: DeviceNo) {
        if self.registry.link_of(no).is_some()
            && self.registry.watch(no)
            && let Some(after) = self.silent_after(no)
        {
            self.timers.set(now.mono + after, Timer::Silence(no));
        }
    }

    /// The timer is not moved with each reading: when it fires, it looks how long ago the last sign of life was.
    pub(super) fn look_for_silence(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        self.registry.unwatch(no);
        let Some(after) = self.silent_after(no) else { return };
        let Some(entry) = self.registry.get(no) else { return };
        let up = self.registry.link_of(no).and_then(|link| self.links[usize::from(link.0)].up);
        let (expected, connectivity) = (self.is_expected(&entry.device), entry.live.connectivity);
        // A link that is down is looked at again when it is back.
        let counts = connectivity != Connectivity::Gone && (expected || is_there(connectivity));
        let (Some(up), true) = (up, counts) else { return };
        // A device that carries out a command is not read meanwhile: then its silence says nothing.
        let busy = self.commands.is_flying(no).then(|| now.mono + after);
        // From a block or the like it begins anew.
        let anew = if connectivity == Connectivity::Unknown { entry.live.since.mono } else { Mono(0) };
        let due = (entry.live.heard.unwrap_or_default().max(up).max(anew) + after).max(busy.unwrap_or_default());
        if due > now.mono {
            self.registry.watch(no);
            self.timers.set(due, Timer::Silence(no));
        } else if !expected {
            // Nobody asks it, so nobody knows.
            self.start_anew(now, no);
        } else if connectivity != Connectivity::Silent {
            self.connect(now, no, Connectivity::Silent, step);
            self.facts.push(Fact::DeviceSilent(no));
        }
    }

    /// One that sleeps may miss one of its times to wake, and any other one of its reads.
    fn silent_after(&mut self, no: DeviceNo) -> Option<Duration> {
        let link = self.registry.link_of(no)?;
        let entry = self.registry.get(no)?.clone();
        let of_link = self.links[usize::from(link.0)].settings.silent_after;
        let health = self.kinds.shaped(no).and_then(|shaped| shaped.profile.health.as_ref());
        let after = health.and_then(|health| health.silent_after).map_or(of_link, |after| after.0);
        // One that is asked seldom is heard seldom.
        let every = self.plan(&entry).iter().filter_map(|point| point.every).min();
        let asked = every.map_or(Duration::ZERO, |every| every.saturating_mul(2));
        let asleep = entry.capabilities.sleeps.map(|sleep| sleep.every.saturating_mul(2).saturating_add(sleep.awake));
        Some(after.max(asked).saturating_add(asleep.unwrap_or_default()))
    }
}

pub fn is_there(connectivity: Connectivity) -> bool {
    matches!(connectivity, Connectivity::Up | Connectivity::Degraded)
}

/// False where the reading cannot be of this device.
fn take(capabilities: &Capabilities, live: &mut Live, at: Mono, reading: &mut Reading) -> bool {
    let Some(place) = capabilities.place(reading.point) else { return false };
    if reading.value.check().is_err() {
        return false;
    }
    turn(&mut reading.value, &mut reading.quality, capabilities.points[place].kind);
    if live.values.is_empty() {
        live.values = vec![None; capabilities.points.len()];
    }
    if let Some(last) = live.values.get_mut(place) {
        let source = reading.source.unwrap_or_default();
        *last = Some(LastValue { value: reading.value.clone(), quality: reading.quality, at, source });
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{LinkSettings, Settings};

    const NO: DeviceNo = DeviceNo(0);

    fn at(s: u64) -> Now {
        Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(s * 1_000), quality: ClockQuality::Set }
    }

    /// One device on a link that is up.
    fn engine(device: Device) -> Engine {
        let name = Name::new("plant").unwrap();
        let seconds = Duration::from_secs;
        let link = LinkSettings {
            name,
            driver: None,
            admission: Default::default(),
            every: seconds(1),
            silent_after: seconds(10),
        };
        let settings = Settings { links: vec![link], ..Settings::default() };
        let (mut engine, _) =
            Engine::load(settings, State { devices: vec![device.into()], ..State::default() }, &at(0));
        engine.handle(&at(0), Event::Link { link: LinkNo(0), event: LinkEvent::Up { credits: 8 } });
        engine
    }

    fn device() -> Device {
        let place = Place { link: Name::new("plant").unwrap(), address: Address::new("1").unwrap() };
        Device { place: Some(place), ..Device::new(NO, DeviceId::new("urn:x").unwrap(), LifeCycle::Managed, &at(0)) }
    }

    fn connectivity(engine: &Engine) -> Connectivity {
        engine.device(NO).unwrap().live.connectivity
    }

    fn miss(engine: &mut Engine, times: usize) -> usize {
        let event = Event::Link { link: LinkNo(0), event: LinkEvent::Missed { device: NO } };
        (0..times).map(|_| engine.handle(&at(2), event.clone()).changes.len()).sum()
    }

    #[test]
    fn how_a_blocked_device_is_nobody_judges() {
        let blocked = Some(Until::after(&at(0), Duration::from_secs(60)));
        let mut engine = engine(Device { blocked, ..device() });
        engine.answered(&at(1), NO, &mut Step::default());
        engine.gone(&at(1), LinkNo(0), NO, &mut Step::default());
        assert_eq!((connectivity(&engine), miss(&mut engine, 8)), (Connectivity::Unknown, 0));
    }

    #[test]
    fn who_is_switched_off_is_not_missed() {
        let mut engine = engine(Device { inactive: vec![Part::Device], ..device() });
        engine.answered(&at(1), NO, &mut Step::default());
        assert_eq!((miss(&mut engine, 8), connectivity(&engine)), (0, Connectivity::Up));
    }

    #[test]
    fn a_link_that_is_down_explains_what_is_missed() {
        let mut engine = engine(device());
        engine.answered(&at(1), NO, &mut Step::default());
        engine.handle(&at(1), Event::Link { link: LinkNo(0), event: LinkEvent::Down { why: "cable".into() } });
        assert_eq!((miss(&mut engine, 8), connectivity(&engine)), (0, Connectivity::Up));
    }

    #[test]
    fn what_is_missed_again_is_not_shown_again() {
        let mut engine = engine(device());
        engine.answered(&at(1), NO, &mut Step::default());
        miss(&mut engine, 3);
        assert_eq!(connectivity(&engine), Connectivity::Degraded);
        engine.touched();
        miss(&mut engine, 5);
        assert!(engine.touched().devices.is_empty());
        engine.answered(&at(3), NO, &mut Step::default());
        assert_eq!((engine.touched().devices, engine.device(NO).unwrap().live.misses), (vec![NO], 0xfe));
    }

    #[test]
    fn a_device_that_is_nowhere_is_not_called_silent() {
        let mut engine = engine(Device { displaced: true, ..device() });
        engine.watch_for_silence(&at(1), NO);
        assert_eq!(engine.handle(&at(60), Event::Wake), Step::default());
    }

    #[test]
    fn nobody_sleeps_for_so_long_that_time_runs_over() {
        let sleeps = Some(device::Sleep { every: Duration::MAX, awake: Duration::MAX });
        let mut engine = engine(device());
        let sighting = Sighting {
            capabilities: Some(Capabilities { sleeps, ..Capabilities::default() }.into()),
            ..Sighting::new(Address::new("1").unwrap(), Vec::new(), None)
        };
        engine.handle(&at(1), Event::Link { link: LinkNo(0), event: LinkEvent::Sighted(sighting) });
        assert_eq!(engine.silent_after(NO), Some(Duration::MAX));
    }
}
