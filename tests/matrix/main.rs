//! Who may what: every route and every operation, for every role, in and out of scope. Allowed, refused, or not there.
//!
//! What is expected stands in the tables here, written by hand; what there is comes from the program: the routes from the
//! table that the router is made of, the operations from their enum. One that is missing here fails.

#[path = "../support/mod.rs"]
mod support;

mod entering;
mod operations;

use std::collections::BTreeSet;

use dmgw::api::routes::ROUTES;
use serde_json::{Value, json};
use support::{Gateway, Plant};

/// As whom somebody asks: each role, once for everything and once for the devices `in`.
const ROLES: [&str; 3] = ["viewer", "operator", "administrator"];
const SCOPE: &str = "id.startsWith(\"urn:dev:dmgw:serial:in:\")";

/// The least role to whom it is allowed: of those whose scope is everything, and of the others. Nobody: None.
struct Row {
    route: &'static str,
    /// As it is asked; `{in}` and `{out}` are devices.
    path: &'static str,
    body: fn() -> Value,
    whole: Option<usize>,
    scoped: Option<usize>,
}

const VIEWER: Option<usize> = Some(0);
const OPERATOR: Option<usize> = Some(1);
const ADMINISTRATOR: Option<usize> = Some(2);

fn nothing() -> Value {
    Value::Null
}

fn read() -> Value {
    json!({ "operate": { "device": "urn:dev:dmgw:serial:in:1", "operation": { "read": { "points": ["a.x"] } } } })
}

fn ack() -> Value {
    json!({ "reader": "app", "stream": "events", "seq": 0 })
}

fn table() -> Value {
    json!({ "text": "[group.g]\nfor = { link = \"plant\" }\n", "note": "" })
}

fn level() -> Value {
    json!({ "level": "info", "seconds": 60 })
}

fn by_hand() -> Value {
    json!({ "unit": 1, "pdu": "0300000001" })
}

fn a_while() -> Value {
    json!({ "seconds": 1 })
}

fn token() -> Value {
    json!({ "name": "one-more", "role": "viewer" })
}

const fn row(
    route: &'static str,
    path: &'static str,
    body: fn() -> Value,
    whole: Option<usize>,
    scoped: Option<usize>,
) -> Row {
    Row { route, path, body, whole, scoped }
}

const ROWS: &[Row] = &[
    row("POST /v1/ask", "/v1/ask", read, VIEWER, VIEWER),
    row("GET /v1/commands", "/v1/commands", nothing, VIEWER, VIEWER),
    row("GET /v1/commands/{id}", "/v1/commands/mine", nothing, VIEWER, VIEWER),
    row("GET /v1/status", "/v1/status", nothing, VIEWER, VIEWER),
    row("GET /v1/devices", "/v1/devices", nothing, VIEWER, VIEWER),
    row("GET /v1/devices/{id}", "/v1/devices/{in}", nothing, VIEWER, VIEWER),
    row("GET /v1/devices/{id}", "/v1/devices/{out}", nothing, VIEWER, None),
    row("GET /v1/devices/{id}/log", "/v1/devices/{in}/log", nothing, VIEWER, VIEWER),
    row("GET /v1/devices/{id}/log", "/v1/devices/{out}/log", nothing, VIEWER, None),
    row("GET /v1/points", "/v1/points", nothing, VIEWER, VIEWER),
    row("GET /v1/groups", "/v1/groups", nothing, VIEWER, VIEWER),
    row("GET /v1/profiles", "/v1/profiles", nothing, VIEWER, VIEWER),
    row("GET /v1/links", "/v1/links", nothing, VIEWER, VIEWER),
    // The link is none over Modbus: who may is told so, and who may not that. The scope is for some of its devices.
    row("GET /v1/links/{name}", "/v1/links/plant", nothing, VIEWER, VIEWER),
    row("GET /v1/links/{name}/trace", "/v1/links/plant/trace", nothing, OPERATOR, None),
    row("POST /v1/links/{name}/raw", "/v1/links/plant/raw", by_hand, OPERATOR, None),
    row("POST /v1/links/{name}/release", "/v1/links/plant/release", a_while, OPERATOR, None),
    row("POST /v1/links/{name}/resume", "/v1/links/plant/resume", nothing, OPERATOR, None),
    row("GET /v1/metrics", "/v1/metrics", nothing, VIEWER, None),
    row("GET /v1/attempts", "/v1/attempts", nothing, VIEWER, None),
    row("GET /v1/journal/{stream}", "/v1/journal/events", nothing, VIEWER, VIEWER),
    row("GET /v1/journal/{stream}", "/v1/journal/events?fresh=true", nothing, OPERATOR, OPERATOR),
    // One that begins has no end.
    row("GET /v1/stream", "/v1/stream?from=nowhere", nothing, VIEWER, VIEWER),
    row("POST /v1/journal/ack", "/v1/journal/ack", ack, ADMINISTRATOR, None),
    row("GET /v1/openapi.json", "/v1/openapi.json", nothing, VIEWER, VIEWER),
    row("GET /v1/config", "/v1/config", nothing, OPERATOR, None),
    row("GET /v1/config/diff", "/v1/config/diff", nothing, OPERATOR, None),
    row("GET /v1/config/versions", "/v1/config/versions", nothing, OPERATOR, None),
    row("POST /v1/config/reload", "/v1/config/reload", nothing, ADMINISTRATOR, None),
    row("POST /v1/config/change", "/v1/config/change", table, ADMINISTRATOR, None),
    row("POST /v1/config/confirm/{version}", "/v1/config/confirm/7", nothing, ADMINISTRATOR, None),
    row("POST /v1/config/back/{version}", "/v1/config/back/0", nothing, ADMINISTRATOR, None),
    row("GET /v1/log", "/v1/log", nothing, VIEWER, None),
    row("PUT /v1/log", "/v1/log", level, ADMINISTRATOR, None),
    row("GET /v1/tokens", "/v1/tokens", nothing, ADMINISTRATOR, None),
    row("POST /v1/tokens", "/v1/tokens", token, ADMINISTRATOR, None),
    row("DELETE /v1/tokens/{name}", "/v1/tokens/one-more", nothing, ADMINISTRATOR, None),
];

fn plant() -> Plant {
    let text = "socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n\
        [device.in]\ncount = 300\naddress = \"in-{n}\"\nserial = \"in:{n}\"\n\
        operations = [\"restart\"]\npoint.\"a.x\" = { type = \"float\", value = { constant = 1.0 } }\n\
        [device.out]\naddress = \"out\"\nserial = \"out:1\"\n\
        point.\"a.x\" = { type = \"float\", value = { constant = 2.0 } }\n";
    Plant::start(text)
}

const IN: &str = "urn:dev:dmgw:serial:in:1";
const OUT: &str = "urn:dev:dmgw:serial:out:1";

struct World {
    gateway: Gateway,
    _plant: Plant,
    /// By role; with the scope of everything, and with the one above.
    tokens: [[String; 2]; 3],
}

fn world() -> World {
    let plant = plant();
    let gateway = Gateway::start_with(&plant, "[journal.readers]\napp = [\"events\"]\n[limits]\nrequests = 0\n");
    gateway.wait_for_device("out:1");
    for n in 1..=300 {
        gateway.wait_for_device(&format!("in:{n}"));
    }
    let tokens =
        ROLES.map(|role| [gateway.token(role, role, None), gateway.token(&format!("{role}-in"), role, Some(SCOPE))]);
    World { gateway, _plant: plant, tokens }
}

#[test]
fn every_route_is_for_whom_it_is_and_for_nobody_else() {
    let known: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.route.to_owned()).collect();
    assert_eq!(known, rows, "a route without a row, or a row without a route");

    let world = world();
    // What GET /v1/commands/{id} looks at.
    let asked = json!({ "operate": { "id": "mine", "expires": soon(&world), "device": IN, "operation": "probe" } });
    world.gateway.post("/v1/ask", &asked).ok();
    for row in ROWS {
        for (role, tokens) in world.tokens.iter().enumerate() {
            for (token, least) in tokens.iter().zip([row.whole, row.scoped]) {
                judge(&world, row, role, token, least);
            }
        }
    }
}

/// Within an hour by the gateway's clock.
fn soon(world: &World) -> u64 {
    world.gateway.get("/v1/status").ok()["clock"]["time"].as_u64().unwrap() + 60_000
}

fn judge(world: &World, row: &Row, role: usize, token: &str, least: Option<usize>) {
    let (method, _) = row.route.split_once(' ').unwrap();
    let path = row.path.replace("{in}", IN).replace("{out}", OUT);
    let answer = world.gateway.as_token(token, method, &path, &(row.body)());
    let who = format!("{} {path} as {}: {answer:?}", row.route, ROLES[role]);
    match least {
        Some(least) if role >= least => assert!(![401, 403, 404, 405, 500].contains(&answer.status), "allowed: {who}"),
        // A device that is out of scope is not there.
        None if row.path.contains("{out}") => assert_eq!(answer.status, 404, "not there: {who}"),
        _ => assert_eq!((answer.status, answer.fault().0), (403, "not-allowed"), "refused: {who}"),
    }
}

#[test]
fn lists_hold_what_is_in_scope_and_nothing_else() {
    let world = world();
    for (path, list) in [("/v1/devices?limit=1000", "devices"), ("/v1/points?limit=1000", "points")] {
        let of = |token: &str| {
            let answer = world.gateway.as_token(token, "GET", path, &Value::Null).ok();
            let all = answer[list].as_array().unwrap().len();
            (all, answer.to_string().contains("serial:out:1"))
        };
        let [whole, scoped] = &world.tokens[0];
        assert_eq!((of(whole), of(scoped)), ((301, true), (300, false)), "{path}");
    }
    let scoped = &world.tokens[2][1];
    let status = world.gateway.as_token(scoped, "GET", "/v1/status", &Value::Null).ok();
    assert_eq!((&status["devices"]["all"], &status["journal"]), (&json!(300), &Value::Null), "{status}");
    world.gateway.post("/v1/ask", &json!({ "settle": {} }));
    for token in [scoped, &world.tokens[1][1]] {
        let page = world.gateway.as_token(token, "GET", "/v1/journal/events?fresh=true&limit=1000", &Value::Null).ok();
        let text = page["records"].to_string();
        assert!(text.contains("serial:in:7") && !text.contains("serial:out:1") && !text.contains("link-up"), "{text}");
    }
    // For each of many: what is out of scope is not there.
    let all =
        json!({ "operate": { "for": "id.contains(\"serial\")", "operation": { "read": { "points": ["a.x"] } } } });
    let answer = world.gateway.as_token(&world.tokens[1][1], "POST", "/v1/ask?wait=20", &all).ok();
    assert_eq!(answer["accepted"]["counts"]["all"], 300, "{answer}");
}
