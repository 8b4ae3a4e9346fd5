//! What the store costs: bytes written to a disk per reading and per command, and readings sustained.
//!
//! Time is false, so an hour takes seconds. Bytes are what reached the loop device, with the file system's own journal
//! synced as often as it would be in real time. A reader fetches and acknowledges along.

#[path = "../tests/support/disk.rs"]
mod disk;
mod plant;
mod row;

use std::time::{Duration, Instant};

use dmgw::engine::{LinkSettings, Settings as EngineSettings};
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Reader, Records, Settings, Store, block};
use dmgw::turn::Turn;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    sustained();
    let Some(disk) = disk::Disk::mount("bench store", 512) else { return };
    let (per_reading, _) = journal(&disk, 1_000, 100, Duration::from_secs(1800));
    row::Row::new("written-per-reading-at-1000", per_reading, None, &in_force(100)).write();
    let (per_reading, _) = journal(&disk, 10_000, 1_000, Duration::from_secs(300));
    row::Row::new("written-per-reading-at-10000", per_reading, None, &in_force(1_000)).write();
    let (_, per_day) = journal(&disk, 10, 10, Duration::from_secs(12 * 3600));
    row::Row::new("written-per-day-at-10", per_day / 1e6, None, &in_force(10)).write();
    row::Row::new("written-per-command", commands(&disk) / 1e3, None, &in_force(10_000)).write();
}

fn in_force(devices: u32) -> [(&'static str, String); 5] {
    let Settings { cache, busy_age, idle_age, many, .. } = Settings::default();
    [
        ("devices", devices.to_string()),
        ("cache", cache.to_string()),
        ("busy-age", format!("{busy_age:?}")),
        ("idle-age", format!("{idle_age:?}")),
        ("many", many.to_string()),
    ]
}

fn reader() -> Name {
    Name::new("upstream").expect("a name")
}

fn settings() -> Settings {
    Settings { readers: vec![Reader { name: reader(), streams: Stream::ALL.to_vec() }], ..Settings::default() }
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

/// Bytes written per reading, and per day, at so many readings a second.
fn journal(disk: &disk::Disk, per_second: u64, devices: u32, span: Duration) -> (f64, f64) {
    let path = disk.path().join("state.redb");
    let _ = std::fs::remove_file(&path);
    let (mut store, opened) = Store::open(&path, settings(), &opening()).expect("a new store");
    let mut now = opened.now;
    let mut plant = plant::Plant::new(7, devices);
    // Long enough for the file to have grown to its size.
    let warm = span / 10;
    let (mut readings, mut before) = (0, 0);
    for heard in plant.arrivals(per_second, Mono(1_000)) {
        let elapsed = heard.at.since(Mono(1_000));
        if before == 0 && elapsed > warm {
            (before, readings) = (disk.written(), 0);
        }
        if elapsed > warm + span {
            break;
        }
        (now.wall, now.mono) = (now.wall_at(heard.at), heard.at);
        readings += heard.readings.len();
        store.gather(&now, heard);
        if store.flush_at().is_some_and(|at| at <= now.mono) {
            let passed = acknowledge(&store);
            store.commit(&now, &passed, true).expect("a disk with room");
            disk.sync();
        }
    }
    let bytes = (disk.written() - before) as f64;
    (bytes / readings as f64, bytes * 86_400.0 / span.as_secs_f64())
}

/// What a reader does between two flushes: it fetches what is there and says how far it came.
fn acknowledge(store: &Store) -> Vec<Change> {
    let from = store.snapshots().cursors().expect("cursors");
    let from = from.iter().find(|(_, stream, _)| *stream == Stream::Telemetry).map_or(1, |(_, _, seq)| seq + 1);
    let page = store.snapshots().page(Stream::Telemetry, from, 1_000_000).expect("a page");
    let Records::Readings(blocks) = page.records else { return Vec::new() };
    let last =
        blocks.last().map(|block| block.seq + block.arrivals.iter().map(|a| a.readings.len() as u64).sum::<u64>());
    last.map(|next| Change::Passed { reader: reader(), stream: Stream::Telemetry, seq: next - 1 }).into_iter().collect()
}

/// Bytes written for one command, from asked to ended, among 10 000 devices and some thousand other commands.
fn commands(disk: &disk::Disk) -> f64 {
    const COMMANDS: u64 = 200;
    let path = disk.path().join("state.redb");
    let _ = std::fs::remove_file(&path);
    let (store, opened) = Store::open(&path, settings(), &opening()).expect("a new store");
    let name = Name::new("plant").expect("a name");
    let span = Duration::from_secs(3600);
    let link = LinkSettings { name, driver: None, admission: Default::default(), every: span, silent_after: span };
    let engine = EngineSettings { links: vec![link], ..EngineSettings::default() };
    let mut now = opened.now;
    let mut turn = Turn::new(engine, store, opened.state, &now);
    let plant = plant::Plant::new(7, 10_000);
    event(&mut turn, &now, LinkEvent::Up { credits: 64 });
    for no in 0..plant.devices() {
        turn.take(&now, Event::Link { link: LinkNo(0), event: LinkEvent::Sighted(plant.sighting(DeviceNo(no))) });
    }
    turn.settle(&now).expect("a disk with room");
    for _ in 0..plant.devices() {
        event(&mut turn, &now, LinkEvent::Took { orders: 64 }); // until the link was told of all of them
    }
    for no in 1..=2_000 {
        one_command(&mut turn, &now, &plant, no);
    }
    let before = disk.written();
    for no in 2_001..=2_000 + COMMANDS {
        now.mono = now.mono + Duration::from_millis(100);
        one_command(&mut turn, &now, &plant, no);
    }
    (disk.written() - before) as f64 / COMMANDS as f64
}

fn one_command(turn: &mut Turn, now: &Now, plant: &plant::Plant, no: u64) {
    let device = plant.device(DeviceNo((no * 7919 % 10_000) as u32), &Name::new("plant").expect("a name")).id;
    let point: PointPath = "relay.0.state".parse().expect("a path");
    let operation = Operation::Write { point, value: Value::Uint(1) };
    let ask = Operate::new(device, operation);
    turn.take(now, Event::Ask { to: no, by: Principal::local_root(), ask: Ask::Operate(ask) });
    let orders = turn.settle(now).expect("a disk with room");
    let sent = orders.iter().any(|order| matches!(order, Order::Link { order: LinkOrder::Perform { .. }, .. }));
    assert!(sent, "accepted and sent in one commit: {orders:?}");
    event(turn, now, LinkEvent::Took { orders: 60 });
    event(turn, now, LinkEvent::Finished { command: CommandNo(no), outcome: Outcome::Done(Vec::new()) });
}

fn event(turn: &mut Turn, now: &Now, event: LinkEvent) {
    turn.take(now, Event::Link { link: LinkNo(0), event });
    turn.settle(now).expect("a disk with room");
}

/// Readings a second through gathering, encoding, the journal and its commits, against a bare loop that encodes and
/// commits the same blocks.
fn sustained() {
    const ARRIVALS: usize = 600_000;
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let arrivals: Vec<Heard> = plant::Plant::new(3, 10_000).arrivals(1_000_000, Mono(1_000)).take(ARRIVALS).collect();
    let readings = (ARRIVALS * plant::POINTS) as f64;
    let mut rates = Vec::new();
    for round in 0..3 {
        let ours = readings / through_the_store(&folder.path().join(format!("store-{round}")), arrivals.clone());
        let bare = readings / bare_loop(&folder.path().join(format!("bare-{round}")), &arrivals);
        rates.push((ours, bare));
    }
    rates.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (ours, bare) = rates[1];
    row::Row::new("encode-and-commit", ours, Some(bare), &in_force(10_000)).write();
}

fn through_the_store(path: &std::path::Path, arrivals: Vec<Heard>) -> f64 {
    let (mut store, opened) = Store::open(path, settings(), &opening()).expect("a new store");
    let mut now = opened.now;
    let start = Instant::now();
    let mut next = 1;
    for heard in arrivals {
        (now.wall, now.mono) = (now.wall_at(heard.at), heard.at);
        next += heard.readings.len() as u64;
        store.gather(&now, heard);
        if store.flush_at().is_some_and(|at| at <= now.mono) {
            let passed = Change::Passed { reader: reader(), stream: Stream::Telemetry, seq: next - 1 };
            store.commit(&now, &[passed], true).expect("a disk with room");
        }
    }
    store.commit(&now, &[], true).expect("a disk with room");
    start.elapsed().as_secs_f64()
}

fn bare_loop(path: &std::path::Path, arrivals: &[Heard]) -> f64 {
    const BLOCKS: redb::TableDefinition<(u64, u16), &[u8]> = redb::TableDefinition::new("blocks");
    let db = redb::Builder::new().set_cache_size(Settings::default().cache).create(path).expect("a new file");
    let clock = store::Clock::of(&Now::default());
    let start = Instant::now();
    for (no, chunk) in arrivals.chunks(block::MOST_READINGS / plant::POINTS).enumerate() {
        let block = block::encode(no as u64, Boot(1), clock, chunk).expect("a block");
        let mut txn = db.begin_write().expect("a transaction");
        txn.set_quick_repair(true);
        {
            let mut table = txn.open_table(BLOCKS).expect("a table");
            for (piece, bytes) in (0..).zip(block.chunks(4_000)) {
                table.insert((no as u64, piece), bytes).expect("room");
            }
            if no > 0 {
                table.retain_in((no as u64 - 1, 0)..(no as u64, 0), |_, _| false).expect("room");
            }
        }
        txn.commit().expect("a disk with room");
    }
    start.elapsed().as_secs_f64()
}
