//! Settings with mistakes, `tests/settings/bad/*.toml`: each is told where it stands, with words that help, and nothing
//! else is told.
//!
//! The first lines of a file, `# hint: …`, say what each message must contain. A comment with a `^`, directly under the
//! line with a mistake, points at its first character; there are as many of them as hints, in the same order. Most files
//! have one mistake. To add one: write the file.

use std::fs;
use std::path::{Path, PathBuf};

use dmgw::config::{Inputs, read};
use dmgw::document::{Origin, Sources};

/// What the file says of one of its mistakes.
struct Expected<'a> {
    hint: &'a str,
    line: usize,
    column: usize,
}

/// None where it does not say as many places as hints, or none at all.
fn expected(text: &str) -> Option<Vec<Expected<'_>>> {
    let hints: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# hint: ")).collect();
    let is_mark = |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with('^'));
    let marks: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| is_mark(line)).collect();
    let pairs = hints.iter().zip(&marks);
    let found: Option<Vec<Expected<'_>>> = pairs
        .map(|(hint, (line, mark))| {
            Some(Expected { hint, line: *line, column: mark.chars().position(|c| c == '^')? + 1 })
        })
        .collect();
    found.filter(|found| !found.is_empty() && (hints.len(), marks.len()) == (found.len(), found.len()))
}

/// What is wrong with how the file is refused.
fn fault(path: &Path, text: &str) -> Option<String> {
    let Some(expected) = expected(text) else {
        return Some("it has no `# hint: …` in its first line, or not as many marks `^`".into());
    };
    let mut sources = Sources::default();
    let main = sources.add(Origin::File(path.to_owned()), text.to_owned());
    let inputs = Inputs { sources, files: vec![main], ..Inputs::default() };
    let faults = read(&inputs).faults;
    if faults.is_empty() {
        return Some("it is taken as if nothing were wrong".into());
    }
    let lost = expected.iter().zip(faults.iter()).find(|(Expected { hint, line, column }, fault)| {
        let place = inputs.sources.line(fault.at).map(|(line, column, _)| (line, column));
        place != Some((*line, *column)) || !fault.show(&inputs.sources).contains(hint)
    });
    let told = faults.show(&inputs.sources);
    match lost {
        Some((Expected { hint, line, column }, _)) => {
            Some(format!("{hint:?} is not told at {line}:{column}, but:\n{told}"))
        }
        None if faults.len() != expected.len() => {
            Some(format!("{} mistakes are told, not {}:\n{told}", faults.len(), expected.len()))
        }
        None => None,
    }
}

fn bad() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/settings/bad");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    paths
}

#[test]
fn every_mistake_is_told_where_it_stands() {
    let mut wrong = Vec::new();
    for path in bad() {
        let text = fs::read_to_string(&path).unwrap();
        let name = Path::new(path.file_name().unwrap());
        wrong.extend(fault(name, &text).map(|says| format!("{}: {says}", name.display())));
    }
    assert!(wrong.is_empty(), "{} files:\n\n{}\n", wrong.len(), wrong.join("\n\n"));
    assert!(bad().len() >= 80, "some are missing");
}

#[test]
fn a_file_that_is_right_or_refused_elsewhere_is_found() {
    let right = "# hint: x\n[gateway]\nid = \"a\"\n#    ^ here\n";
    assert!(fault(Path::new("a.toml"), right).unwrap().contains("as if nothing were wrong"));
    let elsewhere = "# hint: unknown key\n[gateway]\n  idd = \"a\"\n#        ^ here\n";
    assert!(fault(Path::new("a.toml"), elsewhere).unwrap().contains("is not told at 3:10"));
    let other_words = "# hint: something else\n[gateway]\n  idd = \"a\"\n# ^ here\n";
    assert!(fault(Path::new("a.toml"), other_words).is_some());
    assert!(fault(Path::new("a.toml"), &other_words.replace("something else", "unknown key")).is_none());
    assert!(fault(Path::new("a.toml"), "[gateway]\nidd = 1\n").unwrap().contains("not as many marks"));
    let more = format!("{}asks = 1\n", other_words.replace("something else", "unknown key"));
    assert!(fault(Path::new("a.toml"), &more).unwrap().contains("2 mistakes are told, not 1"));
}
