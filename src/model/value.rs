//! `Value`: every type of value that a point may have, each bounded; complete from the first day.
//!
//! A list holds plain values only, so a value has no depth and nobody can nest one to overflow a stack. Two spellings:
//! for people (JSON, TOML) a value is what it looks like, with `{"bytes": …}`, `{"time": …}`, `{"object": [o, i]}` for
//! what JSON lacks; in the store it is tagged, so that every type comes back as it was.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::now::Wall;
use super::point::ValueKind;

/// Bytes of one text or byte value.
pub const LONGEST_TEXT: usize = 2048;
/// Items of one list value.
pub const LONGEST_LIST: usize = 128;
/// Floats that differ by no greater part are the same.
const ALIKE: f64 = 1e-6;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Time(Wall),
    /// An LwM2M object link: object and instance.
    Object(u16, u16),
    List(Arc<[Value]>),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadValue {
    #[error("a text or byte value holds at most {LONGEST_TEXT} bytes; this one has {0}")]
    TooLong(usize),
    #[error("a list value holds at most {LONGEST_LIST} items; this one has {0}")]
    TooMany(usize),
    #[error("a list value holds plain values, no lists")]
    ListInList,
    #[error("the point takes {wanted}, not {given}")]
    Kind { wanted: ValueKind, given: ValueKind },
}

impl Value {
    pub fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    pub fn kind(&self) -> ValueKind {
        match self {
            Value::Bool(_) => ValueKind::Bool,
            Value::Int(_) => ValueKind::Int,
            Value::Uint(_) => ValueKind::Uint,
            Value::Float(_) => ValueKind::Float,
            Value::Text(_) => ValueKind::Text,
            Value::Bytes(_) => ValueKind::Bytes,
            Value::Time(_) => ValueKind::Time,
            Value::Object(..) => ValueKind::Object,
            Value::List(_) => ValueKind::List,
        }
    }

    /// The bounds that types cannot show. Every value from outside passes here once.
    pub fn check(&self) -> Result<(), BadValue> {
        match self {
            Value::Text(text) if text.len() > LONGEST_TEXT => Err(BadValue::TooLong(text.len())),
            Value::Bytes(bytes) if bytes.len() > LONGEST_TEXT => Err(BadValue::TooLong(bytes.len())),
            Value::List(items) => Value::check_items(items),
            _ => Ok(()),
        }
    }

    fn check_items(items: &[Value]) -> Result<(), BadValue> {
        if items.len() > LONGEST_LIST {
            return Err(BadValue::TooMany(items.len()));
        }
        let mut bytes = 0;
        for item in items {
            if matches!(item, Value::List(_)) {
                return Err(BadValue::ListInList);
            }
            item.check()?;
            bytes += item.weight();
        }
        if bytes > LONGEST_TEXT { Err(BadValue::TooLong(bytes)) } else { Ok(()) }
    }

    /// Bytes of content, near enough for a bound.
    pub fn weight(&self) -> usize {
        match self {
            Value::Bool(_) => 1,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(items) => items.iter().map(Value::weight).sum(),
            _ => 8,
        }
    }

    /// As a number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Uint(n) => Some(*n as f64),
            Value::Float(n) => Some(*n),
            _ => None,
        }
    }

    /// The same, as far as can be told: floats of a device may have passed through fewer bits than ours.
    pub fn is_like(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Float(one), Value::Float(other)) => {
                one == other || (one - other).abs() <= ALIKE * one.abs().max(other.abs())
            }
            _ => self == other,
        }
    }

    /// The same value in the type a point wants, where nothing is lost: people write `5` for 5.0 and for 5.
    pub fn into_kind(self, wanted: ValueKind) -> Result<Value, BadValue> {
        let given = self.kind();
        match (self, wanted) {
            (value, wanted) if given == wanted => Ok(value),
            (Value::Int(n), ValueKind::Uint) if n >= 0 => Ok(Value::Uint(n as u64)),
            (Value::Uint(n), ValueKind::Int) if i64::try_from(n).is_ok() => Ok(Value::Int(n as i64)),
            (Value::Int(n), ValueKind::Float) if n.unsigned_abs() <= 1 << 53 => Ok(Value::Float(n as f64)),
            (Value::Uint(n), ValueKind::Float) if n <= 1 << 53 => Ok(Value::Float(n as f64)),
            (Value::Float(x), ValueKind::Int) if x.trunc() == x && x.abs() <= (1u64 << 53) as f64 => {
                Ok(Value::Int(x as i64))
            }
            (Value::Float(x), ValueKind::Uint) if x.trunc() == x && (0.0..=(1u64 << 53) as f64).contains(&x) => {
                Ok(Value::Uint(x as u64))
            }
            _ => Err(BadValue::Kind { wanted, given }),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => b.fmt(f),
            Value::Int(n) => n.fmt(f),
            Value::Uint(n) => n.fmt(f),
            Value::Float(n) => n.fmt(f),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) => write!(f, "0x{}", hex(bytes)),
            Value::Time(wall) => write!(f, "@{}", wall.0),
            Value::Object(object, instance) => write!(f, "{object}:{instance}"),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The tagged spelling of the store. Lists of lists cannot be written in it.
#[derive(Serialize, Deserialize)]
enum Tagged {
    #[serde(rename = "b")]
    Bool(bool),
    #[serde(rename = "i")]
    Int(i64),
    #[serde(rename = "u")]
    Uint(u64),
    #[serde(rename = "f")]
    Float(f64),
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "x")]
    Bytes(Vec<u8>),
    #[serde(rename = "w")]
    Time(u64),
    #[serde(rename = "o")]
    Object(u16, u16),
}

impl Tagged {
    fn of(value: &Value) -> Option<Tagged> {
        Some(match value {
            Value::Bool(b) => Tagged::Bool(*b),
            Value::Int(n) => Tagged::Int(*n),
            Value::Uint(n) => Tagged::Uint(*n),
            Value::Float(n) => Tagged::Float(*n),
            Value::Text(text) => Tagged::Text(text.as_ref().into()),
            Value::Bytes(bytes) => Tagged::Bytes(bytes.to_vec()),
            Value::Time(wall) => Tagged::Time(wall.0),
            Value::Object(object, instance) => Tagged::Object(*object, *instance),
            Value::List(_) => return None,
        })
    }

    fn value(self) -> Value {
        match self {
            Tagged::Bool(b) => Value::Bool(b),
            Tagged::Int(n) => Value::Int(n),
            Tagged::Uint(n) => Value::Uint(n),
            Tagged::Float(n) => Value::Float(n),
            Tagged::Text(text) => Value::Text(text.into()),
            Tagged::Bytes(bytes) => Value::Bytes(bytes.into()),
            Tagged::Time(wall) => Value::Time(Wall(wall)),
            Tagged::Object(object, instance) => Value::Object(object, instance),
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Stored {
    #[serde(rename = "1")]
    One(Tagged),
    #[serde(rename = "n")]
    List(Vec<Tagged>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{Error, SerializeMap};
        if !to.is_human_readable() {
            return match (Tagged::of(self), self) {
                (Some(one), _) => Stored::One(one).serialize(to),
                (None, Value::List(items)) => match items.iter().map(Tagged::of).collect() {
                    Some(items) => Stored::List(items).serialize(to),
                    None => Err(S::Error::custom(BadValue::ListInList)),
                },
                (None, _) => Err(S::Error::custom(BadValue::ListInList)),
            };
        }
        match self {
            Value::Bool(b) => to.serialize_bool(*b),
            Value::Int(n) => to.serialize_i64(*n),
            Value::Uint(n) => to.serialize_u64(*n),
            Value::Float(n) if n.is_finite() => to.serialize_f64(*n),
            Value::Text(text) => to.serialize_str(text),
            Value::List(items) => items.serialize(to),
            Value::Float(_) | Value::Bytes(_) | Value::Time(_) | Value::Object(..) => {
                let mut map = to.serialize_map(Some(1))?;
                match self {
                    Value::Float(n) => map.serialize_entry("float", &n.to_string())?,
                    Value::Bytes(bytes) => map.serialize_entry("bytes", &hex(bytes))?,
                    Value::Time(wall) => map.serialize_entry("time", &wall.0)?,
                    Value::Object(object, instance) => map.serialize_entry("object", &(object, instance))?,
                    _ => {}
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        let value = if from.is_human_readable() {
            from.deserialize_any(Shown { lists: true })?
        } else {
            match Stored::deserialize(from)? {
                Stored::One(one) => one.value(),
                Stored::List(items) => Value::List(items.into_iter().map(Tagged::value).collect()),
            }
        };
        value.check().map_err(de::Error::custom)?;
        Ok(value)
    }
}

/// Reads the spelling for people; inside a list it takes no further list, so the depth is bounded while reading.
struct Shown {
    lists: bool,
}

impl<'de> de::DeserializeSeed<'de> for Shown {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shown {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value: true, 5, 21.5, \"text\", [list], {bytes = \"0a1b\"}, {time = milliseconds}, {float = \"nan\"} or {object = [o, i]}")
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(i64::try_from(n).map_or(Value::Uint(n), Value::Int))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Value::Float(n))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        if !self.lists {
            return Err(de::Error::custom(BadValue::ListInList));
        }
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Shown { lists: false })? {
            if items.len() == LONGEST_LIST {
                return Err(de::Error::custom(BadValue::TooMany(LONGEST_LIST + 1)));
            }
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(tag) = map.next_key::<String>()? else {
            return Err(de::Error::custom("an empty table is not a value"));
        };
        let value = match tag.as_str() {
            "bytes" => Value::Bytes(
                unhex(&map.next_value::<String>()?)
                    .ok_or_else(|| de::Error::custom("bytes are pairs of hex digits"))?
                    .into(),
            ),
            "time" => Value::Time(Wall(map.next_value()?)),
            "float" => Value::Float(
                map.next_value::<String>()?.parse().map_err(|_| de::Error::custom("float is a number, nan or inf"))?,
            ),
            "object" => {
                let (object, instance) = map.next_value()?;
                Value::Object(object, instance)
            }
            other => return Err(de::Error::unknown_field(other, &["bytes", "time", "float", "object"])),
        };
        match map.next_key::<String>()? {
            None => Ok(value),
            Some(second) => Err(de::Error::custom(format!("a value has one key; {second:?} is a second one"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::Uint),
            any::<f64>().prop_filter("NaN is not equal to itself", |x| !x.is_nan()).prop_map(Value::Float),
            ".{0,40}".prop_map(|text| Value::text(&text)),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())),
            any::<u64>().prop_map(|wall| Value::Time(Wall(wall))),
            any::<(u16, u16)>().prop_map(|(o, i)| Value::Object(o, i)),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![plain(), proptest::collection::vec(plain(), 0..20).prop_map(|items| Value::List(items.into()))]
    }

    #[test]
    fn a_float_that_lost_its_last_bits_is_the_same() {
        let like = |one: Value, other: Value| one.is_like(&other);
        assert!(like(Value::Float(f64::from(0.1_f32)), Value::Float(0.1)));
        assert!(like(Value::Float(0.0), Value::Float(0.0)));
        assert!(!like(Value::Float(0.1001), Value::Float(0.1)) && !like(Value::Float(1e-9), Value::Float(0.0)));
        assert!(!like(Value::Int(1), Value::Int(2)));
    }

    proptest! {
        #[test]
        fn the_store_gives_back_every_value_as_it_was(value in value()) {
            let bytes = minicbor_serde::to_vec(&value).unwrap();
            prop_assert_eq!(minicbor_serde::from_slice::<Value>(&bytes).unwrap(), value);
        }

        #[test]
        fn people_read_back_what_they_were_shown(value in value()) {
            let shown = serde_json::to_string(&value).unwrap();
            let read: Value = serde_json::from_str(&shown).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), shown);
        }
    }

    #[test]
    fn a_value_has_no_depth() {
        assert!(serde_json::from_str::<Value>("[[1]]").is_err());
        assert!(serde_json::from_str::<Value>("{\"bytes\":\"0\"}").is_err());
        assert!(serde_json::from_str::<Value>("{\"time\":1,\"bytes\":\"00\"}").is_err());
        let nested = Value::List(vec![Value::List(Vec::new().into())].into());
        assert_eq!(nested.check(), Err(BadValue::ListInList));
        assert!(minicbor_serde::to_vec(&nested).is_err());
    }

    #[test]
    fn a_value_is_bounded() {
        let long = "x".repeat(LONGEST_TEXT + 1);
        assert!(serde_json::from_value::<Value>(serde_json::json!(long)).is_err());
        assert!(serde_json::from_value::<Value>(serde_json::json!(vec![1; LONGEST_LIST + 1])).is_err());
        let heavy = Value::List(vec![Value::text(&"x".repeat(1500)); 2].into());
        assert_eq!(heavy.check(), Err(BadValue::TooLong(3000)));
    }

    #[test]
    fn a_value_takes_the_type_of_its_point_only_without_loss() {
        assert_eq!(Value::Int(5).into_kind(ValueKind::Float), Ok(Value::Float(5.0)));
        assert_eq!(Value::Float(5.0).into_kind(ValueKind::Uint), Ok(Value::Uint(5)));
        assert!(Value::Float(5.5).into_kind(ValueKind::Int).is_err());
        assert!(Value::Int(-1).into_kind(ValueKind::Uint).is_err());
        assert!(Value::Bool(true).into_kind(ValueKind::Int).is_err());
        assert!(Value::Int(i64::MAX).into_kind(ValueKind::Float).is_err());
    }

    #[test]
    fn what_json_lacks_is_spelled_out() {
        assert_eq!(serde_json::to_string(&Value::Bytes(vec![10, 27].into())).unwrap(), "{\"bytes\":\"0a1b\"}");
        assert_eq!(serde_json::to_string(&Value::Float(f64::INFINITY)).unwrap(), "{\"float\":\"inf\"}");
        assert_eq!(serde_json::from_str::<Value>("{\"object\":[3,0]}").unwrap(), Value::Object(3, 0));
    }
}
