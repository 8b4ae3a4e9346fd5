//! What is wrong, told so that a person finds the place: file, line, column, the line itself with a mark under the wrong
//! part, what was expected, and what was probably meant.

use super::tree::{At, Sources};
use crate::nearest;

/// A longer line is cut: secrets and garbage do not fill a log.
const LONGEST_LINE: usize = 120;
/// So many are kept; a file with more has one mistake that makes them all.
const MOST: usize = 1_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub at: At,
    pub says: String,
    pub meant: Option<String>,
    /// Another place that has to do with it, and what is there.
    pub also: Option<(At, String)>,
}

impl Fault {
    pub fn new(at: At, says: String) -> Fault {
        Fault { at, says, meant: None, also: None }
    }

    /// With the nearest of the words that would have been right.
    pub fn meant<'a>(self, wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Fault {
        let meant = nearest::nearest(wrong, right).map(str::to_owned);
        Fault { meant, ..self }
    }

    pub fn also(self, at: At, says: &str) -> Fault {
        Fault { also: Some((at, says.to_owned())), ..self }
    }

    /// For people, in some lines.
    pub fn show(&self, sources: &Sources) -> String {
        let Fault { at, says, meant, also } = self;
        let mut shown = place(*at, says, sources);
        if let Some((at, says)) = also {
            shown = format!("{shown}\n{}", place(*at, says, sources));
        }
        match meant {
            Some(meant) => format!("{shown}\nDid you mean {meant:?}?"),
            None => shown,
        }
    }
}

fn place(at: At, says: &str, sources: &Sources) -> String {
    let Some((source, (line, column, text))) = sources.get(at.source).zip(sources.line(at)) else {
        return says.to_owned();
    };
    let origin = &source.origin;
    // A line that is too long is cut around the place.
    let from = column.saturating_sub(LONGEST_LINE / 2) * usize::from(column > LONGEST_LINE);
    let text: String = text.chars().skip(from).take(LONGEST_LINE).map(visible).collect();
    let (column_shown, wide) = (column - from, width(at, &text, column - from));
    let marks = format!("{:>column_shown$}{}", "^", "^".repeat(wide - 1));
    format!("{origin}:{line}:{column}: {says}\n{line:>5} | {text}\n      | {marks}")
}

/// A terminal must show each character in one place, or the mark lies elsewhere.
fn visible(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Marks for all of it, but not beyond its line.
fn width(at: At, text: &str, column: usize) -> usize {
    let rest = text.chars().count().saturating_sub(column - 1);
    (at.end.saturating_sub(at.start) as usize).clamp(1, rest.max(1))
}

/// All that is wrong, in the order of its places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        // The same part may be read twice: a template is, for each who uses it.
        if self.0.len() < MOST && !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    pub fn say(&mut self, at: At, says: impl Into<String>) {
        self.add(Fault::new(at, says.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub fn sort(&mut self) {
        self.0.sort_by_key(|fault| fault.at);
    }

    /// All of them, with an empty line between two.
    pub fn show(&self, sources: &Sources) -> String {
        self.0.iter().map(|fault| fault.show(sources)).collect::<Vec<_>>().join("\n\n")
    }
}
