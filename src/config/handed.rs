//! What each part of the daemon is handed of the settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sections::{Config, Group, Link, Rule, SigningKey};
use crate::links::Driver;
use crate::model::{Name, Scope, Stream};
use crate::profile::{Profile, Shaped};
use crate::store::{Bounds, Reader};
use crate::{api, engine, store};

impl Config {
    /// In the order of their names.
    pub fn drivers(&self) -> impl Iterator<Item = (&Name, &Link, Driver)> {
        self.link.iter().filter_map(|(name, link)| Some((name, link, link.driver()?)))
    }

    /// Made ready, by name.
    pub fn profiles(&self) -> BTreeMap<Name, Arc<Shaped>> {
        let shaped = |(name, profile): (&Name, &Profile)| {
            (name.clone(), Arc::new(Shaped::new(name.clone(), Arc::new(profile.clone()))))
        };
        self.profile.iter().map(shaped).collect()
    }

    pub fn engine(&self) -> engine::Settings {
        let Config { commands, devices, limits, .. } = self;
        engine::Settings {
            links: self.drivers().map(|(name, link, _)| link.engine(name)).collect(),
            command_timeout: commands.timeout.0,
            command_expiry: commands.expiry.0,
            longest_expiry: commands.longest_expiry.0,
            remember: commands.remember.0,
            grace: commands.grace.0,
            come_back: limits.come_back.0,
            admission: self.admission.iter().map(Rule::engine).collect(),
            profiles: self.profiles(),
            groups: self.group.iter().map(|(name, group)| group.engine(name)).collect(),
            quarantine: devices.quarantine,
            contest: devices.contest.0,
            guard: commands.guard.0,
            keep_retired: devices.keep_retired.0,
            seed: 0,
            most_devices: limits.devices,
            most_pending: limits.pending,
            most_points: limits.points,
            most_attempts: limits.attempts,
            most_tokens: limits.tokens,
            most_targets: limits.targets,
            most_commands: limits.commands,
            most_deeds: limits.deeds,
            most_queued: limits.waiting,
            most_waiting: limits.orders,
        }
    }

    /// Of those who sign what they ask.
    pub fn keys(&self) -> BTreeMap<Name, Arc<api::Key>> {
        self.key.iter().map(|(name, key)| (name.clone(), Arc::new(key.api(name)))).collect()
    }

    pub fn store(&self) -> store::Settings {
        let Config { store: of, journal, .. } = self;
        let reader = |(name, streams): (&Name, &Vec<Stream>)| Reader { name: name.clone(), streams: streams.clone() };
        store::Settings {
            cache: of.cache.0 as usize,
            readers: journal.readers.iter().map(reader).collect(),
            bounds: Bounds { vital: journal.vital, events: journal.events, telemetry: journal.telemetry },
            reserve: of.reserve,
            held: of.held,
            held_bytes: of.held_size.0 as usize,
            block_readings: of.flush_readings,
            block_bytes: of.flush_size.0 as usize,
            busy_age: of.flush_busy.0,
            many: of.busy,
            idle_age: of.flush_idle.0,
            ..store::Settings::default()
        }
    }
}

impl Link {
    fn engine(&self, name: &Name) -> engine::LinkSettings {
        engine::LinkSettings {
            name: name.clone(),
            driver: self.driver().and_then(|driver| Name::new(driver.name()).ok()),
            admission: self.admission,
            every: self.every.0,
            silent_after: self.silent_after.0,
        }
    }
}

impl Group {
    fn engine(&self, name: &Name) -> engine::GroupRule {
        engine::GroupRule { name: name.clone(), of: self.of.value.0.clone() }
    }
}

impl SigningKey {
    fn api(&self, name: &Name) -> api::Key {
        let scope = self.of.as_ref().map_or(Scope::All, |of| Scope::For(of.value.0.text().to_owned()));
        api::Key::new(name, self.public, self.role, scope)
    }
}

impl Rule {
    fn engine(&self) -> engine::AdmissionRule {
        engine::AdmissionRule {
            link: self.link.as_ref().map(|link| link.value.clone()),
            identity: self.identity.clone(),
            proof: self.proof,
            profile: self.profile.as_ref().map(|profile| profile.value.clone()),
            of: self.of.clone().map(|of| of.value),
            then: self.then,
        }
    }
}
