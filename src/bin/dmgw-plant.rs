//! `dmgw-plant PLANT.toml`: plays a plant of made-up devices, for trying things out. It is a program of its own, so that
//! a gateway does not carry it.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use dmgw::cli;
use dmgw::config::gather::{SHIPPED_PROFILES, SHIPPED_PROFILES_ENV};
use dmgw::links::sim::plant::{self, Plant};
use dmgw::model::Name;
use dmgw::profile::{Profile, text};

/// Plays a plant of made-up devices, for links with the driver sim, and over Modbus
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
        Ok(plant::run(plant, profile, tell, stop).await?)
    })
}

/// Where a bus is, for whoever configures the gateway.
fn tell(where_it_is: &str) {
    println!("{where_it_is}");
}

/// One of those that the gateway has too.
fn profile(name: &Name) -> Result<Profile, String> {
    let folder = std::env::var_os(SHIPPED_PROFILES_ENV).unwrap_or_else(|| SHIPPED_PROFILES.into());
    let path = Path::new(&folder).join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut read = text::read(&text)?;
    read.remove(name).ok_or_else(|| format!("{} holds no profile {name}", path.display()))
}
