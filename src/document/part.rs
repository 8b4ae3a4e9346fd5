//! A mistake inside a value that is a small language of its own: which part of its text is meant.
//!
//! serde hands on nothing of an error but its text. So an error that knows more says it in its other form, `{:#}`:
//! U+0001, then START, END, PATH, MEANT and its words, parted by U+0001. The bytes are those of the value; without them all
//! of it is meant. PATH leads to a value below, `label.row.0`, and is empty where the value itself is meant.

use std::ops::Range;

use super::tree::{At, Node, Sources, Val};

const SIGN: char = '\u{1}';

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub bytes: Option<Range<usize>>,
    pub path: String,
}

pub(super) struct Told {
    pub says: String,
    pub meant: Option<String>,
    pub part: Option<Part>,
}

/// An error about all of a value, with what was probably meant.
pub fn meant(says: &str, meant: Option<&str>) -> String {
    format!("{SIGN}{SIGN}{SIGN}{SIGN}{}{SIGN}{says}", meant.unwrap_or_default())
}

/// What an error said in its other form.
pub(super) fn told(said: String) -> Told {
    read(&said).unwrap_or(Told { says: said, meant: None, part: None })
}

fn read(said: &str) -> Option<Told> {
    let mut parts = said.strip_prefix(SIGN)?.splitn(5, SIGN);
    let (start, end) = (parts.next()?.parse().ok(), parts.next()?.parse().ok());
    let (path, meant, says) = (parts.next()?.to_owned(), parts.next()?, parts.next()?.to_owned());
    let meant = (!meant.is_empty()).then(|| meant.to_owned());
    Some(Told { says, meant, part: Some(Part { bytes: start.zip(end).map(|(start, end)| start..end), path }) })
}

/// The value below, as far as there is one.
pub fn below<'a>(node: &'a Node, path: &str) -> &'a Node {
    let mut at = node;
    for step in path.split('.') {
        let next = match &at.val {
            Val::Table(table) => table.get(step),
            Val::List(nodes) => step.parse::<usize>().ok().and_then(|no| nodes.get(no)),
            _ => None,
        };
        at = next.unwrap_or(at);
    }
    at
}

/// The place of these bytes of a text whose value stands at `at`; all of it, where it is written in another way.
pub fn place(at: At, text: &str, bytes: &Range<usize>, sources: &Sources) -> At {
    let raw = sources.get(at.source).and_then(|source| source.text.get(at.start as usize..at.end as usize));
    let found = raw.and_then(|raw| found(raw, text, bytes));
    found.map_or(at, |found| At { start: at.start + found.start as u32, end: at.start + found.end as u32, ..at })
}

fn found(raw: &str, text: &str, bytes: &Range<usize>) -> Option<Range<usize>> {
    if let Some(from) = raw.find(text) {
        return Some(from + bytes.start..from + bytes.end);
    }
    let (part, before) = (text.get(bytes.clone())?, text.get(..bytes.start)?);
    if part.is_empty() {
        // At its end: where its quote stands.
        return Some(raw.len().checked_sub(1)?..raw.len());
    }
    if let Some(from) = raw.find(&escaped(text)) {
        let start = from + escaped(before).len();
        return Some(start..start + escaped(part).len());
    }
    // In other words, which stand in an order of their own: the only one that is spelled so.
    let spelled = [part.to_owned(), part.replace('"', "'")];
    let (from, written) = spelled.iter().find_map(|written| Some((raw.find(written)?, written)))?;
    (raw.matches(written.as_str()).count() == 1).then_some(from..from + written.len())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
