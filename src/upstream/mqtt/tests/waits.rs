//! Deadlines: when it pings, and how soon a broker that is gone is noticed.

use super::*;

const KEEP: Duration = Duration::from_secs(60);

#[test]
fn an_idle_connection_pings_once_in_a_keep_alive_and_wakes_for_nothing_else() {
    let mut bench = Bench::up(WELCOME);
    for _ in 0..5 {
        assert_eq!(bench.client.wake_at(), Some(bench.now + KEEP));
        bench.passes(KEEP);
        assert_eq!(bench.written(), [0xc0, 0]);
        bench.hears(&[0xd0, 0]);
        assert_eq!(bench.events(), []);
    }
}

#[test]
fn who_speaks_and_is_answered_does_not_ping() {
    let mut bench = Bench::up(WELCOME);
    for token in 1..=5u8 {
        bench.passes(KEEP - Duration::from_secs(1));
        bench.publishes(token.into());
        assert_eq!(bench.written().len(), 9, "the message and nothing else");
        bench.hears(&[0x40, 2, 0, token]);
        bench.events();
    }
    bench.passes(KEEP - Duration::from_secs(1));
    assert_eq!(bench.written(), [0; 0]);
}

#[test]
fn who_sends_only_what_nobody_answers_asks_for_a_sign_of_life() {
    let mut bench = Bench::up(WELCOME);
    let mut pings = 0;
    for token in 0..20 {
        let message = Message { qos: Qos::AtMostOnce, ..Message::new("t", "x") };
        bench.client.publish(bench.now, token, message).unwrap();
        bench.written();
        bench.passes(KEEP / 10);
        if bench.written() == [0xc0, 0] {
            pings += 1;
            bench.hears(&[0xd0, 0]);
        }
        bench.events();
    }
    assert_eq!(pings, 2);
}

#[test]
fn a_black_hole_is_noticed_within_two_keep_alives_whatever_was_under_way() {
    let idle = Bench::up(WELCOME);
    let mut sending = Bench::up(WELCOME);
    sending.publishes(1);
    sending.written();
    let mut asking = Bench::new();
    asking.how.patience = 10 * KEEP;
    asking.connect(WELCOME);
    asking.client.subscribe(asking.now, &[("a", Qos::AtLeastOnce)]).unwrap();
    asking.written();
    for (mut bench, awaited) in
        [(idle, Awaited::Ping), (sending, Awaited::Acknowledgement), (asking, Awaited::Subscription)]
    {
        let (waited, end) = bench.waits_for_the_end();
        assert!(waited <= 2 * KEEP && waited > KEEP / 2, "{awaited:?}: {waited:?}");
        assert!(matches!(end, End::Silent { awaited: told, .. } if told == awaited), "{awaited:?}: {end:?}");
    }
}

#[test]
fn a_peer_that_reads_no_more_is_noticed_within_a_keep_alive() {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.client.wrote(bench.now, 3);
    let at = bench.client.wake_at().unwrap();
    assert!(at - bench.now < KEEP);
    bench.passes(at - bench.now);
    assert!(matches!(bench.end(), End::Silent { awaited: Awaited::Reading, .. }));
}

#[test]
fn a_slow_link_is_no_black_hole() {
    let mut bench = Bench::up(WELCOME);
    (1..=20).for_each(|token| bench.publishes(token));
    bench.written();
    for id in 1..=20 {
        bench.passes(KEEP * 3 / 4);
        bench.hears(&[0x40, 2, 0, id]);
        assert_eq!(bench.events(), [acknowledged(id.into())], "after {id} spans");
        bench.written();
    }
}

#[test]
fn one_message_that_is_never_acknowledged_ends_the_connection_though_others_are() {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.written();
    let begin = bench.now;
    for token in 2..=20u8 {
        bench.publishes(token.into());
        bench.written();
        bench.passes(KEEP / 4);
        bench.hears(&[0x40, 2, 0, token]);
        let told = bench.events();
        if let [Event::Ended(End::Silent { awaited, .. })] = told[..] {
            assert_eq!((awaited, bench.now - begin), (Awaited::Acknowledgement, 2 * KEEP));
            return;
        }
        assert_eq!(told, [acknowledged(token.into())]);
    }
    panic!("it waits for ever");
}

#[test]
fn answers_to_a_connection_and_to_a_subscription_have_a_deadline() {
    let mut bench = Bench::new();
    bench.client.connect(bench.now, &bench.how).unwrap();
    bench.written();
    let (waited, end) = bench.waits_for_the_end();
    assert_eq!(waited, bench.how.patience);
    assert!(matches!(end, End::Silent { awaited: Awaited::Welcome, .. }));

    bench.connect(WELCOME);
    bench.client.subscribe(bench.now, &[("a", Qos::AtLeastOnce)]).unwrap();
    bench.written();
    bench.now += Duration::from_secs(29);
    bench.hears(&[0x30, 4, 0, 1, b'q', 0]);
    bench.events();
    let (waited, end) = bench.waits_for_the_end();
    assert_eq!(waited, Duration::from_secs(1), "another sign does not answer it");
    assert!(matches!(end, End::Silent { awaited: Awaited::Subscription, .. }));
}

#[test]
fn between_connections_nothing_wakes_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.client.wake_at(), None);
    bench.publishes(1);
    assert_eq!((bench.client.wake_at(), bench.written()), (None, vec![]));
}
