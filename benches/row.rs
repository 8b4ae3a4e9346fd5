//! What a bench found, as one line of JSON in `target/bench.jsonl`: every bench ends with [`Row::write`].
//!
//! The floors are read here too, so that a row says by itself whether it is met; `make bench` judges once more.

#![allow(dead_code)] // each bench uses a part of it

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// By bench: what it must reach.
pub type Floors = BTreeMap<String, Floor>;

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    pub unit: String,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_at_least: Option<f64>,
}

impl Floor {
    pub fn met(&self, value: f64, ratio: Option<f64>) -> bool {
        // Written so that NaN, and a ratio that was not measured, are never met.
        self.at_most.is_none_or(|most| value <= most)
            && self.at_least.is_none_or(|least| value >= least)
            && self.ratio_at_least.is_none_or(|least| ratio.is_some_and(|ratio| ratio >= least))
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Row {
    pub bench: String,
    pub value: f64,
    pub unit: String,
    /// What the value is compared with, in the same unit: a bare loop, a build before.
    pub against: Option<f64>,
    /// value / against.
    pub ratio: Option<f64>,
    pub floor: Option<Floor>,
    pub met: bool,
    /// The settings in force: a number without them means nothing.
    pub settings: BTreeMap<String, String>,
}

impl Row {
    pub fn new(bench: &str, value: f64, against: Option<f64>, settings: &[(&str, String)]) -> Row {
        let floor = floors().remove(bench);
        let ratio = against.map(|against| value / against);
        Row {
            bench: bench.to_owned(),
            value,
            unit: floor.as_ref().map(|floor| floor.unit.clone()).unwrap_or_default(),
            against,
            ratio,
            met: floor.as_ref().is_some_and(|floor| floor.met(value, ratio)),
            floor,
            settings: settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        }
    }

    /// Appends the row to the file and shows it. A bench that cannot say what it found has failed.
    pub fn write(&self) {
        let path = file();
        let line = serde_json::to_string(self).expect("a row is plain data");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap_or_else(|e| panic!("cannot write {}: {e}; run benches by `make bench`", path.display()));
        writeln!(file, "{line}").expect("a line was written to target/bench.jsonl");
        println!("{line}");
    }
}

pub fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench.jsonl")
}

pub fn floors() -> Floors {
    toml::from_str(include_str!("floors.toml")).expect("benches/floors.toml is as row.rs reads it")
}
