//! GETs while 50 000 readings a second come in and the disk stalls: the turn, the store on a slow disk and the view as the
//! daemon puts them together, with the real door over them; the client is a process of its own.
//!
//! Threads: the loop, the door's workers. The client's: one for each of its connections.

mod percentile;
mod plant;
mod row;
#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dmgw::api::{self, Live};
use dmgw::asks::Asks;
use dmgw::engine::{LinkSettings, Settings};
use dmgw::feed::Feed;
use dmgw::links::mono;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Store};
use dmgw::turn::Turn;
use dmgw::view::{Health, View};
use nix::sys::resource::{UsageWho, getrusage};
use percentile::percentile;
use redb::backends::InMemoryBackend;
use tokio::sync::{mpsc, watch};

const DEVICES: u32 = 1_000;
const READINGS: u64 = 50_000;
const SPAN: Duration = Duration::from_secs(20);
const CONNECTIONS: u32 = 4;
/// Of each connection.
const GETS_A_SECOND: u32 = 50;
const SLOW_SYNC: Duration = Duration::from_millis(500);
const BATCH: usize = 256;
const LINK: LinkNo = LinkNo(0);

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match &words[1..] {
        [what, socket] if what == "get" => get(Path::new(socket)),
        words if words.iter().any(|word| word == "--bench") => measure(),
        _ => {}
    }
}

/// Each fourth sync stalls.
#[derive(Debug, Default)]
struct SlowDisk {
    bytes: InMemoryBackend,
    syncs: Arc<AtomicU64>,
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
        if self.syncs.fetch_add(1, Ordering::Relaxed) % 4 == 3 {
            support::pause(SLOW_SYNC);
        }
        self.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes.write(offset, data)
    }
}

fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("s");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // As many as the daemon has.
    let runtime = runtime.worker_threads(2).max_blocking_threads(2).enable_all().build().expect("a runtime");
    let (syncs, view) = (Arc::new(AtomicU64::new(0)), Arc::new(View::default()));
    let mut turn = open(SlowDisk { syncs: syncs.clone(), ..SlowDisk::default() });
    let door = door(&turn, &view);
    let (stop, stopped) = watch::channel(false);
    let serving = {
        let _within = runtime.enter();
        let socket = api::socket::bind(&socket, None).expect("a socket");
        runtime.spawn(api::serve(api::Doors { socket, group: None, far: None }, door, stopped))
    };
    let until = stop.subscribe();
    let heard = Arc::new(AtomicU64::new(0));
    let looping = {
        let heard = heard.clone();
        std::thread::spawn(move || turn_until(&mut turn, &view, &until, &heard))
    };
    support::eventually("readings come in", || (heard.load(Ordering::Relaxed) > READINGS).then_some(()));
    let (alone, _) = cpu_of(|| support::pause(SPAN));
    let (before, stalls, began) = (heard.load(Ordering::Relaxed), syncs.load(Ordering::Relaxed) / 4, Instant::now());
    let (both, mut spans) = cpu_of(|| gets(&socket));
    let rate = (heard.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    let stalls = syncs.load(Ordering::Relaxed) / 4 - stalls;
    stop.send_replace(true);
    looping.join().expect("the loop ended well");
    runtime.block_on(serving).expect("the door ended well");
    let settings = [
        ("gets", spans.len().to_string()),
        ("readings", format!("{rate:.0}/s")),
        ("stalls", format!("{stalls} of {SLOW_SYNC:?}")),
        ("devices", DEVICES.to_string()),
    ];
    row::Row::new("view-get-nearly-all", percentile(&mut spans, 0.99), None, &settings).write();
    row::Row::new("view-get-core", both - alone, None, &settings).write();
}

/// The share of one core that this process takes meanwhile.
fn cpu_of<T>(meanwhile: impl FnOnce() -> T) -> (f64, T) {
    let (began, before) = (Instant::now(), cpu());
    let done = meanwhile();
    ((cpu() - before) / began.elapsed().as_secs_f64(), done)
}

fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a Linux");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// How long each took, by a process of its own.
fn gets(socket: &Path) -> Vec<Duration> {
    let own = std::env::current_exe().expect("the path of this bench");
    let said = std::process::Command::new(own).arg("get").arg(socket).output().expect("this bench can start itself");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    text.split_whitespace().map(|word| Duration::from_micros(word.parse().expect("a number"))).collect()
}

/// In the process of its own: prints how long each took, in microseconds.
fn get(socket: &Path) {
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|no| {
            let socket = socket.to_owned();
            std::thread::spawn(move || get_on_one(&socket, no))
        })
        .collect();
    for spans in threads.into_iter().map(|thread| thread.join().expect("a client")) {
        spans.iter().for_each(|span| println!("{}", span.as_micros()));
    }
}

fn get_on_one(socket: &Path, no: u32) -> Vec<Duration> {
    let mut stream = BufReader::new(support::http::connect(socket).expect("a place"));
    let (every, began) = (Duration::from_secs(1) / GETS_A_SECOND, Instant::now());
    let mut spans = Vec::new();
    for count in 0..SPAN.as_secs() as u32 * GETS_A_SECOND {
        // By the clock, so that one that took long does not make the next ones fewer.
        let due = every * count + every * no / CONNECTIONS;
        support::pause(due.saturating_sub(began.elapsed()));
        let path = match count % 3 {
            0 => "/v1/devices".to_owned(),
            1 => format!("/v1/devices/{}", count * 7 % DEVICES),
            _ => "/v1/status".to_owned(),
        };
        one_get(&mut stream, &path);
        spans.push(began.elapsed().saturating_sub(due));
    }
    spans
}

fn one_get(stream: &mut BufReader<UnixStream>, path: &str) {
    write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nhost: dmgw\r\n\r\n").expect("a door");
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).expect("an answer");
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = text.trim().parse().expect("a number");
        }
        assert!(!line.starts_with("HTTP") || line.contains(" 200 "), "{path}: {line}");
    }
    stream.read_exact(&mut vec![0; length]).expect("all of it");
}

fn door(turn: &Turn, view: &Arc<View>) -> Arc<api::Door> {
    let long = Duration::from_secs(10);
    // Nobody asks in this bench.
    let (events, _) = mpsc::channel(1);
    Arc::new(api::Door {
        gateway: "bench".into(),
        public_key: None,
        started: mono(),
        view: view.clone(),
        live: Live::new(Feed::new(1 << 20, 1)),
        asks: Arc::new(Asks::new(events, 1)),
        control: mpsc::channel(1).0,
        wrong: watch::channel(Vec::new()).1,
        wires: Default::default(),
        snapshots: turn.snapshots(),
        metrics: Arc::default(),
        numbers: Arc::new(dmgw::metrics::Seen::default),
        reads: api::Reads::default(),
        readers: Vec::new(),
        listens: Arc::default(),
        pace: api::Pace::new(0),
        strangers: Arc::default(),
        keys: Default::default(),
        unbelieved: Arc::default(),
        settled: api::Together::every(api::BETWEEN_SETTLES),
        limits: api::Bounds {
            connections: 32,
            body: api::ALWAYS_TAKEN,
            answer: long,
            wait: long,
            stalled: long,
            page: 1_000,
            upstream: 16,
            expiry: long,
        },
        mono,
    })
}

fn now() -> Now {
    Now { mono: mono(), boot: Boot(1), wall: Wall(support::wall()), quality: ClockQuality::Set }
}

fn open(disk: SlowDisk) -> Turn {
    let Now { mono, wall, quality, .. } = now();
    let (boot_id, journal, seal) = ([1; 16], JournalId([2; 16]), Seal::new(&[7; 32]).into());
    let opening = Opening { boot_id, journal, mono, wall, quality, seal };
    let (store, opened) = Store::open_on(disk, store::Settings::default(), &opening).expect("a new store");
    let (name, long) = (Name::new("plant").expect("a name"), Duration::from_secs(3_600));
    let link = LinkSettings { name, driver: None, admission: Default::default(), every: long, silent_after: long };
    Turn::new(Settings { links: vec![link], ..Settings::default() }, store, opened.state, &opened.now)
}

/// As the daemon's loop does it; what a stall made late comes after it.
fn turn_until(turn: &mut Turn, view: &View, stop: &watch::Receiver<bool>, count: &AtomicU64) {
    let mut plant = plant::Plant::new(1, DEVICES);
    let sightings: Vec<_> = (0..DEVICES).map(|no| LinkEvent::Sighted(plant.sighting(DeviceNo(no)))).collect();
    let first = [LinkEvent::Up { credits: 64 }].into_iter().chain(sightings);
    first.for_each(|event| turn.take(&now(), Event::Link { link: LINK, event }));
    settle(turn, view);
    let mut arrivals = plant.arrivals(READINGS, mono()).peekable();
    while !*stop.borrow() {
        let at = mono();
        for _ in 0..BATCH {
            let Some(heard) = arrivals.next_if(|heard| heard.at <= at) else { break };
            count.fetch_add(heard.readings.len() as u64, Ordering::Relaxed);
            turn.take(&now(), Event::Link { link: LINK, event: LinkEvent::Heard(heard) });
        }
        settle(turn, view);
        if arrivals.peek().is_some_and(|next| next.at > mono()) {
            support::pause(Duration::from_millis(1));
        }
    }
}

fn settle(turn: &mut Turn, view: &View) {
    let orders = turn.settle(&now()).expect("a disk with room");
    let touched = turn.touched();
    view.publish_devices(touched.devices.iter().filter_map(|no| turn.engine().device(*no).cloned()));
    view.publish_health(Health { now: now(), ..Health::default() });
    let orders = orders.iter().filter(|order| matches!(order, Order::Link { .. })).count() as u16;
    if orders > 0 {
        turn.take(&now(), Event::Link { link: LINK, event: LinkEvent::Took { orders } });
    }
}
