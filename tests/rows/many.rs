//! Very many devices.

use std::time::{Duration, Instant};

use serde_json::json;

use super::support::{Gateway, Plant, eventually, text};
use super::{Shown, device, end_of, ensure, row};

const FLEET: usize = 100_000;
const STORM: usize = 10_000;

/// Without the feature: room for half of them.
fn one_registry(room: bool) -> Shown {
    let most = if room { FLEET } else { FLEET / 2 };
    let mut gateway = Gateway::new(&format!("[limits]\ndevices = {most}\n"));
    gateway.start();
    let list = gateway.folder.path().join("fleet.csv");
    let lines: String = (0..FLEET).map(|n| format!("uuid:00000000-0000-4000-8000-{n:012x},north south\n")).collect();
    std::fs::write(&list, format!("identity,groups\n{lines}")).unwrap();
    let report = gateway.cli(&["device", "register", list.to_str().unwrap()]);
    ensure(report.status.success(), || text(&report.stderr).lines().last().unwrap_or_default().to_owned())?;
    gateway.kill();
    let began = Instant::now();
    gateway.start();
    let ready = began.elapsed();
    ensure(ready < Duration::from_secs(5), || format!("ready after {ready:?}"))?;
    let all = gateway.get("/v1/status").ok()["devices"]["all"].as_u64();
    ensure(all == Some(FLEET as u64), || format!("{all:?} devices"))?;
    for n in [0, 77_777, FLEET - 1] {
        let id = format!("urn:uuid:00000000-0000-4000-8000-{n:012x}");
        ensure(device(&gateway, &id)["id"] == id.as_str(), || format!("{id} is not known"))?;
    }
    let last = format!("urn:uuid:00000000-0000-4000-8000-{:012x}", FLEET - 1);
    let state = end_of(&gateway, &last, json!({ "rename": { "name": "the-last" } }));
    ensure(state == "done", || format!("rename: {state}"))
}

#[test]
fn y02_sim_a_hundred_thousand_devices_in_one_registry() {
    row(one_registry);
}

/// Without the feature: room for half of them.
fn a_storm_of_registrations(room: bool) -> Shown {
    let plant = Plant::start(&format!(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.node]
count = {STORM}
serial = "acme:{{n}}"
mode = {{ asks = "60s" }}
point."power.active" = {{ type = "float", value = {{ constant = 1.0 }} }}
"#
    ));
    let most = if room { STORM } else { STORM / 2 };
    let socket = plant.socket();
    let mut gateway = Gateway::new(&format!(
        "[link.plant]\nevery = \"60s\"\nsim = {{ socket = {socket:?} }}\n[limits]\ndevices = {most}\n"
    ));
    gateway.start();
    let began = Instant::now();
    let enough = |n: u64| n >= most as u64;
    eventually("as many as there is room for are known", || {
        gateway.get("/v1/status").ok()["devices"]["all"].as_u64().filter(|n| enough(*n)).map(drop)
    });
    println!("{most} devices were known after {:?}", began.elapsed());
    let accepted = eventually("everybody was answered", || {
        let verdicts =
            plant.witness().into_iter().map(|line| line["answer"].clone()).filter(|answer| !answer.is_null());
        let devices = |verdict: Option<&str>| {
            let some = verdicts.clone().filter(|answer| verdict.is_none_or(|verdict| answer["verdict"] == verdict));
            some.map(|answer| answer["device"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
        };
        (devices(None) == STORM).then(|| devices(Some("accepted")))
    });
    ensure(accepted == STORM, || format!("{accepted} of {STORM} were accepted"))?;
    let memory = memory_of(gateway.pid());
    println!("{memory} kB of anonymous memory");
    ensure(memory < 64 * 1024, || format!("it grew to {memory} kB"))
}

fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running daemon");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn y07_sim_a_storm_of_ten_thousand_registrations_is_served_without_loss() {
    row(a_storm_of_registrations);
}
