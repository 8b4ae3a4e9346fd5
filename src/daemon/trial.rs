//! What `[debug.NAME]` asks for: the daemon goes wrong on purpose, so that it can be seen what becomes of it. Not for the
//! field.
//!
//! It begins once the daemon is ready, for what goes wrong at a start is another matter.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::config::Debug;

#[derive(Debug, Default)]
pub struct Trial(OnceLock<Asked>);

#[derive(Debug, Default)]
struct Asked {
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
    pub fn begin<'a>(&self, sections: impl Iterator<Item = &'a Debug>) {
        let mut asked = Asked::default();
        for debug in sections {
            asked.sync_takes = asked.sync_takes.max(debug.sync_takes.0);
            asked.in_loop = asked.in_loop.or(debug.loop_starves.then_some(InLoop::Starves));
            asked.in_loop = asked.in_loop.or(debug.loop_spins.then_some(InLoop::Spins));
        }
        // It begins once.
        let _ = self.0.set(asked);
    }

    /// Called before each sync.
    pub fn hold_the_sync_up(&self) {
        let takes = self.0.get().map_or(Duration::ZERO, |asked| asked.sync_takes);
        let until = Instant::now() + takes;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }

    /// Called in each turn of the loop; of a turn without an end it does not come back.
    pub fn starves(&self) -> bool {
        let in_loop = self.0.get().and_then(|asked| asked.in_loop);
        while in_loop == Some(InLoop::Spins) {
            std::hint::spin_loop();
        }
        in_loop == Some(InLoop::Starves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_wrong_before_the_daemon_is_ready_or_where_nobody_asks() {
        let asked = Debug { loop_starves: true, ..Debug::default() };
        let trial = Trial::default();
        assert!(!trial.starves());
        trial.begin([&Debug::default(), &asked].into_iter());
        assert!(trial.starves());
        let none = Trial::default();
        none.begin([Debug::default()].iter());
        none.hold_the_sync_up();
        assert!(!none.starves());
    }
}
