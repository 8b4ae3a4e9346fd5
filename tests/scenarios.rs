//! Scenarios: each folder under `tests/scenarios` is a script of events and the transcript that it must give.
//!
//! `UPDATE=1 cargo test --test scenarios` writes the transcripts anew; read the difference before you commit it.

use std::path::Path;

use dmgw::replay::{Script, run};

fn scenario(folder: &Path) -> Result<(), String> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(folder.join("script.toml")).map_err(|e| format!("{name}: {e}"))?;
    let script = Script::read(&text).map_err(|e| format!("{name}: {e}"))?;
    let transcript = run(&script);
    let expected = folder.join("expected.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected, &transcript).map_err(|e| format!("{name}: {e}"))?;
    }
    if let Some(bad) = transcript.lines().find(|line| line.starts_with("MISMATCH") || line.starts_with("STUCK")) {
        return Err(format!("{name}: {bad}"));
    }
    let wanted = std::fs::read_to_string(&expected).map_err(|e| format!("{name}: expected.txt: {e}"))?;
    match wanted.lines().zip(transcript.lines()).enumerate().find(|(_, (wanted, got))| wanted != got) {
        Some((line, (wanted, got))) => {
            Err(format!("{name}, line {}:\n  expected {wanted}\n  got      {got}", line + 1))
        }
        None if wanted != transcript => Err(format!("{name}: the transcript has another length:\n{transcript}")),
        None => Ok(()),
    }
}

#[test]
fn every_scenario_goes_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 15, "only {} scenarios", folders.len());
    let failures: Vec<String> = folders.iter().filter_map(|folder| scenario(folder).err()).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_bad_script_says_what_is_wrong() {
    let error = |text: &str| Script::read(text).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error("[[step]]\nat = 1\nevent = { up = { credits = 1 } }").contains("needs `from`"));
    assert!(error("[link.a]\n[[step]]\nat = 1\nfrom = 'b'\nevent = { up = { credits = 1 } }").contains("no link b"));
    assert!(error("[[step]]\nat = 2\n[[step]]\nat = 1").contains("earlier"));
    assert!(error("[[step]]\nat = 1\nwhen = 2").contains("unknown field"));
}

/// What the text names as `clock-…`.
fn named_clocks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|name| name.starts_with("clock-")).collect()
}

#[test]
fn every_scenario_of_the_clock_table_is_there_and_every_one_that_is_there_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut named = named_clocks(&text);
    named.sort_unstable();
    let folders = std::fs::read_dir(root.join("tests/scenarios")).unwrap();
    let mut there: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.retain(|name| name.starts_with("clock-"));
    there.sort();
    assert!(named.len() >= 7, "only {} rows name a scenario", named.len());
    assert_eq!(named, there);
}

#[test]
fn a_scenario_is_named_between_backticks() {
    assert_eq!(named_clocks("| a block | `clock-block` | clock-not | `other` |"), ["clock-block"]);
}
