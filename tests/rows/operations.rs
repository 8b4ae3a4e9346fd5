//! Switching off and on, restarting, setting back, power saving: at the depths that there are, once each, and only where
//! it can be.

use serde_json::{Value, json};

use super::support::{Gateway, Plant, eventually};
use super::{Shown, device, end_of, ensure, orders, readings, row, soon};

const SERIAL: &str = "acme:box";

/// A box with two relays and a modem.
fn many_parts(operations: &str) -> String {
    format!(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.box]
serial = "{SERIAL}"
operations = [{operations}]
components = ["modem.0"]
point."relay.0.on" = {{ type = "bool", access = "read-write", value = {{ echo = false }} }}
point."relay.1.on" = {{ type = "bool", access = "read-write", value = {{ echo = false }} }}
point."power.active" = {{ type = "float", value = {{ counter = {{}} }} }}
"#
    )
}

fn parts() -> [Value; 3] {
    [json!({ "instance": { "name": "relay", "instance": 1 } }), json!({ "component": "relay" }), json!("device")]
}

fn asked(plant: &Plant, operation: &str) -> Vec<Value> {
    let of = orders(plant, SERIAL);
    of.iter().map(|order| order["operation"][operation]["part"].clone()).filter(|part| !part.is_null()).collect()
}

fn at_three_depths(gateway: &Gateway, plant: &Plant, id: &str, operation: &str) -> Shown {
    let missing = end_of(gateway, id, json!({ operation: { "part": { "component": "boiler" } } }));
    ensure(missing == "bad-argument", || format!("{operation} of what it does not have: {missing}"))?;
    for part in parts() {
        let state = end_of(gateway, id, json!({ operation: { "part": part } }));
        ensure(state == "done", || format!("{operation} of {part}: {state}"))?;
    }
    let seen = soon("the plant wrote it down", || Some(asked(plant, operation)).filter(|seen| seen.len() >= 3))?;
    ensure(seen == parts(), || format!("the device was told {seen:?}"))
}

/// Without the feature: a device that cannot be switched.
fn switches(can: bool) -> Shown {
    let plant = Plant::start(&many_parts(if can { "\"activate\", \"deactivate\"" } else { "" }));
    let mut gateway = Gateway::start_with(&plant, "");
    let id = gateway.wait_for_device("box");
    at_three_depths(&gateway, &plant, &id, "deactivate")?;
    let off = |gateway: &Gateway| device(gateway, &id)["inactive"].clone();
    ensure(!off(&gateway).is_null(), || "it is not shown as switched off".into())?;
    gateway.kill();
    gateway.start();
    ensure(!off(&gateway).is_null(), || "after a restart nobody knows that it is switched off".into())?;
    let refused = end_of(&gateway, &id, json!({ "write": { "point": "relay.0.on", "value": true } }));
    ensure(refused == "too-late", || format!("a write to what is switched off: {refused}"))?;
    eventually("the link is up again", || (gateway.get("/v1/links").body["links"][0]["state"] == "up").then_some(()));
    at_three_depths(&gateway, &plant, &id, "activate")?;
    ensure(off(&gateway).is_null(), || format!("still off: {}", off(&gateway)))?;
    let before = readings(&plant, SERIAL);
    soon("it is read again", || (readings(&plant, SERIAL) > before).then_some(()))
}

#[test]
fn y25_sim_devices_services_and_peripherals_are_switched_off_and_on() {
    row(switches);
}

fn restarts(can: bool) -> Shown {
    let plant = Plant::start(&many_parts(if can { "\"restart\"" } else { "" }));
    let gateway = Gateway::start_with(&plant, "");
    let id = gateway.wait_for_device("box");
    at_three_depths(&gateway, &plant, &id, "restart")?;
    ensure(asked(&plant, "restart").len() == 3, || "more than once each".into())
}

#[test]
fn y26_sim_devices_services_and_peripherals_are_restarted_once_each() {
    row(restarts);
}

/// With the token that the first ask is answered with.
fn in_two_steps(gateway: &Gateway, id: &str, operation: &str) -> Result<String, String> {
    let first = gateway.operate(id, json!(operation));
    ensure(first.status == 428, || format!("{operation} in one step: {first:?}"))?;
    let ask = json!({ "operate": { "device": id, "operation": operation, "token": first.body["token"] } });
    Ok(gateway.post("/v1/ask?wait=20", &ask).ok()["accepted"]["state"].to_string())
}

/// Without the feature: it is asked for something else that leaves a device what it is.
fn goes_back_to_onboarding(resets: bool) -> Shown {
    let plant = Plant::start(&many_parts("\"factory-reset\", \"erase\""));
    let mut gateway = Gateway::start_with(&plant, "[[admission]]\nlink = \"plant\"\nthen = \"hold\"\n");
    let lives = |gateway: &Gateway| device(gateway, "box")["life"].clone();
    eventually("it waits for a decision", || (lives(&gateway) == "pending").then_some(()));
    let id = device(&gateway, "box")["id"].as_str().unwrap_or_default().to_owned();
    ensure(end_of(&gateway, &id, json!("accept")) == "done", || "accept".into())?;
    gateway.wait_for_device("box");
    let operation = if resets { "factory-reset" } else { "erase" };
    let state = in_two_steps(&gateway, &id, operation)?;
    ensure(state == "\"done\"", || format!("{operation}: {state}"))?;
    soon("the plant did it", || (plant.carried_out(SERIAL, operation) == 1).then_some(()))?;
    ensure(lives(&gateway) == "pending", || format!("it is {} afterwards", lives(&gateway)))?;
    gateway.kill();
    gateway.start();
    let early = end_of(&gateway, &id, json!({ "restart": {} }));
    ensure(early == "too-late" && lives(&gateway) == "pending", || format!("asked before it is let in: {early}"))?;
    ensure(end_of(&gateway, &id, json!("accept")) == "done", || "accept again".into())?;
    let before = readings(&plant, SERIAL);
    soon("it is read again", || (readings(&plant, SERIAL) > before).then_some(()))
}

#[test]
fn y19_sim_a_device_that_is_set_back_to_its_factory_goes_back_to_onboarding() {
    row(goes_back_to_onboarding);
}

fn sleeper(can: bool) -> String {
    let operations = if can { "\"power-mode\"" } else { "" };
    format!(
        r#"
socket = "plant.sock"
record = "record.jsonl"
[device.tag]
serial = "acme:tag"
operations = [{operations}]
mode = {{ speaks = "300ms" }}
sleeps = {{ every = "2s", awake = "500ms", at_first = false }}
point."relay.on" = {{ type = "bool", access = "read-write", value = {{ echo = false }} }}
"#
    )
}

/// From the order on it sleeps most of the time: what is asked waits until it wakes, and is then done.
fn saves_power(can: bool) -> Shown {
    let plant = Plant::start(&sleeper(can));
    let gateway = Gateway::start_with(&plant, "");
    let id = gateway.wait_for_device("tag");
    let state = end_of(&gateway, &id, json!({ "power-mode": { "mode": "sleep" } }));
    ensure(state == "done", || format!("power-mode: {state}"))?;
    soon("it is known as a sleeper", || (!device(&gateway, &id)["detail"]["sleeps"].is_null()).then_some(()))?;
    for value in [true, false, true] {
        let state = end_of(&gateway, &id, json!({ "write": { "point": "relay.on", "value": value } }));
        ensure(state == "done", || format!("a write to a sleeper: {state}"))?;
    }
    let lines = plant.witness();
    let missed = lines.iter().filter(|line| line["order"]["device"] == "acme:tag" && line["order"]["reached"] == false);
    ensure(missed.count() == 0, || "something was sent to it while it slept".into())
}

#[test]
fn y29_sim_power_saving_on_request_and_its_wake_windows_respected() {
    row(saves_power);
}
