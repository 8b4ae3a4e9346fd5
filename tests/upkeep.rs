//! Commands, timers and what links are told, through the engine alone: devices that lose their place, links that come
//! back, devices that are off, asleep or worked on.

use std::time::Duration;

use dmgw::engine::{Admission, AdmissionRule, Engine, LinkSettings, Pattern, Settings, Step};
use dmgw::model::event::Operate;
use dmgw::model::*;

const A: LinkNo = LinkNo(0);
const B: LinkNo = LinkNo(1);
const NONE: [u64; 0] = [];

fn now(s: u64) -> Now {
    Now { mono: Mono(s * 1_000), boot: Boot(1), wall: Wall(1_000_000 + s * 1_000), quality: ClockQuality::Set }
}

fn settings() -> Settings {
    let link = |name: &str| LinkSettings {
        name: Name::new(name).unwrap(),
        driver: None,
        admission: Admission::Accept,
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(10),
    };
    Settings { links: vec![link("a"), link("b")], ..Settings::default() }
}

fn load(settings: Settings) -> Engine {
    let (mut engine, _) = Engine::load(settings, State::default(), &now(0));
    for link in [A, B] {
        event(&mut engine, 0, link, LinkEvent::Up { credits: 1_000 });
    }
    engine
}

fn capabilities() -> Capabilities {
    use OperationKind::*;
    let point = Point {
        no: PointNo(0),
        path: "relay.on".parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[Read, Write, Restart, Activate, Deactivate, FactoryReset, Erase]);
    Capabilities { points: vec![point], operations, ..Capabilities::default() }
}

fn serial(n: u32) -> Identity {
    Identity::new(IdentityKind::Serial, &format!("acme:{n}"), Proof::Claimed).unwrap()
}

fn id(n: u32) -> DeviceId {
    DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{n}")).unwrap()
}

fn event(engine: &mut Engine, at: u64, link: LinkNo, event: LinkEvent) -> Step {
    engine.handle(&now(at), Event::Link { link, event })
}

fn sight_as(engine: &mut Engine, at: u64, link: LinkNo, address: &str, n: u32, made_of: Capabilities) -> Step {
    let sighting = Sighting::new(Address::new(address).unwrap(), vec![serial(n)], Some(made_of.into()));
    event(engine, at, link, LinkEvent::Sighted(sighting))
}

fn sight(engine: &mut Engine, at: u64, link: LinkNo, address: &str, n: u32) -> Step {
    sight_as(engine, at, link, address, n, capabilities())
}

/// What led to the answer, and the answer.
fn ask_by(engine: &mut Engine, at: u64, by: Principal, operate: Operate) -> (Step, Reply) {
    let mut step = engine.handle(&now(at), Event::Ask { to: 1, by, ask: Ask::Operate(operate) });
    match step.orders.pop() {
        Some(Order::Reply { reply, .. }) => (step, reply),
        other => panic!("no reply but {other:?}"),
    }
}

fn ask(engine: &mut Engine, at: u64, n: u32, operation: Operation) -> (Step, Reply) {
    ask_by(engine, at, Principal::local_root(), Operate::new(id(n), operation))
}

fn write() -> Operation {
    Operation::Write { point: "relay.on".parse().unwrap(), value: Value::Bool(true) }
}

fn finish(engine: &mut Engine, at: u64, no: u64, outcome: Outcome) -> Step {
    event(engine, at, A, LinkEvent::Finished { command: CommandNo(no), outcome })
}

fn done() -> Outcome {
    Outcome::Done(Vec::new())
}

fn performs(step: &Step) -> Vec<u64> {
    let of = step.orders.iter().filter_map(|order| match order {
        Order::Link { order: LinkOrder::Perform { command, .. }, .. } => Some(command.0),
        _ => None,
    });
    of.collect()
}

/// Beside commands.
fn told(step: &Step, link: LinkNo) -> Vec<LinkOrder> {
    let of = step.orders.iter().filter_map(|order| match order {
        Order::Link { order: LinkOrder::Perform { .. } | LinkOrder::Discover, .. } => None,
        Order::Link { link: of, order } if *of == link => Some(order.clone()),
        _ => None,
    });
    of.collect()
}

fn drops(address: &str, at: u64) -> LinkOrder {
    LinkOrder::Refuse { address: Address::new(address).unwrap(), until: Some(now(at).mono) }
}

fn why(reply: Reply) -> String {
    match reply {
        Reply::Refused(refusal) => refusal.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Who has the serial number 9 waits for a decision.
fn strangers_held() -> Settings {
    let identity = Some(Pattern::new("serial:acme:9").unwrap());
    let rule = AdmissionRule { link: None, identity, proof: None, profile: None, of: None, then: Admission::Hold };
    Settings { admission: vec![rule], ..settings() }
}

#[test]
fn commands_for_a_displaced_device_never_go_to_who_stands_in_its_place() {
    let mut engine = load(strangers_held());
    sight(&mut engine, 1, A, "7", 1);
    let (step, _) = ask(&mut engine, 1, 1, write());
    assert_eq!(performs(&step), [1]);
    ask(&mut engine, 1, 1, write());
    let step = sight(&mut engine, 2, A, "7", 9);
    assert_eq!(told(&step, A), [drops("7", 2)], "the link shall have nobody there");
    assert_eq!(performs(&finish(&mut engine, 2, 1, Outcome::NotSent("dropped".into()))), NONE);
    let (step, reply) = ask(&mut engine, 3, 1, write());
    assert_eq!((performs(&step), why(reply).contains("nowhere until it is met again")), (vec![], true));
    sight(&mut engine, 4, B, "3", 1);
    let step = engine.handle(&now(9), Event::Wake);
    assert_eq!(performs(&step), [2], "what waited goes to where it is met, once nobody came back to the old place");
    let on = step.orders.iter().find(|order| matches!(order, Order::Link { order: LinkOrder::Perform { .. }, .. }));
    assert!(matches!(on, Some(Order::Link { link: B, .. })));
}

#[test]
fn a_command_that_only_waits_for_a_credit_stays_behind_when_its_device_is_displaced() {
    let (mut engine, _) = Engine::load(strangers_held(), State::default(), &now(0));
    event(&mut engine, 0, A, LinkEvent::Up { credits: 3 });
    for n in 1..=2 {
        sight(&mut engine, 1, A, &n.to_string(), n);
        event(&mut engine, 1, A, LinkEvent::Took { orders: 3 });
    }
    assert_eq!([2, 1].map(|n| performs(&ask(&mut engine, 1, n, write()).0)), [vec![1], vec![]]);
    sight(&mut engine, 2, A, "1", 9);
    event(&mut engine, 2, A, LinkEvent::Took { orders: 2 });
    assert_eq!(performs(&finish(&mut engine, 3, 1, done())), NONE);
}

#[test]
fn commands_for_replaced_hardware_wait_until_it_is_met() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "7", 1);
    let starts = Some(Wall(now(5).wall.0));
    ask_by(&mut engine, 1, Principal::local_root(), Operate { starts, ..Operate::new(id(1), write()) });
    let (step, _) = ask(&mut engine, 2, 1, Operation::Replace { identity: serial(2) });
    assert_eq!(told(&step, A), [drops("7", 2)]);
    assert_eq!(performs(&engine.handle(&now(6), Event::Wake)), NONE);
    assert_eq!(performs(&ask(&mut engine, 6, 1, write()).0), NONE);
    assert_eq!(performs(&sight(&mut engine, 7, A, "7", 2)), [1]);
}

#[test]
fn who_answers_for_a_displaced_device_is_no_sign_of_its_life() {
    let mut engine = load(strangers_held());
    sight(&mut engine, 1, A, "7", 1);
    ask(&mut engine, 1, 1, write());
    sight(&mut engine, 2, A, "7", 9);
    finish(&mut engine, 3, 1, done());
    assert_eq!(engine.device(DeviceNo(0)).unwrap().live.connectivity, Connectivity::Gone);
}

#[test]
fn a_device_that_is_off_is_asked_for_what_it_takes_when_off() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    let starts = Some(Wall(now(3).wall.0));
    ask_by(&mut engine, 1, Principal::local_root(), Operate { starts, ..Operate::new(id(1), write()) });
    ask(&mut engine, 2, 1, Operation::Deactivate { part: Part::Device });
    finish(&mut engine, 2, 2, done());
    assert!(engine.device(DeviceNo(0)).unwrap().device.is_inactive());
    for (no, operation) in [(3, Operation::Probe), (4, Operation::Restart { part: Part::Device })] {
        let (step, _) = ask(&mut engine, 4, 1, operation);
        assert_eq!(performs(&step), [no], "but the write, which is due, waits");
        assert_eq!(performs(&finish(&mut engine, 4, no, done())), NONE);
    }
    assert_eq!(performs(&ask(&mut engine, 5, 1, Operation::Activate { part: Part::Device }).0), [5]);
    assert_eq!(performs(&finish(&mut engine, 5, 5, done())), [1]);
}

#[test]
fn a_link_that_was_down_hears_who_left_it_meanwhile() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    event(&mut engine, 2, A, LinkEvent::Down { why: "unplugged".into() });
    engine.handle(&now(60), Event::Wake);
    let after = |engine: &Engine| engine.device(DeviceNo(0)).unwrap().device.is_at().unwrap().link.to_string();
    sight(&mut engine, 61, B, "2", 1);
    for at in [70, 90, 3_700] {
        engine.handle(&now(at), Event::Wake);
    }
    assert_eq!(after(&engine), "b");
    let step = event(&mut engine, 4_000, A, LinkEvent::Up { credits: 1_000 });
    let nothing = LinkOrder::Plan { device: DeviceNo(0), points: [].into() };
    assert_eq!(told(&step, A), [nothing]);
}

/// How often the engine wants to be woken between these times.
fn wakes(engine: &mut Engine, from_s: u64, to_s: u64, now: impl Fn(Mono) -> Now) -> usize {
    let mut wakes = 0;
    while let Some(at) = engine.wake_at().filter(|at| at.0 < to_s * 1_000) {
        engine.handle(&now(at), Event::Wake);
        wakes += usize::from(at.0 >= from_s * 1_000);
    }
    wakes
}

#[test]
fn what_waits_for_its_time_is_looked_at_once_a_minute_whatever_else_is_asked() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    let starts = Some(Wall(now(20_000).wall.0));
    ask_by(&mut engine, 2, Principal::local_root(), Operate { starts, ..Operate::new(id(1), write()) });
    let later = |at: Mono| Now { mono: at, boot: Boot(2), wall: now(100).wall + Duration::from_millis(at.0), ..now(0) };
    let (mut engine, _) = Engine::load(settings(), engine.state(), &later(Mono(0)));
    engine.handle(&later(Mono(0)), Event::Link { link: A, event: LinkEvent::Up { credits: 100 } });
    for n in 0..50 {
        let at = later(Mono(100 * n));
        let ask = Ask::Operate(Operate::new(id(1), Operation::Probe));
        engine.handle(&at, Event::Ask { to: 1, by: Principal::local_root(), ask });
        engine.handle(&at, Event::Link { link: A, event: LinkEvent::Took { orders: 2 } });
        let event = LinkEvent::Finished { command: CommandNo(2 + n), outcome: done() };
        engine.handle(&at, Event::Link { link: A, event });
    }
    assert!(wakes(&mut engine, 540, 600, later) < 5);
}

#[test]
fn a_block_is_timed_once_however_often_it_is_set() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    for at in 2..22 {
        let until = Some(Wall(now(36_000).wall.0));
        ask(&mut engine, at, 1, Operation::Block { until, span: None });
    }
    let at = |at: Mono| Now { mono: at, wall: Wall(1_000_000 + at.0), ..now(0) };
    // By then the commands that set it are forgotten.
    let wakes = wakes(&mut engine, 4_000, 36_000, at);
    assert!(wakes < 100, "{wakes}");
}

#[test]
fn a_command_that_came_back_and_was_sent_again_has_its_whole_time() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    let patient = || Operate { timeout: Some(Duration::from_secs(60)), ..Operate::new(id(1), write()) };
    assert_eq!(performs(&ask_by(&mut engine, 1, Principal::local_root(), patient()).0), [1]);
    event(&mut engine, 30, A, LinkEvent::Down { why: "unplugged".into() });
    finish(&mut engine, 30, 1, Outcome::NotSent("the link is down".into()));
    assert_eq!(performs(&event(&mut engine, 40, A, LinkEvent::Up { credits: 1_000 })), [1]);
    let state = |engine: &Engine| engine.state().commands.first().map(|command| command.state);
    engine.handle(&now(100), Event::Wake);
    assert_eq!(state(&engine), Some(CommandState::Sent));
    engine.handle(&now(105), Event::Wake);
    assert_eq!(state(&engine), None);
}

#[test]
fn many_that_fall_silent_together_do_so_in_several_steps() {
    let mut engine = load(settings());
    for n in 0..2_500 {
        sight(&mut engine, 1, A, &n.to_string(), n);
    }
    let silent = |step: &Step| step.changes.iter().filter(|change| matches!(change, Change::Was { .. })).count();
    let mut steps = Vec::new();
    while engine.wake_at().is_some_and(|at| at <= now(12).mono) {
        steps.push(silent(&engine.handle(&now(12), Event::Wake)));
    }
    assert_eq!(steps, [1_000, 1_000, 500]);
}

#[test]
fn a_sleeper_is_neither_polled_nor_missed_while_it_sleeps() {
    let mut engine = load(settings());
    let sleeps = Some(device::Sleep { every: Duration::from_secs(60), awake: Duration::from_secs(2) });
    let step = sight_as(&mut engine, 1, A, "1", 1, Capabilities { sleeps, ..capabilities() });
    let plan = told(&step, A).into_iter().find_map(|order| match order {
        LinkOrder::Plan { points, .. } => Some(points),
        _ => None,
    });
    assert_eq!(plan.unwrap().iter().map(|point| point.every).collect::<Vec<_>>(), [None]);
    let miss = |engine: &mut Engine, at| {
        event(engine, at, A, LinkEvent::Missed { device: DeviceNo(0) });
        engine.device(DeviceNo(0)).unwrap().live.connectivity
    };
    assert_eq!([5, 9, 15].map(|at| miss(&mut engine, at)), [Connectivity::Up; 3]);
    event(&mut engine, 60, A, LinkEvent::Heard(Heard { device: DeviceNo(0), at: Mono(60_000), readings: vec![] }));
    let awake = [Connectivity::Up, Connectivity::Up, Connectivity::Degraded];
    assert_eq!([60, 61, 61].map(|at| miss(&mut engine, at)), awake, "while it is awake it should answer");
}

#[test]
fn what_others_asked_before_waits_until_the_work_on_a_device_is_over() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    let starts = || Some(Wall(now(20).wall.0));
    let later = |operation| Operate { starts: starts(), ..Operate::new(id(1), operation) };
    let afar = || Principal { local: false, ..Principal::local_root() };
    let read = || Operation::Read { points: vec!["relay.on".parse().unwrap()] };
    ask_by(&mut engine, 2, afar(), later(write()));
    ask_by(&mut engine, 2, afar(), later(read()));
    ask_by(&mut engine, 2, Principal::local_root(), later(write()));
    let maintain = |off| Operation::Maintenance { until: None, span: None, off };
    ask(&mut engine, 3, 1, maintain(false));
    let afresh = engine.state();
    assert_eq!(performs(&engine.handle(&now(21), Event::Wake)), [2], "who looks disturbs nobody");
    assert_eq!(performs(&finish(&mut engine, 22, 2, done())), [3], "who is on the spot does the work");
    assert_eq!(performs(&finish(&mut engine, 23, 3, done())), NONE);
    assert_eq!(performs(&ask(&mut engine, 30, 1, maintain(true)).0), [1]);
    // The same after a restart.
    let (mut engine, _) = Engine::load(settings(), afresh, &now(25));
    assert_eq!(performs(&event(&mut engine, 25, A, LinkEvent::Up { credits: 1_000 })), [2]);
}

#[test]
fn what_is_desired_by_who_works_on_a_device_is_written_at_once() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    ask(&mut engine, 2, 1, Operation::Maintenance { until: None, span: None, off: false });
    let point = "relay.on".parse().unwrap();
    let desire = Operation::Desire { point, value: Some(Value::Bool(true)), version: None };
    assert_eq!(performs(&ask(&mut engine, 3, 1, desire).0), [3]);
}

#[test]
fn an_id_is_not_answered_for_other_devices_or_other_arguments() {
    let mut engine = load(settings());
    (1..=2).for_each(|n| drop(sight(&mut engine, 1, A, &n.to_string(), n)));
    let once = |name: &str, operate: Operate| {
        let id = Some(CommandId::new(name).unwrap());
        Operate { id, expires: Some(Wall(now(100).wall.0)), ..operate }
    };
    let many = |n: u32| Operate { device: None, devices: vec![id(n)], ..Operate::new(id(1), write()) };
    let set = |on: bool| {
        let operation = Operation::Write { point: "relay.on".parse().unwrap(), value: Value::Bool(on) };
        Operate::new(id(1), operation)
    };
    let ask = |engine: &mut Engine, operate: Operate| ask_by(engine, 2, Principal::local_root(), operate).1;
    ask(&mut engine, once("many", many(1)));
    ask(&mut engine, once("one", set(true)));
    for _ in 0..2 {
        assert!(why(ask(&mut engine, once("many", many(2)))).contains("used for another command"));
        assert!(why(ask(&mut engine, once("one", set(false)))).contains("with other arguments"));
        assert!(matches!(ask(&mut engine, once("many", many(1))), Reply::Known(_)));
        assert!(matches!(ask(&mut engine, once("one", set(true))), Reply::Known(_)));
        let state = engine.state();
        engine = Engine::load(settings(), state, &now(3)).0;
    }
}

#[test]
fn a_token_is_bound_to_when_and_how() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    let wall = |s: u64| Some(now(s).wall);
    let first = || Operate { starts: wall(1_000), expires: wall(5_000), ..Operate::new(id(1), Operation::Erase) };
    let mut second = |again: Operate| {
        let by = Principal::local_root();
        let Reply::Guarded { token, .. } = ask_by(&mut engine, 2, by.clone(), first()).1 else { panic!("no token") };
        let (_, reply) = ask_by(&mut engine, 3, by, Operate { token: Some(token), ..again });
        matches!(reply, Reply::Accepted(_))
    };
    assert!(second(first()) && second(Operate { starts: wall(1_060), expires: wall(5_060), ..first() }));
    assert!(!second(Operate { starts: None, ..first() }));
    assert!(!second(Operate { starts: wall(2_000), ..first() }));
    assert!(!second(Operate { expires: wall(50_000), ..first() }));
    assert!(!second(Operate { timeout: Some(Duration::from_secs(99)), ..first() }));
    assert!(!second(Operate { priority: command::Priority::High, ..first() }));
}

#[test]
fn the_number_of_a_device_that_was_lost_is_not_given_again() {
    let mut engine = load(settings());
    (1..=2).for_each(|n| drop(sight(&mut engine, 1, A, &n.to_string(), n)));
    let mut state = engine.state();
    state.devices.pop();
    state.lost_device = Some(DeviceNo(1));
    let (mut engine, _) = Engine::load(settings(), state.clone(), &now(2));
    assert_eq!(engine.state(), state);
    sight(&mut engine, 3, A, "3", 3);
    assert!(engine.device(DeviceNo(1)).is_none());
    assert_eq!(engine.device(DeviceNo(2)).map(|entry| entry.device.id.clone()), Some(id(3)));
}

#[test]
fn an_id_that_may_be_of_a_command_that_was_lost_does_not_run_again() {
    let mut engine = load(settings());
    sight(&mut engine, 1, A, "1", 1);
    let own = |name: &str, expires_s: u64| Operate {
        id: Some(CommandId::new(name).unwrap()),
        expires: Some(now(expires_s).wall),
        ..Operate::new(id(1), write())
    };
    let root = Principal::local_root;
    for name in ["one", "two", "three"] {
        ask_by(&mut engine, 1, root(), own(name, 1_000));
    }
    let mut state = engine.state();
    state.commands.retain(|command| command.no == CommandNo(2));
    state.lost_commands = vec![CommandNo(1), CommandNo(3)];
    let (mut engine, step) = Engine::load(settings(), state.clone(), &now(2));
    step.changes.iter().for_each(|change| state.apply(change));
    assert_eq!(engine.state(), state);
    assert_eq!(state.lost_commands, [CommandNo(3)], "the newest stays, for its number");
    assert!(why(ask_by(&mut engine, 3, root(), own("one", 1_000)).1).contains("may be forgotten"));
    assert!(matches!(ask_by(&mut engine, 3, root(), own("two", 1_000)).1, Reply::Known(CommandNo(2))));
    let Reply::Accepted(new) = ask(&mut engine, 3, 1, write()).1 else { panic!("not accepted") };
    assert_eq!(new.no, CommandNo(4));
    // A week later an id of that time has expired, and others are taken again.
    let week = 7 * 24 * 3_600;
    let (_, reply) = ask_by(&mut engine, week + 10, root(), own("one", week + 20));
    assert!(matches!(reply, Reply::Accepted(_)), "{reply:?}");
    let (engine, _) = Engine::load(settings(), engine.state(), &now(week + 11));
    assert!(engine.state().lost_commands.is_empty());
}

#[test]
fn what_was_desired_of_a_device_that_waited_is_written_when_it_is_let_in() {
    let mut engine = load(strangers_held());
    sight(&mut engine, 1, A, "1", 9);
    let point: PointPath = "relay.on".parse().unwrap();
    let desire = Operation::Desire { point, value: Some(Value::Bool(true)), version: None };
    assert_eq!(performs(&ask(&mut engine, 2, 9, desire).0), NONE);
    let (mut engine, _) = Engine::load(settings(), engine.state(), &now(3));
    event(&mut engine, 3, A, LinkEvent::Up { credits: 1_000 });
    let (step, _) = ask(&mut engine, 4, 9, Operation::Accept);
    assert_eq!(performs(&step).len(), 1);
    finish(&mut engine, 5, performs(&step)[0], Outcome::Failed("interlock".into()));
    for operation in [Operation::Quarantine, Operation::Release] {
        assert_eq!(performs(&ask(&mut engine, 6, 9, operation).0), NONE, "a version is written once");
    }
}
