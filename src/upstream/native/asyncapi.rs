//! Makes `asyncapi.json`: topics, messages and types as AsyncAPI 3, with the [examples](super::examples).
//! `REWRITE=1 cargo test --locked --lib upstream::native` writes it anew.

use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::envelope::Envelope;
use super::form::{Form, Readings};
use super::registry::Piece;
use super::request::{Ack, Text};
use super::response::Response;
use super::state::State;
use super::topics::ROOT;
use super::{examples, records};

const SAYS: &str = "What a gateway and its manager say to each other over MQTT 5, or 3.1.1. docs/dmgw-1.md tells what no schema can: \
    signatures, numbers, columns byte by byte.";
const IN_THE_DOCUMENT: &str = "/components/schemas";

/// A topic with its message.
struct Channel {
    name: &'static str,
    /// Below the gateway's own.
    address: &'static str,
    is_up: bool,
    says: &'static str,
    media: String,
    payload: Value,
    examples: Vec<Value>,
}

struct Schemas {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

impl Schemas {
    fn new() -> Schemas {
        let settings = || SchemaSettings::draft07().with(|of| of.definitions_path = IN_THE_DOCUMENT.into());
        Schemas {
            written: settings().for_serialize().into_generator(),
            read: settings().for_deserialize().into_generator(),
        }
    }

    fn written<T: JsonSchema>(&mut self) -> Value {
        self.written.subschema_for::<T>().to_value()
    }

    fn read<T: JsonSchema>(&mut self) -> Value {
        self.read.subschema_for::<T>().to_value()
    }

    fn end(mut self) -> Map<String, Value> {
        let (mut all, read) = (self.written.take_definitions(true), self.read.take_definitions(true));
        for (name, schema) in read {
            let before = all.insert(name.clone(), schema.clone());
            assert!(before.is_none_or(|before| before == schema), "{name} is read otherwise than it is written");
        }
        all.insert("Senml".into(), senml());
        all
    }
}

fn channels(schemas: &mut Schemas) -> Vec<Channel> {
    let trees = |messages: Vec<Vec<u8>>| messages.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
    let up = |name, address, says, media: &str, payload, examples| Channel {
        name,
        address,
        is_up: true,
        says,
        media: media.to_owned(),
        payload,
        examples,
    };
    let packs: Vec<Value> = trees(examples::packs(Form::Json));
    let envelope = schemas.written::<Envelope>();
    schemas.written::<records::Pack>();
    schemas.written::<Response>();
    let base64 =
        |bytes: &Vec<u8>| Value::from(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes));
    let columns = examples::readings(Readings::Columns).iter().map(base64).collect();
    let (json, form) = ("application/json", Form::Json.media());
    let down = |name, address, says, payload, examples| Channel {
        is_up: false,
        ..up(name, address, says, json, payload, examples)
    };
    vec![
        up(
            "state",
            "state",
            "Whether the gateway is there, and what a manager compares with what it has; retained, and the will",
            json,
            schemas.written::<State>(),
            vec![json!(examples::state())],
        ),
        up(
            "vital",
            "vital/{form}",
            "Records that must not be lost: an envelope whose `says` is a Pack",
            form,
            envelope.clone(),
            vec![packs[1].clone()],
        ),
        up(
            "events",
            "events/{form}",
            "Records of what happened",
            form,
            schemas.written::<records::Pack>(),
            vec![packs[0].clone(), packs[2].clone()],
        ),
        up(
            "telemetry",
            "telemetry/{readings}",
            "Readings as a SenML pack (RFC 8428)",
            Readings::SenmlJson.media(),
            json!({ "type": "array", "items": { "$ref": "#/components/schemas/Senml" } }),
            trees(examples::readings(Readings::SenmlJson)),
        ),
        up(
            "columns",
            "telemetry/columns",
            "Readings as the journal's own columns",
            Readings::Columns.media(),
            json!({ "type": "string", "contentEncoding": "base64", "description": "Bytes; here in base64" }),
            columns,
        ),
        up(
            "registry",
            "registry/{form}",
            "Devices, and what they are made of",
            form,
            schemas.written::<Piece>(),
            trees(examples::pieces(Form::Json)),
        ),
        up(
            "response",
            "response/{who}",
            "An answer: an envelope whose `says` is a Response",
            json,
            envelope,
            trees(examples::responses()[..3].to_vec()),
        ),
        down(
            "request",
            "request",
            "A request to the gateway's HTTP interface; or an envelope whose `says` is one",
            json!({ "anyOf": [schemas.read::<Text>(), schemas.read::<Envelope>()] }),
            trees(examples::requests()),
        ),
        down(
            "ack",
            "ack",
            "The manager has everything up to a number",
            schemas.read::<Ack>(),
            examples::acks().iter().map(|ack| json!(ack)).collect(),
        ),
    ]
}

/// What one record may hold.
fn senml() -> Value {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    json!({
        "type": "object", "required": ["n"], "description": "One reading; the first record has all of dmgw-journal to dmgw-clock",
        "properties": {
            "bn": text(), "bt": { "type": "number" }, "n": text(), "u": text(), "v": { "type": "number" }, "vs": text(),
            "vb": { "type": "boolean" }, "vd": text(), "dmgw-journal": text(), "dmgw-first": number(), "dmgw-boot": number(),
            "dmgw-mono": number(), "dmgw-clock": { "enum": ["unset", "held", "set"] },
            "dmgw-damaged": { "type": "array", "items": { "type": "array", "items": number(), "minItems": 2, "maxItems": 2 } },
            "dmgw-source": number(), "dmgw-kind": { "enum": ["time", "object", "list", "float"] }
        }
    })
}

fn parameters(address: &str) -> Value {
    let mut all =
        json!({ "gateway": { "description": "The gateway's name; what MQTT forbids there as % and two hex digits" } });
    for (word, says, names) in [
        ("form", "JSON, CBOR, and each under zstd", Form::ALL.map(Form::name).to_vec()),
        (
            "readings",
            "SenML in JSON or CBOR, and each under zstd",
            Readings::ALL[..4].iter().map(|form| form.name()).collect(),
        ),
        ("who", "As the request said", Vec::new()),
    ] {
        if address.contains(&format!("{{{word}}}")) {
            all[word] = json!({ "description": says });
            if !names.is_empty() {
                all[word]["enum"] = json!(names);
            }
        }
    }
    all
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let (mut channels_made, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for Channel { name, address, is_up, says, media, payload, examples } in channels(&mut schemas) {
        let of_message = json!({ "$ref": format!("#/components/messages/{name}") });
        let parameters = parameters(address);
        let address = format!("{ROOT}/{{gateway}}/{address}");
        channels_made.insert(
            name.into(),
            json!({ "address": address, "messages": { name: of_message }, "parameters": parameters }),
        );
        let examples: Vec<Value> = examples.into_iter().map(|payload| json!({ "payload": payload })).collect();
        let message =
            json!({ "name": name, "summary": says, "contentType": media, "payload": payload, "examples": examples });
        messages.insert(name.into(), message);
        let channel = json!({ "$ref": format!("#/channels/{name}") });
        let of_channel = json!({ "$ref": format!("#/channels/{name}/messages/{name}") });
        let mut operation = json!({
            "action": if is_up { "send" } else { "receive" }, "summary": says, "channel": channel, "messages": [of_channel],
            "bindings": { "mqtt": { "qos": 1, "retain": name == "state", "bindingVersion": "0.2.0" } }
        });
        if name == "request" {
            operation["reply"] = json!({ "channel": { "$ref": "#/channels/response" } });
        }
        operations.insert(name.into(), operation);
    }
    let schemas = schemas.end();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "dmgw/1", "version": env!("CARGO_PKG_VERSION"), "description": SAYS, "license": { "name": "Apache-2.0" }
        },
        "defaultContentType": "application/json",
        "channels": channels_made,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas }
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
fn the_document_is_made_from_topics_types_and_examples() {
    // Links of the source say nothing here.
    let made = lines(&document(), 3).replace("[`", "`").replace("`]", "`") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/upstream/native/asyncapi.json");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "asyncapi.json is not as the code is; REWRITE=1 cargo test writes it anew");
}

#[test]
fn every_example_keeps_to_the_schema_of_its_message_and_every_reference_leads_somewhere() {
    let document = document();
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        let mut schema = message["payload"].clone();
        schema["components"] = json!({ "schemas": document["components"]["schemas"] });
        let validator = jsonschema::draft7::new(&schema).unwrap();
        for example in message["examples"].as_array().unwrap() {
            let faults: Vec<String> =
                validator.iter_errors(&example["payload"]).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
        assert!(!message["examples"].as_array().unwrap().is_empty() && !validator.is_valid(&json!(17)), "{name}");
    }
    let text = document.to_string();
    let references = text.split("{\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
        count += 1;
    }
    assert!(count > 40, "{count}");
}
