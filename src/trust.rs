//! Whom we believe at the other end of TLS: whoever somebody trusted vouches for, or who shows the very certificate whose
//! mark is known. Either way the handshake proves that it has the key.
//!
//! Shared by those who dial (the command line, upstreams) and by the door, whose certificate is read here too. Invariant:
//! what comes from a file is bounded, and roots are kept by whoever dials, for as long as it dials: a connection
//! lasts for months and holds none.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Weak};

use ring::digest;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WantsClientCert, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, ring::default_provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::model::token::Mark;

/// Where Debian keeps whom the machine trusts.
pub const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// A chain of certificates is smaller.
const LARGEST_CHAIN: u64 = 256 << 10;
/// Debian's roots are some 220 kB; a company may add its own.
const LARGEST_ROOTS: u64 = 4 << 20;

/// What is kept of a secret or a certificate that somebody shows.
pub fn mark_of(shown: &[u8]) -> Mark {
    let mut mark = Mark([0; 32]);
    mark.0.copy_from_slice(digest::digest(&digest::SHA256, shown).as_ref());
    mark
}

/// The certificates of a file, in PEM: at least one.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path, LARGEST_CHAIN)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(NOTHING.into()),
        Err(error) => Err(error.to_string()),
    }
}

const NOTHING: &str = "there is no certificate in it, in PEM";

fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let file = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut text));
    file.map_err(|error| error.to_string())?;
    match text.len() as u64 > most {
        true => Err(format!("it is larger than {most} bytes")),
        false => Ok(text),
    }
}

/// Whoever this file trusts.
pub fn roots(file: &Path) -> Result<RootCertStore, String> {
    let text = read(file, LARGEST_ROOTS)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let added = certificate.map_err(|error| error.to_string()).map(|certificate| roots.add(certificate));
        added?.map_err(|error| error.to_string())?;
    }
    match roots.is_empty() {
        true => Err(NOTHING.into()),
        false => Ok(roots),
    }
}

/// Whoever the machine trusts. What is odd among them is left out: nobody here can mend it. Where there is no such file,
/// nobody; whoever is then trusted by nobody is told how to name who vouches.
pub fn machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let text = read(Path::new(MACHINE), LARGEST_ROOTS).unwrap_or_default();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok));
    roots
}

/// Who is believed.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Whoever these vouch for, as long as somebody else holds them.
    VouchedFor(Weak<RootCertStore>),
    /// One certificate and no other, whatever stands in it.
    This(Mark),
}

/// TLS 1.2 and newer. Who is shown as who comes is for the caller.
pub fn begun(whom: Whom) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = default_provider();
    let algorithms = provider.signature_verification_algorithms;
    let judge = Arc::new(Judge { whom, algorithms });
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(judge))
}

#[derive(Debug)]
struct Judge {
    whom: Whom,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = match &self.whom {
            Whom::This(mark) if mark_of(shown) == *mark => return Ok(ServerCertVerified::assertion()),
            Whom::This(_) => return Err(CertificateError::ApplicationVerificationFailure.into()),
            Whom::VouchedFor(roots) => roots.upgrade().ok_or(CertificateError::UnknownIssuer)?,
        };
        let shown = ParsedCertificate::try_from(shown)?;
        verify_server_cert_signed_by_trust_anchor(&shown, &roots, between, now, self.algorithms.all)?;
        verify_server_name(&shown, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_count_as_long_as_whoever_dials_holds_them() {
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).unwrap();
        let roots = Arc::new(roots);
        let algorithms = default_provider().signature_verification_algorithms;
        let judge = Judge { whom: Whom::VouchedFor(Arc::downgrade(&roots)), algorithms };
        let asked = |name: &'static str| {
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
            judge.verify_server_cert(own.der(), &[], &ServerName::try_from(name).unwrap(), &[], now).map(drop)
        };
        assert_eq!((asked("a.test"), asked("a.test")), (Ok(()), Ok(())), "as often as somebody asks");
        assert!(matches!(
            asked("b.test"),
            Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
        ));
        drop(roots);
        assert_eq!(asked("a.test"), Err(CertificateError::UnknownIssuer.into()));
    }

    #[test]
    fn a_file_without_a_certificate_or_without_an_end_trusts_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let told = |holds: &str| {
            std::fs::write(&path, holds).unwrap();
            (chain(&path).err(), roots(&path).err())
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        assert_eq!(told(&own.pem()), (None, None));
        assert_eq!(roots(&path).unwrap().len(), 1);
        assert_eq!(told(""), (Some(NOTHING.into()), Some(NOTHING.into())));
        assert!(matches!(told(&own.pem()[..200]), (Some(_), Some(_))));
        let (of_chain, of_roots) = told(&own.pem().repeat(9_000));
        assert!(of_chain.unwrap().contains("larger than 262144") && of_roots.unwrap().contains("larger than 4194304"));
        assert!(chain(&folder.path().join("none")).is_err());
    }
}
