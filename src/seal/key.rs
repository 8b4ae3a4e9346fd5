//! Where the key of the seal comes from: a credential of systemd, else a file beside the store, made at the first start.
//!
//! A credential can be bound to the machine's TPM; a file only keeps copies of the store apart from their key. Where there
//! are both, the credential seals, and what the file sealed is still opened.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::file::{self, FileError, Fit};
use super::sealed::{KEY_BYTES, Seal, SealError, random};

/// Beside the store.
pub const KEY_FILE: &str = "seal.key";
const CREDENTIAL: &str = "dmgw.key";

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "the key in {path} has {found} bytes and must have {KEY_BYTES}; bring back the right one, for what was sealed with \
         it opens with nothing else",
        path = .path.display()
    )]
    Length { path: PathBuf, found: usize },
    #[error(
        "there is no key {path}{given}: the daemon makes it at its first start; or name another with --key",
        path = .path.display(), given = .given.as_ref().map(|given| format!(" and no {}", given.display())).unwrap_or_default()
    )]
    None { path: PathBuf, given: Option<PathBuf> },
    #[error(transparent)]
    Random(SealError),
}

/// Where root finds those of the daemon, while it runs.
pub const CREDENTIALS_OF_UNIT: &str = "/run/credentials/dmgw.service";

/// Where systemd puts the credentials of this service.
pub fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

impl Seal {
    /// The daemon's, with its store in this folder. Makes a key where there is none.
    pub fn of_gateway(folder: &Path, credentials: Option<&Path>) -> Result<Seal, KeyError> {
        match Seal::that_is_there(folder, credentials) {
            Err(KeyError::None { path, .. }) => made(&path),
            found => found,
        }
    }

    /// The same for whoever only uses it.
    pub fn that_is_there(folder: &Path, credentials: Option<&Path>) -> Result<Seal, KeyError> {
        let path = folder.join(KEY_FILE);
        let file = there(&path, Fit::Owner)?;
        let credential = credentials.map(|folder| folder.join(CREDENTIAL));
        let given = credential.as_ref().map(|path| there(path, Fit::Anybody)).transpose()?.flatten();
        match (given, file) {
            (Some(given), Some(file)) => Ok(given.opening_too(file)),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => Err(KeyError::None { path, given: credential }),
        }
    }

    /// One that somebody names: a credential too, which systemd shows to the group.
    pub fn in_file(path: &Path) -> Result<Seal, KeyError> {
        there(path, Fit::Group)?.ok_or_else(|| KeyError::None { path: path.to_owned(), given: None })
    }
}

fn there(path: &Path, fit: Fit) -> Result<Option<Seal>, KeyError> {
    // With room to see that it is too long.
    match file::read(path, KEY_BYTES * 32, fit) {
        Ok(bytes) => key(path, &bytes).map(Some),
        Err(FileError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn key(path: &Path, bytes: &[u8]) -> Result<Seal, KeyError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // What a shell or an editor adds to a credential.
    let bytes = bytes.strip_suffix(b"\n").filter(|key| key.len() == KEY_BYTES).unwrap_or(bytes);
    if bytes.len() != KEY_BYTES {
        return Err(KeyError::Length { path: path.to_owned(), found: bytes.len() });
    }
    key.copy_from_slice(bytes);
    Ok(Seal::new(&key))
}

/// Read again: another process may have been faster.
fn made(path: &Path) -> Result<Seal, KeyError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    random(&mut bytes[..]).map_err(KeyError::Random)?;
    file::make(path, &bytes[..])?;
    Seal::in_file(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::model::Secret;

    fn secret() -> Secret {
        Secret::new("hunter22".into())
    }

    #[test]
    fn the_first_start_makes_a_key_and_later_ones_use_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Seal::that_is_there(folder.path(), None), Err(KeyError::None { .. })));
        let sealed = Seal::of_gateway(folder.path(), None).unwrap().seal(&secret(), "config").unwrap();
        for later in [Seal::of_gateway(folder.path(), None), Seal::in_file(&folder.path().join(KEY_FILE))] {
            assert_eq!(later.unwrap().open(&sealed, "config"), Ok(secret()));
        }
        let other = tempfile::tempdir().unwrap();
        let other = Seal::of_gateway(other.path(), None).unwrap();
        assert_eq!(other.open(&sealed, "config"), Err(SealError::OtherKey));
    }

    #[test]
    fn a_credential_goes_first_and_what_the_file_sealed_still_opens() {
        let (folder, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let before = Seal::of_gateway(folder.path(), Some(given.path())).unwrap();
        let old = before.seal(&secret(), "config").unwrap();
        std::fs::write(given.path().join(CREDENTIAL), [7; KEY_BYTES]).unwrap();
        let both = Seal::of_gateway(folder.path(), Some(given.path())).unwrap();
        let new = both.seal(&secret(), "config").unwrap();
        assert_eq!((both.open(&old, "config"), both.open(&new, "config")), (Ok(secret()), Ok(secret())));
        assert_eq!(before.open(&new, "config"), Err(SealError::OtherKey));
        // Alone it needs no file, and none is made.
        let alone = tempfile::tempdir().unwrap();
        let seal = Seal::of_gateway(alone.path(), Some(given.path())).unwrap();
        assert_eq!(seal.open(&new, "config"), Ok(secret()));
        assert!(!alone.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_credential_is_used_as_systemd_shows_it_and_what_was_looked_for_is_told() {
        let (folder, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = given.path().join(CREDENTIAL);
        let says = Seal::that_is_there(folder.path(), Some(given.path())).unwrap_err().to_string();
        assert!(says.contains("seal.key") && says.contains(&path.display().to_string()), "{says}");
        let sealed = Seal::new(&[7; KEY_BYTES]).seal(&secret(), "config").unwrap();
        for bytes in [vec![7; KEY_BYTES], [&[7; KEY_BYTES][..], b"\n"].concat()] {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
            for seal in [Seal::that_is_there(folder.path(), Some(given.path())), Seal::in_file(&path)] {
                assert_eq!(seal.unwrap().open(&sealed, "config"), Ok(secret()));
            }
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, [7; KEY_BYTES]).unwrap();
        for mode in [0o444, 0o460] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(Seal::in_file(&path).is_err(), "{mode:o}");
        }
    }

    #[test]
    fn a_key_of_another_length_or_that_others_may_read_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        for length in [0, 31, 33, 5_000] {
            file::make(&path, &vec![1; length]).unwrap();
            assert!(Seal::of_gateway(folder.path(), None).is_err(), "{length}");
            assert_eq!(path.metadata().unwrap().len(), length as u64);
            std::fs::remove_file(&path).unwrap();
        }
        Seal::of_gateway(folder.path(), None).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Seal::of_gateway(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
