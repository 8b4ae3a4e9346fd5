//! A value of the tree as any type that serde can make. What goes wrong is told where it stands.

use std::ops::Range;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

use super::fault::{Fault, Faults};
use super::part::{self, Part};
use super::placed::PLACED;
use super::tree::{At, Key, Node, Val};
use crate::nearest;

/// The value, or a fault.
pub fn leaf<T: DeserializeOwned>(node: &Node, faults: &mut Faults) -> Option<T> {
    match T::deserialize(Reader(node)) {
        Ok(value) => Some(value),
        Err(wrong) => {
            let fault = Fault::new(wrong.at.unwrap_or(node.at), wrong.says);
            faults.add(Fault { meant: wrong.meant, within: wrong.inside.is_some(), part: wrong.inside, ..fault });
            None
        }
    }
}

#[derive(Debug)]
struct Wrong {
    says: String,
    meant: Option<String>,
    at: Option<At>,
    /// Which part of the value, until the value is known; then with its text.
    part: Option<Box<Part>>,
    inside: Option<Box<(String, Range<usize>)>>,
}

impl Wrong {
    /// The innermost place is the one that counts.
    fn at(self, at: At) -> Wrong {
        Wrong { at: self.at.or(Some(at)), ..self }
    }

    fn on(self, node: &Node) -> Wrong {
        let Some(part) = self.part.as_ref().filter(|_| self.at.is_none()) else { return self.at(node.at) };
        let below = part::below(node, &part.path);
        // What lies below is wrong as a whole.
        let bytes = part.bytes.clone().filter(|_| part.path.is_empty());
        let inside = below.text().map(str::to_owned).zip(bytes).filter(|(text, bytes)| bytes.end <= text.len());
        // All of a value has its quotes already.
        let all = inside.is_none();
        let meant = self.meant.map(|meant| if all { meant.trim_matches('"').to_owned() } else { meant });
        Wrong { at: Some(below.at), inside: inside.map(Box::new), meant, ..self }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.says)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: std::fmt::Display>(says: T) -> Wrong {
        let part::Told { says, meant, part } = part::told(format!("{says:#}"));
        Wrong { says, meant, at: None, part: part.map(Box::new), inside: None }
    }

    fn invalid_type(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Wrong {
        let wanted_so = plain(&wanted.to_string());
        match found {
            de::Unexpected::Float(number) if is_whole(number) && wanted_so.starts_with(WHOLE) => {
                return de::Error::custom(format!(
                    "a number with a point or an exponent stands where {wanted_so} is wanted; write {number}"
                ));
            }
            _ => {}
        }
        de::Error::custom(format!("{} stands where {} is wanted", named(&found), plain(&wanted.to_string())))
    }

    fn invalid_value(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Wrong {
        de::Error::custom(format!("{} is not {}", named(&found), plain(&wanted.to_string())))
    }

    fn invalid_length(found: usize, wanted: &dyn de::Expected) -> Wrong {
        de::Error::custom(format!("{found} entries stand where {} is wanted", plain(&wanted.to_string())))
    }

    fn unknown_variant(word: &str, right: &'static [&'static str]) -> Wrong {
        Wrong { meant: meant(word, right), ..de::Error::custom(format!("{word:?} is none of {}", right.join(", "))) }
    }

    fn unknown_field(word: &str, right: &'static [&'static str]) -> Wrong {
        let says = format!("unknown key {word:?}, expected one of {}", right.join(", "));
        Wrong { meant: meant(word, right), ..de::Error::custom(says) }
    }

    fn missing_field(key: &'static str) -> Wrong {
        de::Error::custom(format!("{key} is missing"))
    }
}

fn meant(word: &str, right: &[&str]) -> Option<String> {
    nearest::nearest(word, right.iter().copied()).map(str::to_owned)
}

const WHOLE: &str = "a whole number";

fn is_whole(number: f64) -> bool {
    // Beyond that, neighbours are the same float.
    number.fract() == 0.0 && number.abs() < 9e15
}

/// What was found, in the words of TOML.
fn named(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Str(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        de::Unexpected::Signed(number) => format!("the number {number}"),
        de::Unexpected::Unsigned(number) => format!("the number {number}"),
        de::Unexpected::Float(number) => format!("the number {number}"),
        de::Unexpected::Bool(yes) => yes.to_string(),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a table".into(),
        other => other.to_string(),
    }
}

/// What serde wants, in the same words.
fn plain(wanted: &str) -> String {
    let plain = match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, not below 0",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "path string" => "a text",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    plain.to_owned()
}

struct Reader<'a>(&'a Node);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let read = match &self.0.val {
            Val::Text(text) | Val::Time(text) => visitor.visit_str(text),
            Val::Whole(number) => visitor.visit_i64(*number),
            Val::Float(number) => visitor.visit_f64(*number),
            Val::Bool(yes) => visitor.visit_bool(*yes),
            Val::List(nodes) => visitor.visit_seq(List(nodes.iter())),
            Val::Table(table) => visitor.visit_map(Rows { rows: table.0.iter(), next: None }),
        };
        read.map_err(|wrong| match self.0.val {
            Val::Time(_) => Wrong { says: wrong.says.replacen("the text", "the date", 1), ..wrong }.on(self.0),
            _ => wrong.on(self.0),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.val {
            Val::Time(time) => {
                let says = format!("the date {time} stands where a text is wanted; put it in quotes");
                Err(Wrong { at: Some(self.0.at), ..de::Error::custom(says) })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        let at = self.0.at;
        visitor.visit_newtype_struct(self).map_err(|wrong| wrong.at(at))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if name == PLACED { visitor.visit_seq(PlaceThenValue(0, self.0)) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let at = self.0.at;
        let read = match &self.0.val {
            Val::Text(text) => visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(text.as_str())),
            Val::Table(table) => match &table.0[..] {
                [(key, node)] => visitor.visit_enum(Variant(key, node)),
                rows => Err(de::Error::custom(format!("one key is wanted here, not {}", rows.len()))),
            },
            other => {
                Err(de::Error::custom(format!("{} stands where a word or a table of one key is wanted", other.kind())))
            }
        };
        read.map_err(|wrong| wrong.at(at))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        map struct identifier ignored_any
    }
}

struct List<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for List<'_> {
    type Error = Wrong;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.0.next().map(|node| seed.deserialize(Reader(node)).map_err(|wrong| wrong.at(node.at))).transpose()
    }
}

struct PlaceThenValue<'a>(u8, &'a Node);

impl<'de> de::SeqAccess<'de> for PlaceThenValue<'_> {
    type Error = Wrong;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let (step, At { source, start, end }) = (self.0, self.1.at);
        self.0 += 1;
        match step {
            0 => seed.deserialize(de::value::SeqDeserializer::new([source, start, end].into_iter())).map(Some),
            1 => seed.deserialize(Reader(self.1)).map(Some),
            _ => Ok(None),
        }
    }
}

struct Rows<'a> {
    rows: std::slice::Iter<'a, (Key, Node)>,
    next: Option<&'a Node>,
}

impl<'de> de::MapAccess<'de> for Rows<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, node)) = self.rows.next() else { return Ok(None) };
        self.next = Some(node);
        seed.deserialize(word(&key.text)).map(Some).map_err(|wrong| wrong.at(key.at))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let node = self.next.take().ok_or_else(|| de::Error::custom("a value without its key"))?;
        seed.deserialize(Reader(node)).map_err(|wrong: Wrong| wrong.at(node.at))
    }
}

fn word(text: &str) -> StrDeserializer<'_, Wrong> {
    text.into_deserializer()
}

struct Variant<'a>(&'a Key, &'a Node);

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a> {
    type Error = Wrong;
    type Variant = Reader<'a>;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Wrong> {
        let value = seed.deserialize(word(&self.0.text)).map_err(|wrong: Wrong| wrong.at(self.0.at))?;
        Ok((value, Reader(self.1)))
    }
}

impl<'de> de::VariantAccess<'de> for Reader<'_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        Err(Wrong { at: Some(self.0.at), ..de::Error::custom("this word stands alone, without a table") })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }
}
