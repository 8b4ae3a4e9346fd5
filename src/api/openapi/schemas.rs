//! The schemas of all types, each under one name. What is read may be of another form than what is written (fields that
//! may be left out): then what is read has a name of its own.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// The schema of one type, or of what stands for it.
pub type Of = fn(&mut SchemaGenerator) -> Schema;

const PLACE: &str = "#/components/schemas/";
const IN_THE_DOCUMENT: &str = "/components/schemas";
/// Before the name of what is read, where what is written looks otherwise.
const READ: &str = "Asked";

pub struct Schemas {
    written: SchemaGenerator,
    read: SchemaGenerator,
}

impl Schemas {
    pub fn new() -> Schemas {
        let settings = || SchemaSettings::draft2020_12().with(|of| of.definitions_path = IN_THE_DOCUMENT.into());
        let written = settings().for_serialize().into_generator();
        Schemas { written, read: settings().for_deserialize().into_generator() }
    }

    pub fn written(&mut self, of: Of) -> Value {
        of(&mut self.written).to_value()
    }

    /// Its names are put right by [`Schemas::end`].
    pub fn read(&mut self, of: Of) -> Value {
        marked(of(&mut self.read).to_value(), &mut |name| format!("{READ}{name}"))
    }

    /// All of them; and the document with the names that they have.
    pub fn end(mut self, document: Value) -> (Map<String, Value>, Value) {
        let (mut all, read) = (self.written.take_definitions(true), self.read.take_definitions(true));
        let others = others(&all, &read);
        let mut right = |name: &str| match name.strip_prefix(READ) {
            Some(plain) if !others.contains(plain) && read.contains_key(plain) => plain.to_owned(),
            _ => name.to_owned(),
        };
        for (name, schema) in &read {
            let (name, schema) = match others.contains(name.as_str()) {
                true => (format!("{READ}{name}"), marked(schema.clone(), &mut |of| right(&format!("{READ}{of}")))),
                false => (name.clone(), schema.clone()),
            };
            all.insert(name, schema);
        }
        (all, marked(document, &mut right))
    }
}

/// What is read otherwise than it is written, and what refers to such.
fn others<'a>(written: &Map<String, Value>, read: &'a Map<String, Value>) -> BTreeSet<&'a str> {
    let differs = |(name, schema): &(&String, &Value)| written.get(*name).is_some_and(|of| of != *schema);
    let mut others: BTreeSet<&str> = read.iter().filter(differs).map(|(name, _)| name.as_str()).collect();
    loop {
        let refers = |(name, schema): &(&String, &Value)| {
            let mut found = false;
            marked((*schema).clone(), &mut |of| {
                found |= others.contains(of);
                of.to_owned()
            });
            found && !others.contains(name.as_str())
        };
        let more: Vec<&str> = read.iter().filter(refers).map(|(name, _)| name.as_str()).collect();
        if more.is_empty() {
            return others;
        }
        others.extend(more);
    }
}

/// With each name that it refers to made another.
fn marked(mut value: Value, name: &mut impl FnMut(&str) -> String) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match field.as_str().and_then(|text| text.strip_prefix(PLACE)) {
                    Some(old) if key == "$ref" => *field = format!("{PLACE}{}", name(old)).into(),
                    _ => *field = marked(field.take(), name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = marked(item.take(), name)),
        _ => {}
    }
    value
}
