//! From texts to settings: parse each, lay them over each other, put templates and variables in, read the sections,
//! check the whole.

use super::gather::Inputs;
use super::{Config, checks, layers, overlay, variables};
use crate::document::{At, Faults, Nested, Section, Table, parse};
use crate::profile::inherit;

/// What came out. Where a key is wrong, `config` has its default in that place, so that the whole can be checked: it is
/// worth nothing while there are faults.
pub struct Reading {
    pub config: Option<Config>,
    /// All that was written, as it holds: each value with its place.
    pub root: Table,
    pub faults: Faults,
    /// Tables of the files over which a layer holds.
    pub covered: Vec<String>,
}

pub fn read(inputs: &Inputs) -> Reading {
    let (sources, mut faults) = (&inputs.sources, Faults::default());
    inputs.unread.iter().for_each(|(file, why)| faults.say(At { source: *file, start: 0, end: 0 }, why.as_str()));
    let files = inputs.files.iter().map(|file| (*file, parse::parse(sources, *file, &mut faults)));
    let files: Vec<(u32, Table)> = files.collect();
    let mut root = overlay::files(files, sources, &mut faults);
    overlay::shipped(&mut root, inputs, &mut faults);
    let held = layers::fold(&inputs.layers, sources, &mut faults);
    let covered = layers::lay_over(&mut root, held);
    overlay::environment(&mut root, inputs, &mut faults);
    overlay::meant(inputs, &mut faults);
    variables::only_plain(&root, &mut faults);
    let mut made = variables::Made::default();
    variables::templates(&mut root, &mut made, &mut faults);
    inherit::inherit(&mut root, &mut faults);
    variables::put_in(&mut root, sources, &mut made, &mut faults);
    faults.tree_is_made();
    // What was cut off in the middle has mistakes that nobody made.
    let config = if made.is_too_much() { None } else { Config::read(&root, main_of(inputs), &mut faults) };
    if let Some(config) = &config {
        checks::check(config, &root, &mut faults);
    }
    faults.settle(sources);
    Reading { config, root, faults, covered }
}

/// The sections of which there is one each, as far as `inputs` say them: no version and no bad drop-in can change them, so
/// they hold before the rest is read. None, where one of them is wrong.
pub fn sections(inputs: &Inputs) -> (Option<Config>, Table) {
    let (sources, mut faults, mut of_the_rest) = (&inputs.sources, Faults::default(), Faults::default());
    let mut files = Vec::new();
    for file in &inputs.files {
        let faults = if files.is_empty() { &mut faults } else { &mut of_the_rest };
        files.push((*file, parse::parse(sources, *file, faults)));
    }
    let mut root = overlay::files(files, sources, &mut of_the_rest);
    overlay::environment(&mut root, inputs, &mut faults);
    let is_section = |name: &str| Config::KEYS.iter().any(|k| k.name == name && matches!(k.nested, Nested::Within(_)));
    root.0.retain(|(key, _)| is_section(&key.text) || key.text == variables::VARIABLE);
    variables::put_in(&mut root, sources, &mut variables::Made::default(), &mut faults);
    root.remove(variables::VARIABLE);
    let config = Config::read(&root, main_of(inputs), &mut faults);
    // What the environment names may be a table of a version.
    (config.filter(|_| faults.iter().all(|fault| fault.lost)), root)
}

fn main_of(inputs: &Inputs) -> At {
    inputs.files.first().map_or(At::NOWHERE, |file| At { source: *file, start: 0, end: 0 })
}
