//! A start with settings that are wrong: whatever is bad, a drop-in, a version over the files, a shipped profile or the
//! main file itself, the gateway runs with as much as holds, and says what it left out. And whose last good copy it takes.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::stat::Mode;
use serde_json::json;
use support::{Gateway, PATIENCE, Plant, TWO_DEVICES, eventually, file, told};

const LINK: &str = "[link.plain]\nsim = { socket = \"/nowhere/plain\" }\n";

fn put(gateway: &Gateway, path: &str, text: impl AsRef<[u8]>) {
    let path = gateway.folder.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn names(gateway: &Gateway) -> Vec<String> {
    let links = gateway.get("/v1/links").body["links"].clone();
    let names = links.as_array().unwrap().iter().map(|link| link["name"].as_str().unwrap().to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn change(gateway: &Gateway, text: &str, words: &[&str]) {
    let text = file(gateway, "change.toml", text);
    let (code, says) = told(gateway, &[&["config", "change", &text], words].concat());
    assert_eq!(code, 0, "{says}");
}

fn trouble(gateway: &Gateway) -> String {
    gateway.get("/v1/status").body["settings"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn with_versions_in_the_store_a_bad_drop_in_is_left_out_and_what_names_it_stays() {
    let mut gateway = Gateway::new(&format!("{LINK}[[admission]]\nlink = \"a\"\nthen = \"hold\"\n"));
    put(&gateway, "links.d/a.toml", "[link.a]\nsim = {}\n");
    gateway.start();
    change(&gateway, "[link.x]\nsim = {}\n", &[]);
    assert!(gateway.terminate().0.success());
    put(&gateway, "links.d/a.toml", "[link.a]\nevery = \"x\"\nsim = {}\n");
    gateway.start();
    assert_eq!(names(&gateway), ["plain", "x"]);
    assert!(trouble(&gateway).contains("a.toml"), "{}", trouble(&gateway));
    let log = gateway.log();
    assert!(log.contains("a.toml:2:9") && log.contains("there is no link a"), "{log}");
}

#[test]
fn a_version_that_the_files_contradict_by_now_is_left_out_and_shown_as_not_running() {
    let rest = "[link.c]\nsim = { socket = \"/nowhere/c\" }\n";
    let mut gateway = Gateway::new(&format!("{LINK}{rest}"));
    gateway.start();
    change(&gateway, "", &["--hide", "link.c"]);
    assert_eq!(names(&gateway), ["plain"]);
    assert!(gateway.terminate().0.success());
    gateway.configure(&format!("{LINK}{rest}[[admission]]\nlink = \"c\"\nthen = \"hold\"\n"));
    assert_eq!(told(&gateway, &["check"]).0, 0);
    gateway.start();
    assert_eq!(names(&gateway), ["c", "plain"]);
    assert!(trouble(&gateway).contains("version 1 by local-root"), "{}", trouble(&gateway));
    let shown = gateway.get("/v1/config").body;
    assert_eq!(shown["link.c.sim.socket"]["value"], "\"/nowhere/c\"", "{shown}");
    // A reload says so, and nothing changes; with the rule gone the version holds again.
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 409);
    gateway.configure(&format!("{LINK}{rest}"));
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    assert_eq!((names(&gateway), trouble(&gateway)), (vec!["plain".to_owned()], String::new()));
    assert!(gateway.get("/v1/config").body["link.c.sim.socket"].is_null());
}

#[test]
fn what_versions_name_is_known_to_the_environment_and_to_the_main_file_at_a_start() {
    let mut gateway = Gateway::new(LINK);
    gateway.start();
    change(&gateway, "[link.x]\nsim = {}\n[profile.acme]\n", &[]);
    assert!(gateway.terminate().0.success());
    gateway.configure(&format!("{LINK}[[admission]]\nlink = \"x\"\nprofile = \"acme\"\nthen = \"hold\"\n"));
    gateway.start_with_env(&[("DMGW_LINK__X__EVERY", "5s")]);
    assert_eq!(trouble(&gateway), "");
    let every = &gateway.get("/v1/config").body["link.x.every"];
    assert_eq!(*every, json!({ "value": "\"5s\"", "origin": "$DMGW_LINK__X__EVERY" }));
}

#[test]
fn a_file_whose_mistake_a_version_covers_keeps_nobody_from_starting() {
    let mut gateway = Gateway::new(LINK);
    gateway.start();
    change(&gateway, "[link.plain]\nevery = \"7s\"\nsim = {}\n", &[]);
    gateway.configure(&LINK.replace("sim", "every = \"x\"\nsim"));
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
    assert!(gateway.terminate().0.success());
    gateway.start();
    assert_eq!(gateway.get("/v1/config").body["link.plain.every"]["value"], "\"7s\"");
    assert_eq!(trouble(&gateway), "");
}

#[test]
fn a_bad_drop_in_and_a_bad_version_are_both_told() {
    let slow = "[template.slow]\nevery = \"1h\"\n";
    let mut gateway = Gateway::new(&format!("{LINK}{slow}"));
    gateway.start();
    change(&gateway, "[link.x]\ntemplate = \"slow\"\nsim = {}\n", &[]);
    change(&gateway, "[link.y]\nsim = {}\n", &[]);
    assert!(gateway.terminate().0.success());
    gateway.configure(LINK);
    put(&gateway, "links.d/a.toml", "[link.a]\nevery = 5\nsim = {}\n");
    gateway.start();
    assert_eq!(names(&gateway), ["plain", "y"], "{}", gateway.log());
    let says = trouble(&gateway);
    assert!(says.contains("a.toml") && says.contains("version 1 by") && !says.contains("version 2"), "{says}");
    assert!(gateway.log().contains("a.toml:2:9") && gateway.log().contains("there is no [template.slow]"));
}

#[test]
fn where_no_version_helps_the_last_good_copy_holds_with_the_versions_over_it() {
    let mut gateway = Gateway::new(LINK);
    gateway.start();
    change(&gateway, "[link.x]\nsim = {}\n", &[]);
    assert!(gateway.terminate().0.success());
    gateway.configure(&LINK.replace("sim", "every = \"x\"\nsim"));
    gateway.start();
    assert_eq!(names(&gateway), ["plain", "x"]);
    assert!(trouble(&gateway).contains("last good start") && gateway.log().contains("dmgw.toml:2:9"));
}

#[test]
fn the_last_good_copy_is_found_where_the_environment_says_and_no_other_gateways_is_taken() {
    let (mut other, mut ours) = (Gateway::new(&LINK.replace("plain", "other")), Gateway::new(LINK));
    other.start();
    assert!(other.terminate().0.success());
    ours.start();
    assert!(ours.terminate().0.success());
    std::fs::write(ours.config(), "").unwrap();
    let path = |gateway: &Gateway, name: &str| gateway.folder.path().join(name).to_str().unwrap().to_owned();
    let (store, foreign) = (path(&ours, "state.redb"), path(&other, ""));
    ours.start_with_env(&[("DMGW_STORE__PATH", &store), ("STATE_DIRECTORY", &foreign)]);
    assert_eq!(names(&ours), ["plain"]);
    assert!(ours.terminate().0.success());
    let fails = |env: &[(&str, &str)], says: &str| {
        let config = ours.config();
        let words = ["run", "--config", config.to_str().unwrap()];
        let ended = Command::new(env!("CARGO_BIN_EXE_dmgw")).args(words).envs(env.iter().copied()).output().unwrap();
        let said = support::text(&ended.stderr);
        assert!(!ended.status.success() && said.contains("is empty") && said.contains(says), "{said}");
        assert!(said.contains("settings.last"), "{said}");
    };
    fails(&[("STATE_DIRECTORY", &foreign)], "it is of another gateway, whose main file is");
    // One that was carried there by hand says itself where it belongs.
    std::fs::copy(path(&ours, "settings.last"), path(&other, "settings.last")).unwrap();
    fails(&[("STATE_DIRECTORY", &foreign)], "it is of another store");
}

#[test]
fn a_shipped_profile_that_cannot_be_read_takes_nothing_with_it() {
    let mut gateway = Gateway::new(LINK);
    put(&gateway, "shipped/a.toml", "[profile.good]\n");
    put(&gateway, "shipped/b.toml", b"# \xff\n");
    put(&gateway, "shipped/c.toml", "");
    let shipped = gateway.folder.path().join("shipped");
    gateway.start_with_env(&[("DMGW_PROFILES", shipped.to_str().unwrap())]);
    let says = trouble(&gateway);
    assert!(says.contains("b.toml") && says.contains("c.toml") && !says.contains("a.toml"), "{says}");
    assert!(gateway.log().contains("line 1 is not UTF-8") && gateway.log().contains("the file is empty"));
}

#[test]
fn what_runs_is_kept_with_the_shipped_profiles_as_they_were() {
    let mut gateway = Gateway::new(&format!("{LINK}[[admission]]\nprofile = \"acme\"\nthen = \"hold\"\n"));
    put(&gateway, "shipped/acme.toml", "[profile.acme]\ntitle = \"As it was\"\n");
    let shipped = gateway.folder.path().join("shipped");
    let env = [("DMGW_PROFILES", shipped.to_str().unwrap())];
    gateway.start_with_env(&env);
    put(&gateway, "shipped/acme.toml", "[profile.acme]\ntitle = \"Another\"\n");
    let title = |gateway: &Gateway| gateway.get("/v1/config").body["profile.acme.title"]["value"].clone();
    assert_eq!(title(&gateway), "\"As it was\"", "it was not read again");
    assert!(gateway.terminate().0.success());
    std::fs::remove_dir_all(&shipped).unwrap();
    gateway.configure("[limits]\nasks = 0\n");
    gateway.start_with_env(&env);
    assert!(trouble(&gateway).contains("last good start"), "{}", trouble(&gateway));
    assert_eq!((title(&gateway), names(&gateway)), (json!("\"As it was\""), vec!["plain".to_owned()]));
}

#[test]
fn a_pipe_among_the_settings_holds_up_neither_check_nor_reload_nor_start_nor_stop() {
    let mut gateway = Gateway::new(LINK);
    gateway.start();
    std::fs::create_dir(gateway.folder.path().join("links.d")).unwrap();
    nix::unistd::mkfifo(&gateway.folder.path().join("links.d/a.toml"), Mode::S_IRWXU).unwrap();
    let config = gateway.config();
    let mut check = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    let mut check = check.args(["check", "--config", config.to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually("the check ends", || check.try_wait().unwrap())
    }));
    check.kill().unwrap();
    assert_eq!(ended.unwrap().code(), Some(1));
    let answer = gateway.post("/v1/config/reload", &json!(null));
    assert!(answer.status == 409 && answer.body.to_string().contains("it is no file, but a folder, a pipe"));
    assert!(gateway.terminate().1 < PATIENCE);
    gateway.start();
    assert!(names(&gateway) == ["plain"] && trouble(&gateway).contains("a.toml"), "{}", trouble(&gateway));
}

#[test]
fn a_rule_without_its_profile_holds_whomever_it_may_be_about_and_both_places_are_told() {
    let plant = Plant::start(TWO_DEVICES);
    let rule = "[[admission]]\nlink = \"plant\"\nprofile = \"acme\"\nthen = \"refuse\"\n";
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "200ms", "", rule));
    put(&gateway, "profiles.d/acme.toml", "[profile.acme]\ntitel = \"A\"\n");
    gateway.start();
    let device = eventually("a device is met", || {
        let device = gateway.get("/v1/devices/meter-1").body;
        device["life"].is_string().then_some(device)
    });
    assert_eq!(device["life"], "pending", "{device}");
    assert!(trouble(&gateway).contains("acme.toml") && trouble(&gateway).contains("holds whomever"));
    let log = gateway.log();
    assert!(log.contains("acme.toml:2:1") && log.contains("there is no profile acme"), "{log}");
}

#[test]
fn a_variable_with_one_sign_too_few_is_told_at_the_start_and_stops_nothing() {
    let mut gateway = Gateway::new(LINK);
    gateway.start_with_env(&[("DMGW_LIMITS_PAGE", "7"), ("DMGW_SERVICE_PORT", "7")]);
    let says = trouble(&gateway);
    assert!(says.contains("$DMGW_LIMITS_PAGE") && !says.contains("SERVICE"), "{says}");
    assert!(gateway.log().contains("DMGW_LIMITS__PAGE"), "{}", gateway.log());
    gateway.configure(&LINK.replace("sim", "every = \"7s\"\nsim"));
    assert_eq!(gateway.post("/v1/config/reload", &json!(null)).status, 200);
}

#[test]
fn where_there_is_no_copy_the_place_where_it_was_looked_for_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (main, state) = (folder.path().join("dmgw.toml"), folder.path().join("state"));
    let store = state.join("state.redb");
    std::fs::write(&main, format!("[store]\npath = {store:?}\n[limits]\nasks = 0\n")).unwrap();
    let run = |main: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
        support::text(&command.args(["run", "--config", main.to_str().unwrap()]).output().unwrap().stderr)
    };
    let said = run(&main);
    let place = state.join("settings.last");
    assert!(said.contains("asks is 0") && said.contains(place.to_str().unwrap()), "{said}");
    assert!(!state.exists(), "nothing was made where nothing can be started");
}
