//! Sockets that systemd hands over (socket activation): they were there before the daemon and stay after it, so nobody
//! who comes while it starts anew is turned away.
//!
//! Invariants: what is handed over is used as it is; its place, its owner and its mode are the unit's, and it is not
//! removed at a stop. What is not known is refused at the start, for whoever configured it expects somebody to listen.

use std::ffi::CStr;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use systemd::daemon::{Listening, SocketType, is_socket_inet, is_socket_unix, listen_fds_with_names};

use crate::api;
use crate::api::socket::Group;

/// The name of a TCP socket for the API (`FileDescriptorName=`).
const API_TLS: &str = "api-tls";

#[derive(Debug, Default)]
pub struct Handed {
    pub api: Option<UnixListener>,
    pub api_tls: Option<TcpListener>,
}

/// The socket to answer on, and whose it is.
pub struct Door {
    pub listener: tokio::net::UnixListener,
    pub place: PathBuf,
    /// Ours: then it goes with us.
    pub own: bool,
}

impl Handed {
    /// To be called once: it takes what the process was started with.
    pub fn from_systemd() -> anyhow::Result<Handed> {
        let sockets = listen_fds_with_names().context("cannot tell which sockets systemd hands over")?;
        let mut handed = Handed::default();
        for (socket, name) in sockets.iter() {
            handed.take(socket, name)?;
        }
        Ok(handed)
    }

    #[allow(unsafe_code)]
    fn take(&mut self, socket: RawFd, name: &CStr) -> anyhow::Result<()> {
        let name = name.to_string_lossy();
        if is_socket_unix(socket, Some(SocketType::Stream), Listening::IsListening, None::<&str>)? {
            // SAFETY: systemd opened it for us, it is a listening Unix socket, and nobody else in this process has it.
            let listener = unsafe { UnixListener::from_raw_fd(socket) };
            if self.api.replace(listener).is_some() {
                bail!("systemd hands over two Unix sockets; one ListenStream= with a path is enough");
            }
            return Ok(());
        }
        let inet = is_socket_inet(socket, None, Some(SocketType::Stream), Listening::IsListening, None)?;
        if inet && name == API_TLS && self.api_tls.is_none() {
            // SAFETY: as above, and it is a listening TCP socket.
            self.api_tls = Some(unsafe { TcpListener::from_raw_fd(socket) });
            return Ok(());
        }
        bail!(
            "systemd hands over a socket named {name:?}, and nobody here knows what for: there may be one Unix socket, \
             and one TCP socket with FileDescriptorName={API_TLS}; see dmgw.socket"
        )
    }

    /// What was handed over, or else one of our own at the place of the settings.
    pub fn door(api: Option<UnixListener>, place: &Path, group: Option<&Group>) -> anyhow::Result<Door> {
        let Some(handed) = api else {
            return Ok(Door { listener: api::socket::bind(place, group)?, place: place.to_owned(), own: true });
        };
        let at = handed.local_addr().ok().and_then(|at| at.as_pathname().map(Path::to_owned));
        if at.as_deref() != Some(place) {
            tracing::warn!(
                "systemd listens on {}, and the settings say {}: dmgw on the command line goes by the settings \
                 (socket.path), or by --socket",
                at.as_ref().map_or("a place without a name".into(), |at| at.display().to_string()),
                place.display()
            );
        }
        handed.set_nonblocking(true).context("cannot use the socket that systemd hands over")?;
        let listener =
            tokio::net::UnixListener::from_std(handed).context("cannot use the socket that systemd hands over")?;
        Ok(Door { listener, place: at.unwrap_or_else(|| place.to_owned()), own: false })
    }
}
