//! Whether a point is as somebody says it should be.

use super::sections::{Health, Success};
use crate::document::Placed;
use crate::model::{PointPath, Quality, Value};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition<'a> {
    pub equals: Option<&'a Placed<Value>>,
    pub above: Option<Placed<f64>>,
    pub below: Option<Placed<f64>>,
}

impl Condition<'_> {
    pub fn is_empty(&self) -> bool {
        self.equals.is_none() && self.above.is_none() && self.below.is_none()
    }

    pub fn holds(&self, value: &Value) -> bool {
        if let Some(wanted) = self.equals {
            return value.is_like(&wanted.value) || same_number(value, &wanted.value);
        }
        let Some(x) = value.number() else { return false };
        self.above.is_none_or(|above| x > above.value) && self.below.is_none_or(|below| x < below.value)
    }
}

/// People write 5 for 5.0.
fn same_number(one: &Value, other: &Value) -> bool {
    one.number().zip(other.number()).is_some_and(|(one, other)| Value::Float(one).is_like(&Value::Float(other)))
}

/// None where this value says nothing about it.
fn seen(
    point: &PointPath,
    condition: Condition<'_>,
    path: &PointPath,
    value: &Value,
    quality: Quality,
) -> Option<bool> {
    let tells = point == path && !matches!(quality, Quality::Bad(_)) && !condition.is_empty();
    tells.then(|| condition.holds(value))
}

impl Success {
    /// Whether this reading shows that the operation was carried out. None: it tells nothing.
    pub fn seen(&self, path: &PointPath, value: &Value, quality: Quality) -> Option<bool> {
        seen(&self.point.value, self.condition(), path, value, quality)
    }
}

impl Health {
    /// Whether this reading shows that the device is well. None: it tells nothing.
    pub fn seen(&self, path: &PointPath, value: &Value, quality: Quality) -> Option<bool> {
        seen(&self.point.as_ref()?.value, self.condition(), path, value, quality)
    }
}
