//! What a device gives and is told, turned by its profile: readings and results into what they mean, operations into what
//! its link knows. Where no profile is at work, everything stays as it is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::device::DeviceNow;
use crate::model::operation::MOST_NAMED;
use crate::model::*;
use crate::profile::{Given, Raw, Shaped};

use super::Engine;
use super::step::Step;

impl Engine {
    /// What was heard of a device becomes what it means. Gives back how much of it was of no point of the device.
    pub(super) fn mean(&mut self, now: &Now, heard: &mut Heard, step: &mut Step) -> usize {
        let Some(entry) = self.registry.get(heard.device).filter(|entry| entry.given.is_some()).cloned() else {
            return 0;
        };
        let before = heard.readings.len();
        let of = |mut reading: Reading| {
            let point = entry.wire().place(reading.point).map(|place| &entry.wire().points[place])?;
            reading.value.check().ok()?;
            turn(&mut reading.value, &mut reading.quality, point.kind);
            Some((&point.path, reading))
        };
        let arrived: Vec<(&PointPath, Reading)> =
            std::mem::take(&mut heard.readings).into_iter().filter_map(of).collect();
        let mut raw: Vec<Raw<'_>> = Vec::with_capacity(arrived.len());
        raw.extend(arrived.iter().map(|(path, reading)| {
            let Reading { value, quality, source, .. } = reading;
            Raw { path, value, quality: *quality, source: *source }
        }));
        let rejected = before - raw.len();
        let at = Now { mono: heard.at, ..*now };
        heard.readings = readings(&entry, self.convert(&at, heard.device, &raw, false, step));
        rejected
    }

    /// All that came at once. `all`: somebody has asked for it, so what is not new is told too.
    fn convert(&mut self, now: &Now, no: DeviceNo, raw: &[Raw<'_>], all: bool, step: &mut Step) -> Vec<Given> {
        let Some(converter) = self.kinds.working.get_mut(&no) else { return Vec::new() };
        let mut given = Vec::new();
        match all {
            true => converter.take_all(now, raw, &mut given),
            false => converter.take(now, raw, &mut given),
        }
        self.counts(now, no, step);
        given
    }

    /// What came of a command is as true as a reading, and is told as it is meant.
    pub(super) fn take_done(
        &mut self,
        now: &Now,
        no: DeviceNo,
        operation: &Operation,
        values: Vec<(PointPath, Value)>,
        step: &mut Step,
    ) -> Outcome {
        let Some(entry) = self.registry.get(no).filter(|entry| entry.given.is_some()).cloned() else {
            self.take_results(now, no, &values, step);
            return Outcome::Done(values);
        };
        if let (Operation::ReportPolicyGet { points }, Some(shaped)) = (operation, self.kinds.shaped(no)) {
            return Outcome::Done(renamed(shaped, points, &values));
        }
        let (of_points, mut told): (Vec<_>, Vec<_>) =
            values.into_iter().partition(|(path, _)| entry.wire().point(path).is_some());
        let given = self.take_meant(now, &entry, of_points, step);
        let good = given.into_iter().filter(|given| !matches!(given.quality, Quality::Bad(_)));
        told.extend(good.map(|given| (given.path, given.value)));
        match operation {
            Operation::Read { points } => asked_for(points, &told),
            Operation::Write { point, value } => {
                // What else rests on that point of the device is a reading, and no part of the answer.
                told.retain(|(path, _)| path == point);
                let written = self.as_written(&entry, point, value);
                if told.is_empty() && !written.is_like(value) {
                    told.push((point.clone(), written.into_owned()));
                }
                Outcome::Done(told)
            }
            _ => Outcome::Done(told),
        }
    }

    /// Takes values of the link in, and gives back what they mean.
    pub(super) fn take_meant(
        &mut self,
        now: &Now,
        entry: &DeviceNow,
        mut values: Vec<(PointPath, Value)>,
        step: &mut Step,
    ) -> Vec<Given> {
        let no = entry.device.no;
        values.retain(|(_, value)| value.check().is_ok());
        let quality = |(path, value): &mut (PointPath, Value)| {
            let mut quality = Quality::Good;
            turn(value, &mut quality, entry.wire().point(path).map_or(value.kind(), |point| point.kind));
            quality
        };
        let qualities: Vec<Quality> = values.iter_mut().map(quality).collect();
        let raw: Vec<Raw<'_>> = values
            .iter()
            .zip(qualities)
            .map(|((path, value), quality)| Raw { path, value, quality, source: None })
            .collect();
        let given = self.convert(now, no, &raw, true, step);
        self.take_readings(now, no, readings(entry, given.clone()), step);
        given
    }

    /// What the point shows once this was written to it.
    pub(super) fn as_written<'a>(&self, entry: &DeviceNow, point: &PointPath, value: &'a Value) -> Cow<'a, Value> {
        let shaped = self.kinds.shaped(entry.device.no);
        let shown = shaped.and_then(|shaped| shaped.as_written(entry.wire(), point, value));
        shown.map_or(Cow::Borrowed(value), Cow::Owned)
    }

    /// The operation as the link of the device knows it; or why it cannot be.
    pub(super) fn for_the_link(&self, entry: &DeviceNow, operation: &Operation) -> Result<Operation, String> {
        let Some(shaped) = self.kinds.shaped(entry.device.no) else {
            return self.without_its_profile(entry, operation);
        };
        Ok(match operation {
            Operation::Read { points } => Operation::Read { points: raw_points(shaped, points)? },
            Operation::Observe { points, on } => Operation::Observe { points: raw_points(shaped, points)?, on: *on },
            Operation::ReportPolicyGet { points } => Operation::ReportPolicyGet { points: raw_points(shaped, points)? },
            Operation::ReportPolicySet { point, every } => {
                match raw_points(shaped, std::slice::from_ref(point))?.as_slice() {
                    [raw] => Operation::ReportPolicySet { point: raw.clone(), every: *every },
                    _ => return Err(format!("{point} is computed from several points; say it for each of those")),
                }
            }
            Operation::Write { point, value } => {
                let (point, value) = shaped.raw_for(entry.wire(), point, value)?;
                Operation::Write { point, value }
            }
            Operation::Desire { point, value: Some(value), .. } => {
                shaped.raw_for(entry.wire(), point, value)?;
                operation.clone()
            }
            Operation::Restart { part } => Operation::Restart { part: raw_part(shaped, entry, part)? },
            Operation::Activate { part } => Operation::Activate { part: raw_part(shaped, entry, part)? },
            Operation::Deactivate { part } => Operation::Deactivate { part: raw_part(shaped, entry, part)? },
            other => other.clone(),
        })
    }

    /// One for whose profile there is no room is seen as it gives itself; but what the profile bounds or forbids nobody
    /// could judge, so it is only read.
    fn without_its_profile(&self, entry: &DeviceNow, operation: &Operation) -> Result<Operation, String> {
        let profile = entry.device.profile_name().filter(|name| self.settings.profiles.contains_key(*name));
        let kind = operation.kind();
        match profile.filter(|_| !kind.only_reads() && !kind.by_gateway()) {
            Some(name) => Err(format!(
                "there is no room for the points that profile {name} gives it, so nothing that changes it is let through; \
                 raise limits.points or shorten the profile"
            )),
            None => Ok(operation.clone()),
        }
    }
}

/// The part of the device that its points of this name are made of. One that has no points has no other name.
fn raw_part(shaped: &Shaped, entry: &DeviceNow, part: &Part) -> Result<Part, String> {
    let of = |path: &PointPath| match part {
        Part::Device => Part::Device,
        Part::Component(_) => Part::Component(path.component.clone()),
        Part::Instance(_) => Part::Instance(Component { name: path.component.clone(), instance: path.instance }),
    };
    let inside = entry.capabilities.points.iter().map(|point| &point.path).filter(|path| of(path) == *part);
    let own = |path| shaped.known(path).is_none_or(|known| !known.is_computed());
    let raw = |path| if shaped.known(path).is_some() { shaped.raw_of(path) } else { vec![path] };
    let made_of: BTreeSet<Part> = inside.filter(|path| own(path)).flat_map(raw).map(of).collect();
    let mut made_of = made_of.into_iter();
    match (made_of.next(), made_of.next()) {
        (None, _) => Ok(part.clone()),
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => {
            Err(format!("{part} is made of several parts of the device, {one} and {other}: it has no one name there"))
        }
    }
}

/// Into the kind of its point: many protocols know one kind of number only.
pub fn turn(value: &mut Value, quality: &mut Quality, kind: ValueKind) {
    if value.kind() == kind {
        return;
    }
    match value.clone().into_kind(kind) {
        Ok(fitting) => *value = fitting,
        // One that is bad already says why.
        Err(_) if matches!(quality, Quality::Bad(_)) => {}
        Err(_) => *quality = Quality::Bad(BadReason::WrongType),
    }
}

/// With their numbers; what is not seen of the device is left out.
fn readings(entry: &DeviceNow, given: Vec<Given>) -> Vec<Reading> {
    let known = entry.capabilities.by_path();
    let reading = |given: Given| {
        let point = known.get(&given.path)?.no;
        Some(Reading { point, value: given.value, quality: given.quality, source: given.source })
    };
    given.into_iter().filter_map(reading).collect()
}

pub fn raw_points(shaped: &Shaped, points: &[PointPath]) -> Result<Vec<PointPath>, String> {
    let mut all: BTreeSet<&PointPath> = BTreeSet::new();
    for path in points {
        match shaped.known(path) {
            Some(_) => all.extend(shaped.raw_of(path)),
            None => drop(all.insert(path)),
        }
    }
    match all.len() {
        0..=MOST_NAMED => Ok(all.into_iter().cloned().collect()),
        many => Err(format!("that takes {many} points of the device; {MOST_NAMED} at most")),
    }
}

/// In the order in which they were asked for.
fn asked_for(points: &[PointPath], told: &[(PointPath, Value)]) -> Outcome {
    let value = |path: &PointPath| told.iter().rev().find(|(told, _)| told == path).cloned();
    let found: Vec<(PointPath, Value)> = points.iter().filter_map(value).collect();
    match points.first() {
        Some(path) if found.is_empty() => Outcome::Failed(format!("the device gives no good value for {path}")),
        _ => Outcome::Done(found),
    }
}

/// What is told of points of the link is told of those that were asked for.
fn renamed(shaped: &Shaped, points: &[PointPath], values: &[(PointPath, Value)]) -> Vec<(PointPath, Value)> {
    let of = |path: &PointPath| {
        let raw = raw_points(shaped, std::slice::from_ref(path)).ok()?;
        let (_, value) = values.iter().find(|(told, _)| raw.contains(told))?;
        Some((path.clone(), value.clone()))
    };
    points.iter().filter_map(of).collect()
}
