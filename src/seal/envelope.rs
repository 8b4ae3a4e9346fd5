//! Envelopes: a text that somebody has signed, with the name of the key. Ed25519 over the exact bytes of the text, so that
//! nobody has to agree on how JSON is spelled.
//!
//! What a text must say to be worth anything (for whom, until when, which one of several) is for those who read it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BASE64, OwnKey};
use crate::model::Name;

const KEY: usize = 32;
const SIGNATURE: usize = 64;

/// As it travels, in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What was signed, byte for byte.
    pub says: String,
    /// Which key, as those call it who know its public part.
    pub key: Name,
    /// In base64url, without padding.
    pub signature: String,
}

/// By which others know whose signature it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; KEY]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    #[error("a signature is 64 bytes in base64url")]
    NotOne,
    #[error("the signature is not by this key, or what it signs was changed")]
    Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 43 letters, digits, - and _ (32 bytes in base64url), as dmgw key create shows it")]
pub struct NoKey;

impl Envelope {
    pub fn sign(own: &OwnKey, says: impl Into<String>) -> Envelope {
        let says = says.into();
        let signature = BASE64.encode(own.sign(says.as_bytes()));
        Envelope { says, key: own.name().clone(), signature }
    }

    pub fn verify(&self, public: &PublicKey) -> Result<(), BadSignature> {
        // With room for what base64 may write beyond its end.
        let mut signature = [0; SIGNATURE + 3];
        let length = BASE64.decode_slice(&self.signature, &mut signature).map_err(|_| BadSignature::NotOne)?;
        let signature = signature.get(..length).filter(|_| length == SIGNATURE).ok_or(BadSignature::NotOne)?;
        let known = UnparsedPublicKey::new(&ED25519, public.0);
        known.verify(self.says.as_bytes(), signature).map_err(|_| BadSignature::Wrong)
    }
}

impl FromStr for PublicKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<PublicKey, NoKey> {
        let mut bytes = [0; KEY + 3];
        let length = BASE64.decode_slice(text, &mut bytes).map_err(|_| NoKey)?;
        let (key, _) = bytes.split_first_chunk().filter(|_| length == KEY).ok_or(NoKey)?;
        Ok(PublicKey(*key))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PublicKey, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Seal;
    use super::*;

    fn own() -> (OwnKey, PublicKey) {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnKey::of_gateway(folder.path(), &Seal::by_chance()).unwrap();
        let public = own.public_text().parse().unwrap();
        (own, public)
    }

    #[test]
    fn what_was_signed_holds_as_it_was_and_in_no_other_way() {
        let (own, public) = own();
        let envelope = Envelope::sign(&own, r#"{"switch":"on"}"#);
        assert_eq!(envelope.verify(&public), Ok(()));
        let travelled: Envelope = serde_json::from_str(&serde_json::to_string(&envelope).unwrap()).unwrap();
        assert_eq!((travelled.verify(&public), &travelled), (Ok(()), &envelope));
        // The same JSON for a reader of JSON, and other bytes.
        let spaced = Envelope { says: r#"{"switch": "on"}"#.into(), ..envelope.clone() };
        assert_eq!(spaced.verify(&public), Err(BadSignature::Wrong));
        assert_eq!(envelope.verify(&self::own().1), Err(BadSignature::Wrong));
        let other = Envelope { signature: Envelope::sign(&own, "off").signature, ..envelope };
        assert_eq!(other.verify(&public), Err(BadSignature::Wrong));
    }

    #[test]
    fn each_bit_of_text_and_signature_counts() {
        let (own, public) = own();
        let envelope = Envelope::sign(&own, "ab");
        let signature = BASE64.decode(&envelope.signature).unwrap();
        for bit in 0..signature.len() * 8 {
            let mut bent = signature.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let bent = Envelope { signature: BASE64.encode(bent), ..envelope.clone() };
            assert_eq!(bent.verify(&public), Err(BadSignature::Wrong), "bit {bit}");
        }
        for says in ["", "a", "aB", "ab ", "abc"] {
            let bent = Envelope { says: says.into(), ..envelope.clone() };
            assert_eq!(bent.verify(&public), Err(BadSignature::Wrong), "{says}");
        }
    }

    #[test]
    fn what_is_no_signature_or_no_key_is_said_so() {
        let (own, public) = own();
        let envelope = Envelope::sign(&own, "a");
        let long = format!("{}AAAA", envelope.signature);
        for bad in ["", "!", &envelope.signature[1..], &long, &"A".repeat(4_096)] {
            let bent = Envelope { signature: bad.to_owned(), ..envelope.clone() };
            assert_eq!(bent.verify(&public), Err(BadSignature::NotOne), "{bad}");
        }
        let text = public.to_string();
        assert_eq!((text.len(), text.parse()), (43, Ok(public)));
        for bad in ["", "!", &text[1..], &format!("{text}A"), &format!("{text}="), &"A".repeat(4_096)] {
            assert_eq!(bad.parse::<PublicKey>(), Err(NoKey), "{bad}");
        }
    }
}
