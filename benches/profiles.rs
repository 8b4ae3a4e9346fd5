//! Many profiles: from text to what is checked, at each start, on slow machines too; and held against a device that is met,
//! by the engine's thread.

mod row;

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dmgw::config::Config;
use dmgw::model::{
    About, Access, Capabilities, Identity, IdentityKind, Name, Point, PointNo, PointPath, Proof, ValueKind,
};
use dmgw::profile::{Facts, Profile, fittest};

const PROFILES: usize = 200;
const POINTS: usize = 50;
const ROUNDS: usize = 5;
/// Points of the device that is met.
const OF_DEVICE: usize = 60;
const SIGHTINGS: usize = 1_000;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    read();
    sighting();
}

fn read() {
    let text = text();
    let read = || {
        let start = Instant::now();
        let config = Config::parse(Path::new("profiles.toml"), &text).expect("nothing is wrong in it");
        assert_eq!(black_box(config).profile.len(), PROFILES);
        start.elapsed().as_secs_f64() * 1_000.0
    };
    let fastest = (0..ROUNDS).map(|_| read()).fold(f64::MAX, f64::min);
    let settings =
        [("profiles", PROFILES.to_string()), ("points", POINTS.to_string()), ("bytes", text.len().to_string())];
    row::Row::new("profiles-read", fastest, None, &settings).write();
}

/// A device with a point in each of its components; each profile has a sign of every sort, and the last one fits best.
fn sighting() {
    let profiles = Config::parse(Path::new("profiles.toml"), &signs()).expect("nothing is wrong in it").profile;
    let identities = [Identity::new(IdentityKind::Serial, "maker:17", Proof::Seen).expect("it is printable")];
    let about = About { hardware: Some("maker M 199".into()), ..About::default() };
    let capabilities = Capabilities { points: (0..OF_DEVICE).map(point).collect(), ..Capabilities::default() };
    let all: Vec<(&Name, &Profile)> = profiles.iter().collect();
    let sighting = || {
        let start = Instant::now();
        for _ in 0..SIGHTINGS {
            // Made anew each time, as for each device.
            let facts = Facts::new(Some("sim"), &identities, Some(&about), Some(&capabilities));
            let found = fittest(black_box(&all).iter().copied(), &facts).expect("one fits");
            assert_eq!(found.as_str(), "kind-199");
        }
        start.elapsed().as_secs_f64() * 1_000_000.0 / SIGHTINGS as f64
    };
    let fastest = (0..ROUNDS).map(|_| sighting()).fold(f64::MAX, f64::min);
    let settings = [
        ("profiles", PROFILES.to_string()),
        ("signs", "4".into()),
        ("points", OF_DEVICE.to_string()),
        ("sightings", SIGHTINGS.to_string()),
    ];
    row::Row::new("profiles-sighting", fastest, None, &settings).write();
}

fn point(no: usize) -> Point {
    let path: PointPath = format!("part-{no}.power").parse().expect("a path of this file");
    Point { no: PointNo(0), path, kind: ValueKind::Float, unit: None, access: Access::Read, limits: None }
}

fn signs() -> String {
    (0..PROFILES).fold(String::new(), |mut text, no| {
        let (component, point) = (OF_DEVICE - 1, no % OF_DEVICE);
        let _ = writeln!(
            text,
            "[profile.kind-{no}]\nmatch = [{{ identity = \"serial:maker:*\" }}, {{ hardware = \"* {no}\", weight = 9 }}, \
             {{ component = \"part-{component}\" }}, {{ point = \"part-{point}.power\" }}]"
        );
        text
    })
}

fn text() -> String {
    let mut text = String::new();
    for no in 0..PROFILES {
        let _ = writeln!(text, "[[profile.kind-{no}.match]]\nidentity = \"serial:maker-{no}:*\"\nweight = 10");
        for point in 0..POINTS - 1 {
            let _ = writeln!(
                text,
                "[profile.kind-{no}.point.\"part-{point}.power\"]\ntype = \"float\"\nunit = \"W\"\nscale = 0.1\n\
                 invalid = [32767]\nmin = 0\nmax = 5000"
            );
        }
        let sum = "[\"part-0.power\", \"part-1.power\"]";
        let _ = writeln!(text, "[profile.kind-{no}.point.\"all.power\"]\nunit = \"W\"\nsum = {sum}");
    }
    text
}
