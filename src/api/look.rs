//! Looking: how the gateway is, its devices and links. From the view, so it never waits for the loop; only the journal's
//! numbers come from a short snapshot of the store.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::ask::{Asked, query};
use super::fault::Fault;
use super::shown::{ClockShown, Counts, DeviceShown, Devices, LinkShown, Status};
use super::{Door, Here, cut, journal};
use crate::model::device::{Connectivity, DeviceNow};
use crate::model::{DeviceNo, LifeCycle, Mono};
use crate::view::{LinkNow, LinkState, NoDevice};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    after: Option<u32>,
    limit: Option<usize>,
}

pub async fn status(State(door): Here) -> Json<Status> {
    let health = door.view.health();
    let now = (door.mono)();
    let all = door.view.devices(None, usize::MAX);
    Json(Status {
        gateway: door.gateway.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        uptime: now.since(door.started).as_secs_f64(),
        health: if health.degraded.is_some() { "degraded" } else { "ok" }.into(),
        reason: health.degraded.clone(),
        clock: ClockShown { time: health.now.wall_at(now), quality: health.now.quality, boot: health.now.boot },
        devices: counts(&all),
        commands: door.view.count_commands(),
        asks_in_flight: door.asks.in_flight(),
        links: health.links.iter().map(|link| shown(link, &all, now)).collect(),
        journal: journal::numbers(&door).await.ok(),
    })
}

pub async fn links(State(door): Here) -> Json<Vec<LinkShown>> {
    let all = door.view.devices(None, usize::MAX);
    let now = (door.mono)();
    Json(door.view.health().links.iter().map(|link| shown(link, &all, now)).collect())
}

fn counts(all: &[Arc<DeviceNow>]) -> Counts {
    let mut counts = Counts { all: all.len(), ..Counts::default() };
    for device in all {
        counts.pending += usize::from(device.device.life == LifeCycle::Pending);
        if device.device.life != LifeCycle::Managed {
            continue;
        }
        let place = match device.live.connectivity {
            Connectivity::Up => &mut counts.up,
            Connectivity::Degraded => &mut counts.degraded,
            Connectivity::Silent => &mut counts.silent,
            Connectivity::Gone => &mut counts.gone,
            Connectivity::Unknown => &mut counts.unknown,
        };
        *place += 1;
    }
    counts
}

fn shown(link: &LinkNow, all: &[Arc<DeviceNow>], now: Mono) -> LinkShown {
    let (state, reason) = match &link.state {
        LinkState::Starting => ("starting", None),
        LinkState::Up => ("up", None),
        LinkState::Down(why) => ("down", Some(why.clone())),
    };
    LinkShown {
        name: link.name.clone(),
        driver: link.driver.into(),
        state: state.into(),
        reason,
        since: now.since(link.since).as_secs_f64(),
        devices: all
            .iter()
            .filter(|device| device.device.place.as_ref().is_some_and(|place| place.link == link.name))
            .count(),
        rejected: link.rejected,
        dropped: link.dropped,
    }
}

pub async fn devices(State(door): Here, range: Asked<Range>) -> Result<Json<Devices>, Fault> {
    let range = query(range)?;
    let limit = door.limit(range.limit)?;
    let found = door.view.devices(range.after.map(DeviceNo), limit);
    let now = (door.mono)();
    let after = (found.len() == limit).then(|| found.last().map(|last| last.device.no)).flatten();
    Ok(Json(Devices { devices: found.iter().map(|device| DeviceShown::of(device, now)).collect(), after }))
}

pub async fn device(State(door): Here, Path(word): Path<String>) -> Result<Json<DeviceShown>, Fault> {
    match door.view.find(&word) {
        Ok(device) => Ok(Json(DeviceShown::with_detail(&device, (door.mono)()))),
        Err(missing) => Err(no_device(&word, &missing)),
    }
}

pub fn no_device(word: &str, missing: &NoDevice) -> Fault {
    let word = cut(word);
    match missing {
        NoDevice::Unknown(Some(near)) => {
            Fault::not_found(format!("there is no device {word}"), format!("did you mean {near}?"))
        }
        NoDevice::Unknown(None) => {
            Fault::not_found(format!("there is no device {word}"), "dmgw devices (GET /v1/devices) shows all")
        }
        NoDevice::Several(some) => {
            let some: Vec<String> = some.iter().map(ToString::to_string).collect();
            Fault::bad(format!("{word} could be several devices"), format!("say which: {}", some.join(", ")))
        }
    }
}

impl Door {
    pub fn limit(&self, asked: Option<usize>) -> Result<usize, Fault> {
        let most = self.limits.page;
        match asked {
            None => Ok(most.min(100)),
            Some(0) => Err(Fault::bad("limit is 0", "ask for at least one")),
            // Who wants more gets a page, and is told where to go on.
            Some(limit) => Ok(limit.min(most)),
        }
    }
}
