//! The settings: whether they are right, which hold, what a key means, and to have the daemon read them again.
//!
//! All but `show --running`, `diff` and `reload` need no daemon: they read the files as a start would.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::args::{ChangeArgs, ConfigVerb};
use super::client::Client;
use super::log::log_level;
use super::table::{pairs, print, table, time, width};
use super::{CliError, Exit, print_json};
use crate::config::flat::{flat, with_defaults};
use crate::config::{Config, FOLDERS, Inputs, Reading, load, read, teach};
use crate::document::{At, Fault, Origin, Sources};
use crate::model::layer::{LONGEST_LAYER, Layer, Versions, Wanted};
use crate::model::setting::{Difference, Flat, Reloaded};
use crate::units::show_span;

const AT_ONCE: Duration = Duration::ZERO;
/// Links have some seconds to stop.
const RELOADS_WITHIN: Duration = Duration::from_secs(60);

/// What is wrong with one place, for programs.
#[derive(Serialize)]
struct FaultShown {
    at: String,
    line: usize,
    column: usize,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meant: Option<String>,
    /// Another place that has to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    also: Option<Box<FaultShown>>,
}

#[derive(Serialize)]
struct Checked {
    settings: PathBuf,
    right: bool,
    files: usize,
    faults: Vec<FaultShown>,
    /// What is right and yet not as somebody will want it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

pub fn check(main: &Path, files: &[PathBuf], json: bool) -> Result<Exit, CliError> {
    let mains: BTreeSet<PathBuf> = match files {
        [] => [main.to_owned()].into(),
        files => files.iter().map(|file| main_of(file, main)).collect(),
    };
    let (mut exit, mut checked) = (Exit::Done, Vec::new());
    for of in mains {
        let inputs = gathered(&of)?;
        all_read(files.iter().filter(|file| main_of(file, main) == of), &inputs)?;
        let reading = read(&inputs);
        let right = reading.faults.is_empty();
        exit = if right { exit } else { Exit::Failed };
        if json {
            let faults = reading.faults.iter().map(|fault| shown(fault, &inputs.sources)).collect();
            checked.push(Checked {
                warnings: warnings(&reading),
                settings: of,
                right,
                files: inputs.files.len(),
                faults,
            });
        } else {
            print(&told(&of, &inputs, &reading));
        }
    }
    match &checked[..] {
        [] => {}
        [one] => drop(print_json(one)?),
        several => drop(print_json(&several)?),
    }
    Ok(exit)
}

/// One spelling for each file, from whichever folder it was named. It may be a link itself.
fn spelled(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    folder.zip(path.file_name()).map_or_else(|| path.clone(), |(folder, name)| folder.join(name))
}

/// Somebody who names a file that nobody reads shall not hear that all is right.
fn all_read<'a>(mut files: impl Iterator<Item = &'a PathBuf>, inputs: &Inputs) -> Result<(), CliError> {
    let is_it = |origin: &Origin, file: &Path| matches!(origin, Origin::File(path) if spelled(path) == spelled(file));
    let read = |file: &PathBuf| inputs.sources.iter().any(|(_, source)| is_it(&source.origin, file));
    let Some(file) = files.find(|file| !read(file)) else { return Ok(()) };
    let why = match file.exists() {
        true => "a drop-in ends in .toml and begins with no dot",
        false => "there is no such file",
    };
    Err(CliError::Failed(format!("{} is not read: {why}", file.display())))
}

/// A drop-in is checked with all that it is dropped into: the settings that `--config` names, where it lies beside them.
fn main_of(file: &Path, main: &Path) -> PathBuf {
    let path = spelled(file);
    let folder = path.parent().filter(|folder| FOLDERS.iter().any(|known| folder.ends_with(known)));
    match folder.and_then(Path::parent) {
        Some(beside) if spelled(main).parent() == Some(beside) => main.to_owned(),
        Some(beside) => beside.join("dmgw.toml"),
        None => file.to_owned(),
    }
}

fn gathered(main: &Path) -> Result<Inputs, CliError> {
    Inputs::gather(main, std::env::vars()).map_err(|error| CliError::Failed(error.to_string()))
}

fn warnings(Reading { config, faults, .. }: &Reading) -> Vec<String> {
    config.as_ref().filter(|_| faults.is_empty()).map(load::warnings).unwrap_or_default()
}

fn told(main: &Path, inputs: &Inputs, reading: &Reading) -> String {
    let Reading { config, faults, .. } = reading;
    let files = match inputs.files.len() {
        1 => main.display().to_string(),
        many => format!("{} and {} drop-ins", main.display(), many - 1),
    };
    match config.as_ref().filter(|_| faults.is_empty()) {
        Some(config) => {
            let warned = warnings(reading).into_iter().map(|warning| format!("\nwarning: {warning}"));
            format!("right: {files}; {}{}", counts(config), warned.collect::<String>())
        }
        None => format!("{}\n\n{} in {files}", faults.show(&inputs.sources), faults.count()),
    }
}

fn counts(config: &Config) -> String {
    let of = |(count, what): (usize, &str)| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let counts = [
        (config.link.len(), "link"),
        (config.device.len(), "device"),
        (config.group.len(), "group"),
        (config.profile.len(), "profile"),
        (config.admission.len(), "rule"),
    ];
    counts.map(of).join(", ")
}

fn shown(fault: &Fault, sources: &Sources) -> FaultShown {
    let also = fault.also.as_ref().map(|(at, says)| Box::new(shown_at(*at, says, sources)));
    FaultShown { meant: fault.meant.clone(), also, ..shown_at(fault.at, &fault.says, sources) }
}

fn shown_at(at: At, says: &str, sources: &Sources) -> FaultShown {
    let (line, column, _) = sources.line(at).unwrap_or_default();
    let at = sources.origin(at).map(ToString::to_string).unwrap_or_default();
    FaultShown { at, line, column, says: says.to_owned(), meant: None, also: None }
}

/// `connect`: not everything here needs the daemon.
pub async fn config(
    connect: impl Fn() -> Result<Client, CliError>,
    main: &Path,
    verb: ConfigVerb,
    json: bool,
) -> Result<Exit, CliError> {
    match verb {
        ConfigVerb::Show { key, origin, all, running: false } => {
            show(below(of_files(main, all)?, key.as_deref())?, origin, json)
        }
        ConfigVerb::Show { key, origin, .. } => {
            let running: Flat = connect()?.get("/v1/config", AT_ONCE).await?;
            show(below(running, key.as_deref())?, origin, json)
        }
        ConfigVerb::Diff { from: Some(from), to } => {
            let to = to.unwrap_or(from + 1);
            let differ: Vec<Difference> =
                connect()?.get(&format!("/v1/config/diff?from={from}&to={to}"), AT_ONCE).await?;
            let heads = [format!("VERSION {from}"), format!("VERSION {to}")];
            if json { print_json(&differ) } else { diff(&differ, &heads, "these two versions say the same") }
        }
        ConfigVerb::Diff { from: None, .. } => {
            let differ: Vec<Difference> = connect()?.get("/v1/config/diff", AT_ONCE).await?;
            let heads = ["RUNNING".into(), "FILES".into()];
            if json { print_json(&differ) } else { diff(&differ, &heads, "the daemon runs with what the files say") }
        }
        ConfigVerb::Explain { key } => explain(key.as_deref(), json),
        ConfigVerb::Reload => {
            let reloaded: Reloaded = connect()?.post("/v1/config/reload", &(), RELOADS_WITHIN).await?;
            if json { print_json(&reloaded) } else { told_of_reload(&reloaded) }
        }
        ConfigVerb::Change(change) => {
            let probation = change.confirm_within;
            let reloaded: Reloaded = connect()?.post("/v1/config/change", &wanted(change)?, RELOADS_WITHIN).await?;
            if json {
                return print_json(&reloaded);
            }
            told_of_reload(&reloaded)?;
            if let (Some(within), Some(version)) = (probation, reloaded.version) {
                print(&format!("\nOn probation for {}: dmgw config confirm {version}", show_span(within)));
            }
            Ok(Exit::Done)
        }
        ConfigVerb::Versions => {
            let versions: Versions = connect()?.get("/v1/config/versions", AT_ONCE).await?;
            if json { print_json(&versions) } else { told_of_versions(&versions) }
        }
        ConfigVerb::Confirm { version } => {
            let () = connect()?.post(&format!("/v1/config/confirm/{version}"), &(), AT_ONCE).await?;
            if json {
                return print_json(&serde_json::json!({ "confirmed": version }));
            }
            print(&format!("version {version} stays"));
            Ok(Exit::Done)
        }
        ConfigVerb::LogLevel(asked) => log_level(&connect()?, asked, json).await,
        ConfigVerb::Back { version } => {
            let reloaded: Reloaded =
                connect()?.post(&format!("/v1/config/back/{version}"), &(), RELOADS_WITHIN).await?;
            if json { print_json(&reloaded) } else { told_of_reload(&reloaded) }
        }
    }
}

fn wanted(change: ChangeArgs) -> Result<Wanted, CliError> {
    let ChangeArgs { file, hide, lift, note, confirm_within } = change;
    let text = match file {
        None => String::new(),
        Some(file) if file == Path::new("-") => {
            std::io::read_to_string(std::io::stdin().take(LONGEST_LAYER as u64 + 1))
                .map_err(|error| unreadable(&file, &error))?
        }
        Some(file) => std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?,
    };
    let confirm_within = confirm_within.map(|within| within.as_secs());
    Ok(Wanted { text, hide, lift, note: note.unwrap_or_default(), confirm_within })
}

fn unreadable(file: &Path, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("cannot read {}: {error}", file.display()))
}

fn told_of_versions(Versions { layers, probation, left_out }: &Versions) -> Result<Exit, CliError> {
    if layers.is_empty() {
        print("there are none: all is as the files say");
        return Ok(Exit::Done);
    }
    let row = |layer: &Layer| {
        let on = probation.as_ref().is_some_and(|on| on.version == layer.version);
        let out = left_out.contains(&layer.version);
        let tables = layer.text.lines().filter(|line| line.starts_with('[')).map(str::to_owned);
        let hidden = layer.hide.iter().map(|path| format!("hides {path}"));
        let lifted = layer.lift.iter().map(|path| format!("lifts {path}"));
        let what: Vec<String> = tables
            .chain(hidden)
            .chain(lifted)
            .chain(on.then(|| "on probation".into()))
            .chain(out.then(|| "left out at the start".into()))
            .collect();
        vec![layer.version.to_string(), time(layer.at.wall), layer.by.to_string(), layer.note.clone(), what.join(", ")]
    };
    let rows: Vec<Vec<String>> = layers.iter().map(row).collect();
    print(&table(&["VERSION", "AT", "BY", "NOTE", "WHAT"], &rows, width()));
    Ok(Exit::Done)
}

fn of_files(main: &Path, all: bool) -> Result<Flat, CliError> {
    let inputs = gathered(main)?;
    let reading = read(&inputs);
    if !reading.faults.is_empty() {
        return Err(CliError::Failed(format!("the settings have mistakes:\n{}", reading.faults.show(&inputs.sources))));
    }
    let set = flat(&reading.root, &inputs.sources);
    Ok(if all { with_defaults(&set, &reading.root) } else { set })
}

/// That key, and all below it. Where there is nothing, it must at least be a key.
fn below(flat: Flat, key: Option<&str>) -> Result<Flat, CliError> {
    let Some(key) = key else { return Ok(flat) };
    let is_below = |path: &str| path == key || path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    let found: Flat = flat.into_iter().filter(|(path, _)| is_below(path)).collect();
    if found.is_empty() {
        teach::explain(key).map_err(CliError::Failed)?;
    }
    Ok(found)
}

fn show(flat: Flat, origin: bool, json: bool) -> Result<Exit, CliError> {
    if json {
        return print_json(&flat);
    }
    if flat.is_empty() {
        print("nothing is set here; every key has its default (--all shows them)");
    }
    for (key, set) in &flat {
        let from = if origin { format!("  # {}", set.origin) } else { String::new() };
        print(&format!("{key} = {}{from}", set.value));
    }
    Ok(Exit::Done)
}

fn diff(differ: &[Difference], heads: &[String; 2], nothing: &str) -> Result<Exit, CliError> {
    if differ.is_empty() {
        print(nothing);
        return Ok(Exit::Done);
    }
    let value = |value: &Option<String>| value.clone().unwrap_or("-".into());
    let rows: Vec<Vec<String>> =
        differ.iter().map(|one| vec![one.key.clone(), value(&one.before), value(&one.after)]).collect();
    print(&table(&["KEY", &heads[0], &heads[1]], &rows, width()));
    Ok(Exit::Done)
}

fn explain(key: Option<&str>, json: bool) -> Result<Exit, CliError> {
    type Rows = std::collections::BTreeMap<&'static str, String>;
    let Some(key) = key else {
        if json {
            let explained = |path: &String| Some(teach::explain(path).ok()?.into_iter().collect());
            return print_json(&teach::paths().iter().filter_map(explained).collect::<Vec<Rows>>());
        }
        print(teach::file().trim_end());
        return Ok(Exit::Done);
    };
    let rows = teach::explain(key).map_err(CliError::Failed)?;
    if json {
        return print_json(&rows.into_iter().collect::<Rows>());
    }
    // An example may have several lines.
    let each_line = |(what, text): (&'static str, String)| {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.into_iter().enumerate().map(move |(no, line)| (if no == 0 { what } else { "" }, line))
    };
    print(&pairs(&rows.into_iter().flat_map(each_line).collect::<Vec<_>>(), width()));
    Ok(Exit::Done)
}

fn told_of_reload(reloaded: &Reloaded) -> Result<Exit, CliError> {
    let Reloaded { changed, next_start, covered, refused, version, unsettled } = reloaded;
    diff(changed, &["BEFORE".into(), "NOW".into()], "nothing has changed")?;
    if let Some(version) = version {
        print(&format!("\nThis is version {version}."));
    }
    if *unsettled {
        print("\nThe disk has not taken it yet: it holds, and is kept as soon as it does (`dmgw status` tells why).");
    }
    if !covered.is_empty() {
        print(&format!("\nOf these a version holds, and not the files: {}", covered.join(", ")));
    }
    for why in refused {
        print(&format!("\nNot as the settings say: {why}"));
    }
    if !next_start.is_empty() {
        print(&format!("\nWaits for the next start: {}", next_start.join(", ")));
    }
    Ok(Exit::Done)
}
