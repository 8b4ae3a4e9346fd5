//! A gateway far away: TCP with TLS (rustls, ring), and why it cannot be spoken with, for people.
//!
//! It is known by who vouches for its certificate, or by the certificate itself ([`crate::trust`]). Nothing is sent
//! before that.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore};

use super::CliError;
use super::args::Place;
use super::place::usage;
use crate::trust::{self, Whom, chain};

/// For the connection and the handshake each.
const WITHIN: Duration = Duration::from_secs(10);
const HTTPS: u16 = 443;

pub struct Far {
    host: String,
    port: u16,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    /// Held for the config, which asks them at each connection.
    _roots: Option<Arc<RootCertStore>>,
}

impl Far {
    pub fn new(url: &str, place: &Place) -> Result<Far, CliError> {
        let (host, port) = parted(url)?;
        let named = || usage(format!("{host:?} is no name of a machine"), "write https://HOST:PORT");
        let name = ServerName::try_from(host.clone()).map_err(|_| named())?;
        let (whom, roots) = whom(place)?;
        let builder = trust::begun(whom).map_err(|error| CliError::Failed(error.to_string()))?;
        let mut config = match (&place.client_certificate, &place.client_key) {
            (Some(certificate), Some(key)) => {
                let (chain, key) = (read(certificate)?, key_of(key)?);
                let fits = builder.with_client_auth_cert(chain, key);
                fits.map_err(|error| {
                    usage(format!("{} and its key do not fit: {error}", certificate.display()), "name the key of it")
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Far { host, port, name, config: Arc::new(config), _roots: roots })
    }

    /// As it stands in a request.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    pub async fn connect(&self) -> Result<TlsStream<TcpStream>, CliError> {
        let late = |_| self.failed("it does not answer", "is it switched on, and is the way there open?");
        let tcp = tokio::time::timeout(WITHIN, TcpStream::connect((self.host.as_str(), self.port)));
        let tcp = tcp.await.map_err(late)?.map_err(|error| self.unreachable(&error))?;
        // Questions are small, and somebody waits for the answer.
        let _ = tcp.set_nodelay(true);
        let tls = TlsConnector::from(self.config.clone()).connect(self.name.clone(), tcp);
        tokio::time::timeout(WITHIN, tls).await.map_err(late)?.map_err(|error| self.distrusted(&error))
    }

    fn failed(&self, why: impl Into<String>, hint: impl Into<String>) -> CliError {
        CliError::NotReachable { at: self.authority(), why: why.into(), hint: hint.into() }
    }

    fn unreachable(&self, error: &std::io::Error) -> CliError {
        match error.kind() {
            ErrorKind::ConnectionRefused => self.failed(
                "nobody listens there",
                "dmgw status on the gateway tells where it listens; dmgw config explain api.listen, how it does",
            ),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                self.failed("there is no way there", "look at the network of this machine")
            }
            // A name that nobody knows has no kind of its own.
            _ if error.raw_os_error().is_none() => {
                self.failed(format!("its name is not known: {error}"), "is it spelled right?")
            }
            _ => self.failed(error.to_string(), "is it spelled right?"),
        }
    }

    fn distrusted(&self, error: &std::io::Error) -> CliError {
        const MARK: &str = "--fingerprint sha256:…, as dmgw status on the gateway tells it";
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(wrong)) => match wrong {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => self.failed(
                    "nobody who is trusted here vouches for its certificate",
                    format!("name whoever does with --ca FILE; or, of one that vouches for itself, give {MARK}"),
                ),
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => self.failed(
                    format!("its certificate is for another name than {}", self.host),
                    format!("use a name that stands in it; or give {MARK}"),
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    self.failed("its certificate is over", "renew it there; or is the clock of this machine wrong?")
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    self.failed("its certificate begins later", "is the clock of this machine wrong?")
                }
                CertificateError::ApplicationVerificationFailure => self.failed(
                    "it shows another certificate than the one with this fingerprint",
                    "was it renewed? dmgw status on the gateway tells the new one; if not, somebody stands in between",
                ),
                other => self.failed(format!("its certificate is not good: {other:?}"), format!("give {MARK}")),
            },
            Some(Error::InvalidMessage(_)) => self.failed("it does not speak TLS", "is it the right port?"),
            _ => self.failed(format!("no safe connection: {error}"), "is it a gateway, and the right port?"),
        }
    }
}

/// Host and port. A token must not go where everybody can read it, so there is no http.
fn parted(url: &str) -> Result<(String, u16), CliError> {
    let wrong = |says: &str| usage(format!("{url:?} {says}"), "write https://HOST:PORT, such as https://plant-7:8443");
    let uri: Uri = url.parse().map_err(|_| wrong("is no address"))?;
    if uri.scheme_str() != Some("https") {
        return Err(wrong("does not begin with https://"));
    }
    let more = !matches!(uri.path(), "" | "/") || uri.query().is_some();
    let authority = uri.authority().filter(|of| !of.as_str().contains('@') && !more);
    let authority = authority.ok_or_else(|| wrong("is more than a host and a port"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), authority.port_u16().unwrap_or(HTTPS)))
}

fn whom(place: &Place) -> Result<(Whom, Option<Arc<RootCertStore>>), CliError> {
    let wrong = |file: &Path, why| usage(format!("{}: {why}", file.display()), "name a file with certificates in PEM");
    let roots = match (&place.fingerprint, &place.ca) {
        (Some(mark), _) => return Ok((Whom::This(*mark), None)),
        (None, Some(file)) => trust::roots(file).map_err(|why| wrong(file, why))?,
        (None, None) => trust::machine(),
    };
    let roots = Arc::new(roots);
    Ok((Whom::VouchedFor(Arc::downgrade(&roots)), Some(roots)))
}

fn read(file: &Path) -> Result<Vec<tokio_rustls::rustls::pki_types::CertificateDer<'static>>, CliError> {
    chain(file).map_err(|why| usage(format!("{}: {why}", file.display()), "name a file with certificates in PEM"))
}

fn key_of(file: &Path) -> Result<PrivateKeyDer<'static>, CliError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| usage(format!("{}: {error}", file.display()), "name a private key in PEM, without a password"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_never_in_the_clear() {
        for (url, host, port) in [
            ("https://plant-7:8443", "plant-7", 8443),
            ("https://10.0.0.7/", "10.0.0.7", 443),
            ("https://[fd00::7]:8443", "fd00::7", 8443),
        ] {
            assert_eq!(parted(url).unwrap(), (host.to_owned(), port), "{url}");
        }
        for (url, says) in [
            ("http://a:1", "does not begin with https://"),
            ("plant-7:8443", "https://"),
            ("https://me:pw@a:1", "more than a host"),
            ("https://a:1/v1/status", "more than a host"),
            ("https://a b", "is no address"),
        ] {
            assert!(parted(url).unwrap_err().to_string().contains(says), "{url}: {}", parted(url).unwrap_err());
        }
    }
}
