//! Whatever is given: an answer in bounded time, and nothing falls over.

use std::time::{Duration, Instant};

use super::*;
use crate::selector::{DEEPEST, LONGEST, MOST_TOKENS};

/// For one text, on a busy machine and without optimisation.
const SOON: Duration = Duration::from_secs(2);
/// Half of what a thread has by default. Optimised it takes less than an eighth of that.
const STACK: usize = 1 << 20;

fn is_answered(text: &str) -> Result<Selector, BadSelector> {
    let start = Instant::now();
    let read = Selector::parse(text);
    assert!(start.elapsed() < SOON, "{text} took {:?}", start.elapsed());
    if let Err(bad) = &read {
        assert!(text.get(bad.at.clone()).is_some(), "{text}: {bad:?} points beside the text");
    }
    if let Ok(selector) = &read {
        assert!(selector.holds(&feeder().facts()) == Holds::Unknown || selector.why(&feeder().facts()).is_empty());
        selector.why(&bare().facts());
    }
    read
}

/// An overflow ends the process, which nobody overlooks.
fn with_little_stack(what: fn()) {
    std::thread::Builder::new().stack_size(STACK).spawn(what).unwrap().join().unwrap();
}

#[test]
fn the_highest_trees_need_little_stack() {
    with_little_stack(|| {
        let half = MOST_TOKENS / 2 - 1;
        for (open, inner, close) in [
            ("", "blocked", " == blocked"),
            ("!(", "blocked", ")"),
            ("blocked == (blocked && ", "blocked", ")"),
            ("blocked ? (blocked) : ", "blocked", ""),
            ("size(", "groups", ")"),
            ("", "label", ".row"),
            ("", "label", ".row()"),
            ("[", "blocked", "]"),
        ] {
            let read: Vec<bool> = (1..=half)
                .map(|times| is_answered(&format!("{}{inner}{}", open.repeat(times), close.repeat(times))).is_ok())
                .collect();
            assert!(!read[half - 1] || read.iter().all(|it| *it), "{open}{inner}{close}");
        }
    });
}

#[test]
fn long_chains() {
    for (first, next) in [
        ("1", "+1"),
        ("1", "-1"),
        ("blocked", " && blocked"),
        ("blocked", " || blocked"),
        ("blocked", " == blocked"),
        ("blocked", " in blocked"),
        ("blocked", "? blocked : blocked"),
        ("a", ".b"),
        ("a", "[b]"),
        ("a", ".b()"),
        ("", "!"),
        ("", "-"),
        ("", "a "),
        ("", "."),
        ("", "'' "),
        ("'", "a"),
        ("", "? : == && "),
    ] {
        for count in [10, 50, 66, 99, 150, 1_000, 100_000] {
            let _ = is_answered(&format!("{first}{}", next.repeat(count)));
            let _ = is_answered(&format!("{first}{}blocked", next.repeat(count)));
        }
    }
}

#[test]
fn deep_nests() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!(", ")"),
        ("blocked && (", ")"),
        ("a[", "]"),
        ("a.f(", ")"),
        ("f(a, ", ")"),
        ("has(", ")"),
        ("size([", "])"),
        ("blocked ? (", ") : blocked"),
        ("blocked ? blocked : ", ""),
        ("blocked == (blocked || !(", "))"),
        ("{1: ", "}"),
    ] {
        for depth in [1, 5, 8, DEEPEST, DEEPEST + 1, 60, 90, 100_000] {
            let _ = is_answered(&format!("{}blocked{}", open.repeat(depth), close.repeat(depth)));
            let _ = is_answered(&open.repeat(depth));
            let _ = is_answered(&close.repeat(depth));
        }
    }
}

#[test]
fn towers_of_macros() {
    for depth in [1, 2, 5, 8, DEEPEST, 30] {
        for call in ["exists(g, ", "all(g, ", "map(g, ", "filter(g, ", "exists_one(g, "] {
            let text = format!("{}true{}", format!("groups.{call}").repeat(depth), ")".repeat(depth));
            assert!(is_answered(&text).is_err() || depth == 1, "{text}");
        }
    }
}

#[test]
fn the_bounds_are_where_they_are_said_to_be() {
    let texts = |count: usize| format!("hardware in [{}'']", "'', ".repeat(count));
    // hardware, in, the brackets and the last text are five, each other text is two.
    assert!(is_answered(&texts((MOST_TOKENS - 5) / 2)).is_ok());
    let bad = is_answered(&texts((MOST_TOKENS - 5) / 2 + 1)).unwrap_err();
    assert!(bad.says.contains("at most 200 words and signs"), "{bad}");
    let long = |bytes: usize| format!("hardware == '{}'", "x".repeat(bytes - 14));
    assert!(is_answered(&long(LONGEST)).is_ok());
    assert!(is_answered(&long(LONGEST + 1)).unwrap_err().says.contains("at most 1024 bytes"));
    assert!(is_answered(&"ä".repeat(LONGEST)).is_err());
    let deep = |depth: usize| format!("{}blocked{}", "(".repeat(depth), ")".repeat(depth));
    assert!(is_answered(&deep(DEEPEST)).is_ok());
    assert!(is_answered(&deep(DEEPEST + 1)).unwrap_err().says.contains("nest at most 16 deep"));
}

#[test]
fn random_tokens_and_bytes() {
    const PIECES: [&str; 30] = [
        "blocked",
        "life",
        "label",
        "groups",
        "exists",
        "has",
        "size",
        "g",
        "'managed'",
        "\"a",
        "1",
        "(",
        ")",
        "[",
        "]",
        ".",
        ",",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "?",
        ":",
        " in ",
        "-",
        "ä",
        " ",
        "\\",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % most as u64) as usize
    };
    for _ in 0..2_000 {
        let pieces: String = (0..below(40)).map(|_| PIECES[below(PIECES.len())]).collect();
        let _ = is_answered(&pieces);
        let bytes: Vec<u8> = (0..below(60)).map(|_| below(256) as u8).collect();
        let _ = is_answered(&String::from_utf8_lossy(&bytes));
    }
}
