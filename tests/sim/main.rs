//! The sim link and its plant, from outside: a test plays the engine, the plant's own record is the witness.

mod liars;
mod lives;
mod player;
mod random;
mod speed;

use std::time::Duration;

use dmgw::links::sim::Settings;
use dmgw::model::order::Verdict;
use dmgw::model::*;
use dmgw::units::Span;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use player::{Plant, Player, address, write};

const SOON: Duration = Duration::from_secs(20);

/// A device that counts, in whatever mode.
fn counting(name: &str, more: &str) -> String {
    format!(
        "[device.{name}]\n{more}\n[device.{name}.point.'a.n']\ntype = 'int'\nvalue = {{ counter = {{ start = 1 }} }}\n"
    )
}

fn fault(name: &str, text: &str) -> String {
    format!("[[device.{name}.fault]]\n{text}\n")
}

fn at(plant: &Plant) -> Settings {
    Settings::at(plant.socket())
}

/// Short patience for tests of what does not answer.
fn impatient(plant: &Plant) -> Settings {
    let short = Duration::from_millis(100);
    Settings { timeout: Span(short), slowest: Span(short), retries: 0, ..at(plant) }
}

#[tokio::test]
async fn polled_devices_are_read_as_planned() {
    let mut plant = Plant::start(&counting("meter", "count = 3\nserial = 'acme:{n}'"));
    let mut player = Player::link(at(&plant));
    for n in 1..=3 {
        player.admit(n, &format!("meter-{n}"), Some(20)).await;
    }
    player.until("readings of all", |player| (1..=3).all(|n| player.heard_of(n).len() >= 20)).await;
    player.stop().await;
    let record = plant.record().await;
    for n in 1..=3 {
        let sent = record.values(&format!("acme:{n}"), "a.0.n");
        assert!(sent.len() >= 20);
        assert_eq!(player.values(n, 0), sent);
    }
}

#[tokio::test]
async fn who_speaks_is_heard_once_admitted() {
    let mut plant = Plant::start(&(counting("loud", "mode = { speaks = '10ms' }") + &counting("meter", "")));
    let mut player = Player::link(at(&plant));
    player.admit(1, "meter", Some(10)).await;
    player.until("some time passes", |player| player.heard_of(1).len() >= 20).await;
    assert!(player.heard_of(2).is_empty());
    player.admit(2, "loud", None).await;
    player.until("it is heard", |player| player.heard_of(2).len() >= 20).await;
    player.stop().await;
    assert_eq!(player.values(2, 0), plant.record().await.values("sim:loud", "a.0.n"));
}

#[tokio::test]
async fn who_asks_waits_for_its_answer_and_honours_it() {
    let mut plant = Plant::start(&counting("shy", "mode = { asks = '10ms' }"));
    let mut player = Player::link(at(&plant));
    for (times, verdict, wait) in
        [(1, Verdict::Later, Some(50)), (2, Verdict::Refused, Some(50)), (3, Verdict::Accepted, None)]
    {
        player.until("it asks", |player| player.asked.len() == times).await;
        assert!(player.heard.is_empty() && player.sighted.is_empty());
        if verdict == Verdict::Accepted {
            player.admit(1, "shy", None).await;
        }
        player.answer(verdict, wait).await;
    }
    player.until("it is heard", |player| player.heard.len() >= 10).await;
    player.stop().await;
    let exchanges: Vec<u64> = player.asked.iter().map(|(exchange, _)| *exchange).collect();
    assert_eq!(exchanges, [1, 2, 3]);
    let record = plant.record().await;
    let verdicts: Vec<_> = record.of("answer", "sim:shy").iter().map(|it| it["verdict"].clone()).collect();
    assert_eq!(verdicts, ["later", "refused", "accepted"]);
    assert_eq!(player.values(1, 0), record.values("sim:shy", "a.0.n"));
}

#[tokio::test]
async fn a_write_lands_once_and_is_read_back() {
    let relay = "[device.relay]\noperations = ['restart', 'self-test']\ntakes = { self-test = '40ms' }
        [device.relay.point.'relay.1.level']\ntype = 'float'\naccess = 'read-write'
        limits = { min = 0, max = 10 }\nvalue = { echo = 1.5 }
        [device.relay.point.'relay.1.model']\ntype = 'text'\nvalue = { constant = 'R1' }\n";
    let mut plant = Plant::start(relay);
    let mut player = Player::link(at(&plant));
    player.admit(1, "relay", Some(20)).await;
    let written = player.outcome(1, write("relay.1.level", Value::Int(7)), SOON).await;
    assert_eq!(written, Outcome::Done(vec![("relay.1.level".parse().unwrap(), Value::Float(7.0))]));
    player.until("it is read back", |player| player.values(1, 0).last() == Some(&Value::Float(7.0))).await;
    for refused in [
        write("relay.1.level", Value::Int(11)),
        write("relay.1.level", Value::text("x")),
        write("relay.1.model", Value::text("x")),
        write("relay.2.level", Value::Int(1)),
        Operation::Erase,
    ] {
        let outcome = player.outcome(1, refused, SOON).await;
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    }
    assert_eq!(player.outcome(1, Operation::SelfTest, SOON).await, Outcome::Done(Vec::new()));
    assert_eq!(player.progress, [250, 500, 750]);
    let outcome = player.outcome(9, Operation::SelfTest, SOON).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "nobody has this number: {outcome:?}");
    player.stop().await;
    assert_eq!(plant.record().await.of("order", "sim:relay").len(), 7);
}

#[tokio::test]
async fn a_silent_device_is_not_heard_and_its_command_is_lost_but_not_repeated() {
    let mut plant = Plant::start(
        &(counting("meter", "operations = ['restart']") + &fault("meter", "after = 5\ntimes = 10\ndo = 'silent'")),
    );
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "meter", Some(20)).await;
    player.until("five readings", |player| player.heard.len() == 5).await;
    let outcome = player.outcome(1, Operation::Restart { part: Part::Device }, Duration::from_millis(300)).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    assert_eq!(player.heard.len(), 5);
    player.until("it is back", |player| player.heard.len() > 10).await;
    player.stop().await;
    let record = plant.record().await;
    assert_eq!(record.of("order", "sim:meter").len(), 1);
    assert_eq!(record.of("fault", "sim:meter").len(), 2);
    assert_eq!(player.values(1, 0), record.values("sim:meter", "a.0.n"));
}

#[tokio::test]
async fn what_a_slow_device_sends_too_late_is_heard_all_the_same() {
    let mut plant =
        Plant::start(&(counting("meter", "") + &fault("meter", "after = 3\ntimes = 3\ndo = { slow = '250ms' }")));
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "meter", Some(20)).await;
    player.until("it is quick again", |player| player.heard.len() >= 15).await;
    player.stop().await;
    let mut heard = player.values(1, 0);
    let mut sent = plant.record().await.values("sim:meter", "a.0.n");
    // A late one may arrive behind a later one.
    heard.sort_by(|a, b| a.number().partial_cmp(&b.number()).unwrap());
    sent.sort_by(|a, b| a.number().partial_cmp(&b.number()).unwrap());
    assert_eq!(heard, sent);
}

#[tokio::test]
async fn wrong_answers_are_seen_as_such() {
    let wrong =
        |name: &str, what: &str| counting(name, "") + &fault(name, &format!("after = 3\ntimes = 3\ndo = '{what}'"));
    let mut plant =
        Plant::start(&(wrong("typo", "wrong-type") + &wrong("other", "other-point") + &wrong("noise", "garbage")));
    let mut player = Player::link(impatient(&plant));
    for (device, name) in [(1, "typo"), (2, "other"), (3, "noise")] {
        player.admit(device, name, Some(20)).await;
    }
    player.until("all are right again", |player| (1..=3).all(|n| player.heard_of(n).len() >= 12)).await;
    player.stop().await;
    let texts = player.values(1, 0).iter().filter(|value| value.kind() == ValueKind::Text).count();
    assert_eq!(texts, 3, "a value of a wrong type goes on, for the engine knows the types");
    let record = plant.record().await;
    assert_eq!(record.of("wrong", "sim:typo").len(), 3);
    assert_eq!(record.of("wrong", "sim:other").len(), 3);
    for (device, serial) in [(2, "sim:other"), (3, "sim:noise")] {
        assert_eq!(player.values(device, 0), record.values(serial, "a.0.n"));
    }
}

#[tokio::test]
async fn a_device_that_vanishes_is_gone_until_it_is_back() {
    let mut plant =
        Plant::start(&(counting("roamer", "") + &fault("roamer", "at = '300ms'\nlasts = '1500ms'\ndo = 'vanish'")));
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "roamer", Some(20)).await;
    player.until("it leaves", |player| player.gone == [DeviceNo(1)]).await;
    let outcome = player.outcome(1, Operation::Lock, Duration::from_millis(500)).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    player.sighted.clear();
    let before = player.heard.len();
    player.until("it is back", |player| !player.sighted.is_empty() && player.heard.len() > before + 5).await;
    player.stop().await;
    let record = plant.record().await;
    assert_eq!(record.of("order", "sim:roamer")[0]["reached"], false);
    assert_eq!(player.values(1, 0), record.values("sim:roamer", "a.0.n"));
}

#[tokio::test]
async fn a_device_tells_when_it_has_other_components() {
    let change = "[[device.meter.fault]]\nafter = 3\ntimes = 3\n[device.meter.fault.do.change]\nwithout = ['a']
        [device.meter.fault.do.change.with.'b.x']\ntype = 'bool'\nvalue = { constant = true }\n";
    let plant = Plant::start(&(counting("meter", "") + change));
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "meter", Some(20)).await;
    player.until("it changed and changed back", |player| player.changed.len() == 2).await;
    let paths: Vec<String> = player.changed.iter().map(|(_, it)| it.points[0].path.to_string()).collect();
    assert_eq!(paths, ["b.0.x", "a.0.n"]);
    player.stop().await;
}

#[tokio::test]
async fn a_plant_that_dies_takes_the_link_down_and_brings_it_up_again() {
    let relay = counting("relay", "operations = ['restart', 'self-test']\ntakes = { self-test = '4s' }");
    let mut plant = Plant::start(&relay);
    let mut player = Player::link(at(&plant));
    player.admit(1, "relay", Some(20)).await;
    player.until("it is read", |player| player.heard.len() > 3).await;
    let sent = player.perform(1, Operation::SelfTest, SOON).await;
    let waiting = player.perform(1, Operation::Restart { part: Part::Device }, SOON).await;
    player.until("it has begun", |player| !player.progress.is_empty()).await;
    plant.kill().await;
    player.until("down", |player| !player.up && player.outcomes.len() == 2).await;
    assert!(matches!(player.outcomes[&sent], Outcome::Lost(_)), "{:?}", player.outcomes);
    assert!(matches!(player.outcomes[&waiting], Outcome::NotSent(_)), "{:?}", player.outcomes);
    let outcome = player.outcome(1, Operation::SelfTest, SOON).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    plant.begin(true);
    let before = player.heard.len();
    player.is_up().await;
    player.until("it is read again", |player| player.heard.len() > before + 3).await;
    assert_eq!((player.ups, player.credits), (2, player.given));
    player.stop().await;
    let record = plant.record().await;
    let orders = record.of("order", "sim:relay");
    assert_eq!((orders.len(), &orders[0]["operation"]), (1, &"self-test".into()), "only what was sent reached it");
}

fn choir() -> String {
    let points: String = (0..10)
        .map(|i| format!("[device.voice.point.'a.{i}.n']\ntype = 'int'\nvalue = {{ counter = {{}} }}\n"))
        .collect();
    format!("[device.voice]\ncount = 50\nmode = {{ speaks = '10ms' }}\n{points}")
}

async fn sing(plant: &Plant) -> Player {
    // Little room: the link, the socket and the plant all stand in the way of each other.
    let mut player = Player::link_with(at(plant), 8);
    for n in 1..=50 {
        player.admit(n, &format!("voice-{n}"), None).await;
    }
    player.until("all sing", |player| (1..=50).all(|n| !player.heard_of(n).is_empty())).await;
    // Nobody listens for a while: everything on the way fills up.
    tokio::time::sleep(Duration::from_millis(300)).await;
    player
}

#[tokio::test]
async fn a_stop_loses_nothing_that_was_emitted() {
    let mut plant = Plant::start(&choir());
    let mut player = sing(&plant).await;
    player.stop().await;
    let record = plant.record().await;
    assert!(record.readings() > 1_000);
    assert_eq!(player.readings(), record.readings());
}

#[tokio::test]
async fn a_link_that_is_cut_off_instead_loses_some() {
    let mut plant = Plant::start(&choir());
    let mut player = sing(&plant).await;
    player.running.abort();
    while let Some(event) = player.events.recv().await {
        player.take(event);
    }
    assert!(player.readings() < plant.record().await.readings());
}

#[tokio::test]
async fn a_link_says_why_it_cannot_attach_and_goes_on_trying() {
    let folder = tempfile::tempdir().unwrap();
    let mut player = Player::link(Settings::at(folder.path().join("nobody.sock")));
    player.until("it says so", |player| !player.downs.is_empty()).await;
    assert!(player.downs[0].contains("No such file"), "{:?}", player.downs);
    let listener = tokio::net::UnixListener::bind(folder.path().join("nobody.sock")).unwrap();
    let (_kept, _) = listener.accept().await.unwrap();
}

#[tokio::test]
async fn a_hostile_plant_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hostile.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut player = Player::link(Settings::at(socket));
    let hello = b"{\"hello\":{\"version\":1}}\n".to_vec();
    let identities = [r#"{"kind":"serial","value":"a:1"}"#; 9].join(",");
    let sighting = format!("{{\"found\":{{\"address\":\"x\",\"identities\":[{identities}]}}}}\n");
    let endless = vec![b'x'; 200_000];
    for line in [&b"\xff\x00\n{}\n[[[[\n"[..], sighting.as_bytes(), &endless] {
        let (mut link, _) = listener.accept().await.unwrap();
        link.write_all(&hello).await.unwrap();
        player.is_up().await;
        // The link may close before it has taken it all.
        let _ = link.write_all(line).await;
        let done = b"{\"done\":{\"req\":77,\"address\":\"x\",\"outcome\":\"cancelled\"}}\n{\"progress\":{\"req\":7,\"share\":9}}\n";
        let _ = link.write_all(done).await;
        drop(link);
        player.until("down", |player| !player.up).await;
    }
    assert!(player.sighted.is_empty() && player.outcomes.is_empty() && player.heard.is_empty());
}

#[tokio::test]
async fn a_plant_that_claims_nothing_was_sent_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("liar.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut player = Player::link(Settings::at(socket));
    let (mut link, _) = listener.accept().await.unwrap();
    link.write_all(b"{\"hello\":{\"version\":1}}\n").await.unwrap();
    player.is_up().await;
    player.plan(1, "liar", None, vec!["a.n".parse().unwrap()]).await;
    let command = player.perform(1, Operation::Lock, SOON).await;
    let (from_link, mut to_link) = link.split();
    let mut lines = tokio::io::BufReader::new(from_link).lines();
    let order = loop {
        let line: serde_json::Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        if line.get("perform").is_some() {
            break line;
        }
    };
    let req = &order["perform"]["req"];
    let claim =
        format!("{{\"done\":{{\"req\":{req},\"address\":\"liar\",\"outcome\":{{\"not-sent\":\"believe me\"}}}}}}\n");
    to_link.write_all(claim.as_bytes()).await.unwrap();
    player.until("an outcome", |player| player.outcomes.contains_key(&command)).await;
    assert!(matches!(player.outcomes[&command], Outcome::Lost(_)), "{:?}", player.outcomes);
}

#[tokio::test]
async fn the_plant_of_the_demo_is_a_good_one() {
    let demo = dmgw::links::sim::plant::Plant::read("config/demo/plant.toml".as_ref()).unwrap();
    let works = dmgw::links::sim::plant::works::Works::new(&demo).unwrap();
    assert_eq!(works.len(), 12);
}

#[tokio::test]
async fn a_probe_hears_a_device_that_is_there() {
    let plant = Plant::start(&counting("meter", ""));
    let mut player = Player::link(at(&plant));
    player.admit(1, "meter", None).await;
    player.order(LinkOrder::Probe { device: DeviceNo(1) }).await;
    player.until("it is there", |player| !player.heard.is_empty()).await;
    player.order(LinkOrder::Refuse { address: address("meter"), until: None }).await;
    player.sighted.clear();
    player.order(LinkOrder::Discover).await;
    player.order(LinkOrder::Probe { device: DeviceNo(1) }).await;
    player.until("all is given back", |player| player.credits == player.given).await;
    player.stop().await;
    assert!(player.sighted.is_empty() && player.heard.len() == 1);
}
