//! Authorities and what they sign, made for the test at hand.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

pub const NAME: &str = "broker.test";
/// When certificates end that do not say otherwise.
pub const ENDS: (i32, u8, u8) = (2040, 2, 29);
const BEGINS: (i32, u8, u8) = (2020, 1, 1);

pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

/// A certificate and its key, as files.
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub der: Vec<u8>,
}

impl Authority {
    /// With its own certificate in `NAME.pem`.
    pub fn new(folder: &Path, name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), own.pem()).unwrap();
        Authority { params, key }
    }

    pub fn signs(&self, folder: &Path, file: &str, name: &str) -> Pair {
        self.signs_from(folder, file, name, BEGINS, ENDS)
    }

    pub fn signs_from(
        &self,
        folder: &Path,
        file: &str,
        name: &str,
        begins: (i32, u8, u8),
        ends: (i32, u8, u8),
    ) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, file);
        params.not_before = date_time_ymd(begins.0, begins.1, begins.2);
        params.not_after = date_time_ymd(ends.0, ends.1, ends.2);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
        written(folder, file, &signed.pem(), &key, signed.der())
    }
}

/// One that vouches for itself, as many brokers have it.
pub fn alone(folder: &Path, file: &str, name: &str) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap();
    written(folder, file, &own.pem(), &key, own.der())
}

fn written(folder: &Path, file: &str, pem: &str, key: &KeyPair, der: &[u8]) -> Pair {
    let (certificate, key_file) = (folder.join(format!("{file}.pem")), folder.join(format!("{file}.key")));
    std::fs::write(&certificate, pem).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    Pair { certificate, key: key_file, der: der.to_vec() }
}
