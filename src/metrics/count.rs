//! A number that is added to from anywhere, and how long something took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A total, or how many there are now. Each is by itself: nobody orders other memory by it.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn set(&self, to: u64) {
        self.0.store(to, Ordering::Relaxed);
    }

    /// One fewer than there were; never below nothing.
    pub fn down(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |there| there.checked_sub(1));
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper ends in milliseconds: from a fast disk to one that is about to fail.
pub const ENDS: [u64; 11] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000];

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Spans {
    /// The last one is for what took longer than all of [`ENDS`].
    within: [Count; ENDS.len() + 1],
    micros: Count,
}

/// The same, as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    /// How often it took at most so many seconds; the last end is infinite.
    pub within: Vec<(f64, u64)>,
    pub seconds: f64,
}

impl Spans {
    pub fn add(&self, took: Duration) {
        let place = ENDS.iter().position(|end| took <= Duration::from_millis(*end)).unwrap_or(ENDS.len());
        self.within[place].add(1);
        self.micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn spread(&self) -> Spread {
        let ends = ENDS.iter().map(|end| *end as f64 / 1_000.0).chain([f64::INFINITY]);
        let mut sum = 0;
        let within = ends.zip(&self.within).map(|(end, count)| {
            sum += count.get();
            (end, sum)
        });
        Spread { within: within.collect(), seconds: self.micros.get() as f64 / 1e6 }
    }
}
