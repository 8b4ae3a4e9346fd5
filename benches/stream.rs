//! A hundred listeners on the real daemon while a thousand readings come each second, each in an arrival of its own. One of
//! them reads nothing for longer than it may, is let go, and comes back. And what a thousand idle connections hold.
//!
//! Threads: one for each listener; each tells the last number that it has, and how many it missed or got twice.

mod row;
#[path = "../tests/support/mod.rs"]
mod support;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Gateway, Listener, Plant, eventually, pause};

const LISTENERS: usize = 100;
const SENSORS: usize = 50;
const SPEAKS: &str = "50ms";
/// One listener reads nothing for so long; `limits.stalled` is 30 s.
const PAUSED: Duration = Duration::from_secs(33);
const IDLE: usize = 1_000;
const SETTINGS: &str = "[clock]\ntrust = \"always\"\n[limits]\nconnections = 1200\n";

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let plant = Plant::start(&format!(
        "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\nseed = 1\n[device.sensor]\ncount = {SENSORS}\n\
         address = \"{{n}}\"\nserial = \"acme:{{n}}\"\nmode = {{ speaks = \"{SPEAKS}\" }}\n\
         [device.sensor.point.\"count.spoken\"]\ntype = \"uint\"\nvalue = {{ counter = {{ start = 1, step = 1 }} }}\n"
    ));
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "1h", "", SETTINGS));
    gateway.start();
    eventually("all devices are there", || {
        (gateway.get("/v1/status").ok()["devices"]["up"].as_u64()? >= SENSORS as u64).then_some(())
    });
    listeners(&gateway);
    drop(plant);
    idle();
}

/// What the listeners of this bench found together.
#[derive(Default)]
struct Found {
    wrong: AtomicU64,
    told: AtomicU64,
    stop_at: AtomicU64,
}

fn listeners(gateway: &Gateway) {
    let alone = cpu_of(gateway.pid(), Duration::from_secs(10));
    let found = Arc::new(Found { stop_at: AtomicU64::new(u64::MAX), ..Found::default() });
    let socket = gateway.socket();
    let threads: Vec<_> = (0..LISTENERS)
        .map(|no| {
            let (found, socket) = (found.clone(), socket.clone());
            let paused = no == 0;
            std::thread::spawn(move || listen(&socket, &found, paused))
        })
        .collect();
    pause(Duration::from_secs(3));
    let (before, began) = (found.told.load(Ordering::Relaxed), Instant::now());
    let busy = cpu_of(gateway.pid(), PAUSED);
    let rate = (found.told.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64() / LISTENERS as f64;
    let held = of_process(gateway.pid(), "RssAnon:") as f64 / 1024.0;
    // Until everybody has all that was there by now, the one that paused too.
    let next = Listener::open(&socket, "/v1/stream", None).expect("a place").id;
    let last = next.rsplit('.').next().and_then(|number| number.parse().ok()).expect("a number");
    found.stop_at.store(last, Ordering::Release);
    threads.into_iter().for_each(|thread| thread.join().expect("a listener"));
    let settings = [
        ("listeners", LISTENERS.to_string()),
        ("told-each", format!("{rate:.0}/s")),
        ("paused", format!("{PAUSED:?}")),
        ("stream_memory", "1MiB".into()),
    ];
    row::Row::new("stream-lost", found.wrong.load(Ordering::Relaxed) as f64, None, &settings).write();
    row::Row::new("stream-core", busy - alone, None, &settings).write();
    row::Row::new("stream-anonymous", held, None, &settings).write();
}

fn listen(socket: &std::path::Path, found: &Found, paused: bool) {
    let open = |id: Option<&str>| Listener::open(socket, "/v1/stream?streams=telemetry", id).expect("a stream");
    let mut listener = open(None);
    let mut last: u64 = listener.id.rsplit('.').next().and_then(|number| number.parse().ok()).expect("a number");
    let mut pauses = paused;
    while last < found.stop_at.load(Ordering::Acquire) {
        match listener.next_number() {
            Some(number) => {
                found.told.fetch_add(1, Ordering::Relaxed);
                // One reading in each message: a step of another width is one lost, or one too many.
                found.wrong.fetch_add(u64::from(number != last + 1), Ordering::Relaxed);
                last = number;
            }
            None => listener = open(Some(&listener.id.clone())),
        }
        if std::mem::take(&mut pauses) {
            pause(PAUSED);
        }
    }
}

fn idle() {
    let mut gateway = Gateway::new(SETTINGS);
    gateway.start();
    let held = || of_process(gateway.pid(), "RssAnon:") as f64 / 1024.0;
    // What the first request of all takes is no part of it.
    assert_eq!(gateway.get("/v1/status").status, 200);
    let before = held();
    let open = || support::http::connect(&gateway.socket()).expect("a place");
    let connections: Vec<UnixStream> = (0..IDLE).map(|_| open()).collect();
    pause(Duration::from_secs(2));
    assert_eq!(gateway.get("/v1/status").status, 200, "there is room for more");
    let grown = held() - before;
    row::Row::new("idle-connections", grown, None, &[("connections", connections.len().to_string())]).write();
}

/// The share of one core that a process takes.
fn cpu_of(pid: u32, span: Duration) -> f64 {
    let (began, before) = (Instant::now(), ticks(pid));
    pause(span);
    (ticks(pid) - before) as f64 / 100.0 / began.elapsed().as_secs_f64()
}

/// Hundredths of a second in user and kernel mode.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).expect("a running daemon");
    let after = stat.rsplit(") ").next().expect("the fields behind its name");
    after.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

fn of_process(pid: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running daemon");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
