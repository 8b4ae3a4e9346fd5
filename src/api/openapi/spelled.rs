//! The shapes of what spells itself: types whose JSON is written and read by code of their own. A pattern may let through
//! more than the type does, never less.

use std::borrow::Cow;

use schemars::generate::Contract;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::model::about::LONGEST_TEXT;
use crate::model::id::{LONGEST_ADDRESS, LONGEST_ID};
use crate::model::name::LONGEST_NAME;
use crate::model::token::Mark;
use crate::model::{
    Address, CommandId, DeviceId, Identity, IdentityKind, Name, OperationKind, OperationSet, PointPath, Proof,
    TextPattern, Value, Wall, value,
};
use crate::profile::Date;
use crate::selector::For;

macro_rules! spelled {
    ($($type:ty, $name:literal, $schema:tt;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

/// ASCII without what no name holds; beyond ASCII letters and digits of all languages.
const IN_A_NAME: &str = "[^\\x00-\\x24\\x26-\\x2c.\\x3a-\\x3f\\x5b-\\x5e\\x60\\x7b-\\x7f]";
/// Printable ASCII without spaces.
const GRAPHIC: &str = "^[\\x21-\\x7e]+$";

spelled! {
    Name, "Name", {
        "description": "Letters, digits and any of - _ / @ %; at most 64 bytes",
        "type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": format!("^{IN_A_NAME}+$"),
        "examples": ["meters"]
    };
    DeviceId, "DeviceId", {
        "description": "A device to the outside: a URN, made from its strongest identity",
        "type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": GRAPHIC,
        "examples": ["urn:dev:dmgw:serial:acme:17"]
    };
    CommandId, "CommandId", {
        "description": "Given by whoever asked, or made by the gateway",
        "type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": GRAPHIC
    };
    Address, "Address", {
        "description": "In the spelling of its link: printable ASCII without spaces",
        "type": "string", "minLength": 1, "maxLength": LONGEST_ADDRESS, "pattern": GRAPHIC
    };
    PointPath, "PointPath", {
        "description": "component.instance.point; instance 0 may be left out",
        "type": "string", "maxLength": 2 * LONGEST_NAME + 7,
        "pattern": format!("^{IN_A_NAME}+\\.([+]?[0-9]+\\.)?{IN_A_NAME}+$"),
        "examples": ["power.0.active"]
    };
    Mark, "Mark", {
        "description": "A SHA-256, in hexadecimal digits",
        "type": "string", "pattern": "^(sha256:)?[0-9a-fA-F]{64}$"
    };
    TextPattern, "TextPattern", {
        "description": "A text in which * stands for any text",
        "type": "string", "minLength": 1, "maxLength": 256
    };
    For, "Selector", {
        "description": "Which devices are meant: an expression in CEL",
        "type": "string", "maxLength": 1024, "examples": ["link == \"meters\" && life == \"managed\""]
    };
    Date, "Date", { "description": "A day", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" };
}

impl JsonSchema for OperationSet {
    fn schema_name() -> Cow<'static, str> {
        "Operations".into()
    }

    fn json_schema(of: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": of.subschema_for::<OperationKind>() })
    }
}

impl JsonSchema for Identity {
    fn schema_name() -> Cow<'static, str> {
        "Identity".into()
    }

    fn json_schema(of: &mut SchemaGenerator) -> Schema {
        let kind = of.subschema_for::<IdentityKind>();
        let (value, proof) = (of.subschema_for::<Address>(), of.subschema_for::<Proof>());
        let fields = json_schema!({ "kind": kind, "value": value, "proof": proof });
        if *of.contract() == Contract::Serialize {
            let needs = ["kind", "value", "proof"];
            return json_schema!({ "type": "object", "properties": fields, "required": needs });
        }
        let kinds = IdentityKind::ALL.map(IdentityKind::name).join("|");
        json_schema!({
            "description": "By what a device is known; as a text KIND:VALUE, such as serial:acme:17",
            "anyOf": [
                { "type": "object", "properties": fields, "required": ["kind", "value"], "additionalProperties": false },
                { "type": "string", "pattern": format!("^({kinds}):[\\x21-\\x7e]+$"), "maxLength": LONGEST_TEXT },
            ]
        })
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(of: &mut SchemaGenerator) -> Schema {
        let time = of.subschema_for::<Wall>();
        let one = |key: &str, what: Schema| json_schema!({ "type": "object", "properties": { (key): what }, "required": [key], "additionalProperties": false });
        let small = json_schema!({ "type": "integer", "minimum": 0, "maximum": u16::MAX });
        let plain = vec![
            json_schema!({ "type": ["boolean", "number"] }),
            json_schema!({ "type": "string", "maxLength": value::LONGEST_TEXT }),
            one("bytes", json_schema!({ "type": "string", "pattern": "^([0-9a-fA-F]{2})*$" })),
            one("time", time),
            one(
                "float",
                json_schema!({ "type": "string", "description": "what JSON has no number for: nan, inf, -inf" }),
            ),
            one(
                "object",
                json_schema!({ "type": "array", "prefixItems": [small, small], "minItems": 2, "maxItems": 2 }),
            ),
        ];
        let list = json_schema!({ "type": "array", "items": { "anyOf": plain }, "maxItems": value::LONGEST_LIST });
        json_schema!({
            "description": "Of a point. A list holds no lists",
            "anyOf": plain.iter().chain([&list]).collect::<Vec<_>>()
        })
    }
}
