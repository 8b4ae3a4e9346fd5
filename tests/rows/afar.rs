//! From afar, over TLS, with a token of its own: who may what, and all that an application needs.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::support::tls::{Pair, connect, listens, request};
use super::support::{Answer, Gateway, Plant, eventually};
use super::{Shown, ensure, orders, row, soon};

/// Two relays, of two halls.
const HALLS: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[device.north]
serial = "acme:north"
point."relay.on" = { type = "bool", access = "read-write", value = { echo = false } }
point."power.active" = { type = "float", unit = "W", value = { counter = {} } }
[device.south]
serial = "acme:south"
point."relay.on" = { type = "bool", access = "read-write", value = { echo = false } }
"#;

const NORTH: &str = "urn:dev:dmgw:serial:acme:north";
const SOUTH: &str = "urn:dev:dmgw:serial:acme:south";

struct Site {
    plant: Plant,
    gateway: Gateway,
    pair: Pair,
    at: SocketAddr,
}

fn site() -> Site {
    let (plant, pair) = (Plant::start(HALLS), Pair::new("gateway.test"));
    let socket = plant.socket();
    let mut gateway = Gateway::new(&format!(
        "[link.plant]\nevery = \"200ms\"\nsim = {{ socket = {socket:?} }}\n\
         [api]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{{dir}}/gateway.pem\"\nkey = {{ file = \"{{dir}}/gateway.key\" }}\n\
         [journal.readers]\nmeter-app = [\"vital\", \"events\", \"telemetry\"]\n"
    ));
    pair.write(gateway.folder.path(), "gateway");
    gateway.start();
    let at = eventually("it listens", || listens(&gateway.get("/v1/status").body));
    gateway.wait_for_device("north");
    gateway.wait_for_device("south");
    Site { plant, gateway, pair, at }
}

impl Site {
    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let mut stream = connect(self.at, &self.pair, None).expect("a connection");
        request(&mut stream, method, path, Some(token), body).expect("an answer")
    }

    fn write(&self, token: &str, device: &str) -> u16 {
        let operation = json!({ "write": { "point": "relay.0.on", "value": true } });
        let ask = json!({ "operate": { "device": device, "operation": operation } });
        self.ask(token, "POST", "/v1/ask?wait=20", &ask).status
    }
}

fn written(plant: &Plant, serial: &str) -> usize {
    orders(plant, serial).iter().filter(|order| !order["operation"]["write"].is_null()).count()
}

/// Without the feature: a token without a scope.
fn only_what_they_may(scoped: bool) -> Shown {
    let site = site();
    let scope = scoped.then_some("id.endsWith(\"north\")");
    let (operator, viewer) =
        (site.gateway.token("caretaker", "operator", scope), site.gateway.token("eye", "viewer", scope));
    let wrote = site.write(&operator, NORTH);
    ensure(wrote == 200, || format!("in its scope: {wrote}"))?;
    // Higher roles and other devices: nothing reaches a device.
    let refused = [site.write(&viewer, NORTH), site.write(&operator, SOUTH)];
    ensure(refused[0] == 403, || format!("a viewer wrote: {refused:?}"))?;
    // What was written later is recorded: so would be what came before.
    let wrote = site.write(&operator, NORTH);
    soon("both are recorded", || (wrote == 200 && written(&site.plant, "acme:north") >= 2).then_some(()))?;
    let reached = ["acme:north", "acme:south"].map(|serial| written(&site.plant, serial));
    ensure(reached == [2, 0] && refused[1] == 404, || format!("{refused:?}, and {reached:?} reached the devices"))?;
    let reload = site.ask(&operator, "POST", "/v1/config/reload", &Value::Null).status;
    ensure(reload == 403, || format!("an operator changes settings: {reload}"))?;
    let seen = site.ask(&viewer, "GET", "/v1/devices", &Value::Null).ok().to_string();
    ensure(seen.contains(NORTH) && !seen.contains(SOUTH), || format!("beyond its scope it sees {seen}"))?;
    // The same by the other door, where a token makes nobody more than it says.
    let local = site.gateway.as_token(&operator, "GET", &format!("/v1/devices/{SOUTH}"), &Value::Null).status;
    ensure(local == 404, || format!("at the socket: {local}"))
}

#[test]
fn y54_sim_from_afar_each_principal_manages_only_what_it_may() {
    row(only_what_they_may);
}

/// All that an application needs, with one token, from afar. Without the feature: a token that looks and does no more.
fn every_service(may: bool) -> Shown {
    let site = site();
    let role = if may { "administrator" } else { "viewer" };
    let token = site.gateway.token("meter-app", role, None);
    let ask = |method: &str, path: &str, body: Value| site.ask(&token, method, path, &body);
    let get = |path: &str| {
        let answer = ask("GET", path, Value::Null);
        if answer.status == 200 { Ok(answer.body) } else { Err(format!("{path}: {answer:?}")) }
    };
    // What there is, and how it is.
    ensure(get("/v1/status")?["devices"]["all"] == 2, || "the count of devices".into())?;
    let device = get(&format!("/v1/devices/{NORTH}"))?;
    ensure(device["detail"]["points"][0]["point"].is_string(), || format!("no points: {device}"))?;
    let points = get("/v1/points?for=id.endsWith(%22north%22)&point=power.*")?;
    ensure(points["points"][0]["unit"] == "W", || format!("points: {points}"))?;
    for (path, list) in [("/v1/links", "links"), ("/v1/groups", "groups"), ("/v1/profiles", "profiles")] {
        ensure(get(path)?[list].is_array(), || format!("{path} is no list"))?;
    }
    // Data, in order and acknowledged by the application itself.
    let page = soon("readings are on disk", || {
        let page = get("/v1/journal/telemetry?fresh=true").or_else(|_| get("/v1/journal/telemetry")).ok()?;
        page["records"].as_array().filter(|records| !records.is_empty()).cloned().map(|records| (page, records))
    });
    if let Ok((page, _)) = page {
        let seq = page["next"].as_u64().unwrap_or(1) - 1;
        let passed =
            ask("POST", "/v1/journal/ack", json!({ "reader": "meter-app", "stream": "telemetry", "seq": seq }));
        ensure(passed.status == 202, || format!("its own acknowledgement: {passed:?}"))?;
    }
    // Commands: asked, followed, and what came of them.
    let operation = json!({ "write": { "point": "relay.0.on", "value": true } });
    let asked = ask("POST", "/v1/ask", json!({ "operate": { "device": NORTH, "operation": operation } }));
    ensure(asked.status < 300, || format!("a command: {asked:?}"))?;
    let id = asked.body["accepted"]["id"].as_str().unwrap_or_default().to_owned();
    let end = get(&format!("/v1/commands/{id}?wait=20"))?;
    ensure(end["state"] == "done", || format!("its end: {end}"))?;
    soon("the device did it", || (written(&site.plant, "acme:north") == 1).then_some(()))?;
    // A device made known, described, and its log.
    let register =
        json!({ "register": { "devices": [{ "identities": [{ "kind": "serial", "value": "acme:new" }] }] } });
    let registered = ask("POST", "/v1/ask", register);
    ensure(registered.status == 200, || format!("registered: {registered:?}"))?;
    get(&format!("/v1/devices/{NORTH}/log")).map(|_| ())
}

#[test]
fn c89_sim_an_application_uses_every_service_from_afar() {
    row(every_service);
}
