//! The client of a broker against a real one, Debian's mosquitto, over TCP on loopback, in both versions of MQTT.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dmgw::model::Secret;
use dmgw::upstream::mqtt::run::Run;
use dmgw::upstream::mqtt::{Bounds, Client, Connect, End, Event, Message, NotTaken, Qos, Reason, Refusal, Token};
use dmgw::upstream::mqtt::{Version, Welcome};
use support::PATIENCE;
use support::mosquitto::Mosquitto;
use support::relay::{Relay, Trouble};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// It drops nothing while somebody is slow to read.
const OPEN: &str = "allow_anonymous true\nmax_queued_messages 5000";
const KEEPS: &str =
    "allow_anonymous true\nmax_queued_messages 5000\npersistence true\nautosave_on_changes true\nautosave_interval 1";
const BOTH: [Version; 2] = [Version::Five, Version::Old];

/// A machine and what drives it.
struct Peer {
    client: Client,
    run: Run<TcpStream>,
}

fn who(version: Version, id: &str) -> Connect {
    Connect { version, keep_alive: Duration::from_secs(10), ..Connect::new(id) }
}

async fn stream(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Peer {
    async fn connect(port: u16, how: &Connect) -> Result<(Peer, Welcome), End> {
        Peer::bounded(port, how, Bounds::default()).await
    }

    async fn bounded(port: u16, how: &Connect, bounds: Bounds) -> Result<(Peer, Welcome), End> {
        let client = Client::new(Instant::now().into_std(), bounds);
        let mut peer = Peer { client, run: Run::new(stream(port).await) };
        let welcome = peer.again(port, how).await?;
        Ok((peer, welcome))
    }

    /// Once more over a new stream, with what is held.
    async fn again(&mut self, port: u16, how: &Connect) -> Result<Welcome, End> {
        self.run = Run::new(stream(port).await);
        self.client.connect(Instant::now().into_std(), how).unwrap();
        match self.next().await {
            Event::Connected(welcome) => Ok(welcome),
            Event::Ended(end) => Err(end),
            other => panic!("{other:?}"),
        }
    }

    async fn next(&mut self) -> Event {
        timeout(PATIENCE, self.run.next(&mut self.client)).await.expect("an event in time")
    }

    async fn subscribes(&mut self, filter: &str) -> Result<Qos, Reason> {
        self.client.subscribe(Instant::now().into_std(), &[(filter, Qos::AtLeastOnce)]).unwrap();
        match self.next().await {
            Event::Subscribed(granted) => granted[0],
            other => panic!("{other:?}"),
        }
    }

    fn gives(&mut self, token: Token, message: Message) -> bool {
        match self.client.publish(Instant::now().into_std(), token, message) {
            Ok(()) => true,
            Err(NotTaken::NoRoom(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }

    /// Publishes one and waits for what becomes of it.
    async fn publishes(&mut self, message: Message) -> Event {
        assert!(self.gives(1, message));
        self.next().await
    }

    /// The next message, taken.
    async fn hears(&mut self) -> Message {
        match self.next().await {
            Event::Message { message, receipt, .. } => {
                receipt.into_iter().for_each(|receipt| self.client.took(Instant::now().into_std(), receipt));
                message
            }
            other => panic!("{other:?}"),
        }
    }

    async fn ends(&mut self) -> End {
        match self.next().await {
            Event::Ended(end) => end,
            other => panic!("{other:?}"),
        }
    }

    /// In good order, or so that the will is told.
    async fn leaves(mut self, with_will: bool) {
        self.client.disconnect(Instant::now().into_std(), with_will);
        assert_eq!(self.ends().await, End::Left);
        self.run.close(&mut self.client, PATIENCE).await;
    }
}

fn numbered(number: u64) -> Message {
    Message::new("up", number.to_be_bytes().to_vec())
}

fn number(message: &Message) -> u64 {
    u64::from_be_bytes(message.payload[..].try_into().unwrap())
}

#[tokio::test]
async fn what_is_acknowledged_has_arrived_once_and_in_order_in_both_versions() {
    let Some(broker) = Mosquitto::start("what_is_acknowledged_has_arrived", OPEN) else { return };
    for (version, reader) in BOTH.into_iter().zip(["there", "over there"]) {
        let (mut here, _) = Peer::connect(broker.port(), &who(version, "here")).await.unwrap();
        let (mut there, _) = Peer::connect(broker.port(), &who(version, reader)).await.unwrap();
        assert_eq!(there.subscribes("up").await, Ok(Qos::AtLeastOnce));
        let (mut given, mut acknowledged) = (0, BTreeSet::new());
        while acknowledged.len() < 2_000 {
            while given < 2_000 && here.gives(given, numbered(given)) {
                given += 1;
            }
            match here.next().await {
                Event::Acknowledged { token, heard: true } => assert!(acknowledged.insert(token)),
                other => panic!("{other:?}"),
            }
        }
        for expected in 0..2_000 {
            assert_eq!(number(&there.hears().await), expected);
        }
    }
}

#[tokio::test]
async fn a_request_comes_with_where_to_answer_and_what_belongs_to_it() {
    let Some(broker) = Mosquitto::start("a_request_comes_with_where_to_answer", OPEN) else { return };
    let (mut here, _) = Peer::connect(broker.port(), &who(Version::Five, "here")).await.unwrap();
    let (mut there, _) = Peer::connect(broker.port(), &who(Version::Five, "there")).await.unwrap();
    here.subscribes("down/#").await.unwrap();
    let request = Message {
        response_topic: Some("up/answer".into()),
        correlation: Some(vec![0, 1, 0xff].into()),
        content_type: Some("application/json".into()),
        expiry: Some(Duration::from_secs(100)),
        ..Message::new("down/request", "{}")
    };
    there.publishes(request.clone()).await;
    let came = here.hears().await;
    assert!(came.expiry.is_some_and(|left| (90..=100).contains(&left.as_secs())), "{came:?}");
    assert_eq!(Message { expiry: request.expiry, ..came }, request);
}

#[tokio::test]
async fn who_nobody_listens_to_is_told() {
    let Some(broker) = Mosquitto::start("who_nobody_listens_to", OPEN) else { return };
    let (mut here, _) = Peer::connect(broker.port(), &who(Version::Five, "here")).await.unwrap();
    assert_eq!(here.publishes(numbered(1)).await, Event::Acknowledged { token: 1, heard: false });
}

#[tokio::test]
async fn a_broker_that_keeps_its_sessions_has_them_after_a_kill_and_another_has_not() {
    for (settings, keeps) in [(KEEPS, true), (OPEN, false)] {
        for version in BOTH {
            let Some(mut broker) = Mosquitto::start("a_broker_that_keeps_its_sessions", settings) else { return };
            let (mut here, welcome) = Peer::connect(broker.port(), &who(version, "here")).await.unwrap();
            assert!(!welcome.session_present);
            here.subscribes("down").await.unwrap();
            here.leaves(false).await;
            let (mut there, _) = Peer::connect(broker.port(), &who(version, "there")).await.unwrap();
            there.publishes(Message::new("down", "kept")).await;
            if keeps {
                broker.saves(b"kept");
            }
            broker.kill();
            assert!(matches!(there.ends().await, End::Closed { .. }));
            broker.again();
            let (mut here, welcome) = Peer::connect(broker.port(), &who(version, "here")).await.unwrap();
            assert_eq!(welcome.session_present, keeps);
            if keeps {
                assert_eq!(here.hears().await.payload, "kept");
            } else {
                here.subscribes("down").await.unwrap();
            }
        }
    }
}

/// Publishes on while the broker is killed again and again: what became of each.
async fn over_kills(settings: &str, version: Version) -> Option<(BTreeMap<Token, usize>, usize)> {
    const MESSAGES: u64 = 3_000;
    let mut broker = Mosquitto::start("every_message_ends_once", settings)?;
    let (mut here, _) = Peer::connect(broker.port(), &who(version, "here")).await.unwrap();
    let (mut given, mut ended, mut kills) = (0, BTreeMap::new(), 0);
    while ended.len() < MESSAGES as usize {
        while given < MESSAGES && here.gives(given, numbered(given)) {
            given += 1;
        }
        match here.next().await {
            Event::Acknowledged { token, .. } => *ended.entry(token).or_insert(0) += 1,
            Event::Ended(End::Closed { .. }) => {
                broker.again();
                here.again(broker.port(), &who(version, "here")).await.unwrap();
            }
            other => panic!("{other:?}"),
        }
        if ended.len() >= 700 * (kills + 1) && kills < 3 {
            broker.kill();
            kills += 1;
        }
    }
    assert!(here.client.holds_nothing());
    Some((ended, kills))
}

#[tokio::test]
async fn every_message_ends_once_however_often_the_broker_is_killed() {
    for settings in [KEEPS, OPEN] {
        for version in BOTH {
            let Some((ended, kills)) = over_kills(settings, version).await else { return };
            assert_eq!((ended.len(), kills), (3_000, 3));
            assert!(ended.values().all(|times| *times == 1));
        }
    }
}

#[tokio::test]
async fn a_session_that_is_taken_over_ends() {
    let Some(broker) = Mosquitto::start("a_session_that_is_taken_over_ends", OPEN) else { return };
    for version in BOTH {
        let (mut first, _) = Peer::connect(broker.port(), &who(version, "same")).await.unwrap();
        let _second = Peer::connect(broker.port(), &who(version, "same")).await.unwrap();
        assert!(is_put_out(&first.ends().await, Reason::TAKEN_OVER));
    }
}

/// The broker ended it; not each of mosquitto's versions says why, even where MQTT 5 can.
fn is_put_out(end: &End, why: Reason) -> bool {
    matches!(end, End::Told { reason, .. } if *reason == why) || *end == End::Closed { error: None }
}

#[tokio::test]
async fn who_has_no_password_or_a_wrong_one_is_refused_and_with_the_right_one_let_in() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let Ok(made) = std::process::Command::new("mosquitto_passwd").args(["-b", "-c", &path, "plant", "right"]).status()
    else {
        println!("SKIP who_has_no_password: no mosquitto_passwd on this machine");
        return;
    };
    assert!(made.success());
    let settings = format!("allow_anonymous false\npassword_file {path}");
    let Some(broker) = Mosquitto::start("who_has_no_password", &settings) else { return };
    for version in BOTH {
        let known = |password: &str| Connect {
            user: Some("plant".into()),
            password: Some(Secret::new(password.into())),
            ..who(version, "here")
        };
        for how in [who(version, "here"), known("wrong")] {
            match Peer::connect(broker.port(), &how).await.err() {
                Some(End::Refused { reason, .. }) => assert!(reason.needs_a_person(), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(Peer::connect(broker.port(), &known("right")).await.is_ok());
    }
}

#[tokio::test]
async fn what_the_lists_of_the_broker_forbid_is_refused_and_the_rest_goes_on() {
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "topic write up\ntopic read down\n").unwrap();
    let settings = format!("{OPEN}\nacl_file {}", list.path().display());
    let Some(broker) = Mosquitto::start("what_the_lists_of_the_broker_forbid", &settings) else { return };
    let (mut here, _) = Peer::connect(broker.port(), &who(Version::Five, "here")).await.unwrap();
    match here.publishes(Message::new("elsewhere", "x")).await {
        Event::Refused { token: 1, why: Refusal::Broker { reason, .. } } => assert_eq!(reason, Reason::NOT_AUTHORISED),
        other => panic!("{other:?}"),
    }
    let told = here.publishes(numbered(1)).await;
    assert!(matches!(told, Event::Acknowledged { .. }), "{told:?} {}", broker.log());
    assert_eq!(here.subscribes("down").await, Ok(Qos::AtLeastOnce));
}

#[tokio::test]
async fn what_is_too_large_for_the_broker_is_refused_by_size_and_the_rest_goes_on() {
    let settings = format!("{OPEN}\nmax_packet_size 2000\nmessage_size_limit 1000");
    let Some(broker) = Mosquitto::start("what_is_too_large_for_the_broker", &settings) else { return };
    let (mut here, welcome) = Peer::connect(broker.port(), &who(Version::Five, "here")).await.unwrap();
    assert_eq!(welcome.limits.largest_packet, Some(2_000));
    match here.publishes(Message::new("up", vec![0; 2_000])).await {
        Event::Refused { why: Refusal::TooLarge { size, most }, .. } => assert_eq!((size, most), (2_010, 2_000)),
        other => panic!("{other:?}"),
    }
    match here.publishes(Message::new("up", vec![0; 1_500])).await {
        Event::Refused { why: Refusal::Broker { reason, .. }, .. } => assert_eq!(reason, Reason::TOO_LARGE),
        other => panic!("{other:?}"),
    }
    let told = here.publishes(Message::new("up", vec![0; 900])).await;
    assert!(matches!(told, Event::Acknowledged { .. }), "{told:?} {}", broker.log());
}

#[tokio::test]
async fn what_is_too_large_for_us_is_passed_over_and_never_comes_again() {
    let Some(broker) = Mosquitto::start("what_is_too_large_for_us", OPEN) else { return };
    let bounds = Bounds { largest_packet: 1_000, ..Bounds::default() };
    let old = who(Version::Old, "here");
    let (mut here, _) = Peer::bounded(broker.port(), &old, bounds).await.unwrap();
    let (mut there, _) = Peer::connect(broker.port(), &who(Version::Five, "there")).await.unwrap();
    here.subscribes("down").await.unwrap();
    there.publishes(Message::new("down", vec![0; 100_000])).await;
    there.publishes(Message::new("down", "small")).await;
    match here.next().await {
        Event::PassedOver { topic, size } => assert_eq!((topic.as_str(), size > 100_000), ("down", true)),
        other => panic!("{other:?}"),
    }
    assert_eq!(here.hears().await.payload, "small");
    here.leaves(false).await;
    let (mut here, welcome) = Peer::bounded(broker.port(), &old, bounds).await.unwrap();
    assert!(welcome.session_present);
    there.publishes(Message::new("down", "more")).await;
    assert_eq!(here.hears().await.payload, "more");
}

#[tokio::test]
async fn a_broker_behind_a_black_hole_is_missed_in_two_keep_alives_and_one_that_answers_is_not() {
    let Some(mut broker) = Mosquitto::start("a_broker_behind_a_black_hole", OPEN) else { return };
    let relay = Relay::to(broker.port());
    let brief = Connect { keep_alive: Duration::from_secs(1), ..who(Version::Five, "far") };
    let (mut idle, _) = Peer::connect(relay.port(), &brief).await.unwrap();
    let (mut busy, _) =
        Peer::connect(relay.port(), &Connect { client_id: "busy".into(), ..brief.clone() }).await.unwrap();
    let near = Connect { client_id: "near".into(), ..brief };
    let (mut near, _) = Peer::connect(broker.port(), &near).await.unwrap();
    // Over a good way, for the same time: it pings, is answered, and its first event is the end that the broker tells.
    let near = tokio::spawn(async move { near.ends().await });
    relay.trouble(Trouble::BlackHole);
    let from = Instant::now();
    assert!(busy.gives(1, numbered(1)));
    let (idle, busy) = tokio::join!(idle.ends(), busy.ends());
    assert!(matches!((&idle, &busy), (End::Silent { .. }, End::Silent { .. })), "{idle}, {busy}");
    // That it takes no more than two keep-alives is shown in false time; here a busy machine may be late.
    assert!(from.elapsed() < Duration::from_secs(15), "{:?}", from.elapsed());
    broker.stop();
    assert!(is_put_out(&near.await.unwrap(), Reason::SHUTTING_DOWN));
}

#[tokio::test]
async fn the_will_is_told_for_who_is_gone_and_not_for_who_left() {
    let Some(broker) = Mosquitto::start("the_will_is_told", OPEN) else { return };
    let (mut there, _) = Peer::connect(broker.port(), &who(Version::Five, "there")).await.unwrap();
    there.subscribes("state").await.unwrap();
    for version in BOTH {
        let how = |says: &'static str| Connect { will: Some(Message::new("state", says)), ..who(version, "here") };
        let (gone, _) = Peer::connect(broker.port(), &how("gone")).await.unwrap();
        drop(gone);
        assert_eq!(there.hears().await.payload, "gone");
        let (left, _) = Peer::connect(broker.port(), &how("left")).await.unwrap();
        left.leaves(false).await;
        let (told, _) = Peer::connect(broker.port(), &how("told")).await.unwrap();
        told.leaves(true).await;
        assert_eq!(there.hears().await.payload, "told", "who left in good order has no will");
    }
}
