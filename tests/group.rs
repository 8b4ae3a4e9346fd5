//! The group at the socket: its members come in beside root, as what the settings say, and nobody else does.
//!
//! Needs root, for it asks as other users; otherwise it says SKIP and why.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::Value;
use support::{Gateway, eventually, text};

/// As nobody, with this group; without a word where this is not root.
fn as_nobody(gateway: &Gateway, group: &str, words: &[&str]) -> Output {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=nobody", &format!("--regid={group}"), "--clear-groups"])
        .arg(gateway.folder.path().join("dmgw"));
    command.args(words).arg("--socket").arg(gateway.socket()).output().unwrap()
}

#[test]
fn members_of_the_group_come_in_as_what_the_settings_say() {
    let test = "members_of_the_group_come_in_as_what_the_settings_say";
    if !nix::unistd::Uid::effective().is_root() {
        return println!("SKIP {test}: only root may ask as other users");
    }
    let mut gateway = Gateway::new("[socket]\npath = \"{dir}/dmgw.sock\"\ngroup = \"users\"\nrole = \"operator\"\n");
    std::fs::set_permissions(gateway.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Nobody may not go where this one was built.
    std::fs::copy(env!("CARGO_BIN_EXE_dmgw"), gateway.folder.path().join("dmgw")).unwrap();
    gateway.start();
    assert_eq!(std::fs::metadata(gateway.socket()).unwrap().permissions().mode() & 0o777, 0o660);

    let member = as_nobody(&gateway, "users", &["status"]);
    assert!(member.status.success(), "{}", text(&member.stderr));
    let more = as_nobody(&gateway, "users", &["token", "create", "eve", "--role", "administrator"]);
    assert!(!more.status.success() && text(&more.stderr).contains("may not"), "{}", text(&more.stderr));
    let told = eventually("the refusal is told", || {
        let page = gateway.get("/v1/journal/vital?limit=1000").ok();
        let records = page["records"].as_array().unwrap().iter();
        records.map(|held| held["record"]["audit"].clone()).find(|audit| audit["by"] == "local-nobody")
    });
    assert!(told["from"].as_str().unwrap().starts_with("uid:"), "{told}");
    assert_ne!(told["came"], Value::Null);

    // The negative: the same user, without the group.
    let stranger = as_nobody(&gateway, "nogroup", &["status"]);
    assert_eq!(stranger.status.code(), Some(4), "{}", text(&stranger.stderr));
}
