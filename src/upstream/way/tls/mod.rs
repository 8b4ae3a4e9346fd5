//! TLS towards a broker: what is needed is read from files and secrets for each connection, so a certificate that somebody
//! renews counts from the next one on; nothing of it is kept but our own key, for as long as the connection lasts.
//!
//! What time it is, is told by the daemon, not read here: certificates are judged by the gateway's own clock. Sessions are
//! not taken up again, for then nobody would be asked whether the other side is still to be believed.

pub mod told;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::{ResolvesClientCert, Resumption};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SignatureScheme};

use super::address::Address;
use super::expiry::expires;
use super::section::{ServedAs, Tls};
use super::trouble::{Trouble, WayError};
use super::watched::{Clues, Watched};
use super::{Bytes, Secrets};
use crate::model::{Now, Wall};
use crate::trust::{self, Whom};
use told::Seen;

/// Web servers want to know what comes in TLS.
const WEB: &str = "http/1.1";

/// All that a handshake needs.
pub struct Ready {
    config: ClientConfig,
    name: ServerName<'static>,
    own: Arc<Own>,
    /// Held while it is shaken: who vouches is asked then.
    roots: Option<Arc<RootCertStore>>,
    seen: Seen,
}

/// What came out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverTls {
    pub version: &'static str,
    /// When the broker's certificate ends, and ours.
    pub until: Option<Wall>,
    pub own_until: Option<Wall>,
}

/// Reads files: not for a thread that others wait for.
pub fn ready(tls: &Tls, to: &Address, secrets: &Secrets, now: Now) -> Result<Ready, WayError> {
    let (whom, roots) = whom(tls)?;
    let own = Arc::new(own(tls, secrets)?);
    let builder =
        trust::begun(whom).map_err(|error| odd("TLS", error.to_string(), "this is a mistake of dmgw itself"))?;
    let mut config = builder.with_client_cert_resolver(own.clone());
    config.time_provider = Arc::new(At(UnixTime::since_unix_epoch(Duration::from_millis(now.wall.0))));
    config.resumption = Resumption::disabled();
    config.alpn_protocols = match tls.alpn.names() {
        [] if to.scheme.is_web() => vec![WEB.into()],
        names => names.iter().map(|name| name.as_bytes().to_vec()).collect(),
    };
    let served = tls.name.as_ref().map_or(to.host.name.as_str(), ServedAs::name);
    let name = ServerName::try_from(served.to_owned());
    let name = name.map_err(|_| odd("TLS", format!("{served:?} is no name of a machine"), "set tls.name"))?;
    let seen = Seen {
        at: to.to_string(),
        name: served.to_owned(),
        authority: tls.ca.as_ref().map(|file| file.display().to_string()),
        own: own.key.is_some(),
        own_until: own.until,
        asked: false,
        now,
    };
    Ok(Ready { config, name, own, roots, seen })
}

fn odd(at: &str, why: String, hint: &str) -> WayError {
    WayError::Person(Trouble::new(at, why, hint))
}

fn whom(tls: &Tls) -> Result<(Whom, Option<Arc<RootCertStore>>), WayError> {
    let roots = match (&tls.fingerprint, &tls.ca) {
        (Some(mark), _) => return Ok((Whom::This(*mark), None)),
        (None, Some(file)) => {
            let roots = trust::roots(file);
            roots.map_err(|why| {
                odd(&format!("tls.ca {}", file.display()), why, "name a file with certificates in PEM")
            })?
        }
        (None, None) => trust::machine(),
    };
    let roots = Arc::new(roots);
    Ok((Whom::VouchedFor(Arc::downgrade(&roots)), Some(roots)))
}

fn own(tls: &Tls, secrets: &Secrets) -> Result<Own, WayError> {
    let (Some(file), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(Own::default()) };
    let at = format!("tls.certificate {}", file.display());
    let of_certificate = |why| odd(&at, why, "name a file with certificates in PEM");
    let of_key = |why| odd("tls.key", why, "name the private key of tls.certificate, in PEM, without a password");
    let chain = trust::chain(file).map_err(of_certificate)?;
    let until = expires(&chain);
    let key = secrets(&key.value).map_err(of_key)?;
    // What stands there instead of a key is not repeated.
    let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
    let key = key.map_err(|_| of_key("it is no private key in PEM".into()))?;
    let fits = CertifiedKey::from_der(chain, key, &default_provider());
    let fits = fits.map_err(|error| of_key(format!("it does not fit {}: {error}", file.display())))?;
    Ok(Own { key: Some(Arc::new(fits)), until, asked: AtomicBool::new(false) })
}

/// What we show of ourselves, and whether anybody wanted to see it.
#[derive(Default)]
struct Own {
    key: Option<Arc<CertifiedKey>>,
    until: Option<Wall>,
    asked: AtomicBool,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

#[derive(Debug)]
struct At(UnixTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

impl Ready {
    /// The bytes within TLS, what it came to, and what is needed to tell of later trouble.
    pub async fn shaken(self, stream: Bytes, within: Duration) -> Result<(Bytes, OverTls, Seen), WayError> {
        let Ready { config, name, own, roots, mut seen } = self;
        let clues = Clues::default();
        let shaking = TlsConnector::from(Arc::new(config)).connect(name, Watched::new(stream, clues.clone()));
        let shaken = timeout(within, shaking).await;
        drop(roots);
        seen.asked = own.asked.load(Ordering::Relaxed);
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(seen.told(&error, clues.unasked().as_ref())),
            Err(_) => return Err(seen.silent(within, clues.unasked().as_ref())),
        };
        let (_, session) = stream.get_ref();
        let over = OverTls {
            version: match session.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "1.2",
                _ => "1.3",
            },
            until: session.peer_certificates().and_then(expires),
            own_until: seen.own_until,
        };
        Ok((Box::new(stream), over, seen))
    }
}
