//! How a door asks the engine: the question goes into the loop as an event under a number, the answer comes back by that
//! number, after the commit that it rests on.
//!
//! Invariants: at most `most` questions are in flight; each has a deadline; whoever goes away is forgotten at once. The
//! doors write to the one event channel of the loop; the loop answers through one-shot channels and never waits here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::model::{Ask, Event, Principal, Reply};

pub struct Asks {
    events: mpsc::Sender<Event>,
    most: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    closed: bool,
    replies: BTreeMap<u64, oneshot::Sender<Reply>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("too many questions are waiting for an answer already")]
    Busy,
    #[error("the daemon is stopping")]
    Stopping,
    /// It never reached the engine.
    #[error("the daemon has too much to do and did not take the question")]
    NotTaken,
    /// It did, and what it asked may or may not happen.
    #[error("the answer did not come in time: it is not known whether this was accepted")]
    NotKnown,
}

/// Forgets the question when whoever asked goes away.
struct Place<'a> {
    asks: &'a Asks,
    no: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.asks.waiting().replies.remove(&self.no);
    }
}

impl Asks {
    pub fn new(events: mpsc::Sender<Event>, most: usize) -> Asks {
        Asks { events, most, waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here can panic half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn ask(&self, by: Principal, ask: Ask, within: Duration) -> Result<Reply, AskError> {
        self.answered(|to| Event::Ask { to, by, ask }, within).await
    }

    /// An event under a number, and what comes back by that.
    pub async fn answered(&self, event: impl FnOnce(u64) -> Event, within: Duration) -> Result<Reply, AskError> {
        let end = tokio::time::Instant::now() + within;
        let (place, reply) = self.place()?;
        self.put(event(place.no), within).await?;
        match tokio::time::timeout_at(end, reply).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(AskError::NotKnown),
        }
    }

    /// An event that nobody answers.
    pub async fn put(&self, event: Event, within: Duration) -> Result<(), AskError> {
        use mpsc::error::SendTimeoutError;
        self.events.send_timeout(event, within).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => AskError::NotTaken,
            SendTimeoutError::Closed(_) => AskError::Stopping,
        })
    }

    fn place(&self) -> Result<(Place<'_>, oneshot::Receiver<Reply>), AskError> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(AskError::Stopping);
        }
        if waiting.replies.len() >= self.most {
            return Err(AskError::Busy);
        }
        waiting.last += 1;
        let no = waiting.last;
        let (sender, receiver) = oneshot::channel();
        waiting.replies.insert(no, sender);
        Ok((Place { asks: self, no }, receiver))
    }

    /// From the loop. Whoever asked may be gone by now: then nobody is told.
    pub fn answer(&self, to: u64, reply: Reply) {
        if let Some(sender) = self.waiting().replies.remove(&to) {
            let _ = sender.send(reply);
        }
    }

    /// From now on no question is taken; those in flight are still answered.
    pub fn close(&self) {
        self.waiting().closed = true;
    }

    /// Events that wait for the loop, and how many could.
    pub fn events_waiting(&self) -> (usize, usize) {
        let most = self.events.max_capacity();
        (most - self.events.capacity().min(most), most)
    }

    pub fn in_flight(&self) -> usize {
        self.waiting().replies.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CommandId, Name, Role, Scope};

    const LONG: Duration = Duration::from_secs(60);

    fn somebody() -> Principal {
        Principal { name: Name::new("p").unwrap(), role: Role::Viewer, scope: Scope::All, local: true, from: None }
    }

    fn something() -> Ask {
        Ask::Cancel { command: CommandId::new("c-1").unwrap() }
    }

    #[tokio::test]
    async fn an_answer_finds_whoever_asked() {
        let (events, mut taken) = mpsc::channel(4);
        let asks = Asks::new(events, 4);
        let answer = async {
            let Some(Event::Ask { to, .. }) = taken.recv().await else { panic!() };
            asks.answer(to, Reply::Done);
            asks.answer(to, Reply::Done);
        };
        let (reply, ()) = tokio::join!(asks.ask(somebody(), something(), LONG), answer);
        assert_eq!((reply, asks.in_flight()), (Ok(Reply::Done), 0));
    }

    #[tokio::test]
    async fn one_question_too_many_is_turned_away_and_one_that_left_makes_room() {
        let (events, _taken) = mpsc::channel(4);
        let asks = Asks::new(events, 1);
        let mut first = Box::pin(asks.ask(somebody(), something(), LONG));
        assert!(futures_are_pending(&mut first).await);
        assert_eq!(asks.ask(somebody(), something(), LONG).await, Err(AskError::Busy));
        drop(first);
        assert_eq!(asks.in_flight(), 0);
    }

    async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
        tokio::time::timeout(Duration::from_millis(1), future).await.is_err()
    }

    #[tokio::test]
    async fn no_answer_is_not_known_and_a_full_queue_is_not_taken() {
        let (events, _taken) = mpsc::channel(1);
        let asks = Asks::new(events, 4);
        let soon = Duration::from_millis(1);
        assert_eq!(asks.ask(somebody(), something(), soon).await, Err(AskError::NotKnown));
        assert_eq!(asks.ask(somebody(), something(), soon).await, Err(AskError::NotTaken));
        assert_eq!(asks.in_flight(), 0);
    }

    #[tokio::test]
    async fn nothing_is_taken_while_the_daemon_stops() {
        let (events, taken) = mpsc::channel(1);
        let asks = Asks::new(events, 4);
        asks.close();
        assert_eq!(asks.ask(somebody(), something(), LONG).await, Err(AskError::Stopping));
        drop(taken);
        assert_eq!(asks.put(Event::Wake, LONG).await, Err(AskError::Stopping));
    }
}
