//! A secret: cannot be printed, and is wiped when dropped.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serializer};
use zeroize::Zeroizing;

/// Deliberately neither `Serialize` nor `Display`, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The only way to the content; grep for it to see who looks.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// For what holds a secret and is shown to people: that there is one, and nothing of it.
pub fn hidden<S: Serializer>(_: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str("…")
}

/// In the same time whatever differs, so that an answer's delay tells nothing.
impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        from.deserialize_any(Text)
    }
}

/// What stands there instead of a text is not repeated in the message: it may be the secret all the same.
struct Text;

impl Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret as a text in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("bytes"), &self))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("hunter2".into());
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("hunter2"));
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn what_is_no_secret_is_not_repeated() {
        for text in ["7777", "-7777", "7777.5", "[7777]", "{\"a\": 7777}"] {
            let error = serde_json::from_str::<Secret>(text).unwrap_err().to_string();
            assert!(error.contains("secret as a text") && !error.contains("7777"), "{error}");
        }
        assert_eq!(serde_json::from_str::<Secret>("\"7777\"").unwrap().reveal(), "7777");
    }

    #[test]
    fn secrets_are_equal_by_content() {
        let secret = |text: &str| Secret::new(text.into());
        assert!(secret("a") == secret("a") && secret("a") != secret("b") && secret("a") != secret("ab"));
    }
}
