//! `dmgw point …`, `dmgw group …`, `dmgw token …` and `dmgw watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use crate::cli::completion;
use crate::model::Role;
use crate::units;

#[derive(Debug, Subcommand)]
pub enum PointVerb {
    /// Points of all devices, or of some
    List(PointArgs),
    /// One point of one device
    Show {
        /// Its id, number, name, address, or a part of the id that only one has
        #[arg(add = completion::device())]
        device: String,
        /// COMPONENT.INSTANCE.POINT; instance 0 may be left out
        #[arg(add = completion::point())]
        point: String,
        /// Again and again, until q or Ctrl-C; with --json a line each time
        #[arg(long)]
        watch: bool,
    },
}

#[derive(Debug, Default, clap::Args)]
pub struct PointArgs {
    /// Only of devices for which this holds, such as 'link == "meters"'
    #[arg(long = "for", value_name = "EXPRESSION")]
    pub of: Option<String>,
    /// Only these, such as 'power.*'
    #[arg(long, value_name = "GLOB")]
    pub point: Option<String>,
    /// Again and again, until q or Ctrl-C; with --json a line each time
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Subcommand)]
pub enum GroupVerb {
    /// All groups, and how many devices are in each
    List,
    /// The devices of a group
    Show {
        #[arg(add = completion::group())]
        group: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Let somebody in, with a token that is shown once, or with a client certificate
    Create(CreateArgs),
    /// Who may come in; no token is ever shown again
    List,
    /// Let somebody in no more
    Revoke {
        #[arg(add = completion::token())]
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// How they are called in the journal
    pub name: String,
    /// viewer looks, operator also asks for operations, administrator may do all
    #[arg(long, value_parser = crate::cli::token::roles())]
    pub role: Role,
    /// Only devices for which this holds
    #[arg(long = "for", value_name = "EXPRESSION")]
    pub of: Option<String>,
    /// For so long [default: until it is revoked]
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub expires: Option<Duration>,
    /// No token, but whoever has the key of this client certificate
    #[arg(long, value_name = "FILE.pem")]
    pub certificate: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// Only of devices for which this holds
    #[arg(long = "for", value_name = "EXPRESSION")]
    pub of: Option<String>,
    /// Which streams: vital, events, telemetry, with commas between them [default: all]
    #[arg(long, value_name = "STREAMS")]
    pub streams: Option<String>,
    /// From this position on, as an earlier line told it with --json
    #[arg(long, value_name = "POSITION")]
    pub from: Option<String>,
}
