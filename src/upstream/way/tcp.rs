//! A connection to the first of some addresses that answers.
//!
//! They are tried in turn, each a little after the one before or as soon as that has failed, and whoever answers first has
//! it. Below MQTT's own keep-alive the kernel watches too, so a connection that only half exists ends by itself.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::address::Host;
use super::section::Interface;
use super::trouble::{Trouble, WayError};

/// How long one address is ahead of the next, as RFC 8305 has it.
const AHEAD: Duration = Duration::from_millis(250);
/// Of one name; more are not tried at a time.
const MOST_TRIED: usize = 8;
/// Longer than two keep-alives of MQTT, which are first to notice: this is for what they cannot see.
const UNANSWERED: Duration = Duration::from_secs(180);
/// Seconds; a connection on which nothing is said at all is looked after so often.
const IDLE: u32 = 120;

pub async fn connected(
    to: &Host,
    addresses: &[SocketAddr],
    interface: Option<&Interface>,
    within: Duration,
) -> Result<TcpStream, WayError> {
    let late = |_| silent(to, within);
    timeout(within, first(addresses, interface)).await.map_err(late)?.map_err(|why| told(to, interface, why))
}

/// Of those that failed the last one.
async fn first(addresses: &[SocketAddr], interface: Option<&Interface>) -> Result<TcpStream, io::Error> {
    let mut rest = addresses.iter().take(MOST_TRIED);
    let mut tried = JoinSet::new();
    let mut why = io::Error::other("there is no address");
    loop {
        match rest.next() {
            Some(at) => drop(tried.spawn(dialled(*at, interface.cloned()))),
            None if tried.is_empty() => return Err(why),
            None => {}
        }
        tokio::select! {
            Some(ended) = tried.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = graver(why, error),
                Err(_) => {}
            },
            () = sleep(AHEAD), if rest.len() > 0 => {}
        }
    }
}

/// What says more of two: a machine that refuses is there.
fn graver(one: io::Error, other: io::Error) -> io::Error {
    if one.kind() == ErrorKind::ConnectionRefused { one } else { other }
}

async fn dialled(at: SocketAddr, interface: Option<Interface>) -> io::Result<TcpStream> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(interface) = interface {
        socket
            .bind_device(Some(interface.name().as_bytes()))
            .map_err(|error| io::Error::new(error.kind(), Unbound(error)))?;
    }
    // What is said is put together before it goes out, and somebody waits for it.
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    setsockopt(&socket, sockopt::TcpKeepIdle, &IDLE)?;
    setsockopt(&socket, sockopt::TcpUserTimeout, &u32::try_from(UNANSWERED.as_millis()).unwrap_or(u32::MAX))?;
    socket.connect(at).await
}

/// The interface could not be taken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unbound(#[source] io::Error);

fn silent(to: &Host, within: Duration) -> WayError {
    let why = format!("no answer within {within:?}");
    WayError::Elsewhere(Trouble::new(to, why, "is it switched on, and does a firewall on the way swallow this port?"))
}

fn told(to: &Host, interface: Option<&Interface>, error: io::Error) -> WayError {
    let by = interface.map(Interface::name).unwrap_or_default();
    if let Some(Unbound(error)) = error.get_ref().and_then(|inner| inner.downcast_ref::<Unbound>()) {
        return WayError::Person(unbound(to, by, error));
    }
    let whole = |why: &str, hint: &str| WayError::Elsewhere(Trouble::new(to, why, hint));
    match error.kind() {
        ErrorKind::ConnectionRefused => whole("nobody listens there", "does the broker run, and is it the right port?"),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown if interface.is_some() => {
            whole(
                &format!("there is no way there by {by}"),
                "is the interface up, and does it have an address and a route?",
            )
        }
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
            whole("there is no way there", "look at the network of this gateway: ip route")
        }
        ErrorKind::TimedOut => {
            whole("no answer", "is it switched on, and does a firewall on the way swallow this port?")
        }
        ErrorKind::PermissionDenied => {
            whole("this machine lets nothing out to there", "look at its firewall: nft list ruleset")
        }
        _ => whole(&error.to_string(), "look at the network of this gateway: ip address, ip route"),
    }
}

fn unbound(to: &Host, interface: &str, error: &io::Error) -> Trouble {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENODEV) => {
            Trouble::new(to, format!("there is no interface {interface}"), "ip link shows those that there are")
        }
        Some(Errno::EPERM) => Trouble::new(
            to,
            format!("dmgw may not bind to the interface {interface}"),
            "give it CAP_NET_RAW, or run a kernel from 5.7 on, which lets everybody",
        ),
        _ => Trouble::new(
            to,
            format!("cannot bind to the interface {interface}: {error}"),
            "ip link shows those that there are",
        ),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::getsockopt;

    use super::*;

    fn to() -> Host {
        Host { name: "broker.example".into(), port: 8883 }
    }

    #[test]
    fn whoever_may_not_take_the_interface_is_told_what_it_needs() {
        let wwan0 = Interface::try_from("wwan0".to_owned()).unwrap();
        for (errno, says) in [
            (Errno::EPERM, "may not bind to the interface wwan0; give it CAP_NET_RAW, or run a kernel from 5.7 on"),
            (Errno::ENODEV, "there is no interface wwan0; ip link shows"),
        ] {
            let error = io::Error::from_raw_os_error(errno as i32);
            let why = told(&to(), Some(&wwan0), io::Error::new(error.kind(), Unbound(error)));
            assert!(matches!(why, WayError::Person(_)) && why.to_string().contains(says), "{why}");
        }
    }

    /// Somebody who never answers: his queue is full.
    fn full_queue() -> (SocketAddr, Vec<std::net::TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // It listens as long as it is not closed, and so longer than the test.
        let listens = Box::leak(Box::new(socket.listen(0).unwrap()));
        let (at, brief) = (listens.local_addr().unwrap(), Duration::from_millis(200));
        let queue = std::iter::from_fn(|| std::net::TcpStream::connect_timeout(&at, brief).ok()).take(8);
        (at, queue.collect())
    }

    #[tokio::test]
    async fn the_next_address_is_taken_where_one_refuses_or_says_nothing() {
        let listens = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listens.local_addr().unwrap();
        // Bound and not listening: nobody else can have the port.
        let bound = TcpSocket::new_v4().unwrap();
        bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let refuses = bound.local_addr().unwrap();
        let within = Duration::from_secs(20);
        let (silent, _full) = full_queue();
        let stream = connected(&to(), &[refuses, silent, there], None, within).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert!(stream.nodelay().unwrap());
        let looked_after = (getsockopt(&stream, sockopt::TcpKeepIdle), getsockopt(&stream, sockopt::TcpUserTimeout));
        assert_eq!(looked_after, (Ok(IDLE), Ok(180_000)));
        let why = connected(&to(), &[refuses], None, within).await.unwrap_err().to_string();
        assert_eq!(why, "broker.example:8883: nobody listens there; does the broker run, and is it the right port?");
    }
}
