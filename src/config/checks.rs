//! What no single key can show: names that lead nowhere, keys that contradict each other, more than there may be.

use std::collections::BTreeMap;

use super::devices;
use super::sections::{Config, Link};
use crate::document::{At, Fault, Faults, Node, Placed, Section, Table};
use crate::model::Name;
use crate::profile::MOST_PROFILES;

/// The kernel's bound on the path of a Unix socket, without the ending zero.
const LONGEST_SOCKET_PATH: usize = 107;
/// Each new device is held against all of them.
const MOST_RULES: usize = 256;
const MOST_LINKS: usize = 256;
const MOST_READERS: usize = 16;

pub fn check(config: &Config, root: &Table, faults: &mut Faults) {
    let mut look = Look { config, root, faults };
    look.socket();
    look.order_of_spans();
    look.links();
    look.admission();
    look.selectors();
    look.profiles();
    look.counts();
    devices::check(config, faults);
}

/// A name that leads nowhere.
pub(super) fn no_such<T>(what: &str, name: &Placed<Name>, known: &BTreeMap<Name, T>) -> Fault {
    let Placed { value: name, at } = name;
    Fault::new(*at, format!("there is no {what} {name}")).meant(name.as_str(), known.keys().map(Name::as_str))
}

struct Look<'a> {
    config: &'a Config,
    root: &'a Table,
    faults: &'a mut Faults,
}

impl Look<'_> {
    /// Where that key stands, or else the table that should have it.
    fn at(&self, path: &[&str]) -> At {
        self.root.follow(path).map_or(At::NOWHERE, |(_, node)| node.at)
    }

    /// Of two that contradict each other, the one that somebody wrote.
    fn written<'a>(&self, section: &'a str, key: &'a str, other: &'a str) -> [&'a str; 2] {
        let table = self.root.get(section).and_then(Node::table);
        let is_there = |key: &str| table.is_some_and(|table| table.get(key).is_some());
        [section, if is_there(key) || !is_there(other) { key } else { other }]
    }

    fn say(&mut self, path: &[&str], says: String) {
        let at = self.at(path);
        self.faults.say(at, says);
    }

    fn socket(&mut self) {
        let bytes = self.config.socket.path.value.as_os_str().len();
        if !(1..=LONGEST_SOCKET_PATH).contains(&bytes) {
            self.say(&["socket", "path"], format!("path has {bytes} bytes; Linux takes 1 to {LONGEST_SOCKET_PATH}"));
        }
    }

    fn order_of_spans(&mut self) {
        let Config { store, commands, .. } = self.config;
        if store.flush_busy > store.flush_idle {
            let says = format!(
                "flush_busy is {}, longer than flush_idle, {}; it is the shorter of the two",
                store.flush_busy, store.flush_idle
            );
            self.say(&self.written("store", "flush_busy", "flush_idle"), says);
        }
        if commands.expiry > commands.longest_expiry {
            let says =
                format!("expiry is {}, longer than longest_expiry, {}", commands.expiry, commands.longest_expiry);
            self.say(&self.written("commands", "expiry", "longest_expiry"), says);
        }
    }

    fn links(&mut self) {
        let mut without = Vec::new();
        for (name, _) in self.config.link.iter().filter(|(_, link)| link.driver().is_none()) {
            let written = self.root.get("link").and_then(Node::table).and_then(|links| links.get(name.as_str()));
            let mut keys = written.and_then(Node::table).into_iter().flat_map(|table| &table.0);
            // A driver that is not known was told of already.
            if keys.all(|(key, _)| Link::KEYS.iter().any(|known| known.name == key.text)) {
                without.push(name);
            }
        }
        for name in without {
            let drivers: Vec<String> = Link::drivers().map(|driver| format!("[link.{name}.{driver}]")).collect();
            self.say(&["link", name.as_str()], format!("link {name} has no driver; add {}", drivers.join(" or ")));
        }
    }

    fn admission(&mut self) {
        for rule in &self.config.admission {
            if let Some(link) = rule.link.as_ref().filter(|link| !self.config.link.contains_key(&link.value)) {
                self.faults.add(Fault { lost: true, ..no_such("link", link, &self.config.link) });
            }
            let profiles = &self.config.profile;
            if let Some(profile) = rule.profile.as_ref().filter(|profile| !profiles.contains_key(&profile.value)) {
                // Not `lost`: without its profile a rule that refuses would let everybody in.
                self.faults.add(no_such("profile", profile, profiles));
            }
        }
    }

    /// A link that a selector names. Groups need not be there: people make them by hand.
    fn selectors(&mut self) {
        let Config { group, admission, link, .. } = self.config;
        let rules = admission.iter().filter_map(|rule| rule.of.as_ref());
        for of in group.values().map(|group| &group.of).chain(rules) {
            let text = of.value.0.text();
            for (lost, bytes) in of.value.0.links().filter(|(name, _)| !link.contains_key(*name)) {
                let part = Some(Box::new((text.to_owned(), bytes)));
                let name = Placed { value: lost.clone(), at: of.at };
                self.faults.add(Fault { part, lost: true, ..no_such("link", &name, link) });
            }
        }
    }

    fn profiles(&mut self) {
        let written = self.root.get("profile").and_then(Node::table);
        for (name, profile) in &self.config.profile {
            if let Some(table) = written.and_then(|profiles| profiles.get(name.as_str())).and_then(Node::table) {
                crate::profile::checks::check(profile, table, self.faults);
            }
        }
    }

    fn counts(&mut self) {
        let Config { link, admission, journal, profile, .. } = self.config;
        let counts = [
            (vec!["link"], "links", link.len(), MOST_LINKS),
            (vec!["profile"], "profiles", profile.len(), MOST_PROFILES),
            (vec!["admission"], "rules of admission", admission.len(), MOST_RULES),
            (vec!["journal", "readers"], "readers", journal.readers.len(), MOST_READERS),
        ];
        for (path, what, count, most) in counts {
            if count > most {
                self.say(&path, format!("there are {count} {what}; at most {most}"));
            }
        }
    }
}
