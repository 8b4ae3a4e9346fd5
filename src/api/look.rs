//! Looking: how the gateway is, its devices and links. From the view, so it never waits for the loop; only the journal's
//! numbers come from a short snapshot of the store.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::ask::{Asked, Word, query};
use super::caller::Caller;
use super::fault::Fault;
use super::paged::{Names, paged};
use super::shown::{
    AttemptShown, AttemptsShown, ClockShown, Counts, DeviceShown, Devices, LinkShown, LinksShown, LogShown,
    ProfileShown, Seen, Status,
};
use super::tag::At;
use super::{Door, Here, cut, journal, link};
use crate::model::device::{Connectivity, DeviceNow};
use crate::model::record::Entry;
use crate::model::{About, DeviceNo, LifeCycle, Mono, Name, Now};
use crate::selector::For;
use crate::store::{Snapshots, StoreError};
use crate::view::{Health, NoDevice};

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    after: Option<u32>,
    limit: Option<usize>,
    link: Option<Name>,
    life: Option<LifeCycle>,
    connectivity: Option<Connectivity>,
    group: Option<Name>,
    #[serde(rename = "for")]
    of: Option<For>,
    /// With all that is known of each, and fewer on a page.
    #[serde(default)]
    detail: bool,
}

/// Devices on a page that tells all of each.
const IN_DETAIL: usize = 100;

impl Range {
    fn fits(&self, known: &DeviceNow) -> bool {
        let device = &known.device;
        let link = device.place.as_ref().map(|place| &place.link);
        self.link.as_ref().is_none_or(|wanted| link == Some(wanted))
            && self.life.is_none_or(|wanted| device.life == wanted)
            && self.connectivity.is_none_or(|wanted| known.live.connectivity == wanted)
            && self.group.as_ref().is_none_or(|wanted| known.is_in(wanted))
            && self.of.as_ref().is_none_or(|For(selector)| selector.fits(known))
    }
}

pub async fn status(State(door): Here, caller: Caller) -> At<Status> {
    let listens = *door.listens.lock().unwrap_or_else(PoisonError::into_inner);
    let health = door.view.health();
    let at = door.now();
    let now = at.mono;
    let (reach, whole) = (&caller.reach, caller.reach.is_whole());
    let all = door.view.devices_that(|known| reach.sees(known), None, usize::MAX);
    let wrong = if whole { door.wrong.borrow().clone() } else { Vec::new() };
    let status = Status {
        gateway: door.gateway.clone(),
        public_key: door.public_key.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        uptime: now.since(door.started).as_secs_f64(),
        health: if health.degraded.is_some() { "degraded" } else { "ok" }.into(),
        reason: health.degraded.clone(),
        settings: health.settings.clone().filter(|_| whole),
        wrong,
        clock: ClockShown { time: health.now.wall_at(now), quality: health.now.quality, boot: health.now.boot },
        devices: counts(&all),
        listens: listens.map(|of| of.at),
        certificate: listens.map(|of| of.certificate),
        commands: if whole { door.view.count_commands() } else { 0 },
        asks_in_flight: door.asks.in_flight(),
        links: links_of(&door, &health, &all, now, whole),
        journal: if whole { journal::numbers(&door).await.ok() } else { None },
    };
    At(at, status)
}

pub async fn links(State(door): Here, caller: Caller, range: Asked<Names>) -> Result<At<LinksShown>, Fault> {
    let range = query(range)?;
    let all = door.view.devices_that(|known| caller.reach.sees(known), None, usize::MAX);
    let now = door.now();
    let links = links_of(&door, &door.view.health(), &all, now.mono, caller.reach.is_whole());
    let (links, after) = paged(&door, links, &range, |link: &LinkShown| link.name.clone())?;
    Ok(At(now, LinksShown { links, after }))
}

/// By name; whose scope is not everything sees those that its devices hang on.
fn links_of(door: &Door, health: &Health, all: &[Arc<DeviceNow>], now: Mono, whole: bool) -> Vec<LinkShown> {
    let mut links: Vec<LinkShown> = health.links.iter().map(|known| link::shown(door, known, all, now)).collect();
    links.retain(|link| whole || link.devices > 0);
    links.sort_by(|a, b| a.name.cmp(&b.name));
    links
}

fn counts(all: &[Arc<DeviceNow>]) -> Counts {
    let mut counts = Counts { all: all.len(), ..Counts::default() };
    for device in all {
        let place = match (device.device.life, device.live.connectivity) {
            (LifeCycle::Pending, _) => &mut counts.pending,
            (LifeCycle::Quarantined, _) => &mut counts.quarantined,
            (LifeCycle::Refused, _) => &mut counts.refused,
            (LifeCycle::Retired, _) => &mut counts.retired,
            (LifeCycle::Managed, Connectivity::Up) => &mut counts.up,
            (LifeCycle::Managed, Connectivity::Degraded) => &mut counts.degraded,
            (LifeCycle::Managed, Connectivity::Silent) => &mut counts.silent,
            (LifeCycle::Managed, Connectivity::Gone) => &mut counts.gone,
            (LifeCycle::Managed, Connectivity::Unknown) => &mut counts.unknown,
        };
        *place += 1;
    }
    counts
}

pub async fn devices(State(door): Here, caller: Caller, range: Asked<Range>) -> Result<At<Devices>, Fault> {
    let range = query(range)?;
    let most = if range.detail { IN_DETAIL } else { usize::MAX };
    let limit = door.limit(range.limit)?.min(most);
    let found = door.view.devices_that(
        |device| caller.reach.sees(device) && range.fits(device),
        range.after.map(DeviceNo),
        limit,
    );
    let after = (found.len() == limit).then(|| found.last().map(|last| last.device.no)).flatten();
    let (now, health) = (door.now(), door.view.health());
    let seen = Seen { now: &now, health: &health };
    let devices = match range.detail {
        true => in_detail(&door, &caller, &found, now).await,
        false => found.iter().map(|device| DeviceShown::of(device, &seen)).collect(),
    };
    Ok(At(now, Devices { devices, after }))
}

/// Whatever the disk does: what is true now is shown.
async fn in_detail(door: &Door, caller: &Caller, found: &[Arc<DeviceNow>], now: Now) -> Vec<DeviceShown> {
    let nos: Vec<DeviceNo> = found.iter().map(|known| known.device.no).collect();
    let abouts = journal::read(door, move |snapshots| nos.iter().map(|no| about(&snapshots, *no)).collect());
    let (abouts, unread): (Vec<About>, _) = match abouts.await {
        Ok(abouts) => (abouts, None),
        Err(fault) => (Vec::new(), Some(fault.message)),
    };
    let abouts = abouts.into_iter().chain(std::iter::repeat_with(About::default));
    let (profiles, health) = (door.view.profiles(), door.view.health());
    let one = |(found, about): (&Arc<DeviceNow>, About)| {
        let merged = found.device.merged.and_then(|no| door.view.numbered(no)).filter(|other| caller.reach.sees(other));
        let merged = merged.map(|other| other.device.id.clone());
        let mut shown = DeviceShown::with_detail(found, &Seen { now: &now, health: &health }, about, merged);
        if let Some(detail) = &mut shown.detail {
            detail.unread.clone_from(&unread);
            let link = found.device.place.as_ref().map(|place| &place.link);
            let link = health.links.iter().find(|known| Some(&known.name) == link);
            detail.profile = ProfileShown::of(found, link.map(|link| link.driver), &profiles, &now);
        }
        shown
    };
    found.iter().zip(abouts).map(one).collect()
}

/// Of a device, or `…/log`, its log: ids may hold slashes, so the path is looked at here.
pub async fn device(State(door): Here, caller: Caller, Word(word): Word) -> Result<Response, Fault> {
    match (door.view.find(&word, &caller.reach), word.strip_suffix("/log")) {
        (Ok(found), _) => {
            let now = door.now();
            let shown = in_detail(&door, &caller, &[found], now).await.pop();
            shown.map(|shown| At(now, shown).into_response()).ok_or_else(|| no_device(&word, &NoDevice::Unknown(None)))
        }
        (Err(_), Some(word)) => log(&door, &caller, word).await.map(IntoResponse::into_response),
        (Err(missing), None) => Err(no_device(&word, &missing)),
    }
}

async fn log(door: &Door, caller: &Caller, word: &str) -> Result<Json<LogShown>, Fault> {
    let found = door.view.find(word, &caller.reach).map_err(|missing| no_device(word, &missing))?;
    let no = found.device.no;
    door.settle(caller).await;
    let mut entries = journal::read(door, move |snapshots| log_of(&snapshots, no)).await?;
    entries.retain(|entry| journal::may_hear(&door.view, caller, &entry.record));
    Ok(Json(LogShown::of(found.device.id.clone(), entries)))
}

/// What is known of a device beside what it can do.
fn about(snapshots: &Snapshots, no: DeviceNo) -> Result<About, StoreError> {
    snapshots.about(no)
}

/// What happened to a device, the oldest first.
fn log_of(snapshots: &Snapshots, no: DeviceNo) -> Result<Vec<Entry>, StoreError> {
    snapshots.log(no)
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// The place in the list of the last one that was seen.
    after: Option<usize>,
    limit: Option<usize>,
}

/// Who was turned away; there are at most `limits.attempts`, and one for all the others.
pub async fn attempts(State(door): Here, range: Asked<Places>) -> Result<Json<AttemptsShown>, Fault> {
    let range = query(range)?;
    let limit = door.limit(range.limit)?;
    let all = door.view.attempts();
    let from = range.after.map_or(0, |after| after.saturating_add(1));
    let attempts: Vec<AttemptShown> = all.iter().skip(from).take(limit).map(AttemptShown::of).collect();
    let end = from.saturating_add(attempts.len());
    let after = (end < all.len()).then(|| end.saturating_sub(1));
    Ok(Json(AttemptsShown { attempts, after }))
}

pub fn no_device(word: &str, missing: &NoDevice) -> Fault {
    let word = cut(word);
    match missing {
        NoDevice::Unknown(Some(near)) => {
            Fault::not_found(format!("there is no device {word}"), format!("did you mean {near}?"))
        }
        NoDevice::Unknown(None) => {
            Fault::not_found(format!("there is no device {word}"), "dmgw device list (GET /v1/devices) shows all")
        }
        NoDevice::Several(some) => {
            let some: Vec<String> = some.iter().map(ToString::to_string).collect();
            Fault::bad(format!("{word} could be several devices"), format!("say which: {}", some.join(", ")))
        }
    }
}

impl Door {
    /// By the clock as the loop knew it last.
    pub fn now(&self) -> Now {
        let (last, mono) = (self.view.health().now, (self.mono)());
        Now { mono, wall: last.wall_at(mono), ..last }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::Live;
    use crate::model::{Address, Device, DeviceId, Place};

    fn device(link: &str, life: LifeCycle, connectivity: Connectivity, groups: &[&str]) -> DeviceNow {
        let name = |text: &&str| Name::new(text).unwrap();
        let id = DeviceId::new("urn:a").unwrap();
        let device = Device {
            place: Some(Place { link: name(&link), address: Address::new("1").unwrap() }),
            groups: groups.iter().map(name).collect(),
            ..Device::new(DeviceNo(1), id, life, &Now::default())
        };
        let live = Live { connectivity, ..Live::default() };
        DeviceNow { live, ..DeviceNow::new(Arc::new(device), Arc::default()) }
    }

    #[test]
    fn a_list_holds_what_fits_all_that_was_asked() {
        let device = device("plant", LifeCycle::Managed, Connectivity::Silent, &["line-a", "night"]);
        let fits = |asked: &str| {
            let uri = format!("/v1/devices?{asked}").parse().unwrap();
            query::<Range>(axum::extract::Query::try_from_uri(&uri)).unwrap().fits(&device)
        };
        for asked in ["", "link=plant", "life=managed&connectivity=silent", "group=night&link=plant"] {
            assert!(fits(asked), "{asked}");
        }
        for asked in ["link=plan", "life=pending", "connectivity=up&link=plant", "group=line"] {
            assert!(!fits(asked), "{asked}");
        }
    }

    #[test]
    fn a_word_that_no_device_can_be_is_told_the_right_one() {
        let uri = "/v1/devices?life=manged".parse().unwrap();
        let fault = query::<Range>(axum::extract::Query::try_from_uri(&uri)).unwrap_err();
        assert_eq!((fault.status.as_u16(), fault.hint.as_str()), (400, "did you mean managed?"));
    }
}
