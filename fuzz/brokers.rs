//! Bodies for what comes from brokers.

use std::time::Instant;

use dmgw::upstream::mqtt::{Bounds, Client, Connect, End, Event, Malformed, Message, Qos, Version};

/// Small, so that what is too large is met, too.
const BOUNDS: Bounds = Bounds { window: 8, bytes: 4_096, incoming: 4, incoming_bytes: 600, largest_packet: 512 };
const OLD: u8 = 1;
/// The first bytes are the answer to the connection; else there is one already.
const FIRST: u8 = 2;

/// How we speak and how long the pieces are come first. However it is cut, the same is told, and no more than came.
pub fn mqtt_client(bytes: &[u8]) -> bool {
    let Some(([how, length], came)) = bytes.split_first_chunk::<2>() else { return false };
    let whole = told(*how, came, came.len());
    assert_eq!(told(*how, came, usize::from(*length)), whole);
    !whole.is_empty() && !whole.iter().any(|event| event.contains("Broken"))
}

fn told(how: u8, came: &[u8], length: usize) -> Vec<String> {
    let now = Instant::now();
    let version = if how & OLD == 0 { Version::Five } else { Version::Old };
    let mut client = Client::new(now, BOUNDS);
    client.connect(now, &Connect { version, ..Connect::new("a") }).expect("it can be sent");
    (0..4).for_each(|token| client.publish(now, token, Message::new("t", "x")).expect("there is room"));
    write(&mut client, now);
    if how & FIRST == 0 {
        client.received(now, if version == Version::Five { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] });
    }
    let mut told = events(&mut client, now);
    // A long one in fewer pieces: each costs as much as the first.
    for piece in came.chunks(length.max(1 + came.len() / 64)) {
        client.received(now, piece);
        told.extend(events(&mut client, now));
    }
    told
}

fn write(client: &mut Client, now: Instant) {
    let count = client.output().len();
    client.wrote(now, count);
}

/// What is told, each message taken and each answer written at once; of a stranger's first words there may be more or less.
fn events(client: &mut Client, now: Instant) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(event) = client.poll(now) {
        if let Event::Message { receipt: Some(receipt), message, .. } = &event {
            assert!(message.payload.len() <= BOUNDS.largest_packet);
            client.took(now, *receipt);
        }
        if let Event::Connected(_) = event {
            let filters = [("q", Qos::AtLeastOnce), ("r", Qos::AtLeastOnce)];
            client.subscribe(now, &filters).expect("there is a connection");
        }
        // Four messages and what was asked, or one acknowledgement.
        assert!(client.output().len() < 100);
        write(client, now);
        told.push(match event {
            Event::Ended(End::Broken(Malformed::NotMqtt(_))) => "Broken".to_owned(),
            event => format!("{event:?}"),
        });
    }
    told
}
