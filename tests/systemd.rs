//! The unit, the user and the folders that a package will install: systemd itself reads them.
//!
//! Where systemd's tools are missing the test says SKIP and why; `make test` counts it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

/// What the tool says, or none where this machine does not have it.
fn ask(test: &str, tool: &str, args: &[&str]) -> Option<Output> {
    match Command::new(tool).args(args).output() {
        Ok(output) => Some(output),
        Err(e) => {
            println!("SKIP {test}: cannot run {tool}: {e}");
            None
        }
    }
}

/// The unit as a package would install it, with the binary that was just built in place of the installed one.
fn unit_for_this_build(folder: &Path, change: impl Fn(String) -> String) -> PathBuf {
    let unit = std::fs::read_to_string(file("dmgw.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/dmgw run\n"));
    let unit = unit.replace("/usr/bin/dmgw", env!("CARGO_BIN_EXE_dmgw")).replace("User=dmgw", "User=root");
    let unit = unit.replace("Group=dmgw", "Group=root");
    let path = folder.join("dmgw.service");
    std::fs::write(&path, change(unit)).unwrap();
    path
}

#[test]
fn systemd_finds_no_fault_in_the_unit_and_would_find_one() {
    let test = "systemd_finds_no_fault_in_the_unit_and_would_find_one";
    let folder = tempfile::tempdir().unwrap();
    let good = unit_for_this_build(folder.path(), |unit| unit);
    let Some(verdict) = ask(test, "systemd-analyze", &["verify", "--man=no", good.to_str().unwrap()]) else { return };
    let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("dmgw.service")).collect();
    assert!(ours.is_empty(), "{ours:?}");

    let bad = unit_for_this_build(folder.path(), |unit| unit.replace("Restart=always", "Restart=perhaps"));
    let verdict = ask(test, "systemd-analyze", &["verify", "--man=no", bad.to_str().unwrap()]).unwrap();
    let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
    assert!(said.contains("perhaps") || said.contains("Restart"), "the broken unit passed: {said}");
}

#[test]
fn the_unit_reloads_by_a_command_that_there_is() {
    let unit = std::fs::read_to_string(file("dmgw.service")).unwrap();
    let reload = unit.lines().find_map(|line| line.strip_prefix("ExecReload=/usr/bin/dmgw ")).expect("a way to reload");
    let words: Vec<&str> = reload.split(' ').chain(["--help"]).collect();
    let said = Command::new(env!("CARGO_BIN_EXE_dmgw")).args(&words).output().unwrap();
    assert!(said.status.success(), "{words:?}");
}

#[test]
fn the_unit_leaves_little_to_attack() {
    let test = "the_unit_leaves_little_to_attack";
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_for_this_build(folder.path(), |unit| unit.replace("User=root", "User=nobody"));
    let args = ["security", "--offline=yes", "--threshold=27", unit.to_str().unwrap()];
    let Some(verdict) = ask(test, "systemd-analyze", &args) else { return };
    let said = String::from_utf8_lossy(&verdict.stdout).into_owned() + &String::from_utf8_lossy(&verdict.stderr);
    assert!(verdict.status.success(), "exposure above 2.7: {}", said.lines().last().unwrap_or_default());
}

#[test]
fn the_user_and_the_folders_are_understood() {
    let test = "the_user_and_the_folders_are_understood";
    if !nix::unistd::Uid::effective().is_root() {
        println!("SKIP {test}: only root may give folders to another user");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    let root_arg = format!("--root={}", root.path().display());
    for (tool, name, more) in
        [("systemd-sysusers", "dmgw.sysusers", vec![]), ("systemd-tmpfiles", "dmgw.tmpfiles", vec!["--create"])]
    {
        let path = file(name);
        let args: Vec<&str> = [root_arg.as_str()].into_iter().chain(more).chain([path.to_str().unwrap()]).collect();
        let Some(verdict) = ask(test, tool, &args) else { return };
        assert!(verdict.status.success(), "{tool}: {}", String::from_utf8_lossy(&verdict.stderr));
    }
    assert!(std::fs::read_to_string(root.path().join("etc/passwd")).unwrap().contains("dmgw:"));
    assert!(root.path().join("var/lib/dmgw").is_dir());
}
