//! What no single key can show: names that lead nowhere, keys that contradict each other, more than there may be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::sections::{Api, Commands, Config, Link, Store};
use super::{devices, modbus};
use crate::document::{At, Fault, Faults, Key, KeyDoc, Nested, Node, Placed, Section, Table, section};
use crate::model::Name;
use crate::profile::{MOST_PROFILES, Profile};
use crate::selector::For;

/// The kernel's bound on the path of a Unix socket, without the ending zero.
const LONGEST_SOCKET_PATH: usize = 107;
/// Each new device is held against all of them.
const MOST_RULES: usize = 256;
const MOST_LINKS: usize = 256;
/// Each is looked at when a fact of a device changes.
const MOST_GROUPS: usize = 1_000;
const MOST_READERS: usize = 16;
const MOST_KEYS: usize = 256;

pub fn check(config: &Config, root: &Table, faults: &mut Faults) {
    let all_right = faults.is_empty();
    let mut look = Look { config, root, faults, all_right };
    look.socket();
    look.api();
    look.order_of_spans();
    look.links();
    look.admission();
    look.selectors();
    look.members();
    look.profiles();
    look.counts();
    devices::check(config, root, faults, all_right);
    modbus::check(config, root, faults, all_right);
}

/// A name that leads nowhere.
pub(super) fn no_such<T>(what: &str, name: &Placed<Name>, known: &BTreeMap<Name, T>) -> Fault {
    let Placed { value: name, at } = name;
    Fault::new(*at, format!("there is no {what} {name}")).meant(name.as_str(), known.keys().map(Name::as_str))
}

/// What a selector names, as a part of its text.
fn named_in(of: &Placed<For>, at: Range<usize>, fault: Fault) -> Fault {
    Fault { at: of.at, part: Some(Box::new((of.value.0.text().to_owned(), at))), ..fault }
}

fn is_driver(key: &KeyDoc) -> bool {
    matches!(key.nested, Nested::Within(_))
}

struct Look<'a> {
    config: &'a Config,
    root: &'a Table,
    faults: &'a mut Faults,
    /// Every key could be read.
    all_right: bool,
}

impl Look<'_> {
    /// True where nothing is wrong with the keys of that table.
    fn is_right<T: Section>(&self, path: &[&str]) -> bool {
        self.all_right || self.root.follow(path).is_none_or(|(_, node)| section::is_right::<T>(node))
    }

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

    fn api(&mut self) {
        let api = &self.config.api;
        if api.listen.is_some() && self.is_right::<Api>(&["api"]) {
            for (missing, key) in [(api.certificate.is_none(), "certificate"), (api.key.is_none(), "key")] {
                if missing {
                    self.say(
                        &["api", "listen"],
                        format!("who listens for those from afar needs a {key} too (api.{key})"),
                    );
                }
            }
        }
    }

    fn order_of_spans(&mut self) {
        let Config { store, commands, .. } = self.config;
        if store.flush_busy > store.flush_idle && self.is_right::<Store>(&["store"]) {
            let says = format!(
                "flush_busy is {}, longer than flush_idle, {}; it is the shorter of the two",
                store.flush_busy, store.flush_idle
            );
            self.say(&self.written("store", "flush_busy", "flush_idle"), says);
        }
        if commands.expiry > commands.longest_expiry && self.is_right::<Commands>(&["commands"]) {
            let says =
                format!("expiry is {}, longer than longest_expiry, {}", commands.expiry, commands.longest_expiry);
            self.say(&self.written("commands", "expiry", "longest_expiry"), says);
        }
    }

    fn links(&mut self) {
        self.two_drivers();
        self.one_link_a_port();
        let mut without = Vec::new();
        for (name, _) in self.config.link.iter().filter(|(_, link)| link.driver().is_none()) {
            let written = self.root.get("link").and_then(Node::table).and_then(|links| links.get(name.as_str()));
            let mut keys = written.and_then(Node::table).into_iter().flat_map(|table| &table.0);
            // A driver that is not known, or that could not be read, was told of already.
            let is_none = |key: &Key| Link::KEYS.iter().any(|known| known.name == key.text && !is_driver(known));
            if keys.all(|(key, _)| is_none(key)) {
                without.push(name);
            }
        }
        for name in without {
            let drivers: Vec<String> = Link::drivers().map(|driver| format!("[link.{name}.{driver}]")).collect();
            self.say(&["link", name.as_str()], format!("link {name} has no driver; add {}", drivers.join(" or ")));
        }
    }

    /// A link is attached in one way.
    fn two_drivers(&mut self) {
        let Some(links) = self.root.get("link").and_then(Node::table) else { return };
        let mut faults = Vec::new();
        for (name, node) in &links.0 {
            let drivers = node.table().into_iter().flat_map(|table| &table.0);
            let is_driver = |key: &Key| Link::drivers().any(|driver| driver == key.text);
            let mut drivers: Vec<At> = drivers.filter(|(key, _)| is_driver(key)).map(|(key, _)| key.at).collect();
            drivers.sort();
            for at in drivers.into_iter().skip(1) {
                let says = format!("link {} has a driver already; take one of them away", name.text);
                faults.push(Fault::new(at, says));
            }
        }
        faults.into_iter().for_each(|fault| self.faults.add(fault));
    }

    /// What is the same port by another name is seen when it is opened.
    fn one_link_a_port(&mut self) {
        let mut known: BTreeMap<String, (&Name, At)> = BTreeMap::new();
        let mut faults = Vec::new();
        for (name, link) in &self.config.link {
            let Some(rtu) = &link.modbus_rtu else { continue };
            let at = self.at(&["link", name.as_str(), "modbus-rtu", "port"]);
            match known.get(&rtu.port.to_string()) {
                Some((first, there)) => {
                    let says = format!("{} is the port of link {first} already; a port has one link", rtu.port);
                    faults.push(Fault::new(at, says).also(*there, "it is here first"));
                }
                None => drop(known.insert(rtu.port.to_string(), (name, at))),
            }
        }
        faults.into_iter().for_each(|fault| self.faults.add(fault));
    }

    fn admission(&mut self) {
        for rule in &self.config.admission {
            if let Some(link) = rule.link.as_ref().filter(|link| !self.config.link.contains_key(&link.value)) {
                self.faults.add(Fault { lost: true, ..no_such("link", link, &self.config.link) });
            }
            let profiles = &self.config.profile;
            if let Some(profile) = rule.profile.as_ref().filter(|profile| !profiles.contains_key(&profile.value)) {
                self.faults.add(Fault { lost: true, ..no_such("profile", profile, profiles) });
            }
        }
    }

    /// The links and profiles that a selector names are there. Groups need not be: people put devices into them. But a
    /// group that rests on a selector is not there for the selector of another: none of them could be asked first.
    fn selectors(&mut self) {
        let Config { group, admission, link, profile, key, .. } = self.config;
        let mut faults = Vec::new();
        let keys = key.values().filter_map(|key| Some((key.of.as_ref()?, true)));
        let groups = group.values().map(|group| (&group.of, true)).chain(keys);
        for (of, is_group) in groups.chain(admission.iter().filter_map(|rule| Some((rule.of.as_ref()?, false)))) {
            let For(selector) = &of.value;
            for (name, at) in selector.links().filter(|(name, _)| !link.contains_key(*name)) {
                faults.push(Fault { lost: true, ..named_in(of, at, no_such("link", &name.clone().into(), link)) });
            }
            for (name, at) in selector.profiles().filter(|(name, _)| !profile.contains_key(*name)) {
                // Of a rule nobody could say any more whom it is about.
                faults.push(Fault {
                    lost: is_group,
                    ..named_in(of, at, no_such("profile", &name.clone().into(), profile))
                });
            }
        }
        for of in group.values().map(|group| &group.of) {
            for (name, at) in of.value.0.groups().filter(|(name, _)| group.contains_key(*name)) {
                let says = format!(
                    "group {name} rests on a selector itself; say here what it says, or put devices into another group"
                );
                faults.push(named_in(of, at, Fault::new(At::NOWHERE, says)));
            }
        }
        faults.into_iter().for_each(|fault| self.faults.add(fault));
    }

    /// Nobody is put into a group that rests on a selector.
    fn members(&mut self) {
        for (name, device) in &self.config.device {
            for group in device.groups.iter().filter(|group| self.config.group.contains_key(*group)) {
                let says = format!("group {group} rests on a selector, which alone says who is in it");
                self.say(&["device", name.as_str(), "groups"], says);
            }
        }
    }

    fn profiles(&mut self) {
        let Some(written) = self.root.get("profile").and_then(Node::table) else { return };
        let right = |name: &Name| written.get(name.as_str()).is_some_and(section::could_be_read::<Profile>);
        let profiles = match self.all_right {
            true => Cow::Borrowed(&self.config.profile),
            // One of which a key could not be read would seem to lack it.
            false => Cow::Owned(self.config.profile.clone().into_iter().filter(|(name, _)| right(name)).collect()),
        };
        crate::profile::checks::check(&profiles, written, self.faults);
    }

    fn counts(&mut self) {
        let Config { link, group, admission, journal, profile, key, .. } = self.config;
        let counts = [
            (vec!["link"], "links", link.len(), MOST_LINKS),
            (vec!["group"], "groups", group.len(), MOST_GROUPS),
            (vec!["profile"], "profiles", profile.len(), MOST_PROFILES),
            (vec!["key"], "keys", key.len(), MOST_KEYS),
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
