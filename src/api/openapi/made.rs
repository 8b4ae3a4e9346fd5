//! Makes the document: from the table of routes, the rows beside it and the types.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::rows::{ROWS, Row, STREAM};
use super::schemas::Schemas;
use super::{LARGEST, unpacked};
use crate::access::gateway_needs;
use crate::api::fault::{PROBLEM_JSON, Problem};
use crate::api::routes::{ROUTES, Route, is_stream};
use crate::model::Role;

const SAYS: &str = "A gateway that manages local devices: it finds them, reads them, carries commands out, keeps what it is \
    told, and goes on alone when nobody is there. Times are milliseconds since 1970 by the gateway's clock, spans are \
    seconds. Whatever goes wrong is told as a problem document with a remedy; a request that is no HTTP, or has a head of \
    more than 16 KiB, gets a bare 400 or 431. Lists come a page at a time: ask with `after` what the last page said.";
const HERE: &str = "On the gateway itself over its Unix socket (socket.path in the settings, /run/dmgw/dmgw.sock if they \
    say nothing), where the kernel says who asks; from afar over TLS where api.listen says.";

/// Each with what it means anywhere.
const PROBLEMS: &[(u16, &str)] = &[
    (400, "What is asked makes no sense: what and where is said"),
    (401, "It is not known who asks"),
    (403, "Whoever asks may not do this"),
    (404, "There is no such thing, or not for whoever asks"),
    (408, "The request did not come to its end in time"),
    (409, "It does not fit what is there, or comes too late"),
    (410, "Its time is over: nothing was done"),
    (412, "The settings are others than those of the tag (If-Match): nothing is changed"),
    (413, "The request is too large (limits.body)"),
    (422, "The device cannot do this"),
    (428, "It cannot be undone: ask the very same again with the token of this answer"),
    (429, "Asked too often (limits.requests)"),
    (503, "Not now: come back later"),
    (504, "It is not known whether it was done: ask again with the same id, or look"),
];
/// Of every route, and of one with a body.
const ALWAYS: [u16; 4] = [400, 401, 429, 503];
const WITH_A_BODY: [u16; 2] = [408, 413];

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let asked = format!("{} {}", route.method, route.path);
        let row = ROWS.iter().find(|row| row.route == asked);
        let row = row.unwrap_or_else(|| panic!("{asked} has no row in src/api/openapi/rows.rs"));
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route, row, &mut schemas);
    }
    let problem = schemas.written(|all| all.subschema_for::<Problem>());
    let paths = Value::Object(paths);
    let (schemas, whole) = schemas.end(json!({ "paths": paths, "responses": problems(&problem) }));
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "dmgw", "version": env!("CARGO_PKG_VERSION"), "description": SAYS,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": "/", "description": HERE }],
        "security": [{ "token": [] }, { "certificate": [] }, {}],
        "paths": whole["paths"],
        "components": {
            "schemas": schemas,
            "responses": whole["responses"],
            "headers": headers(),
            "parameters": parameters(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "As dmgw token create tells it, once" },
                "certificate": { "type": "mutualTLS", "description": "One whose SHA-256 a token names" }
            }
        }
    })
}

fn operation(route: &Route, row: &Row, schemas: &mut Schemas) -> Value {
    let mut parameters = Vec::new();
    let word = route.path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(word, _)| word);
    assert_eq!(word.is_some(), row.word.is_some(), "the word in the path of {}", row.route);
    if let (Some(name), Some((of, says))) = (word, row.word) {
        let schema = schemas.read(of);
        parameters.push(json!({ "name": name, "in": "path", "required": true, "description": says, "schema": schema }));
    }
    if let Some(of) = row.query {
        parameters.extend(query(&schemas.read(of)));
    }
    let has_tag = route.method == "GET" && !row.answers.iter().any(|(_, of, _)| of.is_some_and(|of| of.0 == STREAM));
    parameters.extend(has_tag.then(|| json!({ "$ref": "#/components/parameters/IfNoneMatch" })));
    parameters.extend(row.guarded.then(|| json!({ "$ref": "#/components/parameters/IfMatch" })));
    let mut made = json!({
        "operationId": name(route), "summary": route.says, "description": needs(route),
        "tags": [route.path.split('/').nth(2)], "parameters": parameters, "responses": answers(row, has_tag, schemas)
    });
    if let Some((of, example)) = row.body {
        let content = json!({ "schema": schemas.read(of), "example": example() });
        made["requestBody"] = json!({ "required": true, "content": { "application/json": content } });
    }
    made
}

/// `get-devices-id-log`
fn name(route: &Route) -> String {
    let words = route.path.trim_start_matches("/v1/").replace(['{', '}'], "").replace(['/', '.'], "-");
    format!("{}-{words}", route.method.to_lowercase())
}

fn needs(route: &Route) -> String {
    match gateway_needs(route.needs) {
        (Role::Viewer, false) => "For whoever is let in; of devices those in scope are there.".into(),
        (role, false) => format!("Takes the role {}.", role.name()),
        (role, true) => format!("Takes the role {}, with everything in scope.", role.name()),
    }
}

/// Each field of what stands after the `?`.
fn query(of: &Value) -> Vec<Value> {
    let needed = |name: &str| of["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let fields = of["properties"].as_object().expect("a query has fields");
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let says = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let schema = without_null(schema);
        let mut made = json!({ "name": name, "in": "query", "required": needed(name), "schema": schema });
        made["description"] = says.unwrap_or_else(|| meant(name).into());
        made
    };
    fields.iter().map(parameter).collect()
}

/// What is not there is left out: there is no null after a `?`.
fn without_null(mut schema: Value) -> Value {
    if let Some(kinds) = schema["type"].as_array_mut() {
        kinds.retain(|kind| kind != "null");
        schema["type"] = kinds[0].clone();
    }
    if let Some(kinds) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        kinds.retain(|kind| kind["type"] != "null");
        return kinds.remove(0);
    }
    schema
}

/// What is the same for many lists.
fn meant(name: &str) -> &'static str {
    match name {
        "after" => "What the page before said, to go on from there",
        "limit" => "Entries on the page; at most limits.page",
        "link" => "Only what hangs on this link",
        "life" => "Only devices in this state of their life",
        "connectivity" => "Only devices that are reached so",
        "group" => "Only devices of this group",
        "for" => "Only devices for which this holds",
        "from" => "From this number on; of versions: against which one",
        "to" => "Which version; without it the one after `from`",
        _ => panic!("say what {name} means: with /// where it is written, or here"),
    }
}

fn answers(row: &Row, has_tag: bool, schemas: &mut Schemas) -> Value {
    let mut made = Map::new();
    for (place, (status, of, says)) in row.answers.iter().enumerate() {
        let mut answer = json!({ "description": says });
        if let Some((media, of)) = of {
            let mut content = json!({ "schema": schemas.written(*of) });
            if let Some(example) = row.example.filter(|_| place == 0) {
                content["example"] = example();
            }
            answer["content"] = json!({ *media: content });
        }
        if has_tag {
            answer["headers"] = json!({ "ETag": { "$ref": "#/components/headers/ETag" } });
        }
        made.insert(status.to_string(), answer);
    }
    if has_tag {
        made.insert("304".into(), json!({ "$ref": "#/components/responses/304" }));
    }
    let bodies = row.body.iter().flat_map(|_| WITH_A_BODY);
    for status in ALWAYS.into_iter().chain(bodies).chain(row.refuses.iter().copied()) {
        assert!(PROBLEMS.iter().any(|(known, _)| *known == status), "say what {status} means");
        made.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    }
    Value::Object(made)
}

fn problems(problem: &Value) -> Value {
    let mut made = Map::new();
    let tag = json!({ "ETag": { "$ref": "#/components/headers/ETag" } });
    made.insert("304".into(), json!({ "description": "It is as the tag says (If-None-Match)", "headers": tag }));
    for (status, says) in PROBLEMS {
        let mut answer = json!({ "description": says, "content": { PROBLEM_JSON: { "schema": problem } } });
        let header = match status {
            401 => Some("WWW-Authenticate"),
            429 | 503 => Some("Retry-After"),
            _ => None,
        };
        if let Some(header) = header {
            answer["headers"] = json!({ header: { "$ref": format!("#/components/headers/{header}") } });
        }
        made.insert(status.to_string(), answer);
    }
    Value::Object(made)
}

fn headers() -> Value {
    let text = |says: &str| json!({ "description": says, "required": true, "schema": { "type": "string" } });
    let mut tag = text("Another one when the answer is another. One that begins with W/ leaves ages aside");
    tag["schema"]["pattern"] = "^(W/)?\"[0-9a-f]{32}\"$".into();
    let seconds = json!({ "type": "string", "pattern": "^[0-9]+$" });
    json!({
        "ETag": tag,
        "Retry-After": { "description": "Seconds", "required": true, "schema": seconds },
        "WWW-Authenticate": text("How to show who one is")
    })
}

fn parameters() -> Value {
    let header = |name: &str, says: &str| json!({ "name": name, "in": "header", "required": false, "description": says, "schema": { "type": "string" } });
    json!({
        "IfNoneMatch": header("If-None-Match", "Answer only if it is another one than with this ETag"),
        "IfMatch": header("If-Match", "Do it only if GET /v1/config or /v1/config/versions still has this ETag")
    })
}

/// A line for each thing that is described, so that a review sees which is another.
fn lines(value: &Value, depth: usize) -> String {
    match value.as_object().filter(|_| depth > 0) {
        None => value.to_string(),
        Some(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), lines(value, depth - 1));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{\n{}\n}}", fields.join(",\n"))
        }
    }
}

#[test]
fn the_document_is_made_from_the_routes_and_their_types() {
    // Links of the source say nothing here.
    let made = lines(&document(), 3).replace("[`", "`").replace("`]", "`") + "\n";
    if std::env::var_os("REWRITE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/openapi.json");
        std::fs::write(path.with_extension("json.zst"), zstd::bulk::compress(made.as_bytes(), 3).unwrap()).unwrap();
        std::fs::write(path, &made).unwrap();
    }
    assert!(made.len() < LARGEST, "{} bytes", made.len());
    assert!(
        include_str!("../openapi.json") == made && unpacked().unwrap() == made.as_bytes(),
        "src/api/openapi.json is not as the routes and types are; REWRITE=1 cargo test writes it anew"
    );
}

#[test]
fn a_row_has_a_route() {
    for Row { route, .. } in ROWS {
        let known = ROUTES.iter().any(|known| format!("{} {}", known.method, known.path) == *route);
        assert!(known, "there is no {route}");
    }
}

#[test]
fn what_has_no_end_is_known_by_its_path() {
    for Row { route, answers, .. } in ROWS {
        let streams = answers.iter().any(|(_, with, _)| with.is_some_and(|(media, _)| media == STREAM));
        let (method, path) = route.split_once(' ').unwrap();
        assert_eq!(is_stream(path), streams, "{method} {path}");
    }
}
