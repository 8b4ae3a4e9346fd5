//! What somebody waits at the prompt: `dmgw status`, as a shell starts it, until it has ended.

#[path = "../tests/support/mod.rs"]
mod support;

mod percentile;
mod row;

use std::time::{Duration, Instant};

use percentile::percentile;
use row::Row;
use support::{Gateway, Plant, TWO_DEVICES};

const TIMES: usize = 50;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    gateway.wait_for_device("meter-1");
    let one = |_| {
        let began = Instant::now();
        let ended = gateway.cli(&["status"]);
        let took = began.elapsed();
        assert!(ended.status.success(), "{ended:?}");
        took
    };
    // The first reads the binary from the disk.
    one(0);
    let mut took: Vec<Duration> = (0..TIMES).map(one).collect();
    let mean = took.iter().sum::<Duration>().as_secs_f64() * 1e3 / TIMES as f64;
    let settings = [("times", TIMES.to_string()), ("devices", "3".to_owned())];
    Row::new("cli-status", mean, None, &settings).write();
    Row::new("cli-status-nearly-all", percentile(&mut took, 0.99), None, &settings).write();
}
