//! Large settings: how long a check of them takes, and a reload of which one link, or one device of thousands, is another.

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

const DEVICES: usize = 5_000;
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
    reload_devices();
}

fn check() {
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("dmgw.toml");
    fs::write(&main, "[link.plant]\nsim = {}\n").expect("a main file");
    let bytes = devices(folder.path()) + profiles(folder.path());
    let check = || {
        let start = Instant::now();
        let inputs = Inputs::gather(&main, std::env::vars()).expect("all of it can be read");
        let reading = black_box(read(&inputs));
        let took = start.elapsed().as_secs_f64() * 1_000.0;
        assert!(reading.faults.is_empty(), "{}", reading.faults.show(&inputs.sources));
        let config = reading.config.expect("nothing is wrong in it");
        assert_eq!((config.device.len(), config.profile.len()), (DEVICES, PROFILES));
        took
    };
    let fastest = (0..ROUNDS).map(|_| check()).fold(f64::MAX, f64::min);
    let settings = [
        ("devices", DEVICES.to_string()),
        ("files", FILES.to_string()),
        ("profiles", PROFILES.to_string()),
        ("points", POINTS.to_string()),
        ("bytes", bytes.to_string()),
    ];
    row::Row::new("settings-check", fastest, None, &settings).write();
}

fn devices(folder: &Path) -> usize {
    let each = DEVICES / FILES;
    put(&folder.join("devices.d"), FILES, |file| {
        (file * each..(file + 1) * each).map(|no| device(no, "hall")).collect()
    })
}

fn device(no: usize, place: &str) -> String {
    format!(
        "[device.meter-{no}]\nidentities = [\"serial:maker-{kind}:{no}\"]\nprofile = \"kind-{kind}\"\ngroups = [\"line-a\"]\n\
         label = {{ place = \"{place}\" }}\n",
        kind = no % PROFILES
    )
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

/// All of them in one file, of which one device is another each time.
fn reload_devices() {
    let mut gateway = Gateway::new("# Devices only.\n");
    let folder = gateway.folder.path().join("devices.d");
    let text = |changed: usize| -> String {
        (0..DEVICES).map(|no| device(no, if no == changed { "yard" } else { "hall" })).collect()
    };
    // Which device is of which kind is looked at too.
    profiles(gateway.folder.path());
    put(&folder, 1, |_| text(DEVICES));
    gateway.start();
    let mut one = |round: usize| {
        // The former one is as the others again: two are changed.
        fs::write(folder.join("0000.toml"), text(round * 7)).expect("a changed drop-in");
        reloaded(&gateway, if round == 0 { 1 } else { 2 })
    };
    let mut took: Vec<f64> = (0..ROUNDS).map(&mut one).collect();
    took.sort_by(f64::total_cmp);
    let settings = [("devices", DEVICES.to_string()), ("reloads", ROUNDS.to_string())];
    row::Row::new("settings-reload-devices", took[ROUNDS / 2], None, &settings).write();
    assert!(gateway.terminate().0.success());
}

fn one(gateway: &Gateway, folder: &Path, round: usize) -> f64 {
    let no = round * 7 % LINKS;
    fs::write(folder.join(format!("{no:04}.toml")), link(no, 61 + round)).expect("a changed drop-in");
    reloaded(gateway, 1)
}

/// So many tables are others than before.
fn reloaded(gateway: &Gateway, changes: usize) -> f64 {
    let began = Instant::now();
    let answer = gateway.post("/v1/config/reload", &json!(null));
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    let changed = &answer.body["changed"];
    assert!(answer.status == 200 && changed.as_array().is_some_and(|keys| keys.len() == changes), "{}", answer.body);
    took
}
