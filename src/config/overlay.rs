//! Lays texts over each other: drop-ins beside the main file, the environment over both.
//!
//! A drop-in adds named tables, `[link.NAME]` and the like, templates and variables, and nothing else: what there is only
//! one of stands in the main file. A name that is given twice is a mistake, for nobody could say which one holds.

use super::Config;
use super::gather::{ENV, ENV_DOT, Inputs};
use super::variables::{TEMPLATE, VARIABLE};
use crate::document::section::Below;
use crate::document::{At, Fault, Faults, Key, KeyDoc, Nested, Node, Section, Sources, Table, Val, parse};

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
    match (by_name(known), root.get_mut(&key.text).map(|there| &mut there.val), node.val) {
        (true, Some(Val::Table(there)), Val::Table(more)) => {
            more.0.into_iter().for_each(|(name, node)| add_named(there, &key, name, node, sources, faults));
        }
        // What is no table is told of when the section is read.
        (true, None, val) => drop(root.put(key, Node { val, at: node.at })),
        // The one that is there already is told of when the section is read.
        (true, Some(_), Val::Table(_)) => {}
        (true, Some(_), val) => {
            faults.say(node.at, format!("{} stands where a table is wanted", val.kind()));
        }
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
    Config::KEYS.iter().filter(|key| by_name(key)).map(|key| key.name).collect()
}

fn by_name(key: &KeyDoc) -> bool {
    key.is_named() || [TEMPLATE, VARIABLE].contains(&key.name)
}

/// `DMGW_LIMITS__ASKS=128`, `DMGW_LINK__METERS__EVERY=5s`: for containers, which have no file of their own.
pub fn environment(root: &mut Table, inputs: &Inputs, faults: &mut Faults) {
    for no in &inputs.env {
        let Some(source) = inputs.sources.get(*no) else { continue };
        let node = parse::value(&inputs.sources, *no);
        let name = source.origin.to_string();
        let name = name.trim_start_matches('$').strip_prefix(ENV).unwrap_or_default().to_ascii_lowercase();
        let parts: Vec<&str> = name.split(ENV_DOT).collect();
        if let Err(fault) = set(root, Config::KEYS, &parts, &node, &source.text) {
            // What it holds was meant for somebody else, perhaps, and may be a secret.
            let whole = At { source: *no, start: 0, end: source.text.len() as u32 };
            faults.hide(whole);
            faults.add(Fault { at: whole, ..fault });
        }
    }
}

/// Variables of the environment with one sign too few.
pub fn meant(inputs: &Inputs, faults: &mut Faults) {
    for no in &inputs.meant {
        let name = inputs.sources.get(*no).map(|source| source.origin.to_string()).unwrap_or_default();
        let meant = was_meant(name.trim_start_matches('$')).unwrap_or_default();
        let says = format!("this sets nothing; two signs _ part a section from its key, {meant}");
        faults.say(At { source: *no, start: 0, end: 0 }, says);
    }
}

/// `DMGW_LIMITS__ASKS` of `DMGW_LIMITS_ASKS`. Other names that begin so are somebody else's.
pub fn was_meant(name: &str) -> Option<String> {
    let rest = name.strip_prefix(ENV)?.to_ascii_lowercase();
    let (section, key) = Config::KEYS.iter().find_map(|section| {
        let key = rest.strip_prefix(section.name)?.strip_prefix('_')?;
        let has = |below: &fn() -> Below| below().keys.iter().any(|known| known.name == key);
        let meant = section.name == VARIABLE || matches!(&section.nested, Nested::Within(below) if has(below));
        meant.then_some((section.name, key))
    })?;
    Some(format!("{ENV}{}", [section, key].join(ENV_DOT).to_ascii_uppercase()))
}

/// Or what is wrong with the name.
fn set(table: &mut Table, keys: &[KeyDoc], parts: &[&str], node: &Node, raw: &str) -> Result<(), Fault> {
    let Some((first, rest)) = parts.split_first() else { return Ok(()) };
    let known = keys.iter().find(|known| known.name == *first);
    let known = known.ok_or_else(|| unknown(first, keys.iter().map(|known| known.name)))?;
    let key = Key { text: known.name.to_owned(), at: node.at };
    match (&known.nested, rest) {
        (Nested::Within(below), [_, ..]) => set(table.enter(key), below().keys, rest, node, raw),
        (Nested::Named(below), [name, rest @ ..]) => {
            let named = table.enter(key);
            // It changes what a file names, and names nothing itself: its spelling could not.
            let there = spelled_so(named, name)?.ok_or_else(|| Fault {
                // A version that is not read yet may name it, or a drop-in that was left out.
                lost: true,
                ..unknown(name, named.0.iter().map(|(key, _)| key.text.as_str()))
            })?;
            if rest.is_empty() {
                return Err(a_table(&format!("{first}.{}", there.text)));
            }
            set(named.enter(there), below().keys, rest, node, raw)
        }
        (Nested::No, [name]) if known.name == VARIABLE => {
            let variables = table.enter(key);
            let there = spelled_so(variables, name)?;
            let key = there.unwrap_or_else(|| Key { text: (*name).to_owned(), at: node.at });
            variables.put(key, text(node, raw));
            Ok(())
        }
        (Nested::No, []) => {
            table.put(key, if takes_text(known) { text(node, raw) } else { node.clone() });
            Ok(())
        }
        (Nested::No, [name, ..]) => Err(unknown(name, [])),
        (Nested::Several(_), _) => Err(Fault::new(node.at, format!("{first} stands in the main file only"))),
        (_, []) => Err(a_table(first)),
    }
}

fn unknown<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Fault {
    let says = format!("no setting is called so: {wrong:?} is unknown here");
    Fault::new(At::NOWHERE, says).meant(wrong, right)
}

fn a_table(name: &str) -> Fault {
    Fault::new(At::NOWHERE, format!("{name} is a table; write which key of it is meant, after {ENV_DOT}"))
}

/// The name in a table of names that a variable of the environment can only mean.
fn spelled_so(table: &Table, name: &str) -> Result<Option<Key>, Fault> {
    let same = |known: &&Key| known.text.to_ascii_lowercase().replace('-', "_") == name;
    let mut there = table.0.iter().map(|(key, _)| key).filter(same);
    match (there.next(), there.next()) {
        (Some(one), Some(other)) => {
            let says = format!("this may mean {} or {}; set it in a file, or rename one of them", one.text, other.text);
            Err(Fault::new(At::NOWHERE, says))
        }
        (one, _) => Ok(one.cloned()),
    }
}

/// One whose default or example is a text: what looks like a number is a text there too.
fn takes_text(key: &KeyDoc) -> bool {
    let shown = key.example.map(str::to_owned).or_else(key.default);
    shown.is_some_and(|shown| shown.starts_with('"'))
}

fn text(node: &Node, raw: &str) -> Node {
    match node.val {
        Val::Text(_) => node.clone(),
        _ => Node { val: Val::Text(raw.to_owned()), at: node.at },
    }
}
