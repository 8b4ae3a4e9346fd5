//! What no single row of a point can show: keys that contradict each other, points and units that do not go together.

use std::cmp::Ordering;

use super::Look;
use crate::document::{At, Node, Placed};
use crate::model::{Access, PointPath, ValueKind};
use crate::profile::sections::Known;
use crate::profile::{MOST_TERMS, MOST_WORDS, unit};

/// A number, what it must be, and whether it is.
type Rule<'a> = (&'a Option<Placed<f64>>, &'a str, fn(f64) -> bool);

impl Look<'_> {
    /// A point may be spelled with its instance 0 or without.
    pub(super) fn of_point(&self, path: &PointPath, key: &str) -> At {
        let points = self.root.get("point").and_then(Node::table);
        let mut rows = points.iter().flat_map(|points| &points.0);
        let Some((name, node)) = rows.find(|(name, _)| name.text.parse().as_ref() == Ok(path)) else {
            return At::NOWHERE;
        };
        node.table().and_then(|table| table.get(key)).map_or(name.at, |node| node.at)
    }

    pub(super) fn point(&mut self, path: &PointPath, known: &Known) {
        if let Some(unit) = known.unit.as_ref().filter(|unit| !unit::is_known(&unit.value)) {
            self.add(unit::unknown(&unit.value, unit.at));
        }
        self.numbers(path, known);
        self.one_source(path, known);
        self.goes_with_its_kind(path, known);
        self.counter(path, known);
        self.lock(path, known);
        self.terms(known);
        self.units_of_terms(path, known);
    }

    fn numbers(&mut self, path: &PointPath, known: &Known) {
        let Known { scale, offset, deadband, step, min, max, .. } = known;
        let rules: [Rule<'_>; 4] = [
            (scale, "scale is a number other than 0", |x| x.is_finite() && x != 0.0),
            (offset, "offset is a number", f64::is_finite),
            (deadband, "deadband is more than 0", |x| x.is_finite() && x > 0.0),
            (step, "step is more than 0", |x| x.is_finite() && x > 0.0),
        ];
        for (given, says, right) in rules {
            if let Some(wrong) = given.filter(|given| !right(given.value)) {
                self.say(wrong.at, format!("{says}, not {}", wrong.value));
            }
        }
        for (key, x) in [("min", *min), ("max", max.map(|max| max.value))] {
            if let Some(x) = x.filter(|x| !x.is_finite()) {
                let at = self.of_point(path, key);
                self.say(at, format!("{key} is a number, not {x}; leave it out where there is no end"));
            }
        }
        if let Some((min, max)) =
            min.zip(*max).filter(|(min, max)| min.partial_cmp(&max.value) == Some(Ordering::Greater))
        {
            self.say(max.at, format!("max is {}, below min, {min}", max.value));
        }
    }

    fn one_source(&mut self, path: &PointPath, known: &Known) {
        let Known { raw, modbus, sum, difference, energy, .. } = known;
        let given = [
            ("raw", raw.is_some()),
            ("sum", sum.is_some()),
            ("difference", difference.is_some()),
            ("energy", energy.is_some()),
        ];
        let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given[..] {
            let at = self.of_point(path, second);
            self.say(at, format!("the point has {first} and {second}; say one of them"));
        }
        if modbus.is_some() && known.is_computed() {
            let at = self.of_point(path, "modbus");
            self.say(at, "registers hold what a device gives; this point is computed");
        }
        let about_raw = [
            ("scale", known.scale.is_some()),
            ("offset", known.offset.is_some()),
            ("enum", known.r#enum.is_some()),
            ("invalid", !known.invalid.is_empty()),
            ("counter", known.counter.is_some()),
        ];
        for (key, _) in about_raw.iter().filter(|(_, given)| *given && known.is_computed()) {
            let at = self.of_point(path, key);
            self.say(at, format!("{key} is about what a device gives; this point is computed"));
        }
        if let Some(access) = known.access.filter(|access| access.value.writes() && known.is_computed()) {
            self.say(access.at, "a computed point can only be read");
        }
    }

    fn goes_with_its_kind(&mut self, path: &PointPath, known: &Known) {
        let kind = known.r#type.map(|kind| kind.value);
        let is_number = kind.is_none_or(|kind| matches!(kind, ValueKind::Int | ValueKind::Uint | ValueKind::Float));
        let needs_number = [
            ("scale", known.scale.is_some()),
            ("offset", known.offset.is_some()),
            ("counter", known.counter.is_some()),
            ("sum", known.sum.is_some()),
            ("difference", known.difference.is_some()),
            ("energy", known.energy.is_some()),
            ("min", known.min.is_some()),
            ("max", known.max.is_some()),
            ("step", known.step.is_some()),
            ("deadband", known.deadband.is_some()),
        ];
        for (key, _) in needs_number.iter().filter(|(_, given)| *given) {
            if known.r#enum.is_some() {
                let at = self.of_point(path, key);
                self.say(at, format!("{key} does not go with enum, which makes words of numbers"));
            } else if let Some(kind) = kind.filter(|_| !is_number) {
                let at = self.of_point(path, key);
                self.say(at, format!("{key} is for numbers; the type of this point is {kind}"));
            }
        }
        if let Some(kind) = known.r#type.filter(|kind| known.r#enum.is_some() && kind.value != ValueKind::Text) {
            self.say(kind.at, format!("with enum the type is text, not {}", kind.value));
        }
        if known.r#enum.as_ref().is_some_and(|words| words.value.0.is_empty()) {
            let at = self.of_point(path, "enum");
            self.say(at, "enum has no words; write { 0 = \"off\", 1 = \"on\" }");
        }
        if known.invalid.len() > MOST_WORDS {
            let at = self.of_point(path, "invalid");
            self.say(at, format!("a point has at most {MOST_WORDS} marks of no value"));
        }
    }

    fn counter(&mut self, path: &PointPath, known: &Known) {
        let Some(counter) = &known.counter else { return };
        let at = self.of_point(path, "counter");
        match (counter.bits, counter.highest) {
            (None, None) => self.say(at, "say after how many bits, or after which highest number"),
            (Some(_), Some(highest)) => self.say(highest.at, "say bits or highest, not both"),
            (Some(bits), None) if !(8..=64).contains(&bits.value) => {
                self.say(bits.at, format!("bits is {}; it must lie between 8 and 64", bits.value));
            }
            (None, Some(highest)) if highest.value == 0 => self.say(highest.at, "highest is more than 0"),
            _ => {}
        }
        if let Some(access) = known.access.filter(|access| access.value.writes()) {
            self.say(access.at, "a counter can only be read");
        }
    }

    fn lock(&mut self, path: &PointPath, known: &Known) {
        let Some(lock) = &known.lock else { return };
        if lock.value == *path {
            self.say(lock.at, "a point cannot lock itself");
        } else if self.is_there(lock) && self.profile.point.get(&lock.value).is_some_and(|by| !by.can_lock()) {
            let says = "cannot tell whether it locks: that takes a point that is read, and is true or false or a number, \
                        without enum, offset or counter; give the raw point a name of its own for that";
            self.say(lock.at, format!("{} {says}", lock.value));
        }
        if known.access.is_some_and(|access| access.value == Access::Read) {
            self.say(lock.at, "a point that is only read needs no lock");
        }
    }

    fn terms(&mut self, known: &Known) {
        for list in known.sum.iter().chain(&known.difference) {
            if !(2..=MOST_TERMS).contains(&list.value.len()) {
                let says = format!("name 2 to {MOST_TERMS} points; there are {}", list.value.len());
                self.say(list.at, says);
            }
        }
        for term in known.terms() {
            if !self.is_there(term) {
                continue;
            }
            let kind = self.profile.point.get(&term.value).and_then(|known| known.kind(None));
            if let Some(kind) = kind.filter(|kind| !matches!(kind, ValueKind::Int | ValueKind::Uint | ValueKind::Float))
            {
                self.say(term.at, format!("{} is a {kind}; only numbers can be counted with", term.value));
            }
        }
    }

    fn units_of_terms(&mut self, path: &PointPath, known: &Known) {
        let unit = |path: &PointPath| self.profile.point.get(path)?.unit.as_ref().map(|unit| unit.value.as_str());
        let own = known.unit.as_ref().map(|unit| unit.value.as_str());
        let mut wrong = Vec::new();
        if let Some(power) = &known.energy {
            let of = unit(&power.value);
            let fits = of.zip(own).is_some_and(|(power, energy)| unit::per_hour(power, energy).is_some());
            if !fits && self.profile.point.contains_key(&power.value) {
                let [of, own] = [of, own].map(|unit| unit.unwrap_or("no unit"));
                let says = format!("from {of} no energy in {own} can be made; W goes with Wh or kWh, var with varh");
                wrong.push((power.at, says));
            }
        }
        for term in known.sum.iter().chain(&known.difference).flat_map(|list| &list.value) {
            let other = unit(&term.value).filter(|other| own.is_some_and(|own| own != *other));
            if let (Some(other), Some(own)) = (other, own) {
                wrong.push((term.at, format!("{} is in {other}, and {path} in {own}", term.value)));
            }
        }
        wrong.into_iter().for_each(|(at, says)| self.say(at, says));
    }
}
