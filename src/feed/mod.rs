//! What just happened, for whoever listens live: records as they are committed, readings as they come.
//!
//! The loop puts in after each turn; listeners take what comes after their position. What they find no more is on disk,
//! or will be, under the same numbers.
//!
//! Invariants: while nobody listens, and nobody did a moment ago, nothing is put in and nothing is held. Of each stream
//! the ring holds what is from `first` to `next` without a hole, in order. It weighs at most `most_bytes`; the oldest go.
//! The lock is held for pointers and numbers only, so no listener holds the loop up. The text of an item is made once,
//! however many show it. One watch counter goes up when there is something new; listeners set their own pace.

mod item;
mod ring;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::model::record::Entry;
use crate::model::{Heard, Now};

pub use item::{Item, What, pieces};
use ring::Ring;

/// One number for each stream, in the order of [`Stream::ALL`](crate::model::Stream::ALL).
pub type Numbers = [u64; 3];

/// Pointers that are taken at once.
const AT_ONCE: usize = 256;

/// What the loop is to do for listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listened {
    pub any: bool,
    /// Somebody waits for records of *vital* or *events*.
    pub records: bool,
}

/// What one turn of the loop brought; the numbers are those that come next.
#[derive(Debug, Default)]
pub struct News {
    pub readings: Vec<(u64, Heard)>,
    pub records: Vec<(u64, Entry)>,
    pub next: Numbers,
}

pub struct Feed {
    most_bytes: usize,
    most_listeners: usize,
    /// Also a while after the last listener left: one that was cut off comes back.
    filled: AtomicBool,
    record_listeners: AtomicUsize,
    ring: Mutex<Ring>,
    news: watch::Sender<u64>,
}

/// A place among the listeners, given back when it is dropped.
pub struct Listener {
    feed: Arc<Feed>,
    records: bool,
    /// What it takes next of the ring.
    at: u64,
    news: watch::Receiver<u64>,
}

/// What a listener found.
#[derive(Debug)]
pub enum Taken {
    Items(Vec<Arc<Item>>),
    Nothing,
    /// Of this stream (by its place) the ring holds only what is from that number on.
    Behind(usize, u64),
    /// The daemon stops.
    Closed,
}

impl Feed {
    pub fn new(most_bytes: usize, most_listeners: usize) -> Feed {
        Feed {
            most_bytes,
            most_listeners,
            filled: AtomicBool::new(false),
            record_listeners: AtomicUsize::new(0),
            ring: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing in here can panic half-way through a change.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while as many listen as may.
    pub fn listen(self: &Arc<Feed>, records: bool) -> Option<Listener> {
        let mut ring = self.ring();
        if ring.listeners >= self.most_listeners {
            return None;
        }
        ring.listeners += 1;
        self.record_listeners.fetch_add(usize::from(records), Ordering::AcqRel);
        self.filled.store(true, Ordering::Release);
        Some(Listener { feed: self.clone(), records, at: 0, news: self.news.subscribe() })
    }

    /// The daemon stops: whoever listens is let go.
    pub fn close(&self) {
        self.ring().closed = true;
        self.news.send_modify(|count| *count += 1);
    }

    pub fn listeners(&self) -> usize {
        self.ring().listeners
    }

    /// What comes next of each stream; nothing, until the loop has told it.
    pub fn next(&self) -> Option<Numbers> {
        let ring = self.ring();
        ring.told.then_some(ring.next)
    }
}

/// For the loop.
impl Feed {
    pub fn listened(&self) -> Listened {
        let any = self.filled.load(Ordering::Acquire);
        Listened { any, records: any && self.record_listeners.load(Ordering::Acquire) > 0 }
    }

    pub fn put(&self, now: &Now, news: News) {
        if !self.filled.load(Ordering::Acquire) {
            return;
        }
        let mut ring = self.ring();
        if ring.is_over(now.mono) {
            ring.clear();
            return self.filled.store(false, Ordering::Release);
        }
        let first_word = !std::mem::replace(&mut ring.told, true);
        let moved = ring.next != news.next;
        let items = item::items(now, news.readings, news.records);
        items.into_iter().for_each(|item| ring.push(item, self.most_bytes));
        ring.tell(news.next);
        drop(ring);
        if moved || first_word {
            self.news.send_modify(|count| *count += 1);
        }
    }
}

impl Listener {
    /// What comes after a position, of the streams that are wanted; of the others too where the ring holds them.
    pub fn take(&mut self, position: &Numbers, wanted: &[bool; 3]) -> Taken {
        self.news.borrow_and_update();
        let ring = self.feed.ring();
        if ring.closed {
            return Taken::Closed;
        }
        if let Some((stream, first)) = ring.behind(position, wanted) {
            return Taken::Behind(stream, first);
        }
        let items = ring.from(&mut self.at, AT_ONCE);
        if items.is_empty() { Taken::Nothing } else { Taken::Items(items) }
    }

    /// So many of the last that were taken have to wait.
    pub fn give_back(&mut self, items: usize) {
        self.at = self.at.saturating_sub(items as u64);
    }

    /// Until there is something new. Cancel safe.
    pub async fn news(&mut self) {
        // The feed lives as long as this listener, so there is nobody to miss.
        let _ = self.news.changed().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.feed.ring().listeners -= 1;
        self.feed.record_listeners.fetch_sub(usize::from(self.records), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
