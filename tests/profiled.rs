//! A gateway uses its profiles: the real daemon on a simulated plant, whose witness says what its devices were told.

mod support;

use serde_json::{Value, json};
use support::{Gateway, Plant, eventually, told};

const PLANT: &str = r#"
socket = "plant.sock"
record = "record.jsonl"

[device.box]
serial = "acme:box"
hardware = "Acme Box 3"
operations = ["restart", "lock"]
point."m.u" = { type = "uint", value = { constant = 2301 } }
point."m.a" = { type = "float", value = { constant = 2.5 } }
point."m.b" = { type = "float", value = { constant = 4.0 } }
point."m.s" = { type = "uint", value = { constant = 2 } }
point."m.n" = { type = "uint", access = "read-write", value = { echo = 65500 } }
point."m.l" = { type = "uint", access = "read-write", value = { echo = 10 } }
point."m.up" = { type = "uint", value = { constant = 5000 } }

[device.other]
serial = "other:1"
point."m.u" = { type = "uint", value = { constant = 2301 } }
"#;

fn profile(scale: &str) -> String {
    format!(
        r#"
[profile.box]
match = [{{ identity = "serial:acme:*", weight = 10 }}, {{ hardware = "Acme *", weight = 5 }}]
forbid = ["lock"]
[profile.box.operation.restart]
success = {{ point = "box.uptime", below = 60, within = "2s" }}
[profile.box.point]
"box.voltage" = {{ raw = "m.u", unit = "V", scale = {scale} }}
"box.state" = {{ raw = "m.s", enum = {{ 1 = "idle", 2 = "running" }} }}
"box.total" = {{ raw = "m.n", counter = {{ bits = 16 }} }}
"box.set" = {{ raw = "m.n" }}
"box.level" = {{ raw = "m.l", unit = "%", scale = 0.5, min = 0, max = 100 }}
"box.a" = {{ raw = "m.a", unit = "W" }}
"box.b" = {{ raw = "m.b", unit = "W" }}
"box.sum" = {{ unit = "W", sum = ["box.a", "box.b"] }}
"box.uptime" = {{ raw = "m.up", unit = "s" }}

[profile.spare]
"#
    )
}

fn detail(gateway: &Gateway, word: &str) -> Value {
    gateway.get(&format!("/v1/devices/{word}")).body["detail"].clone()
}

fn shown(gateway: &Gateway, point: &str) -> Value {
    let points = detail(gateway, "box")["points"].clone();
    let found = points.as_array().and_then(|points| points.iter().find(|of| of["point"] == point)).cloned();
    found.map_or(Value::Null, |of| of["value"].clone())
}

#[track_caller]
fn shows(gateway: &Gateway, point: &str, value: Value) {
    eventually(&format!("{point} is {value}"), || (shown(gateway, point) == value).then_some(()));
}

fn written(plant: &Plant) -> Vec<Value> {
    let orders = plant.witness().into_iter().map(|line| line["order"].clone());
    orders.map(|order| order["operation"]["write"].clone()).filter(|write| !write.is_null()).collect()
}

#[test]
fn a_device_is_seen_told_and_believed_as_its_profile_says() {
    let plant = Plant::start(PLANT);
    let gateway = Gateway::start_with(&plant, &profile("0.1"));
    let id = gateway.wait_for_device("box");
    shows(&gateway, "box.0.voltage", json!(230.1));
    shows(&gateway, "box.0.state", json!("running"));
    shows(&gateway, "box.0.sum", json!(6.5));
    // Why it is of this kind.
    let why = detail(&gateway, "box")["profile"].clone();
    assert_eq!((&why["name"], &why["score"]["points"]), (&json!("box"), &json!(15)), "{why}");
    let (_, says) = told(&gateway, &["device", "show", "box"]);
    let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(says.contains("box (15 points by identity acme:box: 10"), "{says}");
    assert_eq!(detail(&gateway, "other")["profile"]["name"], Value::Null);
    assert!(shown(&gateway, "m.0.u").is_null(), "what has another name is not seen under its own");
    // In engineering units, and by the witness in those of the device.
    let level = |value: f64| gateway.operate(&id, json!({ "write": { "point": "box.level", "value": value } })).body;
    let done = level(42.5);
    assert_eq!(done["accepted"]["outcome"]["done"], json!([["box.0.level", 42.5]]), "{done}");
    assert!(level(100.5).to_string().contains("takes 0 to 100"));
    eventually("the witness has it", || (!written(&plant).is_empty()).then_some(()));
    assert_eq!(written(&plant), [json!({ "point": "m.0.l", "value": 85 })]);
    let read = gateway.operate(&id, json!({ "read": { "points": ["box.sum", "box.state"] } })).body;
    assert_eq!(read["accepted"]["outcome"]["done"], json!([["box.0.sum", 6.5], ["box.0.state", "running"]]), "{read}");
    // It says done, and was not restarted.
    let restart = gateway.operate(&id, json!({ "restart": {} })).body;
    let failed = restart["accepted"]["outcome"]["failed"].as_str().unwrap_or_default();
    assert_eq!(failed, "the device said done, but box.0.uptime shows 5000", "{restart}");
    assert_eq!(plant.carried_out("acme:box", "restart"), 1, "and was not asked again");
    let lock = gateway.operate(&id, json!("lock"));
    assert!(lock.status >= 400 && lock.body.to_string().contains("cannot lock"), "{:?}", lock.body);
    // Selectors know it.
    let those = gateway.get("/v1/devices?for=profile%20%3D%3D%20%22box%22").body;
    assert_eq!(those["devices"].as_array().map(Vec::len), Some(1), "{those}");
}

#[test]
fn a_total_goes_on_over_the_end_of_its_counter_and_over_a_restart() {
    let plant = Plant::start(PLANT);
    let mut gateway = Gateway::start_with(&plant, &profile("0.1"));
    let id = gateway.wait_for_device("box");
    let count = |gateway: &Gateway, to: u64| {
        let done = gateway.operate(&id, json!({ "write": { "point": "box.set", "value": to } })).body;
        assert!(done["accepted"]["outcome"]["done"].is_array(), "{done}");
    };
    shows(&gateway, "box.0.total", json!(65_500));
    count(&gateway, 65_530);
    shows(&gateway, "box.0.total", json!(65_530));
    for (to, total) in
        [(4, 65_540), (16_000, 81_536), (32_000, 97_536), (48_000, 113_536), (64_000, 129_536), (10, 131_082)]
    {
        assert!(gateway.terminate().0.success());
        gateway.start();
        gateway.wait_for_device("box");
        eventually("the link takes commands", || {
            (gateway.get("/v1/links").body["links"][0]["state"] == "up").then_some(())
        });
        count(&gateway, to);
        shows(&gateway, "box.0.total", json!(total));
    }
}

#[test]
fn a_profile_that_changes_is_taken_over_while_the_device_stays() {
    let plant = Plant::start(PLANT);
    let socket = plant.socket();
    let link = format!("[link.plant]\nevery = \"200ms\"\nsilent_after = \"20s\"\nsim = {{ socket = {socket:?} }}\n");
    let mut gateway = Gateway::new(&format!("{link}{}", profile("0.1")));
    gateway.start();
    let id = gateway.wait_for_device("box");
    shows(&gateway, "box.0.voltage", json!(230.1));
    let connections = || plant.witness().iter().filter(|line| !line["connected"].is_null()).count();
    // The test's own look whether it listens, and the gateway. The record is written now and then.
    let before = eventually("the gateway is in the record", || Some(connections()).filter(|count| *count == 2));
    gateway.configure(&format!("{link}{}", profile("0.01")));
    assert_eq!(told(&gateway, &["config", "reload"]).0, 0);
    shows(&gateway, "box.0.voltage", json!(23.01));
    assert_eq!((connections(), &gateway.get("/v1/devices/box").body["connectivity"]), (before, &json!("up")));
    // Somebody says what it is, and has it found again.
    let (code, says) = told(&gateway, &["command", "ask", "box", "profile", "spar"]);
    assert!(code != 0 && says.contains("spare was meant?"), "{says}");
    assert_eq!(told(&gateway, &["command", "ask", "box", "profile", "spare"]).0, 0);
    shows(&gateway, "m.0.u", json!(2301));
    assert_eq!(detail(&gateway, &id)["profile"]["assigned"], true);
    assert_eq!(told(&gateway, &["command", "ask", "box", "profile"]).0, 0);
    // The settings say it of another.
    let other = "[device.known]\nidentities = [\"serial:other:1\"]\nprofile = \"spare\"\n";
    gateway.configure(&format!("{link}{other}{}", profile("0.01")));
    assert_eq!(told(&gateway, &["config", "reload"]).0, 0);
    eventually("it is of that kind", || (detail(&gateway, "known")["profile"]["name"] == "spare").then_some(()));
    shows(&gateway, "box.0.voltage", json!(23.01));
    // And it goes away.
    gateway.configure(&link);
    assert_eq!(told(&gateway, &["config", "reload"]).0, 0);
    shows(&gateway, "m.0.u", json!(2301));
    let log = gateway.get("/v1/devices/box/log").body.to_string();
    assert_eq!(log.matches("device-profile").count(), 4, "{log}");
}

const DEMO: &str = r#"
socket = "plant.sock"
record = "record.jsonl"

[device.meter]
serial = "acme:M1"
operations = ["restart"]
point."device.status" = { type = "text", value = { constant = "ok" } }
point."device.uptime" = { type = "uint", value = "uptime" }

[[device.meter.fault]]
after = 0
do = "lie"

[device.relay]
serial = "acme:R1"
operations = ["restart"]
point."relay.1.on" = { type = "bool", access = "read-write", value = { echo = false } }
point."device.uptime" = { type = "uint", value = "uptime" }
"#;

/// As it is shipped, in less time.
fn shipped(name: &str) -> String {
    let text = std::fs::read_to_string(format!("{}/config/profiles/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (head, within) = text.split_once("below = 10, within = ").expect("a restart is seen by the uptime");
    format!("{head}below = 2, within = \"2s\"{}", within.split_once("s\"").unwrap().1)
}

#[test]
fn a_restart_is_believed_by_the_shipped_profiles_where_it_happened_and_nowhere_else() {
    let plant = Plant::start(DEMO);
    let gateway = Gateway::start_with(&plant, &[shipped("acme-meter"), shipped("acme-relay")].concat());
    let (meter, relay) = (gateway.wait_for_device("meter"), gateway.wait_for_device("relay"));
    let closed = gateway.operate(&relay, json!({ "write": { "point": "relay.1.on", "value": true } })).body;
    assert!(closed["accepted"]["outcome"]["done"].is_array(), "{closed}");
    let uptime = |word: &str| {
        let points = detail(&gateway, word)["points"].clone();
        let shown = points.as_array().and_then(|all| all.iter().find(|of| of["point"] == "device.0.uptime").cloned());
        shown.and_then(|shown| shown["value"].as_u64())
    };
    eventually("both run for a while", || {
        ["meter", "relay"].iter().all(|word| uptime(word).is_some_and(|up| up >= 3)).then_some(())
    });
    let restart = |id: &str| gateway.operate(id, json!({ "restart": {} })).body["accepted"].clone();
    let told = restart(&meter);
    let failed = told["outcome"]["failed"].as_str().unwrap_or_default();
    assert!(failed.starts_with("the device said done, but device.0.uptime shows"), "{told}");
    let told = restart(&relay);
    assert_eq!(told["state"], "done", "{told}");
    let obeyed = eventually("both are in the record", || {
        let orders = plant.witness().into_iter().map(|line| line["order"].clone());
        let restarts = orders.filter(|order| !order["operation"]["restart"].is_null());
        let obeyed: Vec<_> = restarts.map(|order| (order["device"].clone(), order["obeyed"].clone())).collect();
        (obeyed.len() >= 2).then_some(obeyed)
    });
    assert_eq!(obeyed, [(json!("acme:M1"), json!(false)), (json!("acme:R1"), json!(true))]);
}
