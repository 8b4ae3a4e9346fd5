//! A clean stop keeps what is queued, as a kill would.

mod support;
use serde_json::json;
use std::collections::BTreeMap;
use support::{Gateway, Plant};

const SLOW: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.relay]
count = 1
address = "relay-{n}"
serial = "acme:relay-{n}"
slow = "300ms"
[device.relay.point."relay.on"]
type = "bool"
access = "read-write"
value = { echo = false }
"#;

#[test]
fn a_clean_stop_keeps_what_is_queued_and_is_in_time() {
    let plant = Plant::start(SLOW);
    let mut gateway = Gateway::start_with(&plant, "[clock]\ntrust = \"always\"\n[commands]\nexpiry = \"1h\"\n");
    let relay = gateway.wait_for_device("relay-1");
    let n = 200;
    let mut ids = Vec::new();
    for _ in 0..n {
        let ask =
            json!({ "operate": { "device": relay, "operation": { "write": { "point": "relay.on", "value": true } } } });
        let answer = gateway.post("/v1/ask", &ask);
        assert_eq!(answer.status, 202, "{answer:?}");
        ids.push(answer.body["accepted"]["id"].as_str().unwrap().to_owned());
    }
    let (ended, took) = gateway.terminate();
    assert!(ended.success() && took.as_secs() < 5, "{ended} after {took:?}");
    let done_before = plant.carried_out("acme:relay-1", "write");
    drop(plant);
    gateway.start();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut last = String::new();
    for id in &ids {
        let told = gateway.get(&format!("/v1/commands/{id}")).ok();
        *states.entry(told["state"].as_str().unwrap().to_owned()).or_default() += 1;
        last = told.to_string();
    }
    println!("carried out {done_before}; {states:?}; the last: {last}");
    assert!(!states.contains_key("failed"), "{states:?}");
}

fn asked_on_a_disk_whose_syncs_take(span: &str) -> Gateway {
    let mut gateway = Gateway::new(&format!("[debug.trial]\nsync_takes = \"{span}\"\n[limits]\nanswer = \"100ms\"\n"));
    gateway.start();
    let ask = json!({ "register": { "devices": [{ "identities": [{ "kind": "serial", "value": "acme:1" }] }] } });
    let answer = gateway.post("/v1/ask", &ask);
    assert_eq!(answer.status, 504, "it is not known yet: {answer:?}");
    gateway
}

#[test]
fn a_stop_waits_for_a_disk_that_is_only_slow() {
    let mut gateway = asked_on_a_disk_whose_syncs_take("2s");
    let (ended, took) = gateway.terminate();
    assert!(ended.success() && took.as_secs() >= 5, "{ended} after {took:?}: {}", gateway.log());
    assert!(gateway.log().contains("the disk is slow; waiting for it"), "{}", gateway.log());
    gateway.configure("");
    gateway.start();
    assert_eq!(gateway.get("/v1/devices").ok()["devices"].as_array().unwrap().len(), 1);
    assert!(!gateway.log().contains("not a clean one"), "{}", gateway.log());
}

#[test]
fn a_stop_does_not_wait_for_a_disk_that_does_nothing() {
    let mut gateway = asked_on_a_disk_whose_syncs_take("1d");
    let (ended, took) = gateway.terminate();
    assert!(ended.code() == Some(1) && took.as_secs() < 12, "{ended} after {took:?}: {}", gateway.log());
    assert!(gateway.log().contains("the disk did not answer in time"), "{}", gateway.log());
}
