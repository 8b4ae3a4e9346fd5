//! Profiles, as files: which there are, what one comes to, whether it is right, and whether it does what its author
//! expects. No daemon is needed.

mod shown;
mod trial;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::ProfileVerb;
use super::client::Client;
use super::pages::{self, after};
use super::table::{print, table, width};
use super::{CliError, Exit, print_json};
use crate::api::groups::KindsShown;
use crate::config::gather::EXAMPLE;
use crate::config::{Config, ConfigError, DEFAULT_PATH, Inputs, Reading, read};
use crate::document::{Fault, Faults, Node, Origin, Sources, Table, parse};
use crate::nearest::nearest;
use crate::profile::example;

pub fn profile(what: &ProfileVerb, config: &Path, json: bool) -> Result<Exit, CliError> {
    match what {
        ProfileVerb::List { .. } => list(&all(config)?, json),
        ProfileVerb::Show { name, origin } => shown::show(&all(config)?, name, *origin, json),
        ProfileVerb::Check { files } => check(files, json),
        ProfileVerb::Test { what } => trial::test(what, config, json),
    }
}

/// All that was read, and what came of it.
struct All {
    inputs: Inputs,
    reading: Reading,
}

impl All {
    fn new(inputs: Inputs) -> All {
        let reading = read(&inputs);
        All { inputs, reading }
    }

    /// None of it may be wrong.
    fn config(&self) -> Result<&Config, CliError> {
        let fine = self.reading.config.as_ref().filter(|_| self.reading.faults.is_empty());
        fine.ok_or_else(|| {
            CliError::Failed(format!("not right:\n\n{}", self.reading.faults.show(&self.inputs.sources)))
        })
    }

    fn profiles(&self) -> Option<&Table> {
        self.reading.root.get("profile").and_then(Node::table)
    }

    fn unknown(&self, name: &str) -> CliError {
        let names = self.profiles().into_iter().flat_map(|profiles| &profiles.0).map(|(key, _)| key.text.as_str());
        let hint = match nearest(name, names) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => "dmgw profile list tells which there are".into(),
        };
        CliError::Usage { says: format!("there is no profile {name:?}"), hint }
    }
}

/// What the settings hold. Where nobody has written any, what is shipped.
fn all(config: &Path) -> Result<All, CliError> {
    let inputs = match Inputs::gather(config, std::env::vars()) {
        Err(ConfigError::Read { source, .. })
            if config == Path::new(DEFAULT_PATH) && source.kind() == ErrorKind::NotFound =>
        {
            Inputs::profiles(&[], std::env::vars())
        }
        gathered => gathered,
    };
    Ok(All::new(inputs.map_err(failed)?))
}

/// The settings; where there are none, or they are not right, what comes with this program alone, and why.
pub fn settings(config: &Path) -> Result<(Config, Option<String>), CliError> {
    let why = match all(config) {
        Ok(All { reading: Reading { config: Some(config), faults, .. }, .. }) if faults.is_empty() => {
            return Ok((config, None));
        }
        Ok(_) => format!("{} is not right: dmgw check tells why", config.display()),
        Err(error) => error.to_string(),
    };
    let shipped = All::new(Inputs::profiles(&[], std::env::vars()).map_err(failed)?);
    let config = shipped.reading.config.ok_or_else(|| CliError::Failed(why.clone()))?;
    Ok((config, Some(why)))
}

fn failed(error: ConfigError) -> CliError {
    CliError::Failed(error.to_string())
}

/// Those that the daemon holds.
pub async fn running(client: &Client, json: bool) -> Result<Exit, CliError> {
    let found = held(client).await?;
    if json {
        return print_json(&found);
    }
    if found.profiles.is_empty() {
        print("the daemon holds no profile; dmgw profile list shows those of the settings and of this program");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> =
        found.profiles.iter().map(|of| vec![of.name.to_string(), of.devices.to_string()]).collect();
    print(&table(&["NAME", "DEVICES"], &rows, width()));
    Ok(Exit::Done)
}

pub async fn held(client: &Client) -> Result<KindsShown, CliError> {
    let of = |page: KindsShown| (page.profiles, after(page.after));
    Ok(KindsShown { profiles: pages::all(client, "profiles", "/v1/profiles", of).await?, after: None })
}

#[derive(Serialize)]
struct Listed {
    name: String,
    version: Option<String>,
    title: Option<String>,
    file: Option<String>,
    shipped: bool,
    /// A shipped one of the same name, which does not count.
    covers: Option<String>,
}

fn list(all: &All, json: bool) -> Result<Exit, CliError> {
    let config = all.config()?;
    let rows: Vec<Listed> = config.profile.keys().filter_map(|name| listed(all, name.as_str())).collect();
    if json {
        return print_json(&rows);
    }
    let row = |row: &Listed| {
        let whose = match (row.shipped, &row.covers) {
            (true, _) => String::from("shipped"),
            (false, None) => "own".into(),
            (false, Some(_)) => "own, covers".into(),
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![row.name.clone(), text(&row.version), whose, text(&row.title), text(&row.file)]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    print(&table(&["NAME", "VERSION", "WHOSE", "TITLE", "FILE"], &rows, width()));
    Ok(Exit::Done)
}

fn listed(all: &All, name: &str) -> Option<Listed> {
    let (key, node) = all.profiles()?.find(name)?;
    let text = |of: &str| node.table()?.get(of)?.text().map(str::to_owned);
    let shipped = all.inputs.is_shipped(key.at);
    let covers = all.inputs.shipped.iter().filter(|_| !shipped).find(|file| holds(&all.inputs.sources, **file, name));
    let origin = |no: u32| all.inputs.sources.get(no).map(|source| source.origin.to_string());
    Some(Listed {
        name: name.to_owned(),
        version: text("version"),
        title: text("title"),
        file: origin(key.at.source),
        shipped,
        covers: covers.and_then(|file| origin(*file)),
    })
}

fn holds(sources: &Sources, file: u32, name: &str) -> bool {
    let root = parse::parse(sources, file, &mut Faults::default());
    root.get("profile").and_then(Node::table).is_some_and(|profiles| profiles.get(name).is_some())
}

#[derive(Serialize)]
struct Wrong {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    says: String,
    meant: Option<String>,
}

fn check(files: &[PathBuf], json: bool) -> Result<Exit, CliError> {
    let is_example = |path: &&PathBuf| path.to_string_lossy().ends_with(EXAMPLE);
    let profiles: Vec<PathBuf> = files.iter().filter(|path| !is_example(path)).cloned().collect();
    let All { mut inputs, reading: Reading { mut faults, .. } } =
        All::new(Inputs::profiles(&profiles, std::env::vars()).map_err(failed)?);
    for path in files.iter().filter(is_example) {
        let source = add(&mut inputs.sources, path)?;
        example::read(&inputs.sources, source, &mut faults);
    }
    let wrong: Vec<Wrong> = faults.iter().map(|fault| wrong(fault, &inputs.sources)).collect();
    if json {
        print_json(&serde_json::json!({ "faults": wrong }))?;
    } else if faults.is_empty() {
        print(&format!("nothing is wrong in {} file{}", files.len(), if files.len() == 1 { "" } else { "s" }));
    } else {
        print(&faults.show(&inputs.sources));
    }
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Failed })
}

fn add(sources: &mut Sources, path: &Path) -> Result<u32, CliError> {
    let text = crate::config::gather::read_text(path).map_err(failed)?;
    Ok(sources.add(Origin::File(path.to_owned()), text))
}

fn wrong(fault: &Fault, sources: &Sources) -> Wrong {
    let place = sources.line(fault.at);
    Wrong {
        file: sources.origin(fault.at).map(ToString::to_string),
        line: place.map(|(line, ..)| line),
        column: place.map(|(_, column, _)| column),
        says: fault.says.clone(),
        meant: fault.meant.clone(),
    }
}
