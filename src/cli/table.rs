//! Tables that fit the terminal, and times as people read them.

use std::io::Write;

use crate::model::Wall;

const NARROWEST: usize = 40;
const GAP: usize = 2;

/// To the standard output. Whoever reads it may have left (`| head`): that is no fault.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.unwrap_or(80).max(NARROWEST)
}

/// Columns as wide as what they hold; where that is too wide, the widest give way. The last one is wrapped, the others
/// are cut in the middle.
pub fn table(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (wide, cell) in widths.iter_mut().zip(row) {
            *wide = (*wide).max(cell.chars().count());
        }
    }
    let room = width.saturating_sub(GAP * head.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > 4 => *widest -= 1,
            _ => break,
        }
    }
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let lines = std::iter::once(&head).chain(rows).map(|row| line(row, &widths));
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands for what, one below the other; a long text is wrapped beside its name.
pub fn pairs(rows: &[(&str, String)], width: usize) -> String {
    let names = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let widths = [names, width.saturating_sub(names + GAP).max(NARROWEST / 2)];
    let lines = rows.iter().map(|(name, text)| line(&[(*name).to_owned(), text.clone()], &widths));
    lines.collect::<Vec<_>>().join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let (Some((last, cells)), Some((room, widths))) = (row.split_last(), widths.split_last()) else {
        return String::new();
    };
    let cells =
        cells.iter().zip(widths).map(|(cell, wide)| format!("{:<wide$}", fitted(cell, *wide)) + &" ".repeat(GAP));
    let before = cells.collect::<String>();
    let indent = " ".repeat(before.chars().count());
    let wrapped = wrapped(last, *room);
    let lines = wrapped.iter().enumerate().map(|(no, text)| {
        let line = format!("{}{}", if no == 0 { &before } else { &indent }, fitted(text, *room));
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// By words. A word that is too long for a line is left so.
fn wrapped(text: &str, wide: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line =
            lines.last_mut().filter(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= wide);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Ids differ at their end, so the middle is left out. What a device sent must not steer the terminal.
fn fitted(cell: &str, wide: usize) -> String {
    let letters: Vec<char> = cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if letters.len() <= wide {
        return letters.into_iter().collect();
    }
    let tail = (wide.saturating_sub(1) * 2) / 3;
    let head = wide.saturating_sub(1 + tail);
    let start = letters.iter().take(head);
    start.chain(['…'].iter()).chain(letters.iter().skip(letters.len() - tail)).collect()
}

/// 2026-11-20 10:34:59Z
pub fn time(wall: Wall) -> String {
    let seconds = wall.0 / 1_000;
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970-01-01 to year, month and day. Years begin in March here, so that the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    // Year 0 began 719468 days before 1970-01-01; 146097 days make 400 years.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let in_month = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, in_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_the_widest_column_gives_way() {
        let rows = [vec!["urn:dev:dmgw:serial:acme:meter-1".into(), "up".into()]];
        assert_eq!(
            table(&["id", "state"], &rows, 80),
            "id                                state\nurn:dev:dmgw:serial:acme:meter-1  up"
        );
        let narrow = table(&["id", "state"], &rows, 24);
        assert!(narrow.lines().all(|line| line.chars().count() <= 24), "{narrow}");
        assert!(narrow.contains("meter-1") && narrow.contains('…'), "{narrow}");
    }

    #[test]
    fn a_long_last_column_goes_on_below_itself() {
        let rows = [vec!["1".into(), "one two three four five six seven eight nine ten".into()]];
        assert_eq!(
            table(&["NO", "WHAT"], &rows, 30),
            "NO  WHAT\n1   one two three four five\n    six seven eight nine ten"
        );
    }

    #[test]
    fn names_and_what_they_stand_for_are_aligned() {
        let rows = [("place", "plant at 7".into()), ("operations", "read, write, restart, probe, lock".into())];
        assert_eq!(
            pairs(&rows, 36),
            "place       plant at 7\noperations  read, write, restart,\n            probe, lock"
        );
    }

    #[test]
    fn what_a_device_sent_does_not_steer_the_terminal() {
        let rows = [vec!["\u{1b}[2J\n".into()]];
        assert_eq!(table(&["v"], &rows, 80), "v\n\u{fffd}[2J\u{fffd}");
    }

    #[test]
    fn times_are_right_at_the_edges_of_months_and_years() {
        for (millis, shown) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399_000, "2000-02-28 23:59:59Z"),
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (1_709_251_199_999, "2024-02-29 23:59:59Z"),
            (1_735_689_600_000, "2025-01-01 00:00:00Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(time(Wall(millis)), shown);
        }
    }
}
