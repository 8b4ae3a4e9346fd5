//! When to ping, and when an answer is overdue: what notices a broker that is gone without a word.
//!
//! We ping when nothing was sent for the keep-alive, as MQTT asks; and when nothing was heard for as long, for who sends
//! only what nobody answers would not notice either. Whatever is answered (a ping, a publish, a subscription) must bring
//! some sign of life in seven eighths of the keep-alive, so that a black hole is noticed within two. A broker that does
//! answer, but not this, has two keep-alives. A sign of life is any byte: on a slow link a large message is one.
//!
//! Invariant: no deadline runs while we do not read ourselves, nor wakes anybody without need.

use std::time::{Duration, Instant};

use super::event::Awaited;

pub struct Alive {
    keep: Duration,
    sent: Instant,
    heard: Instant,
    /// When the ping went that is not answered.
    ping: Option<Instant>,
    acknowledged: Instant,
    deaf: bool,
}

/// The oldest publish that waits for its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oldest {
    pub at: Instant,
    /// A later one was acknowledged before it, so others' acknowledgements do not speak for it.
    pub passed: bool,
}

/// What else is under way, that the deadlines depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnderWay {
    pub oldest: Option<Oldest>,
    pub asked: Option<Instant>,
    pub unwritten: Option<Instant>,
}

impl Alive {
    pub fn new(now: Instant, keep: Duration) -> Alive {
        Alive { keep, sent: now, heard: now, ping: None, acknowledged: now, deaf: false }
    }

    pub fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub fn acknowledged(&mut self, now: Instant) {
        self.acknowledged = now;
    }

    pub fn pinged(&mut self, now: Instant) {
        self.ping = Some(now);
    }

    pub fn ponged(&mut self) {
        self.ping = None;
    }

    /// We stop reading, or go on: what came meanwhile could not be heard.
    pub fn deaf(&mut self, now: Instant, deaf: bool) {
        if self.deaf && !deaf {
            (self.heard, self.acknowledged) = (now, now);
            self.ping = self.ping.map(|_| now);
        }
        self.deaf = deaf;
    }

    pub fn ping_at(&self, under_way: &UnderWay) -> Option<Instant> {
        let quiet = self.ping.is_none() && under_way.unwritten.is_none();
        let since = if self.deaf { self.sent } else { self.sent.min(self.heard) };
        quiet.then(|| since + self.keep)
    }

    /// What is overdue first, and when.
    pub fn overdue_at(&self, under_way: &UnderWay) -> Option<(Instant, Awaited)> {
        let stuck = under_way.unwritten.map(|since| (since + self.soon(), Awaited::Reading));
        let deaf = self.deaf;
        let rest = [self.pong_at(), self.acknowledgement_at(under_way), self.silent_at(under_way)];
        rest.into_iter().filter(|_| !deaf).chain([stuck]).flatten().min_by_key(|(at, _)| *at)
    }

    fn soon(&self) -> Duration {
        self.keep - self.keep / 8
    }

    /// It stands behind what was sent before; acknowledgements of that say that it gets on.
    fn pong_at(&self) -> Option<(Instant, Awaited)> {
        self.ping.map(|at| (at.max(self.acknowledged) + 2 * self.keep, Awaited::Ping))
    }

    fn acknowledgement_at(&self, under_way: &UnderWay) -> Option<(Instant, Awaited)> {
        under_way.oldest.map(|oldest| {
            let since = if oldest.passed { oldest.at } else { oldest.at.max(self.acknowledged) };
            (since + 2 * self.keep, Awaited::Acknowledgement)
        })
    }

    /// Any sign will do.
    fn silent_at(&self, under_way: &UnderWay) -> Option<(Instant, Awaited)> {
        let ping = self.ping.map(|at| (at, Awaited::Ping));
        let oldest = under_way.oldest.map(|oldest| (oldest.at, Awaited::Acknowledgement));
        let asked = under_way.asked.map(|at| (at, Awaited::Subscription));
        let first = [ping, oldest, asked].into_iter().flatten().min_by_key(|(at, _)| *at);
        first.map(|(at, awaited)| (at.max(self.heard) + self.soon(), awaited))
    }

    pub fn quiet_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(80);

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn a_ping_goes_when_nothing_was_sent_or_nothing_heard() {
        let (begin, idle) = (Instant::now(), UnderWay::default());
        let mut alive = Alive::new(begin, KEEP);
        alive.heard(at(begin, 50));
        assert_eq!(alive.ping_at(&idle), Some(at(begin, 80)));
        alive.sent(at(begin, 70));
        assert_eq!(alive.ping_at(&idle), Some(at(begin, 130)), "heard at 50");
        alive.pinged(at(begin, 130));
        assert_eq!(alive.ping_at(&idle), None, "one is out");
        let stuck = UnderWay { unwritten: Some(begin), ..UnderWay::default() };
        alive.ponged();
        assert_eq!(alive.ping_at(&stuck), None, "another packet is on its way out");
    }

    #[test]
    fn silence_is_overdue_within_two_keep_alives_of_the_last_sign() {
        let begin = Instant::now();
        let mut alive = Alive::new(begin, KEEP);
        alive.pinged(at(begin, 80));
        assert_eq!(alive.overdue_at(&UnderWay::default()), Some((at(begin, 150), Awaited::Ping)));
        alive.heard(at(begin, 149));
        assert_eq!(alive.overdue_at(&UnderWay::default()), Some((at(begin, 219), Awaited::Ping)));
        alive.heard(at(begin, 218));
        assert_eq!(alive.overdue_at(&UnderWay::default()), Some((at(begin, 240), Awaited::Ping)), "but no answer");
    }

    #[test]
    fn acknowledgements_speak_for_those_behind_them_only() {
        let begin = Instant::now();
        let mut alive = Alive::new(begin, KEEP);
        let waits = |passed| UnderWay { oldest: Some(Oldest { at: begin, passed }), ..UnderWay::default() };
        alive.heard(at(begin, 150));
        alive.acknowledged(at(begin, 150));
        assert_eq!(alive.overdue_at(&waits(false)), Some((at(begin, 220), Awaited::Acknowledgement)), "any sign");
        assert_eq!(alive.overdue_at(&waits(true)), Some((at(begin, 160), Awaited::Acknowledgement)));
    }

    #[test]
    fn nothing_is_overdue_while_we_do_not_read_but_what_we_write_is() {
        let begin = Instant::now();
        let mut alive = Alive::new(begin, KEEP);
        let waits = UnderWay { oldest: Some(Oldest { at: begin, passed: true }), ..UnderWay::default() };
        alive.pinged(begin);
        alive.deaf(begin, true);
        assert_eq!(alive.overdue_at(&waits), None);
        let stuck = UnderWay { unwritten: Some(begin), ..waits };
        assert_eq!(alive.overdue_at(&stuck), Some((at(begin, 70), Awaited::Reading)));
        alive.deaf(at(begin, 500), false);
        assert_eq!(alive.overdue_at(&UnderWay::default()), Some((at(begin, 570), Awaited::Ping)));
    }
}
