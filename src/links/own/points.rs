//! Which points the gateway has, and what they are at one moment.
//!
//! Each link has a component of its own, `link-NAME`, so that it keeps its points whatever other links come and go. One
//! whose name has no room for that, and those beyond `limits.metric_labels`, have none; the metrics tell of them.

use super::Part;
use crate::metrics::seen::{DeviceState, LinkSeen, OTHER};
use crate::metrics::{Ended, Seen};
use crate::model::{Access, Name, Point, PointNo, PointPath, Value, ValueKind};

pub struct Shown {
    pub path: PointPath,
    pub value: Value,
    unit: &'static str,
}

impl Shown {
    pub fn point(&self) -> Point {
        let kind = match self.value {
            Value::Bool(_) => ValueKind::Bool,
            Value::Float(_) => ValueKind::Float,
            _ => ValueKind::Uint,
        };
        let unit = Name::new(self.unit).ok();
        Point { no: PointNo(0), path: self.path.clone(), kind, unit, access: Access::Read, limits: None }
    }
}

struct Row {
    part: Part,
    component: &'static str,
    point: &'static str,
    unit: &'static str,
    of: fn(&Seen) -> u64,
}

const fn row(
    part: Part,
    component: &'static str,
    point: &'static str,
    unit: &'static str,
    of: fn(&Seen) -> u64,
) -> Row {
    Row { part, component, point, unit, of }
}

const COUNT: &str = "count";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(Part::Queues, "queue", "events", COUNT, |seen| seen.events.holds),
    row(Part::Queues, "queue", "asks", COUNT, |seen| seen.asks.holds),
    row(Part::Queues, "queue", "changes", COUNT, |seen| seen.changes.holds),
    row(Part::Store, "store", "commits", COUNT, |seen| seen.store.commits),
    row(Part::Store, "store", "failed", COUNT, |seen| seen.store.failed),
    row(Part::Store, "store", "written", "B", |seen| seen.store.written),
    row(Part::Readings, "readings", "heard", COUNT, |seen| seen.heard),
    row(Part::Readings, "readings", "lost", COUNT, |seen| seen.store.lost),
    row(Part::Commands, "commands", "open", COUNT, |seen| seen.queued + seen.sent),
    row(Part::Commands, "commands", "done", COUNT, |seen| seen.ended[Ended::Done as usize]),
    row(Part::Commands, "commands", "failed", COUNT, |seen| seen.ended[Ended::Failed as usize]),
    row(Part::Commands, "commands", "expired", COUNT, |seen| seen.ended[Ended::Expired as usize]),
    row(Part::Commands, "commands", "cancelled", COUNT, |seen| seen.ended[Ended::Cancelled as usize]),
    row(Part::Commands, "commands", "unknown", COUNT, |seen| seen.ended[Ended::Unknown as usize]),
    row(Part::Devices, "devices", "up", COUNT, |seen| seen.devices[DeviceState::Up as usize]),
    row(Part::Devices, "devices", "degraded", COUNT, |seen| seen.devices[DeviceState::Degraded as usize]),
    row(Part::Devices, "devices", "silent", COUNT, |seen| seen.devices[DeviceState::Silent as usize]),
    row(Part::Devices, "devices", "pending", COUNT, |seen| seen.devices[DeviceState::Pending as usize]),
    row(Part::Memory, "memory", "resident", "B", |seen| seen.process.resident),
    row(Part::Memory, "memory", "anonymous", "B", |seen| seen.process.anonymous),
    row(Part::Memory, "memory", "files", COUNT, |seen| seen.process.open_files),
];

/// In a fixed order.
pub fn shown(tell: &[Part], seen: &Seen) -> Vec<Shown> {
    let rows = ROWS.iter().filter(|row| tell.contains(&row.part));
    let mut all: Vec<Shown> = rows
        .filter_map(|row| {
            let value = Value::Uint((row.of)(seen));
            Some(Shown { path: path(row.component, row.point)?, value, unit: row.unit })
        })
        .collect();
    if tell.contains(&Part::Links) {
        all.extend(seen.links.iter().filter(|link| link.name != OTHER).flat_map(of_link));
    }
    all
}

fn of_link(link: &LinkSeen) -> Vec<Shown> {
    let component = format!("link-{}", link.name);
    let up = (Value::Bool(link.up > 0), "up", "");
    let counts = [("heard", link.heard), ("missed", link.missed)];
    let counts = counts.map(|(point, count)| (Value::Uint(count), point, COUNT));
    let values = [up].into_iter().chain(counts);
    values.filter_map(|(value, point, unit)| Some(Shown { path: path(&component, point)?, value, unit })).collect()
}

fn path(component: &str, point: &str) -> Option<PointPath> {
    Some(PointPath { component: Name::new(component).ok()?, instance: 0, point: Name::new(point).ok()? })
}
