//! Brokers that refuse, leave, are older than we, or are none at all.

use super::*;

/// How a connection ends that is answered so.
fn ends(version: Version, answer: &[u8]) -> End {
    let mut bench = Bench::new();
    bench.how.version = version;
    bench.client.connect(bench.now, &bench.how).unwrap();
    bench.written();
    bench.hears(answer);
    if answer.is_empty() {
        bench.client.closed(None);
    }
    bench.end()
}

/// How one ends that was up and hears this.
fn broken(bytes: &[u8]) -> End {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.written();
    bench.hears(bytes);
    bench.end()
}

#[test]
fn a_refused_connection_says_why_and_where_else_to_go() {
    let end = ends(Version::Five, &[0x20, 13, 0, 0x9c, 10, 28, 0, 2, b'b', b'2', 31, 0, 2, b'o', b'h']);
    let (text, elsewhere) = (Some("oh".into()), Some("b2".into()));
    assert_eq!(end, End::Refused { reason: Reason::USE_ANOTHER, text, elsewhere });
    let end = ends(Version::Five, &[0x20, 3, 0, 0x87, 0]);
    assert_eq!(end.to_string(), "the broker refused the connection: not authorised (0x87)");
    let end = ends(Version::Five, &[0x20, 3, 0, 0xee, 0]);
    assert!(matches!(end, End::Refused { reason, .. } if reason.code() == 0xee), "nobody knows it");
    let end = ends(Version::Old, &[0x20, 2, 0, 4]);
    assert!(matches!(end, End::Refused { reason: Reason::BAD_PASSWORD, .. }));
    let end = ends(Version::Old, &[0x20, 2, 0, 77]);
    assert!(matches!(end, End::Refused { reason: Reason::UNSPECIFIED, .. }));
}

#[test]
fn a_broker_without_mqtt_5_is_told_from_one_that_refuses() {
    assert_eq!(ends(Version::Five, &[0x20, 3, 0, 0x84, 0]), End::OldBroker { told: true });
    assert_eq!(ends(Version::Five, &[0x20, 2, 0, 1]), End::OldBroker { told: true }, "in its own version");
    assert_eq!(ends(Version::Five, &[0x20, 2, 0, 0x84]), End::OldBroker { told: true });
    assert_eq!(ends(Version::Five, &[]), End::OldBroker { told: false });
    assert_eq!(ends(Version::Old, &[]), End::Closed { error: None }, "there is nothing older to try");
    assert!(matches!(ends(Version::Old, &[0x20, 2, 0, 1]), End::Refused { reason: Reason::VERSION, .. }));
}

#[test]
fn an_error_with_a_reason_of_its_own_does_not_look_like_an_old_broker() {
    for (kind, old) in [(std::io::ErrorKind::ConnectionReset, true), (std::io::ErrorKind::InvalidData, false)] {
        let mut bench = Bench::new();
        bench.client.connect(bench.now, &bench.how).unwrap();
        bench.client.closed(Some(std::io::Error::new(kind, "certificate refused")));
        let end = bench.end();
        assert_eq!(matches!(end, End::OldBroker { .. }), old, "{end}");
        assert!(old || end.to_string().ends_with("certificate refused"), "{end}");
    }
}

#[test]
fn what_is_no_broker_is_shown() {
    let end = ends(Version::Five, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(end.to_string().contains("does not speak MQTT") && end.to_string().contains("HTTP/1.1 400"), "{end}");
    assert!(matches!(ends(Version::Five, &[0x15, 3, 1, 0, 2]), End::Broken(Malformed::NotMqtt(_))));
}

#[test]
fn a_broker_that_leaves_says_why_in_each_of_its_lengths() {
    let told = |reason, text: Option<&str>| End::Told { reason, text: text.map(str::to_owned), elsewhere: None };
    assert_eq!(broken(&[0xe0, 0]), told(Reason::SUCCESS, None));
    assert_eq!(broken(&[0xe0, 1, 0x8e]), told(Reason::TAKEN_OVER, None));
    assert_eq!(broken(&[0xe0, 2, 0x8b, 0]), told(Reason::SHUTTING_DOWN, None));
    assert_eq!(broken(&[0xe0, 7, 0x97, 5, 31, 0, 2, b'a', 7]), told(Reason::QUOTA, Some("a ")), "no sign of control");
    assert_eq!(broken(&[0xe0, 1, 0xcc]), told(Reason::of(0xcc), None));
    let mut old = Bench::old();
    old.hears(&[0xe0, 0]);
    assert_eq!(old.end(), End::Broken(Malformed::Unexpected("DISCONNECT")));
}

#[test]
fn what_came_before_the_end_is_told_before_it() {
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.written();
    bench.hears(&[&[0x40, 2, 0, 1][..], &incoming(3, b"x"), &[0xe0, 1, 0x8e]].concat());
    bench.client.closed(Some(std::io::ErrorKind::ConnectionReset.into()));
    let told = bench.events();
    assert_eq!((told.len(), &told[0]), (3, &acknowledged(1)));
    assert!(matches!(told[2], Event::Ended(End::Told { reason: Reason::TAKEN_OVER, .. })));
}

#[test]
fn what_is_not_what_mqtt_says_ends_the_connection_and_nothing_else() {
    for bytes in [
        &[0x20, 3, 0, 0, 0][..],               // a second welcome
        &[0xf0, 2, 0x18, 0],                   // AUTH
        &[0x50, 2, 0, 1],                      // PUBREC
        &[0x62, 2, 0, 1],                      // PUBREL
        &[0x70, 2, 0, 1],                      // PUBCOMP
        &[0xb0, 4, 0, 1, 0, 0],                // UNSUBACK
        &[0xc0, 0],                            // a broker does not ping
        &[0x10, 0],                            // CONNECT
        &[0x00, 0],                            // no kind
        &[0x41, 2, 0, 1],                      // flags
        &[0x40, 1, 1],                         // half an id
        &[0x40, 2, 0, 0],                      // id 0
        &[0x40, 5, 0, 1, 0, 9, 1],             // properties longer than the packet
        &[0x40, 6, 0, 1, 0, 1, 31, 0],         // a text cut
        &[0x40, 5, 0, 1, 0, 0x80, 0x80],       // a length that is none
        &[0x40, 5, 0, 1, 0, 0, 0],             // more than its properties
        &[0x90, 4, 0, 9, 0, 0],                // nobody asked
        &[0xd0, 1, 0],                         // a ping with a content
        &[0x32, 6, 0, 1, b'q', 0, 0, 0],       // id 0
        &[0x36, 6, 0, 1, b'q', 0, 1, 0],       // quality 3
        &[0x38, 4, 0, 1, b'q', 0],             // a duplicate that is not acknowledged
        &[0x30, 3, 0, 0, 0],                   // no topic
        &[0x30, 4, 0, 1, b'#', 0],             // a filter
        &[0x30, 4, 0, 1, 0xff, 0],             // no text
        &[0x30, 4, 0, 9, b'q', 0],             // a topic longer than the packet
        &[0x30, 2, 0, 1],                      // cut
        &[0x30, 7, 0, 1, b'q', 3, 35, 0, 1],   // an alias
        &[0x30, 8, 0, 1, b'q', 4, 1, 0, 1, 0], // a property twice
        &[0x30, 6, 0, 1, b'q', 2, 33, 0],      // a property that may not be there
        &[0x30, 0xff, 0xff, 0xff, 0xff, 1],    // a length of five bytes
        &[0xe0, 4, 0x8e, 2, 31, 0],            // a text cut
    ] {
        let end = broken(bytes);
        assert!(matches!(end, End::Broken(_)), "{bytes:x?}: {end}");
    }
    for bytes in [
        &[0x20, 2, 0, 0][..],                    // an old welcome to a new question
        &[0x20, 1, 0],                           // cut
        &[0x20, 3, 2, 0, 0],                     // flags
        &[0x20, 3, 1, 0x87, 0],                  // a session for who is refused
        &[0x20, 6, 0, 0, 3, 33, 0, 0],           // a window of nothing
        &[0x20, 5, 0, 0, 2, 36, 2],              // quality 2 needs no limit
        &[0x20, 9, 0, 0, 6, 33, 0, 1, 33, 0, 1], // twice
        &[0x20, 4, 0, 0, 0, 0],                  // more than its properties
        &[0x20, 0x80, 0x80, 0x40],               // larger than any answer
        &[0xd0, 0],                              // no welcome
    ] {
        let end = ends(Version::Five, bytes);
        assert!(matches!(end, End::Broken(_)), "{bytes:x?}: {end}");
    }
}

#[test]
fn a_session_that_was_to_be_forgotten_is_a_fault() {
    let mut bench = Bench::new();
    bench.how.clean = true;
    bench.client.connect(bench.now, &bench.how).unwrap();
    bench.hears(WELCOME_BACK);
    assert!(matches!(bench.end(), End::Broken(_)));
}

#[test]
fn it_tells_a_broker_of_mqtt_5_what_was_wrong_but_never_in_the_middle_of_a_packet() {
    let mut bench = Bench::up(WELCOME);
    bench.hears(&[0xc0, 0]);
    bench.end();
    assert_eq!(bench.client.output(), [0xe0, 1, 0x82]);
    let mut bench = Bench::up(WELCOME);
    bench.publishes(1);
    bench.client.wrote(bench.now, 3);
    bench.hears(&[0xc0, 0]);
    bench.end();
    assert_eq!(bench.client.output(), [0; 0]);
}
