//! A device as it looks from outside: a row of the list, and all that is known of one.
//!
//! What it is comes from the view; what only people read of it ([`About`]) from the store, and is added by whoever asks
//! for one device.

use serde::{Deserialize, Serialize};

use super::profile::ProfileShown;
use crate::api::tag::{Still, begin};
use crate::model::device::{Connectivity, DeviceNow, LastValue, Sleep};
use crate::model::*;
use crate::view::{Health, LinkState};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceShown {
    pub no: DeviceNo,
    pub id: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Where it is, or was last; absent where it was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    /// Groups whose selector holds for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dynamic: Vec<Name>,
    pub life: LifeCycle,
    pub connectivity: Connectivity,
    /// Seconds that its connectivity is as it is; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
    /// Why it cannot be heard, where that is not its own doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Seconds since it was heard; absent where it was not, since the daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<f64>,
    pub first_seen: Wall,
    /// Kept off its link until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Wall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceShown>,
    /// What of it was switched off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inactive: Vec<Part>,
    /// Only where one device is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MaintenanceShown {
    pub by: Name,
    pub since: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Detail {
    pub identities: Vec<Identity>,
    /// Nobody who does not hold its key is this device.
    pub keyed: bool,
    /// Which kind of device it is, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileShown>,
    pub operations: OperationSet,
    pub components: Vec<Component>,
    pub points: Vec<PointShown>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub desired: Vec<DesiredShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleeps: Option<Sleep>,
    /// Further ways to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Place>,
    /// It turned out to be this one, under which it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Wall>,
    /// Software versions, labels, location and the like.
    #[serde(default)]
    pub about: About,
    /// Why what people and the device say of it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointShown {
    pub point: PointPath,
    pub kind: ValueKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Name>,
    pub access: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// Seconds since it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Wall>,
}

/// What a point shall be, beside what the device reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DesiredShown {
    /// Its path; its number, where the device has it no more.
    pub point: String,
    pub desired: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Value>,
    /// Absent where the device has not reported it since the daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<bool>,
    pub by: Name,
    pub version: u64,
    pub at: Wall,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Devices {
    pub devices: Vec<DeviceShown>,
    /// Ask with `after` this for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DeviceNo>,
}

/// At what time it is looked at, and how its link is.
pub struct Seen<'a> {
    pub now: &'a Now,
    pub health: &'a Health,
}

fn age(now: &Now, then: Mono) -> f64 {
    now.mono.since(then).as_secs_f64()
}

impl DeviceShown {
    pub fn of(known: &DeviceNow, seen: &Seen) -> DeviceShown {
        let (device, live, now) = (&known.device, &known.live, seen.now);
        let blocked = device.blocked.filter(|until| !until.is_over(now));
        DeviceShown {
            no: device.no,
            id: device.id.clone(),
            name: device.name.clone(),
            link: device.place.as_ref().map(|place| place.link.clone()),
            address: device.place.as_ref().map(|place| place.address.clone()),
            groups: device.groups.clone(),
            profile: device.profile_name().cloned(),
            dynamic: known.dynamic.to_vec(),
            life: device.life,
            connectivity: live.connectivity,
            since: (live.since != Now::default()).then(|| age(now, live.since.mono)),
            why: why(device, seen.health),
            heard: live.heard.map(|heard| age(now, heard)),
            first_seen: device.first_seen.wall,
            blocked: blocked.map(|until| until.shown(now)),
            maintenance: device.maintenance.as_ref().and_then(|of| MaintenanceShown::of(of, now)),
            inactive: device.inactive.clone(),
            detail: None,
        }
    }

    /// `about`, why it has its profile and the id of what it was merged into come from elsewhere.
    pub fn with_detail(known: &DeviceNow, seen: &Seen, about: About, merged: Option<DeviceId>) -> DeviceShown {
        let (device, capabilities) = (&known.device, &known.capabilities);
        let detail = Detail {
            identities: device.identities.clone(),
            keyed: device.keyed,
            profile: None,
            operations: capabilities.operations,
            components: capabilities.components(),
            points: points_of(known).map(|(point, last)| PointShown::of(point, last, seen.now)).collect(),
            desired: device.desired.iter().map(|desired| DesiredShown::of(desired, known)).collect(),
            sleeps: capabilities.sleeps,
            ways: device.ways.clone(),
            merged,
            retired: device.retired.map(|at| at.wall),
            about,
            unread: None,
        };
        DeviceShown { detail: Some(detail), ..DeviceShown::of(known, seen) }
    }
}

/// A link that is down, or is no more, explains why its devices are not heard.
fn why(device: &Device, health: &Health) -> Option<String> {
    let Some(place) = &device.place else { return Some("it is registered and was never seen".into()) };
    if device.displaced {
        return Some("it was replaced, or another device was met at its place since".into());
    }
    let Some(link) = health.links.iter().find(|link| link.name == place.link) else {
        return Some(format!("its link {} is not configured any more", place.link));
    };
    match &link.state {
        LinkState::Up => None,
        LinkState::Starting => Some("its link has not come up yet".into()),
        LinkState::Down(why) => Some(format!("its link is down: {why}")),
    }
}

/// Why a command for the device is not sent yet.
pub fn waits(known: &DeviceNow, seen: &Seen) -> Option<String> {
    let (device, now) = (&known.device, seen.now);
    let awake = |sleep: device::Sleep| known.live.heard.is_some_and(|heard| heard + sleep.awake > now.mono);
    if let Some(why) = why(device, seen.health) {
        return Some(why);
    }
    if device.blocked.is_some_and(|until| !until.is_over(now)) {
        return Some("the device is blocked".into());
    }
    if device.is_inactive() {
        return Some("the device is switched off".into());
    }
    if let Some(command) = &known.live.proving {
        return Some(format!("it is still being looked whether {command} was done"));
    }
    match known.capabilities.sleeps {
        Some(sleep) if !awake(sleep) => Some("the device sleeps; it goes when the device wakes".into()),
        _ if device.maintenance.is_some() => Some("people work on the device".into()),
        _ => Some("others go first, its point was written a moment ago, or it is tried again soon".into()),
    }
}

impl MaintenanceShown {
    fn of(of: &device::Maintenance, now: &Now) -> Option<MaintenanceShown> {
        if of.until.is_some_and(|until| until.is_over(now)) {
            return None;
        }
        let until = of.until.map(|until| until.shown(now));
        Some(MaintenanceShown { by: of.by.clone(), since: of.since.wall, until })
    }
}

impl DesiredShown {
    fn of(desired: &device::Desired, known: &DeviceNow) -> DesiredShown {
        let place = known.capabilities.place(desired.point);
        let point = place.and_then(|place| known.capabilities.points.get(place));
        let reported = place.and_then(|place| known.live.values.get(place)).and_then(Option::as_ref);
        DesiredShown {
            point: point.map_or_else(|| desired.point.to_string(), |point| point.path.to_string()),
            desired: desired.value.clone(),
            reported: reported.map(|last| last.value.clone()),
            differs: reported.map(|last| !last.value.is_like(&desired.value)),
            by: desired.by.clone(),
            version: desired.version,
            at: desired.at.wall,
        }
    }
}

impl Still for Devices {
    fn still(&mut self, now: &Now) {
        self.devices.iter_mut().for_each(|device| device.still(now));
    }
}

impl Still for DeviceShown {
    fn still(&mut self, now: &Now) {
        self.since.iter_mut().chain(&mut self.heard).for_each(|age| begin(age, now));
        let ends = self.maintenance.iter_mut().flat_map(|of| &mut of.until);
        self.blocked.iter_mut().chain(ends).for_each(|end| *end = end_of(*end, now));
        let points = self.detail.iter_mut().flat_map(|detail| &mut detail.points);
        points.for_each(|point| point.still(now));
    }
}

impl Still for PointShown {
    fn still(&mut self, now: &Now) {
        self.age.iter_mut().for_each(|age| begin(age, now));
    }
}

/// On the clock that never steps: told by the other one, the same end may be a millisecond off.
fn end_of(end: Wall, now: &Now) -> Wall {
    Wall(end.0.wrapping_add(now.mono.0).wrapping_sub(now.wall.0))
}

/// Each with its last value.
pub fn points_of(known: &DeviceNow) -> impl Iterator<Item = (&Point, Option<&LastValue>)> {
    let values = known.live.values.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    known.capabilities.points.iter().zip(values)
}

impl PointShown {
    pub fn of(point: &Point, last: Option<&LastValue>, now: &Now) -> PointShown {
        PointShown {
            point: point.path.clone(),
            kind: point.kind,
            unit: point.unit.clone(),
            access: point.access,
            limits: point.limits.clone(),
            value: last.map(|last| last.value.clone()),
            quality: last.map(|last| last.quality),
            age: last.map(|last| age(now, last.at)),
            source: last.map(|last| last.source).filter(|source| *source != Wall(0)),
        }
    }
}

#[cfg(test)]
mod tests;
