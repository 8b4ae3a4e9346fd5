//! Who a device is, wherever it is.

use std::time::Duration;

use serde_json::json;

use super::support::{Gateway, Plant, pause};
use super::{Shown, device, end_of, ensure, orders, row, soon};

const ALWAYS: &str = "[clock]\ntrust = \"always\"\n[devices]\ncontest = \"500ms\"\n";

/// A relay that leaves its place after a while and turns up in another one.
fn wanderer(serial: &str) -> String {
    format!(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.relay]
address = "first"
serial = "{serial}"
point."relay.on" = {{ type = "bool", access = "read-write", value = {{ echo = false }} }}
[[device.relay.fault]]
at = "3s"
do = {{ move = {{ to = "second" }} }}
"#
    )
}

/// Without the feature: a device that shows nothing of itself but its place.
fn keeps_its_id(identity: bool) -> Shown {
    let plant = Plant::start(&wanderer(if identity { "acme:wanderer" } else { "" }));
    let mut gateway = Gateway::start_with(&plant, ALWAYS);
    let at_first = soon("it is there", || {
        let device = device(&gateway, "first");
        (device["connectivity"] == "up").then_some(device)
    })?;
    let id = at_first["id"].as_str().expect("an id").to_owned();
    ensure(id.starts_with("urn:"), || format!("{id} is no URN"))?;
    gateway.kill();
    gateway.start();
    ensure(device(&gateway, &id)["id"] == id.as_str(), || format!("{id} is not known after a restart"))?;
    let moved = soon("the same id at the other place", || {
        gateway.post("/v1/ask", &json!({ "discover": { "link": "plant" } }));
        let device = device(&gateway, &id);
        (device["address"] == "second" && device["connectivity"] == "up").then_some(device)
    })?;
    ensure(moved["id"] == id.as_str(), || "another id".into())?;
    let state = end_of(&gateway, &id, json!({ "write": { "point": "relay.on", "value": true } }));
    ensure(state == "done", || format!("it cannot be addressed there: {state}"))?;
    soon("the order arrived at the new place", || {
        orders(&plant, "acme:wanderer").iter().any(|order| order["address"] == "second").then_some(())
    })
}

#[test]
fn y01_sim_a_device_keeps_its_id_over_restart_and_move_and_is_addressed_where_it_is() {
    row(keeps_its_id);
}

fn can(operations: &str) -> String {
    format!(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.meter]
serial = "acme:meter"
operations = [{operations}]
point."power.active" = {{ type = "float", unit = "W", value = {{ constant = 5.0 }} }}
"#
    )
}

/// Without the feature, so to say: a device that can do it.
fn says_unsupported(lacks_it: bool) -> Shown {
    let plant = Plant::start(&can(if lacks_it { "\"restart\"" } else { "\"restart\", \"self-test\"" }));
    let gateway = Gateway::start_with(&plant, "");
    let id = gateway.wait_for_device("meter");
    let ask = json!({ "operate": { "device": id, "operation": "self-test" } });
    let answer = gateway.post("/v1/ask", &ask);
    ensure(answer.status == 422, || format!("answered {}", answer.status))?;
    let error = &answer.body;
    ensure(error["type"] == "urn:dmgw:problem:unsupported", || format!("no unsupported: {error}"))?;
    let says = error["detail"].as_str().unwrap_or_default();
    ensure(says.contains("self-test") && says.contains("restart"), || format!("no reason: {says}"))?;
    // What the gateway does for a device that cannot: watch over it, keep its last value.
    let value = soon("a last value", || {
        let device = device(&gateway, &id);
        device["detail"]["points"][0]["value"].as_f64()
    })?;
    ensure(value == 5.0, || format!("the value is {value}"))?;
    pause(Duration::from_millis(50));
    ensure(orders(&plant, "acme:meter").is_empty(), || "something was sent all the same".into())
}

#[test]
fn y03_sim_what_a_device_lacks_the_gateway_does_or_says_so_at_once() {
    row(says_unsupported);
}
