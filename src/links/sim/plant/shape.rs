//! What a simulated device shows: what it can do, and what it tells about itself.

use std::collections::BTreeMap;

use super::settings::{Kind, PointSettings, Sleeps};
use super::value::Source;
use crate::model::about::{Location, LocationSource, PowerSource};
use crate::model::device::Sleep;
use crate::model::operation::OperationKind;
use crate::model::{About, Capabilities, OperationSet, Point, PointNo, PointPath, Wall};

/// Of a device of this kind that has these points. Point numbers mean nothing outside their device.
pub fn capabilities(kind: &Kind, points: &BTreeMap<PointPath, PointSettings>, sleeps: Option<Sleeps>) -> Capabilities {
    let point = |(no, (path, it)): (usize, (&PointPath, &PointSettings))| Point {
        no: PointNo(no as u16),
        path: path.clone(),
        kind: it.kind,
        unit: it.unit.clone(),
        access: it.access,
        limits: it.limits.clone(),
    };
    let mut kinds = kind.operations.clone();
    if points.values().any(|it| it.access.reads()) {
        kinds.push(OperationKind::Read);
    }
    if points.values().any(|it| it.access.writes()) {
        kinds.push(OperationKind::Write);
    }
    Capabilities {
        points: points.iter().enumerate().map(point).collect(),
        operations: OperationSet::of(&kinds),
        components: kind.components.iter().map(|part| part.0.clone()).collect(),
        sleeps: sleeps.map(|Sleeps { every, awake, .. }| Sleep { every, awake }),
        ..Capabilities::default()
    }
}

pub fn about(kind: &Kind) -> About {
    let location = |position| Location {
        place: None,
        position: Some(position),
        source: LocationSource::Device,
        at: Wall::default(),
    };
    let on_battery = kind.point.values().any(|point| matches!(point.value, Source::Battery { .. }));
    About {
        labels: kind.labels.clone(),
        location: kind.location.map(location),
        application: kind.application.clone(),
        hardware: kind.hardware.clone(),
        versions: kind.versions.clone(),
        power: on_battery.then_some(PowerSource::Battery),
        security: kind.security,
        access: kind.access,
    }
}
