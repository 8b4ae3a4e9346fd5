//! What comes: told once, acknowledged when the caller has it, and bounded.

use super::*;

fn receipt(event: &Event) -> Receipt {
    match event {
        Event::Message { receipt: Some(receipt), .. } => *receipt,
        other => panic!("{other:?}"),
    }
}

fn is_told(event: &Event) -> &[u8] {
    match event {
        Event::Message { message, .. } => &message.payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_acknowledged_when_the_caller_has_it_and_not_before() {
    let mut bench = Bench::up(WELCOME);
    bench.hears(&incoming(7, b"go"));
    let event = bench.event();
    assert_eq!((is_told(&event), bench.written()), (&b"go"[..], vec![]));
    bench.client.took(bench.now, receipt(&event));
    assert_eq!(bench.written(), [0x40, 2, 0, 7]);
    bench.client.took(bench.now, receipt(&event));
    assert_eq!(bench.written(), [0; 0], "once is enough");
}

#[test]
fn a_receipt_of_another_connection_acknowledges_nothing() {
    let mut bench = Bench::up(WELCOME);
    bench.hears(&incoming(7, b"go"));
    let first = bench.event();
    bench.client.closed(None);
    bench.end();
    bench.connect(WELCOME_BACK);
    let mut again = incoming(7, b"go");
    again[0] |= 8;
    bench.hears(&again);
    let second = bench.event();
    assert!(matches!(second, Event::Message { again: true, .. }));
    bench.client.took(bench.now, receipt(&first));
    assert_eq!(bench.written(), [0; 0]);
    bench.client.took(bench.now, receipt(&second));
    assert_eq!(bench.written(), [0x40, 2, 0, 7]);
}

#[test]
fn what_mqtt_5_tells_beside_the_payload_is_told() {
    let mut bench = Bench::up(WELCOME);
    let properties = [2, 0, 0, 0, 9, 3, 0, 1, b'j', 8, 0, 1, b'r', 9, 0, 2, 1, 2, 38, 0, 1, b'k', 0, 0];
    let mut packet = vec![0x31, 4 + 1 + properties.len() as u8 - 1 + 1, 0, 1, b'q', properties.len() as u8];
    packet.extend(properties);
    packet.push(b'!');
    packet[1] = packet.len() as u8 - 2;
    bench.hears(&packet);
    let Event::Message { message, receipt: None, again: false } = bench.event() else { panic!("a message") };
    let told = Message {
        qos: Qos::AtMostOnce,
        retain: true,
        content_type: Some("j".into()),
        response_topic: Some("r".into()),
        correlation: Some(vec![1, 2].into()),
        expiry: Some(Duration::from_secs(9)),
        ..Message::new("q", "!")
    };
    assert_eq!(message, told);
}

#[test]
fn a_response_topic_that_is_none_costs_the_answer_and_not_the_message() {
    let mut bench = Bench::up(WELCOME);
    bench.hears(&[0x30, 9, 0, 1, b'q', 4, 8, 0, 1, b'#', b'!']);
    let Event::Message { message, .. } = bench.event() else { panic!("a message") };
    assert_eq!((message.response_topic, &message.payload[..]), (None, &b"!"[..]));
}

#[test]
fn beyond_its_bound_nothing_is_read_until_the_caller_has_taken_some() {
    for bounds in [Bounds { incoming: 2, ..Bounds::default() }, Bounds { incoming_bytes: 25, ..Bounds::default() }] {
        let mut bench = Bench::with(bounds);
        bench.connect(WELCOME);
        (1..=3).for_each(|id| bench.hears(&incoming(id, b"0123")));
        let told = bench.events();
        assert_eq!((told.len(), bench.client.wants_input()), (2, false));
        // Not to read is not to hear: what is not taken for hours ends nothing.
        bench.publishes(1);
        bench.written();
        let ping = bench.client.wake_at().unwrap();
        assert_eq!(ping - bench.now, Duration::from_secs(60), "we still have to be heard");
        bench.passes(Duration::from_secs(3600));
        bench.written();
        bench.passes(Duration::from_secs(3600));
        assert_eq!(bench.events(), []);
        bench.client.took(bench.now, receipt(&told[0]));
        assert_eq!((bench.events().len(), bench.client.wants_input()), (1, true));
    }
}

#[test]
fn one_message_is_read_whatever_the_bounds_on_many() {
    let mut bench = Bench::with(Bounds { incoming_bytes: 1, ..Bounds::default() });
    bench.connect(WELCOME);
    bench.hears(&incoming(1, b"0123"));
    assert_eq!(is_told(&bench.event()), b"0123");
}

#[test]
fn a_message_that_is_too_large_is_passed_over_so_that_it_does_not_come_for_ever() {
    for old in [false, true] {
        let mut bench = Bench::with(Bounds { largest_packet: 1000, ..Bounds::default() });
        if old {
            bench.how.version = Version::Old;
        }
        bench.connect(if old { OLD_WELCOME } else { WELCOME });
        let mut packet = vec![0x32, 0x80 | 0x50, 0x0f, 0, 1, b'q', 0, 5];
        packet.resize(3 + 0x50 + 0x80 * 0x0f, 0);
        bench.hears(&packet[..500]);
        assert_eq!(bench.events(), []);
        bench.hears(&packet[500..]);
        bench.hears(if old { &[0x30, 4, 0, 1, b'q', b'!'] } else { &[0x30, 5, 0, 1, b'q', 0, b'!'] });
        let told = bench.events();
        assert_eq!(told[0], Event::PassedOver { topic: "q".into(), size: packet.len() });
        assert_eq!((is_told(&told[1]), bench.written()), (&b"!"[..], vec![0x40, 2, 0, 5]));
    }
}

#[test]
fn what_must_be_acknowledged_twice_was_not_subscribed_to_and_ends_the_connection() {
    let mut bench = Bench::up(WELCOME);
    bench.hears(&[0x34, 6, 0, 1, b'q', 0, 5, 0]);
    assert_eq!(bench.end(), End::Broken(Malformed::Qos2));
    assert_eq!(bench.written(), [0xe0, 1, 0x9b]);
}

#[test]
fn an_id_that_waits_cannot_come_again_but_for_old_brokers_that_repeat() {
    for (mut bench, again, ends) in [(Bench::up(WELCOME), 8, true), (Bench::old(), 0, true), (Bench::old(), 8, false)] {
        let packet: &[u8] =
            if ends && again == 8 { &[0x32, 6, 0, 1, b'q', 0, 5, 0] } else { &[0x32, 5, 0, 1, b'q', 0, 5] };
        bench.hears(packet);
        bench.event();
        let mut repeated = packet.to_vec();
        repeated[0] |= again;
        bench.hears(&repeated);
        let told = bench.events();
        let ended = matches!(told[..], [Event::Ended(End::Broken(Malformed::Content("PUBLISH", _)))]);
        assert_eq!((ended, told.is_empty()), (ends, !ends));
    }
}

#[test]
fn each_filter_is_told_what_it_was_granted() {
    let mut bench = Bench::up(WELCOME);
    bench.client.subscribe(bench.now, &[("a", Qos::AtLeastOnce), ("b/#", Qos::AtMostOnce)]).unwrap();
    let sent = bench.written();
    assert_eq!(sent, [0x82, 13, 0, 1, 0, 0, 1, b'a', 1, 0, 3, b'b', b'/', b'#', 0]);
    bench.hears(&[0x90, 5, 0, 1, 0, 1, 0x87]);
    assert_eq!(bench.event(), Event::Subscribed(vec![Ok(Qos::AtLeastOnce), Err(Reason::NOT_AUTHORISED)]));

    let mut bench = Bench::up(WELCOME);
    bench.client.subscribe(bench.now, &[("a", Qos::AtLeastOnce)]).unwrap();
    bench.hears(&[0x90, 5, 0, 1, 0, 1, 1]);
    assert!(matches!(bench.end(), End::Broken(Malformed::Content("SUBACK", _))), "two answers to one filter");
}

#[test]
fn subscriptions_are_bounded_and_need_a_connection() {
    let mut bench = Bench::new();
    let asks = |bench: &mut Bench, filter| bench.client.subscribe(bench.now, &[(filter, Qos::AtLeastOnce)]);
    assert!(matches!(asks(&mut bench, "a"), Err(NotTaken::NotConnected)));
    bench.connect(WELCOME);
    assert!(matches!(asks(&mut bench, "a#"), Err(NotTaken::Unfit(Unfit::Filter))));
    while asks(&mut bench, "a").is_ok() {
        assert!(bench.client.output().len() < 1_000);
    }
    assert!(matches!(asks(&mut bench, "a"), Err(NotTaken::Asked)));
}
