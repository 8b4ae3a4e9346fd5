//! Why a broker cannot be reached: where, what happened, what to do; told apart by what whoever dials may do next.
//!
//! Invariant: no secret is in it, and what came from outside is cut and shows no signs of control.

use std::fmt;
use std::io::{self, ErrorKind};

use jiff::SignedDuration;
use jiff::civil::DateTime;

use crate::document::mask;
use crate::model::Wall;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WayError {
    /// Nobody can be reached there just now: the next address, at once.
    #[error("{0}")]
    Elsewhere(Trouble),
    /// Somebody is there and does not take us just now: the same again, after a pause.
    #[error("{0}")]
    Later(Trouble),
    /// It depends on what time it is, which this gateway does not know yet.
    #[error("{0}")]
    Clock(Trouble),
    /// It stays so until somebody changes the settings, a certificate or the network.
    #[error("{0}")]
    Person(Trouble),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whose answer, or silence, it was.
    pub at: String,
    pub why: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.at, self.why, self.hint)
    }
}

impl Trouble {
    pub fn new(at: impl fmt::Display, why: impl Into<String>, hint: impl Into<String>) -> Trouble {
        Trouble { at: at.to_string(), why: why.into(), hint: hint.into() }
    }
}

impl WayError {
    pub fn trouble(&self) -> &Trouble {
        match self {
            WayError::Elsewhere(trouble)
            | WayError::Later(trouble)
            | WayError::Clock(trouble)
            | WayError::Person(trouble) => trouble,
        }
    }
}

/// The other side has ended it, one way or another.
pub fn is_gone(error: &io::Error) -> bool {
    use ErrorKind as K;
    matches!(error.kind(), K::UnexpectedEof | K::ConnectionReset | K::BrokenPipe)
}

/// Of what a stranger says no more than this is repeated.
const MOST_SHOWN: usize = 120;

pub fn shown(text: &str) -> String {
    let cut: String = text.chars().take(MOST_SHOWN).collect();
    mask::plain(&cut)
}

pub const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The day in UTC, as everybody on earth reads it: 2026-11-21. Without a zone, for that ends a day before certificates do
/// that have no end (9999-12-31).
pub fn day(wall: Wall) -> String {
    let since = i64::try_from(wall.0).ok().map(SignedDuration::from_millis);
    let at = since.and_then(|since| EPOCH.checked_add(since).ok());
    at.map_or_else(|| "no day".into(), |at| at.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_says_is_cut_and_turns_no_terminal() {
        assert_eq!(shown("Not\u{1b}[2J so"), "Not\\u{1b}[2J so");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), MOST_SHOWN);
    }

    #[test]
    fn a_day_is_written_as_everybody_reads_it() {
        assert_eq!(day(Wall(0)), "1970-01-01");
        assert_eq!(day(Wall(1_795_219_199_999)), "2026-11-20");
        assert_eq!(day(Wall(u64::MAX)), "no day");
    }
}
