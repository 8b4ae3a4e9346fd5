//! From what somebody wants a point to be to what the device is told.
//!
//! **Invariant: what the device is told lies within what the profile allows and within what the device itself does.** A
//! device that counts in whole steps takes the nearest one; where that one is forbidden, the next inward, as long as it is
//! no further off than half a step.

use super::convert::MOST_WHOLE;
use super::sections::Known;
use super::shaped::{Shaped, limits, raw_path};
use crate::model::{Access, Capabilities, Limits, Point, PointPath, Value, ValueKind};
use crate::nearest::nearest;

/// So much of a step is nothing: most have no exact binary form.
const ALMOST: f64 = 1e-6;

impl Shaped {
    /// The point of the link and the value it takes; or why it cannot be. `given` is what the device has by itself.
    pub fn raw_for(&self, given: &Capabilities, path: &PointPath, value: &Value) -> Result<(PointPath, Value), String> {
        let Some(known) = self.known(path) else {
            return if self.passes(path) {
                Ok((path.clone(), value.clone()))
            } else {
                Err(format!("{path} has another name by the profile {}", self.name))
            };
        };
        if known.is_computed() || known.counter.is_some() {
            return Err(format!("{path} is computed; it cannot be written"));
        }
        let raw = raw_path(path, known);
        let there = given.point(raw);
        let access = known.access(there.map(|point| point.access));
        if access == Some(Access::Read) {
            return Err(format!("{path} can only be read"));
        }
        let own = there.and_then(|point| point.limits.as_ref());
        allowed(path, known, value, own)?;
        let value = known.raw_value(path, value, there)?;
        if let (Some(own), Some(x)) = (own, value.number())
            && !own.allow(x)
        {
            return Err(format!("{path} would be {x} for the device, which takes {own}"));
        }
        match known.invalid.iter().any(|mark| mark.value.fits(&value)) {
            true => Err(format!("{path} would be {value} for the device, which means no value to it")),
            false => Ok((raw.clone(), value)),
        }
    }

    /// What the point shows once this was written to it: a device that counts in whole steps takes the nearest.
    pub fn as_written(&self, given: &Capabilities, path: &PointPath, value: &Value) -> Option<Value> {
        let known = self.known(path)?;
        let (_, raw) = self.raw_for(given, path, value).ok()?;
        Some(known.plain(&raw).0)
    }
}

fn allowed(path: &PointPath, known: &Known, value: &Value, given: Option<&Limits>) -> Result<(), String> {
    let (Some(limits), Some(x)) = (limits(known, given), value.number()) else { return Ok(()) };
    if limits.allow(x) {
        return Ok(());
    }
    let unit = known.unit_shown();
    let least = (limits.min > f64::MIN).then(|| format!("at least {}{unit}", limits.min));
    let most = (limits.max < f64::MAX).then(|| format!("at most {}{unit}", limits.max));
    let steps = limits.step.map(|step| format!("in steps of {step}{unit}"));
    let rule: Vec<String> = [least, most, steps].into_iter().flatten().collect();
    Err(format!("{path} is {}; {x}{unit} is not allowed", rule.join(", ")))
}

impl Known {
    fn raw_value(&self, path: &PointPath, value: &Value, raw: Option<&Point>) -> Result<Value, String> {
        let kind = raw.map(|raw| raw.kind);
        let told = match (&self.r#enum, value, value.number()) {
            (Some(words), Value::Text(word), _) => {
                let raw = words.value.raw(word);
                Value::Int(raw.ok_or_else(|| no_word(path, word, words.value.0.values()))?)
            }
            (Some(words), other, _) => return Err(no_word(path, &other.to_string(), words.value.0.values())),
            (None, _, Some(x)) if self.is_scaled() && x.is_finite() => Value::Float(self.raw_number(path, x, raw)?),
            (None, other, _) if self.is_scaled() => return Err(format!("{path} takes a number, not {other}")),
            (None, Value::Bool(yes), _) if kind.is_some_and(|kind| kind != ValueKind::Bool) => {
                Value::Int((*yes).into())
            }
            (None, other, _) => other.clone(),
        };
        match (kind, told.number()) {
            (Some(ValueKind::Bool), Some(x)) if x == 0.0 || x == 1.0 => Ok(Value::Bool(x == 1.0)),
            (Some(kind), _) => told.into_kind(kind).map_err(|error| format!("{path}: {error}")),
            (None, _) => Ok(told),
        }
    }

    /// The nearest that the device can be told.
    fn raw_number(&self, path: &PointPath, x: f64, raw: Option<&Point>) -> Result<f64, String> {
        let kind = raw.map_or(ValueKind::Float, |raw| raw.kind);
        let whole = kind != ValueKind::Float;
        let (low, high) = self.raw_range(raw, kind);
        let (low, high) = if whole { ((low - ALMOST).ceil(), (high + ALMOST).floor()) } else { (low, high) };
        let exact = self.unscaled(x);
        let any = low <= high;
        if !any || !exact.is_finite() {
            return Err(format!("{path} cannot be {x}: no number that the device takes means that"));
        }
        let near = if whole { exact.round().clamp(low, high) } else { exact.clamp(low, high) };
        let step = if whole { 0.5 + ALMOST } else { ALMOST * exact.abs() };
        if (near - exact).abs() <= step && self.scaled(near).is_finite() {
            return Ok(near);
        }
        let (near, unit) = (self.scaled(near), self.unit_shown());
        Err(format!("{path} cannot be {x}{unit} on this device; the nearest that can be is {near}{unit}"))
    }

    /// As far as the type of the device, the device itself and the profile go.
    fn raw_range(&self, raw: Option<&Point>, kind: ValueKind) -> (f64, f64) {
        let (least, most) = match kind {
            ValueKind::Bool => (0.0, 1.0),
            ValueKind::Uint => (0.0, MOST_WHOLE),
            ValueKind::Int => (-MOST_WHOLE, MOST_WHOLE),
            _ => (f64::MIN, f64::MAX),
        };
        let own = raw.and_then(|raw| raw.limits.clone()).unwrap_or_default();
        let turned = self.scale.is_some_and(|scale| scale.value < 0.0);
        let [min, max] = [self.min, self.max.map(|max| max.value)].map(|end| end.map(|end| self.unscaled(end)));
        let (low, high) = if turned { (max, min) } else { (min, max) };
        let low = least.max(own.min).max(low.unwrap_or(f64::MIN));
        (low, most.min(own.max).min(high.unwrap_or(f64::MAX)))
    }

    fn unit_shown(&self) -> String {
        self.unit.as_ref().map(|unit| format!(" {}", unit.value)).unwrap_or_default()
    }
}

fn no_word<'a>(path: &PointPath, said: &str, words: impl Iterator<Item = &'a String> + Clone) -> String {
    let all: Vec<&str> = words.map(String::as_str).collect();
    let meant = nearest(said, all.iter().copied()).map(|near| format!(". Did you mean {near:?}?"));
    format!("{path} is one of {}, not {said:?}{}", all.join(", "), meant.unwrap_or_default())
}
