//! The loop's way to wait: for events, or until a time, whichever comes first. It parks the thread itself, so the loop
//! keeps its deadlines even while every worker of the runtime is busy.
//!
//! One channel in, read by the one thread that made the mailbox.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::links::mono;
use crate::model::{Event, Mono};

/// Deadlines count the time a machine sleeps, parking does not: look again at least so often.
const LONGEST_PARK: Duration = Duration::from_secs(30);

pub struct Mailbox {
    events: mpsc::Receiver<Event>,
    waker: Waker,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Events,
    /// The time is over, or somebody unparked the thread.
    Nothing,
    /// Closed, and all that was in it is taken.
    Closed,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Mailbox {
    pub fn of_this_thread(events: mpsc::Receiver<Event>) -> Mailbox {
        Mailbox { events, waker: Waker::from(Arc::new(Unpark(std::thread::current()))) }
    }

    /// Up to `most` events, or none at `until`.
    pub fn receive(&mut self, into: &mut Vec<Event>, most: usize, until: Option<Mono>) -> Got {
        for last_look in [false, true] {
            match self.events.poll_recv_many(&mut Context::from_waker(&self.waker), into, most) {
                Poll::Ready(0) => return Got::Closed,
                Poll::Ready(_) => return Got::Events,
                Poll::Pending if !last_look => sleep(until),
                Poll::Pending => {}
            }
        }
        Got::Nothing
    }

    /// Nothing more comes in; what is in there can still be received.
    pub fn close(&mut self) {
        self.events.close();
    }
}

/// Until then, or until somebody unparks the thread.
pub fn sleep(until: Option<Mono>) {
    let span = until.map_or(LONGEST_PARK, |until| until.since(mono()));
    std::thread::park_timeout(span.min(LONGEST_PARK));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_comes_at_once_and_never_more_than_asked_for() {
        let (send, events) = mpsc::channel(8);
        let mut mailbox = Mailbox::of_this_thread(events);
        (0..3).for_each(|_| send.try_send(Event::Wake).unwrap());
        let mut batch = Vec::new();
        assert_eq!((mailbox.receive(&mut batch, 2, None), batch.len()), (Got::Events, 2));
        assert_eq!((mailbox.receive(&mut batch, 2, None), batch.len()), (Got::Events, 3));
    }

    #[test]
    fn a_time_that_is_over_ends_the_wait() {
        let (_send, events) = mpsc::channel(8);
        let mut mailbox = Mailbox::of_this_thread(events);
        assert_eq!(mailbox.receive(&mut Vec::new(), 2, Some(mono())), Got::Nothing);
    }

    #[test]
    fn an_event_from_another_thread_ends_the_wait() {
        let (send, events) = mpsc::channel(8);
        let mut mailbox = Mailbox::of_this_thread(events);
        let other = std::thread::spawn(move || send.blocking_send(Event::Wake).is_ok());
        let mut batch = Vec::new();
        // A thread may be unparked for no reason: then nothing was got, and one asks again.
        while mailbox.receive(&mut batch, 2, None) == Got::Nothing {}
        assert_eq!(batch, [Event::Wake]);
        assert!(other.join().unwrap());
    }

    #[test]
    fn what_was_sent_before_the_close_is_still_received() {
        let (send, events) = mpsc::channel(8);
        let mut mailbox = Mailbox::of_this_thread(events);
        send.try_send(Event::Wake).unwrap();
        mailbox.close();
        assert!(send.try_send(Event::Wake).is_err());
        let mut batch = Vec::new();
        assert_eq!(mailbox.receive(&mut batch, 2, None), Got::Events);
        assert_eq!(mailbox.receive(&mut batch, 2, None), Got::Closed);
    }
}
