//! All of one device on one page: what it is, how it is and why, what can be done.

use super::{doable, flags, place};
use crate::api::shown::{DesiredShown, Detail, DeviceShown, PointShown, ProfileShown, Scored};
use crate::cli::status::seconds;
use crate::cli::table::{pairs, table, time};
use crate::cli::told::word;
use crate::model::about::Location;
use crate::model::device::Connectivity;
use crate::model::{Quality, Value};
use crate::units;

const DIGITS: usize = 9;

pub fn told_device(device: &DeviceShown, width: usize) -> String {
    let mut rows = of_device(device);
    let mut tables = Vec::new();
    if let Some(detail) = &device.detail {
        rows.extend(of_detail(detail));
        if !detail.desired.is_empty() {
            let desired: Vec<Vec<String>> = detail.desired.iter().map(desired_row).collect();
            tables.push(table(&["DESIRED", "VALUE", "REPORTED", "VERSION", "BY", ""], &desired, width));
        }
        let points: Vec<Vec<String>> = detail.points.iter().map(point_row).collect();
        if !points.is_empty() {
            tables.push(table(&["POINT", "VALUE", "UNIT", "QUALITY", "AGE", "ACCESS"], &points, width));
        }
        let doable = doable::lines(device, detail);
        if !doable.is_empty() {
            tables.push(table(&["WHAT CAN BE DONE", "TYPE"], &doable, width));
        }
    }
    rows.retain(|(_, text)| !text.is_empty());
    std::iter::once(pairs(&rows, width)).chain(tables).collect::<Vec<_>>().join("\n\n")
}

fn of_device(device: &DeviceShown) -> Vec<(&'static str, String)> {
    let heard = device.heard.map_or_else(|| "never".into(), |age| format!("{} ago", seconds(age)));
    let name = device.name.as_ref().map(|name| format!(", named {name}")).unwrap_or_default();
    let since = device.since.map(|since| format!(" for {}", seconds(since))).unwrap_or_default();
    let connectivity = match device.connectivity {
        Connectivity::Unknown => "not heard yet".into(),
        known => format!("{}{since}", word(&known)),
    };
    vec![
        ("device", format!("{} (no {}{name})", device.id, device.no)),
        ("place", place(device)),
        ("state", format!("{}, {connectivity}; heard {heard}", word(&device.life))),
        ("because", device.why.clone().unwrap_or_default()),
        ("flags", flags(device).join("; ")),
        ("groups", joined(&device.groups)),
        ("profile", device.detail.as_ref().and_then(|detail| detail.profile.as_ref()).map(profile).unwrap_or_default()),
        ("support", device.detail.as_ref().and_then(|detail| detail.profile.as_ref()).map(support).unwrap_or_default()),
        ("fits", joined(&device.dynamic)),
        ("first seen", time(device.first_seen)),
    ]
}

fn of_detail(detail: &Detail) -> Vec<(&'static str, String)> {
    let about = &detail.about;
    let pair = |(name, text)| format!("{name} {text}");
    let level = |level: Option<u8>| level.map(|level| format!("level {level}")).unwrap_or_default();
    let identities = detail.identities.iter();
    let identities = identities.map(|of| format!("{} {} ({})", word(&of.kind), of.value, word(&of.proof)));
    let ways = detail.ways.iter().map(|way| format!("{} at {}", way.link, way.address));
    let components = detail.components.iter().map(|of| format!("{}.{}", of.name, of.instance));
    let sleeps = detail.sleeps.map(|of| {
        format!("wakes every {}, then listens for {}", units::show_span(of.every), units::show_span(of.awake))
    });
    vec![
        ("retired", detail.retired.map(time).unwrap_or_default()),
        ("merged into", detail.merged.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("identities", commas(identities)),
        ("key", if detail.keyed { "it must show the one that was given" } else { "" }.into()),
        ("also at", commas(ways)),
        ("sleeps", sleeps.unwrap_or_default()),
        ("unread", detail.unread.clone().unwrap_or_default()),
        ("application", about.application.clone().unwrap_or_default()),
        ("location", about.location.as_ref().map(location).unwrap_or_default()),
        ("hardware", about.hardware.clone().unwrap_or_default()),
        ("versions", commas(about.versions.iter().map(pair))),
        ("power", about.power.map(|power| word(&power)).unwrap_or_default()),
        ("security", level(about.security)),
        ("access", level(about.access)),
        ("labels", commas(about.labels.iter().map(pair))),
        ("components", commas(components)),
    ]
}

fn profile(of: &ProfileShown) -> String {
    let name = of.name.as_ref().map_or_else(|| "none fits".into(), ToString::to_string);
    let assigned = if of.assigned { ", assigned" } else { "" };
    let missing = match (of.missing, of.no_room) {
        (true, _) => ", which there is not: it is seen as it is",
        (_, true) => ", for whose points there is no room: it is seen as it is",
        _ => "",
    };
    let others = of.others.iter().filter(|other| other.score.points > 0);
    let others = commas(others.map(|other| format!("{} {}", other.name, scored(&other.score))));
    let next = match (others.is_empty(), of.tie) {
        (true, _) => String::new(),
        (false, true) => format!("; the name has decided against {others}"),
        (false, false) => format!("; then {others}"),
    };
    let why = if of.name.is_some() && !of.missing { format!(" {}", scored(&of.score)) } else { String::new() };
    format!("{name}{assigned}{missing}{why}{next}")
}

/// Empty where its profile says nothing of it.
fn support(of: &ProfileShown) -> String {
    match (of.supported_until, of.unsupported) {
        (Some(until), Some(true)) => format!("no longer supported since {until}"),
        (Some(until), _) => format!("supported until {until}"),
        (None, _) => String::new(),
    }
}

fn scored(of: &Scored) -> String {
    let why = if of.reasons.is_empty() { String::new() } else { format!(" by {}", of.reasons.join(", ")) };
    format!("({} points{why})", of.points)
}

fn location(of: &Location) -> String {
    let position = of.position.map(|(lat, lon)| format!("{lat}, {lon}"));
    let place = [of.place.clone(), position].into_iter().flatten().collect::<Vec<_>>().join("; ");
    format!("{place} (by {}, {})", word(&of.source), time(of.at))
}

fn commas(of: impl Iterator<Item = String>) -> String {
    of.collect::<Vec<_>>().join(", ")
}

fn joined<T: ToString>(of: &[T]) -> String {
    commas(of.iter().map(ToString::to_string))
}

fn desired_row(of: &DesiredShown) -> Vec<String> {
    let reported = of.reported.as_ref().map_or_else(|| "-".into(), ToString::to_string);
    let differs = match of.differs {
        Some(true) => "differs",
        Some(false) => "",
        None => "not reported yet",
    };
    let (value, version, by) = (of.desired.to_string(), of.version.to_string(), of.by.to_string());
    vec![of.point.clone(), value, reported, version, by, differs.into()]
}

pub fn point_row(point: &PointShown) -> Vec<String> {
    let value = point.value.as_ref().map(value_told).unwrap_or_else(|| "-".into());
    let unit = point.unit.as_ref().map(ToString::to_string).unwrap_or_default();
    let quality = point.quality.map(|quality| quality_word(&quality)).unwrap_or_default();
    let age = point.age.map(seconds).unwrap_or_default();
    vec![point.point.to_string(), value, unit, quality, age, word(&point.access)]
}

/// A sum of many readings has more digits than anybody reads; `--json` gives all of them.
fn value_told(value: &Value) -> String {
    match value {
        Value::Float(number) if value.to_string().len() > DIGITS + 2 && number.is_normal() => {
            let whole = (number.abs().log10().floor() as i32 + 1).max(0) as usize;
            let text = format!("{number:.*}", DIGITS.saturating_sub(whole));
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        other => other.to_string(),
    }
}

fn quality_word(quality: &Quality) -> String {
    match quality {
        Quality::Bad(why) => format!("bad: {}", word(why)),
        other => word(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_no_more_digits_than_somebody_reads() {
        for (value, told) in [
            (0.007_086_765_277_777_779, "0.007086765"),
            (1_234.567_890_123_4, "1234.56789"),
            (-0.1 - 0.2, "-0.3"),
            (120.054, "120.054"),
            (123_456_789_012.25, "123456789012"),
            (5.0, "5"),
        ] {
            assert_eq!(value_told(&Value::Float(value)), told);
        }
        assert_eq!(value_told(&Value::Uint(12_345_678_901_234)), "12345678901234");
    }
}
