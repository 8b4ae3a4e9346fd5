//! From what somebody wants a point to be to what the device is told.

use super::sections::Known;
use super::shaped::{Shaped, limits, raw_path};
use crate::model::{Access, Capabilities, PointPath, Value, ValueKind};
use crate::nearest::nearest;

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
        let access = known.access.map(|access| access.value).or(there.map(|point| point.access));
        if access == Some(Access::Read) {
            return Err(format!("{path} can only be read"));
        }
        allowed(path, known, value, there.and_then(|point| point.limits.as_ref()))?;
        let value = known.raw_value(path, value, there.map(|point| point.kind))?;
        match known.invalid.iter().any(|mark| mark.value.fits(&value)) {
            true => Err(format!("{path} would be {value} for the device, which means no value to it")),
            false => Ok((raw.clone(), value)),
        }
    }
}

fn allowed(path: &PointPath, known: &Known, value: &Value, given: Option<&crate::model::Limits>) -> Result<(), String> {
    let (Some(limits), Some(x)) = (limits(known, given), value.number()) else { return Ok(()) };
    if limits.allow(x) {
        return Ok(());
    }
    let unit = known.unit.as_ref().map(|unit| format!(" {}", unit.value)).unwrap_or_default();
    let least = (limits.min > f64::MIN).then(|| format!("at least {}{unit}", limits.min));
    let most = (limits.max < f64::MAX).then(|| format!("at most {}{unit}", limits.max));
    let steps = limits.step.map(|step| format!("in steps of {step}{unit}"));
    let rule: Vec<String> = [least, most, steps].into_iter().flatten().collect();
    Err(format!("{path} is {}; {x}{unit} is not allowed", rule.join(", ")))
}

impl Known {
    fn raw_value(&self, path: &PointPath, value: &Value, kind: Option<ValueKind>) -> Result<Value, String> {
        let raw = match (&self.r#enum, value, value.number()) {
            (Some(words), Value::Text(word), _) => {
                let raw = words.value.raw(word);
                Value::Int(raw.ok_or_else(|| no_word(path, word, words.value.0.values()))?)
            }
            (Some(words), other, _) => return Err(no_word(path, &other.to_string(), words.value.0.values())),
            (None, _, Some(x)) if self.is_scaled() && x.is_finite() => Value::Float(self.unscaled(x)),
            (None, other, _) if self.is_scaled() => return Err(format!("{path} takes a number, not {other}")),
            (None, Value::Bool(yes), _) if kind.is_some_and(|kind| kind != ValueKind::Bool) => {
                Value::Int((*yes).into())
            }
            (None, other, _) => other.clone(),
        };
        let fits = |value: Value| match kind {
            Some(ValueKind::Bool) => match value.number() {
                Some(x) if x == 0.0 || x == 1.0 => Ok(Value::Bool(x == 1.0)),
                _ => Ok(value),
            },
            Some(kind) => self.rounded(value, kind).into_kind(kind).map_err(|error| format!("{path}: {error}")),
            None => Ok(value),
        };
        fits(raw)
    }

    /// A device that counts in whole steps takes the nearest.
    fn rounded(&self, value: Value, kind: ValueKind) -> Value {
        match (value, kind) {
            (Value::Float(x), ValueKind::Int | ValueKind::Uint) if self.is_scaled() => Value::Float(x.round()),
            (value, _) => value,
        }
    }
}

fn no_word<'a>(path: &PointPath, said: &str, words: impl Iterator<Item = &'a String> + Clone) -> String {
    let all: Vec<&str> = words.map(String::as_str).collect();
    let meant = nearest(said, all.iter().copied()).map(|near| format!(". Did you mean {near:?}?"));
    format!("{path} is one of {}, not {said:?}{}", all.join(", "), meant.unwrap_or_default())
}
