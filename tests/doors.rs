//! The doors of the running daemon: lists of devices, their logs, who was turned away, registering, and the words of the
//! command line around them.

mod support;

use serde_json::{Value, json};
use std::io::{Read, Write};
use support::{Gateway, Plant, TWO_DEVICES, eventually, file, told};

fn plant_and_gateway(more: &str) -> (Plant, Gateway) {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, more);
    (plant, gateway)
}

fn alone(settings: &str) -> Gateway {
    let mut gateway = Gateway::new(settings);
    gateway.start();
    gateway
}

#[test]
fn a_list_of_devices_holds_those_that_are_as_asked() {
    let (_plant, gateway) = plant_and_gateway("");
    gateway.wait_for_device("relay-1");
    let count = |query: &str| gateway.get(&format!("/v1/devices?{query}")).ok()["devices"].as_array().unwrap().len();
    let all = eventually("all are up", || {
        let all = count("");
        (all > 0 && count("connectivity=up") == all).then_some(all)
    });
    assert_eq!((count("link=plant&life=managed"), count("link=elsewhere")), (all, 0));
    assert_eq!((count("life=pending"), count("group=line-a"), count("connectivity=gone")), (0, 0, 0));
    assert_eq!(count("link=plant&limit=1"), 1);
    let wrong = gateway.get("/v1/devices?connectivity=silnet");
    assert_eq!((wrong.status, wrong.fault().2), (400, "did you mean silent?"));
    assert!(gateway.get("/v1/devices?grop=a").fault().2.contains("group"));
}

#[test]
fn the_command_line_lists_those_that_are_as_asked() {
    let (_plant, gateway) = plant_and_gateway("");
    gateway.wait_for_device("relay-1");
    eventually("the relay is up", || {
        told(&gateway, &["device", "list", "--state", "up"]).1.contains("relay-1").then_some(())
    });
    let (code, says) = told(&gateway, &["device", "list", "--link", "plant", "--state", "managed"]);
    assert!(code == 0 && says.contains("relay-1") && says.lines().all(|line| line.chars().count() <= 80), "{says}");
    assert!(told(&gateway, &["device", "list", "--group", "line-a"]).1.contains("no device is so"));
    let (code, says) = told(&gateway, &["device", "list", "--state", "silnet"]);
    assert!(code == 2 && says.contains("did you mean silent?"), "{says}");
    let (code, says) = told(&gateway, &["device", "show", "relay-1"]);
    assert!(code == 0 && says.contains("identities") && says.contains("serial acme:relay-1 (claimed)"), "{says}");
}

#[test]
fn a_device_has_a_log_and_a_device_that_is_not_there_has_none() {
    let (_plant, gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    let log = gateway.get(&format!("/v1/devices/{relay}/log")).ok();
    assert!(log["device"] == relay.as_str() && log["records"].is_array(), "{log}");
    let missing = gateway.get("/v1/devices/realy-1/log");
    assert_eq!((missing.status, missing.fault().2), (404, format!("did you mean {relay}?").as_str()));
    assert_eq!(told(&gateway, &["device", "log", "relay-1"]).0, 0);
}

#[test]
fn who_was_turned_away_and_what_is_open_are_lists() {
    let gateway = alone("");
    assert_eq!(gateway.get("/v1/attempts").ok()["attempts"], json!([]));
    assert_eq!(gateway.get("/v1/commands").ok()["commands"], json!([]));
    assert!(told(&gateway, &["device", "attempts"]).1.contains("nobody was turned away"));
    assert!(told(&gateway, &["command", "list"]).1.contains("no command is open"));
}

#[test]
fn a_command_that_has_not_ended_is_listed() {
    let (plant, gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    plant.freeze();
    let asked = gateway.post(
        "/v1/ask",
        &json!({ "operate": { "device": relay, "operation": { "write": { "point": "relay.0.on", "value": true } } } }),
    );
    let id = asked.body["accepted"]["id"].clone();
    let open = gateway.get("/v1/commands?limit=5").ok();
    assert_eq!((&open["commands"][0]["id"], &open["after"]), (&id, &Value::Null), "{open}");
    assert!(told(&gateway, &["command", "list"]).1.contains(id.as_str().unwrap()));
    plant.thaw();
}

#[test]
fn the_devices_of_a_link_that_is_down_say_so() {
    let (mut plant, gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    plant.kill();
    let why = eventually("the link is down", || {
        gateway.get(&format!("/v1/devices/{relay}")).ok()["why"].as_str().map(str::to_owned)
    });
    assert!(why.starts_with("its link is down: "), "{why}");
}

#[test]
fn a_list_is_checked_line_by_line_before_anything_is_sent() {
    let gateway = Gateway::new("");
    let list = file(&gateway, "list.csv", "identity,key,power\nserial:a:1,,mains\nseral:a:2,,\nserial:a:3,tiny,\n");
    let (code, says) = told(&gateway, &["device", "register", &list, "--check"]);
    assert_eq!(code, 1, "{says}");
    for line in
        ["line 2: good", "line 3: refused: identity: ", "line 4: refused: a key has", "3 in all: 1 good, 2 refused"]
    {
        assert!(says.lines().any(|told| told.starts_with(line)), "{line}\n{says}");
    }
    assert!(says.contains("did you mean serial?") && !says.contains("tiny"), "{says}");
    let ended = gateway.cli(&["device", "register", &list, "--check", "--json"]);
    let shown: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&shown["counts"]["refused"], &shown["lines"][0]), (&json!(2), &json!({ "line": 2, "good": true })));
    let good = file(&gateway, "good.toml", "[[device]]\nidentities = [{ kind = \"serial\", value = \"a:1\" }]\n");
    assert_eq!(told(&gateway, &["device", "register", &good, "--check"]).0, 0);
}

#[test]
fn a_list_that_is_wrong_as_a_whole_is_told_what_would_be_right() {
    let gateway = Gateway::new("");
    let list = file(&gateway, "list.csv", "identity,adress\nserial:a:1,7\n");
    let (code, says) = told(&gateway, &["device", "register", &list]);
    assert!(code == 2 && says.contains("\"adress\"") && says.contains("did you mean address?"), "{says}");
    let (code, says) = told(&gateway, &["device", "register", &list, "--name", "x"]);
    assert!(code == 2 && says.contains("for one device"), "{says}");
    let (code, says) = told(&gateway, &["device", "register", "no-such-file.csv"]);
    assert!(code == 1 && says.contains("cannot read no-such-file.csv"), "{says}");
    let (code, says) = told(&gateway, &["device", "register", "seral:acme:17"]);
    assert!(code == 2 && says.contains("did you mean serial?"), "{says}");
    let large = file(&gateway, "large.csv", &format!("identity\n{}", "#\n".repeat(9 << 20)));
    let (code, says) = told(&gateway, &["device", "register", &large, "--check"]);
    assert!(code == 1 && says.contains("is larger than"), "{says}");
}

#[test]
fn the_version_is_told_without_a_daemon() {
    let gateway = Gateway::new("");
    let (code, says) = told(&gateway, &["--version"]);
    assert_eq!((code, says.trim()), (0, concat!("dmgw ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_path_that_is_no_text_is_answered_like_any_other_mistake() {
    let (_plant, gateway) = plant_and_gateway("");
    for path in ["/v1/commands/%ff", "/v1/devices/%ff%00", "/v1/journal/%fe"] {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.fault().0), (400, "bad-argument"), "{path}: {answer:?}");
    }
}

#[test]
fn a_command_that_waits_says_why() {
    let (plant, gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    plant.freeze();
    let ask =
        |operation: Value| gateway.post("/v1/ask", &json!({ "operate": { "device": relay, "operation": operation } }));
    let write = json!({ "write": { "point": "relay.0.on", "value": true } });
    ask(write.clone()).ok();
    let waits = ask(write).ok()["accepted"]["id"].as_str().unwrap().to_owned();
    let shown = gateway.get(&format!("/v1/commands/{waits}")).ok();
    assert_eq!((&shown["state"], shown["waits"].is_string()), (&json!("queued"), true), "{shown}");
    plant.thaw();
}

#[test]
fn what_is_out_of_scope_is_named_by_no_refusal_rule_or_record() {
    let gateway =
        alone("[group.vip]\nfor = 'id in [\"urn:dev:dmgw:serial:acme:1\", \"urn:dev:dmgw:serial:acme:2\"]'\n");
    let device =
        |no| json!({ "identities": [{ "kind": "serial", "value": format!("acme:{no}"), "proof": "claimed" }] });
    gateway.post("/v1/ask", &json!({ "register": { "devices": [device(1), device(2), device(3)] } })).ok();
    let id = |no| format!("urn:dev:dmgw:serial:acme:{no}");
    gateway.operate(&id(2), json!({ "group": { "add": ["hidden"] } })).ok();
    let ann = gateway.token("ann", "administrator", Some(&format!("id == \"{}\"", id(1))));
    let told = |method: &str, path: &str, body: Value| gateway.as_token(&ann, method, path, &body);
    let replace = json!({ "replace": { "identity": { "kind": "serial", "value": "acme:2", "proof": "claimed" } } });
    let ask = told("POST", "/v1/ask", json!({ "operate": { "device": id(1), "operation": replace } }));
    assert!(ask.status == 403 && !ask.body.to_string().contains(&id(2)), "{ask:?}");
    let group = json!({ "operate": { "group": "hiden", "operation": { "group": { "add": ["x"] } } } });
    let ask = told("POST", "/v1/ask", group);
    assert!(ask.status == 404 && !ask.body.to_string().contains("hidden"), "{ask:?}");
    let groups = told("GET", "/v1/groups", Value::Null);
    assert_eq!(groups.body["groups"], json!([{ "name": "vip", "devices": 1 }]));

    gateway.operate(&id(1), json!({ "merge": { "with": id(3) } })).ok();
    let from = gateway.get("/v1/status").body["journal"]["journal"].as_str().unwrap().to_owned();
    for path in [format!("/v1/devices/{}/log", id(1)), "/v1/journal/events?fresh=false".into()] {
        let heard = told("GET", &path, Value::Null);
        assert!(heard.status == 200 && !heard.body.to_string().contains(&id(3)), "{heard:?}");
        assert!(gateway.get(&path).body.to_string().contains(&id(3)), "the negative: root hears of it");
    }
    let line = format!("authorization: Bearer {ann}\r\n");
    let mut stream = support::http::connect(&gateway.socket()).unwrap();
    let path = format!("/v1/stream?streams=events&from={from}.0.0.0");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\n{line}\r\n").unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    let heard = support::text(&heard);
    assert!(heard.contains("device-life") && !heard.contains(&id(3)), "{heard}");
}
