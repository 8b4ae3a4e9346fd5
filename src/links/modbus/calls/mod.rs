//! Gateways that call in: behind a cellular modem nobody reaches them, so they connect to us, and we ask over that.
//!
//! ```text
//! listening ──newest──▶ Desk ──▶ Caller (the bus opens it) ──▶ CalledPort
//!                        ▲──────────────given back───────────────┘
//! ```
//!
//! Whoever connects comes from a network that may, and has said its hello, where one is wanted; then it waits at the desk of its
//! link. What follows is about a stranger that got so far: a newer call is tried only when the one in use did not answer,
//! and the one in use is kept beside it until the newer has answered. So nobody is cut off by a connection that gives
//! nothing. A call is given up where it ends, or when [`BARREN`] tries in a row brought no answer and another one waits.
//!
//! Invariants: of a call that is tried again, no late answer is taken for the next one: [`sift`] knows them by their
//! numbers. RTU has none, so there a call over which no answer came is closed, and the gateway has to call again.

mod hello;
mod listening;
mod port;
pub mod sift;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

pub use self::hello::Said;
use self::listening::Membership;
use self::port::CalledPort;
use self::sift::Sift;
use super::bus::open::{Opened, Opening, Opens, Waiting};
use super::networks::Network;

/// Tries of a call in a row that brought no answer, until it is given up.
const BARREN: u8 = 3;
/// The newest, and the one that it may replace.
const MOST_WAITING: usize = 2;

#[derive(Clone, Debug)]
pub struct Calls {
    pub listen: SocketAddr,
    pub from: Vec<Network>,
    pub hello: Option<Said>,
    pub heartbeat: Option<Said>,
    /// Its frames bear numbers: Modbus TCP.
    pub numbered: bool,
}

/// A connection that somebody made to us.
#[derive(Debug)]
struct Call {
    stream: TcpStream,
    sift: Sift,
    barren: u8,
    /// At some time.
    answered: bool,
}

/// Where the calls of one link wait.
#[derive(Debug, Default)]
struct Desk {
    held: Mutex<Held>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Held {
    newest: Option<TcpStream>,
    given_back: Option<Call>,
}

impl Desk {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that is done under this lock can panic half-way.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In place of an older one that waits.
    fn arrives(&self, stream: TcpStream) {
        self.held().newest = Some(stream);
        self.arrived.notify_one();
    }
}

/// The way of a bus to whoever calls in.
pub struct Caller {
    calls: Calls,
    within: Duration,
    member: Option<Membership>,
    desk: Arc<Desk>,
    /// Best first.
    waiting: Vec<Call>,
    /// An answer came over what was opened last.
    proven: bool,
    /// What was opened last had never brought an answer before.
    new: bool,
}

impl Caller {
    /// `within`: how long a call is waited for, until the link is said to be down.
    pub fn new(calls: Calls, within: Duration) -> Caller {
        Caller { calls, within, member: None, desk: Arc::default(), waiting: Vec::new(), proven: false, new: false }
    }

    async fn called(&mut self) -> Result<Opened, String> {
        let listen = self.calls.listen;
        if self.member.is_none() {
            let joined = listening::join(&self.calls, self.desk.clone());
            self.member = Some(joined.map_err(|why| format!("nobody can call in at {listen}: {why}"))?);
        }
        let call = timeout(self.within, self.next()).await;
        let call = call.map_err(|_| format!("no gateway has called in at {listen}"))?;
        let place = call.stream.peer_addr().map_err(|error| error.to_string())?.to_string();
        (self.proven, self.new) = (false, !call.answered);
        Ok(Opened { port: Box::new(CalledPort::new(call, self.desk.clone())), place })
    }

    async fn next(&mut self) -> Call {
        loop {
            self.gather();
            if !self.waiting.is_empty() {
                return self.waiting.remove(0);
            }
            self.desk.arrived.notified().await;
        }
    }

    /// The newest first, unless another one brought more answers; but no newcomer after another that brought nothing, as
    /// long as somebody is there who has answered before. A call that is alone is kept, whatever it brings: behind it
    /// there may be sleeping units.
    fn gather(&mut self) {
        let Held { newest, given_back } = std::mem::take(&mut *self.desk.held());
        let in_vain = std::mem::take(&mut self.new) && !self.proven;
        if let Some(mut call) = given_back {
            call.barren = if self.proven { 0 } else { call.barren.saturating_add(1) };
            call.answered |= self.proven;
            self.proven = false;
            self.waiting.insert(0, call);
        }
        if let Some(stream) = newest {
            let sift = Sift::new(self.calls.heartbeat.as_ref(), self.calls.numbered);
            self.waiting.insert(0, Call { stream, sift, barren: 0, answered: false });
        }
        self.waiting.sort_by_key(|call| (!(in_vain && call.answered), call.barren));
        self.waiting.truncate(MOST_WAITING);
        if self.waiting.len() > 1 {
            self.waiting.retain(|call| call.barren < BARREN);
        }
    }
}

impl Opens for Caller {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(self.called())
    }

    fn worth_trying(&mut self) -> Waiting<'_> {
        Box::pin(async {
            while self.desk.held().newest.is_none() {
                self.desk.arrived.notified().await;
            }
        })
    }

    fn proven(&mut self) {
        self.proven = true;
        self.waiting.clear();
    }

    fn release(&mut self) {
        self.member = None;
        self.waiting.clear();
        *self.desk.held() = Held::default();
    }
}
