//! The man pages: each verb has one, each key of the settings is explained, and groff finds nothing wrong with them.

#[path = "../packaging/man.rs"]
mod man;

use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use dmgw::cli::Args;
use dmgw::config::teach;

fn pages() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    man::write_all(folder.path()).unwrap();
    folder
}

/// None where there is no groff here.
fn warnings(page: &Path) -> Option<String> {
    let ended = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z", "-k"]).arg(page).output().ok()?;
    Some(String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn each_verb_has_a_page_and_each_key_is_explained() {
    let folder = pages();
    let mut verbs = vec![(String::from("dmgw"), Args::command())];
    while let Some((name, verb)) = verbs.pop() {
        assert!(folder.path().join(format!("{name}.1")).exists(), "{name}");
        let below = verb.get_subcommands().filter(|verb| verb.get_name() != "help");
        verbs.extend(below.map(|verb| (format!("{name}-{}", verb.get_name()), verb.clone())));
    }
    let settings = std::fs::read_to_string(folder.path().join("dmgw.toml.5")).unwrap();
    for path in teach::paths() {
        assert!(settings.contains(&format!("\\fB{}\\fR", path.replace('-', "\\-"))), "{path}");
    }
    for told in ["\\fBeastron\\-sdm630\\fR", "Eastron SDM630\\-Modbus V2: Energy meter, three phases."] {
        assert!(settings.contains(told), "{told}");
    }
}

#[test]
fn the_pages_render_without_a_warning_and_a_bad_one_would_be_noticed() {
    let folder = pages();
    let bad = folder.path().join("bad.1");
    std::fs::write(&bad, ".TH a 1\n.NOSUCH request\n\\f[").unwrap();
    match warnings(&bad) {
        None => {
            return println!("SKIP the_pages_render_without_a_warning_and_a_bad_one_would_be_noticed: no groff here");
        }
        Some(says) => assert!(!says.is_empty(), "groff warns"),
    }
    std::fs::remove_file(&bad).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(warnings(&path).unwrap(), "", "{}", path.display());
        count += 1;
    }
    assert!(count > 40, "{count} pages");
}
