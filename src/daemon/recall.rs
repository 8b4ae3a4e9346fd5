//! The log of a device as the result of a command: what the engine asked the loop to look up.
//!
//! One value an entry, the newest first, so that what finds no room in a result is what happened longest ago: the kind of
//! the record as the point, its time and the record as a list of two.

use crate::model::record::Entry;
use crate::model::value::LONGEST_TEXT;
use crate::model::{DeviceNo, Name, Outcome, PointPath, Value};
use crate::store::{Snapshots, StoreError};

pub fn recall(snapshots: &Snapshots, device: DeviceNo) -> Outcome {
    match log(snapshots, device) {
        Ok(entries) => outcome(&entries),
        Err(error) => Outcome::Failed(format!("the log cannot be read: {error}")),
    }
}

fn log(_: &Snapshots, _: DeviceNo) -> Result<Vec<Entry>, StoreError> {
    Ok(Vec::new())
}

fn outcome(entries: &[Entry]) -> Outcome {
    let values = entries.iter().rev().zip(0..).filter_map(|(entry, place)| value(entry, place));
    Outcome::Done(values.collect()).bounded()
}

fn value(entry: &Entry, instance: u16) -> Option<(PointPath, Value)> {
    let shown = serde_json::to_value(&entry.record).ok()?;
    let (kind, record) = shown.as_object().and_then(|record| record.iter().next())?;
    let text = record.to_string();
    let text = if text.len() > LONGEST_TEXT { "" } else { &text };
    let path = PointPath { component: Name::new("log").ok()?, instance, point: Name::new(kind).ok()? };
    Some((path, Value::List(vec![Value::Time(entry.at.wall), Value::text(text)].into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, Now, Record, Wall};

    fn entry(at: u64, record: Record) -> Entry {
        Entry { at: Now { wall: Wall(at), ..Now::default() }, of: Some(DeviceNo(1)), record }
    }

    #[test]
    fn a_log_comes_newest_first() {
        let device = DeviceId::new("urn:a").unwrap();
        let log = [
            entry(1, Record::DeviceUp { device: device.clone() }),
            entry(2, Record::DeviceSilent { device: device.clone() }),
        ];
        let Outcome::Done(values) = outcome(&log) else { panic!() };
        let points: Vec<String> = values.iter().map(|(point, _)| point.to_string()).collect();
        assert_eq!(points, ["log.0.device-silent", "log.1.device-up"]);
        let text = Value::text("{\"device\":\"urn:a\"}");
        assert_eq!(values[1].1, Value::List(vec![Value::Time(Wall(1)), text].into()));
    }
}
