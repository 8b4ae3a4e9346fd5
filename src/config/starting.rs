//! What a start does with settings that are wrong: it goes on with as much as holds, and says loudly what it left out.
//!
//! A drop-in that cannot be read or has a mistake is left out. Where the main file has one, all of it is as in the last
//! good copy. Where there is none, nothing starts. (A reload is stricter: with any mistake everything stays as it is.)

use std::path::{Path, PathBuf};

use super::gather::Inputs;
use super::read::{Reading, read};
use super::{Config, ConfigError, kept};
use crate::document::{Node, Table};

/// Where the store lies if the settings cannot say.
const STATE_FOLDER: &str = "STATE_DIRECTORY";
/// Leaving one out may leave another's name dangling; a set that needs more rounds is not worth them.
const MOST_ROUNDS: usize = 16;

pub struct Started {
    pub config: Config,
    /// What `config` was read from.
    pub inputs: Inputs,
    /// What is wrong with the files as they lie there, if anything is.
    pub trouble: Option<Trouble>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// In one line.
    pub says: String,
    /// Every mistake, where it stands.
    pub faults: String,
}

pub fn start(main: &Path) -> Result<Started, ConfigError> {
    let gathered = match Inputs::gather(main, std::env::vars()) {
        Ok(inputs) => inputs,
        Err(error) => return last_good(&usual_place(), error),
    };
    let reading = read(&gathered);
    let place = place_of_copy(&reading.root);
    as_much_as_holds(gathered, reading, None).or_else(|error| last_good(&place, error))
}

/// The same with versions over the files, of which one may be bad too.
pub fn go_on(inputs: Inputs, before: Option<Trouble>) -> Result<Started, ConfigError> {
    let reading = read(&inputs);
    as_much_as_holds(inputs, reading, before)
}

fn as_much_as_holds(inputs: Inputs, reading: Reading, before: Option<Trouble>) -> Result<Started, ConfigError> {
    let faults = reading.faults.show(&inputs.sources);
    match without_what_is_bad(inputs, reading) {
        Some((config, inputs, left_out)) => {
            let trouble = before.or(Trouble::of(&left_out, faults));
            Ok(Started { config, inputs, trouble })
        }
        None => Err(ConfigError::Told(faults)),
    }
}

/// As much as holds, and the names of what was left out; nothing, where the main file itself is wrong.
fn without_what_is_bad(mut inputs: Inputs, mut reading: Reading) -> Option<(Config, Inputs, Vec<String>)> {
    let mut left_out = Vec::new();
    for _ in 0..MOST_ROUNDS {
        // What leads to something that was left out stays: it does no harm, and whoever wrote it did nothing wrong.
        let fine = reading.faults.is_empty() || !left_out.is_empty() && reading.faults.iter().all(|fault| fault.lost);
        if let Some(config) = reading.config.take_if(|_| fine) {
            return Some((config, inputs, left_out));
        }
        let bad = bad_ones(&inputs, &reading)?;
        left_out.extend(bad.iter().filter_map(|no| Some(inputs.sources.get(*no)?.origin.to_string())));
        inputs = inputs.without(&bad);
        reading = read(&inputs);
    }
    None
}

impl Trouble {
    fn of(left_out: &[String], faults: String) -> Option<Trouble> {
        let says = format!("settings are left out, for there are mistakes in them: {}", left_out.join(", "));
        (!left_out.is_empty()).then_some(Trouble { says, faults })
    }
}

/// None where something is wrong that no drop-in and no version has brought.
fn bad_ones(inputs: &Inputs, reading: &Reading) -> Option<Vec<u32>> {
    let drop_ins = inputs.files.get(1..).unwrap_or_default().iter().copied();
    let may_go: Vec<u32> =
        drop_ins.chain(inputs.shipped.iter().copied()).chain(inputs.layers.iter().map(|layer| layer.source)).collect();
    // A name that leads nowhere may be what follows from the others.
    let first = reading.faults.iter().any(|fault| !fault.lost);
    let told = reading.faults.iter().filter(|fault| !(first && fault.lost));
    let bad: Vec<u32> = told.map(|fault| fault.at.source).collect();
    let ours = !bad.is_empty() && bad.iter().all(|no| may_go.contains(no));
    ours.then(|| bad.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect())
}

fn last_good(place: &Path, error: ConfigError) -> Result<Started, ConfigError> {
    let Ok(inputs) = kept::read(place, std::env::vars()) else { return Err(error) };
    let reading = read(&inputs);
    let Some(config) = reading.config.filter(|_| reading.faults.is_empty()) else { return Err(error) };
    let says = format!("the settings cannot be used; those of the last good start hold ({})", place.display());
    Ok(Started { config, inputs, trouble: Some(Trouble { says, faults: error.to_string() }) })
}

/// As far as the settings can be read, they say where the store lies, and the copy lies beside it.
fn place_of_copy(root: &Table) -> PathBuf {
    let store = root.get("store").and_then(Node::table).and_then(|store| store.get("path")).and_then(Node::text);
    store.map_or_else(usual_place, |store| kept::place(Path::new(store)))
}

fn usual_place() -> PathBuf {
    let store = Config::default().store.path;
    let folder = std::env::var_os(STATE_FOLDER).map(PathBuf::from);
    kept::place(&folder.map_or(store, |folder| folder.join("state.redb")))
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.says, self.faults)
    }
}
