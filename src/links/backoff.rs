//! How long until what failed is tried again: longer each time, never twice quite the same.

use std::time::Duration;

use super::chance::Chance;

#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    next: Duration,
    slowest: Duration,
    chance: Chance,
}

impl Backoff {
    pub fn new(first: Duration, slowest: Duration, chance: Chance) -> Backoff {
        let first = first.min(slowest);
        Backoff { first, next: first, slowest, chance }
    }

    pub fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.75 + 0.5 * self.chance.share()).min(self.slowest);
        self.next = (self.next * 2).min(self.slowest);
        pause
    }

    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_slowest_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), Chance::new(1));
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.pause()).collect();
        assert!(pauses[0] < Duration::from_millis(126) && pauses.iter().all(|p| *p <= Duration::from_secs(2)));
        assert!(pauses[10..].iter().all(|p| *p >= Duration::from_millis(1_500)));
        assert!(pauses[10..].windows(2).any(|two| two[0] != two[1]));
        backoff.reset();
        assert!(backoff.pause() < Duration::from_millis(126));
    }
}
