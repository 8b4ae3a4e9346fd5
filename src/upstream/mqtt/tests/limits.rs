//! What the broker allows is obeyed, and what it does not allow is refused here and never sent.

use super::*;

fn answer(properties: &[u8]) -> Vec<u8> {
    let length = properties.len() as u8;
    [&[0x20, 3 + length, 0, 0, length], properties].concat()
}

fn refused(message: Message, properties: &[u8]) -> Refusal {
    let mut bench = Bench::up(&answer(properties));
    bench.client.publish(bench.now, 1, message).unwrap();
    bench.publishes_nothing();
    match bench.event() {
        Event::Refused { token: 1, why } => why,
        other => panic!("{other:?}"),
    }
}

impl Bench {
    fn publishes_nothing(&mut self) {
        assert_eq!(self.client.output(), [0; 0]);
    }
}

#[test]
fn what_it_says_of_itself_is_told() {
    let mut bench = Bench::new();
    let said = [33, 0, 9, 39, 0, 0, 1, 0, 36, 0, 37, 0, 19, 0, 30, 17, 0, 0, 0, 60, 18, 0, 2, b'm', b'e'];
    let welcome = bench.connect(&answer(&said));
    let limits = Limits {
        window: 9,
        largest_packet: Some(256),
        qos: Qos::AtMostOnce,
        retain: false,
        keep_alive: Duration::from_secs(30),
        session_expiry: Some(Duration::from_secs(60)),
    };
    assert_eq!(welcome, Welcome { session_present: false, client_id: Some("me".into()), limits });
    assert_eq!(bench.client.wake_at(), Some(bench.now + Duration::from_secs(30)), "its keep-alive holds");
}

#[test]
fn no_more_is_on_its_way_than_it_takes_at_once() {
    let mut bench = Bench::up(&answer(&[33, 0, 2]));
    (1..=4).for_each(|token| bench.publishes(token));
    assert_eq!(bench.written().len(), 2 * 9);
    bench.hears(&[0x40, 2, 0, 2]);
    assert_eq!(bench.event(), acknowledged(2));
    assert_eq!(bench.written()[8], 3, "the next in order");
}

#[test]
fn what_is_larger_than_it_takes_is_refused_with_its_size_and_what_fits_goes() {
    let most = [39, 0, 0, 0, 20];
    assert_eq!(refused(Message::new("t", vec![0; 13]), &most), Refusal::TooLarge { size: 21, most: 20 });
    let mut bench = Bench::up(&answer(&most));
    bench.client.publish(bench.now, 1, Message::new("t", vec![0; 12])).unwrap();
    assert_eq!(bench.written().len(), 20);
}

#[test]
fn what_it_does_not_have_is_refused() {
    assert_eq!(refused(Message::new("t", "x"), &[36, 0]), Refusal::NoQos);
    assert_eq!(refused(Message { retain: true, ..Message::new("t", "x") }, &[37, 0]), Refusal::NoRetain);
}

#[test]
fn a_refusal_does_not_hold_up_what_is_behind_it() {
    let mut bench = Bench::new();
    bench.client.publish(bench.now, 1, Message::new("t", vec![0; 50])).unwrap();
    bench.publishes(2);
    bench.connect(&answer(&[39, 0, 0, 0, 20]));
    assert_eq!(bench.written().len(), 9);
    assert!(matches!(bench.event(), Event::Refused { token: 1, why: Refusal::TooLarge { size: 58, .. } }));
}

#[test]
fn a_smaller_window_after_a_lost_connection_holds_for_what_is_sent_again() {
    let mut bench = Bench::up(WELCOME);
    (1..=4).for_each(|token| bench.publishes(token));
    bench.written();
    bench.client.closed(None);
    bench.end();
    bench.connect(&[&[0x20, 6, 1, 0, 3], &[33, 0, 1][..]].concat());
    let first = bench.written();
    assert_eq!((first.len(), first[0], first[8]), (9, 0x3a, 1));
    bench.hears(&[0x40, 2, first[5], first[6]]);
    bench.event();
    let second = bench.written();
    assert_eq!((second.len(), second[0], second[8]), (9, 0x3a, 2));
}
