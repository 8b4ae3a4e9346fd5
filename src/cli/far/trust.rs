//! Why a gateway far away is believed to be the one that is meant: somebody who is trusted vouches for its certificate, or
//! it shows the very one whose fingerprint is known. Either way the handshake proves that it has the key.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, ring::default_provider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::{CliError, read, usage};
use crate::api::caller::mark_of;
use crate::model::token::Mark;

/// Where Debian keeps whom the machine trusts.
const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who is shown as who comes is for the caller.
pub fn begun(
    ca: Option<&Path>,
    fingerprint: Option<Mark>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, CliError> {
    let provider = default_provider();
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| CliError::Failed(error.to_string()))?;
    Ok(match fingerprint {
        Some(mark) => builder.dangerous().with_custom_certificate_verifier(Arc::new(This { mark, algorithms })),
        None => builder.with_root_certificates(roots(ca)?),
    })
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, CliError> {
    let mut roots = RootCertStore::empty();
    let Some(file) = ca else {
        // Whoever is not trusted by anybody here is told how to name it.
        if let Ok(all) = read(Path::new(MACHINE)) {
            roots.add_parsable_certificates(all);
        }
        return Ok(roots);
    };
    for certificate in read(file)? {
        let added = roots.add(certificate);
        added.map_err(|error| usage(format!("{}: {error}", file.display()), "name a file with certificates in PEM"))?;
    }
    Ok(roots)
}

/// One certificate and no other, whatever stands in it.
#[derive(Debug)]
struct This {
    mark: Mark,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for This {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match mark_of(shown) == self.mark {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
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
