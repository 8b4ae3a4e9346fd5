//! A broker of our own making, against which each promise of the delivery is held.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What the way and the broker do with the next message.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Taken,
    /// Taken, and the acknowledgement comes after that of the next.
    Late,
    Lost,
    Full,
}

struct Broker {
    poison: [BTreeSet<u64>; 3],
    /// Poison does not only get refused, it breaks the connection.
    breaks: bool,
    has: [BTreeSet<u64>; 3],
    aside: [BTreeSet<u64>; 3],
    late: Vec<Token>,
}

struct Run {
    delivery: Delivery,
    broker: Broker,
    now: Mono,
    /// The order in which streams went, while all had something to say.
    first: Option<Stream>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Run {
    fn new(poison: [BTreeSet<u64>; 3], breaks: bool) -> Run {
        let broker = Broker { poison, breaks, has: Default::default(), aside: Default::default(), late: Vec::new() };
        let mut delivery = Delivery::new([true; 3], [0; 3], 64 << 10);
        delivery.lives();
        Run { delivery, broker, now: Mono(0), first: None }
    }

    fn aside(&mut self, aside: Option<(Stream, Span)>) {
        let Some((stream, span)) = aside else { return };
        self.broker.aside[stream as usize].extend(span.first..=span.last);
        self.delivery.set_aside(stream, span);
    }

    fn cut(&mut self) {
        self.broker.late.clear();
        let aside = self.delivery.cut();
        self.aside(aside);
        self.delivery.lives();
    }

    fn arrive(&mut self, token: Token) {
        self.delivery.arrived(token, self.now);
    }

    /// False when there is nothing more to do.
    fn step(&mut self, on_disk: [u64; 3], fate: Fate) -> bool {
        self.now = self.now + SECOND / 100;
        let Some(want) = self.delivery.next(on_disk, [true; 3], self.now) else {
            if let Some(at) = self.delivery.wake_at() {
                self.now = self.now.max(at);
            }
            let late = std::mem::take(&mut self.broker.late);
            let waited = !late.is_empty();
            late.into_iter().for_each(|token| self.arrive(token));
            return waited || self.delivery.wake_at().is_some_and(|at| at >= self.now);
        };
        self.first = self.first.or(Some(want.stream));
        // Each record has 300 bytes.
        let most = if want.whole { u64::MAX } else { (want.bytes as u64 / 300).max(1) };
        let last = want.span.last.min(want.span.first.saturating_add(most - 1));
        let span = Span { first: want.span.first, last };
        let bytes = (span.last - span.first + 1) as usize * 300;
        let token = self.delivery.sent(want.stream, span, bytes, self.now);
        self.now = self.now + SECOND / 100;
        let stream = want.stream as usize;
        let bad = (span.first..=span.last).any(|no| self.broker.poison[stream].contains(&no));
        match fate {
            Fate::Lost => self.cut(),
            _ if bad && self.broker.breaks => self.cut(),
            Fate::Full => self.aside_of(token, About::All),
            _ if bad => self.aside_of(token, About::Record),
            _ => {
                self.broker.has[stream].extend(span.first..=span.last);
                match fate {
                    Fate::Late => self.broker.late.push(token),
                    _ => self.arrive(token),
                }
            }
        }
        true
    }

    fn aside_of(&mut self, token: Token, about: About) {
        let aside = self.delivery.refused(token, about, self.now);
        self.aside(aside);
    }

    fn finish(&mut self, on_disk: [u64; 3]) {
        for _ in 0..20_000 {
            if !self.step(on_disk, Fate::Taken) {
                return;
            }
        }
        panic!("it does not come to an end: {:?}", self.delivery.flows);
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    // Never so many losses in a row that they would speak against one record.
    let one = prop_oneof![
        4 => Just(vec![Fate::Taken]),
        2 => Just(vec![Fate::Late]),
        1 => Just(vec![Fate::Lost, Fate::Taken, Fate::Taken]),
        1 => Just(vec![Fate::Full, Fate::Taken]),
    ];
    proptest::collection::vec(one, 0..60).prop_map(|runs| runs.concat())
}

fn poison() -> impl Strategy<Value = [BTreeSet<u64>; 3]> {
    let one = || proptest::collection::btree_set(1_u64..60, 0..4);
    [one(), one(), one()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn all_arrives_but_what_nobody_takes_and_that_is_named(poison in poison(), breaks: bool, fates in fates(), held in 1_u64..60) {
        let on_disk = [held, 60, 60];
        let mut run = Run::new(poison, breaks);
        for fate in fates {
            run.step(on_disk, fate);
        }
        run.finish(on_disk);
        for stream in Stream::ALL {
            let no = stream as usize;
            let all: BTreeSet<u64> = (1..on_disk[no]).collect();
            let bad: BTreeSet<u64> = run.broker.poison[no].intersection(&all).copied().collect();
            prop_assert_eq!(run.delivery.passed(stream), on_disk[no] - 1);
            prop_assert_eq!(&run.broker.aside[no], &bad);
            let good: BTreeSet<u64> = all.difference(&bad).copied().collect();
            prop_assert_eq!(&run.broker.has[no], &good);
        }
    }

    #[test]
    fn what_has_passed_has_arrived_at_each_moment(poison in poison(), fates in fates()) {
        let mut run = Run::new(poison, false);
        for fate in fates {
            run.step([60; 3], fate);
            for stream in Stream::ALL {
                let (has, aside) = (&run.broker.has[stream as usize], &run.broker.aside[stream as usize]);
                prop_assert!((1..=run.delivery.passed(stream)).all(|no| has.contains(&no) || aside.contains(&no)));
            }
            prop_assert!(run.delivery.bytes_under_way() <= run.delivery.pace.ahead().max(60 * 300));
        }
    }
}

#[test]
fn vital_goes_before_events_and_these_before_telemetry() {
    let mut delivery = Delivery::new([true; 3], [0; 3], 64 << 10);
    let mut order = Vec::new();
    while let Some(want) = delivery.next([2; 3], [true; 3], Mono(0)) {
        order.push(want.stream);
        let token = delivery.sent(want.stream, want.span, 100, Mono(0));
        delivery.arrived(token, Mono(0));
    }
    assert_eq!(order, Stream::ALL);
    assert_eq!(delivery.next([2, 2, 3], [true, true, false], Mono(0)), None, "no budget for it");
}

#[test]
fn a_refusal_that_is_about_all_sets_nothing_aside_and_is_tried_again_ever_later() {
    let (mut delivery, mut now, mut pauses) = (Delivery::new([true; 3], [0; 3], 64 << 10), Mono(0), Vec::new());
    delivery.lives();
    for _ in 0..12 {
        let want = delivery.next([2, 1, 1], [true; 3], now).unwrap();
        let token = delivery.sent(want.stream, want.span, 100, now);
        assert_eq!(delivery.refused(token, About::All, now), None);
        assert_eq!(delivery.next([2, 1, 1], [true; 3], now), None);
        let until = delivery.wake_at().unwrap();
        pauses.push(until.since(now));
        now = until;
    }
    assert_eq!((pauses[0], *pauses.last().unwrap()), (REST, LONGEST_REST));
    let want = delivery.next([2, 1, 1], [true; 3], now).unwrap();
    let token = delivery.sent(want.stream, want.span, 100, now);
    assert_eq!(delivery.arrived(token, now), Some(Passed { stream: Stream::Vital, seq: 1 }));
}

#[test]
fn a_way_that_ends_again_and_again_without_a_word_sets_nothing_aside() {
    let mut delivery = Delivery::new([true; 3], [0; 3], 64 << 10);
    for _ in 0..1_000 {
        let want = delivery.next([5; 3], [true; 3], Mono(0)).or_else(|| {
            // Nothing has arrived in this connection, so what is in doubt waits.
            assert!(!delivery.arrives);
            None
        });
        if let Some(want) = want {
            delivery.sent(want.stream, want.span, 100, Mono(0));
        }
        assert_eq!(delivery.cut(), None);
    }
}

#[test]
fn what_the_manager_says_counts_and_what_is_held_no_more_is_passed() {
    let mut delivery = Delivery::new([true; 3], [0; 3], 64 << 10);
    assert_eq!(delivery.skip_to(Stream::Events, 1), None);
    assert_eq!(delivery.skip_to(Stream::Events, 41), Some(Passed { stream: Stream::Events, seq: 40 }));
    assert_eq!(delivery.all_up_to(Stream::Telemetry, 7), Some(Passed { stream: Stream::Telemetry, seq: 7 }));
    assert_eq!(delivery.all_up_to(Stream::Telemetry, 7), None);
    let want = delivery.next([1, 50, 50], [true; 3], Mono(0)).unwrap();
    assert_eq!((want.stream, want.span), (Stream::Events, Span { first: 41, last: 49 }));
}

#[test]
fn numbers_of_nothing_are_passed_when_all_before_them_has_arrived() {
    let mut delivery = Delivery::new([true; 3], [0; 3], 64 << 10);
    let token = delivery.sent(Stream::Vital, Span { first: 1, last: 4 }, 100, Mono(0));
    assert_eq!(delivery.hole(Stream::Vital, Span { first: 5, last: 9 }), None);
    let want = delivery.next([12, 1, 1], [true; 3], Mono(0)).unwrap();
    assert_eq!(want.span, Span { first: 10, last: 11 });
    assert_eq!(delivery.arrived(token, Mono(0)), Some(Passed { stream: Stream::Vital, seq: 9 }));
}
