//! What is published, and what becomes of it over lost connections.

use super::*;

/// The packet of `publishes`, in MQTT 5.
fn packet(token: u8, id: u8) -> Vec<u8> {
    vec![0x32, 7, 0, 1, b't', 0, id, 0, token]
}

#[test]
fn what_is_published_ends_by_its_own_token_in_both_versions() {
    for mut bench in [Bench::up(WELCOME), Bench::old()] {
        bench.publishes(70);
        bench.publishes(71);
        bench.written();
        assert_eq!(bench.events(), []);
        bench.hears(&[0x40, 2, 0, 2, 0x40, 2, 0, 1]);
        assert_eq!(bench.events(), [acknowledged(71), acknowledged(70)]);
        assert!(bench.client.holds_nothing());
    }
}

#[test]
fn what_nobody_acknowledges_ends_when_its_last_byte_has_left() {
    let mut bench = Bench::up(WELCOME);
    let message = Message { qos: Qos::AtMostOnce, ..Message::new("t", "x") };
    bench.client.publish(bench.now, 5, message).unwrap();
    let length = bench.client.output().len();
    bench.client.wrote(bench.now, length - 1);
    assert_eq!(bench.events(), []);
    bench.client.wrote(bench.now, 1);
    assert_eq!(bench.events(), [acknowledged(5)]);
}

#[test]
fn a_refusal_is_told_with_the_broker_s_reason_and_words() {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.publishes(2);
    bench.publishes(3);
    bench.written();
    bench.hears(&[0x40, 9, 0, 1, 0x97, 5, 31, 0, 2, b'n', b'o']);
    bench.hears(&[0x40, 3, 0, 2, 0x10, 0x40, 4, 0, 3, 0xf1, 0]);
    let [Event::Refused { token: 1, why: first }, nobody, Event::Refused { token: 3, why: unknown }] =
        &bench.events()[..]
    else {
        panic!("two are refused");
    };
    assert_eq!(first.to_string(), "the broker refused it: a quota is used up (0x97): \"no\"");
    assert_eq!(*nobody, Event::Acknowledged { token: 2, heard: false });
    assert!(unknown.to_string().ends_with("(0xf1)"), "{unknown}");
}

#[test]
fn with_its_session_the_broker_gets_duplicates_in_order_and_without_it_new_messages() {
    for (answer, first) in [(WELCOME_BACK, 0x3a), (WELCOME, 0x32)] {
        let mut bench = Bench::up(WELCOME);
        (1..=3).for_each(|token| bench.publishes(token));
        bench.written();
        bench.hears(&[0x40, 2, 0, 2]);
        bench.client.closed(None);
        assert_eq!(bench.events(), [acknowledged(2), Event::Ended(End::Closed { error: None })]);
        bench.publishes(4);
        bench.connect(answer);
        let sent = bench.written();
        let order: Vec<(u8, u8)> = sent.chunks(9).map(|packet| (packet[0], packet[8])).collect();
        assert_eq!(order, [(first, 1), (first, 3), (0x32, 4)]);
        for packet in sent.chunks(9) {
            bench.hears(&[0x40, 2, packet[5], packet[6]]);
        }
        assert_eq!(bench.events(), [acknowledged(1), acknowledged(3), acknowledged(4)]);
    }
}

#[test]
fn what_is_held_is_handed_back_between_connections_and_is_told_of_no_more() {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.publishes(2);
    bench.written();
    assert_eq!(bench.client.hand_back(), [], "the broker may acknowledge them yet");
    bench.client.closed(None);
    bench.events();
    let tokens: Vec<Token> = bench.client.hand_back().into_iter().map(|(token, _)| token).collect();
    assert_eq!((tokens, bench.client.holds_nothing()), (vec![1, 2], true));
    bench.connect(WELCOME_BACK);
    assert_eq!((bench.written(), bench.events()), (vec![], vec![]));
}

#[test]
fn a_packet_id_that_waits_is_not_given_twice() {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(0);
    assert_eq!(bench.written(), packet(0, 1));
    for token in 1..=65_534u64 {
        bench.publishes(token);
        let sent = bench.written();
        bench.hears(&[0x40, 2, sent[5], sent[6]]);
        assert_eq!(bench.event(), acknowledged(token));
    }
    bench.publishes(9);
    assert_eq!(bench.written(), packet(9, 2), "1 waits still");
}

#[test]
fn no_more_is_taken_than_the_bounds_on_messages_and_bytes_allow() {
    let mut bench = Bench::with(Bounds { window: 3, ..Bounds::default() });
    bench.connect(WELCOME);
    (1..=3).for_each(|token| bench.publishes(token));
    assert_eq!(bench.client.room(), 0);
    let told = bench.client.publish(bench.now, 4, Message::new("t", "x"));
    assert!(matches!(told, Err(NotTaken::NoRoom(message)) if *message == Message::new("t", "x")));
    bench.written();
    bench.hears(&[0x40, 2, 0, 1]);
    bench.events();
    bench.publishes(4);

    let mut bench = Bench::with(Bounds { bytes: 10_000, ..Bounds::default() });
    bench.connect(WELCOME);
    let large = |bench: &mut Bench, token| bench.client.publish(bench.now, token, Message::new("t", vec![0; 6_000]));
    assert!(large(&mut bench, 1).is_ok() && bench.client.room() > 3_000);
    assert!(matches!(large(&mut bench, 2), Err(NotTaken::NoRoom(_))));
    let mut bench = Bench::with(Bounds { bytes: 10, ..Bounds::default() });
    assert!(large(&mut bench, 1).is_ok(), "one alone is taken");
}

#[test]
fn an_acknowledgement_of_what_has_not_left_is_a_fault() {
    for (answer, sent) in [(&[0x40, 2, 0, 1][..], false), (&[0x40, 2, 0, 9], true), (&[0x40, 2, 0, 0], true)] {
        let mut bench = Bench::up(WELCOME);
        bench.publishes(1);
        if sent {
            bench.written();
        }
        bench.hears(answer);
        assert!(matches!(bench.end(), End::Broken(_)), "{answer:?}");
    }
}

#[test]
fn it_leaves_when_all_is_written_and_not_before() {
    for (mut bench, with_will, bye) in [
        (Bench::up(WELCOME), false, &[0xe0, 0][..]),
        (Bench::up(WELCOME), true, &[0xe0, 1, 4]),
        (Bench::old(), false, &[0xe0, 0]),
        (Bench::old(), true, &[]),
    ] {
        bench.publishes(1);
        bench.client.disconnect(bench.now, with_will);
        assert_eq!(bench.events(), []);
        let sent = bench.written();
        assert!(sent.ends_with(bye) && sent.len() > bye.len(), "{sent:?}");
        assert_eq!(bench.events(), [Event::Ended(End::Left)]);
        assert_eq!(bench.client.hand_back().len(), 1, "it was not acknowledged");
    }
}

#[test]
fn connect_tells_all_that_it_was_asked_to() {
    use rumqttc::v5::mqttbytes::v5::Packet;
    let mut bench = Bench::new();
    bench.how.user = Some("u".into());
    bench.how.password = Some(crate::model::Secret::new("hunter2".into()));
    bench.how.will = Some(Message { retain: true, content_type: Some("j".into()), ..Message::new("w", "gone") });
    bench.how.will_delay = Duration::from_secs(7);
    bench.client.connect(bench.now, &bench.how).unwrap();
    let sent = bench.written();
    let Ok(Packet::Connect(connect, Some(will), Some(login))) = Packet::read(&mut (&sent[..]).into(), None) else {
        panic!("{sent:?}");
    };
    let told = connect.properties.unwrap();
    assert_eq!((connect.client_id.as_str(), connect.clean_start, connect.keep_alive), ("gateway", false, 60));
    assert_eq!((told.session_expiry_interval, told.receive_maximum), (Some(86_400), Some(16)));
    assert_eq!((told.max_packet_size, told.topic_alias_max), (Some(256 * 1024), None));
    assert_eq!((login.username.as_str(), login.password.as_str()), ("u", "hunter2"));
    assert_eq!((&will.topic[..], &will.message[..], will.retain), (&b"w"[..], &b"gone"[..], true));
    let told = will.properties.unwrap();
    assert_eq!((told.delay_interval, told.content_type.as_deref()), (Some(7), Some("j")));
}
