//! Those that no package gives: a proxy, a portal, and servers that say one thing or nothing. One thread each, on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket};

use crate::support::PATIENCE;

/// Takes connections, each on a thread of its own, until the test ends.
fn served(each: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                each(stream);
            });
        }
    });
    at
}

fn rest(mut stream: &TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// Reads something, says this, and hears the rest.
pub fn says(what: &'static [u8]) -> SocketAddr {
    served(move |mut stream| {
        let mut first = [0; 4096];
        if stream.read(&mut first).is_ok_and(|read| read > 0) && stream.write_all(what).is_ok() {
            rest(&stream);
        }
    })
}

/// Takes connections and never says a word.
pub fn silent() -> SocketAddr {
    served(|stream| rest(&stream))
}

/// Its queue is full: whoever comes hears nothing, not even that.
pub struct Swallows {
    pub at: SocketAddr,
    _kept: (OwnedFd, Vec<TcpStream>),
}

pub fn swallows() -> Swallows {
    let kept = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&kept), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&kept, Backlog::new(0).unwrap()).unwrap();
    let at: SockaddrIn = getsockname(std::os::fd::AsRawFd::as_raw_fd(&kept)).unwrap();
    let at = SocketAddr::from((at.ip(), at.port()));
    let brief = std::time::Duration::from_millis(300);
    // Until one more is not answered.
    let full = std::iter::from_fn(|| TcpStream::connect_timeout(&at, brief).ok()).take(8).collect();
    Swallows { at, _kept: (kept, full) }
}

/// What was asked of a proxy: the whole head.
pub type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy that connects whoever says this (as it stands in the field) to where they want, or anybody.
pub fn proxy(wanted: Option<&'static str>) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let told = asked.clone();
    let at = served(move |stream| {
        let head = head(&stream);
        told.lock().unwrap().push(head.clone());
        connect(stream, &head, wanted);
    });
    (at, asked)
}

/// Byte by byte, for what comes behind it is for somebody else.
fn head(mut stream: &TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn connect(mut stream: TcpStream, head: &str, wanted: Option<&str>) {
    if wanted.is_some_and(|wanted| !head.contains(&format!("Proxy-Authorization: Basic {wanted}\r\n"))) {
        let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
        return;
    }
    let to = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let Some(Ok(server)) = to.map(TcpStream::connect) else {
        let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        return;
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nX-By: the test\r\n\r\n").unwrap();
    let (mut up, mut there) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
    let upwards = std::thread::spawn(move || std::io::copy(&mut up, &mut there));
    let _ = std::io::copy(&mut &server, &mut stream);
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let _ = upwards.join();
}
