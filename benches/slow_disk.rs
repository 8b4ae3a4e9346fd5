//! Commands while the disk is slow: each sync takes 20 ms, each hundredth 500 ms. The turn and the store on such a disk, the
//! real link to a simulated plant in a process of its own, and clients who ask again a while after they were served.
//!
//! Three numbers: how long a command takes from being asked to its readable end, half of the time and nearly always, and
//! whether a poll was missed meanwhile.
//!
//! Tasks: the link, the clients; a thread: the loop. Channels: events into the loop, orders to the link, and a one-shot
//! from the loop to each client who waits.

mod percentile;
mod row;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dmgw::engine::{LinkSettings, Settings};
use dmgw::links::{self, Driver, Seam, mono, sim};
use dmgw::model::event::Operate;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Store};
use dmgw::turn::Turn;
use percentile::percentile;
use redb::backends::InMemoryBackend;
use tokio::sync::{mpsc, oneshot};

const DEVICES: usize = 128;
const CLIENTS: u64 = 64;
const EVERY: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(30);
/// Between the end of a client's command and its next: at least so long, at most three times.
const REST: Duration = Duration::from_millis(100);
const SYNC: Duration = Duration::from_millis(20);
const SLOW_SYNC: Duration = Duration::from_millis(500);
const LINK: LinkNo = LinkNo(0);

const PLANT: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.relay]
count = 128
address = "relay-{n}"
serial = "acme:relay-{n}"
[device.relay.point."mains.power"]
type = "float"
value = { walk = { start = 100.0, step = 4.0, min = 0.0, max = 900.0 } }
[device.relay.point."relay.level"]
type = "int"
access = "read-write"
value = { echo = 0 }
"#;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let (mut spans, made) = commands_on_a_slow_disk();
    let words =
        [("devices", DEVICES.to_string()), ("clients", CLIENTS.to_string()), ("commands", spans.len().to_string())];
    let spans_of =
        [("sync", format!("{SYNC:?}")), ("slow-sync", format!("{SLOW_SYNC:?}")), ("every", format!("{EVERY:?}"))];
    let in_force = [&words[..], &spans_of[..]].concat();
    row::Row::new("slow-disk-command-half", percentile(&mut spans, 0.5), None, &in_force).write();
    row::Row::new("slow-disk-command-nearly-all", percentile(&mut spans, 0.99), None, &in_force).write();
    row::Row::new("slow-disk-polls-made", made, None, &in_force).write();
}

#[derive(Debug, Default)]
struct SlowDisk {
    bytes: InMemoryBackend,
    syncs: AtomicU64,
}

impl redb::StorageBackend for SlowDisk {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let slow = self.syncs.fetch_add(1, Ordering::Relaxed) % 100 == 99;
        support::pause(if slow { SLOW_SYNC } else { SYNC });
        self.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes.write(offset, data)
    }
}

/// What the loop tells the others.
#[derive(Default)]
struct Told {
    /// Who waits for the end of a command, by the number of the question.
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<()>>>,
    /// When each device was read, as it came into the loop.
    read: Mutex<BTreeMap<DeviceNo, Vec<Mono>>>,
    asked: AtomicU64,
}

/// How long the commands took, and the share of the polls that were made.
fn commands_on_a_slow_disk() -> (Vec<Duration>, f64) {
    let plant = support::Plant::start(PLANT);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let told = Arc::new(Told::default());
    let (events, taken) = mpsc::channel(1_024);
    let (orders, for_link) = mpsc::channel(usize::from(links::CREDITS) + 1);
    let turning = {
        let (told, handle) = (told.clone(), runtime.handle().clone());
        std::thread::spawn(move || turn_until_closed(open(), &told, &handle, taken, &orders))
    };
    let name = Name::new("plant").expect("a name");
    let driver = Driver::Sim(sim::Settings::at(plant.socket()));
    runtime.spawn(links::run(
        driver,
        Seam { link: LINK, name, events: events.clone(), orders: for_link, readers: links::Readers::none() },
    ));
    support::eventually("all devices are read", || (told.read.lock().ok()?.len() == DEVICES).then_some(()));
    let end = Instant::now() + SPAN;
    let clients: Vec<_> = (0..CLIENTS).map(|no| runtime.spawn(client(no, told.clone(), events.clone(), end))).collect();
    let spans = clients.into_iter().flat_map(|client| runtime.block_on(client).expect("a client")).collect();
    let (until, read) = (mono(), std::mem::take(&mut *told.read.lock().expect("nobody panicked")));
    drop(events);
    runtime.shutdown_background();
    turning.join().expect("the loop ended well");
    let missed: u64 = read.values().map(|times| missed(times, until)).sum();
    let made = read.values().map(Vec::len).sum::<usize>() as f64;
    (spans, made / (made + missed as f64))
}

/// Whole intervals in which the device was not read.
fn missed(times: &[Mono], until: Mono) -> u64 {
    let ends = times.iter().skip(1).chain([&until]);
    let intervals = times.iter().zip(ends).map(|(from, to)| to.since(*from).as_secs_f64() / EVERY.as_secs_f64());
    intervals.map(|intervals| (intervals.round() as u64).saturating_sub(1)).sum()
}

fn now() -> Now {
    Now { mono: mono(), boot: Boot(1), wall: Wall(support::wall()), quality: ClockQuality::Set }
}

fn open() -> Turn {
    let Now { mono, wall, quality, .. } = now();
    let opening = Opening {
        boot_id: [1; 16],
        journal: JournalId([2; 16]),
        mono,
        wall,
        quality,
        seal: Seal::new(&[7; 32]).into(),
    };
    let (store, opened) =
        Store::open_on(SlowDisk::default(), store::Settings::default(), &opening).expect("a new store");
    let name = Name::new("plant").expect("a name");
    let link =
        LinkSettings { name, driver: None, admission: Default::default(), every: EVERY, silent_after: 60 * EVERY };
    Turn::new(Settings { links: vec![link], ..Settings::default() }, store, opened.state, &opened.now)
}

/// As the daemon's loop does it.
fn turn_until_closed(
    mut turn: Turn,
    told: &Told,
    runtime: &tokio::runtime::Handle,
    mut events: mpsc::Receiver<Event>,
    to_link: &mpsc::Sender<LinkOrder>,
) {
    let (mut batch, mut accepted) = (Vec::new(), BTreeMap::new());
    loop {
        let wait = turn.wake_at().map_or(EVERY, |at| at.since(mono()).min(EVERY));
        let got = runtime.block_on(async { tokio::time::timeout(wait, events.recv_many(&mut batch, 256)).await });
        if got == Ok(0) {
            return;
        }
        let now = now();
        for event in batch.drain(..) {
            note(told, &event);
            turn.take(&now, event);
        }
        for order in turn.settle(&now).expect("a disk with room") {
            match order {
                Order::Link { order, .. } => to_link.try_send(order).expect("there is room for all credits"),
                Order::Reply { to, reply: Reply::Accepted(command) } => drop(accepted.insert(command.no, to)),
                other => panic!("{other:?}"),
            }
        }
        for command in turn.touched().commands.iter().filter(|command| !command.state.is_open()) {
            assert_eq!(command.state, CommandState::Done, "{command:?}");
            let waiting = accepted.remove(&command.no).and_then(|to| told.waiting.lock().ok()?.remove(&to));
            waiting.expect("each has a client").send(()).expect("who waits for it");
        }
    }
}

fn note(told: &Told, event: &Event) {
    let Event::Link { event: LinkEvent::Heard(heard), .. } = event else { return };
    told.read.lock().expect("nobody panicked").entry(heard.device).or_default().push(heard.at);
}

/// One command after the other until the end; how long each took.
async fn client(no: u64, told: Arc<Told>, events: mpsc::Sender<Event>, end: Instant) -> Vec<Duration> {
    let mut spans = Vec::new();
    while Instant::now() < end {
        let to = told.asked.fetch_add(1, Ordering::Relaxed);
        let (done, wait) = oneshot::channel();
        told.waiting.lock().expect("nobody panicked").insert(to, done);
        // Never two commands for one device at a time.
        let device = no + CLIENTS * (to % 2) + 1;
        let device = DeviceId::new(&format!("urn:dev:dmgw:serial:acme:relay-{device}")).expect("an id");
        let point = "relay.level".parse().expect("a path");
        let ask = Ask::Operate(Operate::new(device, Operation::Write { point, value: Value::Int(to as i64) }));
        let begin = Instant::now();
        events.send(Event::Ask { to, by: Principal::local_root(), ask }).await.expect("the loop runs");
        wait.await.expect("the loop runs");
        spans.push(begin.elapsed());
        tokio::time::sleep(REST + REST * (to as u32 % 5) / 2).await;
    }
    spans
}
