//! The ring: items in the order in which they came, and from where on each stream is whole.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Mono;

use super::{Item, Numbers};

/// How long the ring is filled on after the last listener left.
pub const LINGERS: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Ring {
    items: VecDeque<Arc<Item>>,
    /// The place of the oldest; places are given in the order of coming.
    base: u64,
    bytes: usize,
    /// From here on a stream is whole.
    first: Numbers,
    /// What comes next.
    pub next: Numbers,
    /// The loop has told the numbers.
    pub told: bool,
    pub listeners: usize,
    quiet_since: Option<Mono>,
    pub closed: bool,
}

impl Ring {
    pub fn push(&mut self, item: Item, most_bytes: usize) {
        let stream = item.stream as usize;
        if item.first != self.next[stream] {
            self.first[stream] = item.first;
        }
        self.next[stream] = item.last + 1;
        self.bytes += item.weight;
        self.items.push_back(Arc::new(item));
        while self.bytes > most_bytes {
            let Some(oldest) = self.items.pop_front() else { break };
            self.bytes -= oldest.weight;
            self.base += 1;
            let first = &mut self.first[oldest.stream as usize];
            *first = (*first).max(oldest.last + 1);
        }
    }

    /// Numbers that were given and are not in the ring have to be looked for on disk.
    pub fn tell(&mut self, next: Numbers) {
        for (stream, told) in next.into_iter().enumerate() {
            if self.next[stream] != told {
                (self.first[stream], self.next[stream]) = (told, told);
            }
        }
    }

    /// A stream of which the ring does not hold what comes after the position.
    pub fn behind(&self, position: &Numbers, wanted: &[bool; 3]) -> Option<(usize, u64)> {
        let behind = |stream: &usize| wanted[*stream] && position[*stream] + 1 < self.first[*stream];
        (0..3).find(behind).map(|stream| (stream, self.first[stream]))
    }

    /// From a place on, which goes forward.
    pub fn from(&self, at: &mut u64, most: usize) -> Vec<Arc<Item>> {
        *at = (*at).max(self.base);
        let items: Vec<Arc<Item>> = self.items.iter().skip((*at - self.base) as usize).take(most).cloned().collect();
        *at += items.len() as u64;
        items
    }

    pub fn clear(&mut self) {
        *self = Ring { closed: self.closed, listeners: self.listeners, ..Ring::default() };
    }

    /// Nobody has listened for a while.
    pub fn is_over(&mut self, now: Mono) -> bool {
        if self.listeners > 0 {
            self.quiet_since = None;
            return false;
        }
        now.since(*self.quiet_since.get_or_insert(now)) >= LINGERS
    }
}
