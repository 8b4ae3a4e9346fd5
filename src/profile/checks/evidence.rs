//! What shows that an operation was carried out, or that a device is well: it can be read, and it can be as it is said.

use std::cmp::Ordering;

use super::Look;
use crate::document::{At, Fault, Placed, Val};
use crate::model::{Access, OperationKind, PointPath, Value, ValueKind};
use crate::profile::condition::Condition;
use crate::profile::sections::{Known, Wanted};

/// What one of them did is told by its own answer, each time for other points.
const OF_POINTS: [OperationKind; 5] = [
    OperationKind::Read,
    OperationKind::Write,
    OperationKind::Observe,
    OperationKind::ReportPolicyGet,
    OperationKind::ReportPolicySet,
];

impl Look<'_> {
    pub(super) fn operations(&mut self) {
        for (kind, wanted) in &self.profile.operation {
            self.go_to(self.at(&["operation", &kind.name()]));
            self.operation(*kind, wanted);
        }
        for kind in self.profile.forbid.kinds().filter(|kind| kind.by_gateway()) {
            let at = self.forbidden_at(kind);
            self.say(at, format!("{kind} is done by the gateway, without the device; roles say who may ask for it"));
        }
    }

    fn operation(&mut self, kind: OperationKind, wanted: &Wanted) {
        let at = self.at(&["operation", &kind.name()]);
        if kind.by_gateway() {
            self.say(at, format!("{kind} is done by the gateway, without the device"));
        }
        if self.profile.forbid.has(kind) {
            self.say(at, format!("{kind} is among what this profile forbids"));
        }
        let Some(success) = &wanted.success else { return };
        if OF_POINTS.contains(&kind) {
            let at = self.at(&["operation", &kind.name(), "success"]);
            self.say(at, format!("{kind} is asked for many points, and one point cannot show success for all of them"));
        }
        self.is_there(&success.point);
        self.condition(success.condition(), &success.point);
    }

    fn forbidden_at(&self, kind: OperationKind) -> At {
        let Some(Val::List(nodes)) = self.root.get("forbid").map(|node| &node.val) else { return At::NOWHERE };
        nodes.iter().find(|node| node.text() == Some(&kind.name())).map_or(At::NOWHERE, |node| node.at)
    }

    pub(super) fn health(&mut self) {
        let Some(health) = &self.profile.health else { return };
        let condition = health.condition();
        let at = self.at(&["health"]);
        match &health.point {
            Some(point) => {
                self.is_there(point);
                self.condition(condition, point);
            }
            None if !condition.is_empty() => self.say(at, "say which point shall be so"),
            None if health.silent_after.is_none() && health.every.is_none() => {
                self.say(at, "health says nothing; say silent_after, every, or a point and how it shall be");
            }
            None => {}
        }
        if let (Some(after), Some(every)) = (health.silent_after, health.every)
            && after < every
        {
            let at = self.value_at(&["health", "silent_after"]);
            self.say(
                at,
                format!("silent_after is {after}, and every {every}: it is not heard more often than it is read"),
            );
        }
    }

    fn condition(&mut self, condition: Condition<'_>, point: &Placed<PointPath>) {
        let Condition { equals, above, below } = condition;
        if condition.is_empty() {
            self.say(point.at, "say how the point shall be: equals, above or below");
        }
        if let (Some(equals), true) = (equals, above.is_some() || below.is_some()) {
            self.say(equals.at, "say equals, or above and below, not both");
        }
        if let Some((above, below)) =
            above.zip(below).filter(|(above, below)| above.value.partial_cmp(&below.value).is_none_or(Ordering::is_ge))
        {
            self.say(below.at, format!("no number lies above {} and below {}", above.value, below.value));
        }
        for (key, end) in [("above", above), ("below", below)] {
            if let Some(end) = end.filter(|end| !end.value.is_finite()) {
                self.say(end.at, format!("{key} is a number, not {}", end.value));
            }
        }
        if let Some(known) = self.profile.point.get(&point.value) {
            self.can_be(condition, point, known);
        }
    }

    /// Whether such a point can ever be like that.
    fn can_be(&mut self, condition: Condition<'_>, point: &Placed<PointPath>, known: &Known) {
        let path = &point.value;
        if known.access.is_some_and(|access| access.value == Access::Write) {
            self.say(point.at, format!("{path} cannot be read, so it shows nothing"));
        }
        let Some(kind) = known.kind(None) else { return };
        let is_number = matches!(kind, ValueKind::Int | ValueKind::Uint | ValueKind::Float);
        for end in [condition.above, condition.below].into_iter().flatten().filter(|_| !is_number) {
            self.say(end.at, format!("{path} is a {kind}, no number; say equals"));
        }
        let Some(Placed { value, at }) = condition.equals else { return };
        match (&known.r#enum, value) {
            (Some(words), Value::Text(word)) if words.value.raw(word).is_none() => {
                let words: Vec<&str> = words.value.0.values().map(String::as_str).collect();
                let says = format!("{path} is one of {}, never {word:?}", words.join(", "));
                self.add(Fault::new(*at, says).meant(word, words));
            }
            _ if value.number().is_some_and(|x| !x.is_finite()) => self.say(*at, "equals is a value that can be read"),
            _ if value.clone().into_kind(kind).is_err() => {
                self.say(*at, format!("{path} is a {kind}, never {value}"));
            }
            _ => {}
        }
    }
}
