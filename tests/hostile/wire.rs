//! Bytes to the daemon, through either door, and what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBuf;

use super::support::http;
use super::support::tls::{self, Pair};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Socket,
    Far,
}

pub struct Doors {
    pub socket: PathBuf,
    pub at: SocketAddr,
    pub pair: Pair,
    pub token: String,
}

pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

impl Doors {
    /// None: whoever was there let nobody in.
    pub fn open(&self, way: Way) -> Option<Box<dyn Wire>> {
        match way {
            Way::Socket => Some(Box::new(http::connect(&self.socket).ok()?)),
            Way::Far => {
                let stream = tls::connect(self.at, &self.pair, None).ok()?;
                // A kernel that takes megabytes by itself would read for those who do not.
                setsockopt(&stream.sock, RcvBuf, &(32 << 10)).ok()?;
                Some(Box::new(stream))
            }
        }
    }

    /// Without a handshake.
    pub fn open_raw(&self, way: Way) -> Option<Box<dyn Wire>> {
        match way {
            Way::Socket => Some(Box::new(UnixStream::connect(&self.socket).ok()?)),
            Way::Far => Some(Box::new(TcpStream::connect(self.at).ok()?)),
        }
    }

    /// The first lines of a request by somebody who may come in.
    pub fn head(&self, way: Way, first: &str) -> String {
        match way {
            Way::Socket => format!("{first} HTTP/1.1\r\nhost: a\r\n"),
            Way::Far => format!("{first} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n", self.token),
        }
    }

    /// How many are connected, as the daemon counts them; at the socket whoever asks is one of them.
    pub fn connected(&self, way: Way) -> Option<usize> {
        let mut wire = http::connect(&self.socket).ok()?;
        wire.write_all(b"GET /v1/metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").ok()?;
        let mut said = String::new();
        wire.read_to_string(&mut said).ok()?;
        let queue = if way == Way::Socket { "connections" } else { "net-connections" };
        let begin = format!("dmgw_queue_length{{queue=\"{queue}\"}} ");
        said.lines().find_map(|line| line.strip_prefix(&begin)?.parse::<f64>().ok()).map(|count| count as usize)
    }

    /// Sends all of it, as far as anybody takes it, and hears the status. None: it was let go without a word.
    pub fn say(&self, way: Way, bytes: &[u8]) -> Option<u16> {
        let mut wire = self.open(way)?;
        let _ = wire.write_all(bytes).and_then(|()| wire.flush());
        status(&mut wire)
    }
}

/// Of what comes next.
pub fn status(wire: &mut impl Read) -> Option<u16> {
    let mut line = Vec::new();
    let mut one = [0];
    while line.len() < 64 && !line.ends_with(b"\r\n") {
        match wire.read(&mut one) {
            Ok(1) => line.push(one[0]),
            _ => return None,
        }
    }
    String::from_utf8_lossy(&line).split(' ').nth(1)?.parse().ok()
}

/// How many bytes come until it ends. None: it does not end before somebody's patience does.
pub fn rest(wire: &mut impl Read) -> Option<usize> {
    let mut part = [0; 16 << 10];
    let mut came = 0;
    loop {
        match wire.read(&mut part) {
            Ok(0) => return Some(came),
            Ok(length) => came += length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            Err(_) => return Some(came),
        }
    }
}

/// Writes a byte now and then, until nobody takes it; at most for so long.
pub fn dribble(wire: &mut impl Write, text: &str, pause: Duration, most: Duration) -> bool {
    let end = std::time::Instant::now() + most;
    for byte in text.bytes().cycle() {
        if wire.write_all(&[byte]).and_then(|()| wire.flush()).is_err() {
            return true;
        }
        if std::time::Instant::now() > end {
            return false;
        }
        super::support::pause(pause);
    }
    false
}
