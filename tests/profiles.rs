//! `dmgw profile`: what is shipped does what its examples say, and the owner's own stands in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/profiles")
}

/// On a gateway whose settings lie there.
fn dmgw(settings: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    command.env("DMGW_PROFILES", shipped()).args(["--config", settings.to_str().unwrap()]);
    command.args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

/// Settings with this drop-in.
fn gateway(name: &str, drop_in: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("profiles.d")).unwrap();
    fs::write(folder.path().join("profiles.d").join(name), drop_in).unwrap();
    let settings = folder.path().join("dmgw.toml");
    fs::write(&settings, "[gateway]\nid = \"g\"\n").unwrap();
    (folder, settings)
}

#[test]
fn every_shipped_profile_keeps_to_its_example() {
    let (_folder, settings) = gateway("none.toml", "# none\n");
    let list = dmgw(&settings, &["profile", "list", "--json"]);
    let names: Vec<String> =
        json(&list).as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.len() >= 2, "{names:?}");
    for name in names {
        let tried = dmgw(&settings, &["profile", "test", &name]);
        assert!(tried.status.success(), "{}", text(&tried));
        assert!(text(&tried).contains("ok    "), "{}", text(&tried));
    }
}

#[test]
fn every_shipped_file_is_right_by_itself() {
    let (_folder, settings) = gateway("none.toml", "# none\n");
    for entry in fs::read_dir(shipped()).unwrap() {
        let path = entry.unwrap().path();
        let checked = dmgw(&settings, &["profile", "check", path.to_str().unwrap()]);
        assert!(checked.status.success(), "{}", text(&checked));
    }
}

#[test]
fn an_own_profile_stands_in_the_place_of_a_shipped_one_and_this_is_said() {
    let (_folder, settings) = gateway(
        "own.toml",
        "[profile.acme-relay]\nversion = \"9\"\nsupported_until = 2027-03-01\n[profile.mine]\nextends = \"acme-meter\"\n",
    );
    let list = json(&dmgw(&settings, &["profile", "list", "--json"]));
    let of = |name: &str| list.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    assert!(of("acme-relay")["covers"].as_str().unwrap().ends_with("acme-relay.toml"), "{list}");
    assert_eq!((of("acme-relay")["version"].as_str(), of("acme-relay")["shipped"].as_bool()), (Some("9"), Some(false)));
    assert_eq!((of("acme-meter")["shipped"].as_bool(), of("mine")["maker"].as_str()), (Some(true), None));
    assert!(text(&dmgw(&settings, &["profile", "list"])).contains("own, covers"));
    let support = text(&dmgw(&settings, &["profile", "show", "acme-relay"]));
    assert!(support.contains("supported_until = 2027-03-01\n"), "{support}");
    let shown = text(&dmgw(&settings, &["profile", "show", "mine", "--origin"]));
    assert!(shown.contains("[profile.mine.point.\"energy.total\"]\ncounter = { bits = 32 }"), "{shown}");
    assert!(shown.contains("acme-meter.toml:") && shown.contains("own.toml:5"), "{shown}");
    assert_eq!(json(&dmgw(&settings, &["profile", "show", "mine", "--json"]))["mine"]["maker"], "acme");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_ends_with_1() {
    let (folder, settings) = gateway("none.toml", "# none\n");
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "[profile.p.point.\"a.x\"]\nunit = \"kwh\"\nscal = 2\n").unwrap();
    let checked = dmgw(&settings, &["profile", "check", bad.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    let told = text(&checked);
    assert!(
        told.contains("bad.toml:2:8: ") && told.contains("Did you mean \"kWh\"?") && told.contains("bad.toml:3:1: "),
        "{told}"
    );
    let faults = json(&dmgw(&settings, &["profile", "check", "--json", bad.to_str().unwrap()]));
    assert_eq!((faults["faults"][0]["line"].as_u64(), faults["faults"][0]["column"].as_u64()), (Some(2), Some(8)));
    let unknown = dmgw(&settings, &["profile", "show", "acme-meterr"]);
    assert!(unknown.status.code() == Some(2) && text(&unknown).contains("Did you mean \"acme-meter\"?"));
}

#[test]
fn an_example_that_is_not_kept_is_told_line_by_line() {
    let (folder, settings) = gateway("none.toml", "# none\n");
    let file = folder.path().join("p.toml");
    fs::write(&file, "[profile.p]\nmatch = [{ driver = \"sim\" }]\n[profile.p.point.\"a.x\"]\nscale = 0.1\n").unwrap();
    let missing = dmgw(&settings, &["profile", "test", file.to_str().unwrap()]);
    assert!(missing.status.code() == Some(1) && text(&missing).contains("has no example"), "{}", text(&missing));
    let example = "profile = \"p\"\n[[sighting]]\ndriver = \"sim\"\nis = \"p\"\nscore = 1\n\
                   [[reading]]\nraw = { \"a.x\" = 2301 }\nmeans = { \"a.x\" = 231 }\n";
    fs::write(folder.path().join("p.example.toml"), example).unwrap();
    let tried = dmgw(&settings, &["profile", "test", file.to_str().unwrap()]);
    let told = text(&tried);
    assert_eq!(tried.status.code(), Some(1), "{told}");
    assert!(told.contains("p.example.toml:2: sighting: p, 1 points (driver sim: 1)"), "{told}");
    assert!(told.contains("FAIL  ") && told.contains("a.0.x = 230.1; expected a.0.x = 231"), "{told}");
    assert!(told.contains("2 tried, 1 not as expected"), "{told}");
}
