//! `dmgw-plant PLANT.toml`: plays a plant of made-up devices, for trying things out. It is a program of its own, so that
//! a gateway does not carry it.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use dmgw::cli;
use dmgw::links::sim::plant::{self, Plant};

/// Plays a plant of made-up devices, for links with the driver sim
#[derive(Parser)]
#[command(name = "dmgw-plant", version, max_term_width = 100)]
struct Args {
    /// Which devices there are, and how they behave
    #[arg(value_name = "PLANT.toml")]
    plant: PathBuf,
}

fn main() -> ExitCode {
    cli::ended("dmgw-plant", play(&Args::parse().plant))
}

/// Until a signal; then its record is complete.
fn play(plant: &Path) -> anyhow::Result<()> {
    let plant = Plant::read(plant)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(plant::run(plant, stop).await?)
    })
}
