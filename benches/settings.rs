//! Large settings: how long a check of them takes, and a reload of which one link is another.

#[path = "../tests/support/mod.rs"]
mod support;

mod row;

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dmgw::config::{Inputs, read};
use serde_json::json;
use support::Gateway;

const GROUPS: usize = 5_000;
const FILES: usize = 50;
const PROFILES: usize = 200;
const POINTS: usize = 50;
const LINKS: usize = 200;
const ROUNDS: usize = 5;
const RELOADS: usize = 21;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    check();
    reload();
}

fn check() {
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("dmgw.toml");
    fs::write(&main, "[link.plant]\nsim = {}\n").expect("a main file");
    let bytes = groups(folder.path()) + profiles(folder.path());
    let check = || {
        let start = Instant::now();
        let inputs = Inputs::gather(&main, std::env::vars()).expect("all of it can be read");
        let reading = black_box(read(&inputs));
        let took = start.elapsed().as_secs_f64() * 1_000.0;
        assert!(reading.faults.is_empty(), "{}", reading.faults.show(&inputs.sources));
        let config = reading.config.expect("nothing is wrong in it");
        assert_eq!((config.group.len(), config.profile.len()), (GROUPS, PROFILES));
        took
    };
    let fastest = (0..ROUNDS).map(|_| check()).fold(f64::MAX, f64::min);
    let settings = [
        ("groups", GROUPS.to_string()),
        ("drop-ins", FILES.to_string()),
        ("profiles", PROFILES.to_string()),
        ("points", POINTS.to_string()),
        ("bytes", bytes.to_string()),
    ];
    row::Row::new("settings-check", fastest, None, &settings).write();
}

fn groups(folder: &Path) -> usize {
    let text = |file: usize| {
        (0..GROUPS / FILES).fold(String::new(), |mut text, no| {
            let _ = writeln!(
                text,
                "[group.area-{file}-{no}]\nfor = {{ link = \"plant\", label = {{ floor = \"{file}\", row = [\"{no}\", \"r*\"] }} }}"
            );
            text
        })
    };
    put(&folder.join("policies.d"), FILES, text)
}

fn profiles(folder: &Path) -> usize {
    let text = |no: usize| {
        let mut text = format!("[[profile.kind-{no}.match]]\nidentity = \"serial:maker-{no}:*\"\nweight = 10\n");
        for point in 0..POINTS {
            let _ = writeln!(
                text,
                "[profile.kind-{no}.point.\"part-{point}.power\"]\ntype = \"float\"\nunit = \"W\"\nscale = 0.1\n\
                 invalid = [32767]\nmin = 0\nmax = 5000"
            );
        }
        text
    };
    put(&folder.join("profiles.d"), PROFILES, text)
}

/// How many bytes it wrote.
fn put(folder: &Path, files: usize, text: impl Fn(usize) -> String) -> usize {
    fs::create_dir_all(folder).expect("a folder");
    let written = (0..files).map(|no| {
        let text = text(no);
        fs::write(folder.join(format!("{no:04}.toml")), &text).expect("a drop-in");
        text.len()
    });
    written.sum()
}

fn link(no: usize, every: usize) -> String {
    format!("[link.l{no}]\nevery = \"{every}s\"\nsim = {{ socket = \"/nowhere/l{no}\" }}\n")
}

fn reload() {
    let mut gateway = Gateway::new("# Links only.\n");
    let folder = gateway.folder.path().join("links.d");
    put(&folder, LINKS, |no| link(no, 60));
    gateway.start();
    let mut took: Vec<f64> = (0..RELOADS).map(|round| one(&gateway, &folder, round)).collect();
    took.sort_by(f64::total_cmp);
    let settings = [("links", LINKS.to_string()), ("reloads", RELOADS.to_string())];
    row::Row::new("settings-reload", took[RELOADS / 2], None, &settings).write();
    assert!(gateway.terminate().0.success());
}

fn one(gateway: &Gateway, folder: &Path, round: usize) -> f64 {
    let no = round * 7 % LINKS;
    fs::write(folder.join(format!("{no:04}.toml")), link(no, 61 + round)).expect("a changed drop-in");
    let began = Instant::now();
    let answer = gateway.post("/v1/config/reload", &json!(null));
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    let changed = &answer.body["changed"];
    assert!(answer.status == 200 && changed.as_array().is_some_and(|keys| keys.len() == 1), "{}", answer.body);
    took
}
