//! Who is who, through the engine alone: claims and who may win them, what is kept of whom, and what administrators may
//! make of two devices.

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
        admission: Default::default(),
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(10),
    };
    Settings { links: vec![link("a"), link("b")], ..Settings::default() }
}

/// Who is like this at first is treated so.
fn ruled(identity: &str, then: Admission) -> Settings {
    let identity = Some(Pattern::new(identity).unwrap());
    Settings { admission: vec![AdmissionRule { link: None, identity, proof: None, then }], ..settings() }
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

#[test]
fn a_device_with_a_key_is_itself_though_it_shows_more() {
    let mut engine = engine();
    register(&mut engine, 1, keyed(vec![serial(1)]));
    for at in 2..5 {
        sight(&mut engine, at, A, "1", vec![proven("acme:1", Proof::Key), eui(Proof::Seen)]);
    }
    assert_eq!((why(&engine), place(&engine, 0)), (vec![], "a/1".into()));
    sight(&mut engine, 5, A, "1", vec![serial(1), eui(Proof::Seen)]);
    assert_eq!(why(&engine), [Denial::Unproven]);
}

#[test]
fn who_manages_one_link_takes_no_device_of_another_into_his_own() {
    let scope = Scope::Links(vec![Name::new("a").unwrap()]);
    let name = Name::new("bob").unwrap();
    let bob = || Principal { name: name.clone(), role: Role::Administrator, scope: scope.clone(), local: false };
    for operation in [Operation::Merge { with: id(2) }, Operation::Replace { identity: serial(2) }] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        sight(&mut engine, 1, B, "2", vec![serial(2)]);
        sight(&mut engine, 1, A, "3", vec![serial(3)]);
        let step = ask_by(&mut engine, 2, bob(), Operate::new(id(1), operation));
        assert!(refused(&step), "{step:?}");
        assert_eq!((device(&engine, 1).life, place(&engine, 1)), (LifeCycle::Managed, "b/2".into()));
        let step = ask_by(&mut engine, 3, bob(), Operate::new(id(1), Operation::Merge { with: id(3) }));
        assert!(!refused(&step) && device(&engine, 2).merged.is_some());
    }
}

#[test]
fn nobody_takes_over_what_others_work_on() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 1, B, "2", vec![serial(2)]);
    ask(&mut engine, 2, 2, Operation::Maintenance { until: None, span: None, off: false });
    let afar = Principal { local: false, ..Principal::local_root() };
    let step = ask_by(&mut engine, 3, afar, Operate::new(id(1), Operation::Merge { with: id(2) }));
    assert!(refused(&step) && device(&engine, 1).merged.is_none());
}

#[test]
fn who_is_kept_off_while_another_claims_to_be_it_keeps_its_place() {
    for operation in [block(), Operation::Refuse, Operation::Retire] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        sight(&mut engine, 2, B, "2", vec![serial(1)]);
        ask(&mut engine, 3, 1, operation);
        wake(&mut engine, 60);
        assert_eq!(place(&engine, 0), "a/1");
    }
}

fn write_for(timeout: u64) -> Operate {
    let write = Operation::Write { point: "relay.on".parse().unwrap(), value: Value::Bool(true) };
    Operate { timeout: Some(Duration::from_secs(timeout)), ..Operate::new(id(1), write) }
}

#[test]
fn who_carries_out_a_command_is_waited_for() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask_by(&mut engine, 1, Principal::local_root(), write_for(60));
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    (7..30).for_each(|at| drop(wake(&mut engine, at)));
    assert_eq!(place(&engine, 0), "a/1");
    link(&mut engine, 30, A, LinkEvent::Finished { command: CommandNo(1), outcome: Outcome::Done(Vec::new()) });
    wake(&mut engine, 40);
    assert_eq!((place(&engine, 0), why(&engine)), ("a/1".into(), vec![Denial::Taken]));
}

#[test]
fn whose_command_never_ended_is_asked_once_more_and_then_it_has_moved() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask_by(&mut engine, 1, Principal::local_root(), write_for(20));
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    let asked =
        |engine: &mut Engine, at| orders(&wake(engine, at), A).contains(&LinkOrder::Probe { device: DeviceNo(0) });
    let first = (3..60).find(|at| asked(&mut engine, *at)).unwrap();
    assert!(first >= 21 && place(&engine, 0) == "a/1", "asked at {first}");
    wake(&mut engine, first + 5);
    assert_eq!(place(&engine, 0), "b/2");
}

#[test]
fn while_the_old_link_is_down_nobody_answers_so_nobody_has_lost() {
    for down_at in [1, 2] {
        let mut engine = engine();
        sight(&mut engine, 1, A, "1", vec![serial(1)]);
        (down_at == 1).then(|| down(&mut engine, 1, A));
        sight(&mut engine, 2, B, "66", vec![serial(1)]);
        (down_at == 2).then(|| down(&mut engine, 2, A));
        (7..10).for_each(|at| drop(wake(&mut engine, at)));
        up(&mut engine, 10, A);
        let asked = wake(&mut engine, 12);
        assert!(orders(&asked, A).contains(&LinkOrder::Probe { device: DeviceNo(0) }), "{asked:?}");
        assert_eq!(place(&engine, 0), "a/1");
        hear(&mut engine, 15, A, 0);
        wake(&mut engine, 20);
        assert_eq!((place(&engine, 0), why(&engine)), ("a/1".into(), vec![Denial::Taken]));
    }
}

#[test]
fn a_link_that_stays_down_holds_its_devices_no_longer_than_they_may_be_silent() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    down(&mut engine, 1, A);
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    (3..12).for_each(|at| drop(wake(&mut engine, at)));
    assert_eq!(place(&engine, 0), "a/1");
    (12..18).for_each(|at| drop(wake(&mut engine, at)));
    assert_eq!(place(&engine, 0), "b/2");
}

#[test]
fn who_is_pushed_out_of_its_place_has_not_left_it() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, A, "1", evil());
    let step = sight(&mut engine, 2, A, "66", vec![serial(1)]);
    assert_eq!(orders(&step, A), [LinkOrder::Discover], "it is looked for");
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/1".into(), true));
    sight(&mut engine, 4, A, "1", vec![serial(1)]);
    wake(&mut engine, 10);
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/1".into(), false));
    assert_eq!((why(&engine), device(&engine, 1).displaced), (vec![Denial::Taken], true));
}

#[test]
fn who_was_pushed_out_and_does_not_come_back_has_moved() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, A, "1", vec![serial(2)]);
    sight(&mut engine, 3, A, "2", vec![serial(1)]);
    wake(&mut engine, 8);
    assert_eq!((place(&engine, 0), place(&engine, 1)), ("a/2".into(), "a/1".into()));
    assert!(!device(&engine, 0).displaced);
    // One that was not heard for as long as it may be silent is asked no more.
    sight(&mut engine, 9, A, "2", vec![serial(3)]);
    sight(&mut engine, 20, A, "9", vec![serial(1)]);
    assert_eq!(place(&engine, 0), "a/9");
}

#[test]
fn many_who_are_pushed_out_are_looked_for_once() {
    let mut engine = engine();
    let looks = |step: Step| orders(&step, A).contains(&LinkOrder::Discover);
    (1..5).for_each(|n| drop(sight(&mut engine, 1, A, &n.to_string(), vec![serial(n)])));
    (1..5).for_each(|n| drop(sight(&mut engine, 1, A, &n.to_string(), vec![serial(n + 10)])));
    let looked = (1..5).filter(|n| looks(sight(&mut engine, 2, B, &n.to_string(), vec![serial(*n)]))).count();
    assert_eq!(looked, 1);
}

#[test]
fn new_hardware_does_not_wait_for_the_old() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    ask(&mut engine, 2, 1, Operation::Replace { identity: serial(9) });
    sight(&mut engine, 3, A, "2", vec![serial(9)]);
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/2".into(), false));
}

#[test]
fn a_claim_falls_with_the_identity_that_it_names() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "1", vec![serial(1)]);
    sight(&mut engine, 2, B, "2", vec![serial(1)]);
    ask(&mut engine, 3, 1, Operation::Replace { identity: serial(9) });
    wake(&mut engine, 20);
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/1".into(), true));
}

#[test]
fn to_keep_a_stranger_off_keeps_nobody_off_who_stands_there() {
    let mut engine = start(ruled("serial:evil:*", Admission::Refuse), State::default(), 0);
    sight(&mut engine, 1, A, "7", vec![serial(1)]);
    let step = sight(&mut engine, 2, A, "7", evil());
    assert_eq!((refusals(&step, A), why(&engine)), (vec![], vec![Denial::Rule]));
    let step = sight(&mut engine, 3, A, "8", evil());
    assert_eq!(refusals(&step, A), [("8".to_owned(), None)]);
}

#[test]
fn who_is_refused_pushes_nobody_out() {
    let mut engine = engine();
    sight(&mut engine, 1, A, "7", vec![serial(1)]);
    sight(&mut engine, 1, A, "8", vec![serial(2)]);
    ask(&mut engine, 2, 2, Operation::Refuse);
    link(&mut engine, 3, A, LinkEvent::Gone { device: DeviceNo(1) });
    let step = sight(&mut engine, 4, A, "7", vec![serial(2)]);
    assert_eq!((refusals(&step, A), why(&engine)), (vec![], vec![Denial::Refused]));
    assert_eq!((place(&engine, 0), device(&engine, 0).displaced), ("a/7".into(), false));
}
