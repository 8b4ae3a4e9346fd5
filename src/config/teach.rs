//! Teaches the settings: the file with every key, its default and its reason, and the explanation of one of them.

use super::sections::Config;
use crate::document::section::Below;
use crate::document::{KeyDoc, Nested, Section};
use crate::nearest::nearest;

const INTRODUCTION: &str = "\
# dmgw: the settings of this gateway.
#
# Lines that begin with # and a key show the default, or an example where there is none: take the # away to change one.
# Lines that begin with # and a space explain. An unknown key is an error that names the place; nothing is guessed.
# Spans of time are \"250ms\", \"30s\", \"5m\", \"2h\" or \"7d\"; sizes are \"512B\", \"64KiB\", \"64MiB\" or \"1GiB\".
#
# Files that end in .toml in links.d, devices.d, policies.d and profiles.d beside this one hold further named tables,
# [link.NAME] and the like, templates and variables. `dmgw check` looks whether all of it is right. In a container, a
# variable of the environment changes a key: DMGW_LIMITS__ASKS=128, DMGW_LINK__METERS__EVERY=5s.
";

const WIDTH: usize = 120;

/// A link has one driver: each further one is shown on a link of its own.
const OF_ANOTHER: [(&str, &str); 3] =
    [("own", "link.gateway"), ("modbus-tcp", "link.yard"), ("modbus-rtu", "link.meters")];

/// `config/dmgw.toml`.
pub fn file() -> String {
    let mut text = INTRODUCTION.to_owned();
    for key in Config::KEYS {
        match &key.nested {
            Nested::Within(below) => section(&mut text, &format!("[{}]", key.name), &below()),
            Nested::Named(below) => section(&mut text, &format!("[{}.{}]", key.name, example(key)), &below()),
            Nested::Several(below) => section(&mut text, &format!("[[{}]]", key.name), &below()),
            Nested::No => {
                let [doc, example] = [comment(key.doc), example(key).replace('\n', "\n#")];
                text.push_str(&format!("\n{doc}#[{}]\n#{example}\n", key.name));
            }
        }
    }
    text
}

fn example(key: &KeyDoc) -> &'static str {
    key.example.unwrap_or("NAME")
}

fn section(text: &mut String, header: &str, below: &Below) {
    text.push_str(&format!("\n{}#{header}\n", comment(below.doc)));
    // What lies below is shown on one line where it has an example.
    let on_one_line = |key: &&KeyDoc| matches!(key.nested, Nested::No) || key.example.is_some();
    for key in below.keys.iter().filter(on_one_line) {
        text.push_str(&comment(key.doc));
        let value = key.example.map(str::to_owned).or_else(key.default);
        text.push_str(&format!("#{} = {}\n", key.name, value.unwrap_or_default()));
    }
    let name = header.trim_matches(['[', ']']);
    for key in below.keys.iter().filter(|key| key.example.is_none()) {
        if let Nested::Within(below) = key.nested {
            let name = OF_ANOTHER.iter().find(|(driver, _)| *driver == key.name).map_or(name, |(_, link)| *link);
            section(text, &format!("[{name}.{}]", key.name), &below());
        }
    }
}

fn plain(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The words anew in lines of comment.
fn comment(doc: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in plain(doc).split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line + 1 + word.chars().count() > WIDTH {
            lines.push(String::from("#"));
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&format!(" {word}"));
        }
    }
    lines.iter().filter(|line| line.as_str() != "#").map(|line| format!("{line}\n")).collect()
}

/// What is told, each with what it is.
pub type Explained = Vec<(&'static str, String)>;

/// What there is to say of a key, as `limits.asks` or `link.every` or `link.meters.every`.
pub fn explain(path: &str) -> Result<Explained, String> {
    let (mut keys, mut walked, mut parts) = (Config::KEYS, String::new(), split(path).into_iter());
    while let Some(part) = parts.next() {
        let at = keys.iter().position(|key| key.name == part);
        let Some(at) = at else { return Err(unknown(part, &walked, keys)) };
        walked = if walked.is_empty() { part.to_owned() } else { format!("{walked}.{part}") };
        let key = &keys[at];
        let named = key.is_named();
        let rest: Vec<&str> = parts.clone().collect();
        match (key.nested.below(), &rest[..]) {
            (below, []) => return Ok(told(&walked, keys, at, below)),
            // Names of the owner's choice stand below it.
            (None, _) if (key.default)().as_deref() == Some("{}") => return Ok(told(&walked, keys, at, None)),
            (None, [further, ..]) => return Err(format!("{walked} has no key {further:?} below it")),
            (Some(below), [next, ..]) => {
                // A name may stand there or be left out.
                if named && !below.keys.iter().any(|key| key.name == *next) {
                    if rest.len() == 1 {
                        return of_name(next, &walked, keys, at, below);
                    }
                    parts.next();
                }
                keys = below.keys;
            }
        }
    }
    Err("say which key".into())
}

/// At its dots; a name in quotes may have some itself.
fn split(path: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = path.split(|c: char| {
        quoted ^= c == '"';
        c == '.' && !quoted
    });
    parts.map(|part| part.trim_matches('"')).collect()
}

/// Every key that there is.
pub fn paths() -> Vec<String> {
    fn walk(keys: &[KeyDoc], above: &str, found: &mut Vec<String>) {
        for key in keys {
            let path = format!("{above}{}", key.name);
            found.push(path.clone());
            if let Some(below) = key.nested.below() {
                walk(below.keys, &format!("{path}."), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(Config::KEYS, "", &mut found);
    found
}

/// `link.meters` is a link; `link.evry` is hardly one.
fn of_name(name: &str, walked: &str, keys: &[KeyDoc], at: usize, below: Below) -> Result<Explained, String> {
    match nearest(name, below.keys.iter().map(|key| key.name)) {
        Some(_) => Err(unknown(name, walked, below.keys)),
        None => Ok(told(walked, keys, at, Some(below))),
    }
}

fn unknown(part: &str, walked: &str, keys: &[KeyDoc]) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let below = if walked.is_empty() { "among the settings".into() } else { format!("below {walked}") };
    let meant = nearest(part, names.iter().copied()).map(|near| format!(". Did you mean {near:?}?"));
    format!("there is no {part:?} {below}; there are {}{}", names.join(", "), meant.unwrap_or_default())
}

fn told(path: &str, keys: &[KeyDoc], at: usize, below: Option<Below>) -> Explained {
    let key = &keys[at];
    // A key without a reason of its own shares that of the one before it.
    let own = below.as_ref().map_or(key.doc, |below| below.doc);
    let before = || keys[..=at].iter().rev().map(|key| key.doc).find(|doc| !doc.is_empty()).unwrap_or_default();
    let doc = if own.is_empty() { before() } else { own };
    let mut rows = vec![("key", path.to_owned()), ("meaning", plain(doc))];
    if let Some(below) = below {
        rows.push(("keys", below.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")));
        return rows;
    }
    rows.extend((key.default)().map(|default| ("default", default)));
    rows.extend(key.example.map(|example| ("example", example.to_owned())));
    rows.extend((key.bounds)().map(|(least, most)| ("bounds", format!("{least} to {most}"))));
    rows
}
