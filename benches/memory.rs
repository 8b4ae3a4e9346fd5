//! What devices cost in memory, and how soon they are there after a start: the store, the engine and the view, as the
//! daemon puts them together, in a process of its own that says how much anonymous memory it holds.
//!
//! Once 10 000 devices of 20 points with one reading of each, once 100 000 devices that were registered and never heard,
//! once 20 000 commands that have ended with the largest result there is: of these the peak while they are read counts.

mod row;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmgw::engine::{LinkSettings, Settings};
use dmgw::model::command::LARGEST_RESULT;
use dmgw::model::device::DeviceNow;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Store};
use dmgw::turn::Turn;
use dmgw::view::View;

const HEARD: u32 = 10_000;
const REGISTERED: u32 = 100_000;
const RESULTS: u64 = 20_000;
const COMPONENTS: usize = 4;
const POINTS: usize = 20;
/// The loop publishes after each batch.
const BATCH: usize = 256;
const LINK: LinkNo = LinkNo(0);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match &words[1..] {
        [what, path, devices] if what == "held" => held(Path::new(path), devices.parse().expect("a number")),
        words if words.iter().any(|word| word == "--bench") => measure(),
        _ => {}
    }
}

fn measure() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let (heard, _) = measured(folder.path(), HEARD);
    row::Row::new("memory-10000-heard", heard, None, &in_force(HEARD)).write();
    let (registered, ready) = measured(folder.path(), REGISTERED);
    row::Row::new("memory-100000-registered", registered, None, &in_force(REGISTERED)).write();
    row::Row::new("ready-100000-registered", ready, None, &in_force(REGISTERED)).write();
    let path = folder.path().join("results.redb");
    fill_results(&path);
    let (peak, _) = started(&path, 0);
    row::Row::new("memory-20000-results", peak, None, &[("results", RESULTS.to_string())]).write();
}

fn in_force(devices: u32) -> [(&'static str, String); 4] {
    let cache = store::Settings::default().cache;
    let words = [("devices", devices as usize), ("points", POINTS), ("components", COMPONENTS), ("cache", cache)];
    words.map(|(key, number)| (key, number.to_string()))
}

/// Anonymous memory in MiB, and seconds until the view was there, of a process that starts on such a store.
fn measured(folder: &Path, devices: u32) -> (f64, f64) {
    let path = folder.join(format!("{devices}.redb"));
    fill(&path, devices);
    started(&path, devices)
}

fn started(path: &Path, devices: u32) -> (f64, f64) {
    let own = std::env::current_exe().expect("the path of this bench");
    let child = std::process::Command::new(own).arg("held").arg(path).arg(devices.to_string()).output();
    let said = child.expect("this bench can start itself");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut numbers = text.split_whitespace().map(|word| word.parse::<f64>().expect("a number"));
    (numbers.next().unwrap_or(f64::NAN), numbers.next().unwrap_or(f64::NAN))
}

/// In the process of its own: what the start took, then a reading of each point where there are not too many devices.
fn held(path: &Path, devices: u32) {
    let begin = Instant::now();
    let (store, opened) = Store::open(path, store::Settings::default(), &opening()).expect("a store");
    let mut now = opened.now;
    let mut turn = Turn::new(engine_settings(), store, opened.state, &now);
    let view = View::default();
    settle(&mut turn, &now, &view);
    let ready = begin.elapsed();
    assert_eq!(view.devices(None, usize::MAX).len(), devices as usize);
    if devices == HEARD {
        hear(&mut turn, &mut now, &view, devices);
    }
    let held = if devices == 0 { of_process("VmHWM:") } else { of_process("RssAnon:") };
    println!("{held} {}", ready.as_secs_f64());
    drop((turn, view));
}

fn hear(turn: &mut Turn, now: &mut Now, view: &View, devices: u32) {
    turn.take(now, Event::Link { link: LINK, event: LinkEvent::Up { credits: 64 } });
    for first in (0..devices).step_by(BATCH) {
        now.mono = now.mono + Duration::from_millis(10);
        for no in first..devices.min(first + BATCH as u32) {
            turn.take(now, Event::Link { link: LINK, event: LinkEvent::Heard(reading(now, no)) });
        }
        settle(turn, now, view);
    }
    let heard = |device: &Arc<DeviceNow>| device.live.values.iter().flatten().count() == POINTS;
    assert!(view.devices(None, usize::MAX).iter().all(heard), "one reading of each point");
}

/// As the loop does it; the orders that come out are those that their link has taken.
fn settle(turn: &mut Turn, now: &Now, view: &View) {
    let orders = turn.settle(now).expect("a disk with room");
    let touched = turn.touched();
    view.publish_devices(touched.devices.iter().filter_map(|no| turn.engine().device(*no).cloned()));
    view.publish_ended(touched.ended);
    view.publish_commands(touched.commands, touched.forgotten);
    let orders = orders.iter().filter(|order| matches!(order, Order::Link { .. })).count() as u16;
    if orders > 0 {
        turn.take(now, Event::Link { link: LINK, event: LinkEvent::Took { orders } });
    }
}

fn reading(now: &Now, no: u32) -> Heard {
    let value = |point: usize| match point % 10 {
        9 => Value::text(&format!("state {}", no % 7)),
        7 | 8 => Value::Uint(u64::from(no)),
        _ => Value::Float(f64::from(no) / 7.0),
    };
    let reading =
        |point| Reading { point: PointNo(point as u16), value: value(point), quality: Quality::Good, source: None };
    Heard { device: DeviceNo(no), at: now.mono, readings: (0..POINTS).map(reading).collect() }
}

/// In MiB.
fn of_process(key: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a line of this name");
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
}

fn opening() -> Opening {
    let (mono, wall) = (Mono(1), Wall(1_700_000_000_000));
    Opening {
        boot_id: [1; 16],
        journal: JournalId([2; 16]),
        mono,
        wall,
        quality: ClockQuality::Set,
        seal: Seal::new(&[7; 32]).into(),
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn engine_settings() -> Settings {
    let span = Duration::from_secs(3600);
    let link = LinkSettings {
        name: name("plant"),
        driver: None,
        admission: Default::default(),
        every: span,
        silent_after: span,
    };
    Settings { links: vec![link], ..Settings::default() }
}

fn fill(path: &Path, devices: u32) {
    let (mut store, opened) = Store::open(path, store::Settings::default(), &opening()).expect("a new store");
    let shape = Change::Shape { no: ShapeNo(0), capabilities: Arc::new(capabilities()) };
    store.commit(&opened.now, &[shape], false).expect("a disk with room");
    let all: Vec<u32> = (0..devices).collect();
    for some in all.chunks(10_000) {
        let changes: Vec<Change> = some.iter().map(|no| Change::Device(Arc::new(device(*no, &opened.now)))).collect();
        store.commit(&opened.now, &changes, false).expect("a disk with room");
    }
    store.close(&opened.now).expect("a disk with room");
}

fn fill_results(path: &Path) {
    let (mut store, opened) = Store::open(path, store::Settings::default(), &opening()).expect("a new store");
    let values = (0..LARGEST_RESULT / 1_024).map(|no| (format!("a.{no}.b"), Value::text(&"x".repeat(1_024))));
    let values = values.map(|(path, value)| (path.parse().expect("a path"), value));
    let outcome = Some(Outcome::Done(values.collect()));
    let command = |no: u64| {
        let id = CommandId::new(&format!("c-{no}")).expect("an id");
        let whom = Whom::Device { no: DeviceNo(0), id: DeviceId::new("urn:x:0").expect("an id") };
        let (state, outcome, ended) = (CommandState::Done, outcome.clone(), Some(opened.now));
        let asked = Command::new(CommandNo(no), id, name("somebody"), whom, Operation::Locate, opened.now);
        Change::Command(Arc::new(Command { state, outcome, ended, ..asked }))
    };
    for first in (0..RESULTS).step_by(500) {
        let changes: Vec<Change> = (first..first + 500).map(command).collect();
        store.commit(&opened.now, &changes, false).expect("a disk with room");
    }
    store.close(&opened.now).expect("a disk with room");
}

fn device(no: u32, now: &Now) -> Device {
    let identity = |kind, value: String, proof| Identity::new(kind, &value, proof).expect("printable");
    let serial = identity(IdentityKind::Serial, format!("acme:{no:07}"), Proof::Claimed);
    let eui = identity(IdentityKind::Eui, format!("0024beff{no:08x}"), Proof::Seen);
    let address = Address::new(&format!("10.{}.{}.{}", no >> 16, no >> 8 & 255, no & 255)).expect("printable");
    Device {
        place: Some(Place { link: name("plant"), address }),
        groups: vec![name(&format!("hall-{}", no % 40)), name(&format!("line-{}", no % 11))],
        shape: ShapeNo(0),
        identities: vec![eui.clone(), serial],
        ..Device::new(DeviceNo(no), eui.urn(), LifeCycle::Managed, now)
    }
}

fn capabilities() -> Capabilities {
    let of = |no: usize| {
        let path = format!("part-{}.0.point-{}", no * COMPONENTS / POINTS, no);
        let kind = match no % 10 {
            9 => ValueKind::Text,
            7 | 8 => ValueKind::Uint,
            _ => ValueKind::Float,
        };
        let no = PointNo(no as u16);
        Point { no, path: path.parse().expect("a path"), kind, unit: None, access: Access::Read, limits: None }
    };
    let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Probe]);
    Capabilities { points: (0..POINTS).map(of).collect(), operations, ..Capabilities::default() }
}
