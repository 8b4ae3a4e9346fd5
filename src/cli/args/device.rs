//! `dmgw device …`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::completion;

#[derive(Debug, Subcommand)]
pub enum DeviceVerb {
    /// All devices, or those that are so
    List(ListArgs),
    /// All of one device: what it is, how it is and why, what can be done
    Show {
        /// Its id, number, name, address, or a part of the id that only one has
        #[arg(add = completion::device())]
        device: String,
        /// Again and again, until q or Ctrl-C; with --json a line each time
        #[arg(long)]
        watch: bool,
    },
    /// What happened to a device: up, down, moved, blocked, …
    Log {
        /// Its id, number, name, address, or a part of the id that only one has
        #[arg(add = completion::device())]
        device: String,
    },
    /// Make devices known before they are ever seen: a list of them, or one
    #[command(after_help = crate::cli::register::HELP)]
    Register(RegisterArgs),
    /// The settings that make a device known which was found: TOML that `dmgw check` takes. A pending one is let in by it
    Adopt {
        /// Its id, number, name, address, or a part of the id that only one has
        #[arg(add = completion::device())]
        device: String,
        /// How it shall be called [default: its name, or the end of its id]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Put it into devices.d beside the settings; what is there is left alone
        #[arg(long)]
        write: bool,
    },
    /// Who tried to join, or to be somebody, and was turned away
    Attempts,
}

#[derive(Debug, Default, clap::Args)]
pub struct ListArgs {
    /// Only those on this link
    #[arg(long, add = completion::link())]
    pub link: Option<String>,
    /// Only those that are so: managed, pending, …, or up, silent, …
    #[arg(long)]
    pub state: Option<String>,
    /// Only those in this group
    #[arg(long, add = completion::group())]
    pub group: Option<String>,
    /// Only those for which this holds, such as 'label.floor == "2" && connectivity != "up"'
    #[arg(long = "for", value_name = "EXPRESSION")]
    pub of: Option<String>,
    /// Again and again, until q or Ctrl-C; with --json a line each time
    #[arg(long)]
    pub watch: bool,
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
    #[arg(long, add = completion::link())]
    pub link: Option<String>,
    /// And where on it
    #[arg(long)]
    pub address: Option<String>,
    /// How people call it
    #[arg(long)]
    pub name: Option<String>,
    /// A group that it is in; may be given again
    #[arg(long, add = completion::group())]
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
    #[arg(long, add = completion::profile())]
    pub profile: Option<String>,
    /// A file that holds its key: nobody without it is this device
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}
