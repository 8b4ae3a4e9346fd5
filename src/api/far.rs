//! The door for those who come from afar: TCP with TLS (rustls, ring).
//!
//! A certificate that somebody shows is believed to be theirs, for the handshake proves it; whether it lets them in, its
//! mark says, like that of a token. So there is no authority to be trusted, and taking one back works at once. Our own
//! certificate is read anew when its file changes.
//!
//! Bounds: connections in all and of one address (of IPv6 the network of 64 bits, for whoever has one has all of it), and
//! a deadline for the handshake. Of a connection that has ended nothing is kept. Where it cannot be listened, or the
//! certificate cannot be read, that is tried again with growing pauses: the rest of the daemon needs none of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::server::NoServerSessionStorage;

use super::anybody::Anybody;
use super::caller::Origin;
use super::serve::{BREATH, Hall, all_gone};
use crate::model::token::Mark;
use crate::model::{Address, Secret};
use crate::trust::{chain, mark_of};

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Gives the key of our certificate, as PEM.
pub type Key = Box<dyn Fn() -> Result<Secret, String> + Send + Sync>;

pub struct Far {
    pub listen: Listen,
    pub certificate: PathBuf,
    pub key: Key,
    /// At once: in all, and of one address.
    pub connections: usize,
    pub per_address: usize,
    /// Where it is listened, for whoever looks.
    pub listens: Listens,
}

pub enum Listen {
    At(SocketAddr),
    /// A socket that listens already.
    Handed(std::net::TcpListener),
}

/// Nothing while it is not listened.
pub type Listens = Arc<Mutex<Option<Listening>>>;

/// Where, and the mark of the certificate that is shown there.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    pub at: SocketAddr,
    pub certificate: Mark,
}

/// Ours, as it was read, and from which file.
struct Shown {
    acceptor: TlsAcceptor,
    certificate: Mark,
    file: FileMark,
}

/// Which file it is, how long, and when it was changed.
type FileMark = (u64, u64, i64, i64);

impl Far {
    /// Until it is time to stop.
    pub async fn serve(&self, hall: &Hall) {
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.begin().await {
                Ok((listener, shown)) => return self.listen(listener, shown, hall).await,
                Err(why) => why,
            };
            if pause == FIRST_PAUSE {
                tracing::error!("nobody can come from afar yet: {why}");
            }
            if hall.unless_stopped(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn begin(&self) -> Result<(TcpListener, Shown), String> {
        let shown = self.read()?;
        let listener = match &self.listen {
            Listen::At(at) => TcpListener::bind(at).await.map_err(|error| format!("cannot listen on {at}: {error}"))?,
            Listen::Handed(handed) => taken(handed).map_err(|error| format!("cannot use the socket: {error}"))?,
        };
        let at = listener.local_addr().map_err(|error| error.to_string())?;
        tracing::info!(listen = %at, "listening with TLS");
        self.tell(at, &shown);
        Ok((listener, shown))
    }

    fn tell(&self, at: SocketAddr, shown: &Shown) {
        let listening = Listening { at, certificate: shown.certificate };
        *self.listens.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
    }

    async fn listen(&self, listener: TcpListener, mut shown: Shown, hall: &Hall) {
        let places = Arc::new(Semaphore::new(self.connections));
        let counts = Arc::new(Counts::default());
        while let Some(accepted) = hall.unless_stopped(listener.accept()).await {
            let Ok((stream, from)) = accepted else {
                tokio::time::sleep(BREATH).await;
                continue;
            };
            // Whoever finds no place is not told: that would take a handshake.
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let Some(counted) = Counted::of(&counts, from.ip(), self.per_address) else { continue };
            if self.look_again(&mut shown)
                && let Ok(at) = listener.local_addr()
            {
                self.tell(at, &shown);
            }
            let (acceptor, hall) = (shown.acceptor.clone(), hall.clone());
            tokio::spawn(async move { shake_hands(stream, from, acceptor, &hall, (place, counted)).await });
        }
        all_gone(&places, self.connections).await;
    }

    /// Whoever renews the certificate need not tell us. True where it is another one now.
    fn look_again(&self, shown: &mut Shown) -> bool {
        if !file_mark(&self.certificate).is_ok_and(|mark| mark != shown.file) {
            return false;
        }
        match self.read() {
            Ok(new) => {
                tracing::info!("the certificate is another one");
                *shown = new;
                true
            }
            // Half of it may be there: it is looked at again with the next connection.
            Err(why) => {
                tracing::warn!("the certificate stays as it was: {why}");
                false
            }
        }
    }

    fn read(&self) -> Result<Shown, String> {
        let shown = self.certificate.display();
        let file = file_mark(&self.certificate).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let chain = chain(&self.certificate).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let certificate = chain.first().map(|first| mark_of(first)).ok_or("there is no certificate")?;
        let key = (self.key)()?;
        let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
        let key = key.map_err(|error| format!("the key of {shown} is no private key in PEM: {error}"))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = builder.with_client_cert_verifier(Arc::new(Anybody::new(&provider)));
        let mut config = builder.with_single_cert(chain, key);
        if let Ok(config) = &mut config {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            // A session that could be taken up again would be kept with the whole certificate of whoever came, known or not.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        let config = config.map_err(|error| format!("{shown} and its key do not fit: {error}"))?;
        Ok(Shown { acceptor: TlsAcceptor::from(Arc::new(config)), certificate, file })
    }
}

fn taken(handed: &std::net::TcpListener) -> std::io::Result<TcpListener> {
    handed.set_nonblocking(true)?;
    TcpListener::from_std(handed.try_clone()?)
}

fn file_mark(path: &Path) -> std::io::Result<FileMark> {
    let of = std::fs::metadata(path)?;
    Ok((of.ino(), of.len(), of.mtime(), of.mtime_nsec()))
}

async fn shake_hands(
    stream: TcpStream,
    from: SocketAddr,
    acceptor: TlsAcceptor,
    hall: &Hall,
    place: impl Send + 'static,
) {
    // Answers are small, and somebody waits for them.
    let _ = stream.set_nodelay(true);
    let shaken = hall.unless_stopped(timeout(HANDSHAKE_WITHIN, acceptor.accept(stream))).await;
    let Some(Ok(Ok(stream))) = shaken else {
        return tracing::debug!(%from, "no handshake");
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.map(|certificate| mark_of(certificate));
    // An IPv4 address on a socket for both is told as one.
    let Ok(from) = Address::new(&from.ip().to_canonical().to_string()) else { return };
    hall.take(stream, Origin::Far { from, certificate }, place);
}

fn of_one_owner(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(from) => IpAddr::V6((u128::from(from) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Connections by address.
#[derive(Default)]
struct Counts(Mutex<BTreeMap<IpAddr, usize>>);

/// Gives its place back when the connection has ended.
struct Counted {
    counts: Arc<Counts>,
    from: IpAddr,
}

impl Counted {
    fn of(counts: &Arc<Counts>, from: IpAddr, most: usize) -> Option<Counted> {
        let from = of_one_owner(from);
        let mut all = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(from).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { counts: counts.clone(), from })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_connections_and_gives_them_back() {
        let (counts, from) = (Arc::new(Counts::default()), IpAddr::from([127, 0, 0, 1]));
        let first = Counted::of(&counts, from, 2);
        let second = Counted::of(&counts, from, 2);
        assert!(first.is_some() && second.is_some() && Counted::of(&counts, from, 2).is_none());
        assert!(Counted::of(&counts, IpAddr::from([127, 0, 0, 2]), 2).is_some());
        drop(first);
        assert!(Counted::of(&counts, from, 2).is_some());
        drop(second);
        assert!(counts.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_one_owner_is_one_address() {
        let counts = Arc::new(Counts::default());
        let of = |text: &str| Counted::of(&counts, text.parse().unwrap(), 1);
        let first = of("2001:db8:1:2::1");
        assert!(first.is_some() && of("2001:db8:1:2:ffff::9").is_none() && of("2001:db8:1:3::1").is_some());
        let fourth = of("::ffff:192.0.2.1");
        assert!(fourth.is_some() && of("192.0.2.1").is_none() && of("192.0.2.2").is_some());
        drop((first, fourth));
        assert!(counts.0.lock().unwrap().is_empty());
    }

    #[test]
    fn of_whoever_came_no_session_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["gateway".to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificate = folder.path().join("gateway.pem");
        std::fs::write(&certificate, own.pem()).unwrap();
        let key: Key = Box::new(move || Ok(Secret::new(key.serialize_pem())));
        let listen = Listen::At(([127, 0, 0, 1], 0).into());
        let far = Far { listen, certificate, key, connections: 1, per_address: 1, listens: Listens::default() };
        let shown = far.read().unwrap();
        let config = shown.acceptor.config();
        assert!(config.send_tls13_tickets == 0 && !config.session_storage.can_cache());
    }
}
