//! The real daemon from outside: how it starts after kill -9 with 10 000 devices.

#[path = "../tests/support/mod.rs"]
mod support;

mod row;

use std::time::Instant;

use serde_json::json;
use support::{Gateway, Plant, eventually};

const DEVICES: u32 = 10_000;
const CLOCK: &str = "[clock]\ntrust = \"always\"\n";

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    start_after_kill();
}

/// Ten thousand devices of ten points.
fn many() -> String {
    let points: String = (0..10)
        .map(|i| {
            format!(
                "[device.meter.point.\"phase.{i}.power\"]\ntype = \"float\"\nunit = \"W\"\n\
                 value = {{ walk = {{ start = 500.0, step = 5.0, min = 0.0, max = 9000.0 }} }}\n"
            )
        })
        .collect();
    format!(
        "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\nseed = 1\n\
         [device.meter]\ncount = {DEVICES}\naddress = \"{{n}}\"\nserial = \"acme:{{n}}\"\noperations = [\"restart\"]\n{points}"
    )
}

fn start_after_kill() {
    let mut plant = Plant::start(&many());
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "60s", "", CLOCK));
    gateway.start();
    eventually("all devices are known", || {
        let status = gateway.get("/v1/status").ok();
        (status["devices"]["all"].as_u64() == Some(u64::from(DEVICES))).then_some(())
    });
    // The last of them may not be on disk yet.
    eventually("all are on disk", || {
        let events = support::sums::next(&gateway, "events");
        (events > u64::from(DEVICES)).then_some(())
    });
    gateway.kill();
    // Without the plant, so that only the start is counted.
    plant.kill();
    let began = Instant::now();
    gateway.launch();
    let operation = json!({ "restart": {} });
    let ask = json!({ "operate": { "device": "urn:dev:dmgw:serial:acme:77", "operation": operation } }).to_string();
    let answer = eventually("a command is accepted", || {
        support::http::exchange(&gateway.socket(), "POST", "/v1/ask", ask.as_bytes()).ok()
    });
    let took = began.elapsed().as_secs_f64();
    assert_eq!(answer.status, 202, "{answer:?}");
    let read = of_process(gateway.pid(), "io", "rchar:") as f64 / 1e6;
    let settings = [("devices", DEVICES.to_string()), ("points", 10.to_string())];
    row::Row::new("start-after-kill-reads", read, None, &settings).write();
    row::Row::new("start-after-kill-takes", took, None, &settings).write();
}

fn of_process(pid: u32, file: &str, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a running daemon");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
