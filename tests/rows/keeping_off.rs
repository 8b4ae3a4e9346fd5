//! Keeping devices off, and remembering how they came and went.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Gateway, Plant, pause, wall};
use super::{Shown, device, end_of, ensure, orders, readings, row, soon};

const SERIAL: &str = "acme:meter";
const TRUST: &str = "[clock]\ntrust = \"always\"\n";

fn meter(more: &str) -> String {
    format!(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.meter]
serial = "{SERIAL}"
operations = ["restart", "diagnose"]
point."power.active" = {{ type = "float", value = {{ counter = {{}} }} }}
point."relay.on" = {{ type = "bool", access = "read-write", value = {{ echo = false }} }}
{more}
"#
    )
}

/// Nothing that leaves or reaches the device, for a while.
fn is_left_alone(plant: &Plant, span: Duration) -> Shown {
    // What was under way when the order came may still be written down.
    pause(Duration::from_millis(300));
    let before = (readings(plant, SERIAL), orders(plant, SERIAL).len());
    pause(span);
    let after = (readings(plant, SERIAL), orders(plant, SERIAL).len());
    ensure(before == after, || format!("(readings, orders) went from {before:?} to {after:?}"))
}

fn keeps_off(block: bool) -> Shown {
    let plant = Plant::start(&meter(""));
    let mut gateway = Gateway::start_with(&plant, TRUST);
    let id = gateway.wait_for_device("meter");
    let until = wall() + 6_000;
    if block {
        let state = end_of(&gateway, &id, json!({ "block": { "until": until } }));
        ensure(state == "done", || format!("block: {state}"))?;
    }
    is_left_alone(&plant, Duration::from_millis(700))?;
    gateway.kill();
    gateway.start();
    is_left_alone(&plant, Duration::from_millis(700))?;
    let refused = end_of(&gateway, &id, json!({ "write": { "point": "relay.on", "value": true } }));
    ensure(refused == "too-late", || format!("a command for a blocked device: {refused}"))?;
    let at_least = until.saturating_sub(wall());
    let before = readings(&plant, SERIAL);
    let began = wall();
    soon("it is read again once the time is over", || (readings(&plant, SERIAL) > before).then_some(()))?;
    // Half a second for the two clocks that this passed through.
    ensure(wall() + 500 >= began + at_least, || "it was let in before its time".into())?;
    ensure(device(&gateway, &id)["blocked"].is_null(), || "still shown as blocked".into())
}

#[test]
fn y38_sim_a_device_is_kept_off_until_its_time_also_over_a_restart() {
    row(keeps_off);
}

fn what(log: &Value) -> Vec<String> {
    let entries = log.as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| entry["record"].as_object()?.keys().next().cloned()).collect()
}

/// Without it: a device that never left.
fn remembers_comings_and_goings(leaves: bool) -> Shown {
    let leave = "[[device.meter.fault]]\nat = \"1500ms\"\nlasts = \"1s\"\ndo = \"vanish\"\n";
    let plant = Plant::start(&meter(if leaves { leave } else { "" }));
    let mut gateway = Gateway::start_with(&plant, TRUST);
    let id = gateway.wait_for_device("meter");
    let log = |gateway: &Gateway| what(&gateway.get(&format!("/v1/devices/{id}/log")).ok()["records"]);
    let full = |log: &[String]| {
        let place = |word: &str| log.iter().position(|what| what == word);
        let last_up = log.iter().rposition(|what| what == "device-up");
        place("device-added").is_some() && place("device-gone").is_some() && place("device-gone") < last_up
    };
    let kept = soon("it came, went and came back", || Some(log(&gateway)).filter(|log| full(log)))?;
    gateway.kill();
    gateway.start();
    let after = log(&gateway);
    ensure(full(&after), || format!("{kept:?} before the restart, {after:?} after"))?;
    let asked = gateway.operate(&id, json!({ "connection-log": {} })).ok();
    let values = &asked["accepted"]["outcome"]["done"];
    ensure(values.as_array().is_some_and(|values| values.len() >= 6), || format!("as an operation: {asked}"))
}

#[test]
fn y39_sim_our_connection_log_of_a_device_is_kept_and_readable() {
    row(remembers_comings_and_goings);
}

fn isolates(order: bool) -> Shown {
    let plant = Plant::start(&meter(""));
    let mut gateway = Gateway::start_with(&plant, "");
    let id = gateway.wait_for_device("meter");
    if order {
        let state = end_of(&gateway, &id, json!("quarantine"));
        ensure(state == "done", || format!("quarantine: {state}"))?;
    }
    gateway.kill();
    gateway.start();
    let state = device(&gateway, &id)["life"].clone();
    ensure(state == "quarantined", || format!("it is {state}"))?;
    let write = || json!({ "write": { "point": "relay.on", "value": true } });
    let refused = end_of(&gateway, &id, write());
    ensure(refused == "too-late", || format!("a write in quarantine: {refused}"))?;
    soon("what is allowed is done", || (end_of(&gateway, &id, json!("diagnose")) == "done").then_some(()))?;
    ensure(orders(&plant, SERIAL).iter().all(|order| order["operation"] == "diagnose"), || {
        "the device was told something else".into()
    })?;
    let state = end_of(&gateway, &id, json!("release"));
    ensure(state == "done", || format!("release: {state}"))?;
    let state = end_of(&gateway, &id, write());
    ensure(state == "done", || format!("a write after the release: {state}"))
}

#[test]
fn l5_sim_quarantine_by_order_lets_through_only_what_is_allowed() {
    row(isolates);
}
