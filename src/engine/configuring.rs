//! Other settings while it runs. What did not change is not touched: no order goes to a link whose section is as it was.
//!
//! A link keeps its number as long as the process lives, also while it is taken out; one that is new takes the next.
//! Whoever runs the links tells the engine of the end of a task before it takes the link out or starts it anew.

use std::collections::BTreeSet;

use crate::model::*;

use super::Engine;
use super::links::LinkState;
use super::settings::{LinkSettings, Settings};
use super::step::Step;

impl Engine {
    pub fn configure(&mut self, now: &Now, settings: Settings) -> Step {
        let mut step = Step::default();
        let names: BTreeSet<Name> = settings.links.iter().map(|link| link.name.clone()).collect();
        for no in (0..).map(LinkNo).take(self.links.len()) {
            let link = &self.links[usize::from(no.0)];
            if !link.gone && !names.contains(&link.settings.name) {
                self.take_out(now, no, &mut step);
            }
        }
        for link in &settings.links {
            match self.registry.link(&link.name) {
                Some(no) => self.tune(now, no, link),
                None => self.add_link(link),
            }
        }
        let quarantine = self.settings.quarantine != settings.quarantine;
        self.registry.bound(&settings);
        self.attempts.bound(settings.most_attempts);
        // The tokens that are given out rest on the seed.
        self.settings = Settings { seed: self.settings.seed, ..settings };
        if quarantine {
            self.tell_quarantined();
        }
        (0..).take(self.links.len()).for_each(|no| self.pump(now, LinkNo(no), &mut step));
        self.react(now, &mut step);
        self.close_step(&mut step);
        step
    }

    /// In the order of their numbers; none for one that was taken out.
    pub fn link_names(&self) -> impl Iterator<Item = Option<&Name>> {
        self.links.iter().map(|link| Some(&link.settings.name).filter(|_| !link.gone))
    }

    fn take_out(&mut self, now: &Now, no: LinkNo, step: &mut Step) {
        self.link_ended(now, no, "it was taken out of the settings".into(), step);
        self.claims.forget_link(no);
        let link = &mut self.links[usize::from(no.0)];
        link.gone = true;
        let name = link.settings.name.clone();
        for device in self.registry.remove_link(&name) {
            self.commands.list(device, self.registry.link_of(device));
            if self.registry.link_of(device).is_none() {
                // Nobody asks it, so nobody knows.
                self.start_anew(now, device);
            }
        }
    }

    fn add_link(&mut self, settings: &LinkSettings) {
        let known = self.links.iter().position(|link| link.settings.name == settings.name);
        let place = known.unwrap_or(self.links.len());
        let no = LinkNo(u16::try_from(place).unwrap_or(u16::MAX));
        match self.links.get_mut(place) {
            Some(link) => *link = LinkState::new(settings.clone()),
            None => self.links.push(LinkState::new(settings.clone())),
        }
        for device in self.registry.add_link(&settings.name, no) {
            self.commands.list(device, self.registry.link_of(device));
            self.registry.touch(device, &mut self.touched.devices);
        }
    }

    fn tune(&mut self, now: &Now, no: LinkNo, settings: &LinkSettings) {
        let link = &mut self.links[usize::from(no.0)];
        let before = std::mem::replace(&mut link.settings, settings.clone());
        if before.every != settings.every {
            link.plan_anew(self.registry.on_link(no));
        }
        if before.silent_after != settings.silent_after && link.up.is_some() {
            for device in self.registry.on_link(no).collect::<Vec<_>>() {
                // The timer that is set may come too late; one too many does no harm.
                self.registry.unwatch(device);
                self.watch_for_silence(now, device);
            }
        }
    }

    /// What may be asked of them, and so what is read, is another.
    fn tell_quarantined(&mut self) {
        let quarantined =
            |no: &DeviceNo| self.registry.get(*no).is_some_and(|entry| entry.device.life == LifeCycle::Quarantined);
        let those: Vec<DeviceNo> = self.registry.numbers().filter(quarantined).collect();
        for no in those {
            let link = self.registry.link_of(no);
            self.commands.list(no, link);
            link.into_iter().for_each(|link| self.tell(link, no));
        }
    }
}
