//! How bytes get to a broker: its name, a proxy, TLS, WebSocket, each with a deadline of its own; or why they do not.
//!
//! A [`Route`] is made of settings. [`Route::open`] goes to one of its addresses and gives [`Bytes`], a stream like any
//! other, and where it [`Leads`]. Trouble is told in words of people ([`trouble`]), and by what whoever dials may do next.
//! Which address comes first, and how long one waits, is for them.
//!
//! ```text
//! lookup ─ tcp ─ proxy ─ tls ─ websocket ─▶ Bytes
//!                      watched on both sides of TLS: what comes first, where it is HTTP
//! ```
//!
//! Invariants: nothing is kept between two connections, so what changed in a file counts from the next one on; no secret is
//! shown by anything here; a connection holds no certificates but those of the handshake.

pub mod address;
pub mod expiry;
pub mod http;
mod lookup;
mod proxy;
pub mod section;
mod tcp;
mod tls;
pub mod trouble;
mod watched;
pub mod websocket;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use address::{Address, Scheme};
use proxy::Login;
pub use section::Settings;
pub use tls::OverTls;
use tls::told::{Seen, portal};
pub use trouble::{Trouble, WayError};
use trouble::{is_gone, shown};
use watched::{Clues, Watched};
use websocket::Carried;
use websocket::upgrade::upgraded;

use crate::model::{Now, Secret, Wall};
use crate::seal::SecretSource;

/// What a broker is spoken to over. A read of no bytes is its end.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub type Bytes = Box<dyn Stream>;

/// Opens what settings only name, or says why it cannot.
pub type Secrets = Arc<dyn Fn(&SecretSource) -> Result<Secret, String> + Send + Sync>;

/// How one upstream is reached.
#[derive(Clone)]
pub struct Route {
    settings: Arc<Settings>,
    secrets: Secrets,
}

/// Who the broker shall know us as.
pub struct Known {
    pub user: String,
    pub password: Option<Secret>,
}

pub struct Opened {
    pub bytes: Bytes,
    pub leads: Leads,
}

/// Where an open way leads.
#[derive(Clone, Debug)]
pub struct Leads {
    pub to: Address,
    /// The broker, or the proxy before it.
    pub peer: SocketAddr,
    pub tls: Option<OverTls>,
    clues: Clues,
    seen: Option<Seen>,
}

impl Route {
    pub fn new(settings: Settings, secrets: Secrets) -> Route {
        Route { settings: Arc::new(settings), secrets }
    }

    /// In the order in which they are wanted; at least one.
    pub fn addresses(&self) -> &[Address] {
        self.settings.url.all()
    }

    /// For whoever says to the broker who comes.
    pub fn known(&self) -> Result<Option<Known>, WayError> {
        let Some(user) = self.settings.user.clone() else { return Ok(None) };
        let password = self.settings.password.as_ref().map(|password| self.secret("password", &password.value));
        Ok(Some(Known { user, password: password.transpose()? }))
    }

    /// When the certificate that we show ends, as the file has it now; nothing where we show none. Reads a file.
    pub fn own_until(&self) -> Result<Option<Wall>, String> {
        let Some(file) = &self.settings.tls.certificate else { return Ok(None) };
        let chain = crate::trust::chain(file).map_err(|why| format!("{}: {why}", file.display()))?;
        Ok(expiry::expires(&chain))
    }

    /// All the way. `now` is what certificates are judged by.
    pub async fn open(&self, to: &Address, now: Now) -> Result<Opened, WayError> {
        let ready = if to.scheme.has_tls() { Some(self.ready(to, now).await?) } else { None };
        let tcp = self.connected(to).await?;
        let peer = tcp.peer_addr().map_err(|error| broken(to, &error))?;
        let (bytes, tls, seen): (Bytes, _, _) = match ready {
            None => (Box::new(tcp), None, None),
            Some(ready) => {
                let (bytes, tls, seen) = ready.shaken(Box::new(tcp), self.step()).await?;
                (bytes, Some(tls), Some(seen))
            }
        };
        let clues = Clues::default();
        let (bytes, seen): (Bytes, _) = match to.scheme.is_web() {
            false => (Box::new(Watched::new(bytes, clues.clone())), seen),
            // It has answered, so nothing of TLS is in the way any more.
            true => (self.carried(bytes, to, seen.as_ref()).await?, None),
        };
        Ok(Opened { bytes, leads: Leads { to: to.clone(), peer, tls, clues, seen } })
    }

    fn step(&self) -> Duration {
        self.settings.step.0
    }

    fn secret(&self, key: &str, source: &SecretSource) -> Result<Secret, WayError> {
        let told = |why| WayError::Person(Trouble::new(key, why, "dmgw secret seal makes one; or name its file"));
        (self.secrets)(source).map_err(told)
    }

    /// Files are read by a thread that nobody waits for.
    async fn ready(&self, to: &Address, now: Now) -> Result<tls::Ready, WayError> {
        let (settings, secrets, of) = (self.settings.clone(), self.secrets.clone(), to.clone());
        let read = tokio::task::spawn_blocking(move || tls::ready(&settings.tls, &of, &secrets, now));
        let ended = |_| WayError::Later(Trouble::new(to, "what TLS needs could not be read", "it is tried again"));
        read.await.map_err(ended)?
    }

    async fn connected(&self, to: &Address) -> Result<TcpStream, WayError> {
        let (interface, within) = (self.settings.interface.as_ref(), self.step());
        let Some(proxy) = &self.settings.proxy else {
            let found = lookup::looked_up(&to.host, within).await?;
            return tcp::connected(&to.host, &found, interface, within).await;
        };
        let password = proxy.password.as_ref().map(|password| self.secret("proxy.password", &password.value));
        let password = password.transpose()?;
        let login = proxy.user.as_deref().zip(password.as_ref()).map(|(user, password)| Login { user, password });
        let found = lookup::looked_up(proxy.url.host(), within).await?;
        let mut stream = tcp::connected(proxy.url.host(), &found, interface, within).await?;
        proxy::through(&mut stream, &proxy.url, &to.host, login, within).await?;
        Ok(stream)
    }

    async fn carried(&self, mut bytes: Bytes, to: &Address, seen: Option<&Seen>) -> Result<Bytes, WayError> {
        let behind = upgraded(&mut bytes, to, self.step(), seen).await?;
        Ok(Box::new(Carried::new(bytes, behind)))
    }
}

/// Settings only name what is secret.
impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl Leads {
    /// Why an open way broke (an error) or ended, or, as far as one can see, why what came first was no MQTT (nothing). A
    /// broker may refuse our certificate only here.
    pub fn told(&self, error: Option<&io::Error>) -> WayError {
        if let Some(head) = self.clues.unasked() {
            return portal(&self.to.to_string(), "MQTT", &head);
        }
        if self.clues.is_tls() {
            let hint = "write mqtts:// where there is TLS";
            return WayError::Person(Trouble::new(&self.to, "it speaks TLS", hint));
        }
        let before_a_word = self.seen.as_ref().filter(|_| !self.clues.has_spoken());
        before_a_word.and_then(|seen| seen.explains(error)).unwrap_or_else(|| self.ended(error))
    }

    fn ended(&self, error: Option<&io::Error>) -> WayError {
        let later = |why: &str, hint: &str| WayError::Later(Trouble::new(&self.to, why, hint));
        let silent = !self.clues.has_spoken() && !self.to.scheme.is_web();
        match error {
            Some(error) if !is_gone(error) => broken(&self.to, error),
            _ if !silent => later("it ended the connection", "its log may tell why"),
            _ if self.to.scheme.has_tls() => {
                later("it ended the connection without a word", "is it a broker? its log may tell why")
            }
            _ => later(
                "it ended the connection without a word",
                "is it a broker, and a port without TLS? with TLS it is written mqtts://",
            ),
        }
    }
}

fn broken(to: &Address, error: &io::Error) -> WayError {
    WayError::Later(Trouble::new(to, shown(&error.to_string()), "it is tried again"))
}
