//! What a key of the settings means, as the command line explains it. It needs no files.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use dmgw::config::Config;
use dmgw::document::{KeyDoc, Nested, Section};
use serde_json::Value;

fn dmgw(words: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_dmgw")).current_dir(folder.path()).args(words).output().unwrap();
    assert!(folder.path().read_dir().unwrap().next().is_none(), "it makes no files");
    (ended.status.code().unwrap(), support::text(&ended.stdout) + &support::text(&ended.stderr))
}

/// `limits.asks`, `link.every`, `link.sim.lanes`: every key that there is.
fn walk(keys: &[KeyDoc], path: &str, found: &mut Vec<(String, bool)>) {
    for key in keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        found.push((path.clone(), matches!(key.nested, Nested::No)));
        if let Some(below) = key.nested.below() {
            walk(below.keys, &path, found);
        }
    }
}

fn explained(key: &str) -> Value {
    let (code, says) = dmgw(&["config", "explain", key, "--json"]);
    assert_eq!(code, 0, "{says}");
    serde_json::from_str(&says).unwrap()
}

#[test]
fn every_key_is_explained_with_its_reason_and_its_default_or_an_example() {
    let mut keys = Vec::new();
    walk(Config::KEYS, "", &mut keys);
    assert!(keys.len() > 100);
    let mut told = BTreeSet::new();
    for (key, is_value) in &keys {
        let said = explained(key);
        assert!(said["key"] == **key && said["meaning"].as_str().is_some_and(|text| text.len() > 10), "{said}");
        let shows: &[&str] = if *is_value { &["default", "example"] } else { &["keys", "default", "example"] };
        assert!(shows.iter().any(|shows| said[shows].is_string()), "{said}");
        assert!(told.insert(said.to_string()));
    }
    // With the name of a table, too.
    let every = explained("link.meters.every");
    assert!(every["default"] == "\"10s\"" && every["bounds"] == "\"10ms\" to \"1d\"", "{every}");
    let link = explained("link.meters");
    assert!(link["key"] == "link" && link["keys"].as_str().unwrap().starts_with("template, every"), "{link}");
    // As `show` prints them, and as the file teaches them.
    for (key, of) in [
        ("variable.site", "variable"),
        ("template.slow", "template"),
        ("journal.readers.office", "journal.readers"),
        ("device.x.label.row", "device.label"),
        ("profile.acme.point.\"meter.voltage\".scale", "profile.point.scale"),
    ] {
        assert_eq!(explained(key)["key"], *of, "{key}");
    }
    let (_, says) = dmgw(&["config", "explain", "template"]);
    assert!(says.contains("silent_after = \"30m\" }\n") && !says.contains('\u{fffd}'), "{says}");
}

#[test]
fn explaining_a_wrong_key_tells_the_nearest() {
    for (wrong, meant) in [
        ("limts", "limits"),
        ("limits.aks", "asks"),
        ("link.evry", "every"),
        ("link.meters.evry", "every"),
        ("link.meters.sim.lane", "lanes"),
        ("admission.tehn", "then"),
        ("profile.acme.exends", "extends"),
    ] {
        let (code, says) = dmgw(&["config", "explain", wrong]);
        assert!(code == 1 && says.contains(&format!("Did you mean {meant:?}?")), "{wrong}: {says}");
    }
    let (code, says) = dmgw(&["config", "explain", "limits.asks.more"]);
    assert!(code == 1 && says.contains("limits.asks has no key \"more\" below it"), "{says}");
}
