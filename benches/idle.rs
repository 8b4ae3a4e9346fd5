//! The real daemon while little happens: what it holds, how often it wakes, what it takes of a core. And how large the
//! binary is that is shipped.
//!
//! Once with twenty devices that are read each ten seconds, once with nothing due at all. The watchdog asks for a sign of
//! life as often as under the shipped unit.

#[path = "../tests/support/mod.rs"]
mod support;

mod row;
mod used;

use std::process::Command;
use std::time::Duration;

use row::Row;
use support::{Gateway, Plant, eventually, pause};
use used::{Used, of_process};

const DEVICES: u64 = 20;
/// For what a start leaves to do.
const SETTLES: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(60);
const CLOCK: &str = "[clock]\ntrust = \"always\"\n";
/// As in systemd/dmgw.service.
const WATCHDOG: Duration = Duration::from_secs(30);

const METERS: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
seed = 7
[device.meter]
count = 20
address = "meter-{n}"
serial = "acme:meter-{n}"
[device.meter.point."power.active"]
type = "float"
unit = "W"
value = { walk = { start = 1500.0, step = 40.0, min = 0.0, max = 11000.0 } }
"#;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    assert!(include_str!("../systemd/dmgw.service").contains(&format!("WatchdogSec={}\n", WATCHDOG.as_secs())));
    release_binary();
    let plant = Plant::start(METERS);
    let mut reading = Gateway::new(&Gateway::settings(&plant, "10s", "", CLOCK));
    let mut idle = Gateway::new(CLOCK);
    [&mut reading, &mut idle].into_iter().for_each(start);
    eventually("all devices are read", || {
        (reading.get("/v1/status").ok()["devices"]["up"].as_u64() == Some(DEVICES)).then_some(())
    });
    pause(SETTLES);
    let before = [Used::by(&reading), Used::by(&idle)];
    pause(WATCHED);
    let [read, due] = [Used::by(&reading), Used::by(&idle)];
    let seconds = WATCHED.as_secs_f64();
    let settings = [("devices", DEVICES.to_string()), ("every", "10s".to_owned()), ("cache", "4MiB".to_owned())];
    let mebibytes = |key| of_process(reading.pid(), key) as f64 / 1024.0;
    Row::new("idle-anonymous", mebibytes("RssAnon:"), None, &settings).write();
    Row::new("idle-resident", mebibytes("VmRSS:"), None, &settings).write();
    let share = (read.seconds - before[0].seconds) / seconds * 100.0;
    Row::new("idle-cpu", share, None, &settings).write();
    let wakeups = (read.wakeups - before[0].wakeups) as f64 / seconds;
    Row::new("idle-wakeups-reading", wakeups, None, &settings).write();
    let nothing = [("devices", "0".to_owned()), ("watchdog", "30s".to_owned())];
    Row::new("idle-wakeups", (due.wakeups - before[1].wakeups) as f64 / seconds, None, &nothing).write();
}

fn start(gateway: &mut Gateway) {
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    daemon.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    gateway.start_as(daemon);
}

/// What `make bench` has built.
fn release_binary() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/dmgw.shipped");
    let bytes = std::fs::metadata(path).expect("target/dmgw.shipped: run benches by `make bench`").len();
    Row::new("release-binary", bytes as f64 / 1e6, None, &[]).write();
}
