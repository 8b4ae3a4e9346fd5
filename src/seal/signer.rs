//! Keys of those who sign what they ask: made and kept where they are, in a file for its owner only. A gateway knows the
//! public part, under the same name ([`PublicKey`](super::PublicKey)).

use std::io;
use std::path::Path;

use base64::Engine;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use super::BASE64;
use super::file::{self, FileError, Fit};
use super::own::{LARGEST_FILE, OwnError, OwnKey, SEED};
use super::sealed::random;
use crate::model::Name;

/// A line: this, the name, and the seed in base64url.
const BEGINS: &str = "dmgw-key";

impl OwnKey {
    /// Makes one, where nothing is.
    pub fn create(path: &Path, name: Name) -> Result<OwnKey, OwnError> {
        if std::fs::symlink_metadata(path).is_ok() {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(FileError::Make { path: path.to_owned(), source }.into());
        }
        let mut seed = Zeroizing::new([0; SEED]);
        random(&mut seed[..]).map_err(OwnError::Made)?;
        let line = Zeroizing::new(format!("{BEGINS}:{name}:{}\n", Zeroizing::new(BASE64.encode(&seed[..])).as_str()));
        file::make(path, line.as_bytes())?;
        // Another process may have been faster, with a name of its own.
        OwnKey::in_file(path)
    }

    pub fn in_file(path: &Path) -> Result<OwnKey, OwnError> {
        let bytes = file::read(path, LARGEST_FILE, Fit::Owner)?;
        read(&bytes).ok_or_else(|| OwnError::NotOne { path: path.to_owned() })
    }
}

fn read(bytes: &[u8]) -> Option<OwnKey> {
    let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (name, seed) = line.strip_prefix(BEGINS)?.strip_prefix(':')?.split_once(':')?;
    let mut bytes = Zeroizing::new([0; SEED + 3]);
    let length = BASE64.decode_slice(seed, &mut bytes[..]).ok()?;
    let pair = Ed25519KeyPair::from_seed_unchecked(bytes.get(..length)?).ok()?;
    Some(OwnKey::named(pair, Name::new(name).ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::{BadSignature, Envelope, PublicKey};
    use super::*;

    fn name() -> Name {
        Name::new("office/ann").unwrap()
    }

    #[test]
    fn a_key_signs_under_its_name_after_it_was_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let made = OwnKey::create(&path, name()).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = OwnKey::in_file(&path).unwrap();
        let envelope = Envelope::sign(&again, "a");
        assert_eq!((envelope.verify(&made.public_text().parse().unwrap()), &envelope.key), (Ok(()), &name()));
        let other = OwnKey::create(&folder.path().join("b.key"), name()).unwrap();
        let public: PublicKey = other.public_text().parse().unwrap();
        assert_eq!(envelope.verify(&public), Err(BadSignature::Wrong));
    }

    #[test]
    fn what_is_there_stays_and_what_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let made = OwnKey::create(&path, name()).unwrap();
        assert!(matches!(OwnKey::create(&path, name()), Err(OwnError::File(FileError::Make { .. }))));
        assert_eq!(OwnKey::in_file(&path).unwrap().public(), made.public());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(OwnKey::in_file(&path), Err(OwnError::File(FileError::Others { .. }))));
    }

    #[test]
    fn what_is_no_key_is_said_so() {
        let seed = BASE64.encode([7; SEED]);
        assert!(read(format!("dmgw-key:ann:{seed}\n").as_bytes()).is_some());
        for bad in [
            String::new(),
            "\n".into(),
            format!("dmgw-key:ann:{seed}"),
            format!("dmgw-key:a b:{seed}\n"),
            format!("dmgw-key:ann:{}\n", &seed[1..]),
            format!("dmgw-key:ann:{seed}AAAA\n"),
            format!("dmgw-keys:ann:{seed}\n"),
            format!("ann:{seed}\n"),
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
