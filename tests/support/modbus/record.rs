//! What a server wrote of what it was asked, by its own hand.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// A request that reached a server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Microseconds of the clock that never steps: [`now`].
    pub at: u64,
    pub conn: u32,
    pub unit: u8,
    pub function: u8,
    pub address: u16,
    pub count: u16,
    /// The truth: what the registers held, or what was written, whatever a fault made of the answer. pymodbus keeps none.
    pub values: Vec<u16>,
    /// `answer`, `exception 2`, `nothing`.
    pub said: String,
    pub faults: Vec<String>,
}

/// A frame that was dropped.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    pub at: u64,
    pub conn: u32,
    /// `silence`, `crc`, `baud`, `cut short`.
    pub refused: String,
    /// How long the line had been silent before it, in microseconds.
    pub silence: u64,
    /// In hex.
    pub bytes: String,
}

/// The clock of the record, in microseconds.
pub fn now() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec() as u64 * 1_000_000 + now.tv_nsec() as u64 / 1_000
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // Of a line that is being written now, nothing is said yet.
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|l| serde_json::from_str(l).unwrap()).collect()
}

pub fn asked(path: &Path) -> Vec<Asked> {
    let asked = lines(path).into_iter().filter(|line| line["refused"].is_null());
    asked.map(|line| serde_json::from_value(line).unwrap()).collect()
}

pub fn refused(path: &Path) -> Vec<Refused> {
    let refused = lines(path).into_iter().filter(|line| !line["refused"].is_null());
    refused.map(|line| serde_json::from_value(line).unwrap()).collect()
}
