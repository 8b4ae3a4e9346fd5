//! Lays texts over each other: drop-ins beside the main file, the environment over both.
//!
//! A drop-in adds named tables, `[link.NAME]` and the like, and nothing else: what there is only one of stands in the
//! main file. A name that is given twice is a mistake, for nobody could say which one holds.

use super::Config;
use super::gather::{ENV, ENV_DOT, Inputs};
use crate::document::{Fault, Faults, Key, KeyDoc, Nested, Node, Section, Sources, Table, Val, parse};

const PROFILE: &str = "profile";

pub fn files(files: Vec<(u32, Table)>, sources: &Sources, faults: &mut Faults) -> Table {
    let mut files = files.into_iter().map(|(_, table)| table);
    let mut root = files.next().unwrap_or_default();
    for table in files {
        for (key, node) in table.0 {
            add(&mut root, key, node, sources, faults);
        }
    }
    root
}

fn add(root: &mut Table, key: Key, node: Node, sources: &Sources, faults: &mut Faults) {
    let Some(known) = Config::KEYS.iter().find(|known| known.name == key.text) else {
        let names = drop_in_keys();
        let says = format!("unknown key {:?}; a drop-in holds {}", key.text, names.join(", "));
        return faults.add(Fault::new(key.at, says).meant(&key.text, names));
    };
    match (&known.nested, root.get_mut(&key.text).map(|there| &mut there.val), node.val) {
        (Nested::Named(_), Some(Val::Table(there)), Val::Table(more)) => {
            more.0.into_iter().for_each(|(name, node)| add_named(there, &key, name, node, sources, faults));
        }
        // What is no table is told of when the section is read.
        (Nested::Named(_), None, val) => drop(root.put(key, Node { val, at: node.at })),
        (Nested::Named(_), Some(_), _) => {}
        _ => {
            let says =
                format!("{} stands in the main file only; a drop-in holds {}", key.text, drop_in_keys().join(", "));
            faults.say(key.at, says);
        }
    }
}

fn add_named(there: &mut Table, of: &Key, name: Key, node: Node, sources: &Sources, faults: &mut Faults) {
    let Some((first, _)) = there.find(&name.text) else {
        there.put(name, node);
        return;
    };
    let again = sources.origin(first.at).is_some_and(|origin| Some(origin) == sources.origin(name.at));
    let says = format!("{} {} is there twice{}", of.text, name.text, if again { "" } else { ", in two files" });
    faults.add(Fault::new(name.at, says).also(first.at, "it is here first"));
}

/// Profiles that came with the program. One that the owner wrote stands in the place of theirs.
pub fn shipped(root: &mut Table, inputs: &Inputs, faults: &mut Faults) {
    for file in &inputs.shipped {
        for (key, node) in parse::parse(&inputs.sources, *file, faults).0 {
            match node.val {
                Val::Table(profiles) if key.text == PROFILE => {
                    let there = root.enter(key.clone());
                    for (name, node) in profiles.0 {
                        let of_owner = there.find(&name.text).is_some_and(|(first, _)| !inputs.is_shipped(first.at));
                        if !of_owner {
                            add_named(there, &key, name, node, &inputs.sources, faults);
                        }
                    }
                }
                _ => faults.say(key.at, "a shipped file holds profiles only, [profile.NAME]"),
            }
        }
    }
}

/// What may be named in a drop-in.
fn drop_in_keys() -> Vec<&'static str> {
    Config::KEYS.iter().filter(|key| matches!(key.nested, Nested::Named(_))).map(|key| key.name).collect()
}

/// `DMGW_LIMITS__ASKS=128`, `DMGW_LINK__METERS__EVERY=5s`: for containers, which have no file of their own.
pub fn environment(root: &mut Table, inputs: &Inputs, faults: &mut Faults) {
    for no in &inputs.env {
        let Some(source) = inputs.sources.get(*no) else { continue };
        let node = parse::value(&inputs.sources, *no);
        let name = source.origin.to_string();
        let name = name.trim_start_matches('$').strip_prefix(ENV).unwrap_or_default().to_ascii_lowercase();
        let parts: Vec<&str> = name.split(ENV_DOT).collect();
        if let Err((wrong, right)) = set(root, Config::KEYS, &parts, &node) {
            let says = format!("no setting is called so: {wrong:?} is unknown here");
            faults.add(Fault::new(node.at, says).meant(wrong, right.iter().map(String::as_str)));
        }
    }
}

/// Or the part that is unknown, and those that would be right.
fn set<'a>(table: &mut Table, keys: &[KeyDoc], parts: &[&'a str], node: &Node) -> Result<(), (&'a str, Vec<String>)> {
    let Some((first, rest)) = parts.split_first() else { return Ok(()) };
    let known = keys.iter().find(|known| known.name == *first);
    let known = known.ok_or_else(|| (*first, keys.iter().map(|known| known.name.to_owned()).collect()))?;
    let key = Key { text: known.name.to_owned(), at: node.at };
    match (&known.nested, rest) {
        (Nested::Within(below), [_, ..]) => set(table.enter(key), below().keys, rest, node),
        (Nested::Named(below), [name, rest @ ..]) if !rest.is_empty() => {
            let named = table.enter(key);
            let same = |(known, _): &&(Key, Node)| known.text.to_ascii_lowercase().replace('-', "_") == *name;
            // It changes what a file names, and names nothing itself: its spelling could not.
            let there = named.0.iter().find(same).map(|(key, _)| key.clone());
            let there = there.ok_or_else(|| (*name, named.0.iter().map(|(key, _)| key.text.clone()).collect()))?;
            set(named.enter(there), below().keys, rest, node)
        }
        (Nested::No, []) => {
            table.put(key, node.clone());
            Ok(())
        }
        (_, wrong) => Err((wrong.first().unwrap_or(first), Vec::new())),
    }
}
