//! The published description against the running daemon: each answer of each route has a status, a form and headers that
//! the description names.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use dmgw::api::routes::ROUTES;
use jsonschema::Validator;
use serde_json::{Value, json};
use support::listen::Listener;
use support::modbus::Server;
use support::{Answer, Gateway, Plant, TWO_DEVICES, eventually};

struct Described {
    document: Value,
    /// What was read once.
    validators: BTreeMap<String, Validator>,
}

impl Described {
    fn of(gateway: &Gateway) -> Described {
        Described { document: gateway.get("/v1/openapi.json").ok(), validators: BTreeMap::new() }
    }

    /// What a reference stands for.
    fn found<'a>(&'a self, value: &'a Value) -> &'a Value {
        let place = value["$ref"].as_str().and_then(|of| of.strip_prefix('#'));
        place.map_or(value, |place| self.document.pointer(place).unwrap_or_else(|| panic!("there is no {place}")))
    }

    fn operation(&self, route: &str) -> &Value {
        let (method, path) = route.split_once(' ').unwrap();
        &self.document["paths"][path][method.to_lowercase()]
    }

    fn fits(&mut self, schema: &Value, value: &Value) -> Result<(), String> {
        if !self.validators.contains_key(&schema.to_string()) {
            let whole = json!({ "components": self.document["components"], "allOf": [schema] });
            let made = jsonschema::draft202012::new(&whole).expect("a schema");
            self.validators.insert(schema.to_string(), made);
        }
        let faults: Vec<String> =
            self.validators[&schema.to_string()].iter_errors(value).map(|fault| fault.to_string()).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }

    fn judge(&mut self, route: &str, answer: &Answer) -> Result<(), String> {
        let described = self.found(&self.operation(route)["responses"][answer.status.to_string()]).clone();
        if described.is_null() {
            return Err(format!("{} is not described", answer.status));
        }
        for (name, _) in described["headers"].as_object().into_iter().flatten() {
            answer.header(&name.to_lowercase()).ok_or_else(|| format!("no {name}"))?;
        }
        let content = described["content"].as_object().and_then(|content| content.iter().next());
        match (content, answer.header("content-type")) {
            (None, None) => Ok(()),
            (Some((media, _)), Some(told)) if media == told && media.starts_with("text/") => Ok(()),
            (Some((media, content)), Some(told)) if media == told => self.fits(&content["schema"], &answer.body),
            (described, told) => Err(format!("described is {described:?}, told {told:?}")),
        }
    }
}

struct Asked {
    route: &'static str,
    path: String,
    body: Value,
    lines: &'static str,
    status: u16,
}

fn ask(status: u16, route: &'static str, path: impl Into<String>, body: Value) -> Asked {
    Asked { route, path: path.into(), body, lines: "", status }
}

fn get(status: u16, route: &'static str, path: &str) -> Asked {
    ask(status, route, path, Value::Null)
}

const RELAY: &str = "urn:dev:dmgw:serial:acme:relay-1";

fn operate(operation: Value) -> Value {
    json!({ "operate": { "device": RELAY, "operation": operation } })
}

/// What works, and much of what does not. In an order: what is asked first is looked up later.
fn asked(on_a_wire: bool) -> Vec<Asked> {
    let write = |value: i32| operate(json!({ "write": { "point": "relay.on", "value": value == 1 } }));
    let registration = json!({ "identities": ["serial:acme:late"], "name": "late", "groups": ["g"],
        "about": { "labels": { "room": "12" }, "location": { "place": "cellar", "position": [47.5, 7.6] } } });
    let desire = json!({ "desire": { "point": "relay.on", "value": true } });
    let group = json!({ "text": "[group.g]\nfor = { link = \"plant\" }\n", "note": "a group", "confirm_within": 600 });
    let mut all = vec![
        ask(200, "POST /v1/ask", "/v1/ask?wait=20", operate(json!({ "read": { "points": ["relay.on"] } }))),
        ask(200, "POST /v1/ask", "/v1/ask?wait=20", write(1)),
        ask(202, "POST /v1/ask", "/v1/ask", write(0)),
        ask(200, "POST /v1/ask", "/v1/ask?wait=20", operate(desire)),
        ask(200, "POST /v1/ask", "/v1/ask", operate(json!({ "maintenance": { "span": 600 } }))),
        ask(
            200,
            "POST /v1/ask",
            "/v1/ask?wait=20",
            json!({ "operate": {
            "for": "link == \"plant\"", "operation": { "group": { "add": ["yard"] } } } }),
        ),
        ask(200, "POST /v1/ask", "/v1/ask", json!({ "register": { "devices": [registration, {}] } })),
        ask(200, "POST /v1/ask", "/v1/ask", json!({ "settle": {} })),
        ask(400, "POST /v1/ask", "/v1/ask", json!({ "operate": { "device": RELAY } })),
        ask(400, "POST /v1/ask", "/v1/ask?wait=-1", json!({ "settle": {} })),
        ask(400, "POST /v1/ask", "/v1/ask", operate(json!({ "read": { "points": [] } }))),
        ask(404, "POST /v1/ask", "/v1/ask", json!({ "discover": { "link": "nowhere" } })),
        ask(404, "POST /v1/ask", "/v1/ask", json!({ "operate": { "device": "urn:x", "operation": "probe" } })),
        ask(413, "POST /v1/ask", "/v1/ask", json!({ "cancel": { "command": "x".repeat(70_000) } })),
        ask(422, "POST /v1/ask", "/v1/ask", operate(json!("diagnose"))),
        ask(428, "POST /v1/ask", "/v1/ask", operate(json!("erase"))),
        get(404, "GET /v1/commands/{id}", "/v1/commands/never"),
        get(404, "GET /v1/devices/{id}", "/v1/devices/nobody"),
        get(404, "GET /v1/devices/{id}/log", "/v1/devices/nobody/log"),
        get(400, "GET /v1/devices", "/v1/devices?life=long"),
        get(404, "GET /v1/journal/{stream}", "/v1/journal/brook"),
        ask(
            400,
            "POST /v1/journal/ack",
            "/v1/journal/ack",
            json!({ "reader": "app", "stream": "vital", "seq": 1u64 << 40 }),
        ),
        ask(404, "POST /v1/journal/ack", "/v1/journal/ack", json!({ "reader": "ape", "stream": "vital", "seq": 0 })),
        ask(202, "POST /v1/journal/ack", "/v1/journal/ack", json!({ "reader": "app", "stream": "vital", "seq": 0 })),
        ask(200, "POST /v1/config/change", "/v1/config/change", group),
        get(200, "GET /v1/config/diff", "/v1/config/diff?from=0&to=1"),
        get(409, "GET /v1/config/diff", "/v1/config/diff?from=70"),
        get(200, "GET /v1/config/versions", "/v1/config/versions"),
        ask(409, "POST /v1/config/change", "/v1/config/change", json!({ "text": "[group.h]\n" })),
        ask(409, "POST /v1/config/confirm/{version}", "/v1/config/confirm/7", Value::Null),
        ask(200, "POST /v1/config/confirm/{version}", "/v1/config/confirm/1", Value::Null),
        ask(409, "POST /v1/config/change", "/v1/config/change", json!({ "text": "[grop.h]\n" })),
        ask(200, "POST /v1/config/back/{version}", "/v1/config/back/0", Value::Null),
        ask(409, "POST /v1/config/back/{version}", "/v1/config/back/70", Value::Null),
        ask(400, "POST /v1/config/back/{version}", "/v1/config/back/x", Value::Null),
        ask(200, "POST /v1/config/reload", "/v1/config/reload", Value::Null),
        Asked { lines: "if-match: \"0\"\r\n", ..ask(412, "POST /v1/config/reload", "/v1/config/reload", Value::Null) },
        ask(201, "POST /v1/tokens", "/v1/tokens", json!({ "name": "ann", "role": "viewer", "for": "true" })),
        ask(400, "POST /v1/tokens", "/v1/tokens", json!({ "name": "ann", "role": "viewer" })),
        get(200, "GET /v1/tokens", "/v1/tokens"),
        get(204, "DELETE /v1/tokens/{name}", "/v1/tokens/ann"),
        get(404, "DELETE /v1/tokens/{name}", "/v1/tokens/ann"),
        ask(200, "PUT /v1/log", "/v1/log", json!({ "level": "debug", "seconds": 60 })),
        ask(400, "PUT /v1/log", "/v1/log", json!({ "level": "debug", "seconds": 1_000_000 })),
        get(400, "GET /v1/stream", "/v1/stream?streams=brook"),
        get(404, "GET /v1/stream", "/v1/stream?device=nobody"),
        get(200, "GET /v1/commands/{id}", "/v1/commands/c-1"),
        get(200, "GET /v1/devices/{id}", "/v1/devices/relay-1"),
        get(200, "GET /v1/devices/{id}", "/v1/devices/late"),
        get(200, "GET /v1/devices/{id}/log", "/v1/devices/relay-1/log"),
        get(200, "GET /v1/attempts", "/v1/attempts"),
        get(200, "GET /v1/journal/{stream}", "/v1/journal/vital?fresh=true"),
        get(200, "GET /v1/journal/{stream}", "/v1/journal/events?limit=1000"),
        get(200, "GET /v1/journal/{stream}", "/v1/journal/telemetry"),
        Asked { lines: "if-none-match: *\r\n", ..get(304, "GET /v1/status", "/v1/status") },
        Asked { lines: "authorization: Bearer dmgw_x\r\n", ..get(401, "GET /v1/status", "/v1/status") },
    ];
    if on_a_wire {
        let by_hand = |pdu: &str| json!({ "unit": 1, "pdu": pdu });
        let (raw, release) = ("POST /v1/links/{name}/raw", "POST /v1/links/{name}/release");
        all.extend([
            ask(200, raw, "/v1/links/bus/raw", by_hand("03 00 0a 00 02")),
            ask(200, raw, "/v1/links/bus/raw", by_hand("0100000003")),
            ask(200, raw, "/v1/links/bus/raw", by_hand("03 ff 00 00 01")),
            ask(400, raw, "/v1/links/bus/raw", by_hand("0")),
            ask(200, release, "/v1/links/bus/release", json!({ "seconds": 600 })),
            ask(503, raw, "/v1/links/bus/raw", by_hand("03 00 0a 00 02")),
            get(200, "GET /v1/links/{name}", "/v1/links/bus"),
            ask(200, "POST /v1/links/{name}/resume", "/v1/links/bus/resume", Value::Null),
            ask(409, "POST /v1/links/{name}/resume", "/v1/links/bus/resume", Value::Null),
        ]);
    }
    all.extend([
        get(200, "GET /v1/links/{name}", "/v1/links/plant"),
        get(404, "GET /v1/links/{name}", "/v1/links/plnt"),
        get(422, "GET /v1/links/{name}/trace", "/v1/links/plant/trace"),
        ask(422, "POST /v1/links/{name}/release", "/v1/links/plant/release", json!({ "seconds": 600 })),
    ]);
    // Without a word in its path a route is asked as it stands; but one has no end.
    let plain = ROUTES.iter().filter(|route| route.method == "GET" && !route.path.contains('{'));
    let plain = plain.filter(|route| route.path != "/v1/stream");
    all.extend(plain.map(|route| get(200, leaked(route.method, route.path), route.path)));
    all
}

/// What is asked of a link over Modbus.
const ON_A_WIRE: [&str; 4] = [
    "GET /v1/links/{name}/trace",
    "POST /v1/links/{name}/raw",
    "POST /v1/links/{name}/release",
    "POST /v1/links/{name}/resume",
];

fn leaked(method: &str, path: &str) -> &'static str {
    format!("{method} {path}").leak()
}

#[test]
fn each_answer_of_each_route_is_as_described() {
    let plant = Plant::start(&TWO_DEVICES.replace("\"restart\"", "\"restart\", \"erase\""));
    let bus = Server::tcp("each_answer_of_each_route_is_as_described", "1");
    let link = bus.as_ref().map(|bus| format!("[link.bus]\nmodbus-tcp = {{ at = \"127.0.0.1:{}\" }}\n", bus.port()));
    let more = format!("[journal.readers]\napp = [\"vital\"]\n{}", link.clone().unwrap_or_default());
    let gateway = Gateway::start_with(&plant, &more);
    gateway.wait_for_device("relay-1");
    gateway.wait_for_device("meter-1");
    if link.is_some() {
        eventually("the bus is up", || (gateway.get("/v1/links/bus").ok()["state"] == "up").then_some(()));
    }
    let mut described = Described::of(&gateway);
    let (mut answered, mut wrong) = (BTreeSet::new(), Vec::new());
    // It is told at once, of the kind that is described.
    Listener::open(&gateway.socket(), "/v1/stream", None).unwrap();
    assert!(described.operation("GET /v1/stream")["responses"]["200"]["content"]["text/event-stream"].is_object());
    answered.insert("GET /v1/stream".to_owned());
    if link.is_some() {
        Listener::begin(&gateway.socket(), "/v1/links/bus/trace", "").unwrap();
    }
    // Where there is no such server nobody can be asked by hand.
    answered
        .extend(ON_A_WIRE.iter().filter(|route| link.is_none() || route.ends_with("trace")).map(|of| of.to_string()));
    for Asked { route, path, body, lines, status } in asked(link.is_some()) {
        let method = route.split(' ').next().unwrap();
        let answer = gateway.ask_with(method, &path, &body, lines);
        if answer.status != status {
            wrong.push(format!("{method} {path}: {status} was expected: {answer:?}"));
        }
        if let Err(fault) = described.judge(route, &answer) {
            wrong.push(format!("{method} {path}: {fault}: {answer:?}"));
        }
        if status < 300 {
            answered.insert(route.to_owned());
        }
    }
    let known: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(answered, known, "each route is answered as somebody hopes");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_answer_of_another_form_is_noticed() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let mut described = Described::of(&gateway);
    let status = || gateway.get("/v1/status");
    described.judge("GET /v1/status", &status()).unwrap();
    let mut less = status();
    less.body.as_object_mut().unwrap().remove("uptime");
    assert!(described.judge("GET /v1/status", &less).unwrap_err().contains("uptime"));
    let mut other = status();
    other.body["clock"]["quality"] = json!("fine");
    assert!(described.judge("GET /v1/status", &other).is_err());
    let headless = Answer { head: status().head.replace("etag", "tag"), ..status() };
    assert_eq!(described.judge("GET /v1/status", &headless), Err("no ETag".into()));
    assert!(described.judge("GET /v1/status", &Answer { status: 418, ..status() }).is_err());
}

#[test]
fn the_examples_are_as_described() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let mut described = Described::of(&gateway);
    let mut examples = Vec::new();
    for route in ROUTES {
        let of = described.operation(&format!("{} {}", route.method, route.path));
        let answers = of["responses"].as_object().unwrap().values();
        let contents = answers.chain([&of["requestBody"]]).flat_map(|one| one["content"].as_object()).flatten();
        examples.extend(contents.map(|(_, content)| content.clone()).filter(|content| !content["example"].is_null()));
    }
    assert!(examples.len() >= 5, "{}", examples.len());
    for content in examples {
        described.fits(&content["schema"], &content["example"]).unwrap();
    }
}
