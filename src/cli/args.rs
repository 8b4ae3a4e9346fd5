//! The words of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::DEFAULT_PATH;
use crate::units;

const EXITS: &str = "Exit codes:
  0  done
  1  failed or refused, or (of what cannot be undone) to be confirmed first; of several devices: one of them
  2  not understood
  3  unknown: it was sent, or may have been, and nobody can say what came of it; or it did not end within --wait
  4  the daemon cannot be reached";

/// Device-management gateway: finds local devices, manages them by itself, loses nothing, answers upstream
#[derive(Debug, Parser)]
#[command(name = "dmgw", after_help = EXITS, version, max_term_width = 100)]
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
    /// All devices, or all that is known of one
    Devices(DevicesArgs),
    /// What happened to a device: up, down, moved, blocked, …
    Log {
        /// Its id, number, name, address, or a part of the id that only one has
        device: String,
    },
    /// Who tried to join, or to be somebody, and was turned away
    Attempts,
    /// Make devices known before they are ever seen: a list of them, or one
    #[command(after_help = super::register::HELP)]
    Register(RegisterArgs),
    /// What devices hang on
    Links,
    /// Ask a device, or several, for an operation
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
    /// Commands that have not ended
    Commands,
    /// What happened: vital, events or telemetry
    Journal {
        stream: String,
        /// From this number on
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Say that a reader of the journal has everything of a stream up to and with this number
    Ack { stream: String, reader: String, seq: u64 },
    /// Look for devices on a link, now
    Discover { link: String },
    /// Whether the settings are right: every mistake, where it stands. With --json one object, or a list of them where
    /// files of several settings are named
    Check {
        /// Settings files, or drop-ins, which are checked with all that they are dropped into [default: --config]
        file: Vec<PathBuf>,
    },
    /// The settings: which hold, where they are from, what they mean
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Secrets of the settings, and the gateway's own key
    #[command(subcommand)]
    Secret(SecretVerb),
    /// Descriptions of kinds of devices; needs no daemon
    Profile {
        #[command(subcommand)]
        what: ProfileVerb,
    },
    /// The versions of this program and of the daemon
    Version,
}

#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// What the files say, key by key; with --running what holds, with the versions over them
    Show {
        /// Only this key and what is below it: link.meters
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
    Explain { key: Option<String> },
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

#[derive(Debug, Subcommand)]
pub enum SecretVerb {
    /// Seal a secret, asked for or read from the standard input, so that it can stand in the settings
    #[command(after_help = super::secret::HELP)]
    Seal {
        /// The key to seal with [default: seal.key beside the store that the settings name]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// The public key that the gateway proves itself with
    Public,
}

#[derive(Debug, Subcommand)]
pub enum ProfileVerb {
    /// All profiles that the settings hold or that come with this program
    List,
    /// One profile as it holds, with what it takes from another
    Show {
        name: String,
        /// Tell where each part is written
        #[arg(long)]
        origin: bool,
    },
    /// Tell all that is wrong in files with profiles or their examples
    Check {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Hold profiles against the examples beside them, NAME.example.toml
    Test {
        /// A file with profiles, or the name of one
        #[arg(value_name = "FILE | NAME")]
        what: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct DevicesArgs {
    /// Its id, number, name, address, or a part of the id that only one has
    pub device: Option<String>,
    /// Only those on this link
    #[arg(long, conflicts_with = "device")]
    pub link: Option<String>,
    /// Only those that are so: managed, pending, …, or up, silent, …
    #[arg(long, conflicts_with = "device")]
    pub state: Option<String>,
    /// Only those in this group
    #[arg(long, conflicts_with = "device")]
    pub group: Option<String>,
    /// Only those for which this holds, such as 'label.floor == "2" && connectivity != "up"'
    #[arg(long = "for", value_name = "EXPRESSION", conflicts_with = "device")]
    pub of: Option<String>,
}

#[derive(Debug, Default, clap::Args)]
pub struct RegisterArgs {
    /// A list: CSV with a header, or TOML; - reads it from the standard input. Or the identities of one device
    #[arg(value_name = "FILE | KIND:VALUE")]
    pub what: Vec<String>,
    /// Only look whether the list is right; send nothing
    #[arg(long)]
    pub check: bool,
    /// Of one device: on which link it will be found
    #[arg(long)]
    pub link: Option<String>,
    /// And where on it
    #[arg(long)]
    pub address: Option<String>,
    /// How people call it
    #[arg(long)]
    pub name: Option<String>,
    /// A group that it is in; may be given again
    #[arg(long)]
    pub group: Vec<String>,
    /// What it is used for
    #[arg(long)]
    pub application: Option<String>,
    /// Where it is: a text, or LATITUDE,LONGITUDE
    #[arg(long, allow_hyphen_values = true)]
    pub location: Option<String>,
    /// NAME=TEXT; may be given again
    #[arg(long)]
    pub label: Vec<String>,
    /// As what it starts: managed (if nothing is said), pending or quarantined
    #[arg(long)]
    pub life: Option<String>,
    /// Which kind of device it is; without: found by its signs
    #[arg(long)]
    pub profile: Option<String>,
    /// A file that holds its key: nobody without it is this device
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct AskArgs {
    /// Its id, number, name, address, or a part of the id that only one has; several with commas between them; group:NAME;
    /// or for:EXPRESSION, such as 'for:link == "meters" && label.floor == "2"'
    #[arg(value_name = "DEVICE[,DEVICE…]")]
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
    /// Not to be sent sooner than so long from now
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub starts: Option<Duration>,
    /// The second step of what cannot be undone: the token that the first one gave
    #[arg(long)]
    pub token: Option<String>,
    /// Take both steps of what cannot be undone at once
    #[arg(long)]
    pub yes: bool,
    /// Wait so long for the end; 0s: do not wait [default: 30s; with --starts 0s]
    #[arg(long, value_name = "SPAN", value_parser = units::span)]
    pub wait: Option<Duration>,
}
