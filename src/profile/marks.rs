//! What raw values mean beside numbers: words, and the absence of a value.

use std::collections::BTreeMap;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MOST_WORDS;
use crate::model::Value;

/// Words for raw numbers. No word stands for two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(pub BTreeMap<i64, String>);

impl Words {
    pub fn word(&self, raw: i64) -> Option<&str> {
        self.0.get(&raw).map(String::as_str)
    }

    pub fn raw(&self, word: &str) -> Option<i64> {
        self.0.iter().find(|(_, known)| known.as_str() == word).map(|(raw, _)| *raw)
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(raw, word)| (raw.to_string(), word)))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Words, D::Error> {
        struct Rows;
        impl<'de> Visitor<'de> for Rows {
            type Value = Words;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table of words by number, such as { 0 = \"off\", 1 = \"on\" }")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut rows: A) -> Result<Words, A::Error> {
                let mut words = Words::default();
                while let Some(Number(raw)) = rows.next_key()? {
                    let word: String = rows.next_value()?;
                    if words.0.len() == MOST_WORDS {
                        return Err(A::Error::custom(format!("a point has at most {MOST_WORDS} words")));
                    }
                    if let Some(other) = words.raw(&word) {
                        return Err(A::Error::custom(format!("{word:?} stands for {other} and for {raw}")));
                    }
                    if let Some(before) = words.0.insert(raw, word.clone()) {
                        return Err(A::Error::custom(format!("{raw} stands for {before:?} and for {word:?}")));
                    }
                }
                Ok(words)
            }
        }
        from.deserialize_any(Rows)
    }
}

/// A key of TOML is a text.
struct Number(i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let number = match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.map(Number).map_err(|_| {
            let text: String = text.chars().take(40).collect();
            D::Error::custom(format!(
                "{text:?} is no whole number; write the number that the device gives, as 3 or 0x3"
            ))
        })
    }
}

/// A raw value that means "no value".
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Mark {
    Number(f64),
    Text(String),
    Range { from: f64, to: f64 },
}

impl Mark {
    pub fn fits(&self, raw: &Value) -> bool {
        match (self, raw) {
            (Mark::Text(text), Value::Text(raw)) => **text == **raw,
            (Mark::Number(number), raw) => {
                raw.number().is_some_and(|raw| raw == *number || (raw.is_nan() && number.is_nan()))
            }
            (Mark::Range { from, to }, raw) => raw.number().is_some_and(|raw| (*from..=*to).contains(&raw)),
            (Mark::Text(_), _) => false,
        }
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Mark, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Mark;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, a text or { from = 65500, to = 65535 }")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Mark, E> {
                Ok(Mark::Number(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Mark, E> {
                Ok(Mark::Number(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Mark, E> {
                Ok(Mark::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Mark, A::Error> {
                Err(A::Error::custom("a range is written { from = 65500, to = 65535 }"))
            }
            fn visit_map<A: MapAccess<'de>>(self, rows: A) -> Result<Mark, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Range {
                    from: f64,
                    to: f64,
                }
                let Range { from, to } = Range::deserialize(serde::de::value::MapAccessDeserializer::new(rows))?;
                if from.is_nan() || to.is_nan() {
                    return Err(A::Error::custom("from and to are numbers; nan is written by itself, [nan]"));
                }
                if from > to {
                    return Err(A::Error::custom(format!("from is {from}, above to, {to}")));
                }
                Ok(Mark::Range { from, to })
            }
        }
        from.deserialize_any(Any)
    }
}
