//! How settings name a secret without holding it: a credential of systemd, a file, or the text sealed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::file::{self, FileError, Fit};
use super::sealed::{LONGEST_SECRET, Seal, SealError, Sealed};
use crate::model::Secret;

/// What a sealed text in the settings is for.
pub const IN_SETTINGS: &str = "config";

const WAYS: &str = "{ credential = \"NAME\" }, { file = \"PATH\" } or { sealed = \"dmgw1:…\" }";

#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    Credential(String),
    File(PathBuf),
    Sealed(Sealed),
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the sealed secret cannot be opened: {0}; dmgw secret seal makes a new one")]
    Sealed(#[from] SealError),
    #[error("a credential is named by a word without a slash; {0:?} is none")]
    Name(String),
    #[error(
        "the credential {0} is not there, for systemd gave this process none; add LoadCredential={0}:PATH to the unit, or \
         name the secret as {WAYS}"
    )]
    NoCredentials(String),
    #[error("{0:?} holds no secret: it is empty, or no text in UTF-8")]
    NoText(SecretSource),
}

/// As the settings write it: what is sealed may be seen.
impl Serialize for SecretSource {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (kind, text) = match self {
            SecretSource::Credential(name) => ("credential", name.clone()),
            SecretSource::File(path) => ("file", path.display().to_string()),
            SecretSource::Sealed(sealed) => ("sealed", sealed.to_string()),
        };
        to.collect_map([(kind, text)])
    }
}

impl SecretSource {
    pub fn resolve(&self, seal: &Seal, credentials: Option<&Path>) -> Result<Secret, SecretError> {
        match self {
            SecretSource::Sealed(sealed) => Ok(seal.open(sealed, IN_SETTINGS)?),
            SecretSource::File(path) => self.text(file::read(path, LONGEST_SECRET, Fit::Group)?),
            SecretSource::Credential(name) => {
                plain(name)?;
                let folder = credentials.ok_or_else(|| SecretError::NoCredentials(name.clone()))?;
                self.text(file::read(&folder.join(name), LONGEST_SECRET, Fit::Anybody)?)
            }
        }
    }

    /// Without the end of its last line, which an editor adds.
    fn text(&self, bytes: Zeroizing<Vec<u8>>) -> Result<Secret, SecretError> {
        let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NoText(self.clone()))?;
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(SecretError::NoText(self.clone()));
        }
        Ok(Secret::new(text.to_owned()))
    }

    fn of(kind: &str, text: String) -> Result<SecretSource, String> {
        match kind {
            "credential" => plain(&text).map(|()| SecretSource::Credential(text)).map_err(|error| error.to_string()),
            "file" => Ok(SecretSource::File(text.into())),
            // Not shown: it may be a secret in the wrong place.
            "sealed" => text.parse().map(SecretSource::Sealed).map_err(|error| error.to_string()),
            _ => Err(format!("unknown way to name a secret; there are {WAYS}")),
        }
    }
}

fn plain(name: &str) -> Result<(), SecretError> {
    match name.is_empty() || name.contains('/') || name.starts_with('.') {
        true => Err(SecretError::Name(name.to_owned())),
        false => Ok(()),
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Credential(name) => write!(f, "credential {name:?}"),
            SecretSource::File(path) => write!(f, "file {path:?}"),
            SecretSource::Sealed(_) => f.write_str("a sealed text"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<SecretSource, D::Error> {
        from.deserialize_any(Ways)
    }
}

struct Ways;

impl<'de> Visitor<'de> for Ways {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WAYS)
    }

    /// Somebody wrote the secret itself: the message must not repeat it.
    fn visit_str<E: Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(format!("a secret does not stand here in clear; write {WAYS}")))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<SecretSource, M::Error> {
        let mut found = None;
        while let Some(kind) = map.next_key::<String>()? {
            // What stands there is not repeated, whatever it is.
            let text: Result<String, M::Error> = map.next_value();
            let text = text.map_err(|_| M::Error::custom(format!("what names a secret is a text; write {WAYS}")))?;
            let source = SecretSource::of(&kind, text).map_err(M::Error::custom)?;
            if found.replace(source).is_some() {
                return Err(M::Error::custom(format!("this names two secrets; write one of {WAYS}")));
            }
        }
        found.ok_or_else(|| M::Error::custom(format!("this names no secret; write {WAYS}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Settings {
        password: SecretSource,
    }

    fn read(text: &str) -> Result<SecretSource, String> {
        let settings = toml::from_str::<Settings>(&format!("password = {text}"));
        settings.map(|settings| settings.password).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn each_way_of_naming_leads_to_the_secret_without_the_end_of_its_line() {
        let (folder, seal) = (tempfile::tempdir().unwrap(), Seal::by_chance());
        let resolved =
            |text: &str| read(text).unwrap().resolve(&seal, Some(folder.path())).unwrap().reveal().to_owned();
        file::make(&folder.path().join("a"), b"hunter22\n").unwrap();
        file::make(&folder.path().join("b"), b"two\nlines\n\n").unwrap();
        assert_eq!(resolved("{ credential = 'a' }"), "hunter22");
        assert_eq!(resolved("{ credential = 'b' }"), "two\nlines\n");
        assert_eq!(resolved(&format!("{{ file = {:?} }}", folder.path().join("a"))), "hunter22");
        let sealed = seal.seal(&Secret::new("hunter22\n".into()), IN_SETTINGS).unwrap();
        assert_eq!(resolved(&format!("{{ sealed = '{sealed}' }}")), "hunter22\n");
    }

    #[test]
    fn what_names_no_secret_or_two_is_refused_with_the_three_ways_and_without_what_stood_there() {
        for text in [
            "'hunter22'",
            "7777",
            "{}",
            "{ hunter22 = 'hunter22' }",
            "{ password = 'hunter22' }",
            "{ file = 'a', credential = 'b' }",
            "{ file = 7777 }",
            "{ sealed = ['hunter22'] }",
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("credential") && error.contains("file") && error.contains("sealed"), "{error}");
            assert!(!error.contains("hunter22"), "{error}");
        }
        let error = read("{ sealed = 'hunter22' }").unwrap_err();
        assert!(error.contains("no sealed text") && !error.contains("hunter22"), "{error}");
    }

    #[test]
    fn a_credential_stays_within_its_folder() {
        for name in ["../a", "/etc/passwd", "", "a/b", ".."] {
            assert!(read(&format!("{{ credential = '{name}' }}")).unwrap_err().contains("without a slash"));
            let direct = SecretSource::Credential(name.into()).resolve(&Seal::by_chance(), Some(Path::new("/")));
            assert!(matches!(direct, Err(SecretError::Name(_))));
        }
        let lost = SecretSource::Credential("a".into()).resolve(&Seal::by_chance(), None).unwrap_err().to_string();
        assert!(lost.contains("LoadCredential=a"), "{lost}");
    }

    #[test]
    fn what_is_there_and_no_secret_is_told() {
        let (folder, seal) = (tempfile::tempdir().unwrap(), Seal::by_chance());
        for bytes in [&b""[..], b"\n", b"\xff"] {
            let path = folder.path().join("a");
            file::make(&path, bytes).unwrap();
            let error = SecretSource::File(path.clone()).resolve(&seal, None).unwrap_err();
            assert!(matches!(error, SecretError::NoText(_)), "{error}");
            std::fs::remove_file(path).unwrap();
        }
        let sealed = Seal::by_chance().seal(&Secret::new("x".into()), IN_SETTINGS).unwrap();
        let error = SecretSource::Sealed(sealed).resolve(&seal, None).unwrap_err().to_string();
        assert!(error.contains("another key") && error.contains("dmgw secret seal"), "{error}");
    }

    #[test]
    fn it_shows_kind_and_name_and_nothing_else() {
        let sealed = Seal::by_chance().seal(&Secret::new("x".into()), IN_SETTINGS).unwrap();
        for (source, shown) in [
            (SecretSource::Credential("a".into()), "credential \"a\""),
            (SecretSource::File("/b".into()), "file \"/b\""),
            (SecretSource::Sealed(sealed), "a sealed text"),
        ] {
            assert_eq!(format!("{source:?}"), shown);
        }
    }
}
