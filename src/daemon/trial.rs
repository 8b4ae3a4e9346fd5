//! What `[debug.NAME]` asks for: the daemon goes wrong on purpose, so that it can be seen what becomes of it. Not for the
//! field.
//!
//! It begins once the daemon is ready, for what goes wrong at a start is another matter.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::config::Debug;

#[derive(Debug, Default)]
pub struct Trial {
    begun: AtomicBool,
    sync_takes: Duration,
    in_loop: Option<InLoop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLoop {
    /// A turn has no end.
    Spins,
    /// Turn follows turn, and nothing is taken from the queue.
    Starves,
}

impl Trial {
    pub fn of<'a>(asked: impl Iterator<Item = &'a Debug>) -> Trial {
        let mut trial = Trial::default();
        for debug in asked {
            trial.sync_takes = trial.sync_takes.max(debug.sync_takes.0);
            trial.in_loop = trial.in_loop.or(debug.loop_starves.then_some(InLoop::Starves));
            trial.in_loop = trial.in_loop.or(debug.loop_spins.then_some(InLoop::Spins));
        }
        trial
    }

    pub fn begin(&self) {
        self.begun.store(true, Ordering::Release);
    }

    /// Called before each sync.
    pub fn hold_the_sync_up(&self) {
        if self.sync_takes > Duration::ZERO && self.begun.load(Ordering::Acquire) {
            let until = Instant::now() + self.sync_takes;
            while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                std::thread::park_timeout(left);
            }
        }
    }

    /// Called in each turn of the loop; of a turn without an end it does not come back.
    pub fn starves(&self) -> bool {
        if self.in_loop.is_none() || !self.begun.load(Ordering::Acquire) {
            return false;
        }
        while self.in_loop == Some(InLoop::Spins) {
            std::hint::spin_loop();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_wrong_before_the_daemon_is_ready_or_where_nobody_asks() {
        let asked = Debug { loop_starves: true, ..Debug::default() };
        let trial = Trial::of([&Debug::default(), &asked].into_iter());
        assert!(!trial.starves());
        trial.begin();
        assert!(trial.starves());
        let none = Trial::of([Debug::default()].iter());
        none.begin();
        none.hold_the_sync_up();
        assert!(!none.starves());
    }
}
