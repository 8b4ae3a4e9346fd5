//! A way over TCP that has troubles: it stands between a client and a server on loopback and passes on what they say.
//!
//! Threads: one that takes connections, and for each of them one a direction. They share the trouble, and each wait ends
//! when that changes, so an order holds from the next byte on. All end when the relay is dropped.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    None,
    /// So many bytes a second each way, one by one.
    Slow(u32),
    /// Nothing passes, nothing is lost: it passes when the trouble is over. Connections are still taken.
    BlackHole,
    /// After so many more bytes towards the client the connection is reset.
    Cut(usize),
    /// Who connects is thrown out.
    Refuse,
}

struct State {
    trouble: Trouble,
    ended: bool,
    live: Vec<TcpStream>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

impl Relay {
    /// To that port, by one of its own.
    pub fn to(server: u16) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { trouble: Trouble::None, ended: false, live: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let theirs = shared.clone();
        std::thread::spawn(move || theirs.take_connections(&listener, server));
        Relay { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// In place of the trouble before.
    pub fn trouble(&self, trouble: Trouble) {
        self.shared.state.lock().unwrap().trouble = trouble;
        self.shared.changed.notify_all();
    }

    /// All connections, in the middle of whatever they say.
    pub fn reset(&self) {
        self.shared.state.lock().unwrap().live.drain(..).for_each(|stream| reset(&stream));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap();
        state.ended = true;
        state.live.drain(..).for_each(|stream| reset(&stream));
        drop(state);
        self.shared.changed.notify_all();
        // So that the thread that takes connections looks.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Closing it sends a reset; the shutdown lets whoever reads from it go.
fn reset(stream: &TcpStream) {
    let _ = setsockopt(stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 });
    let _ = stream.shutdown(Shutdown::Read);
}

impl Shared {
    fn take_connections(self: Arc<Shared>, listener: &TcpListener, server: u16) {
        for client in listener.incoming() {
            let mut state = self.state.lock().unwrap();
            if state.ended {
                return;
            }
            let Ok(client) = client else { continue };
            let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server)));
            let (Ok(server), false) = (server, state.trouble == Trouble::Refuse) else {
                reset(&client);
                continue;
            };
            state.live.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
            drop(state);
            self.connect(client, server);
        }
    }

    fn connect(self: &Arc<Shared>, client: TcpStream, server: TcpStream) {
        let shared = self.clone();
        std::thread::spawn(move || {
            std::thread::scope(|both| {
                both.spawn(|| shared.pass_on(&client, &server, false));
                shared.pass_on(&server, &client, true);
            });
            shared.forget(&client, &server);
        });
    }

    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream, towards_client: bool) {
        let _ = to.set_nodelay(true);
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut part) {
            let mut left = &part[..length];
            while !left.is_empty() {
                let Some(now) = self.may_pass(left.len(), towards_client) else { return self.cut(from, to) };
                if to.write_all(&left[..now]).is_err() {
                    return self.cut(from, to);
                }
                left = &left[now..];
            }
        }
        // One that was reset says no farewell.
        if self.live(from) {
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    fn live(&self, stream: &TcpStream) -> bool {
        self.state.lock().unwrap().live.iter().any(|live| ends(live) == ends(stream))
    }

    /// How many bytes may go now, when any may; None where the connection is over.
    fn may_pass(&self, wanted: usize, towards_client: bool) -> Option<usize> {
        let mut state = self.state.lock().unwrap();
        loop {
            if state.ended {
                return None;
            }
            match &mut state.trouble {
                Trouble::BlackHole => state = self.changed.wait(state).unwrap(),
                Trouble::Slow(rate) => {
                    let each = Duration::from_secs(1) / *rate;
                    state = self.over(state, each);
                    return (!state.ended).then_some(1);
                }
                Trouble::Cut(left) if towards_client => {
                    let now = wanted.min(*left);
                    *left -= now;
                    return (now > 0).then_some(now);
                }
                _ => return Some(wanted),
            }
        }
    }

    /// A byte takes so long, or until the trouble changes.
    fn over<'a>(&self, state: MutexGuard<'a, State>, each: Duration) -> MutexGuard<'a, State> {
        let trouble = state.trouble;
        let still = |state: &mut State| !state.ended && state.trouble == trouble;
        self.changed.wait_timeout_while(state, each, still).unwrap().0
    }

    fn cut(&self, from: &TcpStream, to: &TcpStream) {
        self.forget(from, to);
        [from, to].into_iter().for_each(reset);
    }

    fn forget(&self, one: &TcpStream, other: &TcpStream) {
        let ours = [ends(one), ends(other)];
        self.state.lock().unwrap().live.retain(|stream| !ours.contains(&ends(stream)));
    }
}

/// By which a connection is known, whichever handle of it one has.
fn ends(stream: &TcpStream) -> (Option<SocketAddr>, Option<SocketAddr>) {
    (stream.local_addr().ok(), stream.peer_addr().ok())
}
