//! What is well, what is not quite and what is not: green, yellow and red, where the terminal shows it.

use super::terminal;

/// Columns, and rows of a page, that tell how something is.
const TELLING: [&str; 3] = ["STATE", "HEALTH", "QUALITY"];
const GREEN: [&str; 6] = ["up", "ok", "good", "done", "managed", "set"];
const YELLOW: [&str; 10] =
    ["degraded", "pending", "uncertain", "starting", "queued", "sent", "quarantined", "held", "unset", "maintenance"];
const RED: [&str; 9] = ["silent", "gone", "down", "bad", "failed", "unknown", "expired", "refused", "retired"];

/// What stands under a head, in the colour of the worst that it says. `cell` is what it says, `shown` what there is room for.
pub fn tinted(head: &str, cell: &str, shown: String) -> String {
    if !terminal::colours() {
        return shown;
    }
    match code(head, cell) {
        Some(code) => format!("\u{1b}[{code}m{shown}\u{1b}[0m"),
        None => shown,
    }
}

fn code(head: &str, cell: &str) -> Option<u8> {
    if !TELLING.iter().any(|known| known.eq_ignore_ascii_case(head)) {
        return None;
    }
    // What comes after the colon is the reason, in words of others.
    let says = cell.split(':').next().unwrap_or_default();
    let says = |known: &[&str]| {
        let mut words = says.split(|c: char| !c.is_alphabetic());
        words.any(|word| known.contains(&word))
    };
    match (says(&RED), says(&YELLOW), says(&GREEN)) {
        (true, ..) => Some(31),
        (_, true, _) => Some(33),
        (_, _, true) => Some(32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_a_state_says_gives_its_colour_and_a_reason_gives_none() {
        for (head, cell, expected) in [
            ("STATE", "up", Some(32)),
            ("state", "managed, silent for 2m; heard 2m ago", Some(31)),
            ("STATE", "down: nobody is up", Some(31)),
            ("STATE", "up: what was down", Some(32)),
            ("QUALITY", "uncertain", Some(33)),
            ("STATE", "not heard yet", None),
            ("NAME", "up", None),
        ] {
            assert_eq!(code(head, cell), expected, "{head} {cell}");
        }
    }

    #[test]
    fn without_a_terminal_there_are_no_colours() {
        assert_eq!(tinted("STATE", "up", "up".into()), "up");
    }
}
