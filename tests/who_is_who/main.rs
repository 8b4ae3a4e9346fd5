//! Who is who, through the engine alone: claims and who may win them, who is kept off and what stays of that, and what
//! administrators may make of two devices. Here is what these tests share.

mod claims;
mod families;
mod kept_off;

use std::time::Duration;

use dmgw::engine::{Admission, AdmissionRule, Engine, LinkSettings, Pattern, Settings, Step};
use dmgw::model::event::Operate;
use dmgw::model::*;

const A: LinkNo = LinkNo(0);
const B: LinkNo = LinkNo(1);

fn now(s: u64) -> Now {
    Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(1_000_000 + s * 1_000), quality: ClockQuality::Set }
}

fn settings() -> Settings {
    let link = |name: &str| LinkSettings {
        name: Name::new(name).unwrap(),
        driver: None,
        admission: Default::default(),
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(10),
    };
    Settings { links: vec![link("a"), link("b")], ..Settings::default() }
}

/// Who is like this at first is treated so.
fn ruled(identity: &str, then: Admission) -> Settings {
    let identity = Some(Pattern::new(identity).unwrap());
    Settings {
        admission: vec![AdmissionRule { link: None, identity, proof: None, profile: None, of: None, then }],
        ..settings()
    }
}

fn forgets_soon() -> Settings {
    Settings { keep_retired: Duration::from_secs(60), ..settings() }
}

fn start(settings: Settings, state: State, at: u64) -> Engine {
    let (mut engine, _) = Engine::load(settings, state, &now(at));
    for link in [A, B] {
        engine.handle(&now(at), Event::Link { link, event: LinkEvent::Up { credits: 1_000 } });
    }
    engine
}

fn engine() -> Engine {
    start(settings(), State::default(), 0)
}

fn capabilities() -> Capabilities {
    let point = Point {
        no: PointNo(0),
        path: "relay.on".parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Write]);
    Capabilities { points: vec![point], operations, ..Capabilities::default() }
}

fn serial(n: u32) -> Identity {
    proven(&format!("acme:{n}"), Proof::Claimed)
}

fn proven(serial: &str, proof: Proof) -> Identity {
    Identity::new(IdentityKind::Serial, serial, proof).unwrap()
}

fn eui(proof: Proof) -> Identity {
    Identity::new(IdentityKind::Eui, "0024be000001", proof).unwrap()
}

fn evil() -> Vec<Identity> {
    vec![proven("evil:1", Proof::Claimed)]
}

fn id(n: u32) -> DeviceId {
    DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{n}")).unwrap()
}

fn link(engine: &mut Engine, at: u64, link: LinkNo, event: LinkEvent) -> Step {
    engine.handle(&now(at), Event::Link { link, event })
}

fn sight(engine: &mut Engine, at: u64, on: LinkNo, address: &str, identities: Vec<Identity>) -> Step {
    let address = Address::new(address).unwrap();
    link(engine, at, on, LinkEvent::Sighted(Sighting::new(address, identities, Some(capabilities().into()))))
}

fn hear(engine: &mut Engine, at: u64, on: LinkNo, no: u32) -> Step {
    link(engine, at, on, LinkEvent::Heard(Heard { device: DeviceNo(no), at: Mono(at * 1_000), readings: Vec::new() }))
}

fn down(engine: &mut Engine, at: u64, on: LinkNo) -> Step {
    link(engine, at, on, LinkEvent::Down { why: "cable".into() })
}

fn up(engine: &mut Engine, at: u64, on: LinkNo) -> Step {
    link(engine, at, on, LinkEvent::Up { credits: 1_000 })
}

fn wake(engine: &mut Engine, at: u64) -> Step {
    engine.handle(&now(at), Event::Wake)
}

fn ask_by(engine: &mut Engine, at: u64, by: Principal, operate: Operate) -> Step {
    engine.handle(&now(at), Event::Ask { to: 1, by, ask: Ask::Operate(operate) })
}

fn ask(engine: &mut Engine, at: u64, device: u32, operation: Operation) -> Step {
    ask_by(engine, at, Principal::local_root(), Operate::new(id(device), operation))
}

fn block() -> Operation {
    Operation::Block { until: None, span: Some(Duration::from_secs(3_600)) }
}

fn register(engine: &mut Engine, at: u64, entry: Registration) -> Registered {
    let ask = Ask::Register { devices: vec![entry] };
    let step = engine.handle(&now(at), Event::Ask { to: 1, by: Principal::local_root(), ask });
    match step.orders.into_iter().next_back() {
        Some(Order::Reply { reply: Reply::Registered(mut told), .. }) => told.remove(0),
        other => panic!("{other:?}"),
    }
}

fn named(identities: Vec<Identity>) -> Registration {
    Registration { identities, ..Registration::default() }
}

fn keyed(identities: Vec<Identity>) -> Registration {
    Registration { key: Some(Secret::new("0123456789".into())), ..named(identities) }
}

fn device(engine: &Engine, no: u32) -> Device {
    engine.device(DeviceNo(no)).unwrap().device.as_ref().clone()
}

fn place(engine: &Engine, no: u32) -> String {
    let place = device(engine, no).place.unwrap();
    format!("{}/{}", place.link, place.address)
}

fn connectivity(engine: &Engine, no: u32) -> Connectivity {
    engine.device(DeviceNo(no)).unwrap().live.connectivity
}

fn why(engine: &Engine) -> Vec<Denial> {
    engine.attempts().map(|attempt| attempt.why).collect()
}

fn orders(step: &Step, to: LinkNo) -> Vec<LinkOrder> {
    let of = step.orders.iter().filter_map(|order| match order {
        Order::Link { link, order } if *link == to => Some(order.clone()),
        _ => None,
    });
    of.collect()
}

fn refusals(step: &Step, to: LinkNo) -> Vec<(String, Option<u64>)> {
    let of = orders(step, to).into_iter().filter_map(|order| match order {
        LinkOrder::Refuse { address, until } => Some((address.to_string(), until.map(|until| until.0 / 1_000))),
        _ => None,
    });
    of.collect()
}

fn admits(step: &Step, to: LinkNo) -> bool {
    orders(step, to).iter().any(|order| matches!(order, LinkOrder::Admit { .. }))
}

fn refused(step: &Step) -> bool {
    matches!(step.orders.last(), Some(Order::Reply { reply: Reply::Refused(_), .. }))
}

/// What became of a command that the gateway carries out itself, as its record says.
fn outcome(step: &Step) -> Option<Outcome> {
    step.changes.iter().find_map(|change| match change {
        Change::Record(entry) => match &entry.record {
            Record::Result { outcome, .. } => outcome.clone(),
            _ => None,
        },
        _ => None,
    })
}

/// The first is registered and nowhere, the second on link B.
fn two(settings: Settings) -> Engine {
    let mut engine = start(settings, State::default(), 0);
    register(&mut engine, 1, named(vec![serial(1)]));
    sight(&mut engine, 1, B, "2", vec![serial(2)]);
    engine
}
