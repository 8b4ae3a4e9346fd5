//! From what a device gives to what it means: one [`Converter`] a device, fed with each arrival.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::count::Count;
use super::energy::Energy;
use super::sections::Known;
use super::shaped::Shaped;
use super::{rests, unit};
use crate::model::{BadReason, Mono, Now, PointPath, Quality, Value, ValueKind, Wall};

/// A value within its deadband is told again after so long.
const LONGEST_QUIET: Duration = Duration::from_secs(600);
/// Whole numbers up to here have an exact form.
pub(super) const MOST_WHOLE: f64 = (1u64 << 53) as f64;

/// As the link gives it.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    pub path: &'a PointPath,
    pub value: &'a Value,
    pub quality: Quality,
    /// When the device says it was so.
    pub source: Option<Wall>,
}

/// As the profile means it.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    pub path: PointPath,
    pub value: Value,
    pub quality: Quality,
    pub source: Option<Wall>,
}

/// What must outlive a restart: totals. Nothing else.
pub use crate::model::Totals as Kept;

#[derive(Clone, Debug)]
pub struct Converter {
    shaped: Arc<Shaped>,
    /// By the place of the point in the profile.
    slots: Vec<Slot>,
    /// What the point of its health shows, where that is not well.
    unwell: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// What formulas count with.
    last: Option<(f64, Quality, Mono)>,
    told: Option<(f64, Quality, Mono)>,
    total: rests::Kept,
    /// It came in this arrival.
    fresh: bool,
    /// A total began in this arrival, or began anew.
    begun: bool,
}

impl Converter {
    pub fn new(shaped: Arc<Shaped>, kept: &Kept) -> Converter {
        let slot = |no: usize| Slot { total: shaped.kept(no, kept), ..Slot::default() };
        let slots = (0..shaped.points.len()).map(slot).collect();
        Converter { shaped, slots, unwell: None }
    }

    /// What is meant as it was goes on: these points.
    pub fn after(mut self, before: &Converter, alike: &BTreeSet<&PointPath>) -> Converter {
        let (now, was) = (self.shaped.profile.health.as_ref(), before.shaped.profile.health.as_ref());
        let same_point = now.and_then(|health| health.point.as_ref()).is_some_and(|point| alike.contains(&point.value));
        self.unwell = before.unwell.clone().filter(|_| now == was && same_point);
        for ((path, _), slot) in self.shaped.points.iter().zip(&mut self.slots) {
            if let Some(no) = before.shaped.place(path).filter(|_| alike.contains(path)) {
                *slot = before.slots[no].clone();
            }
        }
        self
    }

    pub fn shaped(&self) -> &Arc<Shaped> {
        &self.shaped
    }

    pub fn unwell(&self) -> Option<&str> {
        self.unwell.as_deref()
    }

    /// A total has begun in the last arrival, or its counter anew: what that came to cannot be seen again.
    pub fn has_begun(&self) -> bool {
        self.slots.iter().any(|slot| slot.begun)
    }

    /// Empty for a profile without totals.
    pub fn kept(&self) -> Kept {
        let mut kept = Kept::default();
        for (no, ((path, _), Slot { total, .. })) in self.shaped.points.iter().zip(&self.slots).enumerate() {
            kept.counts.extend(total.count.map(|count| (path.clone(), count)));
            kept.energies.extend(total.energy.map(|energy| (path.clone(), energy)));
            if total.count.is_some() || total.energy.is_some() {
                kept.rests.insert(path.clone(), self.shaped.rests(no));
            }
        }
        kept
    }

    /// All of one arrival at once: a sum is then of values of one time. What comes out is at most each value once for
    /// each point that it becomes, and each computed point.
    pub fn take(&mut self, now: &Now, arrived: &[Raw<'_>], out: &mut Vec<Given>) {
        self.take_some(now, arrived, out, false);
    }

    /// The same for who has asked: also what is not new.
    pub fn take_all(&mut self, now: &Now, arrived: &[Raw<'_>], out: &mut Vec<Given>) {
        self.take_some(now, arrived, out, true);
    }

    fn take_some(&mut self, now: &Now, arrived: &[Raw<'_>], out: &mut Vec<Given>, all: bool) {
        let shaped = self.shaped.clone();
        self.slots.iter_mut().for_each(|slot| (slot.fresh, slot.begun) = (false, false));
        for raw in arrived {
            if shaped.passes(raw.path) {
                let Raw { path, value, quality, source } = *raw;
                let quality = quality.max(worth(value));
                out.push(Given { path: path.clone(), value: value.clone(), quality, source });
            }
            for no in shaped.becomes(raw.path) {
                let (path, known) = &shaped.points[no];
                let (value, quality) = self.slots[no].convert(known, raw);
                let given = Given { path: path.clone(), value, quality, source: raw.source };
                out.extend(self.tell(no, known, now, given, all));
            }
        }
        for formula in &shaped.formulas {
            let (path, known) = &shaped.points[formula.point];
            if formula.terms.iter().any(|term| self.slots[*term].fresh)
                && let Some((value, quality)) = self.computed(now, formula.point, &formula.terms)
            {
                let given = Given { path: path.clone(), value, quality, source: None };
                out.extend(self.tell(formula.point, known, now, given, all));
            }
        }
    }

    /// None as long as one of them has no value.
    fn computed(&mut self, now: &Now, no: usize, terms: &[usize]) -> Option<(Value, Quality)> {
        let known = &self.shaped.points[no].1;
        let last: Vec<_> = terms.iter().map(|term| self.slots[*term].last).collect::<Option<_>>()?;
        let is_old = last.iter().any(|(_, _, at)| now.mono.since(*at) > known.longest_gap.0);
        let worst = last.iter().map(|(_, quality, _)| *quality).max().unwrap_or_default();
        let worst = if is_old { worst.max(Quality::Uncertain) } else { worst };
        let (first, rest) = last.split_first()?;
        let (x, quality) = match (&known.energy, &known.difference) {
            (Some(_), _) if matches!(worst, Quality::Bad(_)) => return None,
            (Some(_), _) => {
                let factor = self.per_hour(no, terms.first().copied()?);
                let (total, quality) = self.slots[no].energy(now, first.0, known.longest_gap.0);
                (total * factor, quality.max(worst))
            }
            (None, Some(_)) => (rest.iter().fold(first.0, |left, (x, ..)| left - x), worst),
            (None, None) => (last.iter().map(|(x, ..)| x).sum(), worst),
        };
        Some(of_kind(x, quality, known.kind(None).unwrap_or(ValueKind::Float)))
    }

    fn per_hour(&self, energy: usize, power: usize) -> f64 {
        let unit = |no: usize| self.shaped.points[no].1.unit.as_ref().map(|unit| unit.value.as_str());
        unit(power).zip(unit(energy)).and_then(|(power, energy)| unit::per_hour(power, energy)).unwrap_or(1.0)
    }

    /// Formulas see every value; whoever listens sees what is new.
    fn tell(&mut self, no: usize, known: &Known, now: &Now, given: Given, all: bool) -> Option<Given> {
        let profile = &self.shaped.profile;
        let health = profile.health.as_ref();
        if let Some(well) = health.and_then(|health| health.seen(&given.path, &given.value, given.quality)) {
            self.unwell = (!well).then(|| profile.shown(&given.path, &given.value));
        }
        let slot = &mut self.slots[no];
        slot.fresh = true;
        let x = given.value.number().filter(|x| x.is_finite());
        let last = x.map(|x| (x, now.mono)).or(slot.last.map(|(x, _, at)| (x, at)));
        slot.last = last.map(|(x, at)| (x, given.quality, at));
        if let (Some(deadband), Some(x)) = (known.deadband, x) {
            let quiet = slot.told.is_some_and(|(told, quality, at)| {
                quality == given.quality
                    && (x - told).abs() < deadband.value
                    && now.mono.since(at) < LONGEST_QUIET
                    && at <= now.mono
            });
            if quiet && !all {
                return None;
            }
            slot.told = Some((x, given.quality, now.mono));
        }
        Some(given)
    }
}

impl Slot {
    fn convert(&mut self, known: &Known, raw: &Raw<'_>) -> (Value, Quality) {
        let invalid = known.invalid.iter().any(|mark| mark.value.fits(raw.value));
        let (value, quality) = if invalid { known.plain(raw.value) } else { self.meant(known, raw) };
        let marked = if invalid { Quality::Bad(BadReason::DeviceSays) } else { raw.quality };
        // What the device says of it itself weighs more than what we make of it.
        (value, if matches!(marked, Quality::Bad(_)) { marked } else { marked.max(quality) })
    }

    fn meant(&mut self, known: &Known, raw: &Raw<'_>) -> (Value, Quality) {
        let Some(counter) = known.counter.as_ref().filter(|_| !matches!(raw.quality, Quality::Bad(_))) else {
            return known.plain(raw.value);
        };
        let Some(x) = raw.value.number() else { return wrong(raw.value) };
        match self.count(x, counter.range()) {
            Ok((total, quality)) => {
                of_kind(known.scaled(total), quality, known.kind(Some(raw.value.kind())).unwrap_or(ValueKind::Float))
            }
            Err(why) => (raw.value.clone(), Quality::Bad(why)),
        }
    }

    fn count(&mut self, x: f64, range: f64) -> Result<(f64, Quality), BadReason> {
        let rests::Kept { count, carried, .. } = &mut self.total;
        let before = count.map(|count| count.base);
        let from_another = carried.take_if(|_| (0.0..range).contains(&x));
        *count = from_another.map(|total| Count::go_on(total, x)).or(*count);
        let (total, quality) = Count::take(count, x, range)?;
        self.begun |= count.map(|count| count.base) != before;
        Ok((total, if from_another.is_some() { Quality::Uncertain } else { quality }))
    }

    fn energy(&mut self, now: &Now, power: f64, longest_gap: Duration) -> (f64, Quality) {
        let rests::Kept { energy, carried, .. } = &mut self.total;
        self.begun |= energy.is_none();
        let from_another = carried.take();
        *energy = from_another.map(|total| Energy { boot: now.boot, at: now.mono, power, total }).or(*energy);
        let (total, quality) = Energy::take(energy, now, power, longest_gap);
        (total, if from_another.is_some() { Quality::Uncertain } else { quality })
    }
}

impl Known {
    /// Without what was before.
    pub(super) fn plain(&self, raw: &Value) -> (Value, Quality) {
        if let Some(words) = &self.r#enum {
            return match whole(raw).and_then(|raw| words.value.word(raw)) {
                Some(word) => (Value::text(word), Quality::Good),
                None => (Value::text(&raw.to_string()), Quality::Bad(BadReason::OutOfRange)),
            };
        }
        let kind = self.kind(Some(raw.kind())).unwrap_or(raw.kind());
        match (kind, raw.number()) {
            // Nothing is lost on the way of a large number.
            _ if !self.is_scaled() && kind == raw.kind() => (raw.clone(), worth(raw)),
            (ValueKind::Bool, Some(x)) if x == 0.0 || x == 1.0 => (Value::Bool(x == 1.0), Quality::Good),
            (ValueKind::Bool, Some(_)) => (raw.clone(), Quality::Bad(BadReason::OutOfRange)),
            (ValueKind::Int | ValueKind::Uint | ValueKind::Float, Some(x)) => {
                of_kind(self.scaled(x), Quality::Good, kind)
            }
            _ => wrong(raw),
        }
    }

    /// Divided by 10 rather than times 0.1, which has no exact binary form: 2301 is 230.1 then.
    pub(super) fn scaled(&self, raw: f64) -> f64 {
        let scaled = self.scale.map_or(raw, |scale| match parts(scale.value) {
            Some(parts) => raw / parts,
            None => raw * scale.value,
        });
        scaled + self.offset.map_or(0.0, |offset| offset.value)
    }

    pub(super) fn scale_and_offset(&self) -> (f64, f64) {
        (self.scale.map_or(1.0, |scale| scale.value), self.offset.map_or(0.0, |offset| offset.value))
    }

    pub(super) fn unscaled(&self, value: f64) -> f64 {
        let from = value - self.offset.map_or(0.0, |offset| offset.value);
        self.scale.map_or(from, |scale| match parts(scale.value) {
            Some(parts) => from * parts,
            None => from / scale.value,
        })
    }
}

/// Where the scale is one part of a whole number: that number.
fn parts(scale: f64) -> Option<f64> {
    let parts = (1.0 / scale).round();
    (scale.abs() < 1.0 && parts.abs() < 1e12 && (scale * parts - 1.0).abs() < 1e-15).then_some(parts)
}

fn wrong(raw: &Value) -> (Value, Quality) {
    (raw.clone(), Quality::Bad(BadReason::WrongType))
}

/// What is no number is none of its values.
fn worth(value: &Value) -> Quality {
    match value {
        Value::Float(x) if !x.is_finite() => Quality::Bad(BadReason::DeviceSays),
        _ => Quality::Good,
    }
}

/// A whole number is the nearest one.
fn of_kind(x: f64, quality: Quality, kind: ValueKind) -> (Value, Quality) {
    let rounded = x.round();
    match kind {
        _ if !x.is_finite() => (Value::Float(x), Quality::Bad(BadReason::DeviceSays)),
        ValueKind::Int if rounded.abs() <= MOST_WHOLE => (Value::Int(rounded as i64), quality),
        ValueKind::Uint if (0.0..=MOST_WHOLE).contains(&rounded) => (Value::Uint(rounded as u64), quality),
        ValueKind::Int | ValueKind::Uint => (Value::Float(x), Quality::Bad(BadReason::OutOfRange)),
        _ => (Value::Float(x), quality),
    }
}

fn whole(raw: &Value) -> Option<i64> {
    match raw {
        Value::Bool(yes) => Some(i64::from(*yes)),
        other => match other.clone().into_kind(ValueKind::Int) {
            Ok(Value::Int(n)) => Some(n),
            _ => None,
        },
    }
}
