//! `dmgw key`: what it prints makes a gateway believe what the file signs, and the private part stays where it is.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use dmgw::config::Config;
use dmgw::model::{Name, Role};
use dmgw::seal::{Envelope, OwnKey};

fn dmgw(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dmgw")).args(args).current_dir(folder).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_lines_that_it_prints_are_those_of_the_key_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let made = dmgw(folder.path(), &["key", "create", "office", "--role", "operator", "--for", "link == \"plant\""]);
    assert!(made.status.success(), "{made:?}");
    let file = folder.path().join("office.key");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let lines = printed(&made);
    let config = Config::parse(Path::new("dmgw.toml"), &format!("[link.plant.own]\n{lines}")).unwrap();
    let key = &config.key[&Name::new("office").unwrap()];
    assert_eq!((key.role, key.of.as_ref().unwrap().value.0.text()), (Role::Operator, "link == \"plant\""));
    let envelope = Envelope::sign(&OwnKey::in_file(&file).unwrap(), "{}");
    assert_eq!((envelope.key.as_str(), envelope.verify(&key.public)), ("office", Ok(())));
    // Nothing of the private part is told.
    let held = std::fs::read_to_string(&file).unwrap();
    let seed = held.trim().rsplit(':').next().unwrap();
    let told = format!("{lines}{}", String::from_utf8_lossy(&made.stderr));
    assert!(seed.len() == 43 && !told.contains(seed), "{told}");

    let again = dmgw(folder.path(), &["key", "show", "office.key", "--role", "operator", "--for", "link == \"plant\""]);
    assert_eq!(printed(&again), lines);
}

#[test]
fn a_key_that_is_there_is_not_overwritten_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let create = ["key", "create", "office", "--role", "viewer"];
    assert!(dmgw(folder.path(), &create).status.success());
    let before = std::fs::read(folder.path().join("office.key")).unwrap();
    assert_eq!(dmgw(folder.path(), &create).status.code(), Some(1));
    assert_eq!(std::fs::read(folder.path().join("office.key")).unwrap(), before);
    for wrong in [
        &["key", "create", "an office", "--role", "viewer"][..],
        &["key", "create", "b", "--role", "king"],
        &["key", "create", "b", "--role", "viewer", "--for", "link =="],
        &["key", "create", "b"],
    ] {
        assert_eq!(dmgw(folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
    std::fs::write(folder.path().join("b.key"), "no key").unwrap();
    std::fs::set_permissions(folder.path().join("b.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(dmgw(folder.path(), &["key", "show", "b.key", "--role", "viewer"]).status.code(), Some(1));
}
