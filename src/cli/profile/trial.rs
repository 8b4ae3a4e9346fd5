//! Profiles held against the examples beside them, line by line.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{All, add, all, failed};
use crate::cli::table::print;
use crate::cli::{CliError, Exit, print_json};
use crate::config::Inputs;
use crate::config::gather::EXAMPLE;
use crate::document::{Faults, Origin, Sources};
use crate::profile::example::{self, Tried};

#[derive(Serialize)]
struct Line {
    file: String,
    line: usize,
    what: String,
    fine: bool,
    wrong: Option<String>,
}

pub fn test(what: &str, config: &Path, json: bool) -> Result<Exit, CliError> {
    let (all, names) = meant(what, config)?;
    let profiles = &all.config()?.profile;
    let mut lines = Vec::new();
    for (name, beside) in names {
        let path = beside.with_file_name(format!("{name}{EXAMPLE}"));
        let (mut sources, mut faults) = (Sources::default(), Faults::default());
        if !path.exists() {
            let says = format!("the profile {name} has no example: there is no {}", path.display());
            return Err(CliError::Failed(says));
        }
        let source = add(&mut sources, &path)?;
        let Some((example, root)) = example::read(&sources, source, &mut faults).filter(|_| faults.is_empty()) else {
            return Err(CliError::Failed(format!("the example is not right:\n\n{}", faults.show(&sources))));
        };
        lines.extend(example::run(&example, &root, profiles).into_iter().map(|tried| line(&path, &sources, tried)));
    }
    told(&lines, json)
}

/// The profiles that are meant, each with its file.
fn meant(what: &str, config: &Path) -> Result<(All, Vec<(String, PathBuf)>), CliError> {
    let path = PathBuf::from(what);
    let is_file = what.ends_with(".toml") || what.contains('/');
    let all = if is_file {
        All::new(Inputs::profiles(std::slice::from_ref(&path), std::env::vars()).map_err(failed)?)
    } else {
        all(config)?
    };
    all.config()?;
    let file = |no: u32| match all.inputs.sources.get(no).map(|source| &source.origin) {
        Some(Origin::File(path)) => Some(path.clone()),
        _ => None,
    };
    let rows = all.profiles().into_iter().flat_map(|profiles| &profiles.0);
    let all_of = rows.filter_map(|(key, _)| Some((key.text.clone(), file(key.at.source)?)));
    let names: Vec<_> = all_of.filter(|(name, file)| if is_file { *file == path } else { name == what }).collect();
    match names.is_empty() {
        true if is_file => Err(CliError::Failed(format!("{what} holds no profile"))),
        true => Err(all.unknown(what)),
        false => Ok((all, names)),
    }
}

fn line(path: &Path, sources: &Sources, tried: Tried) -> Line {
    let Tried { at, what, wrong } = tried;
    let line = sources.line(at).map_or(0, |(line, ..)| line);
    Line { file: path.display().to_string(), line, what, fine: wrong.is_none(), wrong }
}

fn told(lines: &[Line], json: bool) -> Result<Exit, CliError> {
    let failed = lines.iter().filter(|line| !line.fine).count();
    let exit = if failed == 0 { Exit::Done } else { Exit::Failed };
    if json {
        return print_json(&lines).map(|_| exit);
    }
    for Line { file, line, what, wrong, .. } in lines {
        match wrong {
            None => print(&format!("ok    {file}:{line}: {what}")),
            Some(wrong) => print(&format!("FAIL  {file}:{line}: {what}; {wrong}")),
        }
    }
    print(&format!("{} tried, {failed} not as expected", lines.len()));
    Ok(exit)
}
