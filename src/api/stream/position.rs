//! Where a listener is: the journal, and of each stream the last number that it has. As text it is the `id` of a message.

use std::fmt;

use crate::feed::Numbers;
use crate::store::JournalId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub journal: JournalId,
    pub last: Numbers,
}

impl Position {
    /// None where it is no position.
    pub fn parse(text: &str) -> Option<Position> {
        let mut parts = text.split('.');
        let journal = journal(parts.next()?)?;
        let mut last = [0; 3];
        for number in &mut last {
            let digits = parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
            // One more is the next: it must be a number too.
            *number = digits.parse().ok().filter(|number| *number < u64::MAX)?;
        }
        parts.next().is_none().then_some(Position { journal, last })
    }
}

fn journal(text: &str) -> Option<JournalId> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(|id| JournalId(id.to_be_bytes()))
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [vital, events, telemetry] = self.last;
        write!(f, "{}.{vital}.{events}.{telemetry}", self.journal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_as_it_was_written() {
        let position = Position { journal: JournalId([0xa7; 16]), last: [1, 0, 1 << 60] };
        assert_eq!(position.to_string(), format!("{}.1.0.1152921504606846976", "a7".repeat(16)));
        assert_eq!(Position::parse(&position.to_string()), Some(position));
    }

    #[test]
    fn what_is_no_position_is_not_taken_for_one() {
        let journal = "a7".repeat(16);
        for text in [
            String::new(),
            journal.clone(),
            format!("{journal}.1.2"),
            format!("{journal}.1.2.3.4"),
            format!("{journal}.1.2.x"),
            format!("{journal}.1.+2.3"),
            format!("{journal}.1..3"),
            format!("{journal}.1.2.18446744073709551615"),
            format!("{}.1.2.3", &journal[1..]),
            format!("é{}.1.2.3", &journal[2..]),
        ] {
            assert_eq!(Position::parse(&text), None, "{text}");
        }
    }
}
