//! What became of each line of a list: told in its order, as soon as it is known, and summed up at the end.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::super::table::print;
use super::super::{CliError, print_json};
use crate::model::{DeviceId, Registered};

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Became {
    New(DeviceId),
    Known(DeviceId),
    Refused(String),
    /// Only looked at.
    Good(bool),
}

impl From<Registered> for Became {
    fn from(registered: Registered) -> Became {
        match registered {
            Registered::New(id) => Became::New(id),
            Registered::Known(id) => Became::Known(id),
            Registered::Refused(refusal) => Became::Refused(refusal.to_string()),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub all: usize,
    pub new: usize,
    pub known: usize,
    pub refused: usize,
    pub good: usize,
    /// Not sent, or sent and not answered.
    pub open: usize,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(flatten)]
    became: &'a Became,
}

pub struct Report {
    lines: Vec<(Option<u64>, Option<Became>)>,
    told: usize,
    json: bool,
    /// Somebody looks, and the report itself goes elsewhere.
    progress: bool,
}

impl Report {
    pub fn new(lines: impl Iterator<Item = Option<u64>>, json: bool) -> Report {
        let progress = std::io::stderr().is_terminal() && (json || !std::io::stdout().is_terminal());
        Report { lines: lines.map(|no| (no, None)).collect(), told: 0, json, progress }
    }

    pub fn put(&mut self, place: usize, became: Became) {
        if let Some((_, there)) = self.lines.get_mut(place) {
            *there = Some(became);
        }
        while let Some((no, Some(became))) = self.lines.get(self.told) {
            if !self.json {
                print(&line(*no, became));
            }
            self.told += 1;
        }
        self.show_progress("");
    }

    fn show_progress(&self, end: &str) {
        // Often enough to be seen moving.
        if self.progress && (self.told.is_multiple_of(100) || !end.is_empty()) {
            let _ = write!(std::io::stderr(), "\r{} of {}{end}", self.told, self.lines.len());
        }
    }

    pub fn refused(&self) -> usize {
        self.counts().refused
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts { all: self.lines.len(), ..Counts::default() };
        for (_, became) in &self.lines {
            let place = match became {
                Some(Became::New(_)) => &mut counts.new,
                Some(Became::Known(_)) => &mut counts.known,
                Some(Became::Refused(_)) => &mut counts.refused,
                Some(Became::Good(_)) => &mut counts.good,
                None => &mut counts.open,
            };
            *place += 1;
        }
        counts
    }

    /// What is left to tell, also where it broke off, and the sum.
    pub fn end(&self) -> Result<(), CliError> {
        self.show_progress("\n");
        let counts = self.counts();
        if self.json {
            let lines: Vec<Shown> = self
                .lines
                .iter()
                .filter_map(|(no, became)| Some(Shown { line: *no, became: became.as_ref()? }))
                .collect();
            return print_json(&serde_json::json!({ "lines": lines, "counts": counts })).map(|_| ());
        }
        for (no, became) in self.lines.iter().skip(self.told) {
            if let Some(became) = became {
                print(&line(*no, became));
            }
        }
        if self.lines.len() != 1 || self.lines.iter().any(|(no, _)| no.is_some()) {
            print(&sum(&counts));
        }
        Ok(())
    }
}

fn line(no: Option<u64>, became: &Became) -> String {
    let no = no.map(|no| format!("line {no}: ")).unwrap_or_default();
    match became {
        Became::New(id) => format!("{no}new {id}"),
        Became::Known(id) => format!("{no}known {id}"),
        Became::Refused(why) => format!("{no}refused: {why}"),
        Became::Good(_) => format!("{no}good"),
    }
}

fn sum(counts: &Counts) -> String {
    let Counts { all, new, known, refused, good, open } = counts;
    let parts = [(new, "new"), (known, "known"), (good, "good"), (refused, "refused"), (open, "without an answer")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    match parts.is_empty() {
        true => "no device is in it".into(),
        false => format!("{all} in all: {}", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_in_their_order_and_summed_up() {
        let mut report = Report::new([Some(2), Some(3), Some(4)].into_iter(), true);
        report.put(1, Became::Refused("no".into()));
        assert_eq!(report.told, 0);
        report.put(0, Became::New(DeviceId::new("urn:a").unwrap()));
        assert_eq!((report.told, report.refused()), (2, 1));
        assert_eq!(report.counts(), Counts { all: 3, new: 1, refused: 1, open: 1, ..Counts::default() });
        assert_eq!(sum(&report.counts()), "3 in all: 1 new, 1 refused, 1 without an answer");
        assert_eq!(line(Some(3), &Became::Refused("no".into())), "line 3: refused: no");
        let shown = Shown { line: Some(2), became: &Became::New(DeviceId::new("urn:a").unwrap()) };
        assert_eq!(serde_json::to_string(&shown).unwrap(), r#"{"line":2,"new":"urn:a"}"#);
    }
}
