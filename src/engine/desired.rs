//! What points shall be: kept, written once for each version, and shown where the device differs.
//!
//! **Invariant: a version is written at most once, and once more after the device was set back to how it left its factory.**
//! What became of the write is the result of its command; nothing here tries again, for a device that refuses or forgets a
//! value would be written without end.

use crate::model::command::Expiry;
use crate::model::device::{Desired, DeviceNow, LastValue, MOST_DESIRED};
use crate::model::*;

use super::asks::our_id;
use super::fitting::{fitting, writable};
use super::step::Step;
use super::{Engine, record};

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "they are those of the operation")]
    pub(super) fn desire(
        &mut self,
        now: &Now,
        no: DeviceNo,
        (by, local): (&Name, bool),
        path: &PointPath,
        value: Option<&Value>,
        version: Option<u64>,
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(entry) = self.registry.get(no).cloned() else { return Ok(()) };
        let id = entry.device.id.clone();
        let point = entry.capabilities.point(path).ok_or_else(|| format!("{id} has no point {path}"))?;
        let before = entry.device.desired.iter().find(|known| known.point == point.no);
        let version = next_version(before, version)?;
        let mut desired = others(&entry, point.no);
        let (mut write, waits) = (None, !self.may_be_asked(&entry.device, OperationKind::Write));
        if let Some(value) = value {
            if desired.len() >= MOST_DESIRED {
                return Err(format!("{MOST_DESIRED} points of {id} are desired already; forget one of them"));
            }
            let value = writable(&entry, path, value).map_err(|refusal| refusal.to_string())?;
            write = self.write_of(now, &entry, point, &value, step)?.map(|command| Command { local, ..command });
            desired.push(Desired { point: point.no, value, by: by.clone(), version, at: *now, waits });
            desired.sort_by_key(|known| known.point);
        } else {
            before.ok_or_else(|| format!("nobody minds what {path} of {id} is"))?;
            self.minds_no_more(no, point.no);
        }
        self.call_off(now, no, path, step);
        let what = Record::Desired { device: id, point: path.clone(), by: by.clone(), version };
        step.changes.push(record(now, no, what));
        self.store_device(Device { desired, ..entry.device.as_ref().clone() }, step);
        if let Some(link) = write.and_then(|command| self.begin(now, command, step)) {
            self.pump(now, link, step);
        }
        Ok(())
    }

    /// The command that makes it so; `None` where it is so already, or the device takes no writes.
    fn write_of(
        &mut self,
        now: &Now,
        entry: &DeviceNow,
        point: &Point,
        value: &Value,
        step: &mut Step,
    ) -> Result<Option<Command>, String> {
        let device = &entry.device;
        let last = entry.capabilities.place(point.no).and_then(|place| entry.live.values.get(place)?.as_ref());
        // What is under way may be about to change it.
        let shown = self.as_written(entry, &point.path, value);
        let under_way = self.commands.is_flying(device.no) || self.commands.tried(device.no).next().is_some();
        let is_so = !under_way && last.is_some_and(|last| is_so(last, &shown));
        if !self.may_be_asked(device, OperationKind::Write) || !entry.capabilities.can(OperationKind::Write) || is_so {
            return Ok(None);
        }
        let operation = Operation::Write { point: point.path.clone(), value: value.clone() };
        let operation = fitting(entry, operation).map_err(|refusal| refusal.to_string())?;
        if self.commands.waiting_for(device.no) >= self.settings.most_queued || !self.room_for_commands(1, step) {
            return Err(format!("there is no room for the command that would write it to {}", device.id));
        }
        let no = self.commands.next_no();
        let id = our_id(no).map_err(|refusal| refusal.to_string())?;
        let whom = Whom::Device { no: device.no, id: device.id.clone() };
        let span = self.settings.command_expiry;
        Ok(Some(Command {
            expires: Expiry { wall: now.wall + span, mono: now.mono + span },
            timeout: self.usual_timeout(device.no, OperationKind::Write).unwrap_or(self.settings.command_timeout),
            ..Command::new(no, id, gateway(), whom, operation, *now)
        }))
    }

    /// The device may take writes now: what was desired of it before is written. What cannot be written waits on.
    pub(super) fn write_what_waited(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(entry) =
            self.registry.get(no).filter(|entry| self.may_be_asked(&entry.device, OperationKind::Write)).cloned()
        else {
            return;
        };
        let waiting: Vec<Desired> = entry.device.desired.iter().filter(|desired| desired.waits).cloned().collect();
        for desired in waiting {
            let place = entry.capabilities.place(desired.point);
            let Some(point) = place.and_then(|place| entry.capabilities.points.get(place)) else { continue };
            let Ok(write) = self.write_of(now, &entry, point, &desired.value, step) else { continue };
            self.waits_no_more(no, desired.point, step);
            if let Some(link) = write.and_then(|command| self.begin(now, command, step)) {
                self.pump(now, link, step);
            }
        }
    }

    fn waits_no_more(&mut self, no: DeviceNo, point: PointNo, step: &mut Step) {
        let Some(mut device) = self.registry.get(no).map(|entry| entry.device.as_ref().clone()) else { return };
        device.desired.iter_mut().filter(|desired| desired.point == point).for_each(|desired| desired.waits = false);
        self.store_device(device, step);
    }

    /// What was to be written of an earlier version, and was not sent yet.
    fn call_off(&mut self, now: &Now, no: DeviceNo, path: &PointPath, step: &mut Step) {
        let by = gateway();
        for waiting in self.commands.queued_for(no) {
            let ours = self.commands.get(waiting).is_some_and(|command| {
                command.by == by && matches!(&command.operation, Operation::Write { point, .. } if point == path)
            });
            if ours {
                self.end(now, waiting, Outcome::Cancelled, step);
            }
        }
    }

    /// Tells where a device is not as desired any more, or is again. After a start nobody knows how it was: then only
    /// what differs is told.
    pub(super) fn compare_with_desired(&mut self, now: &Now, no: DeviceNo, readings: &[Reading], step: &mut Step) {
        let Some(entry) = self.registry.get(no).filter(|entry| !entry.device.desired.is_empty()).cloned() else {
            return;
        };
        let mut known = entry.live.differs.clone();
        for reading in readings.iter().filter(|reading| !matches!(reading.quality, Quality::Bad(_))) {
            let Some(desired) = entry.device.desired.iter().find(|desired| desired.point == reading.point) else {
                continue;
            };
            let Some(place) = entry.capabilities.place(reading.point) else { continue };
            let point = &entry.capabilities.points[place].path;
            let differs = !reading.value.is_like(&self.as_written(&entry, point, &desired.value));
            if differs == known.contains(&reading.point) {
                continue;
            }
            known.retain(|point| *point != reading.point);
            known.extend(differs.then_some(reading.point));
            let (device, point) = (entry.device.id.clone(), point.clone());
            step.changes.push(record(now, no, Record::Differs { device, point, differs }));
        }
        if known != entry.live.differs
            && let Some((_, live)) = self.registry.live(no, &mut self.touched.devices)
        {
            live.differs = known;
        }
    }

    fn minds_no_more(&mut self, no: DeviceNo, point: PointNo) {
        if let Some((_, live)) = self.registry.live(no, &mut self.touched.devices) {
            live.differs.retain(|known| *known != point);
        }
    }
}

/// What is desired of the other points; what stood for one that is no more makes room.
fn others(entry: &DeviceNow, point: PointNo) -> Vec<Desired> {
    let stays = |known: &&Desired| known.point != point && entry.capabilities.place(known.point).is_some();
    entry.device.desired.iter().filter(stays).cloned().collect()
}

fn next_version(before: Option<&Desired>, wanted: Option<u64>) -> Result<u64, String> {
    let Some(before) = before else { return Ok(wanted.unwrap_or(1)) };
    match wanted {
        Some(wanted) if wanted <= before.version => {
            Err(format!("version {} by {} stands; give a later one", before.version, before.by))
        }
        Some(wanted) => Ok(wanted),
        None => before.version.checked_add(1).ok_or_else(|| "there is no later version; forget it first".into()),
    }
}

fn is_so(last: &LastValue, value: &Value) -> bool {
    last.quality == Quality::Good && last.value.is_like(value)
}

/// Who asks for what follows from what others desired.
fn gateway() -> Name {
    Name::new("gateway").unwrap_or_else(|_| unreachable!("the name is within its bounds"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Settings;

    const POINTS: u16 = 70;

    /// One managed device with many points; nothing is desired of it yet.
    fn engine(now: &Now) -> Engine {
        let point = |no: u16| Point {
            no: PointNo(no),
            path: format!("zone.{no}.level").parse().unwrap(),
            kind: ValueKind::Float,
            unit: None,
            access: Access::ReadWrite,
            limits: None,
        };
        let capabilities = Capabilities { points: (0..POINTS).map(point).collect(), ..Capabilities::default() };
        let id = DeviceId::new("urn:x").unwrap();
        let device = Device::new(DeviceNo(0), id, LifeCycle::Managed, now);
        let (shapes, devices) = (vec![(ShapeNo(0), Arc::new(capabilities))], vec![Arc::new(device)]);
        Engine::load(Settings::default(), State { shapes, devices, ..State::default() }, now).0
    }

    fn desire(engine: &mut Engine, now: &Now, no: u16, value: f64) -> Result<(), String> {
        let (by, path) = (Name::new("ann").unwrap(), format!("zone.{no}.level").parse().unwrap());
        engine.desire(now, DeviceNo(0), (&by, true), &path, Some(&Value::Float(value)), None, &mut Step::default())
    }

    #[test]
    fn what_is_desired_of_a_device_is_bounded() {
        let now = Now::default();
        let mut engine = engine(&now);
        let most = u16::try_from(MOST_DESIRED).unwrap();
        assert!((0..most).all(|no| desire(&mut engine, &now, no, 1.0).is_ok()));
        assert!(desire(&mut engine, &now, most, 1.0).unwrap_err().contains("forget one of them"));
        assert_eq!(desire(&mut engine, &now, 0, 2.0), Ok(()));
        let device = &engine.device(DeviceNo(0)).unwrap().device;
        assert_eq!(device.desired.len(), MOST_DESIRED);
        assert!(device.desired.is_sorted_by_key(|desired| desired.point));
        assert_eq!((device.desired[0].version, &device.desired[0].value), (2, &Value::Float(2.0)));
    }

    #[test]
    fn a_point_that_is_no_more_makes_room() {
        let now = Now::default();
        let mut engine = engine(&now);
        assert!((0..3).all(|no| desire(&mut engine, &now, no, 1.0).is_ok()));
        let mut entry = engine.device(DeviceNo(0)).unwrap().as_ref().clone();
        Arc::make_mut(&mut entry.capabilities).points.remove(1);
        let left: Vec<PointNo> = others(&entry, PointNo(2)).iter().map(|desired| desired.point).collect();
        assert_eq!(left, [PointNo(0)]);
    }

    #[test]
    fn versions_only_go_up() {
        let by = Name::new("ann").unwrap();
        let last = |version| Desired {
            point: PointNo(0),
            value: Value::Int(1),
            by: by.clone(),
            version,
            at: Now::default(),
            waits: false,
        };
        assert_eq!((next_version(None, None), next_version(None, Some(7))), (Ok(1), Ok(7)));
        assert_eq!((next_version(Some(&last(7)), None), next_version(Some(&last(7)), Some(9))), (Ok(8), Ok(9)));
        assert!(next_version(Some(&last(7)), Some(7)).is_err() && next_version(Some(&last(u64::MAX)), None).is_err());
    }
}
