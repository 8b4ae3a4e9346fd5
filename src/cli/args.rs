//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::DEFAULT_PATH;
use crate::units;

const EXITS: &str = "Exit codes:
  0  done
  1  failed or refused
  2  not understood
  3  unknown: it was sent, or may have been, and nobody can say what came of it; or it did not end within --wait
  4  the daemon cannot be reached";

/// Device-management gateway: finds local devices, manages them by itself, loses nothing, answers upstream
#[derive(Debug, Parser)]
#[command(name = "dmgw", after_help = EXITS, disable_version_flag = true, max_term_width = 100)]
pub struct Args {
    /// The settings file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    /// Where the daemon listens [default: as its settings say]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Print JSON, as the daemon gives it
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon
    Run,
    /// Play a plant of made-up devices, for trying things out
    Sim { plant: PathBuf },
    /// How the gateway is
    Status,
    /// All devices, or one with its points and values
    Devices {
        /// Its id, number, name, address, or a part of the id that only one has
        device: Option<String>,
    },
    /// What devices hang on
    Links,
    /// Ask a device for an operation
    #[command(after_help = super::spelling::HELP)]
    Ask(AskArgs),
    /// Call a command back, if nothing has reached the device yet
    Cancel { id: String },
    /// What became of a command
    Command {
        id: String,
        /// Wait so long for its end
        #[arg(long, value_name = "SPAN", value_parser = units::span)]
        wait: Option<Duration>,
    },
    /// What happened: vital, events or telemetry
    Journal {
        stream: String,
        /// From this number on
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Look for devices on a link, now
    Discover { link: String },
    /// The versions of this program and of the daemon
    Version,
}

#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// Its id, number, name, address, or a part of the id that only one has
    pub device: String,
    /// What to do: read, write, restart, …
    pub operation: String,
    /// As the operation wants them
    #[arg(allow_negative_numbers = true)]
    pub args: Vec<String>,
    /// An id of your own: asked again with the same id, it is carried out once
    #[arg(long)]
    pub id: Option<String>,
    /// Not to be sent later than so long from now [default: 1h with --id; else as the gateway's settings say]
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub expires: Option<Duration>,
    /// How long the device may take
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub timeout: Option<Duration>,
    /// low, normal or high
    #[arg(long, default_value = "normal")]
    pub priority: String,
    /// Wait so long for the end; 0s: do not wait
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = units::span)]
    pub wait: Duration,
}
