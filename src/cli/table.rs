//! Tables that fit the terminal, and times as people read them.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::colour::tinted;
pub use super::terminal::width;
use super::terminal::zone;
use crate::model::Wall;

const NARROWEST: usize = 20;
const GAP: usize = 2;

/// To the standard output. Whoever reads it may have left (`| head`): that is no fault.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
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
    let named: Vec<String> = head.iter().map(ToString::to_string).collect();
    let lines = std::iter::once(line(&named, &widths, &[])).chain(rows.iter().map(|row| line(row, &widths, head)));
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands for what, one below the other; a long text is wrapped beside its name.
pub fn pairs(rows: &[(&str, String)], width: usize) -> String {
    let names = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let widths = [names, width.saturating_sub(names + GAP).max(NARROWEST)];
    let lines = rows.iter().map(|(name, text)| line(&[(*name).to_owned(), text.clone()], &widths, &["", name]));
    lines.collect::<Vec<_>>().join("\n")
}

/// `heads`: what each cell tells of.
fn line(row: &[String], widths: &[usize], heads: &[&str]) -> String {
    let (Some((last, cells)), Some((room, widths))) = (row.split_last(), widths.split_last()) else {
        return String::new();
    };
    let head = |column: usize| heads.get(column).copied().unwrap_or_default();
    let (mut before, mut indent) = (String::new(), 0);
    for (column, (cell, wide)) in cells.iter().zip(widths).enumerate() {
        let shown = fitted(cell, *wide);
        let pad = (wide + GAP).saturating_sub(shown.chars().count());
        before.push_str(&tinted(head(column), cell, shown));
        before.push_str(&" ".repeat(pad));
        indent += wide + GAP;
    }
    let wrapped = wrapped(last, *room);
    let lines = wrapped.iter().enumerate().map(|(no, text)| {
        let text = tinted(head(cells.len()), last, fitted(text, *room));
        let line = if no == 0 { format!("{before}{text}") } else { format!("{}{text}", " ".repeat(indent)) };
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

/// In the zone of whoever looks, with how far it is from UTC: 2026-11-20 11:34:59+01
pub fn time(wall: Wall) -> String {
    time_in(wall, &zone())
}

/// The time of day, to the microsecond: 11:34:59.123456
pub fn moment(micros: u64) -> String {
    let at = i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    at.map_or_else(|| format!("{micros} us"), |at| at.to_zoned(zone()).strftime("%H:%M:%S%.6f").to_string())
}

fn time_in(wall: Wall, zone: &TimeZone) -> String {
    let at = i64::try_from(wall.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    match at {
        Some(at) if *zone == TimeZone::UTC => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Some(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:::z").to_string(),
        // Later than anybody writes dates.
        None => format!("{} ms", wall.0),
    }
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
        assert_eq!(time(Wall(u64::MAX)), "18446744073709551615 ms");
    }

    #[test]
    fn times_are_those_of_a_zone_and_say_how_far_it_is_from_utc() {
        // An hour and a half before and after the clocks of Basel go forward.
        let basel = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(time_in(Wall(1_774_740_600_000), &basel), "2026-03-29 00:30:00+01");
        assert_eq!(time_in(Wall(1_774_748_400_000), &basel), "2026-03-29 03:40:00+02");
        let nepal = TimeZone::posix("<+0545>-5:45").unwrap();
        assert_eq!(time_in(Wall(0), &nepal), "1970-01-01 05:45:00+05:45");
    }
}
