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
    pub fn configure(&mut self, now: &Now, mut settings: Settings) -> Step {
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
        let kinds = self.same_profiles(&mut settings);
        let groups = self.settings.groups != settings.groups;
        let quarantine = self.settings.quarantine != settings.quarantine;
        self.registry.bound(&settings);
        self.attempts.bound(settings.most_attempts);
        // The tokens that are given out rest on the seed.
        self.settings = Settings { seed: self.settings.seed, ..settings };
        if kinds {
            self.match_all(now, &mut step);
        }
        if groups {
            self.group_all();
        }
        if quarantine {
            self.tell_quarantined();
        }
        (0..).take(self.links.len()).for_each(|no| self.pump(now, LinkNo(no), &mut step));
        self.react(now, &mut step);
        self.close_step(now, &mut step);
        step
    }

    /// A profile that says the same is the same: what works with it goes on. True where any is another.
    fn same_profiles(&self, settings: &mut Settings) -> bool {
        for (name, shaped) in &mut settings.profiles {
            if let Some(known) = self.settings.profiles.get(name).filter(|known| *known == shaped) {
                *shaped = known.clone();
            }
        }
        self.settings.profiles != settings.profiles
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
            self.kinds.anew.insert(device);
            self.registry.touch(device, &mut self.touched.devices);
        }
    }

    fn tune(&mut self, now: &Now, no: LinkNo, settings: &LinkSettings) {
        let link = &mut self.links[usize::from(no.0)];
        let before = std::mem::replace(&mut link.settings, settings.clone());
        if before.driver != settings.driver {
            self.kinds.anew.extend(self.registry.on_link(no));
        }
        let link = &mut self.links[usize::from(no.0)];
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::engine::{Admission, GroupRule};
    use crate::selector::Selector;

    const NAMES: [&str; 3] = ["attic", "plant", "yard"];

    fn at(s: u64) -> Now {
        Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(s * 1_000), quality: ClockQuality::Set }
    }

    fn settings(links: &[(&str, u64)]) -> Settings {
        let seconds = Duration::from_secs;
        let link = |(name, every): &(&str, u64)| LinkSettings {
            name: Name::new(name).unwrap(),
            driver: None,
            admission: Admission::Accept,
            every: seconds(*every),
            silent_after: seconds(10 * every),
        };
        Settings { links: links.iter().map(link).collect(), ..Settings::default() }
    }

    /// Two devices on each of the links, each with a point.
    fn state() -> State {
        let capabilities: Capabilities = serde_json::from_value(serde_json::json!({
            "operations": ["read"], "points": [{ "no": 0, "path": "a.b", "kind": "float" }]
        }))
        .unwrap();
        let device = |no: u32| {
            let link = Name::new(NAMES[no as usize / 2]).unwrap();
            let place = Place { link, address: Address::new(&format!("d{no}")).unwrap() };
            let id = DeviceId::new(&format!("urn:{no}")).unwrap();
            let identities = vec![Identity::new(IdentityKind::Serial, &no.to_string(), Proof::Claimed).unwrap()];
            let life = [LifeCycle::Managed, LifeCycle::Quarantined][no as usize % 2];
            Device { place: Some(place), identities, ..Device::new(DeviceNo(no), id, life, &at(0)) }.into()
        };
        State {
            devices: (0..6).map(device).collect(),
            shapes: vec![(ShapeNo(0), capabilities.into())],
            ..State::default()
        }
    }

    fn no_of(engine: &Engine, name: &str) -> LinkNo {
        engine.registry.link(&Name::new(name).unwrap()).unwrap()
    }

    fn up(engine: &mut Engine, name: &str) -> Vec<LinkOrder> {
        let link = no_of(engine, name);
        of_link(engine.handle(&at(9), Event::Link { link, event: LinkEvent::Up { credits: 64 } }))
    }

    fn of_link(step: Step) -> Vec<LinkOrder> {
        let order = |order| match order {
            Order::Link { order, .. } => Some(order),
            _ => None,
        };
        step.orders.into_iter().filter_map(order).collect()
    }

    #[test]
    fn a_link_whose_section_is_as_it_was_hears_nothing() {
        let (mut engine, _) = Engine::load(settings(&[("plant", 1), ("yard", 1)]), state(), &at(0));
        assert_eq!((up(&mut engine, "plant").len(), up(&mut engine, "yard").len()), (5, 5));
        let step = engine.configure(&at(2), settings(&[("attic", 3), ("plant", 1), ("yard", 5)]));
        let links: BTreeSet<LinkNo> = step
            .orders
            .iter()
            .map(|order| match order {
                Order::Link { link, order: LinkOrder::Admit { .. } | LinkOrder::Plan { .. } } => *link,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(links, [no_of(&engine, "yard")].into());
        assert_eq!(no_of(&engine, "attic"), LinkNo(2), "numbers stay");
    }

    #[test]
    fn who_was_on_a_link_that_is_taken_out_is_not_known_to_be_anywhere_until_it_is_back() {
        let (mut engine, _) = Engine::load(settings(&[("plant", 1)]), state(), &at(0));
        up(&mut engine, "plant");
        let heard = Heard { device: DeviceNo(2), at: Mono(9_500), readings: Vec::new() };
        engine.handle(&at(10), Event::Link { link: LinkNo(0), event: LinkEvent::Heard(heard) });
        assert_eq!(engine.device(DeviceNo(2)).unwrap().live.connectivity, Connectivity::Up);
        let step = engine.configure(&at(11), settings(&[]));
        let down = |change: &Change| matches!(change, Change::Record(entry) if matches!(entry.record, Record::LinkDown { .. }));
        assert!(step.changes.iter().any(down) && step.orders.is_empty());
        assert_eq!(engine.device(DeviceNo(2)).unwrap().live.connectivity, Connectivity::Unknown);
        assert_eq!(engine.registry.link_of(DeviceNo(2)), None);
        engine.configure(&at(12), settings(&[("plant", 1)]));
        assert_eq!(engine.registry.link_of(DeviceNo(2)), Some(LinkNo(0)));
        assert_eq!(up(&mut engine, "plant").len(), 5);
    }

    /// What is set beside the links.
    #[derive(Clone, Copy, Debug)]
    struct Beside {
        group: bool,
        profile: bool,
        quarantine_reads: bool,
    }

    fn set(links: &BTreeMap<usize, u64>, beside: Beside) -> Settings {
        let Beside { group, profile, quarantine_reads } = beside;
        let of = Selector::parse("life == 'managed'").unwrap();
        let group = group.then(|| GroupRule { name: Name::new("at-work").unwrap(), of });
        let settings = settings(&links.iter().map(|(n, every)| (NAMES[*n], *every)).collect::<Vec<_>>());
        Settings {
            groups: group.into_iter().collect(),
            profiles: crate::profile::text::ready(if profile { PROFILE } else { "" }).unwrap(),
            quarantine: if quarantine_reads { settings.quarantine } else { OperationSet::default() },
            ..settings
        }
    }

    const PROFILE: &str = "
        [profile.kind]
        match = [{ identity = 'serial:*' }]
        point.'c.d' = { raw = 'a.b', scale = 2.0 }";

    proptest::proptest! {
        /// After any changes the engine is as one that was started with the last settings.
        #[test]
        fn to_change_settings_is_as_good_as_to_start_with_them(
            sets in proptest::collection::vec(
                (proptest::collection::btree_map(0usize..3, 1u64..4, 0..4), proptest::array::uniform3(proptest::bool::ANY)),
                1..12,
            ),
            ups in proptest::collection::vec(0usize..3, 0..12),
        ) {
            let sets: Vec<(BTreeMap<usize, u64>, Beside)> = sets
                .into_iter()
                .map(|(links, [group, profile, quarantine_reads])| (links, Beside { group, profile, quarantine_reads }))
                .collect();
            let named = |(links, beside): &(BTreeMap<usize, u64>, Beside)| set(links, *beside);
            let (mut engine, _) = Engine::load(named(&sets[0]), state(), &at(0));
            for (set, name) in sets[1..].iter().zip(ups.iter().chain(std::iter::repeat(&0))) {
                if engine.registry.link(&Name::new(NAMES[*name]).unwrap()).is_some() {
                    up(&mut engine, NAMES[*name]);
                }
                engine.configure(&at(5), named(set));
            }
            let last = sets.last().unwrap();
            let (mut fresh, _) = Engine::load(named(last), engine.state(), &at(5));
            proptest::prop_assert_eq!(engine.state(), fresh.state());
            proptest::prop_assert_eq!(&engine.settings, &fresh.settings);
            for no in (0..6).map(DeviceNo) {
                proptest::prop_assert_eq!(&engine.device(no).unwrap().dynamic, &fresh.device(no).unwrap().dynamic);
            }
            for name in last.0.keys().map(|n| NAMES[*n]) {
                // Its task is new in both.
                let link = no_of(&engine, name);
                engine.handle(&at(6), Event::Link { link, event: LinkEvent::Ended { why: "test".into(), stopped: false } });
                proptest::prop_assert_eq!(up(&mut engine, name), up(&mut fresh, name));
            }
        }
    }
}
