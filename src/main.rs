//! `dmgw`: starts what the arguments ask for.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::ExitCode;

use dmgw::{cli, daemon};

fn main() -> ExitCode {
    match cli::chosen() {
        cli::Chosen::Daemon { config } => cli::ended("dmgw", daemon::run(&config)),
        cli::Chosen::Client(args) => cli::client(args),
    }
}
