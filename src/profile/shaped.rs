//! A profile made ready: which points a device has by it, and where each of them comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::order::in_order;
use super::sections::{Known, Profile};
use crate::model::device::Capabilities;
use crate::model::{Access, Limits, Name, OperationKind, OperationSet, Point, PointNo, PointPath, ValueKind};

/// One profile, shared by all devices of its kind. Two are equal where the profiles are.
#[derive(Clone, Debug)]
pub struct Shaped {
    pub name: Name,
    pub profile: Arc<Profile>,
    /// In the order of their paths.
    pub(super) points: Vec<(PointPath, Known)>,
    /// A path of the link, and the points that it becomes. Sorted.
    by_raw: Vec<(PointPath, usize)>,
    /// Each after those that it is computed from.
    pub(super) formulas: Vec<Formula>,
}

impl PartialEq for Shaped {
    fn eq(&self, other: &Shaped) -> bool {
        self.name == other.name && self.profile == other.profile
    }
}

#[derive(Clone, Debug)]
pub(super) struct Formula {
    pub point: usize,
    pub terms: Vec<usize>,
}

impl Shaped {
    pub fn new(name: Name, profile: Arc<Profile>) -> Shaped {
        let points: Vec<(PointPath, Known)> = profile.point.clone().into_iter().collect();
        let place = |path: &PointPath| points.binary_search_by(|(known, _)| known.cmp(path)).ok();
        let formula = |path: &PointPath| {
            let point = place(path)?;
            let terms = points[point].1.terms().map(|term| place(&term.value)).collect::<Option<_>>()?;
            Some(Formula { point, terms })
        };
        // The checks let no circle through, nor a term that is not there.
        let order = in_order(&profile.point).unwrap_or_default();
        let formulas = order.into_iter().filter_map(formula).collect();
        let raw = points.iter().enumerate().filter(|(_, (_, known))| !known.is_computed());
        let mut by_raw: Vec<_> = raw.map(|(no, (path, known))| (raw_path(path, known).clone(), no)).collect();
        by_raw.sort();
        Shaped { name, profile, points, by_raw, formulas }
    }

    pub(super) fn place(&self, path: &PointPath) -> Option<usize> {
        self.points.binary_search_by(|(known, _)| known.cmp(path)).ok()
    }

    /// What the profile says of the point.
    pub fn known(&self, path: &PointPath) -> Option<&Known> {
        self.place(path).map(|no| &self.points[no].1)
    }

    /// The points that this one of the link becomes.
    pub(super) fn becomes(&self, raw: &PointPath) -> impl Iterator<Item = usize> {
        let begin = self.by_raw.partition_point(|(path, _)| path < raw);
        self.by_raw[begin..].iter().take_while(move |(path, _)| path == raw).map(|(_, no)| *no)
    }

    /// The points whose values mean the same here and there.
    pub fn alike(&self, other: &Shaped) -> BTreeSet<&PointPath> {
        let same = |path: &PointPath, known: &Known| other.known(path).is_some_and(|other| other.means_like(known));
        let own = self.points.iter().filter(|(_, known)| !known.is_computed());
        let mut alike: BTreeSet<_> = own.filter(|(path, known)| same(path, known)).map(|(path, _)| path).collect();
        for formula in &self.formulas {
            let (path, known) = &self.points[formula.point];
            if same(path, known) && formula.terms.iter().all(|term| alike.contains(&self.points[*term].0)) {
                alike.insert(path);
            }
        }
        alike
    }

    /// True where the profile says nothing about it, so that it stays as the device gives it.
    pub fn passes(&self, raw: &PointPath) -> bool {
        self.becomes(raw).next().is_none() && self.place(raw).is_none()
    }

    /// It counts something that must outlive a restart.
    pub fn has_totals(&self) -> bool {
        self.points.iter().any(|(_, known)| known.counter.is_some() || known.energy.is_some())
    }

    /// How often each point of the link is read, so that these have values: as often as whoever needs it most often. What
    /// is computed is as new as what it is computed from, unless it says otherwise. `every`: how often the link reads.
    pub fn wanted<'a>(
        &'a self,
        read: impl Iterator<Item = &'a PointPath>,
        every: Option<Duration>,
    ) -> BTreeMap<&'a PointPath, Option<Duration>> {
        let all = self.profile.health.as_ref().and_then(|health| health.every).map(|every| every.0);
        let usual = every.map(|every| all.unwrap_or(every));
        let own = |path: &PointPath| self.known(path).and_then(|known| known.every).map(|every| every.0);
        let follows = |path: &PointPath| own(path).is_none() && self.known(path).is_some_and(Known::is_computed);
        let (last, first): (Vec<_>, Vec<_>) = read.partition(|path| follows(path));
        let mut wanted: BTreeMap<&PointPath, Option<Duration>> = BTreeMap::new();
        for path in first {
            let often = usual.map(|usual| own(path).unwrap_or(usual));
            let by = if self.known(path).is_some() { self.raw_of(path) } else { vec![path] };
            for raw in by {
                let before = wanted.entry(raw).or_insert(often);
                *before = (*before).min(often);
            }
        }
        for raw in last.into_iter().flat_map(|path| self.raw_of(path)) {
            wanted.entry(raw).or_insert(usual);
        }
        wanted
    }

    /// Which points of the link must be read, so that this one has a value.
    pub fn raw_of(&self, path: &PointPath) -> Vec<&PointPath> {
        let mut found = BTreeSet::new();
        let Some(place) = self.place(path) else { return Vec::new() };
        let mut wanted = BTreeSet::from([place]);
        for formula in self.formulas.iter().rev().chain([&Formula { point: place, terms: Vec::new() }]) {
            if wanted.contains(&formula.point) {
                wanted.extend(&formula.terms);
            }
        }
        for (path, known) in wanted.into_iter().map(|no| &self.points[no]).filter(|(_, known)| !known.is_computed()) {
            found.insert(raw_path(path, known));
        }
        found.into_iter().collect()
    }

    /// What a device of this kind has and can do, by what it gives. Points have no numbers yet.
    pub fn capabilities(&self, given: &Capabilities) -> Capabilities {
        let of_link = given.by_path();
        let (mut points, mut there) = (Vec::new(), vec![false; self.points.len()]);
        for (no, (path, known)) in self.points.iter().enumerate().filter(|(_, (_, known))| !known.is_computed()) {
            if let Some(raw) = of_link.get(raw_path(path, known)) {
                let point = overlaid(path, known, raw);
                points.push(if known.lock.is_some() { point } else { self.with_seen_lock(point) });
                there[no] = true;
            }
        }
        for formula in &self.formulas {
            if formula.terms.iter().all(|term| there[*term]) {
                let (path, known) = &self.points[formula.point];
                points.push(computed(path, known));
                there[formula.point] = true;
            }
        }
        let passing = given.points.iter().filter(|point| self.passes(&point.path)).cloned();
        points.extend(passing.map(|point| Point { no: PointNo(0), ..self.with_seen_lock(point) }));
        let paths: BTreeSet<PointPath> = points.iter().map(|point| point.path.clone()).collect();
        points.iter_mut().for_each(|point| needs_its_lock(point, &paths));
        let operations = self.operations(given.operations);
        Capabilities { points, operations, components: given.components.clone(), sleeps: given.sleeps, next: 0 }
    }

    /// A lock that the device names, by the name that everybody sees. Where none of its names tells, the point is only
    /// read.
    fn with_seen_lock(&self, mut point: Point) -> Point {
        let Some(limits) = &mut point.limits else { return point };
        let Some(lock) = limits.lock.take() else { return point };
        if self.passes(&lock) {
            limits.lock = Some(lock);
        } else {
            let mut names = self.becomes(&lock).map(|no| &self.points[no]).filter(|(_, known)| known.can_lock());
            limits.lock = names.next().map(|(path, _)| path.clone());
        }
        if limits.lock.is_none() {
            point.access = Access::Read;
        }
        point
    }

    /// What the device offers and what the profile adds, less what it forbids.
    pub fn operations(&self, given: OperationSet) -> OperationSet {
        let added = self.profile.operation.keys().copied();
        let all: BTreeSet<OperationKind> = given.kinds().chain(added).collect();
        let left: Vec<OperationKind> = all.into_iter().filter(|kind| !self.profile.forbid.has(*kind)).collect();
        OperationSet::of(&left)
    }
}

/// Where nobody could say whether a point is locked, it is not written.
fn needs_its_lock(point: &mut Point, paths: &BTreeSet<PointPath>) {
    let Some(limits) = &mut point.limits else { return };
    if limits.lock.as_ref().is_some_and(|lock| !paths.contains(lock)) {
        limits.lock = None;
        point.access = Access::Read;
    }
}

pub(super) fn raw_path<'a>(path: &'a PointPath, known: &'a Known) -> &'a PointPath {
    known.raw.as_ref().map_or(path, |raw| &raw.value)
}

fn overlaid(path: &PointPath, known: &Known, raw: &Point) -> Point {
    let unit = known.unit.as_ref().and_then(|unit| Name::new(&unit.value).ok());
    // Its own unit says nothing of words, nor of what the scale makes of it.
    let own = raw.unit.clone().filter(|_| known.r#enum.is_none() && !known.is_scaled());
    let access = match known.counter {
        Some(_) => Access::Read,
        None => known.access(Some(raw.access)).unwrap_or(raw.access),
    };
    Point {
        no: PointNo(0),
        path: path.clone(),
        kind: known.kind(Some(raw.kind)).unwrap_or(raw.kind),
        unit: unit.or(own),
        access,
        limits: limits(known, raw.limits.as_ref()),
    }
}

fn computed(path: &PointPath, known: &Known) -> Point {
    Point {
        no: PointNo(0),
        path: path.clone(),
        kind: known.kind(None).unwrap_or(ValueKind::Float),
        unit: known.unit.as_ref().and_then(|unit| Name::new(&unit.value).ok()),
        access: Access::Read,
        limits: None,
    }
}

/// What the profile says; where it says nothing, what the device says, in the unit of the profile. What is written is held
/// against the device's own range and steps in any case, as the device counts them.
pub(super) fn limits(known: &Known, given: Option<&Limits>) -> Option<Limits> {
    let own = given.map(|given| in_unit(known, given)).unwrap_or_default();
    let min = known.min.unwrap_or(own.min);
    let limits = Limits {
        min,
        max: known.max.map_or(own.max, |max| max.value),
        step: known.step.map(|step| step.value).or(own.step.filter(|_| known.min.is_none_or(|min| min == own.min))),
        pause: known.pause.map(|pause| pause.0).or(own.pause),
        lock: known.lock.as_ref().map(|lock| lock.value.clone()).or(own.lock),
    };
    Some(limits).filter(|limits| *limits != Limits::default())
}

/// The steps only where they begin at the least value here too.
fn in_unit(known: &Known, given: &Limits) -> Limits {
    let kept = Limits { pause: given.pause, lock: given.lock.clone(), ..Limits::default() };
    if known.r#enum.is_some() {
        return kept;
    }
    let turned = known.scale.is_some_and(|scale| scale.value < 0.0);
    let open = |x: f64| x == f64::MIN || x == f64::MAX;
    let end = |x: f64| if open(x) { x * if turned { -1.0 } else { 1.0 } } else { known.scaled(x) };
    let (low, high) = if turned { (given.max, given.min) } else { (given.min, given.max) };
    let size = known.scale.map_or(1.0, |scale| scale.value.abs());
    let begins_alike = !turned && (!open(given.min) || known.offset.is_none());
    Limits { min: end(low), max: end(high), step: given.step.map(|step| step * size).filter(|_| begins_alike), ..kept }
}
