//! Looking: status, devices, links, the journal.

use std::time::Duration;

use super::client::{Client, escaped};
use super::table::{print, table, time, width};
use super::{CliError, Exit, print_json};
use crate::api::shown::{DeviceShown, Devices, HeardShown, LinkShown, PageShown, PointShown, Status};
use crate::model::device::Connectivity;
use crate::model::{LifeCycle, Outcome, Quality, Record};
use crate::units::show_span;

const AT_ONCE: Duration = Duration::ZERO;
/// A page of devices, as large as the daemon gives by default.
const PAGE: usize = 100;

pub fn seconds(seconds: f64) -> String {
    show_span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// As JSON spells it: the words are the same everywhere.
fn word<T: serde::Serialize>(of: &T) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

pub async fn status(client: &Client, json: bool) -> Result<Exit, CliError> {
    let status: Status = client.get("/v1/status", AT_ONCE).await?;
    if json {
        return print_json(&status);
    }
    let health = match &status.reason {
        Some(why) => format!("{}: {why}", status.health),
        None => status.health.clone(),
    };
    let of = &status.devices;
    print(&format!("gateway   {}  (dmgw {}, up {})", status.gateway, status.version, seconds(status.uptime)));
    print(&format!("health    {health}"));
    print(&format!("clock     {}  ({})", time(status.clock.time), status.clock.quality));
    print(&format!(
        "devices   {}: {} up, {} silent, {} gone, {} not heard yet; {} pending",
        of.all, of.up, of.silent, of.gone, of.unknown, of.pending
    ));
    print(&format!("commands  {} remembered", status.commands));
    print(&format!("\n{}", links_table(&status.links)));
    if let Some(journal) = &status.journal {
        let rows: Vec<Vec<String>> = journal.streams.iter().map(stream_row).collect();
        print(&format!("\n{}", table(&["JOURNAL", "FIRST HELD", "NEXT", "PASSED"], &rows, width())));
    }
    Ok(Exit::Done)
}

fn stream_row(stream: &crate::api::shown::StreamShown) -> Vec<String> {
    let passed: Vec<String> = stream.passed.iter().map(|(reader, seq)| format!("{reader} {seq}")).collect();
    vec![stream.stream.name().into(), stream.first_held.to_string(), stream.next.to_string(), passed.join(", ")]
}

fn links_table(links: &[LinkShown]) -> String {
    let row = |link: &LinkShown| {
        let state = match &link.reason {
            Some(why) => format!("{}: {why}", link.state),
            None => link.state.clone(),
        };
        let (devices, rejected) = (link.devices.to_string(), link.rejected.to_string());
        vec![link.name.to_string(), link.driver.clone(), devices, rejected, seconds(link.since), state]
    };
    table(
        &["LINK", "DRIVER", "DEVICES", "REJECTED", "SINCE", "STATE"],
        &links.iter().map(row).collect::<Vec<_>>(),
        width(),
    )
}

pub async fn links(client: &Client, json: bool) -> Result<Exit, CliError> {
    let links: Vec<LinkShown> = client.get("/v1/links", AT_ONCE).await?;
    if json {
        return print_json(&links);
    }
    print(&links_table(&links));
    Ok(Exit::Done)
}

pub async fn devices(client: &Client, json: bool) -> Result<Exit, CliError> {
    let mut all: Vec<DeviceShown> = Vec::new();
    let mut uri = format!("/v1/devices?limit={PAGE}");
    loop {
        let page: Devices = client.get(&uri, AT_ONCE).await?;
        all.extend(page.devices);
        match page.after {
            Some(after) => uri = format!("/v1/devices?limit={PAGE}&after={after}"),
            None => break,
        }
    }
    if json {
        return print_json(&Devices { devices: all, after: None });
    }
    if all.is_empty() {
        print("no devices yet; dmgw links shows where they could be found");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = all.iter().map(device_row).collect();
    print(&table(&["NO", "DEVICE", "NAME", "PLACE", "STATE", "HEARD"], &rows, width()));
    Ok(Exit::Done)
}

fn device_row(device: &DeviceShown) -> Vec<String> {
    let heard = device.heard.map_or_else(|| "never".into(), |age| format!("{} ago", seconds(age)));
    let name = device.name.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![device.no.to_string(), device.id.to_string(), name, place(device), state(device), heard]
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
    let heard = device.heard.map_or_else(|| "never".into(), |age| format!("{} ago", seconds(age)));
    let name = device.name.as_ref().map(|name| format!(", named {name}")).unwrap_or_default();
    print(&format!("device      {} (no {}{name})", device.id, device.no));
    print(&format!("place       {}", place(&device)));
    print(&format!("state       {}, {}; heard {heard}", word(&device.life), state(&device)));
    print(&format!("first seen  {}", time(device.first_seen)));
    if let Some(detail) = &device.detail {
        let operations: Vec<String> = detail.operations.kinds().map(|kind| kind.name()).collect();
        print(&format!("operations  {}", operations.join(", ")));
        let rows: Vec<Vec<String>> = detail.points.iter().map(point_row).collect();
        print(&format!("\n{}", table(&["POINT", "VALUE", "UNIT", "QUALITY", "AGE", "ACCESS"], &rows, width())));
    }
    Ok(Exit::Done)
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

pub async fn journal(client: &Client, stream: &str, from: u64, limit: usize, json: bool) -> Result<Exit, CliError> {
    let uri = format!("/v1/journal/{}?from={from}&limit={limit}", escaped(stream));
    let page: PageShown = client.get(&uri, AT_ONCE).await?;
    if json {
        return print_json(&page);
    }
    if page.records.is_empty() {
        print(&format!(
            "nothing from {from} on; the first held is {}, the next will be {}",
            page.first_held, page.next
        ));
        return Ok(Exit::Done);
    }
    let rows = page.records.iter().map(|held| {
        let says = match (&held.record, &held.heard) {
            (Some(record), _) => told(record),
            (None, Some(heard)) => told_heard(heard),
            (None, None) => String::new(),
        };
        vec![held.seq.to_string(), time(held.time), says]
    });
    print(&table(&["SEQ", "TIME", "WHAT"], &rows.collect::<Vec<_>>(), width()));
    Ok(Exit::Done)
}

fn told(record: &Record) -> String {
    match record {
        Record::Result { command, device, operation, state, outcome } => {
            let device = device.as_ref().map_or_else(|| "many".into(), ToString::to_string);
            let end = outcome.as_ref().map(|outcome| format!(": {}", told_outcome(outcome))).unwrap_or_default();
            format!("{operation} on {device} {} ({command}){end}", state.name())
        }
        Record::Gap(gap) => {
            let count = if gap.exact { "" } else { "at most " };
            let why = word(&gap.why);
            format!("gap in {}: {count}{} missing, {} to {} ({why})", gap.stream.name(), gap.count, gap.first, gap.last)
        }
        Record::LinkUp { link } => format!("link {link} up"),
        Record::LinkDown { link, why } => format!("link {link} down: {why}"),
        Record::DeviceAdded { device, link, address, life } => {
            format!("{device} added, {}, at {address} on {link}", word(life))
        }
        Record::DeviceMoved { device, link, address } => format!("{device} moved to {address} on {link}"),
        Record::DeviceLife { device, life } => format!("{device} is {} now", word(life)),
        Record::DeviceChanged { device } => format!("{device} has other points or operations"),
        Record::DeviceUp { device } => format!("{device} up"),
        Record::DeviceDegraded { device } => format!("{device} answers, but not each time"),
        Record::DeviceSilent { device } => format!("{device} silent"),
        Record::DeviceGone { device } => format!("{device} gone"),
        other => word(other),
    }
}

fn told_heard(heard: &HeardShown) -> String {
    let readings = heard.readings.iter().map(|reading| format!("{} {}", reading.point, reading.value));
    format!("{}: {}", heard.device, readings.collect::<Vec<_>>().join(", "))
}

pub fn told_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(values) if values.is_empty() => "done".into(),
        Outcome::Done(values) => {
            values.iter().map(|(point, value)| format!("{point} = {value}")).collect::<Vec<_>>().join(", ")
        }
        Outcome::Failed(why) => why.clone(),
        Outcome::NotSent(why) => format!("not sent: {why}"),
        Outcome::Lost(why) => format!("no answer that tells: {why}"),
        Outcome::Cancelled => "called back".into(),
    }
}

pub async fn version(client: &Client, json: bool) -> Result<Exit, CliError> {
    let here = env!("CARGO_PKG_VERSION");
    // Without a daemon there is still this program.
    let there = client.get::<Status>("/v1/status", AT_ONCE).await.ok().map(|status| status.version);
    if json {
        return print_json(&serde_json::json!({ "dmgw": here, "daemon": there }));
    }
    print(&format!("dmgw {here}"));
    match there {
        Some(version) if version != here => print(&format!("the daemon that runs is {version}; restart it")),
        _ => {}
    }
    Ok(Exit::Done)
}
