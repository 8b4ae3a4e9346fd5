//! `dmgw link trace`, `raw` and `release`: the wire of a link, for engineers.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::completion;
use crate::units;

#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    #[arg(add = completion::link())]
    pub link: String,
    /// Only what this unit is asked, and what comes then
    #[arg(long)]
    pub unit: Option<u8>,
    /// End after so long [default: at Ctrl-C]
    #[arg(long = "for", value_name = "SPAN", value_parser = units::span)]
    pub span: Option<Duration>,
    /// End after so many frames
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Show the bytes, too
    #[arg(long, conflicts_with_all = ["pcap", "json"])]
    pub bytes: bool,
    /// Write the frames to a file for Wireshark or tshark; -: to the standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub pcap: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct RawArgs {
    #[arg(add = completion::link())]
    pub link: String,
    /// 1 to 247; over TCP 0 to 255; on a serial line 0 writes to all units, and none answers
    pub unit: u8,
    /// In words, or as bytes: function and data in hex
    #[arg(required = true, value_name = "REQUEST", allow_negative_numbers = true, add = completion::by_hand())]
    pub request: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    #[arg(add = completion::link())]
    pub link: String,
    /// For so long: a day at most
    #[arg(long = "for", value_name = "SPAN", value_parser = units::span, default_value = "30m")]
    pub span: Duration,
}
