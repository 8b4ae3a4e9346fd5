//! Lines, headers and sections of a text that is no good TOML: where a key stands for the first time, and what it is in.

use std::ops::Range;

use super::tree::{Node, Table, Val};

/// The first of the two. `again` is the key that the parser refused; the tree has what it took.
pub fn first(text: &str, table: &Table, again: &Range<usize>) -> Option<Range<usize>> {
    let line = begin_of_line(text, again.start);
    if let Some(header) = header(text.get(line..)?) {
        return first_header(&text[..line], &header).or_else(|| first_value(&text[..line], &header));
    }
    let key = text.get(again.clone())?.trim_matches(['"', '\'']);
    if let Some(inner) = innermost(table, again.start) {
        return inner.find(key).map(|(key, _)| key.at.start as usize..key.at.end as usize);
    }
    // Of the same form, under the same header.
    let (section, prefix) = (section(text, line), &text[line..again.start]);
    let same =
        |at: &usize| text.get(begin_of_line(text, *at)..*at).is_some_and(|before| before.trim() == prefix.trim());
    let mut found = Vec::new();
    all(table, key, &mut found);
    found
        .into_iter()
        .filter(|at| (section..again.start).contains(&at.start) && same(&at.start))
        .min_by_key(|at| at.start)
}

/// From the last header at or above that byte to the next one.
pub fn section_of(text: &str, at: usize) -> Range<usize> {
    let line = begin_of_line(text, at);
    let opens = |line: &str| line.trim_start().starts_with('[');
    let (mut begin, mut end, mut from) = (0, text.len(), 0);
    for next in text.split_inclusive('\n') {
        match (opens(next), from <= line) {
            (true, true) => begin = from,
            (true, false) => {
                end = from;
                break;
            }
            (false, _) => {}
        }
        from += next.len();
    }
    begin..end
}

/// With blanks in the place of the line of that byte: all other bytes stay where they are.
pub fn without_line(text: &str, at: usize) -> String {
    let begin = begin_of_line(text, at);
    let (before, rest) = text.split_at(begin);
    let end = rest.find('\n').unwrap_or(rest.len());
    format!("{before}{}{}", " ".repeat(end), &rest[end..])
}

/// True where that byte stands in a header.
pub fn is_header(text: &str, at: usize) -> bool {
    text.get(begin_of_line(text, at)..).is_some_and(|rest| header(rest).is_some())
}

fn begin_of_line(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// What stands in `[link.a]` or `[[admission]]`, without its spaces, if this line is one.
fn header(rest: &str) -> Option<String> {
    let line = rest.lines().next()?.trim_start();
    let end = line.starts_with('[').then(|| line.find(']'))??;
    Some(line[..end].chars().filter(|c| !c.is_whitespace() && *c != '[').collect())
}

fn first_header(before: &str, wanted: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for line in before.split_inclusive('\n') {
        if header(line).is_some_and(|header| header == wanted) {
            let start = at + (line.len() - line.trim_start().len());
            return Some(start..at + line.trim_end().len());
        }
        at += line.len();
    }
    None
}

/// Of `[link.a.sim]`, the line `sim = …` below `[link.a]`.
fn first_value(before: &str, wanted: &str) -> Option<Range<usize>> {
    let (parent, key) = wanted.rsplit_once('.')?;
    let (mut at, mut here) = (0, false);
    for line in before.split_inclusive('\n') {
        here = header(line).map_or(here, |header| header == parent);
        let rest = line.trim_start();
        let is_it = rest.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '.']));
        if here && is_it {
            let start = at + line.len() - rest.len();
            return Some(start..start + key.len());
        }
        at += line.len();
    }
    None
}

/// Where the last header above that line begins; the first of its name, where that one is there twice itself.
fn section(text: &str, line: usize) -> usize {
    let (mut at, mut last) = (0, None);
    for line in text[..line].split_inclusive('\n') {
        last = header(line).map(|header| (at, header)).or(last);
        at += line.len();
    }
    let Some((begin, header)) = last else { return 0 };
    first_header(&text[..begin], &header).map_or(begin, |first| first.start)
}

/// The table on one line in which that byte lies.
fn innermost(table: &Table, byte: usize) -> Option<&Table> {
    table.0.iter().find_map(|(_, node)| within(node, byte))
}

fn within(node: &Node, byte: usize) -> Option<&Table> {
    let here = (node.at.start as usize..node.at.end as usize).contains(&byte);
    match &node.val {
        Val::Table(table) => innermost(table, byte).or(here.then_some(table)),
        Val::List(nodes) => nodes.iter().find_map(|node| within(node, byte)),
        _ => None,
    }
}

fn all(table: &Table, key: &str, found: &mut Vec<Range<usize>>) {
    for (known, node) in &table.0 {
        if known.text == key {
            found.push(known.at.start as usize..known.at.end as usize);
        }
        below(node, key, found);
    }
}

fn below(node: &Node, key: &str, found: &mut Vec<Range<usize>>) {
    match &node.val {
        Val::Table(table) => all(table, key, found),
        Val::List(nodes) => nodes.iter().for_each(|node| below(node, key, found)),
        _ => {}
    }
}
