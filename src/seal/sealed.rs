//! Closing and opening: ChaCha20-Poly1305 with a fresh random nonce each time.
//!
//! What a secret is for is sealed along: a text that was moved to another place does not open there. The first bytes name
//! the key, so that a wrong key and a changed text are told apart.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::BASE64;
use crate::model::Secret;

/// Bytes of the key of a seal.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of a secret; certificates with their chains fit.
pub const LONGEST_SECRET: usize = 64 << 10;

const MARK: &str = "dmgw1:";
const ID: usize = 4;
/// The id of the key, the nonce, and behind the text the tag.
const AROUND: usize = ID + NONCE_LEN + TAG;
const TAG: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("this is no sealed text, or only a part of one: it is dmgw1: and letters, digits, - and _; copy it whole")]
    NotSealed,
    #[error("it is longer than {LONGEST_SECRET} bytes; a secret is shorter")]
    TooLong,
    #[error("it was sealed with another key than this gateway has; bring that key back, or seal the secret anew")]
    OtherKey,
    #[error("the sealed text was changed or cut, or sealed for another purpose; seal the secret anew")]
    Changed,
    #[error("the kernel gives no random bytes; try again")]
    NoRandom,
}

/// Holds a key; further ones only open what was sealed with them before.
pub struct Seal {
    key: Key,
    former: Vec<Key>,
}

/// On the heap, so that a move leaves no copy.
struct Key(Zeroizing<Vec<u8>>);

/// Id of the key, nonce, closed text, tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Seal {
    pub fn new(key: &[u8; KEY_BYTES]) -> Seal {
        Seal { key: Key(Zeroizing::new(key.to_vec())), former: Vec::new() }
    }

    /// It also opens what the other one closed.
    pub fn opening_too(mut self, other: Seal) -> Seal {
        self.former.push(other.key);
        self.former.extend(other.former);
        self
    }

    pub fn seal(&self, secret: &Secret, purpose: &str) -> Result<Sealed, SealError> {
        let text = secret.reveal().as_bytes();
        if text.len() > LONGEST_SECRET {
            return Err(SealError::TooLong);
        }
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        // With room for all, so that no copy of the text is left behind where it grows; then it is closed in place.
        let mut bytes = Vec::with_capacity(AROUND + text.len());
        bytes.extend_from_slice(&self.key.id());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(text);
        let closed = &mut bytes[ID + NONCE_LEN..];
        let tag = self.key.of_ring()?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(purpose.as_bytes()),
            closed,
        );
        bytes.extend_from_slice(tag.map_err(|_| SealError::TooLong)?.as_ref());
        Ok(Sealed(bytes))
    }

    /// Whether it was closed with a former key.
    pub fn is_former(&self, sealed: &Sealed) -> bool {
        !sealed.0.starts_with(&self.key.id())
    }

    /// Shows whether a secret is the same as before, and nothing else to whoever does not have the key. Under another key
    /// of the seal it is another.
    pub fn mark(&self, secret: &Secret) -> u64 {
        let of_marks = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.key.0), b"dmgw: marks of secrets");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, of_marks.as_ref()), secret.reveal().as_bytes());
        let mut mark = [0; 8];
        mark.copy_from_slice(&tag.as_ref()[..8]);
        // 0 stands for none.
        u64::from_be_bytes(mark).max(1)
    }

    pub fn open(&self, sealed: &Sealed, purpose: &str) -> Result<Secret, SealError> {
        let (id, rest) = sealed.0.split_first_chunk::<ID>().ok_or(SealError::NotSealed)?;
        let (nonce, closed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::NotSealed)?;
        let mut keys = std::iter::once(&self.key).chain(&self.former);
        let key = keys.find(|key| key.id() == *id).ok_or(SealError::OtherKey)?;
        let mut text = Zeroizing::new(closed.to_vec());
        let aad = Aad::from(purpose.as_bytes());
        let opened = key.of_ring()?.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text);
        let opened = opened.map_err(|_| SealError::Changed)?;
        let text = std::str::from_utf8(opened).map_err(|_| SealError::Changed)?;
        Ok(Secret::new(text.to_owned()))
    }
}

impl Key {
    /// Says nothing of the key to whoever does not have it.
    fn id(&self) -> [u8; ID] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), b"dmgw: which key");
        let mut id = [0; ID];
        id.copy_from_slice(&tag.as_ref()[..ID]);
        id
    }

    fn of_ring(&self) -> Result<LessSafeKey, SealError> {
        // Fails only for another length than there is.
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.0).map_err(|_| SealError::OtherKey)?;
        Ok(LessSafeKey::new(key))
    }
}

pub(super) fn random(bytes: &mut [u8]) -> Result<(), SealError> {
    SystemRandom::new().fill(bytes).map_err(|_| SealError::NoRandom)
}

#[cfg(test)]
impl Seal {
    pub(super) fn by_chance() -> Seal {
        let mut key = [0; KEY_BYTES];
        random(&mut key).unwrap();
        Seal::new(&key)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Sealed {
    pub fn from_bytes(bytes: &[u8]) -> Result<Sealed, SealError> {
        match bytes.len() {
            ..AROUND => Err(SealError::NotSealed),
            long if long > AROUND + LONGEST_SECRET => Err(SealError::TooLong),
            _ => Ok(Sealed(bytes.to_vec())),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Sealed {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Sealed, SealError> {
        let text = text.strip_prefix(MARK).ok_or(SealError::NotSealed)?;
        // Four letters for three bytes.
        if text.len() / 4 * 3 > AROUND + LONGEST_SECRET {
            return Err(SealError::TooLong);
        }
        let bytes = BASE64.decode(text).map_err(|_| SealError::NotSealed)?;
        Sealed::from_bytes(&bytes)
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}{}", BASE64.encode(&self.0))
    }
}

/// No secret, but long and of no use to whoever reads a log.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_for_the_same_purpose_only() {
        let (seal, other) = (Seal::by_chance(), Seal::by_chance());
        let sealed = seal.seal(&secret("hunter22"), "config").unwrap();
        assert_eq!(seal.open(&sealed, "config").unwrap().reveal(), "hunter22");
        assert_eq!(seal.open(&sealed, "device-key:serial:acme:1"), Err(SealError::Changed));
        assert_eq!(other.open(&sealed, "config"), Err(SealError::OtherKey));
        let both = other.opening_too(seal);
        assert_eq!(both.open(&sealed, "config").unwrap().reveal(), "hunter22");
        let anew = both.seal(&secret("x"), "config").unwrap();
        assert_eq!(Seal { former: Vec::new(), ..both }.open(&anew, "config").unwrap().reveal(), "x");
    }

    #[test]
    fn a_mark_is_of_one_secret_under_one_key() {
        let (one, other) = (Seal::new(&[1; KEY_BYTES]), Seal::new(&[2; KEY_BYTES]));
        let marks = [&one, &other].map(|seal| ["hunter22", "hunter23"].map(|text| seal.mark(&secret(text))));
        let all: std::collections::BTreeSet<u64> = marks.concat().into_iter().collect();
        assert_eq!((all.len(), one.mark(&secret("hunter22"))), (4, marks[0][0]));
        let later = other.opening_too(one);
        assert_eq!(later.mark(&secret("hunter22")), marks[1][0], "as the key that seals now has it");
    }

    #[test]
    fn the_text_goes_through_a_file_and_holds_nothing_of_the_secret() {
        let seal = Seal::by_chance();
        for text in ["", "hunter22", "späť\n", &"x".repeat(LONGEST_SECRET)] {
            let sealed = seal.seal(&secret(text), "config").unwrap();
            let shown = sealed.to_string();
            assert_eq!(shown.parse(), Ok(sealed.clone()));
            assert_eq!(Sealed::from_bytes(sealed.as_bytes()), Ok(sealed.clone()));
            assert!(text.is_empty() || !shown.contains(text));
            assert_eq!(seal.open(&sealed, "config").unwrap().reveal(), text);
        }
        assert_eq!(seal.seal(&secret(&"x".repeat(LONGEST_SECRET + 1)), "config"), Err(SealError::TooLong));
    }

    #[test]
    fn the_same_secret_is_never_closed_the_same_way() {
        let seal = Seal::by_chance();
        assert_ne!(seal.seal(&secret("a"), "config"), seal.seal(&secret("a"), "config"));
    }

    #[test]
    fn a_text_with_a_changed_byte_or_cut_anywhere_does_not_open() {
        let seal = Seal::by_chance();
        let sealed = seal.seal(&secret("hunter22"), "config").unwrap();
        for at in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[at] ^= 1;
            let expected = if at < ID { SealError::OtherKey } else { SealError::Changed };
            assert_eq!(seal.open(&Sealed::from_bytes(&bytes).unwrap(), "config"), Err(expected), "byte {at}");
        }
        let text = sealed.to_string();
        for end in 0..text.len() {
            let cut = text[..end].parse::<Sealed>().and_then(|cut| seal.open(&cut, "config"));
            assert!(matches!(cut, Err(SealError::NotSealed | SealError::Changed)), "{end}: {cut:?}");
        }
    }

    #[test]
    fn what_is_no_sealed_text_is_said_to_be_none() {
        for text in ["", "hunter22", "dmgw1:", "dmgw1:abc", "dmgw2:aaaa", &format!("dmgw1:{}", "!".repeat(60))] {
            assert_eq!(text.parse::<Sealed>(), Err(SealError::NotSealed), "{text}");
        }
        let long = format!("{MARK}{}", "A".repeat(LONGEST_SECRET * 2));
        assert_eq!(long.parse::<Sealed>(), Err(SealError::TooLong));
        assert_eq!(Sealed::from_bytes(&vec![0; AROUND + LONGEST_SECRET + 1]), Err(SealError::TooLong));
    }

    #[test]
    fn neither_the_seal_nor_what_it_closed_prints_anything() {
        let seal = Seal::new(&[b'k'; KEY_BYTES]);
        let sealed = seal.seal(&secret("hunter22"), "config").unwrap();
        assert_eq!(format!("{seal:?} {sealed:?}"), "Seal(…) Sealed(…)");
    }
}
