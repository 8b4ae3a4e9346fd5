//! One line of the log: what happened, where in the source, and the fields that it names.
//!
//! Invariant: whatever a device or a peer put into a text, a line stays one line (what follows a line break is set in),
//! and no longer than its bound.

use std::fmt::{self, Write};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Of a message, and of each field.
const LONGEST_MESSAGE: usize = 16 << 10;
const LONGEST_FIELD: usize = 2 << 10;

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub level: Level,
    pub file: &'static str,
    pub line: u32,
    pub message: String,
    pub fields: Vec<(&'static str, Value)>,
}

impl Line {
    pub fn of(event: &Event) -> Line {
        let of = event.metadata();
        let mut line = Line {
            level: *of.level(),
            file: of.file().unwrap_or_default(),
            line: of.line().unwrap_or_default(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        line
    }

    pub fn new(level: Level, message: String) -> Line {
        Line { level, file: file!(), line: line!(), message, fields: Vec::new() }
    }

    /// The message and the fields behind it.
    pub fn words(&self) -> String {
        let mut words = set_in(&self.message);
        for (name, value) in &self.fields {
            let space = if words.is_empty() { "" } else { " " };
            // Writing to a text cannot fail.
            let _ = write!(words, "{space}{name}={}", shown(value));
        }
        words
    }

    pub fn text(&self, at: Option<Timestamp>) -> String {
        let at = at.map(|at| format!("{at:.6} ")).unwrap_or_default();
        format!("{at}{:>5} {}\n", self.level, self.words())
    }

    /// One object on one line.
    pub fn json(&self, at: Timestamp) -> String {
        let mut object = Map::new();
        object.insert("timestamp".into(), format!("{at:.6}").into());
        object.insert("level".into(), self.level.as_str().into());
        object.insert("message".into(), self.message.as_str().into());
        object.extend(self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        format!("{}\n", Value::Object(object))
    }

    fn add(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = cut(format!("{value:?}"), LONGEST_MESSAGE),
            _ => self.add(field, cut(format!("{value:?}"), LONGEST_FIELD).into()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = cut(value.to_owned(), LONGEST_MESSAGE),
            _ => self.add(field, cut(value.to_owned(), LONGEST_FIELD).into()),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() || text.contains([' ', '"', '\n', '=']) => format!("{text:?}"),
        Value::String(text) => set_in(text),
        other => other.to_string(),
    }
}

fn set_in(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\n' => plain.push_str("\n    "),
            sign if sign.is_control() => plain.extend(sign.escape_default()),
            sign => plain.push(sign),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn line(message: &str, device: &str) -> Line {
        Line { fields: vec![("device", device.into()), ("no", 7.into())], ..Line::new(Level::WARN, message.into()) }
    }

    #[test]
    fn a_line_reads_as_text_and_as_an_object_with_its_fields() {
        let at = Timestamp::from_microsecond(1_500_000).unwrap();
        let line = line("it is down", "urn:x:1");
        assert_eq!(line.text(Some(at)), "1970-01-01T00:00:01.500000Z  WARN it is down device=urn:x:1 no=7\n");
        assert_eq!(line.text(None), " WARN it is down device=urn:x:1 no=7\n");
        let object: Value = serde_json::from_str(&line.json(at)).unwrap();
        let expected = serde_json::json!({
            "timestamp": "1970-01-01T00:00:01.500000Z", "level": "WARN", "message": "it is down", "device": "urn:x:1", "no": 7
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn what_others_wrote_into_a_text_forges_no_line() {
        let forged = line("down:\n2026 INFO all is well\u{1b}[2J", "a\nb");
        assert_eq!(forged.words(), "down:\n    2026 INFO all is well\\u{1b}[2J device=\"a\\nb\" no=7");
        assert_eq!(cut("ä".repeat(10), 5), "ää…");
    }
}
