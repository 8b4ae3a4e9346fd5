//! The running daemon, from outside: it starts, refuses what it must, answers what is asked, and stops.

mod support;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Gateway, Plant, TWO_DEVICES, eventually, exists, http, text};

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
fn a_second_instance_is_refused_in_one_line_and_the_first_goes_on() {
    let gateway = alone("");
    let second = gateway.cli(&["run"]);
    let says = text(&second.stderr);
    assert_eq!((second.status.code(), says.lines().count()), (Some(1), 1), "{says}");
    assert!(says.contains("another dmgw") && says.contains("state.redb"), "{says}");
    assert_eq!(gateway.get("/v1/status").status, 200);
}

#[test]
fn a_second_instance_on_another_store_does_not_take_the_living_socket() {
    let gateway = alone("");
    let other = Gateway::new(&format!("[socket]\npath = {:?}\n", gateway.socket()));
    let second = other.cli(&["run"]);
    let says = text(&second.stderr);
    assert_eq!((second.status.code(), says.lines().count()), (Some(1), 1), "{says}");
    assert!(says.contains("another process listens on"), "{says}");
    assert_eq!(gateway.get("/v1/status").status, 200);
}

#[test]
fn it_says_ready_and_stopping_and_is_gone_in_under_five_seconds() {
    let (_plant, mut gateway) = plant_and_gateway("");
    gateway.wait_for_device("meter-1");
    let (ended, took) = gateway.terminate();
    assert_eq!(ended.code(), Some(0), "{}", gateway.log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(gateway.order_to_systemd().as_deref(), Some("STOPPING=1"));
    assert!(!exists(&gateway.socket()));
}

/// Whoever was told "accepted" while it stopped was told so before the end.
#[test]
fn it_stops_in_time_while_somebody_keeps_asking() {
    let (_plant, mut gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    let socket = gateway.socket();
    let asking = std::thread::spawn(move || {
        let operation = json!({ "write": { "point": "relay.0.on", "value": true } });
        let ask = json!({ "operate": { "device": relay, "operation": operation } }).to_string();
        let mut accepted = 0;
        while let Ok(answer) = http::exchange(&socket, "POST", "/v1/ask", ask.as_bytes()) {
            assert!(matches!(answer.status, 202 | 503), "{answer:?}");
            accepted += usize::from(answer.status == 202);
        }
        accepted
    });
    eventually("some commands are accepted", || {
        (gateway.get("/v1/status").body["commands"].as_u64()? >= 20).then_some(())
    });
    let (ended, took) = gateway.terminate();
    assert!(ended.success() && took < Duration::from_secs(5), "{ended} {took:?}");
    assert!(asking.join().unwrap() >= 20);
}

#[test]
fn it_stops_in_time_though_its_devices_are_frozen_in_the_middle_of_a_command() {
    let (plant, mut gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    plant.freeze();
    let write = json!({ "write": { "point": "relay.0.on", "value": true } });
    let asked = gateway.post("/v1/ask", &json!({ "operate": { "device": relay, "operation": write } }));
    assert_eq!(asked.status, 202, "{asked:?}");
    let id = asked.body["accepted"]["id"].as_str().unwrap().to_owned();
    let (socket, path) = (gateway.socket(), format!("/v1/commands/{id}?wait=100"));
    let waiting = std::thread::spawn(move || http::exchange(&socket, "GET", &path, b""));
    let (ended, took) = gateway.terminate();
    // Whether it got in before the end is chance; that it is not left waiting is not.
    if let Ok(told) = waiting.join().unwrap() {
        assert!(["sent", "unknown"].contains(&told.body["state"].as_str().unwrap()), "{told:?}");
    }
    assert!(ended.success() && took < Duration::from_secs(5), "{ended} {took:?} {}", gateway.log());
    gateway.start();
    let state = gateway.get(&format!("/v1/commands/{id}")).ok()["state"].clone();
    assert_eq!(state, "unknown", "it was sent, and nobody can say");
    plant.thaw();
}

#[test]
fn after_a_kill_devices_and_commands_are_known_and_nothing_is_carried_out_twice() {
    let (plant, mut gateway) = plant_and_gateway("[clock]\ntrust = \"always\"\n");
    let relay = gateway.wait_for_device("relay-1");
    let time = gateway.get("/v1/status").ok()["clock"]["time"].as_u64().unwrap();
    let ask = json!({ "operate": {
        "id": "once", "expires": time + 600_000, "device": relay,
        "operation": { "write": { "point": "relay.0.on", "value": true } },
    } });
    assert_eq!(gateway.post("/v1/ask?wait=20", &ask).ok()["accepted"]["state"], "done");
    gateway.kill();
    gateway.start();
    assert_eq!(gateway.get(&format!("/v1/devices/{relay}")).ok()["id"], relay.as_str());
    assert_eq!(gateway.post("/v1/ask?wait=20", &ask).ok()["known"]["state"], "done");
    gateway.wait_for_device("relay-1");
    assert_eq!(plant.carried_out("acme:relay-1", "write"), 1);
}

#[test]
fn what_a_reader_acknowledged_stands_on_the_disk_with_the_next_commit() {
    let (_plant, mut gateway) = plant_and_gateway("[journal]\nreaders = { office = [\"vital\"] }\n");
    let relay = gateway.wait_for_device("relay-1");
    let write = || gateway.operate(&relay, json!({ "write": { "point": "relay.0.on", "value": true } })).ok();
    write();
    let ack = json!({ "reader": "office", "stream": "vital", "seq": 1 });
    assert_eq!(gateway.post("/v1/journal/ack", &ack).status, 202);
    write();
    let vital = |gateway: &Gateway| gateway.get("/v1/status").ok()["journal"]["streams"][0].clone();
    assert_eq!(vital(&gateway)["passed"]["office"], 1);
    gateway.kill();
    gateway.start();
    assert_eq!((&vital(&gateway)["passed"]["office"], &vital(&gateway)["first_held"]), (&json!(1), &json!(2)));
}

#[test]
fn after_a_kill_the_old_socket_is_replaced() {
    let mut gateway = alone("");
    gateway.kill();
    assert!(exists(&gateway.socket()), "a kill leaves it");
    gateway.start();
    assert_eq!(gateway.get("/v1/status").status, 200);
}

#[test]
fn a_bad_settings_file_is_shown_where_it_is_bad() {
    for (settings, line, says) in [
        ("[store]\npath = \"/x\"\n[limits]\nask = 3\n", ":4:1: unknown key \"ask\"", "Did you mean \"asks\"?"),
        ("[clock]\ntrust = \"kernal\"\n", ":2:9: \"kernal\" is none of kernel, always", "Did you mean \"kernel\"?"),
        ("[commands]\ntimeout = \"5 parsecs\"\n", ":2:11: \"5 parsecs\" is not a span of time", "\"30s\""),
        ("[link.a.smi]\nsocket = \"/x\"\n", ":1:9: unknown key \"smi\"", "Did you mean \"sim\"?"),
        ("[limits]\nasks = 0\n", ":2:8: asks is 0", "between 1 and 4096"),
    ] {
        let gateway = Gateway::new(settings);
        let ended = gateway.cli(&["run"]);
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        let place = format!("{}{line}", gateway.config().display());
        assert!(told.contains(&place) && told.contains(says), "{told}");
    }
    let missing = Gateway::new("");
    std::fs::remove_file(missing.config()).unwrap();
    assert!(text(&missing.cli(&["run"]).stderr).contains("cannot read the settings file"));
}

#[test]
fn a_bad_body_is_told_what_is_wrong_and_what_would_be_right() {
    let gateway = alone("");
    let told = |body: &str| {
        let answer = gateway.post_bytes("/v1/ask", body.as_bytes());
        let (kind, message, hint) = answer.fault();
        (answer.status, kind.to_owned(), format!("{message} | {hint}"))
    };
    let (status, kind, says) = told("now!");
    assert_eq!((status, kind.as_str()), (400, "bad-argument"));
    assert!(says.starts_with("the request is not an ask: expected") && says.contains("the body is JSON"), "{says}");

    let device = "urn:dev:dmgw:serial:acme:nobody";
    let ask = |operation: Value| json!({ "operate": { "device": device, "operation": operation } }).to_string();
    let (status, _, says) = told(&ask(json!({ "wirte": { "point": "relay.0.on", "value": true } })));
    assert!(status == 400 && says.contains("did you mean \"write\"?"), "{says}");
    let (status, _, says) = told(&ask(json!({ "write": { "point": "relay", "value": true } })));
    assert!(status == 400 && says.contains("\"relay\" is not a point; write component.instance.point"), "{says}");
    let (status, kind, says) = told(&ask(json!({ "read": { "points": ["power.0.active"] } })));
    assert!((status, kind.as_str()) == (404, "not-found") && says.contains(device), "{says}");

    let (status, _, says) = told(&format!("\"{}\"", "x".repeat(70_000)));
    assert!(status == 413 && says.contains("larger than 65536 bytes"), "{says}");
    let (status, ..) = told(&"[".repeat(10_000));
    assert_eq!(status, 400, "depth is bounded");
    assert_eq!(gateway.get("/v1/status").status, 200);
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let gateway = alone("[limits]\nanswer = \"100ms\"\n");
    let mut stream = http::connect(&gateway.socket()).unwrap();
    stream.write_all(b"POST /v1/ask HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{").unwrap();
    let answer = http::answer(&mut stream).unwrap();
    assert_eq!(answer.status, 408);
}

#[test]
fn what_is_asked_wrong_besides_the_body_is_told_too() {
    let gateway = alone("[journal]\nreaders = { head-office = [\"vital\"] }\n");
    let hint = |answer: support::Answer, status: u16| {
        assert_eq!(answer.status, status, "{answer:?}");
        answer.fault().2.to_owned()
    };
    assert_eq!(hint(gateway.get("/v1/device"), 404), "did you mean GET /v1/devices?");
    assert_eq!(hint(gateway.get("/v1/ask"), 405), "use GET to look and POST to ask");
    assert_eq!(hint(gateway.get("/v1/journal/vitl"), 404), "did you mean vital?");
    assert_eq!(hint(gateway.get("/v1/devices?limit=0"), 400), "ask for at least one");
    // Who asks for more than a page, or to wait for longer than anybody may, gets what there is to have.
    assert_eq!(gateway.get("/v1/devices?limit=100000").status, 200);
    assert!(gateway.get("/v1/devices?limt=1").fault().1.contains("limt"));
    let cancel = json!({ "cancel": { "command": "c-1" } });
    assert_eq!(gateway.post("/v1/ask?wait=1e9", &cancel).status, 404, "there is no such command");
    assert_eq!(gateway.post("/v1/ask?wait=nan", &cancel).status, 400);
    assert_eq!(gateway.post("/v1/ask?wait=-1", &cancel).status, 400);
    let ack = |reader: &str, seq: u64| {
        gateway.post("/v1/journal/ack", &json!({ "reader": reader, "stream": "vital", "seq": seq }))
    };
    assert_eq!(hint(ack("head-ofice", 0), 404), "did you mean head-office?");
    assert!(ack("head-office", 1 << 60).fault().1.contains("has not yet given out"));
    assert_eq!(ack("head-office", 0).status, 202);
}

#[test]
fn only_its_owner_may_open_the_socket_and_nobody_else_is_answered() {
    let gateway = alone("");
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    assert_eq!(std::fs::metadata(gateway.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    if !nix::unistd::geteuid().is_root() {
        return println!(
            "SKIP only_its_owner_may_open_the_socket_and_nobody_else_is_answered: only root can play somebody else"
        );
    }
    std::fs::set_permissions(gateway.folder.path(), mode(0o755)).unwrap();
    let as_nobody = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
        command.args(["status", "--socket"]).arg(gateway.socket()).uid(65_534).gid(65_534).current_dir("/");
        let ended = command.output().unwrap();
        (ended.status.code(), text(&ended.stderr))
    };
    let (code, says) = as_nobody();
    assert!(code == Some(4) && says.contains("permission denied") && says.contains("sudo"), "{says}");
    std::fs::set_permissions(gateway.socket(), mode(0o666)).unwrap();
    let (code, says) = as_nobody();
    assert!(code == Some(1) && says.contains("only root may use this socket"), "{says}");
}

#[test]
fn one_connection_too_many_is_told_to_come_back() {
    let gateway = alone("[limits]\nconnections = 1\n");
    let held = http::connect(&gateway.socket()).unwrap();
    let refused = eventually("the first connection has its place", || {
        let answer = http::exchange(&gateway.socket(), "GET", "/v1/status", b"").ok()?;
        (answer.status == 503).then_some(answer)
    });
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert!(refused.fault().1.contains("all connections are in use"));
    drop(held);
    eventually("its place is free again", || {
        let answer = http::exchange(&gateway.socket(), "GET", "/v1/status", b"").ok()?;
        (answer.status == 200).then_some(())
    });
}

#[test]
fn an_ask_that_waits_is_answered_with_the_end_and_asked_again_with_the_same() {
    // An id of one's own needs a clock that its expiry can be judged by.
    let (plant, gateway) = plant_and_gateway("[clock]\ntrust = \"always\"\n");
    let relay = gateway.wait_for_device("relay-1");
    let time = gateway.get("/v1/status").ok()["clock"]["time"].as_u64().unwrap();
    let ask = json!({ "operate": {
        "id": "switch-1", "expires": time + 60_000, "device": relay,
        "operation": { "write": { "point": "relay.0.on", "value": true } },
    } });
    let first = gateway.post("/v1/ask?wait=20", &ask);
    assert_eq!((first.status, &first.body["accepted"]["state"]), (200, &json!("done")), "{first:?}");
    let again = gateway.post("/v1/ask?wait=20", &ask).ok();
    assert_eq!(again["known"]["ended"], first.body["accepted"]["ended"], "{again}");
    let looked_up = gateway.get("/v1/commands/switch-1").ok();
    assert_eq!(looked_up["state"], "done");
    let page = gateway.get("/v1/journal/vital").ok();
    eventually("the plant recorded it", || (plant.carried_out("acme:relay-1", "write") == 1).then_some(()));
    let results = page["records"].as_array().unwrap().iter().filter(|held| !held["record"]["result"].is_null());
    assert_eq!(results.filter(|held| held["record"]["result"]["command"] == "switch-1").count(), 1, "{page}");
}

#[test]
fn an_operation_that_the_device_lacks_or_a_device_that_is_not_there_is_refused_with_a_hint() {
    let (_plant, gateway) = plant_and_gateway("");
    let relay = gateway.wait_for_device("relay-1");
    let refused = gateway.operate(&relay, json!("lock"));
    assert_eq!((refused.status, refused.fault().0), (422, "unsupported"));
    let refused = gateway.operate(&relay.replace("relay", "realy"), json!("probe"));
    assert_eq!((refused.status, refused.fault().2), (404, format!("did you mean {relay}?").as_str()));
}

#[test]
fn values_and_readings_are_seen_from_outside() {
    let soon = "[store]\nflush_busy = \"100ms\"\nflush_idle = \"200ms\"\npath = \"{dir}/state.redb\"\n";
    let (_plant, gateway) = plant_and_gateway(soon);
    let meter = gateway.wait_for_device("meter-1");
    let device = eventually("the meter has a value", || {
        let device = gateway.get(&format!("/v1/devices/{meter}")).ok();
        device["detail"]["points"][0]["value"].is_number().then_some(device)
    });
    let point = &device["detail"]["points"][0];
    assert_eq!((&point["point"], &point["quality"]), (&json!("power.0.active"), &json!("good")));
    assert!(point["age"].as_f64().unwrap() < 30.0);
    let page = eventually("the journal has readings", || {
        let page = gateway.get("/v1/journal/telemetry").ok();
        page["records"].as_array().is_some_and(|records| !records.is_empty()).then_some(page)
    });
    let heard = &page["records"][0]["heard"];
    assert!(
        heard["device"].as_str().unwrap().starts_with("urn:") && heard["readings"][0]["point"].is_string(),
        "{page}"
    );
}

#[test]
fn every_word_of_the_command_line_gives_json_that_parses() {
    let (_plant, gateway) = plant_and_gateway(
        "[clock]\ntrust = \"always\"\n[store]\nflush_busy = \"100ms\"\nflush_idle = \"200ms\"\npath = \"{dir}/state.redb\"\n",
    );
    gateway.wait_for_device("relay-1");
    for (words, has) in [
        (&["status"][..], "health"),
        (&["device", "list"], "devices"),
        (&["device", "show", "relay-1"], "detail"),
        (&["write", "relay-1", "relay.0.on", "true", "--id", "json-1"], "outcome"),
        (&["command", "show", "json-1", "--wait", "5s"], "outcome"),
        (&["journal", "show", "vital"], "records"),
        (&["journal", "show", "telemetry", "--limit", "2"], "records"),
        (&["version"], "daemon"),
    ] {
        let ended = gateway.cli(&[words, &["--json"]].concat());
        let shown: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{words:?}: {ended:?}"));
        assert!(ended.status.success() && !shown[has].is_null(), "{words:?}: {shown}");
    }
    let links: Value = serde_json::from_slice(&gateway.cli(&["link", "list", "--json"]).stdout).unwrap();
    assert_eq!(links[0]["name"], "plant");
    let refused = gateway.cli(&["command", "ask", "relay-1", "lock", "--json"]);
    let shown: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((refused.status.code(), &shown["type"]), (Some(1), &json!("urn:dmgw:problem:unsupported")));
}

#[test]
fn the_command_line_tells_people_what_to_do() {
    let (_plant, mut gateway) = plant_and_gateway("");
    gateway.wait_for_device("relay-1");
    let told = |words: &[&str]| {
        let ended = gateway.cli(words);
        (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr))
    };
    let (code, says) = told(&["device", "list"]);
    assert!(code == 0 && says.lines().all(|line| line.chars().count() <= 80) && says.contains("relay-1"), "{says}");
    let (code, says) = told(&["command", "ask", "realy-1", "probe"]);
    assert!(code == 1 && says.contains("did you mean urn:") && says.contains("relay-1"), "{says}");
    let (code, says) = told(&["command", "ask", "relay-1", "wirte", "relay.0.on", "1"]);
    assert!(code == 2 && says.contains("did you mean write?"), "{says}");
    let (code, says) = told(&["command", "ask", "relay-1", "write", "relay.0.on", "true", "--wait", "0s"]);
    assert!(code == 0 && (says.contains("sent") || says.contains("done")), "{says}");
    let (code, says) = told(&["link", "discover", "plnt"]);
    assert!(code == 1 && says.contains("did you mean plant?"), "{says}");
    assert_eq!(told(&["statsu"]).0, 2);
    let (code, says) = told(&["--help"]);
    assert!(code == 0 && says.contains("4  the daemon cannot be reached"), "{says}");
    gateway.terminate();
    let ended = gateway.cli(&["status"]);
    let says = text(&ended.stderr);
    assert!(ended.status.code() == Some(4) && says.contains("is it running?"), "{says}");
}

#[test]
fn a_log_for_machines_has_device_and_command_as_fields() {
    let (_plant, gateway) = plant_and_gateway("[log]\nformat = \"json\"\n");
    let relay = gateway.wait_for_device("relay-1");
    let id = gateway.operate(&relay, json!({ "write": { "point": "relay.0.on", "value": true } })).ok();
    let id = id["accepted"]["id"].clone();
    let lines: Vec<Value> = gateway.log().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["command"] == id && line["device"] == relay.as_str()), "{lines:?}");
}
