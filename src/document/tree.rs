//! The tree: values with their places, and the sources that the places lie in.

use std::path::PathBuf;

use super::mask;

/// Where something stands: in which source, from which byte to which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub source: u32,
    pub start: u32,
    pub end: u32,
}

impl At {
    pub const NOWHERE: At = At { source: u32::MAX, start: 0, end: 0 };

    /// True where the other lies within it.
    pub fn has(&self, other: &At) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }

    /// True where they have something in common.
    pub fn meets(&self, other: &At) -> bool {
        self.source == other.source && self.start < other.end && other.start < self.end
    }
}

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A change that was made through a door, kept in the store.
    Layer {
        version: u64,
        by: String,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::File(path) => path.display().fmt(f),
            Origin::Env(name) => write!(f, "${name}"),
            Origin::Layer { version, by } => write!(f, "version {version} by {by}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub origin: Origin,
    pub text: String,
    /// Where each line begins.
    lines: Vec<u32>,
}

/// All texts that were read. A place names one of them by its number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources(Vec<Source>);

impl Sources {
    pub fn add(&mut self, origin: Origin, text: String) -> u32 {
        let begins = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        let lines = [0].into_iter().chain(begins).collect();
        self.0.push(Source { origin, text, lines });
        self.0.len() as u32 - 1
    }

    pub fn get(&self, no: u32) -> Option<&Source> {
        self.0.get(no as usize)
    }

    pub fn origin(&self, at: At) -> Option<&Origin> {
        self.get(at.source).map(|source| &source.origin)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Source)> {
        (0..).zip(&self.0)
    }

    /// Line and column of the beginning, counted from 1, in characters; and that line.
    pub fn line(&self, at: At) -> Option<(usize, usize, &str)> {
        let Source { text, lines, .. } = self.get(at.source)?;
        let (begin, start) = self.begin(at)?;
        let line = text[begin..].lines().next().unwrap_or("");
        let before = text[begin..start].trim_start_matches(mask::BOM).chars().count();
        Some((lines.partition_point(|line| *line as usize <= begin), before + 1, line))
    }

    /// All of that line.
    pub fn line_at(&self, at: At) -> Option<At> {
        let ((begin, _), (_, _, line)) = (self.begin(at)?, self.line(at)?);
        Some(At { source: at.source, start: begin as u32, end: (begin + line.len()) as u32 })
    }

    /// One value, and no table or list.
    pub fn is_plain(&self, at: At) -> bool {
        let text = self.get(at.source).and_then(|source| source.text.get(at.start as usize..at.end as usize));
        text.is_some_and(|text| !text.starts_with(['{', '[']))
    }

    /// Where the line begins, and the place in it: bytes of the source.
    pub fn begin(&self, at: At) -> Option<(usize, usize)> {
        let text = &self.get(at.source)?.text;
        let start = (0..=(at.start as usize).min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
        Some((text[..start].rfind('\n').map_or(0, |newline| newline + 1), start))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub val: Val,
    pub at: At,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Text(String),
    Whole(i64),
    Float(f64),
    Bool(bool),
    /// As it was written.
    Time(String),
    List(Vec<Node>),
    Table(Table),
}

impl Val {
    /// What it is, for a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Val::Text(_) => "a text",
            Val::Whole(_) => "a whole number",
            Val::Float(_) => "a number",
            Val::Bool(_) => "true or false",
            Val::Time(_) => "a time",
            Val::List(_) => "a list",
            Val::Table(_) => "a table",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    pub at: At,
}

/// In the order of the keys' texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub Vec<(Key, Node)>);

impl Table {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.find(key).map(|(_, node)| node)
    }

    pub fn find(&self, key: &str) -> Option<&(Key, Node)> {
        self.place(key).ok().map(|at| &self.0[at])
    }

    /// As far as there is something on that path of keys: the last of it.
    pub fn follow(&self, path: &[&str]) -> Option<&(Key, Node)> {
        let (mut table, mut last) = (Some(self), None);
        for key in path {
            let Some(found) = table.and_then(|table| table.find(key)) else { break };
            (last, table) = (Some(found), found.1.table());
        }
        last
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.place(key).ok().map(|at| &mut self.0[at].1)
    }

    /// In the place of one that has this key.
    pub fn put(&mut self, key: Key, node: Node) -> Option<(Key, Node)> {
        match self.place(&key.text) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at], (key, node))),
            Err(at) => {
                self.0.insert(at, (key, node));
                None
            }
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<(Key, Node)> {
        self.place(key).ok().map(|at| self.0.remove(at))
    }

    /// The table of that key; an empty one is put there where there is none.
    pub fn enter(&mut self, key: Key) -> &mut Table {
        let empty = || Val::Table(Table::default());
        let at = self.place(&key.text).unwrap_or_else(|at| {
            let node = Node { val: empty(), at: key.at };
            self.0.insert(at, (key, node));
            at
        });
        let val = &mut self.0[at].1.val;
        if !matches!(val, Val::Table(_)) {
            *val = empty();
        }
        match val {
            Val::Table(table) => table,
            _ => unreachable!("a table was put there just now"),
        }
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.text.as_str().cmp(key))
    }
}

impl Node {
    pub fn table(&self) -> Option<&Table> {
        match &self.val {
            Val::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.val {
            Val::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.val {
            Val::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// On one line, as TOML takes it.
impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.val {
            Val::Text(text) => f.write_str(&quoted(text)),
            Val::Whole(number) => number.fmt(f),
            // With a point or an exponent, so that it stays a float.
            Val::Float(number) if number.is_finite() => write!(f, "{number:?}"),
            Val::Float(number) if number.is_nan() => f.write_str("nan"),
            Val::Float(number) => f.write_str(if *number > 0.0 { "inf" } else { "-inf" }),
            Val::Bool(yes) => yes.fmt(f),
            Val::Time(time) => f.write_str(time),
            Val::List(nodes) => {
                f.write_str("[")?;
                for (i, node) in nodes.iter().enumerate() {
                    write!(f, "{}{node}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Val::Table(Table(rows)) if rows.is_empty() => f.write_str("{}"),
            Val::Table(Table(rows)) => {
                f.write_str("{ ")?;
                for (i, (key, node)) in rows.iter().enumerate() {
                    write!(f, "{}{} = {node}", if i == 0 { "" } else { ", " }, key_text(&key.text))?;
                }
                f.write_str(" }")
            }
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key as TOML takes it: quoted only where it must be.
pub fn key_text(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().all(bare) { text.to_owned() } else { quoted(text) }
}

/// A path of keys as they are written, with dots between them: all but the last, and the last. A dot within quotes parts
/// nothing.
pub fn split_key(path: &str) -> (&str, &str) {
    let (mut last, mut quote, mut escaped) = (None, None, false);
    for (at, c) in path.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '.') => last = Some(at),
            _ => {}
        }
    }
    last.map_or(("", path), |at| (&path[..at], &path[at + 1..]))
}
