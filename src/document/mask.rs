//! What a shown line must not repeat: secrets that somebody wrote in clear.

use super::fault::Fault;
use super::tree::{At, Node, Sources, Val};

/// The same for each, long or short.
const SHOWN: &str = "***";

/// A character of a shown line, and the byte of the source that it shows.
pub type Cell = (usize, char);

/// The characters of a line that begins at that byte, with what is hidden as stars.
pub fn cells(line: &str, begin: usize, hidden: &[&At]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut was_hidden = false;
    for (at, c) in line.char_indices().map(|(at, c)| (begin + at, c)) {
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

/// What follows `KEY =` on that line, for a text that could not be read as TOML.
pub fn after_keys(sources: &Sources, at: At, keys: &[&str]) -> Option<At> {
    let (begin, _) = sources.begin(at)?;
    let (_, _, line) = sources.line(at)?;
    let value = keys.iter().filter_map(|key| value_of(line, key)).min()?;
    Some(At { source: at.source, start: (begin + value) as u32, end: (begin + line.len()) as u32 })
}

fn value_of(line: &str, key: &str) -> Option<usize> {
    let part_of_a_word = |at: usize| line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
    let ends = line.match_indices(key).filter(|(at, _)| !part_of_a_word(*at)).map(|(at, key)| at + key.len());
    let signs = ends.filter_map(|end| {
        let rest = line[end..].trim_start_matches(['"', '\'', ' ', '\t']).strip_prefix('=')?;
        // Two of them compare.
        (!rest.starts_with('=')).then(|| line.len() - rest.trim_start().len())
    });
    signs.min()
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
