//! The signed envelope: `{"says": "<text>", "key": "<key id>", "signature": "<base64url>"}`, Ed25519 over the exact bytes of
//! the text. What it says is read only after it is known who says it, and never spelled anew before.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::BadMessage;
use super::tree::nesting;

/// Bytes of a public key, and of its id before it is spelled.
pub const PUBLIC: usize = 32;
const ID: usize = 12;
/// Characters of a key id that somebody sends.
const LONGEST_ID: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Envelope<'a> {
    /// JSON, as a text: these bytes are signed.
    #[serde(borrow)]
    pub says: Cow<'a, str>,
    /// The id of the key: the first 12 bytes of the SHA-256 of the public key, base64url.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// Ed25519 (RFC 8032), 64 bytes, base64url without padding.
    #[serde(borrow)]
    pub signature: Cow<'a, str>,
}

/// Why nobody believes it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadEnvelope {
    #[error("nobody knows the key {0:?}")]
    UnknownKey(String),
    #[error("the signature does not fit what is said and the key {0:?}")]
    Signature(String),
}

/// The id of a public key.
pub fn key_id(public: &[u8]) -> String {
    BASE64.encode(&digest(&SHA256, public).as_ref()[..ID])
}

/// `sign` makes the 64 bytes.
pub fn seal(says: String, public: &[u8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Envelope<'static> {
    let signature = BASE64.encode(sign(says.as_bytes()));
    Envelope { says: says.into(), key: key_id(public).into(), signature: signature.into() }
}

impl<'a> Envelope<'a> {
    pub fn to_bytes(&self) -> Result<Vec<u8>, BadMessage> {
        Ok(serde_json::to_vec(self)?)
    }

    pub fn read(bytes: &'a [u8], most: usize) -> Result<Envelope<'a>, BadMessage> {
        if bytes.len() > most {
            return Err(BadMessage::TooLong(bytes.len(), most));
        }
        if nesting(bytes) > 1 || !is_object(bytes) {
            return Err(BadMessage::wrong("an envelope is an object of says, key and signature"));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// What it says, if the key of this id signed it. `public`: whose keys are known.
    pub fn open(&self, public: impl FnOnce(&str) -> Option<[u8; PUBLIC]>) -> Result<&str, BadEnvelope> {
        let id = || self.key.chars().take(LONGEST_ID).collect();
        let known = if self.key.len() <= LONGEST_ID { public(&self.key) } else { None };
        let public = known.ok_or_else(|| BadEnvelope::UnknownKey(id()))?;
        let signature = BASE64.decode(self.signature.as_bytes()).map_err(|_| BadEnvelope::Signature(id()))?;
        let key = UnparsedPublicKey::new(&ED25519, public);
        key.verify(self.says.as_bytes(), &signature).map_err(|_| BadEnvelope::Signature(id()))?;
        Ok(&self.says)
    }
}

/// A list of the same values in the order of the source would be taken for an object.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn pair(seed: u8) -> (Ed25519KeyPair, [u8; PUBLIC]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (pair, public)
    }

    fn sealed(says: &str) -> (Vec<u8>, [u8; PUBLIC]) {
        let (pair, public) = pair(7);
        let envelope = seal(says.to_owned(), &public, |bytes| pair.sign(bytes).as_ref().to_vec());
        (envelope.to_bytes().unwrap(), public)
    }

    #[test]
    fn what_was_signed_is_believed_to_the_byte() {
        let says = "{ \"a\" : 1.0,\n\"\u{e4}\":\"\\u0041\" }";
        let (bytes, public) = sealed(says);
        let envelope = Envelope::read(&bytes, 1_000).unwrap();
        assert_eq!(envelope.open(|id| (id == key_id(&public)).then_some(public)), Ok(says));
    }

    #[test]
    fn another_text_key_or_signature_is_not_believed() {
        let (bytes, public) = sealed("{\"amount\":1}");
        let text = String::from_utf8(bytes).unwrap();
        let open = |text: &str, public| {
            let envelope = Envelope::read(text.as_bytes(), 1_000).unwrap();
            envelope.open(|_| Some(public)).map(str::to_owned)
        };
        assert!(open(&text, public).is_ok());
        let id = key_id(&public);
        assert_eq!(
            open(&text.replace("amount\\\":1", "amount\\\":2"), public),
            Err(BadEnvelope::Signature(id.clone()))
        );
        assert_eq!(open(&text, pair(8).1), Err(BadEnvelope::Signature(id.clone())));
        let envelope = Envelope::read(text.as_bytes(), 1_000).unwrap();
        let cut = Envelope { signature: envelope.signature[..80].to_owned().into(), ..envelope.clone() };
        assert_eq!(cut.open(|_| Some(public)), Err(BadEnvelope::Signature(id.clone())));
        assert_eq!(envelope.open(|_| None), Err(BadEnvelope::UnknownKey(id)));
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let (bytes, _) = sealed("x");
        assert!(matches!(Envelope::read(&bytes, bytes.len() - 1), Err(BadMessage::TooLong(..))));
        for text in [
            "",
            "[]",
            "[\"a\",\"b\",\"c\"]",
            "{\"says\":{}}",
            "{\"says\":\"\",\"key\":\"\"}",
            "{\"says\":\"\",\"key\":\"\",\"signature\":\"\",\"x\":1}",
        ] {
            assert!(Envelope::read(text.as_bytes(), 1_000).is_err(), "{text}");
        }
    }
}
