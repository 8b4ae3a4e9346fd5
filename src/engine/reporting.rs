//! Readings and connectivity: what is true of a device now.
//!
//! A reading is never a row: it goes to the journal's open block and into memory. Connectivity follows from what is
//! heard and from what is not; while a link is down, its devices' silence says nothing.

use crate::model::device::{Connectivity, LastValue, Live};
use crate::model::*;

use super::reactions::Fact;
use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

impl Engine {
    pub(super) fn heard(&mut self, now: &Now, link: LinkNo, mut heard: Heard, step: &mut Step) {
        let no = heard.device;
        let managed = self.registry.get(no).is_some_and(|entry| entry.device.life == LifeCycle::Managed);
        if !managed || self.registry.link_of(no) != Some(link) {
            self.links[usize::from(link.0)].rejected += heard.readings.len() as u64;
            return;
        }
        heard.at = heard.at.min(now.mono);
        let before = heard.readings.len();
        if let Some((capabilities, live)) = self.registry.live(no, &mut self.touched.devices) {
            heard.readings.retain_mut(|reading| take(capabilities, live, heard.at, reading));
        }
        self.links[usize::from(link.0)].rejected += (before - heard.readings.len()) as u64;
        self.alive(now, no, step);
        if !heard.readings.is_empty() {
            step.heard.push(heard);
        }
    }

    /// A sign of life.
    pub(super) fn alive(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let was = self.registry.get(no).map(|entry| entry.live.connectivity);
        if let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) {
            live.heard = Some(now.mono);
        }
        self.look_at_queue(no);
        if was.is_some_and(|was| was != Connectivity::Up) {
            self.connect(now, no, Connectivity::Up, step);
        }
        self.watch_for_silence(now, no);
    }

    pub(super) fn gone(&mut self, now: &Now, link: LinkNo, no: DeviceNo, step: &mut Step) {
        if self.registry.link_of(no) == Some(link) {
            self.connect(now, no, Connectivity::Gone, step);
        }
    }

    pub(super) fn connect(&mut self, now: &Now, no: DeviceNo, connectivity: Connectivity, step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.id.clone()) else { return };
        let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) else { return };
        if live.connectivity == connectivity {
            return;
        }
        (live.connectivity, live.since) = (connectivity, *now);
        let what = match connectivity {
            Connectivity::Up => Record::DeviceUp { device },
            Connectivity::Degraded => Record::DeviceDegraded { device },
            Connectivity::Silent => Record::DeviceSilent { device },
            Connectivity::Gone => Record::DeviceGone { device },
            Connectivity::Unknown => return,
        };
        step.changes.push(record(now, no, what));
    }

    pub(super) fn watch_for_silence(&mut self, now: &Now, no: DeviceNo) {
        let Some(after) = self.silent_after(no) else { return };
        if self.registry.watch(no) {
            self.timers.set(now.mono + after, Timer::Silence(no));
        }
    }

    /// The timer is not moved with each reading: when it fires, it looks how long ago the last sign of life was.
    pub(super) fn look_for_silence(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        self.registry.unwatch(no);
        let Some(after) = self.silent_after(no) else { return };
        let Some(entry) = self.registry.get(no) else { return };
        let up = self.registry.link_of(no).and_then(|link| self.links[usize::from(link.0)].up);
        let (managed, connectivity) = (entry.device.life == LifeCycle::Managed, entry.live.connectivity);
        // A link that is down is looked at again when it is back.
        let (Some(up), true) = (up, managed && connectivity != Connectivity::Gone) else { return };
        // A device that carries out a command is not read meanwhile: then its silence says nothing.
        let busy = self.commands.is_flying(no).then(|| now.mono + after);
        let due = (entry.live.heard.unwrap_or_default().max(up) + after).max(busy.unwrap_or_default());
        if due > now.mono {
            self.registry.watch(no);
            self.timers.set(due, Timer::Silence(no));
        } else if connectivity != Connectivity::Silent {
            self.connect(now, no, Connectivity::Silent, step);
            self.facts.push(Fact::DeviceSilent(no));
        }
    }

    fn silent_after(&self, no: DeviceNo) -> Option<std::time::Duration> {
        let link = self.registry.link_of(no)?;
        Some(self.links[usize::from(link.0)].settings.silent_after)
    }
}

/// False where the reading cannot be of this device.
fn take(capabilities: &Capabilities, live: &mut Live, at: Mono, reading: &mut Reading) -> bool {
    let Some(place) = capabilities.place(reading.point) else { return false };
    if reading.value.check().is_err() {
        return false;
    }
    let wanted = capabilities.points[place].kind;
    if reading.value.kind() != wanted {
        // Many protocols know one kind of number only.
        match reading.value.clone().into_kind(wanted) {
            Ok(value) => reading.value = value,
            Err(_) => reading.quality = Quality::Bad(BadReason::WrongType),
        }
    }
    if let Some(last) = live.values.get_mut(place) {
        *last = Some(LastValue { value: reading.value.clone(), quality: reading.quality, at, source: reading.source });
    }
    true
}
