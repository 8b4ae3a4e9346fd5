//! Devices: the list of them, all that is known of one, and its log.

pub mod adopt;
mod doable;
mod list;
mod page;
pub mod written;

use std::time::Duration;

use super::client::{Client, escaped};
use super::table::{print, table, time, width};
use super::told::{self, word};
use super::watch::{self, How};
use super::{CliError, Exit, print_json};
use crate::api::shown::{DeviceShown, LogShown};
use crate::model::device::Connectivity;
use crate::model::{Component, LifeCycle, Part};
pub use list::{all, devices, of_filter, selector};
pub use page::point_row;
use page::told_device;

const AT_ONCE: Duration = Duration::ZERO;

pub fn flags(device: &DeviceShown) -> Vec<String> {
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

pub fn place(device: &DeviceShown) -> String {
    match (&device.link, &device.address) {
        (Some(link), Some(address)) => format!("{link} at {address}"),
        _ => "never seen".into(),
    }
}

pub fn state(device: &DeviceShown) -> String {
    match (device.life, device.connectivity) {
        (LifeCycle::Managed, Connectivity::Unknown) => "not heard yet".into(),
        (LifeCycle::Managed, connectivity) => word(&connectivity),
        (life, _) => word(&life),
    }
}

pub async fn one(client: &Client, asked: &str) -> Result<DeviceShown, CliError> {
    client.get(&format!("/v1/devices/{}", escaped(asked)), AT_ONCE).await
}

pub async fn device(client: &Client, asked: &str, how: How) -> Result<Exit, CliError> {
    watch::show(how, async || one(client, asked).await, |device| told_device(device, width())).await
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
