//! How much the sim carries. Run by hand: `cargo test --profile quick --test sim speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use dmgw::links::sim::Settings;
use nix::sys::resource::{UsageWho, getrusage};

use super::player::{Plant, Player};

fn cpu() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let span = |t: nix::sys::time::TimeVal| Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1000);
    span(used.user_time()) + span(used.system_time())
}

async fn measure(what: &str, devices: u32, mode: &str, every: Option<u64>) {
    let points: String = (0..10)
        .map(|i| {
            format!("[device.d.point.'a.{i}.n']\ntype = 'float'\nvalue = {{ walk = {{ start = 20.0, step = 0.5 }} }}\n")
        })
        .collect();
    let plant = Plant::start(&format!("[device.d]\ncount = {devices}\n{mode}\n{points}"));
    let mut player = Player::link(Settings::at(plant.socket()));
    for n in 1..=devices {
        player.admit(n, &format!("d-{n}"), every).await;
    }
    let end = Instant::now() + Duration::from_secs(3);
    player.until("warm", |_| Instant::now() >= end).await;
    player.heard.clear();
    let (from, used) = (Instant::now(), cpu());
    let end = from + Duration::from_secs(5);
    player.until("measured", |_| Instant::now() >= end).await;
    let span = from.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} readings/s in {:.0} events/s, {:.0} % of one core for link and plant together",
        player.readings() as f64 / span,
        player.heard.len() as f64 / span,
        (cpu() - used).as_secs_f64() / span * 100.0
    );
    player.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn speed() {
    measure("2 000 that speak ten points a second", 2_000, "mode = { speaks = '1s' }", None).await;
    measure("2 000 polled for ten points a second", 2_000, "", Some(1_000)).await;
    measure("10 000 polled for ten points a second", 10_000, "", Some(1_000)).await;
}
