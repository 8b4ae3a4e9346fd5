//! Registering, asking many devices at once, and what cannot be undone: through the socket and the command line of the
//! running daemon, with the plant's own record as the witness.

mod support;

use serde_json::{Value, json};
use support::{Gateway, Plant, TWO_DEVICES, eventually, file, told};

/// Two meters, and a relay that can be set back to how it left its factory.
fn plant_and_gateway(more: &str) -> (Plant, Gateway) {
    let plant = Plant::start(&TWO_DEVICES.replace("[\"restart\"]", "[\"restart\", \"factory-reset\"]"));
    let gateway = Gateway::start_with(&plant, more);
    (plant, gateway)
}

#[test]
fn a_list_is_registered_line_by_line_and_once_more_changes_nothing() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let list = "identity,name,groups,application,key\nserial:acme:17,pump-3,line-a night,drainage,the-secret-key\n\
                serial:acme:18,pump-4,line-a,,\nseral:acme:19,,,,\n";
    let list = file(&gateway, "pumps.csv", list);
    let (code, says) = told(&gateway, &["device", "register", &list]);
    assert_eq!(code, 1, "one is refused: {says}");
    for line in ["line 2: new urn:dev:dmgw:serial:acme:17", "line 3: new urn:", "line 4: refused: identity: "] {
        assert!(says.lines().any(|told| told.starts_with(line)), "{line}\n{says}");
    }
    assert!(says.contains("3 in all: 2 new, 1 refused"), "{says}");
    let (_, says) = told(&gateway, &["device", "register", &list]);
    assert!(says.contains("3 in all: 2 known, 1 refused"), "{says}");
    gateway.kill();
    gateway.start();
    let line_a = gateway.get("/v1/devices?group=line-a").ok();
    assert_eq!(line_a["devices"].as_array().unwrap().len(), 2, "{line_a}");
    let pump = gateway.get("/v1/devices/pump-3").ok();
    assert_eq!((&pump["life"], &pump["detail"]["keyed"]), (&json!("managed"), &json!(true)), "{pump}");
    assert_eq!(pump["detail"]["about"]["application"], "drainage", "{pump}");
    assert!(pump["why"].as_str().unwrap().contains("never seen"), "{pump}");
    assert!(!says.contains("the-secret-key") && !gateway.log().contains("the-secret-key"));
    assert!(!pump.to_string().contains("the-secret-key"));
}

#[test]
fn what_cannot_be_undone_takes_two_steps_and_happens_once() {
    let (plant, gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    let ask = |token: Value| {
        let mut ask = json!({ "device": relay, "operation": "factory-reset" });
        if !token.is_null() {
            ask["token"] = token;
        }
        gateway.post("/v1/ask?wait=20", &json!({ "operate": ask }))
    };
    let first = ask(Value::Null);
    assert_eq!((first.status, first.fault().0), (428, "guarded"), "{first:?}");
    assert!(first.body["within"].as_f64().unwrap() > 0.0);
    assert!(!matches!(ask(json!("another-token")).status, 200 | 202));
    assert_eq!(plant.carried_out("acme:relay-1", "factory-reset"), 0);
    let second = ask(ask(Value::Null).body["token"].clone()).ok();
    assert_eq!(second["accepted"]["state"], "done", "{second}");
    eventually("the plant did it", || (plant.carried_out("acme:relay-1", "factory-reset") == 1).then_some(()));
}

#[test]
fn the_command_line_prints_the_line_that_does_what_cannot_be_undone() {
    let (plant, gateway) = plant_and_gateway("");
    gateway.wait_for_device("relay-1");
    let (code, says) = told(&gateway, &["command", "ask", "relay-1", "factory-reset"]);
    assert!(code == 1 && says.contains("nothing was done yet"), "{says}");
    let line = says.lines().map(str::trim).find(|line| line.starts_with("dmgw command ask --token ")).expect(&says);
    let words: Vec<&str> = line.split(' ').skip(1).take_while(|word| *word != "--config").collect();
    let (code, says) = told(&gateway, &words);
    assert!(code == 0 && says.contains("done"), "{says}");
    let (code, says) = told(&gateway, &["command", "ask", "relay-1", "factory-reset", "--yes"]);
    assert!(code == 0 && says.contains("done"), "{says}");
    eventually("the plant did both", || (plant.carried_out("acme:relay-1", "factory-reset") == 2).then_some(()));
}

#[test]
fn many_devices_are_asked_at_once_and_each_has_its_own_end() {
    let (plant, gateway) = plant_and_gateway("");
    let (relay, meter) = (gateway.wait_for_device("relay-1"), gateway.wait_for_device("meter-1"));
    let ask = json!({ "operate": { "devices": [relay, meter], "operation": { "restart": {} } } });
    let answer = gateway.post("/v1/ask?wait=20", &ask).ok();
    let shown = &answer["accepted"];
    assert_eq!((&shown["counts"]["all"], &shown["counts"]["done"]), (&json!(2), &json!(1)), "{answer}");
    assert_eq!((&shown["devices"][0]["device"], &shown["devices"][0]["state"]), (&json!(relay), &json!("done")));
    assert!(shown["devices"][1]["refused"]["unsupported"].is_string(), "{answer}");
    eventually("the plant did it", || (plant.carried_out("acme:relay-1", "restart") == 1).then_some(()));
    let (code, says) = told(&gateway, &["command", "ask", "meter-1,meter-2", "read", "power.active"]);
    assert!(code == 0 && says.contains("2 in all: 2 done") && says.contains("power.0.active = "), "{says}");
    let (code, says) = told(&gateway, &["command", "ask", "meter-1,relay-1", "restart"]);
    assert!(code == 1 && says.contains("1 done, 1 refused"), "{says}");
}

#[test]
fn a_stranger_whom_a_rule_refuses_is_listed_with_the_reason() {
    let rule = "[[admission]]\nidentity = \"serial:acme:meter-*\"\nthen = \"refuse\"\n";
    let (_plant, gateway) = plant_and_gateway(rule);
    gateway.wait_for_device("relay-1");
    let attempts = eventually("both were turned away", || {
        let attempts = gateway.get("/v1/attempts").ok()["attempts"].clone();
        (attempts.as_array()?.len() == 2).then_some(attempts)
    });
    assert_eq!((&attempts[0]["who"], &attempts[0]["why"]), (&json!("acme:meter-1"), &json!("rule")), "{attempts}");
    let (code, says) = told(&gateway, &["device", "attempts"]);
    assert!(code == 0 && says.contains("the rules of"), "{says}");
}

#[test]
fn what_people_say_of_a_device_is_shown_and_outlives_a_kill() {
    let (_plant, mut gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    for words in [
        &["describe", "application=lighting", "label.row=3"][..],
        &["group", "+line-a"],
        &["desire", "relay.on", "true"],
        &["maintenance", "1h"],
    ] {
        let (code, says) = told(&gateway, &[&["command", "ask", "relay-1"], words].concat());
        assert_eq!(code, 0, "{words:?}: {says}");
    }
    gateway.kill();
    gateway.start();
    let device = gateway.get(&format!("/v1/devices/{relay}")).ok();
    assert_eq!(
        (&device["groups"], &device["maintenance"]["by"]),
        (&json!(["line-a"]), &json!("local-root")),
        "{device}"
    );
    let detail = &device["detail"];
    assert_eq!((&detail["about"]["application"], &detail["about"]["labels"]["row"]), (&json!("lighting"), &json!("3")));
    assert_eq!(
        (&detail["desired"][0]["point"], &detail["desired"][0]["desired"]),
        (&json!("relay.0.on"), &json!(true))
    );
    let log = gateway.get(&format!("/v1/devices/{relay}/log")).ok();
    let logged = |kind: &str| log["records"].as_array().unwrap().iter().any(|entry| !entry["record"][kind].is_null());
    assert!(logged("device-added") && logged("maintenance"), "{log}");
}

#[test]
fn a_device_that_is_blocked_says_until_when() {
    let (_plant, gateway) = plant_and_gateway("");
    gateway.wait_for_device("relay-1");
    assert_eq!(told(&gateway, &["command", "ask", "relay-1", "block", "1h"]).0, 0);
    assert!(gateway.get("/v1/devices/relay-1").ok()["blocked"].is_u64());
    let (_, says) = told(&gateway, &["device", "list"]);
    assert!(says.contains("FLAGS") && says.contains("blocked"), "{says}");
    assert_eq!(told(&gateway, &["command", "ask", "relay-1", "unblock"]).0, 0);
    assert!(gateway.get("/v1/devices/relay-1").ok()["blocked"].is_null());
}
