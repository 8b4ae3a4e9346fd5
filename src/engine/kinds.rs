//! Kinds of devices: which profile each has, what it gives by itself and what everybody sees of it.
//!
//! **Invariant: what a device gives and what is seen of it take their numbers from one row.** A path that both have has
//! one number, and no number is given to another path. So a reading that is under way while a profile comes or goes is
//! never taken for that of another point.
//!
//! A device that is recognised anew has nothing to do with its row unless it comes to something else: the same facts
//! and profiles give the same shapes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::device::{DeviceNow, Profiled};
use crate::model::point::MOST_POINTS;
use crate::model::*;
use crate::nearest::nearest;
use crate::profile::{Converter, Facts, Shaped, fittest};

use super::proving::Check;
use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

/// What was added to totals is written so often, device by device.
const TOTALS: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Kinds {
    /// Of devices with a profile at work, and only those.
    pub(super) working: BTreeMap<DeviceNo, Converter>,
    /// What is counted, as it was written last; also where the profile is not there just now.
    totals: BTreeMap<DeviceNo, Arc<Totals>>,
    /// Commands that the device says are done, and nobody has seen it yet.
    pub(super) checks: BTreeMap<CommandNo, Check>,
    /// Devices of which something is another by which they are recognised.
    pub(super) anew: BTreeSet<DeviceNo>,
}

/// What is seen of a device, and what it gives by itself where a profile is at work.
type Shapes = (ShapeNo, Option<ShapeNo>);

/// What many devices of a kind come to is looked at once: from these shapes, with this profile, to those.
type Memo = BTreeMap<(ShapeNo, Option<ShapeNo>, Option<Name>), Shapes>;

impl Kinds {
    pub fn load(totals: Vec<(DeviceNo, Arc<Totals>)>) -> Kinds {
        Kinds { totals: totals.into_iter().collect(), ..Kinds::default() }
    }

    /// As they stand on disk.
    pub fn stored(&self) -> Vec<(DeviceNo, Arc<Totals>)> {
        self.totals.iter().map(|(no, totals)| (*no, totals.clone())).collect()
    }

    pub fn shaped(&self, no: DeviceNo) -> Option<&Arc<Shaped>> {
        self.working.get(&no).map(Converter::shaped)
    }

    /// What its profile finds wrong with it.
    pub fn unwell(&self, no: DeviceNo) -> Option<&str> {
        self.working.get(&no)?.unwell()
    }

    pub fn forget(&mut self, no: DeviceNo) {
        self.working.remove(&no);
        self.totals.remove(&no);
    }
}

impl Engine {
    pub fn profiles(&self) -> &BTreeMap<Name, Arc<Shaped>> {
        &self.settings.profiles
    }

    /// The profile that fits a device with these capabilities best.
    pub(super) fn found(&self, device: &Device, about: Option<&About>, given: &Capabilities) -> Option<Name> {
        let link = device.place.as_ref().map(|place| self.registry.link(&place.link));
        let Some(link) = link.unwrap_or_default() else {
            // By what its link said of it.
            return device
                .profile_name()
                .filter(|_| link.is_some())
                .cloned()
                .or_else(|| self.found_by(&Facts::new(None, &device.identities, about, Some(given))));
        };
        let driver = self.links[usize::from(link.0)].settings.driver.as_ref().map(Name::as_str);
        self.found_by(&Facts::new(driver, &device.identities, about, Some(given)))
    }

    fn found_by(&self, facts: &Facts<'_>) -> Option<Name> {
        let profiles = self.settings.profiles.iter().map(|(name, shaped)| (name, shaped.profile.as_ref()));
        fittest(profiles, facts).cloned()
    }

    /// Which profile it should have: the one that was assigned, else the one that fits.
    pub(super) fn kind_of(&self, device: &Device, about: Option<&About>, given: &Capabilities) -> Option<Profiled> {
        let (name, assigned) = match &device.profile {
            Some(profile) if profile.assigned => (Some(profile.name.clone()), true),
            _ => (self.found(device, about, given), false),
        };
        name.map(|name| Profiled { name, assigned, raw: None })
    }

    /// Makes the device what it is by these capabilities: its profile and its shapes.
    pub(super) fn take_kind(
        &mut self,
        device: &mut Device,
        about: Option<&About>,
        given: &Capabilities,
        before: &Capabilities,
        step: &mut Step,
    ) -> Result<(), Denial> {
        let profile = self.kind_of(device, about, given);
        self.become_kind(device, profile, given, before, step)
    }

    /// Where there is no room for the points that its profile makes of it, it is seen as it gives itself; where there is
    /// none for these either, it stays as it was.
    pub(super) fn become_kind(
        &mut self,
        device: &mut Device,
        profile: Option<Profiled>,
        given: &Capabilities,
        before: &Capabilities,
        step: &mut Step,
    ) -> Result<(), Denial> {
        let shapes = match self.shapes_by(profile.as_ref(), given, before, step) {
            Err(_) if profile.is_some() => self.shapes_after(before, given, None, step),
            shapes => shapes,
        };
        is_of_kind(device, profile, shapes?);
        Ok(())
    }

    /// With all that the profile makes of it, or not at all.
    fn shapes_by(
        &mut self,
        profile: Option<&Profiled>,
        given: &Capabilities,
        before: &Capabilities,
        step: &mut Step,
    ) -> Result<Shapes, Denial> {
        let shaped = profile.and_then(|profile| self.settings.profiles.get(&profile.name)).cloned();
        self.shapes_after(before, given, shaped.as_deref(), step)
    }

    /// What is seen of it, and what it gives by itself where that is another.
    fn shapes_after(
        &mut self,
        before: &Capabilities,
        given: &Capabilities,
        shaped: Option<&Shaped>,
        step: &mut Step,
    ) -> Result<Shapes, Denial> {
        let raw = given.clone().numbered_after(before).ok_or(Denial::NoRoom)?;
        let Some(shaped) = shaped else { return Ok((self.known_shape(raw, step)?, None)) };
        let all = together(before, &raw);
        let seen = shaped.capabilities(given).numbered_after(&all).ok_or(Denial::NoRoom)?;
        let raw = Capabilities { next: seen.next, ..raw };
        if seen.check().is_err() || !self.registry.has_room_for(&[&raw, &seen]) {
            return Err(Denial::NoRoom);
        }
        let raw = self.known_shape(raw, step)?;
        Ok((self.known_shape(seen, step)?, Some(raw)))
    }

    fn known_shape(&mut self, capabilities: Capabilities, step: &mut Step) -> Result<ShapeNo, Denial> {
        let capabilities = Arc::new(capabilities);
        let (no, new) = self.registry.shape(capabilities.clone()).ok_or(Denial::NoRoom)?;
        if new {
            step.changes.push(Change::Shape { no, capabilities });
        }
        Ok(no)
    }

    /// The profiles are others, or the start knows none yet.
    pub(super) fn match_all(&mut self, now: &Now, step: &mut Step) {
        let mut memo = Memo::new();
        for no in self.registry.numbers().collect::<Vec<_>>() {
            self.match_one(now, no, &mut memo, step);
        }
    }

    /// Something is another by which they are recognised.
    pub(super) fn match_anew(&mut self, now: &Now, step: &mut Step) {
        let mut memo = Memo::new();
        for no in std::mem::take(&mut self.kinds.anew) {
            self.match_one(now, no, &mut memo, step);
        }
    }

    fn match_one(&mut self, now: &Now, no: DeviceNo, memo: &mut Memo, step: &mut Step) {
        let Some(entry) = self.registry.get(no).filter(|entry| entry.device.merged.is_none()).cloned() else { return };
        if entry.device.profile.is_none() && self.settings.profiles.is_empty() {
            return;
        }
        let mut device = entry.device.as_ref().clone();
        let profile = self.kind_of(&device, entry.about.as_deref(), entry.wire());
        if profile.is_some() || device.profile.is_some() {
            let numbers = numbers_of(&entry);
            let shapes = self.shapes_by_memo(&entry, profile.as_ref(), &numbers, memo, step);
            // As it gives it: that it has already, so there is room.
            let shapes = shapes.or_else(|_| self.shapes_after(&numbers, entry.wire(), None, step));
            let as_before = (device.shape, None);
            is_of_kind(&mut device, profile, shapes.unwrap_or(as_before));
        }
        if device != *entry.device {
            self.tell_kind(now, &entry.device, &device, step);
            self.change_device(now, device, step);
            self.refit(now, no, step);
        } else if self.keep_converter(&device, step) {
            self.works_otherwise(now, no, step);
        }
    }

    fn shapes_by_memo(
        &mut self,
        entry: &DeviceNow,
        profile: Option<&Profiled>,
        numbers: &Capabilities,
        memo: &mut Memo,
        step: &mut Step,
    ) -> Result<Shapes, Denial> {
        let key = (entry.device.shape, entry.device.raw(), profile.map(|profile| profile.name.clone()));
        if let Some(known) = memo.get(&key) {
            return Ok(*known);
        }
        let shapes = self.shapes_by(profile, entry.wire(), numbers, step)?;
        Ok(*memo.entry(key).or_insert(shapes))
    }

    /// The row is as it was, and the profile says something else.
    fn works_otherwise(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        self.registry.unwatch(no);
        self.watch_for_silence(now, no);
        self.refit(now, no, step);
        if let Some(link) = self.registry.link_of(no) {
            self.tell(link, no);
            self.pump(now, link, step);
        }
    }

    /// That it has another profile now is an event; so is that there is no room for what that makes of it.
    pub(super) fn tell_kind(&mut self, now: &Now, before: &Device, device: &Device, step: &mut Step) {
        if before.profile_name() != device.profile_name() {
            let what = Record::DeviceProfile { device: device.id.clone(), profile: device.profile_name().cloned() };
            step.changes.push(record(now, device.no, what));
        }
        let (was, is) = (&before.profile, device.profile.as_ref().filter(|profile| profile.raw.is_none()));
        if let Some(Profiled { name, .. }) = is.filter(|_| *was != device.profile).map(Box::as_ref)
            && self.settings.profiles.contains_key(name)
        {
            let what = Record::ProfileNoRoom { device: device.id.clone(), profile: name.clone() };
            step.changes.push(record(now, device.no, what));
        }
    }

    /// Where a profile is at work there is a converter, and nowhere else. True where it is another than before.
    pub(super) fn keep_converter(&mut self, device: &Device, step: &mut Step) -> bool {
        let no = device.no;
        let working = device.profile.as_ref().filter(|profile| profile.raw.is_some());
        let wanted = working.and_then(|profile| self.settings.profiles.get(&profile.name));
        match (self.kinds.shaped(no), wanted) {
            (None, None) => return false,
            (Some(there), Some(wanted)) if Arc::ptr_eq(there, wanted) => return false,
            _ => {}
        }
        let wanted = wanted.cloned();
        self.keep_totals(no, false, step);
        let before = self.kinds.working.remove(&no);
        let Some(shaped) = wanted else {
            self.forget_values(no, |_| false);
            return true;
        };
        let kept = self.kinds.totals.get(&no).cloned().unwrap_or_default();
        let alike = before.as_ref().map(|before| shaped.alike(before.shaped())).unwrap_or_default();
        let converter = Converter::new(shaped.clone(), &kept);
        let converter = match &before {
            Some(before) => converter.after(before, &alike),
            None => converter,
        };
        self.forget_values(no, |path| {
            let passes = |before: &Converter| before.shaped().passes(path) && shaped.passes(path);
            alike.contains(path) || before.as_ref().is_some_and(passes)
        });
        self.kinds.working.insert(no, converter);
        true
    }

    /// What is meant otherwise now.
    fn forget_values(&mut self, no: DeviceNo, still: impl Fn(&PointPath) -> bool) {
        self.registry.keep_values(no, still);
        self.registry.touch(no, &mut self.touched.devices);
    }

    /// Something was counted: it is written within a while, and at once where it cannot be counted again.
    pub(super) fn counts(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(converter) = self.kinds.working.get(&no) else { return };
        if converter.has_begun() {
            self.keep_totals(no, true, step);
        } else if converter.shaped().has_totals() {
            self.timers.set(now.mono + TOTALS, Timer::Totals(no));
        }
    }

    /// Where something was added to what was written last. What another profile counted is kept as long as there is room.
    pub(super) fn keep_totals(&mut self, no: DeviceNo, at_once: bool, step: &mut Step) {
        let Some(converter) = self.kinds.working.get(&no).filter(|of| of.shaped().has_totals()) else { return };
        let mut totals = converter.kept();
        let before = self.kinds.totals.get(&no).cloned().unwrap_or_default();
        if totals.counts.len() + totals.energies.len() + before.counts.len() + before.energies.len() <= MOST_POINTS {
            let Totals { counts, energies, rests } = before.as_ref().clone();
            totals.counts = counts.into_iter().chain(std::mem::take(&mut totals.counts)).collect();
            totals.energies = energies.into_iter().chain(std::mem::take(&mut totals.energies)).collect();
            totals.rests = rests.into_iter().chain(std::mem::take(&mut totals.rests)).collect();
        }
        if totals != *before && (at_once || !totals.come_to_the_same(&before)) {
            let totals = Arc::new(totals);
            self.kinds.totals.insert(no, totals.clone());
            step.changes.push(Change::Totals { device: no, totals, at_once });
        }
    }

    /// At a clean stop.
    pub(super) fn last_totals(&mut self) -> Vec<Change> {
        let mut step = Step::default();
        for no in self.kinds.working.keys().copied().collect::<Vec<_>>() {
            self.keep_totals(no, true, &mut step);
        }
        step.changes
    }

    /// Somebody says of which kind it is, or that it is to be found again.
    pub(super) fn assign(
        &mut self,
        now: &Now,
        no: DeviceNo,
        name: Option<&Name>,
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        name.map_or(Ok(()), |name| self.is_profile(name))?;
        let mut device = entry.device.as_ref().clone();
        device.profile = name.map(|name| Box::new(Profiled { name: name.clone(), assigned: true, raw: None }));
        let profile = self.kind_of(&device, entry.about.as_deref(), entry.wire());
        let shapes = self.shapes_by(profile.as_ref(), entry.wire(), &numbers_of(&entry), step);
        let no_room = |_| "there is no room for the points that this profile makes of it; see limits.points".to_owned();
        is_of_kind(&mut device, profile, shapes.map_err(no_room)?);
        if device != *entry.device {
            self.tell_kind(now, &entry.device, &device, step);
            self.change_device(now, device, step);
            self.refit(now, no, step);
        }
        Ok(())
    }

    /// There is such a profile, or which one was meant.
    pub(super) fn is_profile(&self, name: &Name) -> Result<(), String> {
        if self.settings.profiles.contains_key(name) {
            return Ok(());
        }
        let meant = nearest(name.as_str(), self.settings.profiles.keys().map(Name::as_str));
        let meant = meant.map_or_else(String::new, |near| format!("; {near} was meant?"));
        Err(format!("there is no profile {name}{meant}"))
    }

    /// How long the operation may take, as the profile says.
    pub(super) fn usual_timeout(&self, no: DeviceNo, kind: OperationKind) -> Option<Duration> {
        self.kinds.shaped(no)?.profile.operation.get(&kind)?.timeout.map(|timeout| timeout.0)
    }
}

fn is_of_kind(device: &mut Device, profile: Option<Profiled>, (shape, raw): Shapes) {
    device.shape = shape;
    device.profile = profile.map(|profile| Box::new(Profiled { raw, ..profile }));
}

/// All numbers that are given to points of the device.
pub fn numbers_of(entry: &DeviceNow) -> Cow<'_, Capabilities> {
    match &entry.given {
        Some(given) => Cow::Owned(together(&entry.capabilities, given)),
        None => Cow::Borrowed(&entry.capabilities),
    }
}

fn together(one: &Capabilities, other: &Capabilities) -> Capabilities {
    let known: BTreeSet<&PointPath> = one.points.iter().map(|point| &point.path).collect();
    let more = other.points.iter().filter(|point| !known.contains(&point.path));
    let points = one.points.iter().chain(more).cloned().collect();
    Capabilities { points, next: one.next.max(other.next), ..Capabilities::default() }
}

/// What to read of a device, so that what is seen of it has values.
pub fn plan_of(
    shaped: &Shaped,
    entry: &DeviceNow,
    every: Option<Duration>,
    is_on: impl Fn(&PointPath) -> bool,
) -> Arc<[PlanPoint]> {
    let read = entry.capabilities.points.iter().filter(|point| point.access.reads() && is_on(&point.path));
    let wanted = shaped.wanted(read.map(|point| &point.path), every);
    let planned = |point: &Point| {
        let every = *wanted.get(&point.path).filter(|_| point.access.reads())?;
        Some(PlanPoint { no: point.no, path: point.path.clone(), every })
    };
    entry.wire().points.iter().filter_map(planned).collect()
}
