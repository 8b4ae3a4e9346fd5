//! Any order of sightings, decisions, restarts and passing time keeps the rules of who is who.
//!
//! What the changes made is compared with memory after each event; no identity names two devices, no two stand at one
//! place, a number never means another device, and what strangers cause stays within its bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dmgw::engine::{Admission, AdmissionRule, Engine, LinkSettings, Pattern, Settings, Step};
use dmgw::model::event::Operate;
use dmgw::model::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Show { link: u16, address: u8, who: Vec<(u8, u8, u8)>, points: Option<u8>, asks: bool },
    Decide { device: u8, what: u8, other: u8 },
    Register { who: Vec<(u8, u8, u8)>, at: Option<(u8, u8)>, key: bool, life: u8 },
    Hear { link: u16, device: u8 },
    Gone { link: u16, device: u8 },
    Took,
    Pass { s: u32 },
    Clock(u8),
    Restart { reboot: bool },
}

fn who() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0..3u8, 0..4u8, 0..4u8), 0..3)
}

fn act() -> impl Strategy<Value = Act> {
    let shows = (0..2u16, 0..4u8, who(), proptest::option::of(0..4u8), any::<bool>());
    prop_oneof![
        12 => shows.prop_map(|(link, address, who, points, asks)| Act::Show { link, address, who, points, asks }),
        8 => (0..8u8, 0..11u8, 0..8u8).prop_map(|(device, what, other)| Act::Decide { device, what, other }),
        3 => (who(), proptest::option::of((0..3u8, 0..4u8)), any::<bool>(), 0..6u8)
            .prop_map(|(who, at, key, life)| Act::Register { who, at, key, life }),
        3 => (0..2u16, 0..8u8).prop_map(|(link, device)| Act::Hear { link, device }),
        1 => (0..2u16, 0..8u8).prop_map(|(link, device)| Act::Gone { link, device }),
        3 => Just(Act::Took),
        4 => (1..12u32).prop_map(|s| Act::Pass { s }),
        1 => Just(Act::Pass { s: 100_000 }),
        1 => (0..4u8).prop_map(Act::Clock),
        1 => any::<bool>().prop_map(|reboot| Act::Restart { reboot }),
    ]
}

fn identity((kind, value, proof): (u8, u8, u8)) -> Identity {
    let kind = [IdentityKind::Endpoint, IdentityKind::Serial, IdentityKind::Eui][usize::from(kind)];
    let proof = [Proof::Claimed, Proof::Seen, Proof::Key, Proof::Certificate][usize::from(proof)];
    Identity::new(kind, &format!("0{value}"), proof).unwrap()
}

fn address(n: u8) -> Address {
    Address::new(&n.to_string()).unwrap()
}

fn name(n: &str) -> Name {
    Name::new(n).unwrap()
}

fn settings() -> Settings {
    let link = |n: &str, admission| LinkSettings {
        name: name(n),
        driver: None,
        admission,
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(10),
    };
    let rule = |text: &str, proof, then| AdmissionRule {
        link: None,
        identity: Some(Pattern::new(text).unwrap()),
        proof,
        profile: None,
        of: None,
        then,
    };
    Settings {
        links: vec![link("plant", Admission::Accept), link("yard", Admission::Hold)],
        admission: vec![
            rule("serial:03", None, Admission::Refuse),
            rule("eui:*", Some(Proof::Seen), Admission::Accept),
            rule("endpoint:*", None, Admission::Quarantine),
        ],
        most_devices: 8,
        most_pending: 2,
        most_points: 5,
        most_attempts: 3,
        keep_retired: Duration::from_secs(60),
        ..Settings::default()
    }
}

struct World {
    engine: Engine,
    now: Now,
    disk: State,
    ids: BTreeMap<DeviceNo, DeviceId>,
    attempts: u64,
}

impl World {
    fn new() -> World {
        let now = Now { mono: Mono(1), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set };
        let (engine, _) = Engine::load(settings(), State::default(), &now);
        let mut world = World { engine, now, disk: State::default(), ids: BTreeMap::new(), attempts: 0 };
        world.up();
        world
    }

    fn up(&mut self) {
        (0..2).for_each(|link| self.link(link, LinkEvent::Up { credits: 8 }));
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Show { link, address: at, who, points, asks } => {
                let capabilities = points.map(capabilities);
                let mut who = Sighting::new(address(at), who.into_iter().map(identity).collect(), capabilities);
                who.about = (at == 3).then(|| About { security: points, ..About::default() }.into());
                let event = if asks { LinkEvent::Asked { exchange: 7, who } } else { LinkEvent::Sighted(who) };
                self.link(link, event);
            }
            Act::Decide { device, what, other } => self.decide(device, what, other),
            Act::Register { who, at, key, life } => {
                use LifeCycle::*;
                let entry = Registration {
                    identities: who.into_iter().map(identity).collect(),
                    link: at.map(|(link, _)| name(["plant", "yard", "zoo"][usize::from(link)])),
                    address: at.map(|(_, at)| address(at)),
                    groups: vec![name("a")],
                    key: key.then(|| Secret::new("0123456789".into())),
                    life: [None, None, Some(Pending), Some(Refused), Some(Quarantined), Some(Retired)]
                        [usize::from(life)],
                    ..Registration::default()
                };
                self.ask(Ask::Register { devices: vec![entry.clone(), entry] });
            }
            Act::Hear { link, device } => {
                let reading =
                    Reading { point: PointNo(0), value: Value::Bool(true), quality: Quality::Good, source: None };
                let (device, at) = (DeviceNo(device.into()), self.now.mono);
                self.link(link, LinkEvent::Heard(Heard { device, at, readings: vec![reading] }));
            }
            Act::Gone { link, device } => self.link(link, LinkEvent::Gone { device: DeviceNo(device.into()) }),
            Act::Took => (0..2).for_each(|link| self.link(link, LinkEvent::Took { orders: 8 })),
            Act::Pass { s } => self.pass(u64::from(s) * 1_000),
            Act::Clock(n) => {
                self.now.quality = if n == 0 { ClockQuality::Held } else { ClockQuality::Set };
                self.now.wall = Wall(1_000_000 + u64::from(n) * 1_000_000);
            }
            Act::Restart { reboot } => self.restart(reboot),
        }
    }

    fn decide(&mut self, device: u8, what: u8, other: u8) {
        let row = |n: u8| self.disk.devices.get(usize::from(n)).map(|device| (device.id.clone(), device.merged));
        // One that was merged is asked for nothing any more.
        let (Some((device, None)), Some((with, _))) = (row(device), row(other)) else { return };
        let identity = identity((other % 3, other % 4, 0));
        let operation = match what {
            0 => Operation::Accept,
            1 => Operation::Refuse,
            2 => Operation::Quarantine,
            3 => Operation::Release,
            4 | 5 => Operation::Retire,
            6 => Operation::Merge { with },
            7 => Operation::Split { identity },
            8 => Operation::Replace { identity },
            9 => Operation::Group { add: vec![name("b")], remove: vec![name("a")] },
            _ => Operation::Write { point: "a.p0".parse().unwrap(), value: Value::Bool(true) },
        };
        self.ask(Ask::Operate(Operate::new(device, operation)));
    }

    fn ask(&mut self, ask: Ask) {
        self.event(Event::Ask { to: 1, by: Principal::local_root(), ask });
    }

    fn link(&mut self, link: u16, event: LinkEvent) {
        self.event(Event::Link { link: LinkNo(link), event });
    }

    fn event(&mut self, event: Event) {
        let step = self.engine.handle(&self.now, event);
        self.commit(&step);
    }

    fn pass(&mut self, ms: u64) {
        let end = Mono(self.now.mono.0 + ms);
        while let Some(wake) = self.engine.wake_at().filter(|wake| *wake <= end) {
            self.advance(wake.max(self.now.mono));
            self.event(Event::Wake);
            let next = self.engine.wake_at();
            assert!(next.is_none_or(|next| next > self.now.mono), "asks to be woken at {next:?} again");
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Mono) {
        (self.now.wall, self.now.mono) = (self.now.wall_at(to), to);
    }

    /// A restart finds what memory had, and would tell the links the same.
    fn restart(&mut self, reboot: bool) {
        self.now.boot.0 += u32::from(reboot);
        let (engine, step) = Engine::load(settings(), self.disk.clone(), &self.now);
        let mut before = std::mem::replace(&mut self.engine, engine);
        self.commit(&step);
        let told: Vec<BTreeSet<String>> = (0..2).map(|link| told_on_up(&mut before, &self.now, link)).collect();
        for link in 0..2 {
            let (mut again, _) = Engine::load(settings(), self.disk.clone(), &self.now);
            let anew = told_on_up(&mut again, &self.now, link);
            assert_eq!(told[usize::from(link)], anew, "a restart tells link {link} something else");
        }
        self.up();
    }

    fn commit(&mut self, step: &Step) {
        for change in &step.changes {
            self.disk.apply(change);
            self.attempts += u64::from(matches!(change, Change::Attempt(_)));
        }
        assert_eq!(self.disk, self.engine.state(), "a restart would not find this state");
        self.check();
    }

    fn check(&mut self) {
        let (mut identities, mut places) = (BTreeSet::new(), BTreeSet::new());
        for device in &self.disk.devices {
            for identity in device.identities.iter().filter(|identity| identity.kind != IdentityKind::Place) {
                assert!(identities.insert((identity.kind, identity.value.clone())), "{identity:?} names two");
            }
            if let Some(place) = device.is_at() {
                assert!(places.insert(place.clone()), "two are at {place:?}");
            }
            if device.merged.is_some() {
                assert!(device.identities.is_empty() && device.life == LifeCycle::Retired, "{device:?}");
            }
            assert_eq!(device.life == LifeCycle::Retired, device.retired.is_some(), "{device:?}");
            let id = self.ids.entry(device.no).or_insert_with(|| device.id.clone());
            assert_eq!(*id, device.id, "a number means another device");
        }
        let points: usize = self.disk.shapes.iter().map(|(_, shape)| shape.points.len()).sum();
        let pending = self.disk.devices.iter().filter(|device| device.life == LifeCycle::Pending).count();
        assert!(self.disk.devices.len() <= 8 && points <= 5 && self.disk.attempts.len() <= 3 + 2);
        assert!(pending <= 2, "{pending} wait");
    }
}

fn capabilities(points: u8) -> std::sync::Arc<Capabilities> {
    let point = |i: u8| Point {
        no: PointNo(0),
        path: format!("a.p{i}").parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Write]);
    Capabilities { points: (0..points).map(point).collect(), operations, ..Capabilities::default() }.into()
}

/// Where devices are and what is read of them.
fn told_on_up(engine: &mut Engine, now: &Now, link: u16) -> BTreeSet<String> {
    let link = LinkNo(link);
    engine.handle(now, Event::Link { link, event: LinkEvent::Ended { why: "x".into(), stopped: false } });
    let step = engine.handle(now, Event::Link { link, event: LinkEvent::Up { credits: 1_000 } });
    let orders = step.orders.into_iter().filter_map(|order| match order {
        Order::Link { order: LinkOrder::Perform { .. } | LinkOrder::Discover, .. } => None,
        Order::Link { link: of, order } if of == link => Some(format!("{order:?}")),
        _ => None,
    });
    orders.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_who_is_who(acts in proptest::collection::vec(act(), 1..120)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
    }
}

#[test]
fn the_world_notices_two_at_one_place() {
    let broken = std::panic::catch_unwind(|| {
        let mut world = World::new();
        let who = vec![(1, 1, 0)];
        world.act(Act::Show { link: 0, address: 1, who, points: Some(1), asks: false });
        let twin = Device { no: DeviceNo(1), identities: Vec::new(), ..world.disk.devices[0].as_ref().clone() };
        world.disk.apply(&Change::Device(twin.into()));
        world.check();
    });
    assert!(broken.is_err());
}
