//! A network of the test's own: interfaces that lead to one broker by two ways, and name servers that say nothing or no.
//!
//! A thread leaves the network of the process and takes mounts of its own; what it starts, threads and programs, is where it
//! is. That needs root.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use dmgw::upstream::way::WayError;
use nix::mount::{MsFlags, mount};
use nix::unistd::{Uid, gettid};

use crate::support::PATIENCE;
use crate::{CONNACK, CONNECT, greets, refused};

fn may_not(test: &str) -> bool {
    let may_not = !Uid::effective().is_root();
    if may_not {
        println!("SKIP {test}: only root has networks of its own");
    }
    may_not
}

/// From here on this thread is alone.
#[allow(unsafe_code)]
fn leave() {
    // SAFETY: takes numbers only. The mounts bring a working folder of its own, which nobody else here looks at.
    let left = unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) };
    assert_eq!(left, 0, "{}", std::io::Error::last_os_error());
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    ip("link set lo up");
}

fn ip(words: &str) {
    let ended = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(ended.status.success(), "ip {words}: {}", crate::support::text(&ended.stderr));
}

/// On a thread that is alone.
fn alone(what: impl AsyncFnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        leave();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(what());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

const BROKER: &str = "10.7.0.2:1883";

/// Somebody in a network of their own who greets whoever comes, and tells where they came from: says first who it is.
fn far_away(told: SyncSender<i32>, wired: Receiver<()>, came: SyncSender<SocketAddr>) {
    leave();
    told.send(gettid().as_raw()).unwrap();
    wired.recv().unwrap();
    for (side, address) in [("left", "10.7.0.2/24"), ("right", "10.7.1.2/24")] {
        ip(&format!("address add {address} dev {side}.far"));
        ip(&format!("link set {side}.far up"));
    }
    // What comes by the one is answered by the one.
    for file in ["all", "left.far", "right.far"] {
        let _ = fs::write(format!("/proc/sys/net/ipv4/conf/{file}/rp_filter"), "0");
    }
    let listener = TcpListener::bind(BROKER).unwrap();
    came.send(listener.local_addr().unwrap()).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = [0; CONNECT.len()];
        if stream.read_exact(&mut said).is_err() || stream.write_all(&CONNACK).is_err() {
            continue;
        }
        if came.send(stream.peer_addr().unwrap()).is_err() {
            return;
        }
    }
}

#[test]
fn the_interface_that_is_named_is_the_one_that_is_taken_whatever_the_routes_say() {
    if may_not("the_interface_that_is_named") {
        return;
    }
    alone(async || {
        let (tell, told) = sync_channel(1);
        let (wire, wired) = sync_channel(1);
        let (tell_who, who_came) = sync_channel(4);
        std::thread::spawn(move || far_away(tell, wired, tell_who));
        let far = told.recv().unwrap();
        for (side, address) in [("left", "10.7.0.1/24"), ("right", "10.7.1.1/24")] {
            ip(&format!("link add {side} type veth peer name {side}.far"));
            ip(&format!("link set {side}.far netns {far}"));
            ip(&format!("address add {address} dev {side}"));
            ip(&format!("link set {side} up"));
        }
        ip("route add 10.7.0.2/32 via 10.7.1.2 dev right metric 500 onlink");
        wire.send(()).unwrap();
        who_came.recv().unwrap();
        let from = || who_came.recv_timeout(PATIENCE).unwrap().ip().to_string();
        greets(&format!("url = \"mqtt://{BROKER}\"\ninterface = \"left\"")).await;
        assert_eq!(from(), "10.7.0.1");
        greets(&format!("url = \"mqtt://{BROKER}\"\ninterface = \"right\"")).await;
        assert_eq!(from(), "10.7.1.1");
        // Without it the routes decide, and with one that is down nobody does.
        ip("link set right down");
        greets(&format!("url = \"mqtt://{BROKER}\"")).await;
        assert_eq!(from(), "10.7.0.1");
        let why = refused(&format!("url = \"mqtt://{BROKER}\"\ninterface = \"right\"")).await;
        assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
        let hint = "is the interface up, and does it have an address and a route?";
        assert_eq!(why.to_string(), format!("{BROKER}: there is no way there by right; {hint}"));
        let why = refused("url = \"mqtt://192.0.2.1\"").await.to_string();
        assert_eq!(why, "192.0.2.1:1883: there is no way there; look at the network of this gateway: ip route");
    });
}

/// The only name server there is, for whoever is alone.
fn name_server() -> UdpSocket {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    fs::write(&file, "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n").unwrap();
    let etc = fs::canonicalize("/etc/resolv.conf").unwrap_or_else(|_| Path::new("/etc/resolv.conf").into());
    mount(Some(&file), &etc, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    let server = UdpSocket::bind("127.0.0.1:53").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server
}

const NAME: &str = "broker.plant-7.example";

#[test]
fn a_name_server_that_says_nothing_is_waited_for_no_longer_than_a_step() {
    if may_not("a_name_server_that_says_nothing") {
        return;
    }
    alone(async || {
        let server = name_server();
        let began = Instant::now();
        let why = refused(&format!("step = \"300ms\"\nurl = \"mqtt://{NAME}\"")).await;
        assert!(began.elapsed() < Duration::from_millis(1_900), "{:?}: the library's own wait", began.elapsed());
        assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
        let hint = "is there a network, and does it have a name server? (/etc/resolv.conf)";
        assert_eq!(why.to_string(), format!("{NAME}:1883: no name server said within 300ms what {NAME} is; {hint}"));
        let mut asked = [0; 512];
        assert!(server.recv(&mut asked).is_ok(), "somebody asked");
        // The library's own wait is over first.
        let why = refused(&format!("step = \"30s\"\nurl = \"mqtt://{NAME}\"")).await;
        assert_eq!(why.to_string(), format!("{NAME}:1883: no name server answers what {NAME} is; {hint}"));
    });
}

/// The same question as an answer, that there is no such name.
fn says_no(server: &UdpSocket) {
    let mut asked = [0; 512];
    while let Ok((length, from)) = server.recv_from(&mut asked) {
        (asked[2], asked[3]) = (0x81, 0x83);
        if server.send_to(&asked[..length], from).is_err() {
            return;
        }
    }
}

#[test]
fn a_name_that_nobody_knows_is_told_at_once() {
    if may_not("a_name_that_nobody_knows") {
        return;
    }
    alone(async || {
        let server = name_server();
        std::thread::spawn(move || says_no(&server));
        let why = refused(&format!("url = \"mqtts://{NAME}\"")).await;
        assert!(matches!(why, WayError::Elsewhere(_)), "{why:?}");
        let says = format!(
            "nobody knows the name {NAME}; is it spelled right, and is it known in the network of this gateway?"
        );
        assert_eq!(why.to_string(), format!("{NAME}:8883: {says}"));
    });
}
