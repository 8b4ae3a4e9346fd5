//! What no single row of a profile can show: points that lead nowhere or in a circle, keys that contradict each other.

mod point;

use std::cmp::Ordering;

use super::condition::Condition;
use super::order::in_order;
use super::sections::{Known, Profile};
use super::{MOST_HINTS, MOST_TEXTS};
use crate::document::{At, Fault, Faults, Placed, Table};
use crate::model::PointPath;
use crate::model::point::MOST_POINTS;
use crate::units::Span;

/// What is read or waited for more often, or more rarely, is a slip of the finger.
const SHORTEST: Span = Span::millis(10);
const LONGEST: Span = Span::secs(365 * 86_400);

/// `root` is the table of that profile, as it was written.
pub fn check(profile: &Profile, root: &Table, faults: &mut Faults) {
    let mut look = Look { profile, root, faults };
    look.counts();
    look.hints();
    for (path, known) in &profile.point {
        look.point(path, known);
    }
    look.circles();
    look.spans();
    look.operations();
    look.health();
}

struct Look<'a> {
    profile: &'a Profile,
    root: &'a Table,
    faults: &'a mut Faults,
}

impl Look<'_> {
    /// Where the key of that path stands.
    fn at(&self, path: &[&str]) -> At {
        self.root.follow(path).map_or(At::NOWHERE, |(key, _)| key.at)
    }

    fn value_at(&self, path: &[&str]) -> At {
        self.root.follow(path).map_or(At::NOWHERE, |(_, node)| node.at)
    }

    fn counts(&mut self) {
        let Profile { point, r#match, texts, .. } = self.profile;
        let counts = [
            ("point", "points", point.len(), MOST_POINTS),
            ("match", "signs", r#match.len(), MOST_HINTS),
            ("texts", "texts", texts.len(), MOST_TEXTS),
        ];
        for (key, what, count, most) in counts {
            if count > most {
                let at = self.at(&[key]);
                self.faults.say(at, format!("there are {count} {what}; a profile has at most {most}"));
            }
        }
    }

    fn hints(&mut self) {
        let empty = self.profile.r#match.iter().enumerate().filter(|(_, hint)| hint.is_empty());
        for (no, _) in empty {
            let node = self.root.get("match");
            let at = match node.map(|node| &node.val) {
                Some(crate::document::Val::List(nodes)) => nodes.get(no).map_or(At::NOWHERE, |node| node.at),
                _ => At::NOWHERE,
            };
            let says = "this sign names nothing; say identity, hardware, version, point, component or driver";
            self.faults.say(at, says);
        }
    }

    /// A point that others rest on is named in the profile, so that a slip of the finger is seen.
    pub(super) fn is_there(&mut self, point: &Placed<PointPath>) -> bool {
        let there = self.profile.point.contains_key(&point.value);
        if !there {
            let names: Vec<String> = self.profile.point.keys().map(ToString::to_string).collect();
            let says = format!("the profile has no point {}", point.value);
            let fault = Fault::new(point.at, says).meant(&point.value.to_string(), names.iter().map(String::as_str));
            self.faults.add(fault);
        }
        there
    }

    fn circles(&mut self) {
        let Err(path) = in_order(&self.profile.point) else { return };
        let computed = |path: &PointPath| self.profile.point.get(path).is_some_and(Known::is_computed);
        let mut terms = self.profile.point.get(path).into_iter().flat_map(Known::terms);
        let at = terms.find(|term| computed(&term.value)).map_or(At::NOWHERE, |term| term.at);
        self.faults.say(at, format!("{path} is computed from itself, if one follows what it is computed from"));
    }

    fn spans(&mut self) {
        let mut given = Vec::new();
        for (path, known) in &self.profile.point {
            given.extend(known.every.map(|span| (self.of_point(path, "every"), "every", span)));
        }
        for (kind, wanted) in &self.profile.operation {
            given.extend(
                wanted.timeout.map(|span| (self.value_at(&["operation", &kind.name(), "timeout"]), "timeout", span)),
            );
        }
        if let Some(health) = &self.profile.health {
            let spans = [("silent_after", health.silent_after), ("every", health.every)];
            given.extend(
                spans.into_iter().filter_map(|(key, span)| Some((self.value_at(&["health", key]), key, span?))),
            );
        }
        for (at, key, span) in given.into_iter().filter(|(_, _, span)| !(SHORTEST..=LONGEST).contains(span)) {
            self.faults.say(at, format!("{key} is {span}; it must lie between {SHORTEST} and {LONGEST}"));
        }
    }

    fn operations(&mut self) {
        for (kind, wanted) in &self.profile.operation {
            let at = self.at(&["operation", &kind.name()]);
            if kind.by_gateway() {
                self.faults.say(at, format!("{kind} is done by the gateway, without the device"));
            }
            if self.profile.forbid.has(*kind) {
                self.faults.say(at, format!("{kind} is among what this profile forbids"));
            }
            if let Some(success) = &wanted.success {
                self.is_there(&success.point);
                self.condition(success.condition(), success.point.at);
            }
        }
    }

    fn health(&mut self) {
        let Some(health) = &self.profile.health else { return };
        let condition = health.condition();
        match &health.point {
            Some(point) => {
                self.is_there(point);
                self.condition(condition, point.at);
            }
            None if !condition.is_empty() => {
                let at = self.at(&["health"]);
                self.faults.say(at, "say which point shall be so");
            }
            None if health.silent_after.is_none() && health.every.is_none() => {
                let at = self.at(&["health"]);
                self.faults.say(at, "health says nothing; say silent_after, every, or a point and how it shall be");
            }
            None => {}
        }
    }

    fn condition(&mut self, condition: Condition<'_>, point: At) {
        let Condition { equals, above, below } = condition;
        if condition.is_empty() {
            self.faults.say(point, "say how the point shall be: equals, above or below");
        }
        if let (Some(equals), true) = (equals, above.is_some() || below.is_some()) {
            self.faults.say(equals.at, "say equals, or above and below, not both");
        }
        if let Some((above, below)) =
            above.zip(below).filter(|(above, below)| above.value.partial_cmp(&below.value).is_none_or(Ordering::is_ge))
        {
            self.faults.say(below.at, format!("no number lies above {} and below {}", above.value, below.value));
        }
    }
}
