//! The settings key by key: what holds, where it is from, and what two readings of them differ in.

use super::sections::Config;
use super::{Inputs, read};
use crate::document::tree::key_text;
use crate::document::{At, KeyDoc, Nested, Node, Origin, Section, Sources, Table};
use crate::model::setting::{Difference, Flat, Set};

/// Of what these come to, right or wrong.
pub fn of(inputs: &Inputs) -> Flat {
    flat(&read(inputs).root, &inputs.sources)
}

pub fn flat(root: &Table, sources: &Sources) -> Flat {
    let mut flat = Flat::new();
    add(root, "", Some(Config::KEYS), sources, &mut flat);
    flat
}

/// Tables that are no sections are one value, as lists are. One without keys stands for itself.
fn add(table: &Table, path: &str, keys: Option<&[KeyDoc]>, sources: &Sources, flat: &mut Flat) {
    for (key, node) in &table.0 {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", key_text(&key.text));
        let nested = keys.and_then(|keys| keys.iter().find(|known| known.name == key.text)).map(|known| &known.nested);
        match (nested, node.table()) {
            (Some(Nested::Within(below)), Some(table)) if !table.0.is_empty() => {
                add(table, &path, Some(below().keys), sources, flat);
            }
            (Some(Nested::Named(below)), Some(table)) => {
                for (name, node) in &table.0 {
                    let path = format!("{path}.{}", key_text(&name.text));
                    match node.table().filter(|table| !table.0.is_empty()) {
                        Some(table) => add(table, &path, Some(below().keys), sources, flat),
                        None => drop(flat.insert(path, set(node, sources))),
                    }
                }
            }
            _ => drop(flat.insert(path, set(node, sources))),
        }
    }
}

fn set(node: &Node, sources: &Sources) -> Set {
    Set { value: node.to_string(), origin: origin(node.at, sources) }
}

fn origin(at: At, sources: &Sources) -> String {
    match (sources.origin(at), sources.line(at)) {
        (Some(origin @ Origin::File(_)), Some((line, _, _))) => format!("{origin}:{line}"),
        (Some(origin), _) => origin.to_string(),
        (None, _) => "default".into(),
    }
}

/// Every key of the settings with its default, as if somebody had set it; named tables that are there have theirs too.
pub fn with_defaults(flat: &Flat, root: &Table) -> Flat {
    let mut whole = Flat::new();
    defaults(Some(root), "", Config::KEYS, &mut whole);
    whole.extend(flat.clone());
    whole
}

fn defaults(table: Option<&Table>, path: &str, keys: &[KeyDoc], whole: &mut Flat) {
    for key in keys {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", key.name);
        let below = table.and_then(|table| table.get(key.name)).and_then(|node| node.table());
        match &key.nested {
            // One that may be there need not be: a driver.
            Nested::Within(keys) if !path.contains('.') || below.is_some() => {
                defaults(below, &path, keys().keys, whole);
            }
            Nested::Named(keys) => {
                for (name, node) in below.iter().flat_map(|below| &below.0) {
                    defaults(node.table(), &format!("{path}.{}", key_text(&name.text)), keys().keys, whole);
                }
            }
            Nested::Within(_) | Nested::Several(_) => {}
            Nested::No => {
                if let Some(value) = (key.default)() {
                    whole.insert(path, Set { value, origin: "default".into() });
                }
            }
        }
    }
}

/// In the order of the keys.
pub fn differences(before: &Flat, after: &Flat) -> Vec<Difference> {
    let value = |flat: &Flat, key: &str| flat.get(key).map(|set| set.value.clone());
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = keys.into_iter().filter_map(|key| {
        let (before, after) = (value(before, key), value(after, key));
        (before != after).then(|| Difference { key: key.clone(), before, after })
    });
    differ.collect()
}

/// Keys whose part of the daemon is made once, at the start.
const MADE_AT_THE_START: &[&str] = &[
    "gateway.",
    "store.",
    "journal.",
    "socket.",
    "api.",
    "log.format",
    "clock.",
    "debug.",
    "limits.event_queue",
    "limits.event_batch",
    "limits.asks",
    "limits.connections",
    "limits.streams",
    "limits.stream_memory",
    "limits.body",
    "limits.answer",
    "limits.wait",
    "limits.requests",
    "limits.upstream_requests",
    "limits.stalled",
    "limits.page",
    "limits.metric_labels",
];

pub fn made_once(mut flat: Flat) -> Flat {
    flat.retain(|key, _| at_next_start(key));
    flat
}

/// A change of this key takes hold when the daemon starts anew, and not before.
pub fn at_next_start(key: &str) -> bool {
    MADE_AT_THE_START.iter().any(|begin| key.starts_with(begin))
}
