//! Patterns, where `*` stands for any text: over identities, as admission rules name them (`serial:acme:*`), and over
//! what a device tells of itself.

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use super::glob;
use super::id::{Identity, IdentityKind};

/// Bytes of one pattern.
const LONGEST: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    pub fn new(text: &str) -> Result<Pattern, String> {
        if text.is_empty() || text.len() > LONGEST || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(format!("a pattern has 1 to {LONGEST} printable characters without spaces"));
        }
        let kind = text.split(':').next().unwrap_or_default();
        if kind == text && kind != "*" {
            return Err(format!("{text:?} is no pattern; write KIND:VALUE, such as serial:acme:*"));
        }
        Ok(Pattern(text.to_owned()))
    }

    pub fn fits(&self, identity: &Identity) -> bool {
        glob::fits(&self.0, &identity.to_string())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Pattern, D::Error> {
        let text = String::deserialize(from)?;
        let pattern = Pattern::new(&text).map_err(serde::de::Error::custom)?;
        // A kind that nobody has would fit nothing, and nobody would be told.
        match text.split(':').next().filter(|kind| !kind.contains('*')) {
            Some(kind) => IdentityKind::deserialize(kind.into_deserializer()).map(|_| pattern),
            None => Ok(pattern),
        }
    }
}

/// Over any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TextPattern(String);

impl TextPattern {
    pub fn new(text: &str) -> Result<TextPattern, String> {
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(format!("a pattern has 1 to {LONGEST} bytes and no control characters"));
        }
        Ok(TextPattern(text.to_owned()))
    }

    pub fn fits(&self, text: &str) -> bool {
        glob::fits(&self.0, text)
    }
}

impl<'de> Deserialize<'de> for TextPattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<TextPattern, D::Error> {
        TextPattern::new(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

macro_rules! shown_as_written {
    ($($name:ident)*) => { $(impl std::fmt::Display for $name {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    })* };
}

shown_as_written! { Pattern TextPattern }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Proof;

    #[test]
    fn a_pattern_names_the_kind_of_identity() {
        let identity = Identity::new(IdentityKind::Eui, "00:24:BE", Proof::Seen).unwrap();
        assert!(Pattern::new("eui:0024*").unwrap().fits(&identity));
        assert!(!Pattern::new("ble:0024*").unwrap().fits(&identity));
        assert!(Pattern::new("acme").is_err() && Pattern::new("").is_err() && Pattern::new("a b:c").is_err());
    }
}
