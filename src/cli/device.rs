//! Devices: the list of them, all that is known of one, and its log.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::args::ListArgs;
use super::client::{Client, escaped};
use super::command::told_where;
use super::look::seconds;
use super::table::{pairs, print, table, time, width};
use super::told::{self, word};
use super::{CliError, Exit, print_json};
use crate::api::shown::{DesiredShown, Detail, DeviceShown, Devices, LogShown, PointShown, ProfileShown, Scored};
use crate::model::about::Location;
use crate::model::device::Connectivity;
use crate::model::{Component, LifeCycle, Part, Quality};
use crate::selector::Selector;
use crate::{nearest, units};

const AT_ONCE: Duration = Duration::ZERO;
/// A page of devices; the daemon gives fewer where its settings say so.
const PAGE: usize = 1_000;
const LIVES: [&str; 5] = ["pending", "managed", "quarantined", "refused", "retired"];
const CONNECTIVITIES: [&str; 5] = ["unknown", "up", "degraded", "silent", "gone"];

pub async fn devices(client: &Client, args: &ListArgs, json: bool) -> Result<Exit, CliError> {
    let only = filters(args)?;
    let mut all: Vec<DeviceShown> = Vec::new();
    let mut after = String::new();
    loop {
        let page: Devices = client.get(&format!("/v1/devices?limit={PAGE}{only}{after}"), AT_ONCE).await?;
        all.extend(page.devices);
        match page.after {
            Some(last) => after = format!("&after={last}"),
            None => break,
        }
    }
    if json {
        return print_json(&Devices { devices: all, after: None });
    }
    match (all.is_empty(), only.is_empty()) {
        (true, true) => print("no devices yet; dmgw link list shows where they could be found"),
        (true, false) => print("no device is so; dmgw device list shows all"),
        (false, _) => print(&listed(&all, width())),
    }
    Ok(Exit::Done)
}

fn filters(args: &ListArgs) -> Result<String, CliError> {
    let link = args.link.as_ref().map(|link| format!("&link={}", escaped(link)));
    let group = args.group.as_ref().map(|group| format!("&group={}", escaped(group)));
    let state = args.state.as_deref().map(state_filter).transpose()?;
    let of = args.of.as_deref().map(of_filter).transpose()?;
    Ok([link, group, state, of].into_iter().flatten().collect())
}

fn of_filter(text: &str) -> Result<String, CliError> {
    let selector = Selector::parse(text).map_err(|bad| CliError::Usage {
        says: told_where(text, &bad),
        hint: "dmgw config explain group.for tells what can be said".into(),
    })?;
    Ok(format!("&for={}", escaped(selector.text())))
}

fn state_filter(word: &str) -> Result<String, CliError> {
    if is::<LifeCycle>(word) {
        return Ok(format!("&life={word}"));
    }
    if is::<Connectivity>(word) {
        return Ok(format!("&connectivity={word}"));
    }
    let all = LIVES.into_iter().chain(CONNECTIVITIES);
    let hint = match nearest::nearest(word, all.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", all.collect::<Vec<_>>().join(", ")),
    };
    Err(CliError::Usage { says: format!("no device is ever {word:?}"), hint })
}

fn is<T: DeserializeOwned>(word: &str) -> bool {
    serde_json::from_value::<T>(json!(word)).is_ok()
}

/// A column in which nothing would stand is left out.
fn listed(all: &[DeviceShown], width: usize) -> String {
    let mut head = vec!["NO", "DEVICE", "NAME", "PLACE", "STATE", "HEARD", "FLAGS"];
    let mut rows: Vec<Vec<String>> = all.iter().map(row).collect();
    for column in (0..head.len()).rev() {
        if rows.iter().all(|row| row.get(column).is_none_or(String::is_empty)) {
            head.remove(column);
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    table(&head, &rows, width)
}

fn row(device: &DeviceShown) -> Vec<String> {
    let heard = device.heard.map_or_else(|| "never".into(), |age| format!("{} ago", seconds(age)));
    let since = device.since.map(|since| format!(" {}", seconds(since))).unwrap_or_default();
    let state = match device.connectivity {
        // How long it has been well is of no interest.
        Connectivity::Up | Connectivity::Unknown => state(device),
        _ => format!("{}{since}", state(device)),
    };
    let name = device.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut flags = flags(device);
    flags.extend(device.why.clone().filter(|_| device.connectivity != Connectivity::Up && device.link.is_some()));
    vec![device.no.to_string(), device.id.to_string(), name, place(device), state, heard, flags.join("; ")]
}

fn flags(device: &DeviceShown) -> Vec<String> {
    let blocked = device.blocked.map(|until| format!("blocked until {}", time(until)));
    let maintenance = device.maintenance.as_ref().map(|of| {
        let until = of.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
        format!("maintenance by {}{until}", of.by)
    });
    let parts: Vec<String> = device.inactive.iter().map(part).collect();
    let inactive = (!parts.is_empty()).then(|| format!("inactive: {}", parts.join(", ")));
    [blocked, maintenance, inactive].into_iter().flatten().collect()
}

fn part(part: &Part) -> String {
    match part {
        Part::Device => "all of it".into(),
        Part::Component(name) => name.to_string(),
        Part::Instance(Component { name, instance }) => format!("{name}.{instance}"),
    }
}

fn place(device: &DeviceShown) -> String {
    match (&device.link, &device.address) {
        (Some(link), Some(address)) => format!("{link} at {address}"),
        _ => "never seen".into(),
    }
}

fn state(device: &DeviceShown) -> String {
    match (device.life, device.connectivity) {
        (LifeCycle::Managed, Connectivity::Unknown) => "not heard yet".into(),
        (LifeCycle::Managed, connectivity) => word(&connectivity),
        (life, _) => word(&life),
    }
}

pub async fn device(client: &Client, asked: &str, json: bool) -> Result<Exit, CliError> {
    let device: DeviceShown = client.get(&format!("/v1/devices/{}", escaped(asked)), AT_ONCE).await?;
    if json {
        return print_json(&device);
    }
    print(&told_device(&device, width()));
    Ok(Exit::Done)
}

fn told_device(device: &DeviceShown, width: usize) -> String {
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
    let operations = detail.operations.kinds().map(|kind| kind.name());
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
        ("operations", commas(operations)),
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

fn point_row(point: &PointShown) -> Vec<String> {
    let value = point.value.as_ref().map(ToString::to_string).unwrap_or_else(|| "-".into());
    let unit = point.unit.as_ref().map(ToString::to_string).unwrap_or_default();
    let quality = point.quality.map(|quality| quality_word(&quality)).unwrap_or_default();
    let age = point.age.map(seconds).unwrap_or_default();
    vec![point.point.to_string(), value, unit, quality, age, word(&point.access)]
}

fn quality_word(quality: &Quality) -> String {
    match quality {
        Quality::Bad(why) => format!("bad: {}", word(why)),
        other => word(other),
    }
}

pub async fn log(client: &Client, asked: &str, json: bool) -> Result<Exit, CliError> {
    let log: LogShown = client.get(&format!("/v1/devices/{}/log", escaped(asked)), AT_ONCE).await?;
    if json {
        return print_json(&log);
    }
    if log.records.is_empty() {
        print(&format!("nothing is logged of {}", log.device));
        return Ok(Exit::Done);
    }
    let rows = log.records.iter().map(|logged| vec![time(logged.time), told::record(&logged.record)]);
    print(&table(&["TIME", "WHAT"], &rows.collect::<Vec<_>>(), width()));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
