//! Where gateways call in: one listener for each address, whoever of the links waits there.
//!
//! Links on one address are told apart by the hellos of their gateways. Tasks: one a listener, which ends with the last of
//! its links, and one for each connection that has not said its hello yet; those are bounded in number and time.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::hello::{Heard, whose};
use super::{Calls, Desk, Said};
use crate::links::modbus::networks::{Network, TurnedAway, may_come};

/// Who connects has so long to say its hello.
const HELLO: Duration = Duration::from_secs(10);
/// Connections at once that have not said it yet; for a further one the oldest makes room. A hello comes at once, mostly.
const MOST_UNKNOWN: usize = 16;
/// After a connection that could not be taken: the machine lacks something.
const BREATH: Duration = Duration::from_millis(100);

/// All listeners of this process: no more than there are links.
static OPEN: Mutex<BTreeMap<SocketAddr, Weak<Listening>>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
struct Listening {
    members: Arc<Members>,
    task: AbortHandle,
}

type Members = Mutex<BTreeMap<u64, Member>>;

#[derive(Clone, Debug)]
struct Member {
    from: Vec<Network>,
    hello: Option<Said>,
    desk: Arc<Desk>,
}

/// Calls come to the desk until this is dropped.
#[derive(Debug)]
pub struct Membership {
    listening: Arc<Listening>,
    no: u64,
}

impl Drop for Membership {
    fn drop(&mut self) {
        lock(&self.listening.members).remove(&self.no);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn join(calls: &Calls, desk: Arc<Desk>) -> io::Result<Membership> {
    static JOINED: AtomicU64 = AtomicU64::new(0);
    let mut open = lock(&OPEN);
    open.retain(|_, listening| listening.strong_count() > 0);
    let listening = match open.get(&calls.listen).and_then(Weak::upgrade) {
        Some(listening) => listening,
        None => {
            let listening = Arc::new(Listening::begin(calls.listen)?);
            open.insert(calls.listen, Arc::downgrade(&listening));
            listening
        }
    };
    let no = JOINED.fetch_add(1, Ordering::Relaxed);
    let member = Member { from: calls.from.clone(), hello: calls.hello.clone(), desk };
    lock(&listening.members).insert(no, member);
    Ok(Membership { listening, no })
}

impl Listening {
    fn begin(at: SocketAddr) -> io::Result<Listening> {
        let listener = std::net::TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let members = Arc::<Members>::default();
        tracing::info!(%at, "Modbus gateways may call in");
        let task = tokio::spawn(listen(listener, members.clone(), Arc::new(TurnedAway::new(at)))).abort_handle();
        Ok(Listening { members, task })
    }
}

async fn listen(listener: TcpListener, members: Arc<Members>, strangers: Arc<TurnedAway>) {
    let (mut unknown, mut oldest) = (JoinSet::new(), VecDeque::<AbortHandle>::new());
    loop {
        tokio::select! {
            Some(_) = unknown.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let may: Vec<Member> =
                        lock(&members).values().filter(|member| may_come(&member.from, from.ip())).cloned().collect();
                    if may.is_empty() {
                        strangers.tell(from, "it is in none of the networks that may");
                        continue;
                    }
                    oldest.retain(|greeted| !greeted.is_finished());
                    if oldest.len() >= MOST_UNKNOWN && let Some(first) = oldest.pop_front() {
                        first.abort();
                    }
                    oldest.push_back(unknown.spawn(greet(stream, from, may, strangers.clone())));
                }
                Err(_) => sleep(BREATH).await,
            }
        }
    }
}

async fn greet(mut stream: TcpStream, from: SocketAddr, may: Vec<Member>, strangers: Arc<TurnedAway>) {
    // Requests are small, and their answers are waited for.
    let _ = stream.set_nodelay(true);
    match timeout(HELLO, who(&mut stream, &may)).await {
        Ok(Some(member)) => member.desk.arrives(stream),
        Ok(None) => strangers.tell(from, "its hello is that of no link"),
        Err(_) => strangers.tell(from, "it has not said its hello in time"),
    }
}

/// Reads not a byte more than the hello.
async fn who<'a>(stream: &mut TcpStream, may: &'a [Member]) -> Option<&'a Member> {
    if let Some(any) = may.iter().find(|member| member.hello.is_none()) {
        return Some(any);
    }
    let hellos: Vec<&[u8]> = may.iter().filter_map(|member| member.hello.as_ref()).map(Said::bytes).collect();
    let mut said = Vec::new();
    loop {
        match whose(&hellos, &said) {
            Heard::Is(place) => return may.get(place),
            Heard::Nobody => return None,
            Heard::More(missing) => {
                let read = (&mut *stream).take(missing as u64).read_buf(&mut said).await;
                if !matches!(read, Ok(1..)) {
                    return None;
                }
            }
        }
    }
}
