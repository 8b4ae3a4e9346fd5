//! A long run of anything in any order: no credit is lost or doubled, every command ends once, and what became of it is
//! what the witness says.

use std::collections::BTreeMap;
use std::time::Duration;

use dmgw::links::chance::Chance;
use dmgw::links::sim::Settings;
use dmgw::model::order::Verdict;
use dmgw::model::*;
use dmgw::units::Span;

use super::player::{Plant, Player, Record, address, write};

const PLANT: &str = "
[device.d]
count = 5
operations = ['restart']
[device.d.point.'a.n']
type = 'int'
access = 'read-write'
value = { echo = 1 }
[[device.d.fault]]
after = 20
times = 5
do = 'silent'
[[device.d.fault]]
after = 40
times = 5
only = 2
do = { slow = '80ms' }
[[device.d.fault]]
after = 10
only = 3
do = 'twice'
[[device.d.fault]]
after = 10
only = 4
do = { late = '40ms' }
[[device.d.fault]]
after = 30
times = 30
only = 5
do = 'wrong-question'
[[device.d.fault]]
after = 60
times = 10
only = 1
do = { move = { to = 'nowhere' } }
[device.s]
count = 3
mode = { speaks = '5ms' }
[device.s.point.'a.n']
type = 'int'
value = { counter = {} }
[device.q]
mode = { asks = '5ms' }
[device.q.point.'a.n']
type = 'int'
value = { counter = {} }
";

const NAMES: [&str; 9] = ["d-1", "d-2", "d-3", "d-4", "d-5", "s-1", "s-2", "s-3", "q"];

/// What each command writes.
type Written = BTreeMap<u64, i64>;

async fn anything(player: &mut Player, plant: &mut Plant, chance: &mut Chance, written: &mut Written) {
    let device = (chance.draw() % NAMES.len() as u64) as u32;
    let name = NAMES[device as usize];
    match chance.draw() % 40 {
        0..12 => {
            let within = Duration::from_millis(chance.draw() % 100);
            let value = chance.draw() as i64;
            let command = player.perform(device, write("a.n", Value::Int(value)), within).await;
            written.insert(command, value);
        }
        12..15 => {
            // Mostly one that is still waiting.
            let command = CommandNo(player.performs.saturating_sub(chance.draw() % 4));
            player.order(LinkOrder::Cancel { command }).await;
        }
        15..20 => {
            let every = (!chance.draw().is_multiple_of(3)).then_some(10);
            player.plan(device, name, every, vec!["a.n".parse().unwrap()]).await;
        }
        20..22 => player.order(LinkOrder::Refuse { address: address(name), until: None }).await,
        22..26 => player.order(LinkOrder::Probe { device: DeviceNo(device) }).await,
        26..28 => player.order(LinkOrder::Discover).await,
        28..30 => {
            let exchange = player.asked.last().map_or(9, |asked| asked.0);
            player.order(LinkOrder::Answer { exchange, verdict: Verdict::Accepted, wait: None }).await;
        }
        30 => plant.kill().await,
        31..34 => plant.begin_if_dead(),
        _ => {
            // Let the link get on with it, for a random number of events.
            for _ in 0..chance.draw() % 20 {
                match tokio::time::timeout(Duration::from_millis(20), player.events.recv()).await {
                    Ok(Some(event)) => player.take(event),
                    _ => break,
                }
            }
        }
    }
    assert!(player.credits <= player.given);
}

/// Nothing is carried out twice, nothing that was said not to be sent, and nothing is said to be done that was not.
fn check(player: &Player, written: &Written, record: &Record) {
    let mut obeyed: BTreeMap<i64, Vec<bool>> = BTreeMap::new();
    for order in record.all("order") {
        if let Some(value) = order["operation"]["write"]["value"].as_i64() {
            obeyed.entry(value).or_default().push(order["obeyed"] == true);
        }
    }
    let mut done = 0;
    for (command, value) in written {
        let seen = obeyed.get(value).map_or(&[][..], Vec::as_slice);
        assert!(seen.len() <= 1, "command {command} was carried out {} times", seen.len());
        match &player.outcomes[command] {
            Outcome::Done(values) => {
                assert_eq!((seen, &values[0].1), (&[true][..], &Value::Int(*value)), "command {command}");
                done += 1;
            }
            Outcome::NotSent(_) | Outcome::Cancelled => assert!(seen.is_empty(), "command {command} was sent"),
            Outcome::Failed(_) => assert!(seen != [true], "command {command} was carried out"),
            Outcome::Lost(_) => {}
        }
    }
    assert!(done > 0, "nothing was done");
}

/// On a machine that has no time for us, all that went before may have been too late.
async fn at_last(player: &mut Player, written: &mut Written) {
    player.plan(1, "d-2", None, vec!["a.n".parse().unwrap()]).await;
    for value in 1.. {
        written.insert(player.performs, value);
        let outcome = player.outcome(1, write("a.n", Value::Int(value)), Duration::from_secs(2)).await;
        if matches!(outcome, Outcome::Done(_)) {
            return;
        }
        assert!(value < 20, "{outcome:?}");
    }
}

async fn run(seed: u64) {
    println!("seed {seed}");
    let mut chance = Chance::new(seed);
    let mut plant = Plant::start(PLANT);
    let short = Duration::from_millis(50);
    let settings = Settings { timeout: Span(short), slowest: Span(short), ..Settings::at(plant.socket()) };
    let mut player = Player::link_with(settings, 16);
    let mut written = Written::new();
    for _ in 0..1_000 {
        anything(&mut player, &mut plant, &mut chance, &mut written).await;
    }
    plant.begin_if_dead();
    player.is_up().await;
    player
        .until("every command has ended and every credit is back", |player| {
            player.up && player.outcomes.len() as u64 == player.performs && player.credits == player.given
        })
        .await;
    assert!(player.ups >= 2 && player.performs > 100);
    at_last(&mut player, &mut written).await;
    player.stop().await;
    check(&player, &written, &plant.record().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_credit_is_lost_or_doubled_whatever_happens() {
    for seed in 1..=3 {
        run(seed).await;
    }
}
