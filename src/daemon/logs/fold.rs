//! The same line again and again is told once, and how often it came.
//!
//! A line is the same where it comes from the same place with the same words. Within a minute of its first it is only
//! counted; the first line of whatever kind after that minute, or the stop, has the count told. Bound: so many lines are
//! remembered, and the oldest goes, with its count, when another comes. Nothing is ever counted and not told.

use std::time::{Duration, Instant};

use super::line::Line;

const WITHIN: Duration = Duration::from_secs(60);
const MOST: usize = 32;

#[derive(Default)]
pub struct Fold(Vec<Told>);

struct Told {
    line: Line,
    at: Instant,
    last: Instant,
    again: u64,
}

impl Fold {
    /// What is to be written now: counts that are due, and this line unless it is only counted.
    pub fn take(&mut self, line: Line, now: Instant) -> Vec<Line> {
        let mut out: Vec<Line> =
            self.0.extract_if(.., |told| now >= told.at + WITHIN).filter_map(|told| told.count()).collect();
        if let Some(told) = self.0.iter_mut().find(|told| told.line == line) {
            (told.again, told.last) = (told.again + 1, now);
            return out;
        }
        if self.0.len() == MOST {
            out.extend(self.0.remove(0).count());
        }
        self.0.push(Told { line: line.clone(), at: now, last: now, again: 0 });
        out.push(line);
        out
    }

    /// All counts that were not told yet.
    pub fn flush(&mut self) -> Vec<Line> {
        self.0.drain(..).filter_map(|told| told.count()).collect()
    }
}

impl Told {
    fn count(self) -> Option<Line> {
        let Told { line, at, last, again } = self;
        let times = if again == 1 { "once".into() } else { format!("{again} times") };
        let seconds = last.duration_since(at).as_secs_f64();
        let message = format!("{} ({times} more in {seconds:.1} s)", line.message);
        (again > 0).then_some(Line { message, ..line })
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn line(words: &str) -> Line {
        Line { line: 1, ..Line::new(Level::WARN, words.into()) }
    }

    fn words(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn a_line_that_comes_again_within_a_minute_is_told_once_and_counted() {
        let (mut fold, began) = (Fold::default(), Instant::now());
        let mut take = |words_: &str, after: u64| words(fold.take(line(words_), began + Duration::from_millis(after)));
        assert_eq!(take("a", 0), ["a"]);
        assert_eq!(take("a", 10), [""; 0]);
        assert_eq!(take("b", 20), ["b"], "another line is told at once");
        assert_eq!(take("a", 30_000), [""; 0]);
        assert_eq!(take("c", 60_000), ["a (2 times more in 30.0 s)", "c"]);
        assert_eq!(take("a", 60_001), ["a"], "a minute later it is news");
        assert_eq!(take("a", 60_002), [""; 0]);
        assert_eq!(words(fold.flush()), ["a (once more in 0.0 s)"]);
        assert_eq!(words(fold.flush()), [""; 0], "once");
    }

    #[test]
    fn the_same_words_from_another_place_or_with_another_field_are_another_line() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        let other = [
            Line { line: 2, ..line("a") },
            Line { level: Level::INFO, ..line("a") },
            Line { fields: vec![("device", 1.into())], ..line("a") },
        ];
        assert_eq!(fold.take(line("a"), now).len(), 1);
        assert!(other.into_iter().all(|line| fold.take(line, now).len() == 1));
    }

    #[test]
    fn however_many_lines_there_are_few_are_remembered_and_none_is_lost() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        let mut written = 0;
        for no in 0..10 * MOST {
            written += fold.take(line(&no.to_string()), now).len();
            written += fold.take(line(&no.to_string()), now).len();
            assert!(fold.0.len() <= MOST);
        }
        written += fold.flush().len();
        // Each once, and a count for each.
        assert_eq!(written, 20 * MOST);
    }
}
