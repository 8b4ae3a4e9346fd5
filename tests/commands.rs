//! Commands through the engine alone, where a scenario would be too long or what it needs cannot be scripted: bounds,
//! families and what is forgotten, rows that a crash damaged, devices that take nothing.

use std::sync::Arc;
use std::time::Duration;

use dmgw::engine::{Engine, LinkSettings, Settings, Step};
use dmgw::model::command::Priority;
use dmgw::model::event::Operate;
use dmgw::model::*;

const LINK: LinkNo = LinkNo(0);

fn settings() -> Settings {
    let link = LinkSettings {
        name: Name::new("plant").unwrap(),
        driver: None,
        admission: Default::default(),
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(500_000),
    };
    Settings { links: vec![link], ..Settings::default() }
}

fn now(s: u64) -> Now {
    Now { mono: Mono(s * 1000), boot: Boot(1), wall: Wall(1_000_000_000 + s * 1000), quality: ClockQuality::Set }
}

fn capabilities(points: &[&str]) -> Arc<Capabilities> {
    use OperationKind::*;
    let point = |path: &&str| Point {
        no: PointNo(0),
        path: path.parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[Read, Write, Activate, Deactivate, Erase]);
    Capabilities { points: points.iter().map(point).collect(), operations, ..Capabilities::default() }.into()
}

fn id_of(n: u32) -> DeviceId {
    DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{n}")).unwrap()
}

fn link(event: LinkEvent) -> Event {
    Event::Link { link: LINK, event }
}

fn sighting(n: u32) -> Event {
    let identity = Identity::new(IdentityKind::Serial, &format!("acme:{n}"), Proof::Claimed).unwrap();
    let address = Address::new(&n.to_string()).unwrap();
    link(LinkEvent::Sighted(Sighting::new(address, vec![identity], Some(capabilities(&["relay.on"])))))
}

fn finished(command: u64, outcome: Outcome) -> Event {
    link(LinkEvent::Finished { command: CommandNo(command), outcome })
}

fn done() -> Outcome {
    Outcome::Done(Vec::new())
}

fn write() -> Operation {
    Operation::Write { point: "relay.on".parse().unwrap(), value: Value::Bool(true) }
}

fn many(devices: impl IntoIterator<Item = u32>, operation: Operation) -> Operate {
    Operate { device: None, devices: devices.into_iter().map(id_of).collect(), ..Operate::new(id_of(0), operation) }
}

fn own(id: &str, expires_s: u64, operate: Operate) -> Operate {
    Operate { id: Some(CommandId::new(id).unwrap()), expires: Some(now(expires_s).wall), ..operate }
}

/// An engine with so many devices, none of which its link still has to be told of.
fn with_devices(settings: Settings, count: u32) -> Engine {
    let (mut engine, _) = Engine::load(settings, State::default(), &now(0));
    engine.handle(&now(0), link(LinkEvent::Up { credits: 1_000 }));
    for n in 1..=count {
        engine.handle(&now(0), sighting(n));
        engine.handle(&now(0), link(LinkEvent::Took { orders: 1_000 }));
    }
    engine
}

fn ask(engine: &mut Engine, at: u64, operate: Operate) -> (Step, Reply) {
    let event = Event::Ask { to: 1, by: Principal::local_root(), ask: Ask::Operate(operate) };
    let mut step = engine.handle(&now(at), event);
    match step.orders.pop() {
        Some(Order::Reply { reply, .. }) => (step, reply),
        other => panic!("no reply but {other:?}"),
    }
}

fn performs(step: &Step) -> Vec<u64> {
    let of = step.orders.iter().filter_map(|order| match order {
        Order::Link { order: LinkOrder::Perform { command, .. }, .. } => Some(command.0),
        _ => None,
    });
    of.collect()
}

fn results(step: &Step) -> Vec<(String, CommandState, Option<Outcome>)> {
    let of = step.changes.iter().filter_map(|change| match change {
        Change::Record(entry) => match &entry.record {
            Record::Result { command, state, outcome, .. } => Some((command.to_string(), *state, outcome.clone())),
            _ => None,
        },
        _ => None,
    });
    of.collect()
}

fn again(engine: &Engine, settings: Settings, at: u64) -> Engine {
    Engine::load(settings, engine.state(), &now(at)).0
}

#[test]
fn an_id_runs_once_though_ten_thousand_others_came_between() {
    let mut engine = with_devices(settings(), 1);
    let once = || own("once", 1_000, Operate::new(id_of(1), write()));
    assert_eq!(performs(&ask(&mut engine, 1, once()).0), [1]);
    assert!(matches!(ask(&mut engine, 1, once()), (step, Reply::Known(CommandNo(1))) if performs(&step).is_empty()));
    engine.handle(&now(1), finished(1, done()));
    for no in 2..10_002 {
        let (step, _) = ask(&mut engine, 2, Operate::new(id_of(1), write()));
        assert_eq!(performs(&step), [no]);
        engine.handle(&now(2), finished(no, done()));
    }
    assert!(matches!(ask(&mut engine, 3, once()), (step, Reply::Known(CommandNo(1))) if performs(&step).is_empty()));
    let mut engine = again(&engine, settings(), 4);
    assert!(matches!(ask(&mut engine, 5, once()), (_, Reply::Known(CommandNo(1)))));
}

#[test]
fn a_child_is_known_as_long_as_its_parent_is_open() {
    let few = || Settings { most_commands: 8, remember: Duration::ZERO, ..settings() };
    let mut engine = with_devices(few(), 4);
    let soon =
        Operate { expires: Some(now(3).wall), timeout: Some(Duration::from_secs(60)), ..many([1, 2, 3], write()) };
    assert_eq!(performs(&ask(&mut engine, 1, soon).0), [2, 3, 4]);
    engine.handle(&now(2), finished(2, done()));
    engine.handle(&now(2), finished(3, Outcome::Failed("interlock".into())));
    // Twenty more than there is room for, and far past the time for which ids are kept.
    for at in 3..23 {
        let (step, _) = ask(&mut engine, at, Operate::new(id_of(4), write()));
        engine.handle(&now(at), finished(performs(&step)[0], done()));
        engine.handle(&now(at), Event::Wake);
    }
    let ended = |engine: &Engine| engine.state().ended.iter().map(|ended| ended.no.0).collect::<Vec<_>>();
    assert!(ended(&engine).starts_with(&[2, 3]), "{:?}", ended(&engine));
    let counted = Engine::load(few(), engine.state(), &now(24)).1;
    let why = "1 of 3 done, 1 failed, 1 unknown";
    assert_eq!(results(&counted)[1], ("c-1".into(), CommandState::Unknown, Some(Outcome::Lost(why.into()))));
    let step = engine.handle(&now(25), finished(4, done()));
    let why = "2 of 3 done, 1 failed";
    assert_eq!(results(&step)[1], ("c-1".into(), CommandState::Failed, Some(Outcome::Failed(why.into()))));
    // From now on it may go like any other.
    (30..50).for_each(|at| {
        let (step, _) = ask(&mut engine, at, Operate::new(id_of(4), write()));
        engine.handle(&now(at), finished(performs(&step)[0], done()));
    });
    assert!(ended(&engine)[0] > 4, "{:?}", ended(&engine));
}

#[test]
fn a_family_that_does_not_fit_is_refused_and_nothing_is_forgotten_for_it() {
    let mut engine = with_devices(Settings { most_commands: 4, ..settings() }, 4);
    // Four children and their parent.
    assert!(matches!(ask(&mut engine, 1, many([1, 2, 3, 4], write())), (_, Reply::Refused(Refusal::Busy(_)))));
    ask(&mut engine, 1, Operate::new(id_of(1), write()));
    engine.handle(&now(1), finished(1, done()));
    let (step, reply) = ask(&mut engine, 2, many([1, 2, 3, 4], write()));
    assert!(matches!(reply, Reply::Refused(Refusal::Busy(_))), "{reply:?}");
    assert_eq!(step, Step::default());
    let (_, reply) = ask(&mut engine, 2, many([1, 2], write()));
    assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
}

#[test]
fn one_ask_is_for_so_many_devices_and_no_more() {
    let mut engine = with_devices(Settings { most_targets: 2, ..settings() }, 3);
    assert!(matches!(ask(&mut engine, 1, many([1, 2, 3], write())), (_, Reply::Refused(Refusal::BadArgument(_)))));
    assert_eq!(performs(&ask(&mut engine, 1, many([1, 2, 1, 2], write())).0), [2, 3]);
}

#[test]
fn a_parent_whose_childrens_rows_are_gone_still_ends() {
    let mut engine = with_devices(settings(), 2);
    engine.handle(&now(0), link(LinkEvent::Down { why: "cable".into() }));
    ask(&mut engine, 1, many([1, 2], write()));
    let mut state = engine.state();
    state.commands.truncate(1);
    let (engine, step) = Engine::load(settings(), state, &now(2));
    let why = Some(Outcome::Lost("0 of 2 done, 2 unknown".into()));
    assert_eq!(results(&step), [("c-1".to_owned(), CommandState::Unknown, why)]);
    assert!(engine.state().commands.is_empty());
}

#[test]
fn a_refusal_in_a_family_is_cut() {
    let mut engine = with_devices(settings(), 1);
    let points: Vec<String> = (0..8).map(|n| format!("{}.{n}.{}", "c".repeat(64), "p".repeat(64))).collect();
    let points: Vec<&str> = points.iter().map(String::as_str).collect();
    engine.handle(&now(1), link(LinkEvent::Changed { device: DeviceNo(0), capabilities: capabilities(&points) }));
    let (_, reply) = ask(&mut engine, 1, many([1], write()));
    let Reply::Accepted(parent) = reply else { panic!("{reply:?}") };
    let ChildPart::Refused(Refusal::BadArgument(why)) = &parent.children()[0].part else { panic!("{parent:?}") };
    assert_eq!(why.len(), command::LONGEST_REASON);
}

#[test]
fn what_was_looked_up_ends_its_command_and_no_other() {
    let mut engine = with_devices(settings(), 1);
    let (step, _) = ask(&mut engine, 1, Operate::new(id_of(1), Operation::ConnectionLog { own: false }));
    assert_eq!(step.orders, [Order::Recall { command: CommandNo(1), device: DeviceNo(0) }]);
    ask(&mut engine, 1, Operate::new(id_of(1), write()));
    let recalled = |no| Event::Recalled { command: CommandNo(no), outcome: done() };
    assert_eq!(results(&engine.handle(&now(2), recalled(1))), [("c-1".to_owned(), CommandState::Done, Some(done()))]);
    for no in [1, 2, 3] {
        assert_eq!(engine.handle(&now(2), recalled(no)), Step::default());
    }
}

#[test]
fn many_logs_are_looked_up_and_end_their_parent() {
    let mut engine = with_devices(settings(), 2);
    ask(&mut engine, 1, many([1, 2], Operation::ConnectionLog { own: false }));
    assert_eq!(engine.state().commands[0].state, CommandState::Sent);
    engine.handle(&now(2), Event::Recalled { command: CommandNo(2), outcome: done() });
    let step = engine.handle(&now(2), Event::Recalled { command: CommandNo(3), outcome: done() });
    assert_eq!(results(&step)[1], ("c-1".to_owned(), CommandState::Done, Some(done())));
}

/// The same device, with something about it changed behind the engine's back.
fn changed(engine: &Engine, at: u64, change: impl FnOnce(&mut Device)) -> Engine {
    let mut state = engine.state();
    change(Arc::make_mut(&mut state.devices[0]));
    let (mut engine, _) = Engine::load(settings(), state, &now(at));
    engine.handle(&now(at), link(LinkEvent::Up { credits: 64 }));
    engine.handle(&now(at), link(LinkEvent::Took { orders: 64 }));
    engine
}

#[test]
fn a_blocked_device_takes_nothing_until_its_block_is_over() {
    let mut engine = with_devices(settings(), 2);
    engine.handle(&now(0), link(LinkEvent::Down { why: "cable".into() }));
    ask(&mut engine, 1, Operate::new(id_of(1), write()));
    ask(&mut engine, 1, Operate::new(id_of(2), write()));
    let until = Until::after(&now(2), Duration::from_secs(60));
    let mut engine = changed(&engine, 2, |device| device.blocked = Some(until));
    let sent =
        |engine: &Engine| engine.state().commands.iter().map(|command| command.sent.is_some()).collect::<Vec<_>>();
    assert_eq!(sent(&engine), [false, true], "the other device of the link goes on");
    engine.handle(&now(61), sighting(1));
    assert_eq!(sent(&engine), [false, true], "it was heard, and is blocked");
    assert_eq!(performs(&engine.handle(&now(62), Event::Wake)), [1]);
}

#[test]
fn a_device_that_is_switched_off_takes_only_what_switches_it_on() {
    let mut engine = with_devices(settings(), 1);
    engine.handle(&now(0), link(LinkEvent::Down { why: "cable".into() }));
    ask(&mut engine, 1, Operate::new(id_of(1), write()));
    ask(&mut engine, 1, Operate::new(id_of(1), Operation::Activate { part: Part::Device }));
    let engine = changed(&engine, 2, |device| device.inactive = vec![Part::Device]);
    let sent: Vec<bool> = engine.state().commands.iter().map(|command| command.sent.is_some()).collect();
    assert_eq!(sent, [false, true]);
}

#[test]
fn what_changed_while_a_command_waited_ends_it_unsent() {
    let mut engine = with_devices(settings(), 2);
    engine.handle(&now(0), link(LinkEvent::Down { why: "cable".into() }));
    (1..=2).for_each(|n| drop(ask(&mut engine, 1, Operate::new(id_of(n), write()))));
    ask(&mut engine, 1, Operate::new(id_of(2), Operation::Read { points: vec!["relay.on".parse().unwrap()] }));
    let changed = LinkEvent::Changed { device: DeviceNo(0), capabilities: capabilities(&["led.on"]) };
    let mut ended = results(&engine.handle(&now(2), link(changed)));
    let (step, _) = ask(&mut engine, 2, Operate::new(id_of(2), Operation::Refuse));
    ended.extend(results(&step));
    let step = engine.handle(&now(3), link(LinkEvent::Up { credits: 64 }));
    assert!(performs(&step).is_empty() && results(&step).is_empty());
    let unsent = |(id, state, outcome): &(String, CommandState, Option<Outcome>)| match outcome {
        Some(Outcome::NotSent(why) | Outcome::Failed(why)) if *state == CommandState::Failed => {
            Some(format!("{id} {why}"))
        }
        _ => None,
    };
    let why: Vec<String> = ended.iter().filter_map(unsent).collect();
    assert_eq!(why.len(), 3, "{why:?}");
    assert!(why[0].starts_with("c-1 ") && why[0].contains("no point relay.0.on"), "{why:?}");
    assert!(why[1].starts_with("c-2 ") && why[2].starts_with("c-3 "), "{why:?}");
}

#[test]
fn what_passes_a_held_command_does_not_take_its_rank() {
    let mut engine = with_devices(settings(), 2);
    engine.handle(&now(0), link(LinkEvent::Down { why: "cable".into() }));
    let urgent = Operate { priority: Priority::High, starts: Some(now(100).wall), ..Operate::new(id_of(1), write()) };
    ask(&mut engine, 1, urgent);
    ask(&mut engine, 1, Operate { priority: Priority::Low, ..Operate::new(id_of(1), write()) });
    ask(&mut engine, 1, Operate::new(id_of(2), write()));
    let (mut engine, _) = Engine::load(settings(), engine.state(), &now(2));
    // Two credits: one is for commands at a time.
    engine.handle(&now(2), link(LinkEvent::Up { credits: 2 }));
    let mut sent = Vec::new();
    for at in 3..20 {
        let step = engine.handle(&now(at), link(LinkEvent::Took { orders: 2 }));
        for no in performs(&step) {
            sent.push(no);
            sent.extend(performs(&engine.handle(&now(at), finished(no, done()))));
        }
    }
    assert_eq!(sent, [3, 2]);
}

#[test]
fn so_many_requests_wait_for_their_second_step_and_no_more() {
    let mut engine = with_devices(settings(), 1);
    let mut tokens = Vec::new();
    for _ in 0..65 {
        let (_, reply) = ask(&mut engine, 1, Operate::new(id_of(1), Operation::Erase));
        let Reply::Guarded { token, .. } = reply else { panic!("{reply:?}") };
        tokens.push(token);
    }
    let mut with = |token: &Name| {
        ask(&mut engine, 2, Operate { token: Some(token.clone()), ..Operate::new(id_of(1), Operation::Erase) }).1
    };
    assert!(matches!(with(&tokens[0]), Reply::Refused(Refusal::NotAllowed(_))), "the oldest had to go");
    assert!(matches!(with(&tokens[1]), Reply::Accepted(_)));
    assert!(matches!(with(&tokens[64]), Reply::Accepted(_)));
}

#[test]
fn nobody_is_asked_whether_he_means_what_all_would_refuse() {
    let mut engine = with_devices(settings(), 1);
    let (_, reply) = ask(&mut engine, 1, many([1], Operation::FactoryReset));
    assert!(matches!(reply, Reply::Accepted(parent) if parent.state == CommandState::Failed));
    let (_, reply) = ask(&mut engine, 1, many([1, 9], Operation::Erase));
    assert!(matches!(reply, Reply::Guarded { .. }));
}

#[test]
fn readers_see_how_far_a_family_is_and_it_is_forgotten_in_its_time() {
    let mut engine = with_devices(settings(), 2);
    ask(&mut engine, 1, many([1, 2], write()));
    engine.touched();
    engine.handle(&now(2), finished(2, done()));
    let shown: Vec<_> = engine.touched().commands.iter().map(|command| (command.no.0, command.progress)).collect();
    assert_eq!(shown, [(1, Some(500)), (2, None)]);
    engine.handle(&now(3), finished(3, done()));
    let (step, _) = ask(&mut engine, 4, Operate::new(id_of(1), write()));
    engine.handle(&now(4), finished(performs(&step)[0], done()));
    engine.handle(&now(10_000), Event::Wake);
    assert_eq!(engine.state().ended.iter().map(|ended| ended.no.0).collect::<Vec<_>>(), [4]);
}

#[test]
fn of_several_that_wait_for_their_time_the_earliest_is_looked_at() {
    let mut engine = with_devices(settings(), 1);
    let at = |s: u64| Operate { starts: Some(now(s).wall), ..Operate::new(id_of(1), write()) };
    [40, 20, 60].into_iter().for_each(|s| drop(ask(&mut engine, 1, at(s))));
    let mut engine = again(&engine, settings(), 2);
    engine.handle(&now(2), link(LinkEvent::Up { credits: 64 }));
    engine.handle(&now(2), link(LinkEvent::Took { orders: 64 }));
    assert_eq!(engine.wake_at(), Some(now(20).mono));
    assert_eq!(performs(&engine.handle(&now(20), Event::Wake)), [2]);
    assert_eq!(performs(&engine.handle(&now(41), finished(2, done()))), [1]);
}

/// A write whose lock is not known stands before a read; once it is cancelled the read goes.
#[test]
fn what_a_cancelled_command_held_back_goes_at_once() {
    for family in [false, true] {
        let mut engine = with_devices(settings(), 1);
        let mut locked = capabilities(&["relay.on", "panel.locked"]).as_ref().clone();
        locked.points[0].limits = Some(Limits { lock: Some("panel.locked".parse().unwrap()), ..Limits::default() });
        engine.handle(&now(1), link(LinkEvent::Changed { device: DeviceNo(0), capabilities: locked.into() }));
        let free = Reading { point: PointNo(1), value: Value::Bool(false), quality: Quality::Good, source: None };
        let heard = Heard { device: DeviceNo(0), at: now(1).mono, readings: vec![free] };
        engine.handle(&now(1), link(LinkEvent::Heard(heard)));
        engine.handle(&now(1), link(LinkEvent::Down { why: "cable".into() }));
        let (_, reply) = ask(&mut engine, 1, if family { many([1], write()) } else { Operate::new(id_of(1), write()) });
        assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
        let read = Operation::Read { points: vec!["relay.on".parse().unwrap()] };
        ask(&mut engine, 1, Operate::new(id_of(1), read));
        let mut engine = again(&engine, settings(), 2);
        engine.handle(&now(2), link(LinkEvent::Up { credits: 64 }));
        let step = engine.handle(&now(2), link(LinkEvent::Took { orders: 64 }));
        assert!(performs(&step).is_empty(), "the write waits, and nothing passes it");
        let cancel = Ask::Cancel { command: CommandId::new("c-1").unwrap() };
        let step = engine.handle(&now(3), Event::Ask { to: 1, by: Principal::local_root(), ask: cancel });
        assert_eq!(performs(&step), [if family { 3 } else { 2 }]);
    }
}

#[test]
fn each_of_many_is_written_what_its_own_point_takes() {
    let mut engine = with_devices(settings(), 2);
    for (no, kind) in [(0, ValueKind::Int), (1, ValueKind::Float)] {
        let mut other = capabilities(&["valve.open"]).as_ref().clone();
        other.points[0].kind = kind;
        engine.handle(&now(1), link(LinkEvent::Changed { device: DeviceNo(no), capabilities: other.into() }));
    }
    engine.handle(&now(1), link(LinkEvent::Took { orders: 1_000 }));
    let write = |value| Operation::Write { point: "valve.open".parse().unwrap(), value };
    let (step, _) = ask(&mut engine, 2, many([1, 2], write(Value::Int(21))));
    let of = step.orders.into_iter().filter_map(|order| match order {
        Order::Link { order: LinkOrder::Perform { operation, .. }, .. } => Some(operation),
        _ => None,
    });
    assert_eq!(of.collect::<Vec<_>>(), [write(Value::Int(21)), write(Value::Float(21.0))]);
}
