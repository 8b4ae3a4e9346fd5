//! How small things are spelled in messages.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::store::JournalId;

/// 32 hex digits.
pub fn journal_of(text: &str) -> Option<JournalId> {
    let digits = text.as_bytes();
    if digits.len() != 32 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(|number| JournalId(number.to_be_bytes()))
}

/// For `#[serde(with)]`.
pub mod journal {
    use super::*;

    pub fn serialize<S: Serializer>(id: &JournalId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<JournalId, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        journal_of(&text).ok_or_else(|| D::Error::custom("the id of a journal is 32 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_has_one_spelling() {
        let id = JournalId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(journal_of(&id.to_string()), Some(id));
        let (sign, long, upper) = ("+".repeat(32), "0".repeat(33), "000102030405060708090A0B0C0D0EFF");
        for other in ["", "00", sign.as_str(), long.as_str(), upper] {
            assert_eq!(journal_of(other), None, "{other}");
        }
    }
}
