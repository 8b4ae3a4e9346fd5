//! Reads the source as text and holds it to the house rules: what no compiler checks and every newcomer may forget.
//!
//! The table [`PARTS`] is the one truth about who may use whom. Each check is a function from text to faults, and each
//! has a test that feeds it a bad sample: a check that finds nothing anywhere would be worse than none.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 500;
/// From here on somebody should ask whether a second subject is in it. Only said, not enforced.
const LONG_FILE: usize = 300;

/// A part of `src/` and the parts that it may use, besides itself. A new folder or root file takes a row here.
const PARTS: &[(&str, &[&str])] = &[
    // The words: everybody uses them, they use nothing.
    ("model", &[]),
    // Small pure functions over text for messages and settings.
    ("nearest", &[]),
    ("units", &[]),
    // What is counted: everybody may add to it.
    ("metrics", &["model"]),
    // Small files, whole or not at all.
    ("disk", &[]),
    // What people write, with its places; what it means is for those who use it.
    ("document", &["model", "nearest"]),
    // Which devices are meant: pure, and used wherever somebody may say so.
    ("selector", &["model", "nearest"]),
    // Who may do what.
    ("access", &["model", "selector"]),
    // Kinds of devices, as people write them; what they mean is told to whoever asks.
    ("profile", &["model", "document", "nearest", "units"]),
    // Pure: no I/O, no clock, so that both can be replayed and tried on recorded history.
    ("policy", &["model"]),
    ("engine", &["access", "model", "nearest", "policy", "profile", "selector"]),
    // A driver hears orders and tells events; what rests on them is none of its business.
    ("links", &["model", "nearest", "units", "document", "profile", "metrics"]),
    ("guard", &["model"]),
    // Whom we believe in TLS, for those who dial and those who are dialled.
    ("trust", &["model"]),
    // Secrets at rest.
    ("seal", &["model", "disk"]),
    ("store", &["model", "disk", "seal", "metrics"]),
    ("view", &["access", "model", "nearest", "profile"]),
    // How a door asks the loop.
    ("asks", &["model"]),
    // What just happened, for who listens.
    ("feed", &["model"]),
    // One turn of the loop: event, step, commit, orders.
    ("turn", &["model", "engine", "feed", "profile", "store"]),
    ("replay", &["model", "policy", "profile", "selector", "engine", "store"]),
    // Readers of what is true now and of what was; they ask through events.
    ("upstream", &["model", "seal", "store", "view", "asks", "nearest", "units", "document", "metrics", "trust"]),
    // Of links only their wires, for engineers; of upstreams how they are asked over.
    (
        "api",
        &[
            "access", "model", "seal", "store", "view", "feed", "asks", "nearest", "units", "profile", "selector",
            "metrics", "links", "trust", "upstream",
        ],
    ),
    // Each part owns its own section; config sums them up.
    (
        "config",
        &[
            "model", "nearest", "units", "document", "policy", "engine", "links", "guard", "store", "view", "asks",
            "selector", "turn", "upstream", "api", "seal", "profile", "disk",
        ],
    ),
    (
        "daemon",
        &[
            "model", "units", "policy", "selector", "engine", "links", "guard", "store", "view", "asks", "turn",
            "seal", "upstream", "api", "config", "profile", "metrics", "feed",
        ],
    ),
    // A client of the API; `sim` and `replay` are run from here too.
    (
        "cli",
        &[
            "model", "nearest", "units", "document", "policy", "engine", "links", "store", "view", "replay", "api",
            "selector", "config", "seal", "profile", "disk", "trust",
        ],
    ),
    ("main", &["*"]),
    // Programs of their own: the plant.
    ("bin", &["*"]),
    ("lib", &["*"]),
];

/// Only here may the wall clock be read.
const READS_THE_CLOCK: &str = "daemon";
/// Where what comes out must not depend on the order of a hash table.
const IN_FIXED_ORDER: &[&str] = &["engine", "policy"];
const EMPTY_WORDS: &[&str] = &["manager", "handler", "helper", "util", "utils", "common"];

/// A source file: its path from the root of the project, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The row of the table: the folder or root file under `src/`.
    fn part(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first))
    }

    /// How many `super::` lead to the root of the crate.
    fn depth(&self) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let modules = inside.trim_end_matches(".rs").trim_end_matches("/mod");
        if matches!(modules, "lib" | "main") { 0 } else { modules.split('/').count() }
    }

    /// Lines of code without their comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, without_comment(line)))
    }

    fn fault(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn without_comment(line: &str) -> &str {
    // `://` stands in addresses, not before comments.
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

// ---- the checks ----

fn opens_with_a_purpose(file: &Source) -> Vec<String> {
    if file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![file.fault(1, "open the file with //! : what it is, why, what always holds")]
}

fn is_not_too_long(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines > LONGEST_FILE {
        return vec![file.fault(lines, format!("{lines} lines; split it, {LONGEST_FILE} is the most"))];
    }
    if lines > LONG_FILE {
        println!("{}: {lines} lines; is there a second subject in it?", file.path);
    }
    Vec::new()
}

fn uses_only_what_it_may(file: &Source) -> Vec<String> {
    let Some(part) = file.part() else { return Vec::new() };
    let Some((_, may)) = PARTS.iter().find(|(name, _)| *name == part) else {
        return vec![file.fault(1, format!("{part} has no row in PARTS of tests/tidy.rs: say there what it may use"))];
    };
    if may.contains(&"*") {
        return Vec::new();
    }
    let code: String = file.code().flat_map(|(_, line)| [line, "\n"]).collect();
    let allowed = |used: &str| used == part || may.contains(&used) || !PARTS.iter().any(|(name, _)| *name == used);
    parts_used(&code, file.depth())
        .into_iter()
        .filter(|(_, used)| !allowed(used))
        .map(|(line, used)| file.fault(line, format!("{part} uses {used}; it may use only {may:?}")))
        .collect()
}

/// Every name that follows `crate::`, `dmgw::` or enough `super::` to reach the root, with its line.
fn parts_used(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for root in ["crate::", "dmgw::"] {
        for (at, _) in code.match_indices(root).filter(|(at, _)| starts_a_word(code, *at)) {
            found.extend(first_names(&code[at + root.len()..]).into_iter().map(|name| (line_of(code, at), name)));
        }
    }
    let to_root = "super::".repeat(depth);
    if depth > 0 {
        for (at, _) in code.match_indices(&to_root).filter(|(at, _)| starts_a_word(code, *at)) {
            let rest = code[at + to_root.len()..].trim_start_matches("super::");
            found.extend(first_names(rest).into_iter().map(|name| (line_of(code, at), name)));
        }
    }
    found
}

/// `a::b` gives a; `{a::b, c::{d, e}}` gives a and c.
fn first_names(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut names, mut level, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level > 0 => level -= 1,
            ',' | '}' if level == 0 => {
                names.push(word(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
        if c == '}' && level == 0 && start > at {
            break;
        }
    }
    names
}

fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

fn starts_a_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn keeps_off_what_is_forbidden(file: &Source) -> Vec<String> {
    let part = file.part().unwrap_or_default();
    let clock = ["SystemTime::now", "Utc::now", "Local::now", "CLOCK_REALTIME"];
    let mut faults = Vec::new();
    for (no, line) in file.code() {
        if part != READS_THE_CLOCK && clock.iter().any(|name| line.contains(name)) {
            faults.push(file.fault(no, "only the daemon reads the wall clock; take a Now"));
        }
        if line.contains("unbounded_channel") || makes_a_channel_without_bound(line) {
            faults.push(file.fault(no, "every channel has a bound"));
        }
        if IN_FIXED_ORDER.contains(&part) && (has_word(line, "HashMap") || has_word(line, "HashSet")) {
            faults.push(file.fault(no, "the order of a hash table reaches the steps; use a BTreeMap or a Vec"));
        }
        if line.contains("#[ignore]") || line.contains("#[ignore = \"\"]") {
            faults.push(file.fault(no, "say why the test is ignored: #[ignore = \"long: …\"]"));
        }
    }
    faults
}

fn makes_a_channel_without_bound(line: &str) -> bool {
    line.match_indices("channel").any(|(at, name)| {
        let rest = &line[at + name.len()..];
        let call = if rest.starts_with("::<") { rest.find(">(").map_or("", |end| &rest[end + 1..]) } else { rest };
        call.starts_with("()") && line[..at].ends_with("mpsc::")
    })
}

fn has_word(line: &str, wanted: &str) -> bool {
    line.match_indices(wanted).any(|(at, _)| starts_a_word(line, at) || line[..at].ends_with("::"))
}

fn names_say_what_things_are(file: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let stem = Path::new(&file.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Some(empty) = empty_word(stem) {
        faults.push(file.fault(1, format!("{empty:?} says nothing about what the file is for")));
    }
    for (no, line) in file.code() {
        let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let Some((keyword, rest)) = line.split_once(' ') else { continue };
        if matches!(keyword, "struct" | "enum" | "trait" | "type" | "mod" | "union")
            && let Some(empty) = empty_word(word(rest))
        {
            faults.push(file.fault(no, format!("{empty:?} in {} says nothing about what it is for", word(rest))));
        }
    }
    faults
}

/// The word of `SomeName` or `some_name` that says nothing, if there is one.
fn empty_word(name: &str) -> Option<&'static str> {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() || c == '_' || c == '-' {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase());
    }
    let mut words = spaced.split([' ', '_', '-']);
    words.find_map(|word| {
        EMPTY_WORDS.iter().copied().find(|empty| word.trim_end_matches('s') == empty.trim_end_matches('s'))
    })
}

/// The project stands for itself: nothing of the place where it was made.
fn tells_nothing_of_the_workplace(file: &Source) -> Vec<String> {
    let places = [
        concat!("/wo", "rk/"),
        concat!("..", "/shared"),
        concat!(".lib", "rary/"),
        concat!("/home", "/"),
        concat!("/root", "/"),
    ];
    let mut faults = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        if let Some(place) = places.iter().find(|place| line.contains(**place)) {
            faults.push(file.fault(i + 1, format!("{place} is a place on somebody's machine")));
        }
        if names_an_issue(line) {
            faults.push(file.fault(i + 1, "a number of an issue means nothing to a reader; say what it was about"));
        }
    }
    faults
}

/// `issue 7`, `issues #7`, `(#7)`, `fixes #7`.
fn names_an_issue(line: &str) -> bool {
    let lower = line.to_lowercase();
    let numbered = |rest: &str| {
        rest.trim_start_matches('s').trim_start_matches([' ', '#']).starts_with(|c: char| c.is_ascii_digit())
    };
    let after_issue = lower.match_indices("issue").any(|(at, word)| numbered(&lower[at + word.len()..]));
    let after_hash = [" #", "(#"].iter().any(|hash| {
        lower.match_indices(hash).any(|(at, hash)| lower[at + hash.len()..].starts_with(|c: char| c.is_ascii_digit()))
    });
    after_issue || after_hash
}

// ---- over the project ----

fn files(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in folders {
        collect(&root.join(folder), endings, &mut found);
    }
    found.sort();
    found
        .into_iter()
        .map(|path| Source {
            path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

fn collect(path: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if path.is_dir() && !["target", "corpus", "artifacts", "coverage"].contains(&name) {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), endings, found);
        }
    } else if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
        found.push(path.to_owned());
    }
}

const CODE: &[&str] = &["src", "tests", "benches", "fuzz", "packaging"];

fn all_hold(files: Vec<Source>, check: fn(&Source) -> Vec<String>) {
    assert!(!files.is_empty(), "nothing was read");
    let faults: Vec<String> = files.iter().flat_map(check).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    all_hold(files(CODE, &[".rs"]), opens_with_a_purpose);
}

#[test]
fn no_file_is_too_long() {
    all_hold(files(CODE, &[".rs"]), is_not_too_long);
}

#[test]
fn each_part_uses_only_what_it_may() {
    all_hold(files(&["src"], &[".rs"]), uses_only_what_it_may);
}

#[test]
fn nobody_does_what_is_forbidden() {
    all_hold(files(&["src"], &[".rs"]), keeps_off_what_is_forbidden);
}

#[test]
fn every_name_says_something() {
    all_hold(files(CODE, &[".rs"]), names_say_what_things_are);
}

#[test]
fn nothing_tells_of_the_workplace() {
    let endings = [".rs", ".toml", ".md", ".sh", ".service", ".conf", "Makefile", "run"];
    let folders = ["src", "tests", "benches", "fuzz", "config", "systemd", "packaging", ".ci"];
    let mut read = files(&folders, &endings);
    for file in [
        "Makefile",
        "Cargo.toml",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deny.toml",
        "clippy.toml",
    ] {
        read.extend(files(&[file], &endings));
    }
    // This file holds the samples of what it looks for.
    read.retain(|file| file.path != "tests/tidy.rs");
    all_hold(read, tells_nothing_of_the_workplace);
}

// ---- the checks find what they are for ----

fn faults(check: fn(&Source) -> Vec<String>, path: &str, text: &str) -> usize {
    check(&Source { path: path.into(), text: text.into() }).len()
}

#[test]
fn a_file_without_a_purpose_or_an_end_is_found() {
    assert_eq!(faults(opens_with_a_purpose, "src/a.rs", "// a\n"), 1);
    assert_eq!(faults(opens_with_a_purpose, "src/a.rs", "//! a\n"), 0);
    assert_eq!(faults(is_not_too_long, "src/a.rs", &"\n".repeat(501)), 1);
    assert_eq!(faults(is_not_too_long, "src/a.rs", &"\n".repeat(500)), 0);
}

#[test]
fn a_forbidden_use_is_found_however_it_is_spelled() {
    for (path, text) in [
        ("src/engine/mod.rs", "use crate::store::Store;"),
        ("src/engine/mod.rs", "use crate::{model::Now, store::Store};"),
        ("src/engine/mod.rs", "use crate::{\n    model::{Now, Wall},\n    links,\n};"),
        ("src/engine/mod.rs", "fn f(s: &crate::store::Store) {}"),
        ("src/engine/mod.rs", "use super::store::Store;"),
        ("src/engine/commands.rs", "use super::super::store;"),
        ("src/engine/commands.rs", "#[cfg(test)]\nmod tests { use super::super::super::links::sim; }"),
        ("src/model/id.rs", "pub(in crate::engine) fn f() {}"),
        ("src/view.rs", "use dmgw::daemon;"),
        ("src/links/sim/mod.rs", "use crate::upstream;"),
        ("src/novelty.rs", "//! no row"),
    ] {
        assert_eq!(faults(uses_only_what_it_may, path, text), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/engine/mod.rs", "use crate::model::*; // not crate::store"),
        ("src/engine/mod.rs", "use crate::engine::commands; use super::model;"),
        ("src/engine/commands.rs", "use super::store_of_names;"),
        ("src/engine/commands.rs", "use super::store;"),
        ("src/main.rs", "use dmgw::daemon;"),
    ] {
        assert_eq!(faults(uses_only_what_it_may, path, text), 0, "{path}: {text}");
    }
}

#[test]
fn what_is_forbidden_is_found() {
    for (path, text) in [
        ("src/store/a.rs", "let t = SystemTime::now();"),
        ("src/links/a.rs", "clock_gettime(CLOCK_REALTIME)"),
        ("src/links/a.rs", "let (tx, rx) = mpsc::channel();"),
        ("src/links/a.rs", "let (tx, rx) = mpsc::channel::<(u8, u8)>();"),
        ("src/links/a.rs", "let (tx, rx) = mpsc::unbounded_channel();"),
        ("src/engine/a.rs", "use std::collections::HashMap;"),
        ("src/policy/a.rs", "let seen = std::collections::HashSet::new();"),
        ("src/links/a.rs", "#[ignore]"),
    ] {
        assert_eq!(faults(keeps_off_what_is_forbidden, path, text), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/daemon.rs", "let t = SystemTime::now();"),
        ("src/links/a.rs", "let (tx, rx) = mpsc::channel(QUEUE);"),
        ("src/model/name.rs", "use std::collections::HashSet;"),
        ("src/engine/a.rs", "// no HashMap here"),
        ("src/links/a.rs", "#[ignore = \"long: writes a gigabyte\"]"),
    ] {
        assert_eq!(faults(keeps_off_what_is_forbidden, path, text), 0, "{path}: {text}");
    }
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for text in ["pub struct LinkManager;", "mod utils;", "enum HandlerKind {}", "pub(crate) trait Helper {}"] {
        assert_eq!(faults(names_say_what_things_are, "src/a.rs", text), 1, "{text}");
    }
    assert_eq!(faults(names_say_what_things_are, "src/links/common.rs", ""), 1);
    for text in ["pub struct Utility;", "fn handle() {}", "mod command;", "// struct Helper"] {
        assert_eq!(faults(names_say_what_things_are, "src/a.rs", text), 0, "{text}");
    }
}

#[test]
fn a_word_of_the_workplace_is_found() {
    for text in ["see /work/x", "in ../shared/x", "// issue 12", "fixes #12", "Issue #3:", "(#4)", "/root/.cargo"] {
        assert_eq!(faults(tells_nothing_of_the_workplace, "src/a.rs", text), 1, "{text}");
    }
    for text in ["framework/", "issue a token", "#[test]", "## Added", "net #x"] {
        assert_eq!(faults(tells_nothing_of_the_workplace, "src/a.rs", text), 0, "{text}");
    }
}
