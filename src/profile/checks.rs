//! What no single row of a profile can show: points that lead nowhere or in a circle, keys that contradict each other.

mod evidence;
mod modbus;
mod point;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use super::order::in_order;
use super::sections::{Known, Profile};
use super::{MOST_HINTS, MOST_TEXTS};
use crate::document::{At, Fault, Faults, Node, Placed, Table, Val};
use crate::model::point::MOST_POINTS;
use crate::model::{Name, PointPath};
use crate::units::Span;

/// What is read or waited for more often, or more rarely, is a slip of the finger.
const SHORTEST: Span = Span::millis(10);
const LONGEST: Span = Span::secs(365 * 86_400);

/// All profiles; `written` is the table of them, with what each has taken from another.
pub fn check(profiles: &BTreeMap<Name, Profile>, written: &Table, faults: &mut Faults) {
    // What a base has wrong itself is told first, and then not again for each that extends it.
    let (extending, bases): (Vec<_>, Vec<_>) = profiles.iter().partition(|(_, profile)| profile.extends.is_some());
    for (name, profile) in bases.into_iter().chain(extending) {
        if let Some(root) = written.get(name.as_str()).and_then(Node::table) {
            let base = profile.extends.as_ref().and_then(|base| written.get(base.value.as_str())?.table());
            let extends = profile.extends.as_ref().map_or(At::NOWHERE, |base| base.at);
            let taken = base.map(places).unwrap_or_default();
            Look { profile, root, taken, extends, here: extends, faults }.all();
        }
    }
}

/// Of everything in the table.
fn places(table: &Table) -> BTreeSet<At> {
    let inside = |node: &Node| match &node.val {
        Val::Table(table) => places(table),
        Val::List(nodes) => nodes.iter().flat_map(|node| [node.at].into_iter().chain(inside_list(node))).collect(),
        _ => BTreeSet::new(),
    };
    table.0.iter().flat_map(|(key, node)| [key.at, node.at].into_iter().chain(inside(node))).collect()
}

fn inside_list(node: &Node) -> BTreeSet<At> {
    node.table().map(places).unwrap_or_default()
}

struct Look<'a> {
    profile: &'a Profile,
    /// The table of that profile.
    root: &'a Table,
    /// Where stands what it has taken from another.
    taken: BTreeSet<At>,
    /// Where it says from which.
    extends: At,
    /// What is looked at, as far as it stands in the profile itself.
    here: At,
    faults: &'a mut Faults,
}

impl Look<'_> {
    fn all(&mut self) {
        self.counts();
        self.hints();
        for (path, known) in &self.profile.point {
            self.go_to(self.of_point(path, ""));
            self.point(path, known);
        }
        self.go_to(self.extends);
        self.circles();
        self.spans();
        self.modbus();
        self.operations();
        self.steps();
        self.go_to(self.at(&["health"]));
        self.health();
    }

    fn go_to(&mut self, at: At) {
        self.here = if self.taken.contains(&at) { self.extends } else { at };
    }

    fn say(&mut self, at: At, says: impl Into<String>) {
        self.add(Fault::new(at, says.into()));
    }

    /// What was right there and is wrong here is told here.
    fn add(&mut self, fault: Fault) {
        let is_told = self.faults.iter().any(|told| *told == fault);
        match self.taken.contains(&fault.at) && !is_told {
            true => self.faults.add(Fault { at: self.here, ..fault.clone() }.also(fault.at, "this is taken over")),
            false => self.faults.add(fault),
        }
    }

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
                self.say(at, format!("there are {count} {what}; a profile has at most {most}"));
            }
        }
    }

    fn hints(&mut self) {
        let empty = self.profile.r#match.iter().enumerate().filter(|(_, hint)| hint.is_empty());
        for (no, _) in empty {
            let node = self.root.get("match");
            let at = match node.map(|node| &node.val) {
                Some(Val::List(nodes)) => nodes.get(no).map_or(At::NOWHERE, |node| node.at),
                _ => At::NOWHERE,
            };
            let says = "this sign names nothing; say identity, hardware, version, point, component or driver";
            self.say(at, says);
        }
    }

    /// A point that others rest on is named in the profile, so that a slip of the finger is seen.
    pub(super) fn is_there(&mut self, point: &Placed<PointPath>) -> bool {
        let there = self.profile.point.contains_key(&point.value);
        if !there {
            let names: Vec<String> = self.profile.point.keys().map(ToString::to_string).collect();
            let says = format!("the profile has no point {}", point.value);
            let fault = Fault::new(point.at, says).meant(&point.value.to_string(), names.iter().map(String::as_str));
            self.add(fault);
        }
        there
    }

    fn circles(&mut self) {
        let Err(path) = in_order(&self.profile.point) else { return };
        let computed = |path: &PointPath| self.profile.point.get(path).is_some_and(Known::is_computed);
        let mut terms = self.profile.point.get(path).into_iter().flat_map(Known::terms);
        let at = terms.find(|term| computed(&term.value)).map_or(At::NOWHERE, |term| term.at);
        self.say(at, format!("{path} is computed from itself, if one follows what it is computed from"));
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
            self.say(at, format!("{key} is {span}; it must lie between {SHORTEST} and {LONGEST}"));
        }
    }
}
