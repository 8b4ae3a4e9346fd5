//! kill -9 of the real daemon, again and again: what was acknowledged is there, no write is done twice, and what was
//! emitted is in the journal or named by a gap record.
//!
//! The client is this process. It writes each acknowledgement to a file of its own before it asks for the next. Kills are
//! spread over opening the store, flushing readings, committing and answering. A round counts when at least fifty
//! commands were acknowledged in it. `KILL_SEED` repeats or changes the chance.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::client::Client;
use support::torn_disk::Dice;
use support::{Gateway, Plant, eventually, pause, sums};

const LEAST: u64 = 50;
const SETTINGS: &str = "[clock]\ntrust = \"always\"\n";
const FLUSH: &str = "flush_busy = \"100ms\"\nflush_idle = \"200ms\"\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// While the next start opens the store.
    Open,
    /// While readings go to disk.
    Flush,
    /// Between a request and its answer.
    Commit,
    /// As soon as an answer has come.
    Answer,
}

const MOMENTS: [Moment; 4] = [Moment::Open, Moment::Flush, Moment::Commit, Moment::Answer];

/// Starts it; now and then it is killed while it opens its store, and started again.
fn start(gateway: &mut Gateway, moment: Moment, dice: &mut Dice) {
    if moment == Moment::Open {
        gateway.launch();
        pause(Duration::from_micros(dice.below(40_000)));
        gateway.kill();
    }
    gateway.start();
    gateway.wait_for_device("relay-1");
    gateway.wait_for_device("relay-2");
}

fn round(gateway: &mut Gateway, client: &mut Client, moment: Moment, dice: &mut Dice) {
    start(gateway, moment, dice);
    let before = client.acknowledged.len() as u64;
    let wanted = LEAST + dice.below(20);
    while (client.acknowledged.len() as u64) < before + wanted {
        assert!(client.ask(gateway), "the daemon went away by itself: {}", gateway.log());
    }
    match moment {
        Moment::Open | Moment::Answer => gateway.kill(),
        Moment::Flush => {
            let next = || sums::next(gateway, "telemetry");
            let old = next();
            // It has just flushed; the next one comes after about as long again.
            eventually("readings are flushed", || (next() != old).then_some(()));
            pause(Duration::from_micros(dice.below(300_000)));
            gateway.kill();
        }
        Moment::Commit => {
            let pid = nix::unistd::Pid::from_raw(gateway.pid() as i32);
            let wait = Duration::from_micros(dice.below(3_000));
            let killer = std::thread::spawn(move || {
                pause(wait);
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("our own child");
            });
            while client.ask(gateway) {}
            killer.join().expect("it only kills");
            gateway.kill();
        }
    }
    let acknowledged = client.acknowledged.len() as u64 - before;
    assert!(acknowledged >= LEAST, "only {acknowledged} acknowledged in this round");
}

fn rounds(count: u64) {
    let seed = std::env::var("KILL_SEED").ok().map_or(1, |seed| seed.parse().expect("a whole number"));
    println!("KILL_SEED={seed} repeats this");
    let mut dice = Dice(seed);
    let mut plant = Plant::start(include_str!("support/counting_plant.toml"));
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "100ms", FLUSH, SETTINGS));
    let mut client = Client::new(&gateway);
    let mut moments = BTreeMap::new();
    for n in 0..count {
        let moment = MOMENTS[n as usize % MOMENTS.len()];
        *moments.entry(moment).or_insert(0) += 1;
        round(&mut gateway, &mut client, moment, &mut dice);
    }
    println!("{count} rounds, killed at {moments:?}");
    gateway.start();
    let ends = client.check(&plant, &gateway);
    assert!(ends.get("done").copied().unwrap_or(0) > client.asked as u64 / 2, "{ends:?}");
    let missing = sums::close(&mut plant, &mut gateway);
    println!("{missing} of {} readings are missing, each within a gap record", sums::emitted(&plant).len());
}

#[test]
fn what_was_acknowledged_survives_twenty_kills() {
    rounds(20);
}

#[test]
#[ignore = "long: a hundred kills take some minutes"]
fn what_was_acknowledged_survives_a_hundred_kills() {
    rounds(100);
}
