//! The list of devices, whole or only those that are so.

use serde::de::DeserializeOwned;

use super::{flags, place, state};
use crate::api::shown::{DeviceShown, Devices};
use crate::cli::args::ListArgs;
use crate::cli::client::{Client, escaped};
use crate::cli::command::told_where;
use crate::cli::pages::{self, after};
use crate::cli::spelling;
use crate::cli::status::seconds;
use crate::cli::table::{table, width};
use crate::cli::watch::{self, How};
use crate::cli::{CliError, Exit};
use crate::model::LifeCycle;
use crate::model::device::Connectivity;
use crate::nearest;
use crate::selector::Selector;

pub const LIVES: [&str; 5] = ["pending", "managed", "quarantined", "refused", "retired"];
pub const CONNECTIVITIES: [&str; 5] = ["unknown", "up", "degraded", "silent", "gone"];

pub async fn devices(client: &Client, args: &ListArgs, json: bool) -> Result<Exit, CliError> {
    let only = filters(args)?;
    let look = async || Ok(Devices { devices: all(client, &only).await?, after: None });
    watch::show(How { json, watch: args.watch }, look, |found| told(found, only.is_empty(), width())).await
}

/// Page after page. `only`: further parts of the query.
pub async fn all(client: &Client, only: &str) -> Result<Vec<DeviceShown>, CliError> {
    let uri = format!("/v1/devices?{}", only.trim_start_matches('&')).trim_end_matches('?').to_owned();
    let of = |page: Devices| (page.devices, after(page.after.map(|no| no.0)));
    pages::all(client, "devices", &uri, of).await
}

fn told(found: &Devices, everything: bool, width: usize) -> String {
    match (found.devices.is_empty(), everything) {
        (true, true) => "no devices yet; dmgw link list shows where they could be found".into(),
        (true, false) => "no device is so; dmgw device list shows all".into(),
        (false, _) => listed(&found.devices, width),
    }
}

fn filters(args: &ListArgs) -> Result<String, CliError> {
    let link = args.link.as_ref().map(|link| format!("&link={}", escaped(link)));
    let group = args.group.as_ref().map(|group| format!("&group={}", escaped(group)));
    let state = args.state.as_deref().map(state_filter).transpose()?;
    let of = args.of.as_deref().map(of_filter).transpose()?;
    Ok([link, group, state, of].into_iter().flatten().collect())
}

pub fn of_filter(text: &str) -> Result<String, CliError> {
    Ok(format!("&for={}", escaped(&selector(text)?)))
}

/// As the daemon reads it, or where it is wrong.
pub fn selector(text: &str) -> Result<String, CliError> {
    let selector = Selector::parse(text).map_err(|bad| CliError::Usage {
        says: told_where(text, &bad),
        hint: "dmgw config explain group.for tells what can be said".into(),
    })?;
    Ok(selector.text().to_owned())
}

pub fn state_filter(word: &str) -> Result<String, CliError> {
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
    spelling::word::<T>(word).is_some()
}

/// A column in which nothing would stand is left out.
pub fn listed(all: &[DeviceShown], width: usize) -> String {
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
