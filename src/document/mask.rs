//! What a shown line must not repeat: secrets that somebody wrote in clear.

use super::fault::{Fault, Faults};
use super::tree::{At, Node, Table, Val};
use crate::nearest;

/// The same for each, long or short.
const SHOWN: &str = "***";
pub const BOM: char = '\u{feff}';

/// A character of a shown line, and the byte of the source that it shows.
pub type Cell = (usize, char);

/// The characters of a line that begins at that byte, with what is hidden as stars.
pub fn cells(line: &str, begin: usize, hidden: &[&At]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut was_hidden = false;
    // The sign that some editors put before the first line stands in no column.
    let chars = line.char_indices().map(|(at, c)| (begin + at, c)).filter(|(at, c)| (*at, *c) != (0, BOM));
    for (at, c) in chars {
        let is_hidden = hidden.iter().any(|hidden| (hidden.start as usize..hidden.end as usize).contains(&at));
        match (is_hidden, was_hidden) {
            (false, _) => cells.push((at, visible(c))),
            (true, false) => cells.extend(SHOWN.chars().map(|star| (at, star))),
            (true, true) => {}
        }
        was_hidden = is_hidden;
    }
    cells
}

/// The columns that a terminal gives to it.
pub fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// A terminal must show each character in one place, or the mark lies elsewhere.
fn visible(c: char) -> char {
    if turns(c) { ' ' } else { c }
}

/// In a message there is room to say which it was.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if turns(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Characters of control, and those that turn the writing around or take no room.
fn turns(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What stands behind such a word is shown by no line, whether a section knows the word or not.
const SECRETS: [&str; 6] = ["password", "passphrase", "secret", "token", "credential", "psk"];
const KEY: &str = "key";
/// `kye`, `ky` and `keys` are near to it.
const NEAR_KEY: std::ops::RangeInclusive<usize> = 2..=4;

pub fn is_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let is_key = |part: &str| NEAR_KEY.contains(&part.len()) && nearest::nearest(part, [KEY]).is_some();
    SECRETS.iter().any(|secret| word.contains(secret)) || word.split(['_', '-', '.']).any(is_key)
}

/// Whether a text that cannot be read as TOML has such a word, but for its comments.
pub fn speaks_of_secrets(text: &str) -> bool {
    let words = |line: &str| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').any(is_secret);
    text.lines().filter(|line| !line.trim_start().starts_with('#')).any(words)
}

/// The values of all such words.
pub fn secrets(table: &Table, faults: &mut Faults) {
    for (key, node) in &table.0 {
        match &node.val {
            _ if is_secret(&key.text) => hide(node, faults),
            Val::Table(table) => secrets(table, faults),
            Val::List(nodes) => nodes.iter().filter_map(Node::table).for_each(|table| secrets(table, faults)),
            _ => {}
        }
    }
}

/// All that is written there as a value. A table with a header, or with dots, is written in several places.
pub fn hide(node: &Node, faults: &mut Faults) {
    let on_one_line = |table: &Table| table.0.iter().all(|(_, below)| node.at.has(&below.at));
    match &node.val {
        Val::Table(table) if !on_one_line(table) => table.0.iter().for_each(|(_, below)| hide(below, faults)),
        _ => faults.hide(node.at),
    }
}

/// A message without the texts that stand in this value.
pub fn without(mut fault: Fault, node: &Node) -> Fault {
    let mut texts = Vec::new();
    gather(node, &mut texts);
    for text in texts {
        fault.says = fault.says.replace(&format!("{text:?}"), SHOWN);
    }
    fault.meant = None;
    fault
}

fn gather<'a>(node: &'a Node, texts: &mut Vec<&'a str>) {
    match &node.val {
        Val::Text(text) => texts.push(text),
        Val::List(nodes) => nodes.iter().for_each(|node| gather(node, texts)),
        Val::Table(table) => table.0.iter().for_each(|(_, node)| gather(node, texts)),
        _ => {}
    }
}
