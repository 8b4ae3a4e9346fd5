//! How many bytes may be under way at once: so many that the way is busy, and so few that what is urgent is soon there.
//!
//! What was sent lies in queues that nobody sees: in the kernel, in a modem, in the broker. So the time from sending to
//! the acknowledgement is held near [`SOON`], and the rest follows: a fast way fills the whole bound, a slow one little.

use std::time::Duration;

/// What is urgent waits about so long behind what is under way.
const SOON: Duration = Duration::from_secs(2);
const LEAST: usize = 2 << 10;
/// Before anything is known of the way: less than a minute's worth where it carries a hundred bytes a second.
const FIRST: usize = 4 << 10;
/// A pack is such a part of what may be under way, so that the way is not idle between two.
const PACKS: usize = 4;

#[derive(Clone, Debug)]
pub struct Pace {
    most: usize,
    ahead: usize,
}

impl Pace {
    /// `most`: bytes that may ever be under way.
    pub fn new(most: usize) -> Pace {
        Pace { most: most.max(LEAST), ahead: FIRST.min(most.max(LEAST)) }
    }

    /// Bytes that may be under way now.
    pub fn ahead(&self) -> usize {
        self.ahead
    }

    /// Bytes of the next pack, at most.
    pub fn pack(&self) -> usize {
        (self.ahead / PACKS).max(LEAST / 2)
    }

    /// It has arrived, so long after it was sent; `full`: it went when no more might be under way.
    pub fn arrived(&mut self, took: Duration, full: bool) {
        if took > SOON {
            // In proportion: a way that has become slow is not filled for long.
            let share = SOON.as_secs_f64() / took.as_secs_f64();
            self.ahead = ((self.ahead as f64 * share.max(0.5)) as usize).max(LEAST);
        } else if full && took < SOON / 2 {
            self.ahead = (self.ahead + self.ahead / 4).min(self.most);
        }
    }

    /// The connection ended, and nothing of what was under way has arrived.
    pub fn was_in_vain(&mut self) {
        self.ahead = (self.ahead / 2).max(LEAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way that carries so many bytes a second, with a delay; always as full as it may be. Bytes under way at the end.
    fn after(rate: f64, delay: f64, packs: usize) -> (usize, f64) {
        let mut pace = Pace::new(1 << 20);
        let (mut clear_at, mut now, mut worst) = (0.0_f64, 0.0_f64, 0.0_f64);
        let mut under_way: std::collections::VecDeque<(f64, f64, usize)> = std::collections::VecDeque::new();
        for no in 0..packs {
            let mut size = pace.pack();
            while under_way.iter().map(|sent| sent.2).sum::<usize>() + size > pace.ahead() {
                let (sent, there, _) = under_way.pop_front().unwrap();
                now = now.max(there);
                pace.arrived(Duration::from_secs_f64(there - sent), true);
                size = pace.pack().min(size);
            }
            clear_at = clear_at.max(now) + size as f64 / rate;
            under_way.push_back((now, clear_at + delay, size));
            if no > packs / 2 {
                worst = worst.max(clear_at + delay - now);
            }
        }
        (pace.ahead(), worst)
    }

    #[test]
    fn a_fast_way_is_filled_and_a_slow_one_keeps_its_queue_short() {
        assert_eq!(after(50e6, 0.001, 2_000).0, 1 << 20);
        // 64 kbit/s with 600 ms: more than the way itself holds, and nothing waits long.
        let (ahead, worst) = after(8_000.0, 0.6, 500);
        assert!(ahead > 4_800 && worst < 3.0, "{ahead} {worst}");
        let (_, worst) = after(200.0, 0.6, 200);
        assert!(worst < 12.0, "{worst}");
    }

    #[test]
    fn who_sends_less_than_may_be_learns_nothing_of_the_way() {
        let mut pace = Pace::new(1 << 20);
        let before = pace.ahead();
        for _ in 0..100 {
            pace.arrived(Duration::from_millis(10), false);
        }
        assert_eq!(pace.ahead(), before);
    }

    #[test]
    fn it_never_goes_below_the_least_nor_beyond_the_most() {
        let mut pace = Pace::new(10_000);
        (0..100).for_each(|_| pace.arrived(Duration::ZERO, true));
        assert_eq!(pace.ahead(), 10_000);
        (0..100).for_each(|_| pace.arrived(Duration::from_secs(100), true));
        (0..100).for_each(|_| pace.was_in_vain());
        assert_eq!((pace.ahead(), pace.pack()), (LEAST, LEAST / 2));
    }
}
