//! The same in plain words: a table of facts and what each may be. All that are given must hold.
//!
//! `{ profile = ["sdm630", "sdm72*"], group = "line-a", label = { row = "3" } }`. The words are spelled in CEL and read
//! as such: there is one way in, and [`Selector::text`] shows what they mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{BadSelector, MOST_TOKENS, Selector};
use crate::model::Name;

/// One text or several, at least one, of which any; a star stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts(Vec<String>);

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    pub id: Option<Texts>,
    pub name: Option<Texts>,
    pub link: Option<Texts>,
    pub profile: Option<Texts>,
    pub group: Option<Texts>,
    pub identity: Option<Texts>,
    pub life: Option<Texts>,
    pub connectivity: Option<Texts>,
    pub application: Option<Texts>,
    pub hardware: Option<Texts>,
    pub location: Option<Texts>,
    pub power: Option<Texts>,
    pub label: BTreeMap<Name, Texts>,
    pub version: BTreeMap<Name, Texts>,
}

impl Words {
    fn facts(&self) -> [(&'static str, &Option<Texts>); 10] {
        [
            ("id", &self.id),
            ("name", &self.name),
            ("link", &self.link),
            ("profile", &self.profile),
            ("life", &self.life),
            ("connectivity", &self.connectivity),
            ("application", &self.application),
            ("hardware", &self.hardware),
            ("location", &self.location),
            ("power", &self.power),
        ]
    }

    /// With their names among the facts, and among the words.
    fn lists(&self) -> [(&'static str, &'static str, &Option<Texts>); 2] {
        [("groups", "group", &self.group), ("identities", "identity", &self.identity)]
    }

    fn tables(&self) -> [(&'static str, &BTreeMap<Name, Texts>); 2] {
        [("label", &self.label), ("version", &self.version)]
    }

    /// The word for whose sake all of them are wrong, where it is one alone.
    fn which(&self, bad: BadSelector) -> InWords {
        let facts = self.facts().into_iter().flat_map(|(fact, texts)| {
            let each = texts.iter().flat_map(Texts::each);
            each.map(move |(no, text)| (format!("{fact}.{no}"), text.any_of(fact)))
        });
        let lists = self.lists().into_iter().flat_map(|(list, word, texts)| {
            let each = texts.iter().flat_map(Texts::each);
            each.map(move |(no, text)| (format!("{word}.{no}"), text.in_list(list)))
        });
        let wrong = |(path, term): (String, String)| Some(InWords(path, Selector::parse(&term).err()?));
        facts.chain(lists).find_map(wrong).unwrap_or_else(|| InWords(String::new(), bad))
    }

    pub fn selector(&self) -> Result<Selector, BadSelector> {
        Selector::parse(&self.text())
    }

    /// In CEL. No words at all mean every device.
    pub fn text(&self) -> String {
        let mut terms: Vec<String> =
            self.facts().into_iter().filter_map(|(fact, texts)| Some(texts.as_ref()?.any_of(fact))).collect();
        let lists = self.lists().into_iter();
        terms.extend(lists.filter_map(|(list, _, texts)| Some(texts.as_ref()?.in_list(list))));
        for (table, entries) in self.tables() {
            terms.extend(entries.iter().map(|(name, texts)| texts.any_of(&entry(table, name))));
        }
        if terms.is_empty() { "true".into() } else { terms.join(" && ") }
    }
}

/// A word that is wrong, and where it stands: `label.row.0`.
struct InWords(String, BadSelector);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.1.in_settings(f, &self.0) } else { self.1.fmt(f) }
    }
}

/// `label.row`, and `label["row-1"]` where the dot would not do.
fn entry(table: &str, name: &Name) -> String {
    let plain =
        name.as_str().chars().all(|c| c.is_ascii_lowercase()) && !matches!(name.as_str(), "in" | "true" | "false");
    if plain { format!("{table}.{name}") } else { format!("{table}[{}]", quoted(name.as_str())) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Texts {
    /// Each alone.
    fn each(&self) -> impl Iterator<Item = (usize, Texts)> {
        self.0.iter().map(|text| Texts(vec![text.clone()])).enumerate()
    }

    /// `fact == "a"`, `fact in ["a", "b"]`, `fact.like("a*")`: what may hold of one text.
    fn terms(&self, fact: &str) -> Vec<String> {
        let (patterns, plain): (Vec<&String>, Vec<&String>) = self.0.iter().partition(|text| text.contains('*'));
        let plain: Vec<String> = plain.into_iter().map(|text| quoted(text)).collect();
        let first = match &plain[..] {
            [] => None,
            [one] => Some(format!("{fact} == {one}")),
            several => Some(format!("{fact} in [{}]", several.join(", "))),
        };
        let patterns = patterns.into_iter().map(|text| format!("{fact}.like({})", quoted(text)));
        first.into_iter().chain(patterns).collect()
    }

    fn any_of(&self, fact: &str) -> String {
        let terms = self.terms(fact);
        if terms.len() == 1 { terms.concat() } else { format!("({})", terms.join(" || ")) }
    }

    fn in_list(&self, list: &str) -> String {
        match &self.0[..] {
            [one] if !one.contains('*') => format!("{} in {list}", quoted(one)),
            _ => format!("{list}.exists(x, {})", self.terms("x").join(" || ")),
        }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Texts, D::Error> {
        struct One;
        impl<'de> de::Visitor<'de> for One {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    if texts.len() == MOST_TOKENS {
                        return Err(de::Error::custom("too many texts; put the devices into a group"));
                    }
                    texts.push(text);
                }
                if texts.is_empty() {
                    return Err(de::Error::custom("an empty list means no device; name at least one text"));
                }
                Ok(Texts(texts))
            }
        }
        from.deserialize_any(One)
    }
}

/// Whom something is for, as people write it: a text in CEL, or a table of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct For(pub Selector);

impl Serialize for For {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.text())
    }
}

impl<'de> Deserialize<'de> for For {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<For, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = For;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an expression such as 'link == \"meters\"', or words such as { link = \"meters\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<For, E> {
                Selector::parse(text).map(For).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<For, A::Error> {
                let words = Words::deserialize(MapAccessDeserializer::new(table))?;
                words.selector().map(For).map_err(|bad| de::Error::custom(words.which(bad)))
            }
        }
        from.deserialize_any(Either)
    }
}
