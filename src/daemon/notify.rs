//! Words to systemd: ready, stopping, still alive. One datagram each to the socket that `$NOTIFY_SOCKET` names; without
//! it, and when sending fails, nothing happens: the daemon does not depend on who started it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use crate::model::Mono;

#[derive(Clone, Default)]
pub struct Notify {
    to: Option<Arc<(UnixDatagram, SocketAddr)>>,
    /// How often systemd wants to hear that the loop turns.
    every: Option<Duration>,
}

impl Notify {
    pub fn from_env() -> Notify {
        let to = std::env::var_os("NOTIFY_SOCKET").and_then(|name| open(name.as_bytes()).ok());
        Notify { to: to.map(Arc::new), every: watchdog() }
    }

    pub fn say(&self, words: &str) {
        if let Some(to) = &self.to
            && let Err(error) = to.0.send_to_addr(words.as_bytes(), &to.1)
        {
            tracing::debug!(%error, words, "systemd was not told");
        }
    }

    /// Called by the loop on each turn: says so when half of the watchdog's time is over. Returns when to come next.
    pub fn beat(&self, last: &mut Mono, now: Mono) -> Option<Mono> {
        let every = self.every?;
        if now >= *last + every {
            self.say("WATCHDOG=1");
            *last = now;
        }
        Some(*last + every)
    }
}

fn open(name: &[u8]) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

fn watchdog() -> Option<Duration> {
    let of_us = std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    let micros: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (of_us && micros > 0).then(|| Duration::from_micros(micros / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_hears_of_us_at_half_its_time_and_not_more_often() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        systemd.set_nonblocking(true).unwrap();
        let to = open(path.as_os_str().as_bytes()).unwrap();
        let notify = Notify { to: Some(Arc::new(to)), every: Some(Duration::from_secs(2)) };
        let heard = || {
            let mut words = [0; 64];
            systemd.recv(&mut words).map(|n| String::from_utf8_lossy(&words[..n]).into_owned()).ok()
        };
        let mut last = Mono(0);
        assert_eq!(notify.beat(&mut last, Mono(1_999)), Some(Mono(2_000)));
        assert_eq!(heard(), None);
        assert_eq!(notify.beat(&mut last, Mono(2_500)), Some(Mono(4_500)));
        assert_eq!(heard().as_deref(), Some("WATCHDOG=1"));
        notify.say("READY=1");
        assert_eq!(heard().as_deref(), Some("READY=1"));
    }
}
