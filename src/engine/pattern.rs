//! Patterns over identities, as admission rules name them: `serial:acme:*`, where `*` stands for any text.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::Identity;

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
        let kind = serde_json::to_value(identity.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
        fits(&self.0, &format!("{kind}:{}", identity.value))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Pattern, D::Error> {
        Pattern::new(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// Each part between stars is taken where it comes first, which is enough: the last one must end the text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IdentityKind, Proof};

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [
            ("serial:acme:*", "serial:acme:17"),
            ("serial:acme:*", "serial:acme:"),
            ("*", "eui:00"),
            ("serial:*:1*7", "serial:acme:1997"),
            ("serial:a", "serial:a"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("serial:acme:*", "serial:acm:17"),
            ("serial:*:1*7", "serial:acme:196"),
            ("serial:a", "serial:ab"),
            ("*ab*ab", "serial:ab"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_names_the_kind_of_identity() {
        let identity = Identity::new(IdentityKind::Eui, "00:24:BE", Proof::Seen).unwrap();
        assert!(Pattern::new("eui:0024*").unwrap().fits(&identity));
        assert!(!Pattern::new("ble:0024*").unwrap().fits(&identity));
        assert!(Pattern::new("acme").is_err() && Pattern::new("").is_err() && Pattern::new("a b:c").is_err());
    }
}
