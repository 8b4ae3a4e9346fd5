//! What a device gives by its registers, before its profile makes something of it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Speaks, Spot};
use crate::model::device::Capabilities;
use crate::model::{Access, OperationKind, OperationSet, Point, PointNo, PointPath};
use crate::profile::sections::{Known, Profile};
use crate::profile::shaped::raw_path;

impl Profile {
    /// How such a device is spoken to, where nothing is said too.
    pub fn speaks(&self) -> &Speaks {
        static PLAIN: LazyLock<Speaks> = LazyLock::new(Speaks::default);
        self.modbus.as_deref().unwrap_or(&PLAIN)
    }

    /// Where each point of the link stands. Two points that have one raw point have one register.
    pub fn spots(&self) -> BTreeMap<&PointPath, Spot> {
        let speaks = self.speaks();
        let spot = |(path, known): (_, &Known)| {
            let spot = speaks.spot(known.modbus.as_deref()?)?;
            Some((path, spot))
        };
        self.point.iter().filter_map(|(path, known)| spot((raw_path(path, known), known))).collect()
    }
}

/// The points of the link, and what can be asked of such a device. Points have no numbers yet.
pub fn capabilities_of(profile: &Profile) -> Capabilities {
    let accesses = accesses(profile);
    let point = |(path, spot): (&PointPath, Spot)| {
        let access = accesses.get(path).copied().unwrap_or_default();
        let limits = spot.limits().filter(|_| access.writes());
        Point { no: PointNo(0), path: path.clone(), kind: spot.kind(), unit: None, access, limits }
    };
    let points: Vec<Point> = profile.spots().into_iter().map(point).collect();
    let operations = operations(profile, &points);
    Capabilities { points, operations, ..Capabilities::default() }
}

/// Nothing is written that the profile does not open: a register that may be written seldom wants to be.
fn accesses(profile: &Profile) -> BTreeMap<&PointPath, Access> {
    let mut all = BTreeMap::new();
    for (path, known) in profile.point.iter().filter(|(_, known)| !known.is_computed()) {
        let said = known.access.map(|access| access.value).unwrap_or_default();
        all.entry(raw_path(path, known)).and_modify(|access| *access = both(*access, said)).or_insert(said);
    }
    all
}

fn both(one: Access, other: Access) -> Access {
    match (one.reads() || other.reads(), one.writes() || other.writes()) {
        (true, true) => Access::ReadWrite,
        (false, true) => Access::Write,
        _ => Access::Read,
    }
}

fn operations(profile: &Profile, points: &[Point]) -> OperationSet {
    let mut kinds: Vec<OperationKind> = Vec::new();
    kinds.extend(points.iter().any(|point| point.access.reads()).then_some(OperationKind::Read));
    kinds.extend(points.iter().any(|point| point.access.writes()).then_some(OperationKind::Write));
    kinds.extend(profile.operation.iter().filter(|(_, wanted)| !wanted.modbus.is_empty()).map(|(kind, _)| *kind));
    OperationSet::of(&kinds)
}
