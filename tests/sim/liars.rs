//! Devices that lie, answer late, twice or to the wrong question: no answer is taken for that of another request.

use super::player::{Plant, Player, address, write};
use super::*;

/// Relays that hold what is written, and take their time to say so.
fn relay(name: &str, more: &str) -> String {
    format!(
        "[device.{name}]\n{more}\n[device.{name}.point.'relay.level']\ntype = 'int'\naccess = 'read-write'\nvalue = {{ echo = 0 }}\n"
    )
}

fn written(level: i64) -> Outcome {
    Outcome::Done(vec![("relay.level".parse().unwrap(), Value::Int(level))])
}

#[tokio::test]
async fn only_the_witness_tells_that_a_liar_did_nothing() {
    let mut plant = Plant::start(&(relay("relay", "") + &fault("relay", "after = 1\ntimes = 1\ndo = 'lie'")));
    let mut player = Player::link(at(&plant));
    player.admit(1, "relay", None).await;
    for level in [1, 2, 3] {
        assert_eq!(player.outcome(1, write("relay.level", Value::Int(level)), SOON).await, written(level));
    }
    player.stop().await;
    let record = plant.record().await;
    let obeyed: Vec<_> = record.of("order", "sim:relay").iter().map(|order| order["obeyed"].clone()).collect();
    assert_eq!(obeyed, [true, false, true]);
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_that_of_the_next_command() {
    let late = fault("relay", "after = 1\ntimes = 1\ndo = { late = '600ms' }");
    let mut plant = Plant::start(&(relay("relay", "slow = '800ms'") + &late));
    let mut player = Player::link(at(&plant));
    player.admit(1, "relay", None).await;
    assert_eq!(player.outcome(1, write("relay.level", Value::Int(1)), SOON).await, written(1));
    let second = player.outcome(1, write("relay.level", Value::Int(2)), Duration::from_secs(1)).await;
    assert!(matches!(second, Outcome::Lost(_)), "{second:?}");
    // The answer to the second comes while the third is under way.
    assert_eq!(player.outcome(1, write("relay.level", Value::Int(3)), SOON).await, written(3));
    player.stop().await;
    let record = plant.record().await;
    assert!(record.of("order", "sim:relay").iter().all(|order| order["obeyed"] == true), "late or not, it obeys");
}

#[tokio::test]
async fn what_is_said_twice_counts_once_for_a_command_and_is_heard_as_often_as_it_was_said() {
    let counter = counting("meter", "") + &fault("meter", "after = 0\ndo = 'twice'");
    let mut plant = Plant::start(&(relay("relay", "") + &fault("relay", "after = 0\ndo = 'twice'") + &counter));
    let mut player = Player::link(at(&plant));
    player.admit(1, "relay", None).await;
    player.admit(2, "meter", Some(20)).await;
    for level in 1..=20 {
        assert_eq!(player.outcome(1, write("relay.level", Value::Int(level)), SOON).await, written(level));
    }
    player.until("it is read", |player| player.heard_of(2).len() >= 20).await;
    player.stop().await;
    let record = plant.record().await;
    assert_eq!(record.of("order", "sim:relay").len(), 20, "it was told once each");
    let sent = record.values("sim:meter", "a.0.n");
    assert_eq!(player.values(2, 0), sent);
    assert_eq!(sent[0], sent[1]);
}

#[tokio::test]
async fn an_answer_under_the_number_of_another_ends_nothing() {
    let astray = fault("astray", "after = 0\ndo = 'wrong-question'");
    let mut plant = Plant::start(&(relay("astray", "") + &astray + &relay("slow", "slow = '200ms'")));
    let mut player = Player::link(impatient(&plant));
    player.admit(1, "astray", Some(20)).await;
    player.admit(2, "slow", None).await;
    for level in 1..=3 {
        let slow = player.perform(2, write("relay.level", Value::Int(level)), SOON).await;
        // Meanwhile the other answers under the number of that command, reads and writes alike.
        let lost = player.outcome(1, write("relay.level", Value::Int(100)), Duration::from_secs(1)).await;
        assert!(matches!(lost, Outcome::Lost(_)), "{lost:?}");
        player.until("the slow one has answered", |player| player.outcomes.contains_key(&slow)).await;
        assert_eq!(player.outcomes[&slow], written(level));
    }
    player.until("it is heard all the same", |player| player.heard_of(1).len() >= 3).await;
    assert!(player.missed.contains(&DeviceNo(1)), "but it has answered no question");
    player.stop().await;
    let record = plant.record().await;
    assert_eq!(player.values(1, 0), record.values("sim:astray", "relay.0.level"));
    assert_eq!(player.values(2, 0), record.values("sim:slow", "relay.0.level"));
}

#[tokio::test]
async fn nobody_takes_the_answer_of_another_device_or_of_another_kind() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hostile.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut player = Player::link(Settings::at(socket));
    let (mut link, _) = listener.accept().await.unwrap();
    link.write_all(b"{\"hello\":{\"version\":1}}\n").await.unwrap();
    player.is_up().await;
    player.plan(1, "victim", None, vec!["a.n".parse().unwrap()]).await;
    player.plan(2, "other", None, vec!["a.n".parse().unwrap()]).await;
    let command = player.perform(1, Operation::Lock, SOON).await;
    let (from_link, mut to_link) = link.split();
    let mut lines = tokio::io::BufReader::new(from_link).lines();
    let req = loop {
        let line: serde_json::Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        if let Some(req) = line["perform"]["req"].as_u64() {
            break req;
        }
    };
    let claims = format!(
        "{{\"done\":{{\"req\":{req},\"address\":\"other\",\"outcome\":{{\"done\":[]}}}}}}\n\
         {{\"failed\":{{\"req\":{req},\"address\":\"other\",\"why\":\"no\"}}}}\n\
         {{\"values\":{{\"req\":{req},\"address\":\"victim\",\"values\":[[\"a.n\",1]]}}}}\n\
         {{\"values\":{{\"req\":{req},\"address\":\"other\",\"values\":[[\"a.n\",2]]}}}}\n\
         {{\"done\":{{\"req\":{},\"address\":\"victim\",\"outcome\":{{\"done\":[]}}}}}}\n",
        req + 1
    );
    to_link.write_all(claims.as_bytes()).await.unwrap();
    player.until("both are heard", |player| player.heard.len() == 2).await;
    assert!(player.outcomes.is_empty(), "{:?}", player.outcomes);
    let right = format!("{{\"done\":{{\"req\":{req},\"address\":\"victim\",\"outcome\":{{\"failed\":\"yes\"}}}}}}\n");
    to_link.write_all(right.as_bytes()).await.unwrap();
    player.until("an outcome", |player| player.outcomes.contains_key(&command)).await;
    assert_eq!(player.outcomes[&command], Outcome::Failed("yes".into()));
    assert_eq!((player.values(1, 0), player.values(2, 0)), (vec![Value::Int(1)], vec![Value::Int(2)]));
}

#[tokio::test]
async fn two_devices_may_claim_to_be_one_and_the_witness_tells_them_apart() {
    let twins = relay("real", "serial = 'acme:1'") + &relay("twin", "serial = 'acme:1'");
    let mut plant = Plant::start(&twins);
    let mut player = Player::link(at(&plant));
    player.admit(1, "real", None).await;
    player.admit(2, "twin", None).await;
    assert_eq!(player.sighted[&address("real")].identities, player.sighted[&address("twin")].identities);
    assert_eq!(player.outcome(2, write("relay.level", Value::Int(7)), SOON).await, written(7));
    player.stop().await;
    let record = plant.record().await;
    let orders = record.of("order", "acme:1");
    assert_eq!((orders.len(), &orders[0]["address"]), (1, &"twin".into()));
}
