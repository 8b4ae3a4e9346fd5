//! Where the values of a simulated point come from. Pure: the same seed gives the same values.

use serde::Deserialize;

use crate::links::chance::Chance;
use crate::model::{Value, ValueKind};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// Another value each time: the way to tell one reading from the next.
    Counter {
        #[serde(default)]
        start: i64,
        #[serde(default = "one")]
        step: i64,
    },
    Walk {
        start: f64,
        step: f64,
        #[serde(default = "lowest")]
        min: f64,
        #[serde(default = "highest")]
        max: f64,
        #[serde(default = "decimals")]
        decimals: u8,
    },
    Constant(Value),
    /// One of these, now and then another.
    Status(Vec<Value>),
    /// What was written last.
    Echo(Value),
    /// Whole seconds since the device started last.
    Uptime,
    /// Falls with time and with each answer, down to 0.
    Battery {
        #[serde(default = "full")]
        start: f64,
        #[serde(default)]
        per_hour: f64,
        #[serde(default)]
        per_answer: f64,
    },
}

/// What wears a battery down, and how long the device runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wear {
    pub hours: f64,
    pub answers: u64,
    /// Seconds since it started last.
    pub up: u64,
}

fn full() -> f64 {
    100.0
}

fn one() -> i64 {
    1
}

fn lowest() -> f64 {
    f64::MIN
}

fn highest() -> f64 {
    f64::MAX
}

fn decimals() -> u8 {
    1
}

/// How often a status becomes another.
const TURNS: f64 = 0.02;

/// A point of one device.
#[derive(Clone, Debug)]
pub struct Generator {
    source: Source,
    kind: ValueKind,
    held: Value,
}

impl Generator {
    pub fn new(source: &Source, kind: ValueKind) -> Result<Generator, String> {
        let first = match source {
            Source::Counter { start, .. } => Value::Int(*start),
            Source::Walk { start, .. } => Value::Float(*start),
            Source::Battery { start, .. } => charge(*start, kind),
            Source::Uptime => Value::Uint(0),
            Source::Constant(value) | Source::Echo(value) => value.clone(),
            Source::Status(values) => values.first().cloned().ok_or("a status needs at least one value")?,
        };
        let held = first.into_kind(kind).map_err(|e| e.to_string())?;
        Ok(Generator { source: source.clone(), kind, held })
    }

    /// The value now; moves on to the next.
    pub fn give(&mut self, chance: &mut Chance, wear: Wear) -> Value {
        if let Source::Battery { start, per_hour, per_answer } = self.source {
            let left = start - per_hour * wear.hours - per_answer * wear.answers as f64;
            return charge(left, self.kind).into_kind(self.kind).unwrap_or_else(|_| self.held.clone());
        }
        if matches!(self.source, Source::Uptime) {
            return Value::Uint(wear.up).into_kind(self.kind).unwrap_or_else(|_| self.held.clone());
        }
        let given = self.held.clone();
        let next = match &self.source {
            Source::Counter { step, .. } => self.held.number().map(|n| Value::Int((n as i64).wrapping_add(*step))),
            Source::Walk { step, min, max, decimals, .. } => self.held.number().map(|x| {
                let unit = 10f64.powi(i32::from((*decimals).min(9)));
                let moved = (x + step * (2.0 * chance.share() - 1.0)).clamp(*min, max.max(*min));
                Value::Float((moved * unit).round() / unit)
            }),
            Source::Status(values) if chance.share() < TURNS => {
                values.get((chance.draw() % values.len().max(1) as u64) as usize).cloned()
            }
            Source::Constant(_) | Source::Status(_) | Source::Echo(_) | Source::Uptime | Source::Battery { .. } => None,
        };
        if let Some(next) = next.and_then(|next| next.into_kind(self.kind).ok()) {
            self.held = next;
        }
        given
    }

    /// A written value is held by an echo; other sources go their own way.
    pub fn write(&mut self, value: Value) {
        if matches!(self.source, Source::Echo(_)) {
            self.held = value;
        }
    }

    /// A count does not outlive the power.
    pub fn restart(&mut self) {
        if matches!(self.source, Source::Counter { .. }) {
            self.reset();
        }
    }

    pub fn reset(&mut self) {
        if let Ok(new) = Generator::new(&self.source, self.kind) {
            *self = new;
        }
    }
}

/// In thousandths, or whole where the point counts.
fn charge(left: f64, kind: ValueKind) -> Value {
    let left = left.max(0.0);
    Value::Float(if kind == ValueKind::Float { (left * 1_000.0).round() / 1_000.0 } else { left.ceil() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(source: Source, kind: ValueKind, n: usize) -> Vec<Value> {
        let (mut generator, mut chance) = (Generator::new(&source, kind).unwrap(), Chance::new(7));
        (0..n).map(|_| generator.give(&mut chance, Wear::default())).collect()
    }

    #[test]
    fn a_counter_never_gives_the_same_value_twice_running() {
        let values = given(Source::Counter { start: 5, step: 3 }, ValueKind::Uint, 3);
        assert_eq!(values, [Value::Uint(5), Value::Uint(8), Value::Uint(11)]);
    }

    #[test]
    fn a_walk_stays_within_its_bounds_and_repeats() {
        let walk = Source::Walk { start: 20.0, step: 5.0, min: 15.0, max: 25.0, decimals: 1 };
        let values = given(walk.clone(), ValueKind::Float, 500);
        assert!(values.iter().all(|v| (15.0..=25.0).contains(&v.number().unwrap())));
        assert!(values.windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(values, given(walk, ValueKind::Float, 500));
    }

    #[test]
    fn an_echo_holds_what_was_written() {
        let mut echo = Generator::new(&Source::Echo(Value::Bool(false)), ValueKind::Bool).unwrap();
        echo.write(Value::Bool(true));
        assert_eq!(echo.give(&mut Chance::new(0), Wear::default()), Value::Bool(true));
        echo.reset();
        assert_eq!(echo.give(&mut Chance::new(0), Wear::default()), Value::Bool(false));
    }

    #[test]
    fn a_battery_falls_with_time_and_use_and_not_below_nothing() {
        let source = Source::Battery { start: 100.0, per_hour: 2.0, per_answer: 0.5 };
        let level = |kind, hours, answers| {
            let mut battery = Generator::new(&source, kind).unwrap();
            battery.give(&mut Chance::new(0), Wear { hours, answers, up: 0 })
        };
        assert_eq!(level(ValueKind::Float, 0.0, 0), Value::Float(100.0));
        assert_eq!(level(ValueKind::Float, 3.0, 1), Value::Float(93.5));
        assert_eq!(level(ValueKind::Float, 60.0, 0), Value::Float(0.0));
        assert_eq!(level(ValueKind::Int, 3.0, 1), Value::Int(94));
    }

    #[test]
    fn a_source_must_fit_the_type_of_its_point() {
        assert!(Generator::new(&Source::Constant(Value::text("x")), ValueKind::Int).is_err());
        assert!(Generator::new(&Source::Status(Vec::new()), ValueKind::Text).is_err());
    }
}
