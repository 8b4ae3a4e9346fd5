//! The words of the command line.

mod ask;
mod config;
mod device;
mod link;
mod looking;
mod place;
mod scan;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::completion;
use crate::config::DEFAULT_PATH;
use crate::model::Role;
pub use ask::{AskArgs, CommandVerb, ReadArgs, WriteArgs};
pub use config::{ChangeArgs, ConfigVerb, LogArgs};
pub use device::{DeviceVerb, ListArgs, RegisterArgs};
pub use link::{RawArgs, ReleaseArgs, TraceArgs};
pub use looking::{CreateArgs, GroupVerb, PointArgs, PointVerb, TokenVerb, WatchArgs};
pub use place::Place;
pub use scan::ScanArgs;

const EXITS: &str = "Exit codes:
  0  done
  1  failed or refused, or (of what cannot be undone) to be confirmed first; of several devices: one of them
  2  not understood
  3  unknown: it was sent, or may have been, and nobody can say what came of it; or it did not end within --wait
  4  the daemon cannot be reached, or is not believed to be the one that is meant";

/// Device-management gateway: finds local devices, manages them by itself, loses nothing, answers upstream
#[derive(Debug, Parser)]
#[command(name = "dmgw", after_help = EXITS, version, max_term_width = 100)]
pub struct Args {
    /// The settings file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_PATH)]
    pub config: PathBuf,
    #[command(flatten)]
    pub place: Place,
    /// Print JSON, as the daemon gives it
    #[arg(long, global = true)]
    pub json: bool,
    /// Show times in UTC, not in the zone of this machine or of TZ
    #[arg(long, global = true)]
    pub utc: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon
    Run,
    /// How the gateway is
    Status {
        /// Again and again, until q or Ctrl-C; with --json a line each time
        #[arg(long)]
        watch: bool,
    },
    /// What devices hang on
    #[command(subcommand)]
    Link(LinkVerb),
    /// Who is on a serial line or behind an address that speaks Modbus: rate and parity, units, what each is, and the
    /// settings to paste. It needs no daemon and no settings, and only reads
    Scan(ScanArgs),
    /// Which devices there are, how one is and why, what happened to it; and to make them known
    #[command(subcommand)]
    Device(DeviceVerb),
    /// Points of all devices, as they were read last
    #[command(subcommand)]
    Point(PointVerb),
    /// Read points of a device, or of several, now
    Read(ReadArgs),
    /// Write a point of a device, or of several
    Write(WriteArgs),
    /// Ask for any other operation; what became of it
    #[command(subcommand)]
    Command(CommandVerb),
    /// Groups of devices
    #[command(subcommand)]
    Group(GroupVerb),
    /// What happens, line by line as it happens; after a lost connection it goes on where it was
    Watch(WatchArgs),
    /// What happened, and that a reader has it
    #[command(subcommand)]
    Journal(JournalVerb),
    /// Whether the settings are right: every mistake, where it stands. With --json one object, or a list of them where
    /// files of several settings are named
    Check {
        /// Settings files, or drop-ins, which are checked with all that they are dropped into [default: --config]
        file: Vec<PathBuf>,
    },
    /// The settings: which hold, where they are from, what they mean
    #[command(subcommand)]
    Config(ConfigVerb),
    /// The running set: the settings that hold, versions laid over, and all known devices, as TOML that `dmgw check` takes
    Export,
    /// A support bundle: status, settings, records and log in one file, without secrets
    #[command(after_help = super::bundle::HELP)]
    Bundle {
        /// Where to [default: dmgw-bundle.tar.zst]
        file: Option<PathBuf>,
    },
    /// Who may come in from afar
    #[command(subcommand)]
    Token(TokenVerb),
    /// Secrets of the settings, and the gateway's own key
    #[command(subcommand)]
    Secret(SecretVerb),
    /// Keys to sign with what is asked of gateways far away; it needs no daemon
    #[command(subcommand)]
    Key(KeyVerb),
    /// Descriptions of kinds of devices; but for --running it needs no daemon
    #[command(subcommand)]
    Profile(ProfileVerb),
    /// What makes a shell complete names of devices, points, keys and all the rest
    #[command(after_help = completion::HELP)]
    Completion { shell: completion::Shell },
    /// The versions of this program and of the daemon
    Version,
}

impl Verb {
    /// What needs no daemon.
    pub fn profile_of_files(&self) -> Option<&ProfileVerb> {
        match self {
            Verb::Profile(ProfileVerb::List { running: true }) => None,
            Verb::Profile(of_files) => Some(of_files),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum LinkVerb {
    /// All links
    List,
    /// One link, and the devices on it
    Show {
        #[arg(add = completion::link())]
        link: String,
    },
    /// Look for devices on a link, now
    Discover {
        #[arg(add = completion::link())]
        link: String,
    },
    /// What goes over the wire of a link, frame by frame; as a file for Wireshark, too
    #[command(after_help = super::link::trace::HELP)]
    Trace(TraceArgs),
    /// Ask a unit something by hand, past its profile
    #[command(after_help = super::link::raw::HELP)]
    Raw(RawArgs),
    /// Lend the port of a link for a time, so that another program can have it
    #[command(after_help = super::link::lend::HELP)]
    Release(ReleaseArgs),
    /// Take the port of a link back that is lent
    Resume {
        #[arg(add = completion::link())]
        link: String,
    },
    /// The serial ports of this machine, who holds them, and the names to put into the settings; it needs no daemon
    Ports {
        /// Those of a system below this folder: of a container, say
        #[arg(long, value_name = "FOLDER", default_value = "/")]
        root: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum JournalVerb {
    /// What happened: vital, events or telemetry
    Show {
        #[arg(add = completion::stream())]
        stream: String,
        /// From this number on
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Say that a reader of the journal has everything of a stream up to and with this number
    Ack {
        #[arg(add = completion::stream())]
        stream: String,
        reader: String,
        seq: u64,
    },
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
pub enum KeyVerb {
    /// Make a key pair: the private part into a file, the public one as lines for the settings of gateways
    #[command(after_help = super::key::HELP)]
    Create {
        /// How gateways call whoever signs with it
        name: String,
        /// Where the private part goes [default: NAME.key]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// viewer looks, operator also asks for operations, administrator may do all
        #[arg(long, value_parser = crate::cli::token::roles())]
        role: Role,
        /// Only devices for which this holds
        #[arg(long = "for", value_name = "EXPRESSION")]
        of: Option<String>,
    },
    /// The lines for the settings once more
    Show {
        file: PathBuf,
        /// viewer looks, operator also asks for operations, administrator may do all
        #[arg(long, value_parser = crate::cli::token::roles())]
        role: Role,
        /// Only devices for which this holds
        #[arg(long = "for", value_name = "EXPRESSION")]
        of: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ProfileVerb {
    /// All profiles that the settings hold or that come with this program
    List {
        /// Those that the daemon holds, and how many devices have each
        #[arg(long)]
        running: bool,
    },
    /// One profile as it holds, with what it takes from another
    Show {
        #[arg(add = completion::profile())]
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
