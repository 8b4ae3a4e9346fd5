//! The doors: the same operations behind each, and behind each only what somebody may.

use std::collections::BTreeMap;

use dmgw::model::OperationKind;
use dmgw::model::operation::GatewayKind;
use serde_json::{Value, json};

use super::support::{Gateway, Plant, file, text, told};
use super::{Shown, ensure, orders, row, soon};

/// Twins, one pair for each operation, and mates to be merged with: what is asked of the first by HTTP is asked of the
/// second on the command line. The bare ones can only be read.
fn twins() -> String {
    let count = OperationKind::ALL.len();
    let can: Vec<String> =
        OperationKind::ALL.iter().filter(|kind| !by_points(**kind)).map(|of| format!("{:?}", of.name())).collect();
    let device = |name: &str, operations: &str, access: &str| {
        format!(
            "[device.{name}]\ncount = {count}\naddress = \"{name}-{{n}}\"\nserial = \"{name}:{{n}}\"\noperations = [{operations}]\n\
             point.\"a.x\" = {{ type = \"float\", access = \"{access}\", value = {{ echo = 2.5 }} }}\n"
        )
    };
    let all = ["http", "cli"].map(|side| {
        let mate = device(&format!("mate-{side}"), "", "read");
        device(side, &can.join(", "), "read-write") + &device(&format!("bare-{side}"), "", "read") + &mate
    });
    format!("socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n{}", all.concat())
}

/// What stands before the names of twins: those that can all, and the bare ones.
const PAIRS: [&str; 2] = ["", "bare-"];

/// What a device does not say that it can, for its points say so, or the gateway does it.
fn by_points(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Read | OperationKind::Write) || kind.by_gateway()
}

/// As a program sends it, and as a person types it, each written by hand.
fn spelled(kind: OperationKind, side: &str, n: usize) -> (Value, Vec<String>) {
    use OperationKind::*;
    let serial = |kind: &str| json!({ "kind": "serial", "value": format!("{kind}:{side}:{n}"), "proof": "claimed" });
    let (mate, called) = (format!("urn:dev:dmgw:serial:mate-{side}:{n}"), format!("called-{side}-{n}"));
    let (arguments, words) = match kind {
        Read | ReportPolicyGet => (json!({ "points": ["a.x"] }), "a.x".to_owned()),
        Observe => (json!({ "points": ["a.x"], "on": true }), "a.x".into()),
        Write | Desire => (json!({ "point": "a.x", "value": -1.5 }), "a.x -1.5".into()),
        ReportPolicySet => (json!({ "point": "a.x", "every": 90.0 }), "a.x 90s".into()),
        Restart => (json!({ "part": { "component": "a" } }), "a".into()),
        Activate => (json!({ "part": { "instance": { "name": "a", "instance": 0 } } }), "a.0".into()),
        Deactivate => (json!({}), String::new()),
        PowerMode => (json!({ "mode": "low" }), "low".into()),
        Update => (json!({ "image": "sha256:07" }), "sha256:07".into()),
        FileGet => (json!({ "name": "log/1" }), "log/1".into()),
        FilePut => (json!({ "name": "a", "digest": "sha256:08" }), "a sha256:08".into()),
        ConnectionLog => (json!({ "own": true }), "own".into()),
        ConnectivitySet => (json!({ "settings": { "apn": "x", "mtu": 1400 } }), "apn=x mtu=1400".into()),
        Block | Maintenance => (json!({ "span": 3600.0 }), "1h".into()),
        Replace | Split => (json!({ "identity": serial("other") }), format!("serial:other:{side}:{n}")),
        Merge => (json!({ "with": mate }), mate),
        Rename => (json!({ "name": called }), called),
        Group => (json!({ "add": ["g"], "remove": ["h"] }), "+g without h".into()),
        Describe => (json!({ "about": { "application": "drainage" } }), "application=drainage".into()),
        Profile => (json!({ "name": "acme-meter" }), "acme-meter".into()),
        FactoryReset | Lock | Erase | Diagnose | SelfTest | SoftwareList | FallBack | ConnectivityGet | SetClock
        | TriggerConnect | Unblock | Probe | Locate | Accept | Refuse | Quarantine | Release | Retire => {
            return (json!(kind.name()), vec![kind.name()]);
        }
    };
    let words = std::iter::once(kind.name()).chain(words.split_whitespace().map(str::to_owned));
    (json!({ kind.name(): arguments }), words.collect())
}

fn by_http(gateway: &Gateway, device: &str, operation: &Value) -> Value {
    let ask = |token: &Value| {
        let ask = json!({ "operate": { "device": device, "operation": operation, "token": token } });
        gateway.post("/v1/ask?wait=20", &ask)
    };
    let first = ask(&Value::Null);
    // What cannot be undone takes a second step.
    if first.status == 428 { ask(&first.body["token"]).body } else { first.body }
}

fn by_cli(gateway: &Gateway, device: &str, words: &[String]) -> Value {
    let words = [&["command", "ask", device][..], &words.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let ended = gateway.cli(&[&words[..], &["--yes", "--wait", "20s", "--json"]].concat());
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{words:?}: {ended:?}"))
}

/// How it ended and what it gave, or the kind of the refusal.
fn end(answer: &Value) -> Value {
    let command = if answer["accepted"].is_object() { &answer["accepted"] } else { answer };
    match command["state"].is_string() {
        true => json!({ "state": command["state"], "outcome": command["outcome"] }),
        false => {
            json!({ "refused": answer["type"].as_str().unwrap_or_else(|| panic!("neither an end nor a refusal: {answer}")) })
        }
    }
}

/// What the gateway knows of the device, without times and numbers.
fn known(gateway: &Gateway, device: &str) -> Value {
    let shown = gateway.get(&format!("/v1/devices/{device}")).body;
    let (detail, is) = (&shown["detail"], |key: &str| !shown[key].is_null());
    let desired: Vec<Value> =
        detail["desired"].as_array().into_iter().flatten().map(|of| json!([of["point"], of["desired"]])).collect();
    json!({ "name": shown["name"], "life": shown["life"], "groups": shown["groups"], "inactive": shown["inactive"],
            "blocked": is("blocked"), "maintenance": is("maintenance"), "about": detail["about"], "desired": desired,
            "identities": detail["identities"], "profile": detail["profile"]["name"] })
}

/// The one twin told as if it were the other.
fn as_http(of: &impl ToString) -> String {
    of.to_string().replace("cli", "http")
}

fn serial(pair: &str, side: &str, n: usize) -> String {
    format!("{pair}{side}:{n}")
}

/// Of one kind: the answers, and what the gateway knows afterwards, of both twins.
fn asked(gateway: &Gateway, kind: OperationKind, typed: OperationKind, n: usize) -> Shown {
    for pair in PAIRS {
        let id = |side: &str| format!("urn:dev:dmgw:serial:{}", serial(pair, side, n));
        let sent = end(&by_http(gateway, &id("http"), &spelled(kind, "http", n).0));
        let said = end(&by_cli(gateway, &id("cli"), &spelled(typed, "cli", n).1));
        ensure(as_http(&sent) == as_http(&said), || {
            format!("{pair}{kind}: by HTTP {sent}, by the command line {said}")
        })?;
        // What a device says of itself afterwards comes a moment later.
        let both = || [known(gateway, &id("http")), known(gateway, &id("cli"))];
        let same = soon("the gateway knows the same of both", || {
            let [one, other] = both();
            (as_http(&one) == as_http(&other)).then_some(())
        });
        same.map_err(|why| format!("{pair}{kind}: {why}: {:?}", both()))?;
    }
    Ok(())
}

/// Each twin was told the same, by the plant's whole record; and what no device was told would agree whatever was typed.
/// To look whether somebody is there is no order.
fn told_the_same(plant: &Plant) -> Shown {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in plant.witness() {
        if let Some(device) = line["order"]["device"].as_str() {
            told.entry(device.to_owned()).or_default().push(as_http(&line["order"]["operation"]));
        }
    }
    for (n, kind) in (1..).zip(OperationKind::ALL) {
        let of = |pair: &str, side: &str| told.get(&serial(pair, side, n));
        for pair in PAIRS {
            let (one, other) = (of(pair, "http"), of(pair, "cli"));
            ensure(one == other, || format!("{pair}{kind}: the plant saw {one:?} and {other:?}"))?;
        }
        let silent = kind.by_gateway() || kind.by_link();
        ensure(silent || of("", "http").is_some(), || format!("the plant never saw {kind}"))?;
    }
    Ok(())
}

/// Without the feature: the command line takes one word for another.
fn agree(same: bool) -> Shown {
    let mut plant = Plant::start(&twins());
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "20s", "", KIND));
    gateway.start();
    for (n, _) in (1..).zip(OperationKind::ALL) {
        for side in ["http", "cli", "bare-http", "bare-cli", "mate-http", "mate-cli"] {
            gateway.wait_for_device(&format!("urn:dev:dmgw:serial:{side}:{n}"));
        }
    }
    for (n, kind) in (1..).zip(OperationKind::ALL) {
        let typed = match kind {
            OperationKind::Lock if !same => OperationKind::Erase,
            kind => *kind,
        };
        asked(&gateway, *kind, typed, n)?;
    }
    plant.stop();
    told_the_same(&plant)
}

#[test]
fn y04_sim_the_same_operations_by_http_and_cli() {
    row(agree);
}

const KIND: &str = "[profile.acme-meter]\nmatch = [{ identity = \"serial:none:*\" }]\n";

const HALLS: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.in]
count = 2
serial = "in:{n}"
address = "in-{n}"
point."relay.on" = { type = "bool", access = "read-write", value = { echo = false } }
[device.out]
count = 2
serial = "out:{n}"
address = "out-{n}"
point."relay.on" = { type = "bool", access = "read-write", value = { echo = false } }
"#;

/// An application that may operate one hall, and somebody who may look at all of it; by HTTP and on the command line.
/// Without the feature: their tokens are for everything.
fn only_what_they_may(bounded: bool) -> Shown {
    let plant = Plant::start(HALLS);
    let gateway = Gateway::start_with(&plant, "");
    for device in ["in-1", "in-2", "out-1", "out-2"] {
        gateway.wait_for_device(device);
    }
    let (scope, role) =
        if bounded { (Some("id.startsWith(\"urn:dev:dmgw:serial:in:\")"), "viewer") } else { (None, "operator") };
    let (app, eye) = (gateway.token("app", "operator", scope), gateway.token("eye", role, None));
    let write = |token: &str, device: &str| {
        let ask = json!({ "operate": { "device": format!("urn:dev:dmgw:serial:{device}"),
                                       "operation": { "write": { "point": "relay.on", "value": true } } } });
        gateway.as_token(token, "POST", "/v1/ask?wait=20", &ask).status
    };
    let typed = |token: &str, device: &str| {
        let file = file(&gateway, "token", token);
        told(&gateway, &["write", &format!("urn:dev:dmgw:serial:{device}"), "relay.on", "true", "--token-file", &file])
            .0
    };
    ensure((write(&app, "in:1"), typed(&app, "in:2")) == (200, 0), || {
        "the application may not do its own work".into()
    })?;
    let outside = (write(&app, "out:1"), typed(&app, "out:2"));
    ensure(outside == (404, 1), || format!("outside of its hall: {outside:?}"))?;
    let looking = (write(&eye, "in:1"), typed(&eye, "out:2"));
    ensure(looking == (403, 1), || format!("who only looks: {looking:?}"))?;
    let writes = |device: &str| orders(&plant, device).len();
    let seen = soon("the plant saw the writes that were allowed", || {
        Some(["in:1", "in:2", "out:1", "out:2"].map(writes)).filter(|seen| seen[..2] == [1, 1])
    })?;
    ensure(seen == [1, 1, 0, 0], || format!("the plant saw {seen:?}"))?;
    let shown = gateway.as_token(&app, "GET", "/v1/devices", &Value::Null).body.to_string();
    let listed = gateway.cli(&["device", "list", "--json", "--token-file", &file(&gateway, "token", &app)]);
    for list in [shown, text(&listed.stdout)] {
        ensure(list.contains("in:2") && !list.contains("out:"), || format!("it sees {list}"))?;
    }
    let settings = gateway.as_token(&app, "POST", "/v1/config/reload", &Value::Null).status;
    ensure(settings == 403, || format!("it changes the settings: {settings}"))
}

#[test]
fn y54_sim_applications_and_administrators_manage_only_what_they_may() {
    row(only_what_they_may);
}

/// What an application gets, route by route: what it takes, and what it is told.
fn services(device: &str) -> Vec<(&'static str, String, Value, &'static str)> {
    let get = |route: &'static str, path: String, tells: &'static str| (route, path, Value::Null, tells);
    let write = json!({ "operate": { "id": "app-1", "device": device, "expires": super::support::wall() + 3_600_000,
                                     "operation": { "write": { "point": "relay.on", "value": true } } } });
    vec![
        ("POST /v1/ask", "/v1/ask?wait=20".into(), write, "\"done\""),
        get("GET /v1/commands/{id}", "/v1/commands/app-1".into(), "app-1"),
        get("GET /v1/commands", "/v1/commands".into(), "commands"),
        get("GET /v1/status", "/v1/status".into(), "uptime"),
        get("GET /v1/devices", "/v1/devices".into(), "in:1"),
        get("GET /v1/devices/{id}", format!("/v1/devices/{device}"), "relay.0.on"),
        get("GET /v1/devices/{id}/log", format!("/v1/devices/{device}/log"), "device-up"),
        get("GET /v1/points", "/v1/points?point=relay.*".into(), "\"value\":true"),
        get("GET /v1/groups", "/v1/groups".into(), "hall"),
        get("GET /v1/profiles", "/v1/profiles".into(), "acme-meter"),
        get("GET /v1/links", "/v1/links".into(), "plant"),
        get("GET /v1/links/{name}", "/v1/links/plant".into(), "\"devices\":4"),
        get("GET /v1/openapi.json", "/v1/openapi.json".into(), "\"openapi\":\"3.1"),
        get("GET /v1/journal/{stream}", "/v1/journal/events?fresh=true".into(), "device-up"),
    ]
}

/// Without the feature: whoever asks shows nothing that is known here.
fn serves(known: bool) -> Shown {
    let plant = Plant::start(HALLS);
    let gateway = Gateway::start_with(&plant, &format!("[group.hall]\nfor = {{ link = \"plant\" }}\n{KIND}"));
    let device = gateway.wait_for_device("in-1");
    let token = gateway.token("app", "operator", None);
    let token = if known { token } else { format!("{token}x") };
    let services = services(&device);
    for route in dmgw::api::routes::ROUTES.iter().filter(|route| route.needs == GatewayKind::Look) {
        let asked = format!("{} {}", route.method, route.path);
        // The one is shown below; of the other the settings name the readers.
        let elsewhere = ["GET /v1/stream", "POST /v1/journal/ack"].contains(&asked.as_str());
        ensure(elsewhere || services.iter().any(|of| of.0 == asked), || format!("nobody has shown {asked}"))?;
    }
    for (route, path, body, tells) in services {
        let method = route.split(' ').next().unwrap_or_default();
        let shown = || gateway.as_token(&token, method, &path, &body);
        let answer =
            soon(route, || Some(shown()).filter(|of| of.status >= 400 || of.body.to_string().contains(tells)))?;
        ensure(answer.status < 300, || format!("{route}: {answer:?}"))?;
    }
    let line = format!("authorization: Bearer {token}\r\n");
    let mut listener = super::support::Listener::open_with(&gateway.socket(), "/v1/stream?streams=vital", &line)
        .map_err(|answer| format!("{answer:?}"))?;
    gateway.operate(&device, json!({ "write": { "point": "relay.on", "value": false } })).ok();
    let message = listener.next().ok_or("the stream ended")?;
    ensure(message.data.to_string().contains("in:1"), || format!("the stream tells {}", message.data))?;
    // It writes its record down a moment later.
    soon("the plant saw both writes", || (plant.carried_out("in:1", "write") == 2).then_some(()))
}

#[test]
fn c89_sim_every_service_that_an_application_may_use_is_behind_the_api() {
    row(serves);
}
