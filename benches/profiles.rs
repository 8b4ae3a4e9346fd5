//! Many profiles, from text to what is checked: it is done at each start, on slow machines too.

mod row;

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dmgw::config::Config;

const PROFILES: usize = 200;
const POINTS: usize = 50;
const ROUNDS: usize = 5;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
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
