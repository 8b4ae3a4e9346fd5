//! Faults of the machine, on the real daemon: the power goes, the disk is full or takes no writes, the journal reaches its
//! bound, and somebody says stop in the middle of it all.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::client::Client;
use support::disk::Disk;
use support::torn_disk::Dice;
use support::{Gateway, Plant, eventually, pause, sums};

const CLOCK: &str = "[clock]\ntrust = \"always\"\n";
const FLUSH: &str = "flush_busy = \"100ms\"\nflush_idle = \"200ms\"\n";

fn plant() -> Plant {
    Plant::start(include_str!("support/counting_plant.toml"))
}

/// A gateway that keeps its store on this disk.
fn on_disk(plant: &Plant, disk: &Disk) -> Gateway {
    let settings = Gateway::settings(plant, "100ms", FLUSH, CLOCK);
    let path = disk.path().join("state.redb");
    Gateway::new(&settings.replace("{dir}/state.redb", path.to_str().expect("a plain path")))
}

fn wait_for_relays(gateway: &Gateway) {
    gateway.wait_for_device("relay-1");
    gateway.wait_for_device("relay-2");
}

fn health(gateway: &Gateway) -> (String, String) {
    let status = gateway.get("/v1/status").ok();
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    (text("health"), text("reason"))
}

#[test]
fn stopped_under_load_it_ends_in_time_and_nothing_is_lost() {
    let mut plant = plant();
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "50ms", "", CLOCK));
    gateway.start();
    wait_for_relays(&gateway);
    let mut client = Client::new(&gateway);
    (0..200).for_each(|_| assert!(client.ask(&gateway)));
    let (status, took) = gateway.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status:?} after {took:?}");
    gateway.start();
    client.check(&plant, &gateway);
    assert_eq!(sums::close(&mut plant, &mut gateway), 0, "readings are missing after a clean stop");
    assert!(sums::gaps(&gateway).is_empty(), "{:?}", sums::gaps(&gateway));
    println!("stopped in {took:?}; {} readings, none missing", sums::emitted(&plant).len());
}

#[test]
fn a_full_journal_drops_the_oldest_readings_under_an_exact_gap_and_keeps_what_is_vital() {
    let mut plant = plant();
    let journal = "[journal]\ntelemetry = 32\n";
    let store = "flush_busy = \"20ms\"\nflush_idle = \"20ms\"\n";
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "50ms", store, &format!("{CLOCK}{journal}")));
    gateway.start();
    wait_for_relays(&gateway);
    let mut client = Client::new(&gateway);
    (0..20).for_each(|_| assert!(client.ask(&gateway)));
    let gaps = eventually("three gaps", || Some(sums::gaps(&gateway)).filter(|gaps| gaps.len() >= 3));
    let mut next = 1;
    for gap in gaps {
        assert_eq!((gap.why.as_str(), gap.exact), ("bound", true));
        assert_eq!((gap.first, gap.count), (next, gap.last + 1 - gap.first), "{gap:?}");
        next = gap.last + 1;
    }
    let ends = client.check(&plant, &gateway);
    assert_eq!(ends.get("done"), Some(&20));
    let vital = gateway.get("/v1/journal/vital?from=1&limit=1000").ok();
    let records = vital["records"].as_array().expect("records");
    assert_eq!(records.iter().filter(|record| record["record"]["result"].is_object()).count(), 20);
    assert!(sums::close(&mut plant, &mut gateway) > 0);
}

/// One power cut while a client asks. Returns what the check would say.
fn power_cut(gateway: &mut Gateway, client: &mut Client, disk: &Disk, dice: &mut Dice, preload: Option<&Path>) {
    match preload {
        Some(library) => gateway.start_preloaded(library),
        None => gateway.start(),
    }
    wait_for_relays(gateway);
    let wanted = client.acknowledged.len() as u64 + 50 + dice.below(50);
    while (client.acknowledged.len() as u64) < wanted {
        assert!(client.ask(gateway), "the daemon went away by itself");
    }
    pause(Duration::from_millis(dice.below(300)));
    disk.cut_power();
    gateway.kill();
    disk.power_up();
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let Some(disk) = Disk::mount("what_was_acknowledged_survives_a_power_cut", 64) else { return };
    let mut plant = plant();
    let mut gateway = on_disk(&plant, &disk);
    let mut client = Client::new(&gateway);
    let mut dice = Dice(3);
    for _ in 0..5 {
        power_cut(&mut gateway, &mut client, &disk, &mut dice, None);
    }
    gateway.start();
    client.check(&plant, &gateway);
    let missing = sums::close(&mut plant, &mut gateway);
    println!("five power cuts: {missing} of {} readings missing, each within a gap", sums::emitted(&plant).len());
    gateway.terminate();
}

#[test]
fn without_syncing_a_power_cut_loses_what_was_acknowledged_and_this_test_would_notice() {
    let name = "without_syncing_a_power_cut_loses_what_was_acknowledged_and_this_test_would_notice";
    let Some(library) = eatmydata() else {
        println!("SKIP {name}: libeatmydata is not installed");
        return;
    };
    let Some(disk) = Disk::mount(name, 64) else { return };
    let plant = plant();
    let mut gateway = on_disk(&plant, &disk);
    // What is there before the disk begins to lie.
    gateway.start();
    gateway.terminate();
    disk.sync();
    let mut client = Client::new(&gateway);
    power_cut(&mut gateway, &mut client, &disk, &mut Dice(5), Some(&library));
    gateway.launch();
    let noticed = eventually("it is up, or cannot start", || {
        if gateway.has_ended() {
            return Some(true);
        }
        let answer = support::http::exchange(&gateway.socket(), "GET", "/v1/commands/up-1", b"").ok()?;
        Some(answer.status != 200)
    });
    assert!(noticed, "sync did nothing, and yet the first acknowledged command is there");
}

fn eatmydata() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/arm-linux-gnueabihf", "/usr/lib"];
    folders.iter().map(|folder| Path::new(folder).join("libeatmydata.so")).find(|path| path.exists())
}

/// The disk takes nothing from `fault` to `mend`; then all must be well again.
fn degraded_and_back(gateway: &mut Gateway, plant: &mut Plant, says: &str, fault: impl FnOnce(), mend: impl FnOnce()) {
    gateway.start();
    wait_for_relays(gateway);
    let mut client = Client::new(gateway);
    (0..20).for_each(|_| assert!(client.ask(gateway)));
    fault();
    let reason = eventually("it is degraded", || {
        // Whatever is asked now is refused or not known; what is not acknowledged is not counted on.
        let _ = client.try_ask(gateway);
        let (health, reason) = health(gateway);
        (health == "degraded").then_some(reason)
    });
    assert!(reason.contains(says), "{reason}");
    let refused = client.try_ask(gateway).expect("an answer");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.fault().1.contains(says), "{refused:?}");
    // Meanwhile it goes on seeing what is there.
    let count = || gateway.get("/v1/devices/sensor-1").body["detail"]["points"][0]["value"].as_i64();
    let before = count();
    eventually("the view goes on", || (count() != before).then_some(()));
    mend();
    eventually("it is well again", || (health(gateway).0 == "ok").then_some(()));
    (0..20).for_each(|_| assert!(client.ask(gateway)));
    client.check(plant, gateway);
    assert_eq!(sums::close(plant, gateway), 0, "readings are missing, though there was room in memory");
    gateway.terminate();
}

#[test]
fn on_a_full_disk_it_is_degraded_and_comes_back_without_a_loss() {
    let Some(disk) = Disk::mount("on_a_full_disk_it_is_degraded_and_comes_back_without_a_loss", 24) else { return };
    let mut plant = plant();
    let mut gateway = on_disk(&plant, &disk);
    degraded_and_back(&mut gateway, &mut plant, "full", || disk.fill(), || disk.empty());
}

#[test]
fn on_a_disk_that_takes_no_writes_it_is_degraded_and_comes_back_without_a_loss() {
    let name = "on_a_disk_that_takes_no_writes_it_is_degraded_and_comes_back_without_a_loss";
    let Some(disk) = Disk::mount(name, 64) else { return };
    let mut plant = plant();
    let mut gateway = on_disk(&plant, &disk);
    let store = disk.path().join("state.redb");
    let immutable = |flag: &str| {
        let done = Command::new("chattr").arg(flag).arg(&store).status().expect("chattr");
        assert!(done.success());
    };
    degraded_and_back(&mut gateway, &mut plant, "cannot be written", || immutable("+i"), || immutable("-i"));
}
