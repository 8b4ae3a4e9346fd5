//! Which devices are meant: an expression over their facts, in CEL or in plain words.
//!
//! `life == "managed" && ("line-a" in groups || label.row == "3")`. The way of a text: [`scan`] makes tokens of it, within
//! bounds; [`parse`] makes a [`tree`] of these, by the grammar of CEL; [`compile`] checks names and types and makes a
//! closed [`form`] of it, which alone is answered, with the [`facts`] of one device. [`fact`] lists what may be named.
//! [`words`] are the same for those who need no more than a table.
//!
//! All of it is pure and may be called anywhere: the scan's bounds hold the stack to 128 KiB (measured, optimised). The
//! witness is the crate `cel`: in the tests its parser must read the same tree, and its interpreter say the same.
//!
//! What was accepted can be answered: in bounded time, without an error. A fact that is missing is unknown, not false.

mod calls;
mod check;
mod compile;
mod everywhere;
mod fact;
mod facts;
mod form;
mod parse;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod words;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use fact::{Fact, Kind};
pub use facts::Facts;
pub use form::Holds;
pub use scan::{DEEPEST, LONGEST, MOST_TOKENS};
pub use words::{For, Texts, Words};

use crate::model::Name;
use crate::model::device::DeviceNow;
use form::{Scene, Test};

/// One selector, ready to be answered. Cheap to clone.
#[derive(Clone)]
pub struct Selector(Arc<Read>);

/// What was read of a text.
#[derive(Debug)]
struct Read {
    text: String,
    test: Test,
    /// The names of groups, links and profiles that facts are compared with, each with its place, quotes and all.
    told: Vec<(Fact, Name, Range<usize>)>,
}

impl Selector {
    pub fn parse(text: &str) -> Result<Selector, BadSelector> {
        let tokens = scan::scan(text)?;
        let root = parse::tree(text, &tokens)?;
        compile::Reader::read(text, &root).map(|read| Selector(Arc::new(read)))
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }

    pub fn groups(&self) -> impl Iterator<Item = (&Name, Range<usize>)> {
        self.told(Fact::Groups)
    }

    pub fn links(&self) -> impl Iterator<Item = (&Name, Range<usize>)> {
        self.told(Fact::Link)
    }

    pub fn profiles(&self) -> impl Iterator<Item = (&Name, Range<usize>)> {
        self.told(Fact::Profile)
    }

    fn told(&self, of: Fact) -> impl Iterator<Item = (&Name, Range<usize>)> {
        self.0.told.iter().filter(move |(fact, ..)| *fact == of).map(|(_, name, at)| (name, at.clone()))
    }

    pub fn holds(&self, facts: &Facts<'_>) -> Holds {
        self.0.test.holds(Scene { facts, element: "" })
    }

    /// It holds for this device, and nothing that it needs to know is missing.
    pub fn fits(&self, known: &DeviceNow) -> bool {
        self.holds(&Facts::of(known)) == Holds::Yes
    }

    /// It holds for each device that this link has or may ever have: of such a device nothing is known but its link.
    pub fn holds_on(&self, link: &Name) -> bool {
        everywhere::holds(&self.0.test, link.as_str()) == Holds::Yes
    }

    /// The facts that are missing and for whose sake it is unknown; none where it is not. Slower than the question.
    pub fn why(&self, facts: &Facts<'_>) -> Vec<String> {
        let mut found = Vec::new();
        self.0.test.missing(Scene { facts, element: "" }, &mut found);
        found.sort();
        found.dedup();
        found
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Selector) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Selector {}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({:?})", self.text())
    }
}

/// What is wrong with a text, where, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSelector {
    pub says: String,
    /// The bytes of the text.
    pub at: Range<usize>,
    /// To stand there instead.
    pub meant: Option<String>,
}

impl BadSelector {
    fn new(says: impl Into<String>, at: Range<usize>) -> BadSelector {
        BadSelector { says: says.into(), at, meant: None }
    }

    /// In one line, with the part of the text that it is about.
    pub fn told(&self, text: &str) -> String {
        let meant = self.meant.as_ref().map_or_else(String::new, |meant| format!("; {meant} was meant?"));
        format!("{} at {}{meant}", self.says, text.get(self.at.clone()).unwrap_or("its end"))
    }

    fn meant(self, meant: impl Into<String>) -> BadSelector {
        BadSelector { meant: Some(meant.into()), ..self }
    }

    /// The form in which settings mark a part of a value. The path leads to a word below, which is wrong as a whole.
    fn in_settings(&self, f: &mut fmt::Formatter<'_>, path: &str) -> fmt::Result {
        let BadSelector { says, at, meant } = self;
        let meant = meant.as_deref().unwrap_or_default();
        write!(f, "\u{1}{}\u{1}{}\u{1}{path}\u{1}{meant}\u{1}{says}", at.start, at.end)
    }
}

impl fmt::Display for BadSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.in_settings(f, "");
        }
        write!(f, "{} (byte {} of the selector)", self.says, self.at.start + 1)?;
        match &self.meant {
            Some(meant) => write!(f, "; did you mean {meant}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BadSelector {}
