//! What the running daemon says of itself: how much, in which form, and the same line not again and again.

mod support;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Gateway, Plant, TWO_DEVICES, eventually, http, told};

fn put(gateway: &Gateway, wanted: &Value) -> http::Answer {
    http::exchange(&gateway.socket(), "PUT", "/v1/log", wanted.to_string().as_bytes()).expect("an answer")
}

#[test]
fn a_level_for_a_while_says_more_and_goes_back_by_itself() {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    let relay = gateway.wait_for_device("relay-1");
    let write = || gateway.operate(&relay, json!({ "write": { "point": "relay.0.on", "value": true } })).ok();
    let queued = || gateway.log().matches("command queued").count() + gateway.log().matches("command sent").count();
    write();
    assert_eq!((queued(), gateway.get("/v1/log").ok()), (0, json!({ "level": "info", "settings": "info" })));
    let (code, says) = told(&gateway, &["config", "log-level", "debug", "--for", "2s"]);
    assert!(code == 0 && says.starts_with("debug for another 2s, then info"), "{says}");
    write();
    let more = eventually("it says more", || Some(queued()).filter(|lines| *lines > 0));
    eventually("it goes back by itself", || (gateway.get("/v1/log").ok()["seconds"].is_null()).then_some(()));
    write();
    assert_eq!(queued(), more, "{}", gateway.log());
    assert!(gateway.log().contains("the log says what the settings say again"));
}

#[test]
fn a_level_that_somebody_set_can_be_taken_back_and_has_an_end() {
    let mut gateway = Gateway::new("");
    gateway.start();
    assert_eq!(put(&gateway, &json!({ "level": "trace" })).ok()["seconds"], 600);
    assert_eq!(told(&gateway, &["config", "log-level", "--back"]), (0, "info, as the settings say\n".into()));
    assert_eq!(put(&gateway, &json!({ "level": "debug", "seconds": 86_401 })).status, 400);
    assert_eq!(put(&gateway, &json!({ "level": "debug", "seconds": 0 })).status, 400);
    assert!(put(&gateway, &json!({ "level": "debgu" })).fault().2.contains("debug"));
    assert_eq!(told(&gateway, &["config", "log-level", "loud"]).0, 2);
    assert_eq!(gateway.get("/v1/log").ok()["level"], "info", "nothing of that holds");
}

#[test]
fn the_level_of_the_settings_holds_from_a_reload_on() {
    let mut gateway = Gateway::new("");
    gateway.start();
    gateway.configure("[log]\nlevel = \"error\"\n");
    let reloaded = gateway.post("/v1/config/reload", &json!({})).ok();
    assert_eq!(reloaded["next_start"], json!([]), "{reloaded}");
    assert_eq!(gateway.get("/v1/log").ok(), json!({ "level": "error", "settings": "error" }));
    assert!(gateway.terminate().0.success());
    assert!(!gateway.log().contains("INFO stopping"), "{}", gateway.log());
}

#[test]
fn what_is_said_again_and_again_is_counted_and_the_count_is_told_at_the_stop() {
    let mut gateway = Gateway::new("");
    gateway.start();
    gateway.configure("[commands]\ntimeout = 7\n");
    for times in 1..=5 {
        assert_eq!(gateway.post("/v1/config/reload", &json!({})).status, 409, "{times}");
    }
    assert!(gateway.terminate().0.success());
    let log = gateway.log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("ERROR nothing is changed")).collect();
    assert_eq!(said.len(), 2, "{log}");
    assert!(!said[0].contains("more in"), "{log}");
    assert!(log.contains(" (4 times more in "), "{log}");
}

/// The negative: what differs in one word is another line.
#[test]
fn what_only_looks_alike_is_said_each_time() {
    let mut gateway = Gateway::new("");
    gateway.start();
    for seconds in 1..=3 {
        gateway.configure(&format!("[commands]\ntimeout = {seconds}\n"));
        assert_eq!(gateway.post("/v1/config/reload", &json!({})).status, 409);
    }
    assert_eq!(gateway.log().matches("nothing is changed").count(), 3, "{}", gateway.log());
}

#[test]
fn a_log_for_machines_is_one_object_a_line_with_its_fields() {
    let plant = Plant::start(TWO_DEVICES);
    let mut gateway = Gateway::start_with(&plant, "[log]\nformat = \"json\"\n");
    let relay = gateway.wait_for_device("relay-1");
    gateway.terminate();
    let lines: Vec<Value> = gateway.log().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let joined = lines.iter().find(|line| line["message"] == "new device" && line["device"] == relay.as_str());
    assert!(joined.is_some_and(|line| line["level"] == "INFO" && line["link"] == "plant"), "{lines:?}");
    assert!(lines.iter().all(|line| line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z'))));
}

/// A hang-up is a reload too; and whoever starts the daemon by hand sees its lines with their time.
#[test]
fn the_log_for_people_tells_the_time_first() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let pid = nix::unistd::Pid::from_raw(gateway.pid() as i32);
    nix::sys::signal::kill(pid, Signal::SIGHUP).unwrap();
    let line = eventually("it reads its settings again", || {
        gateway.log().lines().find(|line| line.contains("INFO settings taken over")).map(str::to_owned)
    });
    assert!(line.starts_with("20") && line.contains('T') && line.contains("Z  INFO "), "{line}");
}
