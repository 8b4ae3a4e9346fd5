//! Clients that mean harm, at the socket and from afar: slow ones, large ones, deep ones, crowds of them, and guessers. All
//! of them are refused or let go, what the daemon holds in memory stays under a bound, and a device that is read each
//! second misses no read, by the plant's own record.
//!
//! The bound is made of the settings, see [`bound`].

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::tls::{Pair, listens};
use support::{Gateway, Plant, eventually, pause};
use wire::{Doors, Way};

const EVERY: Duration = Duration::from_secs(1);
const SAMPLE: Duration = Duration::from_millis(100);

// What the settings below say, or do not say.
const CONNECTIONS: usize = 32;
const PER_ADDRESS: usize = 16;
const BODY: usize = 64 << 10;
const PAGE: usize = 1_000;
// What the source says.
const HEAD: usize = 16 << 10;
/// Of TLS: a record each way as it came and as it is, and what waits to be sent.
const TLS: usize = 4 * (16 << 10) + (64 << 10);
/// A device of ours in a list.
const ENTRY: usize = 256;
/// A task with what it holds beside its buffers.
const TASK: usize = 16 << 10;
/// What a body may become where it is read: the smallest entries of a list take so many times their bytes.
const GROWN: usize = 12;
/// Requests that are read at the same moment: one for each worker.
const WORKERS: usize = 2;
/// What the allocator keeps of what it got back, and what the daemon does beside.
const SLACK: usize = 6 << 20;

const SETTINGS: &str = "[api]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{dir}/api.pem\"\nkey = { file = \"{dir}/api.key\" }\n\
    [limits]\nanswer = \"2s\"\nstalled = \"2s\"\nrequests = 0\n[log]\nlevel = \"warn\"\n";

const PLANT: &str = "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n[device.pulse]\naddress = \"pulse\"\n\
    serial = \"acme:pulse\"\npoint.\"a.x\" = { type = \"float\", value = { constant = 1.0 } }\n";

/// Bytes beyond what the daemon has when nobody is there. Each connection: its head on the way in and an answer's on the way
/// out, a body as it comes and as a whole, and an answer as it is made and as it goes out.
fn bound() -> usize {
    let answer = PAGE * ENTRY;
    let each = 2 * HEAD + 2 * BODY + 2 * answer + TASK;
    CONNECTIONS * each + PER_ADDRESS * (each + TLS) + WORKERS * GROWN * BODY + SLACK
}

/// One test at a time: they measure.
static ALONE: Mutex<()> = Mutex::new(());

struct World {
    _alone: MutexGuard<'static, ()>,
    plant: Plant,
    gateway: Gateway,
    doors: Doors,
}

fn world(more: &str) -> World {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let plant = Plant::start(PLANT);
    let pair = Pair::new("gateway.test");
    let link = format!("[link.plant]\nevery = \"1s\"\nsim = {{ socket = {:?} }}\n", plant.socket());
    let mut gateway =
        Gateway::new(&format!("{link}{}", SETTINGS.replace("requests = 0", &format!("requests = 0\n{more}"))));
    pair.write(gateway.folder.path(), "api");
    gateway.start();
    gateway.wait_for_device("pulse");
    let at = eventually("it listens", || listens(&gateway.get("/v1/status").body));
    let token = gateway.token("ann", "viewer", None);
    let doors = Doors { socket: gateway.socket(), at, pair, token };
    fill(&gateway);
    World { _alone, plant, gateway, doors }
}

/// So many devices that a page of them is a large answer.
fn fill(gateway: &Gateway) {
    for hundred in 0..PAGE / 100 {
        let one = |n| json!({ "identities": [format!("serial:crowd:{hundred}-{n}")] });
        let devices: Vec<Value> = (0..100).map(one).collect();
        gateway.post("/v1/ask", &json!({ "register": { "devices": devices } })).ok();
    }
    let all = gateway.get(&format!("/v1/devices?limit={PAGE}"));
    let length = all.body.to_string().len();
    assert!((100 * PAGE..ENTRY * PAGE).contains(&length), "{length} bytes");
}

fn anonymous(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).map_or(0, |kb| kb << 10)
}

/// The most that the daemon holds in memory while something goes on.
fn most_while<T>(gateway: &Gateway, what: impl FnOnce() -> T) -> (usize, T) {
    let (pid, over) = (gateway.pid(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = anonymous(pid);
            while !over.load(Ordering::Relaxed) {
                pause(SAMPLE);
                most = most.max(anonymous(pid));
            }
            most
        });
        let _over = Over(&over);
        let came = what();
        over.store(true, Ordering::Relaxed);
        (watch.join().unwrap(), came)
    })
}

/// A watch ends with what it watches, also where that fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// When the device was read, by the plant's record, in milliseconds.
fn reads(plant: &Plant) -> Vec<u64> {
    let lines = plant.witness();
    lines.iter().filter_map(|line| line["reading"]["mono"].as_u64()).collect()
}

/// Whole intervals in which it was not. One that is late is not missed.
fn missed(reads: &[u64]) -> Vec<(u64, u64)> {
    let two = 2 * EVERY.as_millis() as u64;
    reads.windows(2).map(|pair| (pair[0], pair[1])).filter(|(from, to)| to - from >= two).collect()
}

#[test]
fn whoever_means_harm_is_let_go_costs_little_and_keeps_nobody_from_being_read() {
    let world = world("");
    let World { plant, gateway, doors, .. } = &world;
    let before = anonymous(gateway.pid());
    for (name, attack) in attacks::ALL {
        let began = Instant::now();
        // Through both doors at the same time.
        let (most, ()) = most_while(gateway, || {
            std::thread::scope(|scope| {
                scope.spawn(|| attack(doors, Way::Socket));
                scope.spawn(|| attack(doors, Way::Far));
            });
        });
        let more = most.saturating_sub(before);
        println!(
            "{name}: {} KiB more, {:?}, not read between {:?}",
            more >> 10,
            began.elapsed(),
            missed(&reads(plant))
        );
        assert!(more <= bound(), "{name}: {more} bytes more, the bound is {}", bound());
        // As soon as it has seen that they are gone.
        let status = || gateway.try_get("/v1/status").map(|answer| answer.status);
        eventually("root has a place again", || (status() == Some(200)).then_some(()));
    }
    let reads = reads(plant);
    assert!(reads.len() > 10, "{reads:?}");
    assert_eq!(missed(&reads), []);
    println!("bound {} KiB beyond {} KiB; {} reads, none missed", bound() >> 10, before >> 10, reads.len());
}

#[test]
fn with_other_limits_the_watch_sees_that_the_bound_is_broken() {
    let world = world("body = \"16MiB\"\n");
    let before = anonymous(world.gateway.pid());
    let (most, ()) = most_while(&world.gateway, || attacks::large_bodies_that_never_end(&world.doors, 4 << 20, 16));
    assert!(most - before > bound(), "{} bytes more, the bound is {}", most - before, bound());
}

#[test]
fn a_read_that_is_missed_is_noticed() {
    let world = world("");
    let first = eventually("it was read", || reads(&world.plant).last().copied());
    world.plant.freeze();
    pause(3 * EVERY);
    world.plant.thaw();
    eventually("it is read again", || reads(&world.plant).last().filter(|last| **last > first + 1_500).copied());
    assert_eq!(missed(&reads(&world.plant)).len(), 1);
    assert_eq!(missed(&[0, 1_000, 2_900, 4_000, 6_000]), [(4_000, 6_000)]);
}
