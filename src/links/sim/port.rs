//! Where requests meet the connection: who waits for which answer.
//!
//! Invariants: an answer is taken only by the request whose number and address it bears and whose kind it fits; any other
//! ends nothing. Numbers are never used again. A request stands in `pending` from before its line is queued until its answer is taken or its future is
//! dropped; when the connection ends `pending` is emptied, which ends every request. Locks are held for a moment and
//! never across a wait. Values that were handed to a request that gave up in the same moment go to `late`, which
//! `attend` passes on: what the plant has written is not lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::wire::{FromPlant, ToPlant, write_line};
use crate::links::runner::{Miss, Notice, Polled, Seen};
use crate::model::order::Verdict;
use crate::model::{Address, CommandNo, DeviceNo, Name, Operation, Outcome, PointPath, Quality, Value};

/// Lines on their way to the writer.
pub const LINES: usize = 256;
/// So many of the longest addresses fit a line.
const HEED_AT_ONCE: usize = 500;

struct Pending {
    answer: oneshot::Sender<FromPlant>,
    address: Address,
    /// None: it is a read.
    command: Option<CommandNo>,
}

impl Pending {
    fn is_answered_by(&self, answer: &FromPlant) -> bool {
        match answer {
            FromPlant::Values { address, .. } => self.command.is_none() && self.address == *address,
            FromPlant::Done { address, .. } => self.command.is_some() && self.address == *address,
            FromPlant::Failed { address, .. } => self.address == *address,
            _ => false,
        }
    }
}

#[derive(Default)]
pub struct Port {
    lines: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    pending: Mutex<HashMap<u64, Pending>>,
    late: Mutex<Vec<(Address, Vec<Seen>)>>,
    last: AtomicU64,
    pub leaving: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn line(message: &ToPlant) -> Result<Vec<u8>, String> {
    let mut line = Vec::new();
    write_line(message, &mut line).map_err(|e| e.to_string())?;
    Ok(line)
}

pub fn seen(values: Vec<(PointPath, Value)>) -> Vec<Seen> {
    values.into_iter().map(|(path, value)| Seen { path, value, quality: Quality::Good, source: None }).collect()
}

const DETACHED: &str = "the plant is not connected";

enum Unanswered {
    NotSent(String),
    Lost(String),
}

impl Port {
    pub fn attach(&self, lines: mpsc::Sender<Vec<u8>>) {
        *lock(&self.lines) = Some(lines);
    }

    /// Ends every request; what comes next is not sent.
    pub fn detach(&self) {
        *lock(&self.lines) = None;
        lock(&self.pending).clear();
    }

    /// Gives an answer to whoever waits for it; what nobody waits for comes back.
    pub fn take(&self, req: u64, answer: FromPlant) -> Option<FromPlant> {
        let mut pending = lock(&self.pending);
        match pending.get(&req).is_some_and(|pending| pending.is_answered_by(&answer)) {
            true => pending.remove(&req)?.answer.send(answer).err(),
            false => Some(answer),
        }
    }

    pub fn command(&self, req: u64) -> Option<CommandNo> {
        lock(&self.pending).get(&req).and_then(|pending| pending.command)
    }

    pub fn late(&self) -> Vec<Notice> {
        let late = std::mem::take(&mut *lock(&self.late));
        late.into_iter().map(|(address, values)| Notice::Spoke { address, values }).collect()
    }

    async fn say(&self, message: &ToPlant) -> Result<(), String> {
        let line = line(message)?;
        let lines = lock(&self.lines).clone().ok_or(DETACHED)?;
        lines.send(line).await.map_err(|_| DETACHED.into())
    }

    async fn ask(
        &self,
        address: &Address,
        command: Option<CommandNo>,
        message: impl FnOnce(u64) -> ToPlant,
    ) -> Result<FromPlant, Unanswered> {
        let req = self.last.fetch_add(1, Ordering::Relaxed);
        let line = line(&message(req)).map_err(Unanswered::NotSent)?;
        let (answer, wait) = oneshot::channel();
        lock(&self.pending).insert(req, Pending { answer, address: address.clone(), command });
        let mut asking = Asking { port: self, req, wait };
        // Detached before: nothing went out. Detached after: `detach` has seen the request and ends it.
        let lines = lock(&self.lines).clone().ok_or_else(|| Unanswered::NotSent(DETACHED.into()))?;
        lines.send(line).await.map_err(|_| Unanswered::NotSent("the connection to the plant has ended".into()))?;
        drop(lines);
        (&mut asking.wait).await.map_err(|_| Unanswered::Lost("the plant went away before it answered".into()))
    }
}

/// A request under way; dropped, it waits no longer.
struct Asking<'a> {
    port: &'a Port,
    req: u64,
    wait: oneshot::Receiver<FromPlant>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        lock(&self.port.pending).remove(&self.req);
        if let Ok(FromPlant::Values { address, values, .. }) = self.wait.try_recv() {
            lock(&self.port.late).push((address, seen(values)));
        }
    }
}

impl Polled for Port {
    async fn read(&self, address: &Address, points: &[PointPath]) -> Result<Vec<Seen>, Miss> {
        let asked = |req| ToPlant::Read { req, address: address.clone(), points: points.to_vec() };
        match self.ask(address, None, asked).await {
            Ok(FromPlant::Values { values, .. }) => Ok(seen(values)),
            Ok(FromPlant::Failed { why, .. }) => Err(Miss(why)),
            Ok(_) => Err(Miss("the plant answered a read with something else".into())),
            Err(Unanswered::NotSent(why) | Unanswered::Lost(why)) => Err(Miss(why)),
        }
    }

    async fn perform(&self, command: CommandNo, address: &Address, operation: &Operation, _: Instant) -> Outcome {
        let asked = |req| ToPlant::Perform { req, address: address.clone(), operation: operation.clone() };
        match self.ask(address, Some(command), asked).await {
            Ok(FromPlant::Done { outcome: outcome @ (Outcome::Done(_) | Outcome::Failed(_)), .. }) => outcome,
            Ok(FromPlant::Failed { why, .. }) => Outcome::Failed(why),
            // The plant cannot know that nothing reached it.
            Ok(_) => Outcome::Lost("the plant answered with something that is no outcome".into()),
            Err(Unanswered::NotSent(why)) => Outcome::NotSent(why),
            Err(Unanswered::Lost(why)) => Outcome::Lost(why),
        }
    }

    /// Its devices say themselves what they have.
    fn know(&self, _: DeviceNo, _: &Address, _: Option<&Name>) {}

    async fn heed(&self, addresses: Vec<Address>) {
        for some in addresses.chunks(HEED_AT_ONCE) {
            // Not connected: they are heeded anew when it is.
            let _ = self.say(&ToPlant::Heed { addresses: some.to_vec() }).await;
        }
    }

    async fn ignore(&self, addresses: Vec<Address>) {
        for some in addresses.chunks(HEED_AT_ONCE) {
            // Not connected: nobody is heeded.
            let _ = self.say(&ToPlant::Ignore { addresses: some.to_vec() }).await;
        }
    }

    async fn discover(&self) {
        // Not connected: it is asked anew when it is.
        let _ = self.say(&ToPlant::Discover).await;
    }

    async fn answer(&self, exchange: u64, verdict: Verdict, wait: Option<Duration>) {
        // Not connected: the device asks again.
        let _ = self.say(&ToPlant::Answer { exchange, verdict, wait }).await;
    }

    async fn leave(&self) {
        self.leaving.notify_one();
        let _ = self.say(&ToPlant::Bye).await;
    }
}
