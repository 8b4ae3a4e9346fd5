//! The gateway's own Ed25519 key: what it will prove itself with. Made at the first start and kept, sealed, beside the
//! store.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::BASE64;
use super::file::{self, FileError, Fit};
use super::sealed::{Seal, SealError, Sealed, random};
use crate::disk;
use crate::model::{Name, Secret};

const FILE: &str = "gateway.key";
const PURPOSE: &str = "gateway-key";
pub(super) const SEED: usize = 32;
/// Letters of the public part that name the key of a gateway.
const NAME: usize = 16;
pub(super) const LARGEST_FILE: usize = 1 << 10;

/// A file that cannot be used stays as it is: those who know the gateway by its key would not know another.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "the gateway's own key in {path} cannot be opened; bring back this file and the seal.key (or the credential \
         dmgw.key) that it was made with. Or move it away and restart: the gateway makes a new key, and whoever knows it \
         by the old one must be told the new one, which dmgw secret public shows",
        path = .path.display()
    )]
    Closed {
        path: PathBuf,
        #[source]
        source: SealError,
    },
    #[error(transparent)]
    Made(SealError),
    #[error("{path} is no key that dmgw key create made, or only a part of one", path = .path.display())]
    NotOne { path: PathBuf },
}

pub struct OwnKey {
    pair: Ed25519KeyPair,
    /// What envelopes that it signs call it.
    name: Name,
}

impl OwnKey {
    /// Makes one where there is none in this folder.
    pub fn of_gateway(folder: &Path, seal: &Seal) -> Result<OwnKey, OwnError> {
        let path = folder.join(FILE);
        match file::read(&path, LARGEST_FILE, Fit::Owner) {
            Err(FileError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => made(&path, seal),
            Err(error) => Err(error.into()),
            Ok(bytes) => {
                let own = opened(&bytes, seal).map_err(|source| OwnError::Closed { path: path.clone(), source })?;
                seal_anew(&path, &bytes, seal);
                Ok(own)
            }
        }
    }

    pub(super) fn named(pair: Ed25519KeyPair, name: Name) -> OwnKey {
        OwnKey { pair, name }
    }

    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    /// As people and manifests write it.
    pub fn public_text(&self) -> String {
        BASE64.encode(self.public())
    }

    /// 64 bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

/// So that it needs no former key any more. Where that fails it opens as before, and the next start tries again.
fn seal_anew(path: &Path, bytes: &[u8], seal: &Seal) {
    let Ok(sealed) = sealed(bytes) else { return };
    if !seal.is_former(&sealed) {
        return;
    }
    let anew = seal.open(&sealed, PURPOSE).and_then(|seed| seal.seal(&seed, PURPOSE));
    let kept = anew.map_err(std::io::Error::other).and_then(|anew| disk::replace(path, format!("{anew}\n").as_bytes()));
    match kept {
        Ok(()) => tracing::info!(path = %path.display(), "the gateway's own key is sealed with the newer key now"),
        Err(error) => tracing::warn!(%error, path = %path.display(), "the gateway's own key cannot be sealed anew"),
    }
}

fn sealed(bytes: &[u8]) -> Result<Sealed, SealError> {
    std::str::from_utf8(bytes).map_err(|_| SealError::NotSealed)?.trim_end().parse()
}

fn opened(bytes: &[u8], seal: &Seal) -> Result<OwnKey, SealError> {
    let seed = seal.open(&sealed(bytes)?, PURPOSE)?;
    let mut bytes = Zeroizing::new([0; SEED + 3]);
    let length = BASE64.decode_slice(seed.reveal(), &mut bytes[..]).map_err(|_| SealError::Changed)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&bytes[..length]).map_err(|_| SealError::Changed)?;
    let name = named_by(&pair).ok_or(SealError::Changed)?;
    Ok(OwnKey::named(pair, name))
}

/// A gateway's key has no other name than the beginning of its public part.
fn named_by(pair: &Ed25519KeyPair) -> Option<Name> {
    let public = BASE64.encode(pair.public_key().as_ref());
    Name::new(public.get(..NAME)?).ok()
}

/// Read again: another process may have been faster.
fn made(path: &Path, seal: &Seal) -> Result<OwnKey, OwnError> {
    let mut seed = Zeroizing::new([0; SEED]);
    random(&mut seed[..]).map_err(OwnError::Made)?;
    let seed = Secret::new(BASE64.encode(&seed[..]));
    let sealed = seal.seal(&seed, PURPOSE).map_err(OwnError::Made)?;
    file::make(path, format!("{sealed}\n").as_bytes())?;
    let bytes = file::read(path, LARGEST_FILE, Fit::Owner)?;
    opened(&bytes, seal).map_err(|source| OwnError::Closed { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_is_made_once_and_its_signatures_hold() {
        let (folder, seal) = (tempfile::tempdir().unwrap(), Seal::by_chance());
        let first = OwnKey::of_gateway(folder.path(), &seal).unwrap();
        let again = OwnKey::of_gateway(folder.path(), &seal).unwrap();
        assert_eq!(first.public(), again.public());
        assert_eq!(BASE64.decode(first.public_text()).unwrap(), first.public());
        let signed = again.sign(b"it was me");
        let public = UnparsedPublicKey::new(&ED25519, first.public());
        assert!(public.verify(b"it was me", &signed).is_ok() && public.verify(b"it was you", &signed).is_err());
    }

    #[test]
    fn a_key_that_a_former_key_opens_is_sealed_anew() {
        let (folder, former, newer) = (tempfile::tempdir().unwrap(), Seal::new(&[1; 32]), Seal::new(&[2; 32]));
        let public = OwnKey::of_gateway(folder.path(), &former).unwrap().public_text();
        for seal in [newer.opening_too(former), Seal::new(&[2; 32])] {
            assert_eq!(OwnKey::of_gateway(folder.path(), &seal).unwrap().public_text(), public);
        }
    }

    #[test]
    fn a_key_that_cannot_be_opened_is_not_replaced() {
        let (folder, seal) = (tempfile::tempdir().unwrap(), Seal::by_chance());
        let path = folder.path().join(FILE);
        let public = OwnKey::of_gateway(folder.path(), &seal).unwrap().public_text();
        let file = std::fs::read(&path).unwrap();
        let why = |seal: &Seal| match OwnKey::of_gateway(folder.path(), seal) {
            Err(OwnError::Closed { source, .. }) => source,
            other => panic!("{:?}", other.map(|key| key.public_text())),
        };
        assert_eq!(why(&Seal::by_chance()), SealError::OtherKey);
        for (damaged, error) in [
            (&b""[..], SealError::NotSealed),
            (b"\xff\xfe", SealError::NotSealed),
            (&file[..file.len() - 5], SealError::Changed),
        ] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(why(&seal), error);
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
        std::fs::write(&path, file).unwrap();
        assert_eq!(OwnKey::of_gateway(folder.path(), &seal).unwrap().public_text(), public);
    }

    #[test]
    fn the_file_holds_nothing_in_clear() {
        let (folder, seal) = (tempfile::tempdir().unwrap(), Seal::by_chance());
        OwnKey::of_gateway(folder.path(), &seal).unwrap();
        let file = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        let seed = seal.open(&file.trim_end().parse().unwrap(), PURPOSE).unwrap();
        assert!(file.starts_with("dmgw1:") && !file.contains(seed.reveal()));
    }
}
