//! What went wrong once and must not again: each test is a promise that the engine, the turn or the store broke.
#[path = "support/torn_disk.rs"]
mod torn_disk;

use std::sync::Arc;
use std::time::Duration;

use dmgw::engine::{Engine, LinkSettings, Settings, Step};
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Store};
use dmgw::turn::Turn;
use torn_disk::TornDisk;

const LINK: LinkNo = LinkNo(0);

fn settings() -> Settings {
    let link = LinkSettings {
        name: Name::new("plant").unwrap(),
        driver: None,
        admission: Default::default(),
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(50_000),
    };
    Settings { links: vec![link], ..Settings::default() }
}

fn now(s: u64) -> Now {
    Now { mono: Mono(s * 1000), boot: Boot(1), wall: Wall(1_000_000_000 + s * 1000), quality: ClockQuality::Set }
}

fn capabilities() -> Arc<Capabilities> {
    let point = Point {
        no: PointNo(0),
        path: "relay.0.on".parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Write]);
    Capabilities { points: vec![point], operations, ..Capabilities::default() }.into()
}

fn serial(n: u32) -> Identity {
    Identity::new(IdentityKind::Serial, &format!("acme:{n}"), Proof::Claimed).unwrap()
}

fn sighting(address: &str, identities: Vec<Identity>) -> LinkEvent {
    let address = Address::new(address).unwrap();
    LinkEvent::Sighted(Sighting::new(address, identities, Some(capabilities())))
}

fn link(event: LinkEvent) -> Event {
    Event::Link { link: LINK, event }
}

fn write(to: u64, device: u32, id: Option<&str>, expires: Option<Wall>) -> Event {
    let operation = Operation::Write { point: "relay.0.on".parse().unwrap(), value: Value::Bool(true) };
    let id = id.map(|id| CommandId::new(id).unwrap());
    let ask = Operate { id, expires, ..Operate::new(serial(device).urn(), operation) };
    Event::Ask { to, by: Principal::local_root(), ask: Ask::Operate(ask) }
}

fn performs(step: &[Order]) -> Vec<(CommandNo, DeviceNo)> {
    step.iter()
        .filter_map(|order| match order {
            Order::Link { order: LinkOrder::Perform { command, device, .. }, .. } => Some((*command, *device)),
            _ => None,
        })
        .collect()
}

fn admits(step: &Step) -> Vec<(DeviceNo, String)> {
    step.orders
        .iter()
        .filter_map(|order| match order {
            Order::Link { order: LinkOrder::Admit { device, address, .. }, .. } => Some((*device, address.to_string())),
            _ => None,
        })
        .collect()
}

fn fresh() -> Engine {
    let (mut engine, _) = Engine::load(settings(), State::default(), &now(1));
    engine.handle(&now(1), link(LinkEvent::Up { credits: 64 }));
    engine
}

fn turn(disk: &TornDisk) -> Turn {
    let at = now(1);
    let opening = Opening {
        boot_id: [1; 16],
        journal: JournalId([1; 16]),
        mono: at.mono,
        wall: at.wall,
        quality: at.quality,
        seal: Seal::new(&[7; 32]).into(),
    };
    let (store, opened) = Store::open_on(disk.clone(), store::Settings::default(), &opening).unwrap();
    Turn::new(settings(), store, opened.state, &opened.now)
}

/// The device that moved to another's place keeps it over a restart.
#[test]
fn a_device_in_anothers_place_keeps_it_over_a_restart() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    engine.handle(&now(2), link(sighting("2", vec![serial(2)])));
    // Meter 1 is put into the place of meter 2, which is taken away.
    engine.handle(&now(3), link(sighting("2", vec![serial(1)])));
    let before = admits(&engine.handle(&now(4), link(LinkEvent::Up { credits: 64 })));
    let (mut again, _) = Engine::load(settings(), engine.state(), &now(5));
    let after = admits(&again.handle(&now(6), link(LinkEvent::Up { credits: 64 })));
    println!("before {before:?} after {after:?}");
    // Even when it is found again:
    let found = again.handle(&now(7), link(sighting("2", vec![serial(1)])));
    println!("found again: {:?}", found.orders);
    let step = again.handle(&now(8), write(1, 2, None, None));
    println!("a write to the absent meter 2: {:?}", performs(&step.orders));
    assert_eq!(before.last(), after.last());
}

#[test]
fn an_identity_stays_with_its_device_over_a_restart() {
    let mut engine = fresh();
    let eui = Identity::new(IdentityKind::Eui, "0024beff", Proof::Seen).unwrap();
    engine.handle(&now(2), link(sighting("1", vec![eui.clone()])));
    engine.handle(&now(2), link(sighting("2", vec![serial(2)])));
    engine.handle(&now(3), link(sighting("1", vec![eui, serial(2)])));
    let who = |engine: &mut Engine| {
        engine.handle(&now(9), link(sighting("3", vec![serial(2)])));
        (0..2).find(|no| {
            engine
                .device(DeviceNo(*no))
                .unwrap()
                .device
                .place
                .as_ref()
                .is_some_and(|place| place.address.as_str() == "3")
        })
    };
    let (mut again, _) = Engine::load(settings(), engine.state(), &now(5));
    again.handle(&now(6), link(LinkEvent::Up { credits: 64 }));
    assert_eq!(who(&mut engine), who(&mut again));
}

/// Id known, executed, forgotten by mono; then the wall clock is set back and the client asks again.
#[test]
fn an_id_runs_once_though_the_clock_is_set_back_after_it_was_forgotten() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    let mut executed = 0;
    let expires = Some(now(2).wall + Duration::from_secs(3600));
    let step = engine.handle(&now(2), write(1, 1, Some("once"), expires));
    for (command, _) in performs(&step.orders) {
        executed += 1;
        engine.handle(&now(3), link(LinkEvent::Finished { command, outcome: Outcome::Done(Vec::new()) }));
    }
    engine.handle(&now(4), write(2, 1, None, None)); // a later one, so that the first is not the newest
    engine.handle(&now(2 + 7201), Event::Wake);
    // The clock was three hours ahead, and is corrected.
    let mut at = now(2 + 7300);
    at.wall = Wall(at.wall.0 - 3 * 3_600_000);
    let step = engine.handle(&at, write(3, 1, Some("once"), expires));
    println!("{:?}", step.orders);
    let again = matches!(step.orders.last(), Some(Order::Reply { reply: Reply::Accepted(_), .. }))
        || step.orders.iter().any(|order| matches!(order, Order::Reply { reply: Reply::Accepted(_), .. }));
    assert_eq!(executed, 1);
    assert!(!again, "the same id was accepted a second time");
    let (mut reloaded, _) = Engine::load(settings(), engine.state(), &at);
    let step = reloaded.handle(&at, write(4, 1, Some("once"), expires));
    assert!(matches!(&step.orders[..], [Order::Reply { reply: Reply::Refused(_), .. }]), "{:?}", step.orders);
}

#[test]
fn a_memory_of_no_time_does_not_hold_the_loop() {
    dmgw::config::Config::parse(std::path::Path::new("x"), "[commands]\nremember = \"0s\"\n").unwrap();
    let (done, wait) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let zero = Settings { remember: Duration::ZERO, ..settings() };
        let (mut engine, _) = Engine::load(zero, State::default(), &now(1));
        engine.handle(&now(1), link(LinkEvent::Up { credits: 64 }));
        engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
        let step = engine.handle(&now(2), write(1, 1, None, None));
        let (command, _) = performs(&step.orders)[0];
        engine.handle(&now(3), link(LinkEvent::Finished { command, outcome: Outcome::Done(Vec::new()) }));
        engine.handle(&now(1000), Event::Wake);
        done.send(()).unwrap();
    });
    assert!(wait.recv_timeout(Duration::from_secs(3)).is_ok(), "the engine never comes back");
}

/// The link's task is replaced while orders are held back: the new task gets those of the old one too.
#[test]
fn a_new_task_of_a_link_gets_no_orders_of_the_old_one() {
    let mut turn = turn(&TornDisk::default());
    turn.take(&now(1), link(LinkEvent::Up { credits: 8 }));
    (0..8).for_each(|n| turn.take(&now(1), link(sighting(&n.to_string(), vec![serial(n)]))));
    turn.settle(&now(1)).unwrap();
    for _ in 0..40 {
        turn.take(&now(1), link(LinkEvent::Took { orders: 8 }));
        turn.settle(&now(1)).unwrap();
    }
    // One batch behind a slow commit: asks, the end of the task, the new task.
    (0..4).for_each(|n| turn.take(&now(2), write(n, n as u32, None, None)));
    turn.take(&now(2), link(LinkEvent::Ended { why: "panicked".into(), stopped: false }));
    turn.take(&now(2), link(LinkEvent::Up { credits: 8 }));
    let orders = turn.settle(&now(2)).unwrap();
    let to_link = orders.iter().filter(|order| matches!(order, Order::Link { .. })).count();
    let unknown: Vec<_> = turn.touched().commands.iter().map(|command| (command.no, command.state)).collect();
    println!("{to_link} orders; performs {:?}; commands {unknown:?}", performs(&orders));
    assert!(performs(&orders).is_empty(), "sent to the new task after they ended as unknown");
    assert!(to_link <= 8, "{to_link} orders for 8 credits");
}

#[test]
fn what_was_cancelled_is_not_sent_again() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    let step = engine.handle(&now(2), write(1, 1, None, None));
    let (command, _) = performs(&step.orders)[0];
    engine.handle(&now(3), link(LinkEvent::Down { why: "cable".into() }));
    let cancel = Ask::Cancel { command: CommandId::new("c-1").unwrap() };
    let step = engine.handle(&now(3), Event::Ask { to: 2, by: Principal::local_root(), ask: cancel });
    println!("{:?}", step.orders);
    engine.handle(&now(4), link(LinkEvent::Finished { command, outcome: Outcome::NotSent("down".into()) }));
    let step = engine.handle(&now(5), link(LinkEvent::Up { credits: 64 }));
    let mut sent = performs(&step.orders);
    sent.extend(performs(&engine.handle(&now(5), link(LinkEvent::Took { orders: 9 })).orders));
    assert_eq!(sent, [], "it was called back, and is sent");
}

/// One device that comes and goes: 10 000 records that can wait, and nobody is heard for a minute.
#[test]
fn a_burst_of_records_does_not_stop_the_loop() {
    let mut turn = turn(&TornDisk::default());
    turn.take(&now(1), link(LinkEvent::Up { credits: 64 }));
    turn.take(&now(1), link(sighting("1", vec![serial(1)])));
    turn.settle(&now(1)).unwrap();
    for _ in 0..5_000 {
        turn.take(&now(2), link(LinkEvent::Gone { device: DeviceNo(0) }));
        turn.take(&now(2), link(sighting("1", vec![serial(1)])));
        turn.settle(&now(2)).unwrap();
    }
    println!("degraded {:?}, takes events {}, wakes at {:?}", turn.degraded(), turn.wants_events(), turn.wake_at());
    assert!(turn.wants_events(), "the disk is well, and the loop takes no events until {:?}", turn.wake_at());
}

fn in_trouble(disk: &TornDisk) -> Turn {
    let mut turn = turn(disk);
    turn.take(&now(1), link(LinkEvent::Up { credits: 64 }));
    turn.take(&now(1), link(sighting("1", vec![serial(1)])));
    turn.settle(&now(1)).unwrap();
    turn.take(&now(1), write(1, 1, None, None));
    turn.take(&now(1), write(2, 1, None, Some(now(1).wall + Duration::from_millis(1_100))));
    turn.settle(&now(1)).unwrap();
    turn.touched();
    disk.fail(Some(std::io::ErrorKind::StorageFull));
    turn.take(&now(2), link(sighting("2", vec![serial(2)])));
    assert!(turn.settle(&now(2)).unwrap().is_empty());
    assert!(turn.degraded().is_some());
    turn
}

/// A timer of the engine is due that nobody may handle now: the loop must not be woken for it.
#[test]
fn a_full_disk_does_not_make_the_loop_spin() {
    let mut turn = in_trouble(&TornDisk::default());
    while turn.wants_events() {
        turn.take(&now(2), link(LinkEvent::Gone { device: DeviceNo(0) }));
        turn.take(&now(2), link(sighting("1", vec![serial(1)])));
    }
    let at = Now { mono: Mono(2_200), ..now(2) };
    let mut turns = 0;
    while turn.wake_at().unwrap() <= at.mono && turns < 1_000 {
        turn.settle(&at).unwrap();
        turns += 1;
    }
    assert!(turns < 10, "{turns} turns in no time at all: a core at 100 % for as long as the disk is full");
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// In a process of its own: other tests of this one take memory too.
#[test]
fn progress_does_not_grow_while_the_disk_is_full() {
    const ALONE: &str = "PROGRESS_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let words = ["--exact", "progress_does_not_grow_while_the_disk_is_full"];
        let ended = alone.args(words).env(ALONE, "1").output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        return;
    }
    let mut turn = in_trouble(&TornDisk::default());
    let before = resident();
    for i in 0..200_000u32 {
        turn.take(&now(2), link(LinkEvent::Progress { command: CommandNo(1), share: (i % 1000) as u16 }));
        turn.touched();
        assert!(turn.wants_events());
    }
    let grown = resident().saturating_sub(before) >> 20;
    assert!(grown < 30, "{grown} MiB for 200 000 words of progress of one command");
}

/// The row of a shape is damaged: the device is heard again, and still has no points.
#[test]
fn a_damaged_shape_heals() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    let mut state = engine.state();
    state.shapes.clear();
    let (mut again, _) = Engine::load(settings(), state, &now(5));
    again.handle(&now(6), link(LinkEvent::Up { credits: 64 }));
    let step = again.handle(&now(7), link(sighting("1", vec![serial(1)])));
    println!("{:?}", step.changes);
    assert_eq!(again.device(DeviceNo(0)).unwrap().capabilities.points.len(), 1);
}

/// A command's end after the device moved: the next one goes out on its new link.
#[test]
fn after_a_deadline_the_next_command_goes_out_at_once() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    engine.handle(&now(2), write(1, 1, None, None));
    let step = engine.handle(&now(2), write(2, 1, None, None));
    assert!(performs(&step.orders).is_empty());
    let step = engine.handle(&now(2 + 15), Event::Wake);
    assert_eq!(performs(&step.orders).len(), 1, "the first is unknown, a credit is there, the second waits");
}

/// Two meters change places for a while and back.
#[test]
fn two_devices_change_places_and_back() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    engine.handle(&now(2), link(sighting("2", vec![serial(2)])));
    let gone = || link(LinkEvent::Gone { device: DeviceNo(0) });
    engine.handle(&now(3), gone());
    engine.handle(&now(3), link(sighting("2", vec![serial(1)])));
    engine.handle(&now(4), gone());
    engine.handle(&now(4), link(sighting("1", vec![serial(1)])));
    let step = engine.handle(&now(5), link(sighting("2", vec![serial(2)])));
    let again = engine.handle(&now(6), link(LinkEvent::Up { credits: 64 }));
    println!("{:?} then {:?}", admits(&step), admits(&again));
    assert!(admits(&step).contains(&(DeviceNo(1), "2".into())), "meter 2 stands in its place and is not admitted");
}

/// A device was first seen while the clock was years ahead; the clock was corrected long ago.
#[test]
fn a_corrected_clock_stays_corrected_over_a_boot() {
    let disk = TornDisk::default();
    let open = |boot: u8, wall: u64, quality| {
        let opening = Opening {
            boot_id: [boot; 16],
            journal: JournalId([1; 16]),
            mono: Mono(1),
            wall: Wall(wall),
            quality,
            seal: Seal::new(&[7; 32]).into(),
        };
        Store::open_on(disk.clone(), store::Settings::default(), &opening).unwrap()
    };
    let (right, ahead) = (1_800_000_000_000, 2_300_000_000_000);
    let (store, opened) = open(1, ahead, ClockQuality::Set);
    let mut turn = Turn::new(settings(), store, opened.state, &opened.now);
    let at = |wall: u64| Now { wall: Wall(wall), mono: Mono(if wall == ahead { 10 } else { 20 }), ..opened.now };
    turn.take(&at(ahead), link(LinkEvent::Up { credits: 64 }));
    turn.take(&at(ahead), link(sighting("1", vec![serial(1)])));
    turn.settle(&at(ahead)).unwrap();
    turn.take(&at(right), link(sighting("2", vec![serial(2)])));
    turn.settle(&at(right)).unwrap();
    turn.close(&at(right)).unwrap();
    let (_, opened) = open(2, 0, ClockQuality::Unset);
    assert!(opened.now.wall.0 < right + 1_000, "the next boot without a clock begins in {:?}", opened.now.wall);
}

/// What readers see of a device is not ahead of the disk.
#[test]
fn a_device_is_shown_as_it_is_on_disk() {
    let disk = TornDisk::default();
    let mut turn = turn(&disk);
    turn.take(&now(1), link(LinkEvent::Up { credits: 64 }));
    turn.take(&now(1), link(sighting("1", vec![serial(1)])));
    turn.settle(&now(1)).unwrap();
    turn.touched();
    disk.fail(Some(std::io::ErrorKind::StorageFull));
    let ask = Operate::new(serial(1).urn(), Operation::Refuse);
    turn.take(&now(2), Event::Ask { to: 1, by: Principal::local_root(), ask: Ask::Operate(ask) });
    turn.settle(&now(2)).unwrap();
    assert!(turn.degraded().is_some());
    let shown: Vec<_> =
        turn.touched().devices.iter().map(|no| turn.engine().device(*no).unwrap().device.life).collect();
    assert_eq!(shown, [], "published, and nothing of it is on disk");
}

/// A crash takes records of events that waited; a gap record says so.
#[test]
fn events_that_a_crash_took_are_named() {
    let disk = TornDisk::default();
    let mut turn = turn(&disk);
    turn.take(&now(1), link(LinkEvent::Up { credits: 64 }));
    turn.take(&now(1), link(sighting("1", vec![serial(1)])));
    turn.settle(&now(1)).unwrap();
    turn.take(&now(2), link(LinkEvent::Gone { device: DeviceNo(0) }));
    turn.settle(&now(3)).unwrap();
    let image = disk.seen();
    drop(turn);
    let at = now(60);
    let opening = Opening {
        boot_id: [1; 16],
        journal: JournalId([1; 16]),
        mono: at.mono,
        wall: at.wall,
        quality: at.quality,
        seal: Seal::new(&[7; 32]).into(),
    };
    let (store, opened) = Store::open_on(TornDisk::holding(image), store::Settings::default(), &opening).unwrap();
    let page = |stream| store.snapshots().page(stream, 1, 100).unwrap().records;
    let events = format!("{:?}", page(Stream::Events));
    let vital = format!("{:?}", page(Stream::Vital));
    println!("clean {}; vital {vital}", opened.clean);
    assert!(events.contains("DeviceGone") || vital.contains("stream: Events"), "lost in silence");
}

/// A device that takes nothing shall not take the room of all the others.
#[test]
fn so_many_commands_wait_for_one_device_and_no_more() {
    let mut engine = fresh();
    engine.handle(&now(2), link(sighting("1", vec![serial(1)])));
    engine.handle(&now(2), link(sighting("2", vec![serial(2)])));
    engine.handle(&now(2), link(LinkEvent::Took { orders: 60 }));
    let mut accepted = |to, device| {
        let step = engine.handle(&now(3), write(to, device, None, None));
        matches!(step.orders.last(), Some(Order::Reply { reply: Reply::Accepted(_), .. }))
    };
    // One is under way, the others wait.
    let most = settings().most_queued as u64;
    assert!((0..=most).all(|to| accepted(to, 1)));
    assert!(!accepted(most + 1, 1) && accepted(most + 2, 2));
}
