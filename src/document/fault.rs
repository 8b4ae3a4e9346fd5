//! What is wrong, told so that a person finds the place: file, line, column, the line itself with a mark under the wrong
//! part, what was expected, and what was probably meant.

use std::ops::Range;

use super::tree::{At, Origin, Sources};
use super::{mask, part};
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
    /// What is meant stands within a text and is shown as it is to be written there, without quotes around it.
    pub within: bool,
    /// Another place that has to do with it, and what is there.
    pub also: Option<(At, String)>,
    /// The text that stands there and the bytes of it that are meant, until [`Faults::settle`] looks for them.
    pub part: Option<Box<(String, Range<usize>)>>,
    /// A name that leads nowhere. Where what it names was left out, it does no harm.
    pub lost: bool,
    /// Places that are not to be shown.
    pub hidden: Option<Box<Hidden>>,
    /// No line is shown: nobody can say where in it a secret begins.
    pub dark: bool,
}

/// Places of which only stars are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden(Vec<At>);

impl Fault {
    pub fn new(at: At, says: String) -> Fault {
        Fault { at, says, meant: None, within: false, also: None, part: None, lost: false, hidden: None, dark: false }
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
        let mut shown = self.place(self.at, &self.says, sources);
        if let Some((at, says)) = &self.also {
            shown = format!("{shown}\n{}", self.place(*at, says, sources));
        }
        match &self.meant {
            Some(meant) if self.within => format!("{shown}\nDid you mean: {}", mask::plain(meant)),
            Some(meant) => format!("{shown}\nDid you mean {meant:?}?"),
            None => shown,
        }
    }

    fn place(&self, at: At, says: &str, sources: &Sources) -> String {
        let says = mask::plain(says);
        let Some(((source, (no, column, line)), (begin, start))) =
            sources.get(at.source).zip(sources.line(at)).zip(sources.begin(at))
        else {
            return says;
        };
        let origin = mask::plain(&source.origin.to_string());
        if self.dark {
            return format!("{origin}:{no}:{column}: {says}");
        }
        let hidden: Vec<&At> =
            self.hidden.iter().flat_map(|all| &all.0).filter(|hidden| hidden.source == at.source).collect();
        let cells = mask::cells(line, begin, &hidden);
        let place = cells.partition_point(|(byte, _)| *byte < start);
        let wide = cells[place..].partition_point(|(byte, _)| *byte < at.end as usize).max(1);
        // A line that is too long is cut around the place.
        let from = place.saturating_sub(LONGEST_LINE / 2) * usize::from(place >= LONGEST_LINE);
        let text: String = cells.iter().skip(from).take(LONGEST_LINE).map(|(_, c)| c).collect();
        let wide = wide.min(LONGEST_LINE - (place - from));
        let columns =
            |from: usize, count: usize| cells.iter().skip(from).take(count).map(|(_, c)| mask::columns(*c)).sum();
        let before: usize = columns(from, place - from);
        let marks = "^".repeat(columns(place, wide).max(1));
        format!("{origin}:{no}:{column}: {says}\n{no:>5} | {text}\n      | {:1$}{marks}", "", before)
    }

    fn settle(&mut self, sources: &Sources) {
        if let Some(part) = self.part.take() {
            self.at = part::place(self.at, &part.0, &part.1, sources);
        }
    }

    /// What must not be shown of the lines that it shows.
    fn mask(&mut self, sources: &Sources, hidden: &[At]) {
        let places = [Some(self.at), self.also.as_ref().map(|(at, _)| *at)];
        let lines: Vec<At> = places.into_iter().flatten().filter_map(|at| sources.line_at(at)).collect();
        let shown = |hidden: &&At| lines.iter().any(|line| line.meets(hidden));
        let hidden: Vec<At> = hidden.iter().filter(shown).copied().collect();
        self.hidden = (!hidden.is_empty()).then(|| Box::new(Hidden(hidden)));
        self.dark |= matches!(sources.origin(self.at), Some(Origin::Env(name)) if mask::is_secret(name));
    }
}

/// All that is wrong, in the order of its places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    all: Vec<Fault>,
    /// There were more than are kept.
    more: bool,
    hidden: Vec<At>,
    /// What could not be read, and how many were found before that was known.
    unread: Vec<(At, usize)>,
    /// So many were found before anything was read from the tree.
    early: usize,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        // The same part may be read twice: a template is, for each who uses it.
        if self.all.contains(&fault) {
            return;
        }
        self.more |= self.all.len() == MOST;
        if self.all.len() < MOST {
            self.all.push(fault);
        }
    }

    pub fn say(&mut self, at: At, says: impl Into<String>) {
        self.add(Fault::new(at, says.into()));
    }

    /// There are more than are kept.
    pub fn is_cut(&self) -> bool {
        self.more
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.all.iter()
    }

    /// What stands there is not shown, whatever fault is beside it.
    pub fn hide(&mut self, at: At) {
        self.hidden.push(at);
    }

    /// How many there are, for people: "1 mistake", "1000 mistakes and more".
    pub fn count(&self) -> String {
        let (mistakes, more) = (if self.len() == 1 { "" } else { "s" }, if self.more { " and more" } else { "" });
        format!("{} mistake{mistakes}{more}", self.len())
    }

    /// Nothing there was read as it was meant: what else is found in it is worth nothing.
    pub fn not_read(&mut self, at: At) {
        self.unread.push((at, self.all.len()));
    }

    /// What is found from here on of a value that is wrong already only says the same once more.
    pub fn tree_is_made(&mut self) {
        self.early = self.all.len();
    }

    fn drop_echoes(&mut self, sources: &Sources) {
        let is_unread = |no: usize, fault: &Fault| {
            self.unread.iter().any(|(at, before)| no >= *before && at.has(&At { end: fault.at.start, ..fault.at }))
        };
        let again = |no: usize, fault: &Fault| {
            let early = &self.all[..self.early.min(no)];
            early.iter().any(|early| fault.at == early.at || fault.at.has(&early.at) && sources.is_plain(fault.at))
        };
        let echo = |(no, fault): &(usize, &Fault)| is_unread(*no, fault) || *no >= self.early && again(*no, fault);
        self.all = self.all.iter().enumerate().filter(|it| !echo(it)).map(|(_, fault)| fault.clone()).collect();
    }

    /// In the order of their places, each as exact as its source allows, and without secrets.
    pub fn settle(&mut self, sources: &Sources) {
        self.drop_echoes(sources);
        for fault in &mut self.all {
            fault.settle(sources);
            fault.mask(sources, &self.hidden);
        }
        self.sort();
    }

    pub fn sort(&mut self) {
        self.all.sort_by_key(|fault| fault.at);
    }

    /// All of them, with an empty line between two.
    pub fn show(&self, sources: &Sources) -> String {
        let mut shown: Vec<String> = self.all.iter().map(|fault| fault.show(sources)).collect();
        shown.extend(self.more.then(|| format!("and more: only the first {MOST} are told")));
        shown.join("\n\n")
    }
}
