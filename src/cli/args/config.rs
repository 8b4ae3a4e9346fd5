//! `dmgw config …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use crate::cli::completion;
use crate::model::log::Level;
use crate::units;

#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// What the files say, key by key; with --running what holds, with the versions over them
    Show {
        /// Only this key and what is below it: link.meters
        #[arg(add = completion::set_key())]
        key: Option<String>,
        /// Where each value is from
        #[arg(long)]
        origin: bool,
        /// Also what nobody has set, with its default
        #[arg(long, conflicts_with = "running")]
        all: bool,
        /// What the daemon runs with
        #[arg(long)]
        running: bool,
    },
    /// What a reload would change; or what one version has changed against another (0: the files alone)
    Diff {
        /// From this version …
        from: Option<u64>,
        /// … to this one [default: the one after it]
        to: Option<u64>,
    },
    /// What a key means, its default and its bounds; without a key, all of them
    Explain {
        #[arg(add = completion::key())]
        key: Option<String>,
    },
    /// Have the daemon read its settings again. With any mistake nothing changes
    Reload,
    /// Change named tables over what the files say: a new version, from a file or - (the standard input)
    Change(ChangeArgs),
    /// The versions that were made with `change`, and which is on probation
    Versions,
    /// The version on probation shall stay
    Confirm { version: u64 },
    /// As it was with that version; 0: as the files say. A new version, so there is a way back from here too
    Back { version: u64 },
    /// How much the daemon says in its log; or another level for a while, after which it goes back by itself
    LogLevel(LogArgs),
}

#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// error, warn, info, debug or trace
    #[arg(value_parser = crate::cli::log::level)]
    pub level: Option<Level>,
    /// How long it holds [default: 10m]
    #[arg(long = "for", value_name = "SPAN", value_parser = units::span, requires = "level")]
    pub within: Option<Duration>,
    /// What the settings say, at once
    #[arg(long, conflicts_with = "level")]
    pub back: bool,
}

#[derive(Debug, clap::Args)]
pub struct ChangeArgs {
    /// Whole tables, [link.NAME] and the like, as a drop-in holds them
    pub file: Option<PathBuf>,
    /// A table of the files that shall not hold: link.meters; may be given again
    #[arg(long, value_name = "TABLE")]
    pub hide: Vec<String>,
    /// A table of which the files shall tell again; may be given again
    #[arg(long, value_name = "TABLE")]
    pub lift: Vec<String>,
    /// Why, for those who look later
    #[arg(long)]
    pub note: Option<String>,
    /// On probation: unless it is confirmed within so long, the gateway goes back by itself
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub confirm_within: Option<Duration>,
}
