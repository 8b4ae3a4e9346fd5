//! A device: what is kept of it on disk, and what is true of it now.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::about::About;
use super::id::{Address, CommandId, DeviceId, DeviceNo, Identity, PointNo, ShapeNo};
use super::name::Name;
use super::now::{Mono, Now, Wall};
use super::operation::{OperationKind, OperationSet, Part, seconds};
use super::point::{Component, MOST_POINTS, Point, PointPath};
use super::reading::Quality;
use super::until::Until;
use super::value::Value;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LifeCycle {
    /// Seen, and waiting for somebody to decide.
    #[default]
    Pending,
    Managed,
    Quarantined,
    Refused,
    Retired,
}

impl fmt::Display for LifeCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LifeCycle::Pending => "pending",
            LifeCycle::Managed => "managed",
            LifeCycle::Quarantined => "quarantined",
            LifeCycle::Refused => "refused",
            LifeCycle::Retired => "retired",
        })
    }
}

/// Desired values of one device.
pub const MOST_DESIRED: usize = 64;
/// Bytes of one desired value.
pub const LARGEST_DESIRED: usize = 256;
/// Parts of one device that are switched off.
pub const MOST_INACTIVE: usize = 64;
/// Further ways to one device.
pub const MOST_WAYS: usize = 4;

/// Where a device is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    pub link: Name,
    pub address: Address,
}

/// What somebody wants a point to be. The last version wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    pub point: PointNo,
    pub value: Value,
    pub by: Name,
    pub version: u64,
    pub at: Now,
    /// The device took no writes then; it is written when it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

/// Work is being done on it: until then, or until somebody says that it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    pub by: Name,
    pub since: Now,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

/// What stands on disk of a device. Written when it changes, never per reading. Only what the engine decides on; the rest
/// is [`About`](super::about::About).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub no: DeviceNo,
    pub id: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Strongest first.
    pub identities: Vec<Identity>,
    /// Where it is, or where it was last. `None`: registered and never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Another device was met at its place since, or its hardware was changed: it is nowhere until it is met again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub displaced: bool,
    /// Other places where the same device is found, known since two were merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Place>,
    /// What everybody sees of it.
    pub shape: ShapeNo,
    /// Which kind of device it is, by its profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Box<Profiled>>,
    pub life: LifeCycle,
    /// When it was seen or registered first.
    pub first_seen: Now,
    /// As it was when that was last written; told again only if it is another after a start.
    #[serde(default)]
    pub was: Connectivity,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Until>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// What was switched off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inactive: Vec<Part>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub desired: Vec<Desired>,
    /// When points whose limits ask for a pause were last written, by the numbers that its link knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<(PointNo, Now)>,
    /// It has a key: who does not hold it is somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyed: bool,
    /// A mark of that key, to see whether another one is given. A former version had a shorter one, under a name of its
    /// own, which is not read any more.
    #[serde(default, skip_serializing_if = "is_zero", rename = "mark_of_key")]
    pub key_mark: u64,
    /// A mark of what the settings last said of it, to see whether they say something else.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub settings_mark: u32,
    /// A mark of what the device last told about itself, to see whether it is another.
    #[serde(default)]
    pub told: u32,
    /// It turned out to be this one, under which it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<DeviceNo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Now>,
}

/// The profile of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiled {
    pub name: Name,
    /// Somebody said so; else it was found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assigned: bool,
    /// What the device gives by itself. Absent where there is no such profile: then it is seen as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<ShapeNo>,
}

fn is_none_yet(mark: &u32) -> bool {
    *mark == 0
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Device {
    /// What it gives by itself, where that is another than what is seen of it.
    pub fn raw(&self) -> Option<ShapeNo> {
        self.profile.as_ref()?.raw
    }

    pub fn profile_name(&self) -> Option<&Name> {
        self.profile.as_ref().map(|profile| &profile.name)
    }

    /// Where it is, as far as anybody knows.
    pub fn is_at(&self) -> Option<&Place> {
        self.place.as_ref().filter(|_| !self.displaced)
    }

    /// As a whole.
    pub fn is_inactive(&self) -> bool {
        self.inactive.contains(&Part::Device)
    }

    /// One that is known by nothing yet.
    pub fn new(no: DeviceNo, id: DeviceId, life: LifeCycle, now: &Now) -> Device {
        Device {
            no,
            id,
            name: None,
            identities: Vec::new(),
            place: None,
            displaced: false,
            ways: Vec::new(),
            shape: ShapeNo(0),
            profile: None,
            life,
            first_seen: *now,
            was: Connectivity::Unknown,
            groups: Vec::new(),
            blocked: None,
            maintenance: None,
            inactive: Vec::new(),
            desired: Vec::new(),
            written: Vec::new(),
            keyed: false,
            key_mark: 0,
            settings_mark: 0,
            told: 0,
            merged: None,
            retired: None,
        }
    }
}

/// A device that sleeps can be reached for a while after it spoke.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sleep {
    /// It wakes and speaks at least so often.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub every: Duration,
    /// It listens for so long after it spoke.
    #[serde(with = "seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub awake: Duration,
}

/// What a device is made of and can do; shared by all devices of a kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    #[serde(default)]
    pub points: Vec<Point>,
    #[serde(default)]
    pub operations: OperationSet,
    /// Services and peripherals that have no points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleeps: Option<Sleep>,
    /// The first point number that was never given.
    #[serde(default)]
    pub next: u16,
}

impl Capabilities {
    pub fn point(&self, path: &PointPath) -> Option<&Point> {
        self.points.iter().find(|point| point.path == *path)
    }

    /// For whoever looks for more than a few of them.
    pub fn by_path(&self) -> BTreeMap<&PointPath, &Point> {
        self.points.iter().map(|point| (&point.path, point)).collect()
    }

    /// Where the point stands in [`Capabilities::points`], which is sorted by number.
    pub fn place(&self, no: PointNo) -> Option<usize> {
        match self.points.get(usize::from(no.0)) {
            Some(point) if point.no == no => Some(usize::from(no.0)),
            _ => self.points.binary_search_by_key(&no, |point| point.no).ok(),
        }
    }

    pub fn can(&self, kind: OperationKind) -> bool {
        self.operations.has(kind) || kind.by_gateway() || kind.by_link()
    }

    /// Every component with its instance, in order.
    pub fn components(&self) -> Vec<Component> {
        let of_points = self
            .points
            .iter()
            .map(|point| Component { name: point.path.component.clone(), instance: point.path.instance });
        let mut all: Vec<Component> = of_points.chain(self.components.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    pub fn has_part(&self, part: &Part) -> bool {
        match part {
            Part::Device => true,
            Part::Component(name) => self.components().iter().any(|component| component.name == *name),
            Part::Instance(component) => self.components().contains(component),
        }
    }

    /// The bounds that types cannot show, and no point or number twice.
    pub fn check(&self) -> Result<(), String> {
        if self.points.len() > MOST_POINTS {
            return Err(format!("a device has at most {MOST_POINTS} points; this one has {}", self.points.len()));
        }
        if self.components.len() > MOST_POINTS {
            let there = self.components.len();
            return Err(format!("a device has at most {MOST_POINTS} components; this one has {there}"));
        }
        let mut paths: Vec<&PointPath> = self.points.iter().map(|point| &point.path).collect();
        paths.sort();
        if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("point {} is there twice", pair[0]));
        }
        let mut locks = self.points.iter().filter_map(|point| Some((point, point.limits.as_ref()?.lock.as_ref()?)));
        match locks.find(|(_, by)| paths.binary_search(by).is_err()) {
            Some((Point { path, .. }, by)) => Err(format!("point {path} is locked by {by}, which is not there")),
            None => Ok(()),
        }
    }

    /// Gives every point its number: one that `before` had keeps its own, a new one takes the next that was never given.
    /// `None` where there are no numbers left.
    pub fn numbered_after(mut self, before: &Capabilities) -> Option<Capabilities> {
        self.next = before.next;
        let known = before.by_path();
        for point in &mut self.points {
            point.no = match known.get(&point.path) {
                Some(known) => known.no,
                None => {
                    self.next = self.next.checked_add(1)?;
                    PointNo(self.next - 1)
                }
            };
        }
        self.points.sort_by_key(|point| point.no);
        Some(self)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Connectivity {
    /// Not heard since the daemon started, and not missed yet either.
    #[default]
    Unknown,
    Up,
    /// It answers, but not each time.
    Degraded,
    /// Not heard for longer than it should take.
    Silent,
    /// Its link says that it left.
    Gone,
}

impl fmt::Display for Connectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Connectivity::Unknown => "not heard yet",
            Connectivity::Up => "up",
            Connectivity::Degraded => "degraded",
            Connectivity::Silent => "silent",
            Connectivity::Gone => "gone",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastValue {
    pub value: Value,
    pub quality: Quality,
    pub at: Mono,
    /// When the device says it was so; 0: it did not say. There are many of these, and an option takes twice the room.
    pub source: Wall,
}

/// What is true of a device now. In memory only: rebuilt after a start from what comes in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    pub connectivity: Connectivity,
    pub since: Now,
    pub heard: Option<Mono>,
    /// Of its last eight answers or silences the silences, the newest in the lowest bit.
    pub misses: u8,
    /// A command that it says is done, while it is looked whether that is so. Nothing else goes to it meanwhile.
    pub proving: Option<Box<CommandId>>,
    /// Points that are known not to be as desired.
    pub differs: Vec<PointNo>,
    /// By the place of the point in [`Capabilities::points`]; empty as long as there was no reading.
    pub values: Vec<Option<LastValue>>,
}

/// A device as readers see it: one shared pointer, copied when it changes.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceNow {
    pub device: Arc<Device>,
    pub capabilities: Arc<Capabilities>,
    /// What it gives by itself, where a profile makes something else of that.
    pub given: Option<Arc<Capabilities>>,
    pub live: Live,
    /// What is known of it beside, as far as selectors look at it.
    pub about: Option<Arc<About>>,
    /// The groups whose selector holds for it, beside those that it was put into.
    pub dynamic: Arc<[Name]>,
}

impl DeviceNow {
    pub fn new(device: Arc<Device>, capabilities: Arc<Capabilities>) -> DeviceNow {
        let live = Live::default();
        DeviceNow { device, capabilities, given: None, live, about: None, dynamic: Arc::default() }
    }

    /// As its link knows it.
    pub fn wire(&self) -> &Arc<Capabilities> {
        self.given.as_ref().unwrap_or(&self.capabilities)
    }

    /// In whichever way.
    pub fn is_in(&self, group: &Name) -> bool {
        self.device.groups.contains(group) || self.dynamic.contains(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::point::{Limits, ValueKind};

    fn capabilities(paths: &[&str]) -> Capabilities {
        let point = |path: &&str| Point {
            no: PointNo(999),
            path: path.parse().unwrap(),
            kind: ValueKind::Float,
            unit: None,
            access: Default::default(),
            limits: None,
        };
        Capabilities { points: paths.iter().map(point).collect(), ..Capabilities::default() }
    }

    fn numbers(capabilities: &Capabilities) -> Vec<(String, u16)> {
        capabilities.points.iter().map(|p| (p.path.to_string(), p.no.0)).collect()
    }

    #[test]
    fn a_point_keeps_its_number_when_others_come_and_go() {
        let first = capabilities(&["a.x", "a.y"]).numbered_after(&Capabilities::default()).unwrap();
        assert_eq!(numbers(&first), [("a.0.x".into(), 0), ("a.0.y".into(), 1)]);
        let second = capabilities(&["b.z", "a.y"]).numbered_after(&first).unwrap();
        assert_eq!(numbers(&second), [("a.0.y".into(), 1), ("b.0.z".into(), 2)]);
        let third = capabilities(&["a.y"]).numbered_after(&second).unwrap();
        let fourth = capabilities(&["a.y", "c.w"]).numbered_after(&third).unwrap();
        assert_eq!(numbers(&fourth), [("a.0.y".into(), 1), ("c.0.w".into(), 3)]);
    }

    #[test]
    fn numbers_run_out_without_a_panic() {
        let full = Capabilities { next: u16::MAX, ..Capabilities::default() };
        assert_eq!(capabilities(&["a.x"]).numbered_after(&full), None);
        assert!(Capabilities::default().numbered_after(&full).is_some());
    }

    #[test]
    fn a_lock_is_a_point_of_the_device() {
        let mut locked = capabilities(&["a.x", "a.y"]);
        let by = |lock: &str| Some(Limits { lock: Some(lock.parse().unwrap()), ..Limits::default() });
        locked.points[0].limits = by("a.y");
        assert_eq!(locked.check(), Ok(()));
        locked.points[0].limits = by("a.z");
        assert_eq!(locked.check(), Err("point a.0.x is locked by a.0.z, which is not there".into()));
    }

    #[test]
    fn no_point_twice() {
        assert!(capabilities(&["a.x", "a.y"]).check().is_ok());
        assert_eq!(capabilities(&["a.x", "a.0.x"]).check(), Err("point a.0.x is there twice".into()));
    }
}
