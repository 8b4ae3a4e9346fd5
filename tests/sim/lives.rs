//! Devices that sleep, move, are updated, switched off and kept off, and that show who they are.

use std::sync::Arc;

use super::player::{Plant, Player, address};
use super::*;

fn operation(json: &str) -> Operation {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn a_sleeper_is_heard_each_time_it_wakes_and_obeys_only_while_it_is_awake() {
    let sleeper = counting("sleeper", "operations = ['lock']\nsleeps = { every = '400ms', awake = '150ms' }");
    let mut plant = Plant::start(&sleeper);
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "sleeper", None).await;
    assert!(player.sighted[&address("sleeper")].capabilities.as_ref().unwrap().sleeps.is_some());
    for _ in 0..3 {
        let before = player.heard.len();
        player.until("it wakes", |player| player.heard.len() > before).await;
    }
    // Now it is awake; what is told to it a while after is told to nobody.
    assert_eq!(player.outcome(1, Operation::Lock, SOON).await, Outcome::Done(Vec::new()));
    let mut outcomes = Vec::new();
    while !outcomes.iter().any(|outcome| matches!(outcome, Outcome::Lost(_))) {
        outcomes.push(player.outcome(1, Operation::Lock, Duration::from_millis(60)).await);
    }
    assert_eq!(player.outcome(1, Operation::Probe, SOON).await, Outcome::Failed("it does not answer".into()));
    player.stop().await;
    let record = plant.record().await;
    let orders = record.of("order", "sim:sleeper");
    assert_eq!(orders.first().map(|order| &order["reached"]), Some(&true.into()));
    assert_eq!(orders.last().map(|order| &order["reached"]), Some(&false.into()));
    assert_eq!(player.values(1, 0), record.values("sim:sleeper", "a.0.n"));
}

#[tokio::test]
async fn a_power_mode_changes_what_a_device_shows() {
    let sleeper =
        counting("d", "operations = ['power-mode']\nsleeps = { every = '1h', awake = '1h', at_first = false }");
    let plant = Plant::start(&sleeper);
    let mut player = Player::link(at(&plant));
    player.admit(1, "d", None).await;
    for (times, mode, sleeps) in [(1, "sleep", true), (2, "normal", false)] {
        let mode = operation(&format!("{{\"power-mode\":{{\"mode\":\"{mode}\"}}}}"));
        assert_eq!(player.outcome(1, mode, SOON).await, Outcome::Done(Vec::new()));
        player.until("it says so", |player| player.changed.len() == times).await;
        assert_eq!(player.changed.last().unwrap().1.sleeps.is_some(), sleeps);
    }
    player.stop().await;
}

#[tokio::test]
async fn an_update_is_told_when_it_has_taken_its_time() {
    let more = "operations = ['update', 'fall-back', 'software-list']\ntakes = { update = '100ms' }\nversions = { firmware = '1.0' }";
    let plant = Plant::start(&counting("d", more));
    let mut player = Player::link(at(&plant));
    player.admit(1, "d", None).await;
    let shown = |player: &Player| {
        let about = player.sighted[&address("d")].about.clone().unwrap();
        about.versions.values().next().unwrap().clone()
    };
    assert_eq!(shown(&player), "1.0");
    for (asked, version) in [(r#"{"update":{"image":"acme-2"}}"#, "acme-2"), ("\"fall-back\"", "1.0")] {
        assert_eq!(player.outcome(1, operation(asked), SOON).await, Outcome::Done(Vec::new()));
        player.until("it tells its version", |player| shown(player) == version).await;
        let listed = Outcome::Done(vec![("software.firmware".parse().unwrap(), Value::text(version))]);
        assert_eq!(player.outcome(1, Operation::SoftwareList, SOON).await, listed);
    }
    assert_eq!(player.progress, [250, 500, 750]);
    player.stop().await;
}

#[tokio::test]
async fn parts_are_switched_off_and_the_witness_says_which() {
    let two = "operations = ['activate', 'deactivate', 'restart']\n[device.d.point.'b.n']\ntype = 'int'\nvalue = { counter = { start = 1 } }";
    let mut plant = Plant::start(&counting("d", two));
    let mut player = Player::link(at(&plant));
    player.admit(1, "d", Some(20)).await;
    player.until("both are read", |player| !player.values(1, 0).is_empty() && !player.values(1, 1).is_empty()).await;
    let asked = ["{\"component\":\"a\"}", "{\"instance\":{\"name\":\"b\",\"instance\":0}}", "\"device\""];
    let off = operation(&format!("{{\"deactivate\":{{\"part\":{}}}}}", asked[0]));
    assert_eq!(player.outcome(1, off, SOON).await, Outcome::Done(Vec::new()));
    let (a, b) = (player.values(1, 0).len(), player.values(1, 1).len());
    player.until("only the other is read", |player| player.values(1, 1).len() > b + 5).await;
    assert!(player.values(1, 0).len() <= a + 1, "one may have been under way");
    for part in &asked[1..] {
        for kind in ["restart", "activate"] {
            let asked = operation(&format!("{{\"{kind}\":{{\"part\":{part}}}}}"));
            assert_eq!(player.outcome(1, asked, SOON).await, Outcome::Done(Vec::new()), "{kind} {part}");
        }
    }
    player.stop().await;
    let record = plant.record().await;
    let parts: Vec<_> = record.of("order", "sim:d").into_iter().map(|order| order["operation"].clone()).collect();
    assert_eq!(parts.len(), 5);
    assert_eq!(parts[0]["deactivate"]["part"]["component"], "a");
    assert_eq!(parts[1]["restart"]["part"]["instance"]["name"], "b");
    assert_eq!(parts[4]["activate"]["part"], "device");
}

#[tokio::test]
async fn a_device_that_moved_is_missed_where_it_was_and_heard_where_it_is() {
    let moved = fault("d", "after = 5\ndo = { move = { to = 'elsewhere' } }");
    let mut plant = Plant::start(&(counting("d", "operations = ['lock']") + &moved));
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "d", Some(20)).await;
    player.until("it is found elsewhere", |player| player.sighted.contains_key(&address("elsewhere"))).await;
    let outcome = player.outcome(1, Operation::Lock, Duration::from_secs(1)).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "nobody is there to say no: {outcome:?}");
    player.until("it is missed", |player| player.missed.contains(&DeviceNo(1))).await;
    assert!(player.gone.is_empty(), "it left without a word");
    let before = player.heard.len();
    player.order(LinkOrder::Admit { device: DeviceNo(1), address: address("elsewhere"), profile: None }).await;
    player.until("it is read there", |player| player.heard.len() > before + 3).await;
    assert_eq!(player.outcome(1, Operation::Lock, SOON).await, Outcome::Done(Vec::new()));
    player.stop().await;
    let record = plant.record().await;
    assert_eq!(player.values(1, 0), record.values("sim:d", "a.0.n"));
    let orders = record.of("order", "sim:d");
    assert_eq!((orders.len(), &orders[0]["address"]), (1, &"elsewhere".into()));
}

#[tokio::test]
async fn who_shows_the_stored_key_is_who_it_says_to_be() {
    let more = "count = 2\nkey = 'k{n}'\nserial = 'acme:{n}'\nidentities = [{ kind = 'endpoint', value = 'e{n}', proof = 'certificate' }]";
    let plant = Plant::start(
        &(counting("d", more) + &counting("asker", "mode = { asks = '1h' }\nkey = 'k1'\nserial = 'acme:1'")),
    );
    let keys = |identity: &Identity| (identity.value.as_str() == "acme:1").then(|| Secret::new("k1".into()));
    let mut player = Player::link_knowing(at(&plant), 1024, Arc::new(keys));
    let proofs = |who: &Sighting| who.identities.iter().map(|identity| identity.proof).collect::<Vec<Proof>>();
    player.until("both are seen", |player| player.sighted.len() == 2).await;
    assert_eq!(proofs(&player.sighted[&address("d-1")]), [Proof::Key, Proof::Seen]);
    assert_eq!(proofs(&player.sighted[&address("d-2")]), [Proof::Claimed, Proof::Seen]);
    player.until("the third asks", |player| !player.asked.is_empty()).await;
    assert_eq!(proofs(&player.askers[0]), [Proof::Key]);
    player.stop().await;
    let mut without = Player::link(at(&plant));
    without.until("both are seen", |player| player.sighted.len() == 2).await;
    assert_eq!(proofs(&without.sighted[&address("d-1")]), [Proof::Claimed, Proof::Seen]);
    without.stop().await;
}

#[tokio::test]
async fn who_is_kept_off_is_not_listened_to_until_it_is_admitted_again() {
    let mut plant = Plant::start(&(counting("loud", "mode = { speaks = '5ms' }") + &counting("meter", "")));
    let mut player = Player::link(at(&plant));
    player.admit(1, "loud", None).await;
    player.admit(2, "meter", Some(10)).await;
    player.until("it is heard", |player| player.heard_of(1).len() >= 5).await;
    player.order(LinkOrder::Refuse { address: address("loud"), until: None }).await;
    player.until("the refusal is said", |player| player.credits == player.given).await;
    let (before, others) = (player.heard_of(1).len(), player.heard_of(2).len());
    player.until("some time passes", |player| player.heard_of(2).len() >= others + 20).await;
    assert_eq!(player.heard_of(1).len(), before);
    player.admit(1, "loud", None).await;
    player.until("it is heard again", |player| player.heard_of(1).len() >= before + 5).await;
    player.stop().await;
    let record = plant.record().await;
    let story = record.about("sim:loud");
    let place = |kind: &str| story.iter().position(|(it, _)| *it == kind).unwrap();
    let again = story.iter().rposition(|(it, _)| *it == "heed").unwrap();
    let (heed, ignore) = (place("heed"), place("ignore"));
    assert!(heed < ignore && ignore < again, "{heed} {ignore} {again}");
    // What stood in the socket already when it was ignored is noted after it.
    assert!(again - ignore <= 3, "{} readings while nobody listened", again - ignore - 1);
    assert!(story[ignore..].len() > 5 && story[ignore].1["address"] == "loud");
}

#[tokio::test]
async fn a_record_that_is_gone_on_with_goes_on_with_its_numbers() {
    let mut plant = Plant::start(&counting("d", "count = 2\noperations = ['lock']"));
    for round in 0..3 {
        if round > 0 {
            // As after a crash: the last line is not whole.
            let mut text = std::fs::read_to_string(plant.record_file()).unwrap();
            text.push_str("{\"reading\":{\"device\":\"sim:d-1\",\"n\":9999");
            std::fs::write(plant.record_file(), text).unwrap();
            plant.begin(true);
        }
        let mut player = Player::link(at(&plant));
        player.admit(1, "d-1", Some(10)).await;
        player.until("it is read", |player| player.heard.len() >= 5).await;
        player.outcome(1, Operation::Lock, SOON).await;
        player.stop().await;
        plant.end().await;
    }
    let record = plant.record().await;
    for (kind, least) in [("reading", 15), ("order", 3)] {
        let numbers: Vec<u64> = record.of(kind, "sim:d-1").iter().map(|it| it["n"].as_u64().unwrap()).collect();
        assert!(numbers.len() >= least);
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<u64>>());
    }
}
