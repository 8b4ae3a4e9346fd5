//! A start with settings that are wrong: it goes on with as much as holds, and says loudly what it left out.
//!
//! A drop-in that cannot be read or has a mistake is left out, and so is a version over the files. Where the main file has
//! one, all of it is as in the last good copy. Where there is none, nothing starts. (A reload is stricter: with any mistake
//! everything stays as it is.)
//!
//! Two steps, for the versions lie in the store: first the sections that say where that is, then all of it together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::flat::{flat, made_once};
use super::gather::{ENV, ENV_DOT, Inputs};
use super::read::{read, sections};
use super::{Config, ConfigError, kept};
use crate::document::{Faults, Node, Origin, Table};
use crate::engine::Admission;
use crate::model::layer::Layer;
use crate::model::setting::Flat;

/// Where the store lies if the settings cannot say.
const STATE_FOLDER: &str = "STATE_DIRECTORY";
/// Leaving one out may leave another's name dangling; a set that needs more rounds is not worth them.
const MOST_ROUNDS: usize = 16;

/// What is known before the store is open.
pub struct Found {
    /// With the sections that no version can change, and no named table.
    pub config: Config,
    gathered: Result<Inputs, ConfigError>,
    /// These sections are right in what was gathered.
    by_gathered: bool,
    copy: LastGood,
}

pub struct Started {
    pub config: Config,
    /// What `config` was read from.
    pub inputs: Inputs,
    /// The keys of what is made once, as they were then.
    pub made_by: Flat,
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

pub fn find(main: &Path) -> Result<Found, ConfigError> {
    let gathered = Inputs::gather(main, std::env::vars());
    let (config, root) = gathered.as_ref().map_or_else(|_| Default::default(), sections);
    let copy = LastGood::of(main, &root);
    match config {
        Some(config) => Ok(Found { config, gathered, by_gathered: true, copy }),
        None => match copy.read() {
            Ok((config, _)) => Ok(Found { config, gathered, by_gathered: false, copy }),
            Err(why) => Err(told(faults_of(gathered), &copy, &why)),
        },
    }
}

impl Found {
    /// All of it, with these versions over the files.
    pub fn start(self, versions: &[Layer]) -> Result<Started, ConfigError> {
        let faults = match self.gathered {
            Ok(inputs) => match with_versions(inputs, versions, self.by_gathered, false) {
                Ok((as_much, faults)) => return Ok(as_much.started(faults)),
                Err(faults) => faults,
            },
            Err(error) => error.to_string(),
        };
        let copy = self.copy.read().and_then(|(_, inputs)| with_versions(inputs, versions, true, true));
        let (as_much, _) = copy.map_err(|why| told(faults.clone(), &self.copy, &why))?;
        let place = self.copy.place.display();
        let says = format!("the settings cannot be used; those of the last good start hold ({place})");
        let started = as_much.started(String::new());
        let says = started.trouble.map_or(says.clone(), |also| format!("{says}; {}", also.says));
        Ok(Started { trouble: Some(Trouble { says, faults }), ..started })
    }
}

fn faults_of(gathered: Result<Inputs, ConfigError>) -> String {
    gathered.map_or_else(|error| error.to_string(), |inputs| read(&inputs).faults.show(&inputs.sources))
}

fn told(faults: String, copy: &LastGood, why: &str) -> ConfigError {
    ConfigError::Told(format!("{faults}\n\nno last good copy can stand in: {}: {why}", copy.place.display()))
}

/// What holds, and what was left out for it.
struct AsMuch {
    config: Config,
    inputs: Inputs,
    made_by: Flat,
    left_out: Vec<String>,
    /// Rules of admission were changed.
    held: bool,
}

impl AsMuch {
    fn started(self, faults: String) -> Started {
        let AsMuch { config, inputs, made_by, left_out, held } = self;
        let says = [
            (!left_out.is_empty())
                .then(|| format!("settings are left out, for with them there are mistakes: {}", left_out.join(", "))),
            held.then(|| "a rule of admission without its profile holds whomever it may be about".to_owned()),
        ];
        let says = says.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let trouble = (!says.is_empty()).then_some(Trouble { says, faults });
        Started { config, inputs, made_by, trouble }
    }
}

/// With all versions, or else with the newest of them left out, one after the other. Beside it every mistake; or these only,
/// where nothing helps. Where the sections that no version can change are wrong, none is to blame. What `ran` already may
/// have names that lead nowhere.
fn with_versions(
    inputs: Inputs,
    versions: &[Layer],
    sections_are_right: bool,
    ran: bool,
) -> Result<(AsMuch, String), String> {
    let inputs = inputs.with_layers(versions);
    let mut all = Faults::default();
    let least = if sections_are_right { 0 } else { versions.len() };
    for count in (least..=versions.len()).rev() {
        let newer = inputs.layers.iter().skip(count).map(|layer| layer.source).collect();
        let (as_much, faults) = as_much_as_holds(inputs.clone(), newer, ran);
        if as_much.is_some() || count == versions.len() {
            faults.iter().for_each(|fault| all.add(fault.clone()));
            all.sort();
        }
        if let Some(as_much) = as_much {
            return Ok((as_much, all.show(&inputs.sources)));
        }
    }
    Err(all.show(&inputs.sources))
}

/// Nothing, where the main file itself is wrong; and each mistake that was met.
fn as_much_as_holds(mut inputs: Inputs, mut bad: BTreeSet<u32>, ran: bool) -> (Option<AsMuch>, Faults) {
    let (mut left_out, mut faults) = (Vec::new(), Faults::default());
    for round in 0..MOST_ROUNDS {
        left_out.extend(names(&inputs, &bad));
        inputs = inputs.without(&bad);
        let reading = read(&inputs);
        reading.faults.iter().for_each(|fault| faults.add(fault.clone()));
        // What leads to something that was left out stays: it does no harm, and whoever wrote it did nothing wrong.
        let may_be_lost = ran || round > 0;
        let fine = !reading.faults.is_cut() && reading.faults.iter().all(|fault| may_be_lost && fault.lost);
        if let Some(mut config) = reading.config.filter(|_| fine) {
            let held = hold_where_the_profile_is_lost(&mut config);
            let made_by = made_once(flat(&reading.root, &inputs.sources));
            return (Some(AsMuch { config, inputs, made_by, left_out, held }), faults);
        }
        match bad_ones(&inputs, &reading.faults) {
            Some(more) => bad = more,
            None => break,
        }
    }
    (None, faults)
}

fn names(inputs: &Inputs, nos: &BTreeSet<u32>) -> Vec<String> {
    nos.iter().filter_map(|no| Some(inputs.sources.get(*no)?.origin.to_string())).collect()
}

/// Nobody can say any more whom such a rule is about. One that refuses would let everybody in if it were left out or were
/// about nobody; so it is about all whom the rest of it fits, and lets none of them in before an administrator does.
fn hold_where_the_profile_is_lost(config: &mut Config) -> bool {
    let Config { admission, profile, .. } = config;
    let mut held = false;
    for rule in admission {
        if rule.profile.take_if(|name| !profile.contains_key(&name.value)).is_some() {
            rule.then = Admission::Hold;
            held = true;
        }
    }
    held
}

/// None where something is wrong that no drop-in and no version has brought.
fn bad_ones(inputs: &Inputs, faults: &Faults) -> Option<BTreeSet<u32>> {
    let drop_ins = inputs.files.get(1..).unwrap_or_default();
    let may_go = [drop_ins, &inputs.shipped, &inputs.meant].concat();
    let may_go = |no: &u32| may_go.contains(no) || inputs.layers.iter().any(|layer| layer.source == *no);
    // A name that leads nowhere may be what follows from the others.
    let first = faults.iter().any(|fault| !fault.lost);
    let told = faults.iter().filter(|fault| !(first && fault.lost));
    let bad: BTreeSet<u32> = told.map(|fault| fault.at.source).collect();
    (!bad.is_empty() && bad.iter().all(may_go)).then_some(bad)
}

/// Where the last good copy is looked for.
struct LastGood {
    place: PathBuf,
    /// Where nobody says where the store lies, another gateway's copy may be there. This one's is of this main file.
    only_of: Option<PathBuf>,
}

impl LastGood {
    /// As far as the settings can be read, they say where the store lies, and the copy lies beside it.
    fn of(main: &Path, root: &Table) -> LastGood {
        let store = root.get("store").and_then(Node::table).and_then(|store| store.get("path")).and_then(Node::text);
        let by_env = || std::env::var(format!("{ENV}STORE{ENV_DOT}PATH")).ok();
        match store.filter(|path| !path.contains("${")).map(str::to_owned).or_else(by_env) {
            Some(store) => LastGood { place: kept::place(Path::new(&store)), only_of: None },
            None => LastGood { place: usual_place(), only_of: Some(main.to_owned()) },
        }
    }

    /// Its sections, and all of it.
    fn read(&self) -> Result<(Config, Inputs), String> {
        let inputs = kept::read(&self.place, std::env::vars()).map_err(|error| error.to_string())?;
        let main = inputs.files.first().and_then(|file| inputs.sources.get(*file)).map(|source| &source.origin);
        if let (Some(ours), Some(Origin::File(main))) = (&self.only_of, main)
            && !is_same(ours, main)
        {
            return Err(format!("it is of another gateway, whose main file is {}", main.display()));
        }
        match sections(&inputs).0 {
            Some(config) if is_same(&kept::place(&config.store.path), &self.place) => Ok((config, inputs)),
            Some(config) => Err(format!("it is of another store, {}", config.store.path.display())),
            None => Err("it has mistakes, too".into()),
        }
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    whole(one) == whole(other)
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
