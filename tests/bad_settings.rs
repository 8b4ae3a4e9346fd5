//! Settings with one mistake each, `tests/settings/bad/*.toml`: the mistake is told where it stands, with words that help.
//!
//! The first line of a file, `# hint: …`, says what the message must contain. A comment with a `^`, directly under the
//! line with the mistake, points at its first character. To add one: write the file.

use std::fs;
use std::path::{Path, PathBuf};

use dmgw::config::{Inputs, read};
use dmgw::document::{Origin, Sources};

/// What the file says of its own mistake.
struct Expected {
    hint: String,
    line: usize,
    column: usize,
}

fn expected(text: &str) -> Option<Expected> {
    let hint = text.lines().next()?.strip_prefix("# hint: ")?.to_owned();
    let is_mark = |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with('^'));
    let (line, mark) = text.lines().enumerate().find(|(_, line)| is_mark(line))?;
    let column = mark.chars().position(|c| c == '^')? + 1;
    Some(Expected { hint, line, column })
}

/// What is wrong with how the file is refused.
fn fault(path: &Path, text: &str) -> Option<String> {
    let Some(Expected { hint, line, column }) = expected(text) else {
        return Some("it has no `# hint: …` in its first line, or no mark `^`".into());
    };
    let mut sources = Sources::default();
    let main = sources.add(Origin::File(path.to_owned()), text.to_owned());
    let inputs = Inputs { sources, files: vec![main], ..Inputs::default() };
    let faults = read(&inputs).faults;
    if faults.is_empty() {
        return Some("it is taken as if nothing were wrong".into());
    }
    let fits = faults.iter().any(|fault| {
        let place = inputs.sources.line(fault.at).map(|(line, column, _)| (line, column));
        place == Some((line, column)) && fault.show(&inputs.sources).contains(&hint)
    });
    (!fits).then(|| format!("nothing with {hint:?} is told at {line}:{column}, but:\n{}", faults.show(&inputs.sources)))
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
    assert!(fault(Path::new("a.toml"), elsewhere).unwrap().contains("is told at 3:10"));
    let other_words = "# hint: something else\n[gateway]\n  idd = \"a\"\n# ^ here\n";
    assert!(fault(Path::new("a.toml"), other_words).is_some());
    assert!(fault(Path::new("a.toml"), &other_words.replace("something else", "unknown key")).is_none());
    assert!(fault(Path::new("a.toml"), "[gateway]\nidd = 1\n").unwrap().contains("no mark"));
}
