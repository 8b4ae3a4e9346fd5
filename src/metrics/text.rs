//! The numbers in the text form of Prometheus, version 0.0.4.

use std::fmt::Write;

use super::families::{FAMILIES, Family, Kind, Tells, requests};
use super::seen::Seen;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub fn written(seen: &Seen) -> String {
    let mut text = String::with_capacity(8 << 10);
    for family in FAMILIES {
        // Writing to a text never fails.
        let _ = write_family(&mut text, family, seen);
    }
    text
}

fn write_family(text: &mut String, family: &Family, seen: &Seen) -> std::fmt::Result {
    let Family { name, kind, says, tells } = family;
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    writeln!(text, "# HELP {name} {says}\n# TYPE {name} {kind}")?;
    match tells {
        Tells::One(of) => writeln!(text, "{name} {}", of(seen)),
        Tells::By(label, of) => {
            of(seen).into_iter().try_for_each(|(word, value)| writeln!(text, "{name}{{{label}=\"{word}\"}} {value}"))
        }
        Tells::Link(of) => seen.links.iter().try_for_each(|link| {
            let label = escaped(&link.name);
            writeln!(text, "{name}{{link=\"{label}\"}} {}", of(link))
        }),
        Tells::Requests => requests(seen).try_for_each(|(door, class, count)| {
            writeln!(text, "{name}{{door=\"{door}\",status=\"{class}\"}} {count}")
        }),
        Tells::Spread(of) => {
            let spread = of(seen);
            for (end, count) in &spread.within {
                let end = if end.is_finite() { end.to_string() } else { "+Inf".into() };
                writeln!(text, "{name}_bucket{{le=\"{end}\"}} {count}")?;
            }
            let count = spread.within.last().map_or(0, |(_, count)| *count);
            writeln!(text, "{name}_sum {}\n{name}_count {count}", spread.seconds)
        }
    }
}

/// Names hold none of these today; the form must not rest on that.
fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
