//! Whether the loop and the store move: counters that they leave behind, and the rule by which the watchdog is fed.
//!
//! It is asked four times in a watchdog's time. Each time an event is put into the loop's queue, as a link would put it,
//! and:
//!
//! - **Served**: an event was taken from the queue since, and the turn that took it came to its end with everything on
//!   disk that somebody waits for (or with the disk known to refuse, which is told and tried again). Then all is well.
//! - **Slow**: no turn came to its end, but the disk did something for the loop since: one operation came back. That is
//!   well too, but not for longer than [`LONGEST_TURN`]: else a loop that reads the same page for ever would be.
//! - Otherwise nothing moves. Nobody feeds the watchdog, and systemd ends the process and starts it anew.
//!
//! So a loop that spins, in a turn or from turn to turn, a loop that waits for a lock or for a sync that never returns,
//! and one that never settles what it took, all end in a restart; one operation of the disk may take three quarters of the
//! watchdog's time, and any number of them may follow. Only what the disk does for the loop counts: readers of the store
//! go on while a sync hangs.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use crate::model::Mono;

/// A turn that the disk holds up for longer has lost its way. A file of the greatest size is repaired on a slow card in
/// less.
pub const LONGEST_TURN: Duration = Duration::from_secs(600);

/// Counters; they start anew when they are full.
#[derive(Debug, Default)]
pub struct Pulse {
    served: AtomicU64,
    disk: AtomicU64,
    /// Until it is known everybody counts: the store is opened before there is a loop.
    of_loop: OnceLock<ThreadId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    pub served: u64,
    pub disk: u64,
}

impl Pulse {
    /// From here on only this thread counts for the disk.
    pub fn loop_is(&self, thread: ThreadId) {
        // It is set once, when the loop begins.
        let _ = self.of_loop.set(thread);
    }

    pub fn served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    pub fn disk_moved(&self) {
        if self.of_loop.get().is_none_or(|of_loop| *of_loop == std::thread::current().id()) {
            self.disk.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn beat(&self) -> Beat {
        Beat { served: self.served.load(Ordering::Relaxed), disk: self.disk.load(Ordering::Relaxed) }
    }
}

/// Compares what it sees with what it saw.
#[derive(Debug)]
pub struct Judge {
    last: Beat,
    served_at: Mono,
}

impl Judge {
    pub fn new(now: Mono, beat: Beat) -> Judge {
        Judge { last: beat, served_at: now }
    }

    /// Whether anything moves since the last look.
    pub fn moves(&mut self, now: Mono, beat: Beat) -> bool {
        let before = std::mem::replace(&mut self.last, beat);
        if beat.served != before.served {
            self.served_at = now;
            return true;
        }
        beat.disk != before.disk && now < self.served_at + LONGEST_TURN
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Looks each second, at a gateway that does this much up to then; when it was first said that nothing moves.
    fn first_doubt(until: u64, does: impl Fn(u64) -> (u64, u64)) -> Option<u64> {
        let beat = |second| {
            let (served, disk) = does(second);
            Beat { served, disk }
        };
        let mut judge = Judge::new(Mono(0), beat(0));
        (1..=until).find(|second| !judge.moves(Mono(second * 1_000), beat(*second)))
    }

    #[test]
    fn a_loop_that_takes_what_comes_is_well_whatever_the_disk_does() {
        assert_eq!(first_doubt(5_000, |second| (second, 0)), None);
    }

    #[test]
    fn a_loop_that_spins_is_found_at_once_within_a_turn_and_from_turn_to_turn() {
        assert_eq!(first_doubt(60, |second| (second.min(7), second.min(7))), Some(8));
    }

    #[test]
    fn a_sync_that_never_returns_is_found_and_one_that_takes_long_is_not() {
        let never = |second: u64| (second.min(7), second.min(9));
        assert_eq!(first_doubt(60, never), Some(10));
        // Asked every five seconds, on a disk that needs four for each operation.
        let mut judge = Judge::new(Mono(0), Beat::default());
        for look in 1..=100 {
            assert!(judge.moves(Mono(look * 5_000), Beat { served: 0, disk: look * 5 / 4 }), "{look}");
        }
    }

    #[test]
    fn a_turn_that_only_ever_reads_is_found_in_the_end() {
        let longest = LONGEST_TURN.as_secs();
        assert_eq!(first_doubt(2 * longest, |second| (0, second)), Some(longest));
        // The negative: with a turn that ends now and then it is only a slow disk.
        assert_eq!(first_doubt(2 * longest, |second| (second / (longest - 1), second)), None);
    }

    #[test]
    fn once_there_is_a_loop_only_its_thread_counts_for_the_disk() {
        let pulse = Arc::new(Pulse::default());
        pulse.disk_moved();
        pulse.loop_is(std::thread::current().id());
        pulse.disk_moved();
        let reader = pulse.clone();
        std::thread::spawn(move || reader.disk_moved()).join().unwrap();
        assert_eq!(pulse.beat(), Beat { served: 0, disk: 2 });
    }
}
