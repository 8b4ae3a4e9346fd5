//! How many bytes may be on their way at once: as many as the broker acknowledges within a span, and no more.
//!
//! On a slow link a full window would be minutes of data in the buffers of the kernel and of modems: an alarm would wait
//! behind it, and an answer to a ping would come too late to count. So it begins small, doubles while acknowledgements come
//! well within the span and it is this bound that holds us up, and shrinks when they take longer.
//!
//! Invariant: between [`LEAST`] and the bound that was handed in; one message may always go, whatever its size.

use std::time::{Duration, Instant};

/// What is in flight should be acknowledged within this: short enough for an alarm behind it, long enough for a round trip
/// over a satellite.
const SPAN: Duration = Duration::from_secs(2);
/// Two packets of a network.
const LEAST: usize = 3 * 1024;
const FIRST: usize = 16 * 1024;

pub struct Pace {
    allowed: usize,
    most: usize,
    cut_at: Option<Instant>,
}

impl Pace {
    pub fn new(most: usize) -> Pace {
        Pace { allowed: FIRST.min(most), most: most.max(LEAST), cut_at: None }
    }

    pub fn allows(&self, flying: usize, more: usize) -> bool {
        flying == 0 || flying + more <= self.allowed
    }

    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// So many bytes were acknowledged, after that time; so many were on their way with them.
    pub fn acknowledged(&mut self, now: Instant, after: Duration, weight: usize, flying: usize) {
        if after > SPAN {
            self.shrink(now, after);
        } else if after < SPAN / 2 && flying * 2 >= self.allowed {
            self.allowed = (self.allowed + weight).min(self.most);
        }
    }

    /// Once for all that was on its way together: what was sent before the last cut says nothing new.
    fn shrink(&mut self, now: Instant, after: Duration) {
        if self.cut_at.is_some_and(|at| now.saturating_duration_since(at) < after) {
            return;
        }
        let share = (SPAN.as_secs_f64() / after.as_secs_f64()).clamp(0.25, 0.9);
        self.allowed = ((self.allowed as f64 * share) as usize).max(LEAST);
        self.cut_at = Some(now);
    }

    /// A connection was lost with answers overdue: what is there now may be slower.
    pub fn lost(&mut self, overdue: bool) {
        if overdue {
            self.allowed = (self.allowed / 4).max(LEAST);
        }
        self.cut_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of that rate and round trip, always kept full: what is allowed in the end.
    fn settles(rate: f64, round_trip: f64, message: usize) -> usize {
        let (mut pace, now) = (Pace::new(1 << 20), Instant::now());
        let (mut flying, mut free_at, mut t) = (std::collections::VecDeque::new(), 0f64, 0f64);
        let mut bytes = 0;
        for _ in 0..20_000 {
            while pace.allows(bytes, message) {
                free_at = free_at.max(t) + message as f64 / rate;
                flying.push_back((t, free_at + round_trip));
                bytes += message;
            }
            let Some((sent, back)) = flying.pop_front() else { panic!("one may always go") };
            t = f64::max(t, back);
            pace.acknowledged(now + Duration::from_secs_f64(t), Duration::from_secs_f64(t - sent), message, bytes);
            bytes -= message;
        }
        pace.allowed()
    }

    #[test]
    fn a_fast_link_gets_all_and_a_slow_one_two_seconds_of_what_it_carries() {
        assert_eq!(settles(50e6, 0.001, 1_000), 1 << 20);
        let cellular = settles(8_000.0, 0.6, 500);
        assert!((4_800..=20_000).contains(&cellular), "{cellular}: at least what fills the path, no queue beyond");
        assert_eq!(settles(200.0, 0.6, 1_000), LEAST);
    }

    #[test]
    fn one_message_may_always_go() {
        let pace = Pace::new(0);
        assert!(pace.allows(0, 10_000_000) && !pace.allows(1, 10_000_000));
    }

    #[test]
    fn what_was_lost_in_silence_begins_smaller_and_what_was_closed_does_not() {
        let mut pace = Pace::new(1 << 20);
        pace.lost(false);
        assert_eq!(pace.allowed(), FIRST);
        pace.lost(true);
        assert_eq!(pace.allowed(), FIRST / 4);
        pace.lost(true);
        assert_eq!(pace.allowed(), LEAST);
    }
}
