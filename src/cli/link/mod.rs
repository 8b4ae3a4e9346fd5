//! Links: all of them, and one with what its units do and the devices on it; and its wire, for engineers.

pub mod lend;
pub mod raw;
pub mod trace;

use std::time::Duration;

use super::args::ListArgs;
use super::client::{Client, escaped};
use super::pages::{self, after};
use super::status::seconds;
use super::table::{pairs, print, table, width};
use super::{CliError, Exit, device, print_json};
use crate::api::shown::{BusShown, LinkShown, LinksShown, UnitShown};

pub async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let links = all(client).await?;
    if json {
        return print_json(&links);
    }
    print(&table_of(&links));
    Ok(Exit::Done)
}

pub async fn all(client: &Client) -> Result<Vec<LinkShown>, CliError> {
    let of = |page: LinksShown| (page.links, after(page.after));
    pages::all(client, "links", "/v1/links", of).await
}

/// What is asked of one link.
fn of_link(link: &str, what: &str) -> String {
    format!("/v1/links/{}{what}", escaped(link).replace('/', "%2F"))
}

pub async fn show(client: &Client, name: &str, json: bool) -> Result<Exit, CliError> {
    let link: LinkShown = client.get(&of_link(name, ""), Duration::ZERO).await?;
    if json {
        return print_json(&link);
    }
    print(&told(&link, width()));
    let only = ListArgs { link: Some(name.to_owned()), ..ListArgs::default() };
    if link.devices > 0 {
        print("");
        device::devices(client, &only, false).await?;
    }
    Ok(Exit::Done)
}

fn told(link: &LinkShown, width: usize) -> String {
    let lent = link.lent.as_ref().map(|lent| format!("to {} for another {}", lent.by, seconds(lent.left)));
    let bus = link.bus.as_ref();
    let load = bus
        .filter(|bus| bus.load_of > 0.0)
        .map(|bus| format!("{:.1} % of the last {}", bus.load, seconds(bus.load_of)));
    let rows = [
        ("link", link.name.to_string()),
        ("driver", link.driver.clone()),
        ("state", format!("{} for {}", link.state, seconds(link.since))),
        ("because", link.reason.clone().unwrap_or_default()),
        ("strained", link.strained.clone().unwrap_or_default()),
        ("lent", lent.unwrap_or_default()),
        ("at", bus.and_then(|bus| bus.place.clone()).unwrap_or_default()),
        ("bus load", load.unwrap_or_default()),
        ("devices", link.devices.to_string()),
        ("rejected", link.rejected.to_string()),
        ("dropped", link.dropped.to_string()),
    ];
    let rows: Vec<(&str, String)> = rows.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    let units = bus.filter(|bus| !bus.units.is_empty()).map(|bus| units(bus, width));
    std::iter::once(pairs(&rows, width)).chain(units).collect::<Vec<_>>().join("\n\n")
}

fn units(bus: &BusShown, width: usize) -> String {
    let millis = |seconds: Option<f64>| seconds.map_or_else(|| "-".into(), |seconds| format!("{:.1}ms", seconds * 1e3));
    let row = |unit: &UnitShown| {
        let counts = [unit.requests, unit.answers, unit.exceptions, unit.silent, unit.wrong, unit.lost];
        let times = [unit.mean, unit.slowest];
        let counts = counts.iter().map(u64::to_string).chain(times.into_iter().map(millis));
        std::iter::once(unit.unit.to_string()).chain(counts).collect()
    };
    let heads = ["UNIT", "REQUESTS", "ANSWERS", "EXCEPTIONS", "SILENT", "WRONG", "LOST", "MEAN", "SLOWEST"];
    table(&heads, &bus.units.iter().map(row).collect::<Vec<_>>(), width)
}

pub fn table_of(links: &[LinkShown]) -> String {
    let row = |link: &LinkShown| {
        let state = match link.reason.as_ref().or(link.strained.as_ref()) {
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
