//! Layers over the files: what each version says, what holds of all of them, and how to go back to one.

use std::collections::{BTreeMap, BTreeSet};

use super::Config;
use super::gather::Inputs;
use crate::document::tree::key_text;
use crate::document::{Faults, Node, Origin, Section, Sources, Table, Val, parse};
use crate::model::Name;
use crate::model::layer::{LARGEST_SUM, LONGEST_LAYER, LONGEST_NOTE, Layer, MOST_LAYERS, Wanted};
use crate::model::now::Now;
use crate::nearest::nearest;

/// `link.meters`: what is replaced as a whole.
pub type Path = (String, String);

/// What a layer says of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// It is this.
    Is(crate::document::Key, Node),
    /// It is not there, whatever the files say.
    Hidden,
}

/// A version whose text stands among the sources.
#[derive(Clone)]
pub struct Layered {
    pub version: u64,
    pub source: u32,
    pub hide: Vec<String>,
    pub lift: Vec<String>,
}

impl Inputs {
    /// With these versions over the files, in their order.
    pub fn with_layers(mut self, layers: &[Layer]) -> Inputs {
        self.layers = layers
            .iter()
            .map(|layer| {
                let origin = Origin::Layer { version: layer.version, by: layer.by.to_string() };
                let source = self.sources.add(origin, layer.text.clone());
                Layered { version: layer.version, source, hide: layer.hide.clone(), lift: layer.lift.clone() }
            })
            .collect();
        self
    }
}

/// What holds of all versions: the last one that speaks of a table.
pub fn fold(layers: &[Layered], sources: &Sources, faults: &mut Faults) -> BTreeMap<Path, Says> {
    let mut held = BTreeMap::new();
    for layer in layers {
        layer.lift.iter().filter_map(|path| split(path)).for_each(|path| drop(held.remove(&path)));
        layer.hide.iter().filter_map(|path| split(path)).for_each(|path| drop(held.insert(path, Says::Hidden)));
        for (of, node) in parse::parse(sources, layer.source, faults).0 {
            match (is_named(&of.text), node.val) {
                (true, Val::Table(tables)) => {
                    for (name, node) in tables.0 {
                        held.insert((of.text.clone(), name.text.clone()), Says::Is(name, node));
                    }
                }
                _ => faults.say(of.at, format!("only whole named tables can be changed here: {}", named().join(", "))),
            }
        }
    }
    held
}

/// Puts what holds over the files. Gives back the tables of the files that it covers.
pub fn lay_over(root: &mut Table, held: BTreeMap<Path, Says>) -> Vec<String> {
    let mut covered = Vec::new();
    for ((of, name), says) in held {
        let there = root.get_mut(&of).and_then(Node::table_mut);
        let before = match says {
            Says::Hidden => there.and_then(|tables| tables.remove(&name)),
            Says::Is(key, node) => {
                let at = key.at;
                root.enter(crate::document::Key { text: of.clone(), at }).put(key, node)
            }
        };
        if before.is_some() {
            covered.push(shown(&of, &name));
        }
    }
    covered
}

pub fn shown(of: &str, name: &str) -> String {
    format!("{of}.{}", key_text(name))
}

/// The name may be quoted, as TOML has it.
fn split(path: &str) -> Option<Path> {
    let (of, name) = path.split_once('.')?;
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    Some((of.to_owned(), name.to_owned()))
}

pub fn is_named(key: &str) -> bool {
    Config::KEYS.iter().any(|known| known.name == key && known.is_named())
}

fn named() -> Vec<&'static str> {
    Config::KEYS.iter().filter(|key| key.is_named()).map(|key| key.name).collect()
}

/// The next version, if what is wanted can be one.
pub fn next(layers: &[Layer], wanted: &Wanted, by: &Name, now: &Now) -> Result<Layer, String> {
    let Wanted { text, hide, lift, note, .. } = wanted;
    if text.trim().is_empty() && hide.is_empty() && lift.is_empty() {
        return Err("nothing is to be otherwise: give tables, or name some to hide or to lift".into());
    }
    if text.len() > LONGEST_LAYER {
        return Err(format!("a change has at most {LONGEST_LAYER} bytes; this one has {}", text.len()));
    }
    if note.len() > LONGEST_NOTE || note.chars().any(char::is_control) {
        return Err(format!("a note has at most {LONGEST_NOTE} bytes and no control characters"));
    }
    hide.iter().chain(lift).try_for_each(|path| is_path(path))?;
    let spoken_of: Vec<String> = standing(layers).into_keys().map(|(of, name)| shown(&of, &name)).collect();
    for path in lift {
        is_among(path, &spoken_of, "no version speaks of")?;
    }
    let version = layers.last().map_or(0, |last| last.version) + 1;
    let (text, hide, lift, note) = (text.clone(), hide.clone(), lift.clone(), note.clone());
    let next = Layer { version, at: *now, by: by.clone(), note, text, hide, lift };
    let size = |says: Says| if let Says::Is(_, node) = says { node.to_string().len() } else { 0 };
    let all: Vec<Layer> = layers.iter().chain([&next]).cloned().collect();
    match standing(&all).into_values().map(size).sum() {
        0..=LARGEST_SUM => Ok(next),
        bytes => Err(format!(
            "versions would hold tables of {bytes} bytes; {LARGEST_SUM} at most: write what stays into the files, and lift it"
        )),
    }
}

fn is_path(path: &str) -> Result<(), String> {
    match split(path) {
        Some((of, name)) if is_named(&of) && Name::new(&name).is_ok() => Ok(()),
        _ => {
            let of = path.split('.').next().unwrap_or_default();
            let near = nearest(of, named()).filter(|near| *near != of);
            let meant = near.map_or_else(String::new, |near| format!(". Did you mean {near:?}?"));
            Err(format!("{path:?} is no named table; write it as {}.NAME{meant}", near.unwrap_or(of)))
        }
    }
}

/// Nothing can be hidden that is not there. `root`: all that holds before the change.
pub fn can_be_hidden(hide: &[String], root: &Table) -> Result<(), String> {
    let tables = root.0.iter().filter(|(of, _)| is_named(&of.text)).filter_map(|(of, node)| Some((of, node.table()?)));
    let there = tables.flat_map(|(of, table)| table.0.iter().map(|(name, _)| shown(&of.text, &name.text)));
    let there: Vec<String> = there.collect();
    hide.iter().try_for_each(|path| is_among(path, &there, "there is no"))
}

fn is_among(path: &str, known: &[String], says: &str) -> Result<(), String> {
    let spelled = split(path).map(|(of, name)| shown(&of, &name)).unwrap_or_default();
    if known.contains(&spelled) {
        return Ok(());
    }
    let meant = nearest(&spelled, known.iter().map(String::as_str));
    Err(format!("{says} {spelled}{}", meant.map_or_else(String::new, |near| format!(". Did you mean {near:?}?"))))
}

/// A further version with which all is as it was with that one; 0: as the files say.
pub fn back_to(layers: &[Layer], version: u64, by: &Name, now: &Now, note: &str) -> Result<Layer, String> {
    let last = layers.last().map_or(0, |last| last.version);
    let kept = |layer: &Layer| layer.version == version;
    if version != 0 && !layers.iter().any(kept) {
        return Err(no_version(layers, version));
    }
    let (before, after) = layers.split_at(layers.partition_point(|layer| layer.version <= version));
    let was = standing(before);
    let touched: BTreeSet<Path> = standing_paths(after);
    let (mut text, mut hide, mut lift) = (String::new(), Vec::new(), Vec::new());
    for (of, name) in touched {
        match was.get(&(of.clone(), name.clone())) {
            Some(Says::Is(_, node)) => text.push_str(&format!("{of}.{} = {node}\n", key_text(&name))),
            Some(Says::Hidden) => hide.push(shown(&of, &name)),
            None => lift.push(shown(&of, &name)),
        }
    }
    Ok(Layer { version: last + 1, at: *now, by: by.clone(), note: note.to_owned(), text, hide, lift })
}

pub fn no_version(layers: &[Layer], version: u64) -> String {
    let known: Vec<String> = layers.iter().map(|layer| format!(", {}", layer.version)).collect();
    format!("there is no version {version}; there are 0 (the files){}", known.concat())
}

fn standing(layers: &[Layer]) -> BTreeMap<Path, Says> {
    let inputs = Inputs::default().with_layers(layers);
    fold(&inputs.layers, &inputs.sources, &mut Faults::default())
}

/// Every table that one of them speaks of.
fn standing_paths(layers: &[Layer]) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    for layer in layers {
        let one = std::slice::from_ref(layer);
        paths.extend(standing(one).into_keys());
        paths.extend(layer.lift.iter().filter_map(|path| split(path)));
    }
    paths
}

/// Where there are too many: the two oldest as one, under the later one's number. The first is to be forgotten.
pub fn folded(layers: &[Layer]) -> Option<(u64, Layer)> {
    let [first, second, ..] = layers else { return None };
    if layers.len() <= MOST_LAYERS {
        return None;
    }
    let (mut text, mut hide) = (String::new(), Vec::new());
    for ((of, name), says) in standing(&[first.clone(), second.clone()]) {
        match says {
            Says::Is(_, node) => text.push_str(&format!("{of}.{} = {node}\n", key_text(&name))),
            Says::Hidden => hide.push(shown(&of, &name)),
        }
    }
    Some((first.version, Layer { text, hide, lift: Vec::new(), ..second.clone() }))
}

#[cfg(test)]
mod tests;
