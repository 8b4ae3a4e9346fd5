//! Arguments against what the device is made of and can do: the operation as it can carry it out, or why it cannot.

use std::fmt::Display;

use crate::model::device::{DeviceNow, LastValue};
use crate::model::*;

/// Names shown in a refusal before it says "and so many more".
const MOST_SHOWN: usize = 8;
/// Points that are looked for one by one; for more an index is worth its while.
const FEW: usize = 8;

pub fn fitting(target: &DeviceNow, mut operation: Operation) -> Result<Operation, Refusal> {
    operation.check().map_err(Refusal::BadArgument)?;
    let (id, kind) = (&target.device.id, operation.kind());
    if !operation.by_gateway() && !target.capabilities.can(kind) {
        let can = list(target.capabilities.operations.kinds());
        return Err(Refusal::Unsupported(format!("{id} cannot {kind}; it can {can}")));
    }
    match &mut operation {
        Operation::Read { points } | Operation::Observe { points, .. } | Operation::ReportPolicyGet { points } => {
            all_readable(target, points)?;
        }
        Operation::ReportPolicySet { point: path, .. } => readable(target, path, target.capabilities.point(path))?,
        Operation::Write { point: path, value } => {
            *value = writable(target, path, value)?;
            unlocked(target, path)?;
        }
        Operation::Desire { point: path, value: Some(value), .. } => *value = writable(target, path, value)?,
        Operation::Restart { part } | Operation::Activate { part } | Operation::Deactivate { part } => {
            there(target, part)?;
        }
        _ => {}
    }
    Ok(operation)
}

fn no_point(target: &DeviceNow, path: &PointPath) -> Refusal {
    let has = list(target.capabilities.points.iter().map(|point| &point.path));
    Refusal::BadArgument(format!("{} has no point {path}; it has {has}", target.device.id))
}

fn all_readable(target: &DeviceNow, paths: &[PointPath]) -> Result<(), Refusal> {
    let capabilities = &target.capabilities;
    if paths.len() <= FEW {
        return paths.iter().try_for_each(|path| readable(target, path, capabilities.point(path)));
    }
    let known = capabilities.by_path();
    paths.iter().try_for_each(|path| readable(target, path, known.get(path).copied()))
}

fn readable(target: &DeviceNow, path: &PointPath, point: Option<&Point>) -> Result<(), Refusal> {
    if point.ok_or_else(|| no_point(target, path))?.access.reads() {
        return Ok(());
    }
    Err(Refusal::BadArgument(format!("point {path} of {} cannot be read", target.device.id)))
}

pub fn writable(target: &DeviceNow, path: &PointPath, value: &Value) -> Result<Value, Refusal> {
    let point = target.capabilities.point(path).ok_or_else(|| no_point(target, path))?;
    let id = &target.device.id;
    if !point.access.writes() {
        return Err(Refusal::BadArgument(format!("point {path} of {id} cannot be written")));
    }
    let value =
        value.clone().into_kind(point.kind).map_err(|e| Refusal::BadArgument(format!("point {path} of {id}: {e}")))?;
    match (&point.limits, value.number()) {
        (Some(limits), Some(x)) if !limits.allow(x) => {
            Err(Refusal::BadArgument(format!("point {path} of {id} takes {limits}, not {x}")))
        }
        _ => Ok(value),
    }
}

fn there(target: &DeviceNow, part: &Part) -> Result<(), Refusal> {
    if target.capabilities.has_part(part) {
        return Ok(());
    }
    let has = list(target.capabilities.components().into_iter().map(Part::Instance));
    Err(Refusal::BadArgument(format!("{} has no component {part}; it has {has}", target.device.id)))
}

/// Whether somebody on the spot keeps a point from being written.
#[derive(Debug, PartialEq)]
pub enum Lock {
    Free,
    /// By this point.
    Locked(PointPath),
    /// The point that would tell has no good value yet.
    NotKnown(PointPath),
    /// The point that should tell never will.
    NeverKnown(PointPath),
}

pub fn lock(target: &DeviceNow, path: &PointPath) -> Lock {
    let limits = target.capabilities.point(path).and_then(|point| point.limits.as_ref());
    let Some(by) = limits.and_then(|limits| limits.lock.as_ref()) else { return Lock::Free };
    let point = target.capabilities.point(by);
    if point.is_some_and(|point| !point.kind.tells_true() || !point.access.reads()) {
        return Lock::NeverKnown(by.clone());
    }
    let place = point.and_then(|point| target.capabilities.place(point.no));
    let last = place.and_then(|place| target.live.values.get(place)?.as_ref());
    let Some(LastValue { value, .. }) = last.filter(|last| !matches!(last.quality, Quality::Bad(_))) else {
        return Lock::NotKnown(by.clone());
    };
    match (value, value.number()) {
        (Value::Bool(false), _) => Lock::Free,
        (Value::Bool(true), _) => Lock::Locked(by.clone()),
        (_, Some(0.0)) => Lock::Free,
        (_, Some(_)) => Lock::Locked(by.clone()),
        _ => Lock::NotKnown(by.clone()),
    }
}

fn unlocked(target: &DeviceNow, path: &PointPath) -> Result<(), Refusal> {
    let id = &target.device.id;
    match lock(target, path) {
        Lock::Free => Ok(()),
        Lock::Locked(by) => Err(Refusal::NotAllowed(format!(
            "point {path} of {id} is locked on the spot, as {by} says; unlock it there"
        ))),
        Lock::NotKnown(by) => Err(Refusal::Busy(format!(
            "not known yet whether point {path} of {id} is locked on the spot: {by} has no value so far"
        ))),
        Lock::NeverKnown(by) => Err(Refusal::NotAllowed(format!(
            "point {path} of {id} is not written, for {by} cannot tell whether it is locked on the spot: that takes a \
             point that is read and gives true or false, or a number"
        ))),
    }
}

pub fn list<T: Display>(mut names: impl Iterator<Item = T>) -> String {
    let shown: Vec<String> = names.by_ref().take(MOST_SHOWN).map(|name| name.to_string()).collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => "nothing".into(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::model::device::Live;

    fn point(no: u16, path: &str, kind: ValueKind, limits: Option<Limits>) -> Point {
        Point { no: PointNo(no), path: path.parse().unwrap(), kind, unit: None, access: Access::ReadWrite, limits }
    }

    fn target() -> DeviceNow {
        let lock = Some("panel.locked".parse().unwrap());
        let points = vec![
            point(0, "panel.locked", ValueKind::Bool, None),
            point(
                1,
                "heat.wanted",
                ValueKind::Float,
                Some(Limits { min: 5.0, max: 30.0, step: Some(0.5), ..Limits::default() }),
            ),
            point(2, "heat.on", ValueKind::Bool, Some(Limits { lock, ..Limits::default() })),
            point(3, "heat.least", ValueKind::Int, Some(Limits { min: 1.0, ..Limits::default() })),
            Point { access: Access::Write, ..point(4, "heat.kick", ValueKind::Bool, None) },
        ];
        let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Write, OperationKind::Restart]);
        let components = vec![Component { name: Name::new("modem").unwrap(), instance: 2 }];
        let id = DeviceId::new("urn:x").unwrap();
        let live = Live { values: vec![None; points.len()], ..Live::default() };
        let capabilities = Arc::new(Capabilities { points, operations, components, ..Capabilities::default() });
        let device = Arc::new(Device::new(DeviceNo(0), id, LifeCycle::Managed, &Now::default()));
        DeviceNow { live, ..DeviceNow::new(device, capabilities) }
    }

    fn write(path: &str, value: Value) -> Operation {
        Operation::Write { point: path.parse().unwrap(), value }
    }

    fn why(target: &DeviceNow, operation: Operation) -> String {
        fitting(target, operation).unwrap_err().to_string()
    }

    #[test]
    fn a_refused_value_says_what_would_be_taken() {
        let target = target();
        assert_eq!(
            why(&target, write("heat.wanted", Value::Float(21.3))),
            "point heat.0.wanted of urn:x takes 5 to 30 in steps of 0.5 from 5, not 21.3"
        );
        assert_eq!(
            why(&target, write("heat.least", Value::Int(0))),
            "point heat.0.least of urn:x takes at least 1, not 0"
        );
        assert!(why(&target, write("heat.wanted", Value::Bool(true))).contains("takes float, not bool"));
        assert_eq!(
            fitting(&target, write("heat.wanted", Value::Int(21))),
            Ok(write("heat.wanted", Value::Float(21.0)))
        );
    }

    #[test]
    fn what_shall_be_wanted_is_held_to_the_same_limits() {
        let desire = |value| Operation::Desire { point: "heat.wanted".parse().unwrap(), value, version: None };
        assert!(why(&target(), desire(Some(Value::Float(99.0)))).contains("takes 5 to 30"));
        assert!(fitting(&target(), desire(None)).is_ok());
    }

    #[test]
    fn a_point_that_is_written_only_is_not_read() {
        let read = Operation::Read { points: vec!["heat.kick".parse().unwrap()] };
        assert_eq!(why(&target(), read), "point heat.0.kick of urn:x cannot be read");
        assert!(fitting(&target(), write("heat.kick", Value::Bool(true))).is_ok());
        assert!(why(&target(), write("heat.kik", Value::Bool(true))).contains("has no point heat.0.kik; it has panel"));
    }

    #[test]
    fn a_part_that_is_restarted_is_there() {
        let part = |name: &str| Operation::Restart { part: Part::Component(Name::new(name).unwrap()) };
        assert!(fitting(&target(), part("modem")).is_ok());
        assert!(fitting(&target(), Operation::Restart { part: Part::Device }).is_ok());
        assert_eq!(why(&target(), part("mdem")), "urn:x has no component mdem; it has heat/0, modem/2, panel/0");
        let instance = Component { name: Name::new("modem").unwrap(), instance: 1 };
        assert!(why(&target(), Operation::Restart { part: Part::Instance(instance) }).contains("modem/1; it has"));
    }

    #[test]
    fn what_is_locked_or_may_be_is_not_written() {
        let mut target = target();
        let on = || write("heat.on", Value::Bool(true));
        let shown = |value, quality| Some(LastValue { value, quality, at: Mono(0), source: Wall(0) });
        assert!(matches!(fitting(&target, on()), Err(Refusal::Busy(why)) if why.contains("not known yet whether")));
        target.live.values[0] = shown(Value::Bool(true), Quality::Good);
        assert!(matches!(fitting(&target, on()), Err(Refusal::NotAllowed(why)) if why.contains("locked on the spot")));
        target.live.values[0] = shown(Value::Bool(false), Quality::Good);
        assert_eq!(fitting(&target, on()), Ok(on()));
        target.live.values[0] = shown(Value::Bool(false), Quality::Bad(BadReason::DeviceSays));
        assert!(matches!(fitting(&target, on()), Err(Refusal::Busy(_))));
    }

    #[test]
    fn only_what_clearly_says_free_is_free() {
        let mut target = target();
        let by: PointPath = "panel.locked".parse().unwrap();
        let path = "heat.on".parse().unwrap();
        let mut says = |value| {
            target.live.values[0] = Some(LastValue { value, quality: Quality::Good, at: Mono(0), source: Wall(0) });
            lock(&target, &path)
        };
        for value in [Value::Bool(false), Value::Uint(0), Value::Float(0.0)] {
            assert_eq!(says(value), Lock::Free);
        }
        for value in [Value::Bool(true), Value::Uint(1), Value::Int(-1), Value::Float(0.5)] {
            assert_eq!(says(value), Lock::Locked(by.clone()));
        }
        for value in [Value::text("off"), Value::Float(f64::NAN)] {
            assert_ne!(says(value), Lock::Free);
        }
    }

    #[test]
    fn a_lock_that_never_tells_is_refused_for_that_reason() {
        for (kind, access) in [(ValueKind::Text, Access::Read), (ValueKind::Bool, Access::Write)] {
            let mut target = target();
            let points = &mut Arc::make_mut(&mut target.capabilities).points;
            (points[0].kind, points[0].access) = (kind, access);
            let refused = fitting(&target, write("heat.on", Value::Bool(true)));
            assert!(matches!(&refused, Err(Refusal::NotAllowed(why)) if why.contains("cannot tell")), "{refused:?}");
        }
    }

    #[test]
    fn of_many_points_the_one_that_is_not_there_is_named_too() {
        let target = target();
        let read = |last: &str| {
            let mut points = vec!["heat.wanted".parse().unwrap(); FEW];
            points.push(last.parse().unwrap());
            Operation::Read { points }
        };
        assert!(fitting(&target, read("heat.on")).is_ok());
        assert!(why(&target, read("heat.off")).contains("has no point heat.0.off"));
        assert_eq!(why(&target, read("heat.kick")), "point heat.0.kick of urn:x cannot be read");
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(list(0..0), "nothing");
        assert_eq!(list(0..8), "0, 1, 2, 3, 4, 5, 6, 7");
        assert_eq!(list(0..10), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }

    #[test]
    fn what_cannot_be_done_names_what_can() {
        assert_eq!(why(&target(), Operation::SelfTest), "urn:x cannot self-test; it can read, write, restart");
        assert!(fitting(&target(), Operation::ConnectionLog { own: false }).is_ok());
        assert!(fitting(&target(), Operation::ConnectionLog { own: true }).is_err());
    }
}
