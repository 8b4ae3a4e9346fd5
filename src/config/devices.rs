//! Devices that the settings name: known before they are ever seen, with what people know of them and their keys.
//!
//! Each start and each change of the settings registers them anew; who is known already is taken as it is said, unless
//! nothing has changed since it was said last. A table that is taken out forgets nobody: to retire a device is a decision.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Config;
use super::checks::no_such;
use crate::document::{At, Fault, Faults, Key, Node, Placed, Table, part, section};
use crate::model::about::{About, Location, LocationSource, PowerSource};
use crate::model::registration::MOST_GROUPS;
use crate::model::{Address, Identity, IdentityKind, LifeCycle, Name, Proof, Registration, Secret, Wall, check_key};
use crate::nearest::nearest;
use crate::seal::{Seal, SecretSource};
use crate::section;

section! {
    /// Devices that are known before they are ever seen, by a name of the owner's choice. Each start and each change of
    /// the settings tells what is said here; a table that is taken out forgets nobody (dmgw command ask DEVICE retire does).
    pub struct KnownDevice {
        /// What is not given here is taken from this template.
        template: Option<Name> = None, like "\"feeder\"";
        /// Who it is, KIND:VALUE, strongest or not. Kinds: endpoint, serial, ble, eui, imei, uuid. Without any, it is
        /// known by its link and address only.
        identities: Vec<Placed<Said>> = Vec::new(), like "[\"serial:acme:17\"]";
        /// On which link it will be found, and where on it.
        link: Option<Placed<Name>> = None, like "\"plant\"";
        address: Option<Placed<Address>> = None, like "\"7\"";
        /// Which kind of device it is. Without: found by what it shows.
        profile: Option<Placed<Name>> = None, like "\"acme-meter\"";
        /// As what it starts, or is from now on: managed (if nothing is said), pending, quarantined or refused.
        life: Option<Placed<LifeCycle>> = None, like "\"managed\"";
        /// Groups that it is put into. To leave one out later takes it out of none.
        groups: Vec<Name> = Vec::new(), like "[\"line-a\"]";
        /// What people say of it, for selectors and for those who look.
        label: BTreeMap<Name, String> = BTreeMap::new(), like "{ row = \"3\", floor = \"-1\" }";
        /// What it is used for, maker and model, where it is, its source of power (mains, battery, harvested or line), how
        /// well its traffic is protected and how much it matters under load, both 0 to 7.
        application: Option<String> = None, like "\"lighting\"";
        hardware: Option<String> = None, like "\"Acme M1\"";
        location: Option<String> = None, like "\"hall 2\"";
        power: Option<PowerSource> = None, like "\"mains\"";
        security: Option<u8> = None, like "2";
        access: Option<u8> = None, like "4";
        /// Its key, of 8 to 128 bytes: who does not show it is somebody else. `dmgw secret seal` makes a sealed one.
        key: Option<Placed<SecretSource>> = None => secret Option<Placed<SecretSource>>, like "{ file = \"/etc/dmgw/keys/feeder-1\" }";
    }
}

/// An identity as people write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Said(pub Identity);

impl TryFrom<String> for Said {
    type Error = String;

    fn try_from(text: String) -> Result<Said, String> {
        let kinds = IdentityKind::ALL.map(IdentityKind::name).join(", ");
        let wrong = || format!("{text:?} is no identity; write KIND:VALUE, such as serial:acme:17; kinds are {kinds}");
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        let near = || nearest(kind, IdentityKind::ALL.map(IdentityKind::name)).map(|near| format!("{near}:{value}"));
        let known = IdentityKind::ALL.into_iter().find(|known| known.name() == kind);
        let kind = known.ok_or_else(|| part::meant(&wrong(), near().as_deref()))?;
        Identity::new(kind, value, Proof::Claimed).map(Said).map_err(|error| error.to_string())
    }
}

impl From<Said> for String {
    fn from(said: Said) -> String {
        said.0.to_string()
    }
}

/// What no table can show alone. `all_right`: every key could be read.
pub fn check(config: &Config, root: &Table, faults: &mut Faults, all_right: bool) {
    let (mut known, mut places) = (BTreeMap::new(), BTreeMap::new());
    let tables = root.get("device").and_then(Node::table);
    for (name, device) in &config.device {
        let Some((Key { at, .. }, node)) = tables.and_then(|tables| tables.find(name.as_str())) else { continue };
        device.leads_somewhere(config, faults);
        device.is_no_other(name, *at, &mut known, faults);
        device.has_its_place(name, *at, &mut places, faults);
        // What is missing, a key with a mistake may have been meant to say.
        if all_right || section::is_right::<KnownDevice>(node) {
            device.says_who_it_is(*at, faults);
        }
        device.keeps_bounds(node, faults);
    }
    let (count, most) = (config.device.len(), config.limits.devices);
    if count > most {
        let at = root.follow(&["limits", "devices"]).map_or(At::NOWHERE, |(_, node)| node.at);
        faults.say(at, format!("the settings name {count} devices; with devices = {most} the rest is turned away"));
    }
}

impl KnownDevice {
    fn leads_somewhere(&self, config: &Config, faults: &mut Faults) {
        if let Some(link) = self.link.as_ref().filter(|link| !config.link.contains_key(&link.value)) {
            faults.add(Fault { lost: true, ..no_such("link", link, &config.link) });
        }
        if let Some(profile) = self.profile.as_ref().filter(|name| !config.profile.contains_key(&name.value)) {
            faults.add(Fault { lost: true, ..no_such("profile", profile, &config.profile) });
        }
    }

    fn is_no_other(&self, name: &Name, table: At, known: &mut BTreeMap<String, (At, At)>, faults: &mut Faults) {
        for Placed { value: Said(identity), at } in &self.identities {
            if let Some((of, first)) = known.insert(identity.to_string(), (table, *at)) {
                let says = match of == table {
                    true => format!("{identity} is there twice"),
                    false => format!("{identity} is another device already, not {name}; an identity names one"),
                };
                faults.add(Fault::new(*at, says).also(first, "it is here first"));
            }
        }
    }

    fn has_its_place<'a>(
        &'a self,
        name: &Name,
        table: At,
        places: &mut BTreeMap<(&'a Name, &'a Address), (At, At)>,
        faults: &mut Faults,
    ) {
        let Some((link, address)) = self.link.as_ref().zip(self.address.as_ref()) else { return };
        if let Some((first, written)) = places.insert((&link.value, &address.value), (table, address.at)) {
            let says = format!("another device is on link {} at {} already, not {name}", link.value, address.value);
            // It may be written once, in a template that both take.
            let at = if written == address.at { table } else { address.at };
            faults.add(Fault::new(at, says).also(first, "it is this one"));
        }
    }

    fn says_who_it_is(&self, table: At, faults: &mut Faults) {
        let nobody = self.identities.is_empty();
        if let (Some(address), None) = (&self.address, &self.link) {
            faults.say(address.at, "an address says nothing without its link");
        } else if nobody && self.address.is_none() {
            let at = self.link.as_ref().map_or(table, |link| link.at);
            faults.say(at, "say who it is: identities, or a link and an address");
        }
        if let (Some(key), true) = (&self.key, nobody) {
            faults.say(key.at, "a key belongs to an identity; a place has none");
        }
    }

    /// Each where it is written.
    fn keeps_bounds(&self, node: &Node, faults: &mut Faults) {
        let at = |key: &str| node.table().and_then(|table| table.get(key)).map_or(node.at, |node| node.at);
        for (key, about) in self.about_by_key() {
            if let Err(says) = about.check() {
                faults.say(at(key), format!("{key}: {says}"));
            }
        }
        if self.groups.len() > MOST_GROUPS {
            let says = format!("a device is in at most {MOST_GROUPS} groups; there are {}", self.groups.len());
            faults.say(at("groups"), says);
        }
        if let Some(life) = self.life.as_ref().filter(|life| life.value == LifeCycle::Retired) {
            faults.say(life.at, "nobody begins as retired: take the table out, and retire the device");
        }
    }

    fn about_by_key(&self) -> [(&'static str, About); 6] {
        let About { labels, location, application, hardware, security, access, .. } = self.about();
        [
            ("label", About { labels, ..About::default() }),
            ("location", About { location, ..About::default() }),
            ("application", About { application, ..About::default() }),
            ("hardware", About { hardware, ..About::default() }),
            ("security", About { security, ..About::default() }),
            ("access", About { access, ..About::default() }),
        ]
    }

    fn about(&self) -> About {
        let place = |place: &String| Location {
            place: Some(place.clone()),
            position: None,
            source: LocationSource::Administrator,
            at: Wall(0),
        };
        About {
            labels: self.label.clone(),
            location: self.location.as_ref().map(place),
            application: self.application.clone(),
            hardware: self.hardware.clone(),
            power: self.power,
            security: self.security,
            access: self.access,
            ..About::default()
        }
    }

    /// Without its key.
    fn registration(&self, name: &Name) -> Registration {
        let plain = Registration {
            identities: self.identities.iter().map(|said| said.value.0.clone()).collect(),
            link: self.link.as_ref().map(|link| link.value.clone()),
            address: self.address.as_ref().map(|address| address.value.clone()),
            name: Some(name.clone()),
            groups: self.groups.clone(),
            about: self.about(),
            profile: self.profile.as_ref().map(|profile| profile.value.clone()),
            life: self.life.as_ref().map(|life| life.value),
            ..Registration::default()
        };
        Registration { mark: Some(plain.mark_of()), ..plain }
    }

    fn key(&self, seal: &Seal, credentials: Option<&Path>) -> Result<Option<Secret>, String> {
        let Some(key) = &self.key else { return Ok(None) };
        let key = key.value.resolve(seal, credentials).map_err(|error| error.to_string())?;
        check_key(&key)?;
        Ok(Some(key))
    }
}

impl Config {
    /// All of them, and what is wrong with some. One whose key cannot be had is registered all the same: who has no key to
    /// show must not be let in as somebody who needs none.
    pub fn registrations(&self, seal: &Seal, credentials: Option<&Path>) -> (Vec<(Name, Registration)>, Vec<String>) {
        let (mut all, mut wrong) = (Vec::new(), Vec::new());
        for (name, device) in &self.device {
            let mut registration = device.registration(name);
            match device.key(seal, credentials) {
                Ok(key) => registration.key = key,
                Err(why) => {
                    registration.key_missing = true;
                    let until = "until it can be read, nobody is this device without the key that it had before";
                    wrong.push(format!("device.{name}: its key: {why}; {until}"));
                }
            }
            all.push((name.clone(), registration));
        }
        (all, wrong)
    }
}
