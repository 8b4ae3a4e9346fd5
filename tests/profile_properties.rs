//! Whatever profiles come and go under whatever devices: no number of a point changes its meaning, every reading is of a
//! point that the device has, and no write reaches a link that the limits forbid.

use std::collections::BTreeMap;
use std::time::Duration;

use dmgw::engine::{Engine, LinkSettings, Settings, Step};
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::profile::text;
use proptest::prelude::*;

const LINK: LinkNo = LinkNo(0);
/// What devices have by themselves.
const RAW: [&str; 4] = ["a.x", "a.y", "b.x", "b.y"];
/// What profiles call them, among it names that devices use too.
const SEEN: [&str; 5] = ["a.x", "b.x", "s.x", "s.y", "s.z"];
const SCALES: [f64; 5] = [1.0, 0.5, -2.0, 0.1, 10.0];
const DEVICES: u32 = 2;

/// One point of a profile: what of, its scale, its least and most, whether it is counted.
type Row = (usize, usize, i8, u8, bool);

type Profiles = BTreeMap<u8, BTreeMap<usize, Row>>;

#[derive(Clone, Debug)]
enum Act {
    Sight(u32, u8),
    Profiles(Profiles),
    Assign(u32, Option<u8>),
    Hear(u32, usize, u16),
    Write(u32, usize, i16),
    Read(u32, usize),
    Answer(bool, u16),
    Pass(u16),
    /// Perhaps somebody has changed the settings meanwhile.
    Restart(Option<Profiles>),
}

fn act() -> impl Strategy<Value = Act> {
    let row = (0..RAW.len(), 0..SCALES.len(), -8i8..8, 0u8..12, prop::bool::weighted(0.2));
    let profile = prop::collection::btree_map(0..SEEN.len(), row, 0..4);
    let profiles = prop::collection::btree_map(0u8..3, profile, 0..3);
    let device = 0..DEVICES;
    prop_oneof![
        2 => (device.clone(), 1u8..16).prop_map(|(who, has)| Act::Sight(who, has)),
        2 => profiles.clone().prop_map(Act::Profiles),
        1 => (device.clone(), prop::option::of(0u8..3)).prop_map(|(who, name)| Act::Assign(who, name)),
        4 => (device.clone(), 0..RAW.len(), any::<u16>()).prop_map(|(who, point, value)| Act::Hear(who, point, value)),
        4 => (device.clone(), 0..SEEN.len(), -12i16..20).prop_map(|(who, point, value)| Act::Write(who, point, value)),
        2 => (device, 0..SEEN.len()).prop_map(|(who, point)| Act::Read(who, point)),
        5 => (any::<bool>(), any::<u16>()).prop_map(|(fine, value)| Act::Answer(fine, value)),
        1 => any::<u16>().prop_map(Act::Pass),
        1 => prop::option::of(profiles).prop_map(Act::Restart),
    ]
}

/// As an owner writes them. Profile 0 is found for device 0, profile 1 for device 1, and 2 only where somebody says so.
fn written(profiles: &Profiles) -> String {
    let mut text = String::new();
    for (no, points) in profiles {
        text += &format!("[profile.p{no}]\n");
        if *no < 2 {
            text += &format!("match = [{{ identity = \"serial:acme:{no}\" }}]\n");
        }
        text += &format!("[profile.p{no}.point]\n");
        for (seen, (raw, scale, min, span, counter)) in points {
            let (seen, raw, scale) = (SEEN[*seen], RAW[*raw], SCALES[*scale]);
            let (min, max) = (f64::from(*min), f64::from(*min) + f64::from(*span));
            text += &match counter {
                true => format!("\"{seen}\" = {{ raw = \"{raw}\", counter = {{ bits = 16 }} }}\n"),
                false => {
                    format!("\"{seen}\" = {{ raw = \"{raw}\", scale = {scale:?}, min = {min:?}, max = {max:?} }}\n")
                }
            };
        }
    }
    text
}

struct World {
    engine: Engine,
    settings: Settings,
    now: Now,
    disk: State,
    /// What each number of a device meant, and means for good as long as it is there.
    numbers: BTreeMap<(DeviceNo, PointNo), PointPath>,
    /// As the link knows it.
    plans: BTreeMap<DeviceNo, Vec<PlanPoint>>,
    open: Vec<(CommandNo, Operation)>,
}

fn id(who: u32) -> DeviceId {
    DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{who}")).unwrap()
}

impl World {
    fn new() -> World {
        let second = Duration::from_secs(1);
        let name = Name::new("plant").unwrap();
        let link =
            LinkSettings { name, driver: None, admission: Default::default(), every: second, silent_after: second };
        let settings = Settings { links: vec![link], ..Settings::default() };
        let now = Now { mono: Mono(1), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set };
        let (engine, _) = Engine::load(settings.clone(), State::default(), &now);
        let (numbers, plans) = (BTreeMap::new(), BTreeMap::new());
        let mut world = World { engine, settings, now, disk: State::default(), numbers, plans, open: Vec::new() };
        world.link(LinkEvent::Up { credits: 1_000 });
        world
    }

    fn link(&mut self, event: LinkEvent) {
        let step = self.engine.handle(&self.now, Event::Link { link: LINK, event });
        self.take(step);
    }

    fn ask(&mut self, who: u32, operation: Operation) {
        let ask = Ask::Operate(Operate::new(id(who), operation));
        let step = self.engine.handle(&self.now, Event::Ask { to: 1, by: Principal::local_root(), ask });
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        step.changes.iter().for_each(|change| self.disk.apply(change));
        assert_eq!(self.disk, self.engine.state(), "a restart would find another state");
        for no in (0..DEVICES).map(DeviceNo) {
            self.same_numbers(no);
        }
        for heard in &step.heard {
            let now = self.engine.device(heard.device).unwrap();
            assert!(heard.readings.iter().all(|reading| now.capabilities.place(reading.point).is_some()));
        }
        for order in step.orders {
            if let Order::Link { order, .. } = order {
                self.obey(order);
            }
        }
    }

    fn same_numbers(&mut self, no: DeviceNo) {
        let Some(now) = self.engine.device(no).cloned() else { return };
        let mut there = BTreeMap::new();
        for point in now.capabilities.points.iter().chain(&now.wire().points) {
            let before = self.numbers.entry((no, point.no)).or_insert_with(|| point.path.clone());
            assert_eq!(*before, point.path, "number {} is given twice", point.no.0);
            let same = there.entry(point.path.clone()).or_insert(point.no);
            assert_eq!(*same, point.no, "{} has two numbers", point.path);
        }
    }

    fn obey(&mut self, order: LinkOrder) {
        self.engine.handle(&self.now, Event::Link { link: LINK, event: LinkEvent::Took { orders: 1 } });
        match order {
            LinkOrder::Plan { device, points } => drop(self.plans.insert(device, points.to_vec())),
            LinkOrder::Perform { command, device, operation, .. } => {
                self.is_allowed(device, &operation);
                self.open.push((command, operation));
            }
            _ => {}
        }
    }

    /// By whatever the device has by itself, and by what its profile allows for each of the names of that point.
    fn is_allowed(&self, device: DeviceNo, operation: &Operation) {
        let now = self.engine.device(device).unwrap();
        let wire = now.wire();
        match operation {
            Operation::Read { points } => assert!(points.iter().all(|path| wire.point(path).is_some()), "{points:?}"),
            Operation::Write { point, value } => {
                let raw = value.number().unwrap();
                assert!(wire.point(point).is_some_and(|point| point.access.writes()), "{point} is not written");
                let profile = now.device.profile.as_ref().and_then(|of| self.settings.profiles.get(&of.name));
                let Some(shaped) = profile else { return };
                let named = now.capabilities.points.iter().filter(|seen| shaped.raw_of(&seen.path) == [point]);
                let allows = |seen: &Point| {
                    let known = shaped.known(&seen.path).unwrap();
                    let value = raw * known.scale.map_or(1.0, |scale| scale.value);
                    let (min, max) = (known.min.unwrap_or(f64::MIN), known.max.map_or(f64::MAX, |max| max.value));
                    seen.access.writes() && value >= min - 1e-9 && value <= max + 1e-9
                };
                let mut named = named.peekable();
                assert!(named.peek().is_none() || named.any(allows), "{point} = {raw}");
            }
            _ => {}
        }
    }

    fn act(&mut self, act: Act) {
        self.now.mono = self.now.mono + Duration::from_millis(10);
        match act {
            Act::Sight(who, has) => {
                let identity = Identity::new(IdentityKind::Serial, &format!("acme:{who}"), Proof::Claimed).unwrap();
                let point = |path: &&str| Point {
                    no: PointNo(0),
                    path: path.parse().unwrap(),
                    kind: ValueKind::Int,
                    unit: None,
                    access: Access::ReadWrite,
                    limits: None,
                };
                let points = RAW.iter().enumerate().filter(|(no, _)| has & (1 << no) != 0);
                let points = points.map(|(_, path)| point(path)).collect();
                let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Write]);
                let capabilities = Capabilities { points, operations, ..Capabilities::default() };
                let address = Address::new(&who.to_string()).unwrap();
                self.link(LinkEvent::Sighted(Sighting::new(address, vec![identity], Some(capabilities.into()))));
            }
            Act::Profiles(profiles) => {
                self.settings.profiles = text::ready(&written(&profiles)).unwrap();
                let step = self.engine.configure(&self.now, self.settings.clone());
                self.take(step);
            }
            Act::Assign(who, name) => {
                let name = name.map(|no| Name::new(&format!("p{no}")).unwrap());
                self.ask(who, Operation::Profile { name });
            }
            Act::Hear(device, point, value) => {
                let device = DeviceNo(device);
                let path: PointPath = RAW[point].parse().unwrap();
                let planned = self.plans.get(&device).and_then(|plan| plan.iter().find(|point| point.path == path));
                if let Some(point) = planned.map(|point| point.no) {
                    let reading =
                        Reading { point, value: Value::Uint(value.into()), quality: Quality::Good, source: None };
                    self.link(LinkEvent::Heard(Heard { device, at: self.now.mono, readings: vec![reading] }));
                }
            }
            Act::Write(who, point, value) => {
                let value = Value::Float(f64::from(value));
                self.ask(who, Operation::Write { point: SEEN[point].parse().unwrap(), value });
            }
            Act::Read(who, point) => self.ask(who, Operation::Read { points: vec![SEEN[point].parse().unwrap()] }),
            Act::Answer(fine, value) => {
                let Some((command, operation)) = self.open.pop() else { return };
                let values = match operation {
                    Operation::Read { points } => {
                        points.into_iter().map(|path| (path, Value::Int(value.into()))).collect()
                    }
                    Operation::Write { point, value } => vec![(point, value)],
                    _ => Vec::new(),
                };
                let outcome = if fine { Outcome::Done(values) } else { Outcome::Failed("no".into()) };
                self.link(LinkEvent::Finished { command, outcome });
            }
            Act::Pass(ms) => {
                self.now.mono = self.now.mono + Duration::from_millis(ms.into());
                let step = self.engine.handle(&self.now, Event::Wake);
                self.take(step);
            }
            Act::Restart(profiles) => {
                if let Some(profiles) = profiles {
                    self.settings.profiles = text::ready(&written(&profiles)).unwrap();
                }
                let (engine, step) = Engine::load(self.settings.clone(), self.disk.clone(), &self.now);
                self.engine = engine;
                self.open.clear();
                self.plans.clear();
                self.take(step);
                self.link(LinkEvent::Up { credits: 1_000 });
            }
        }
    }
}

proptest! {
    #[test]
    fn numbers_keep_their_meaning_and_limits_are_kept(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new();
        acts.into_iter().for_each(|act| world.act(act));
    }
}
