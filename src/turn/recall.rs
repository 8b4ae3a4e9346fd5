//! The log of a device as the result of a command: `log.0.at` and `log.0.what` are the newest line.

use crate::model::command::{LARGEST_RESULT, MOST_RESULTS};
use crate::model::record::Entry;
use crate::model::value::LONGEST_TEXT;
use crate::model::{PointPath, Value};

/// Whole lines only, as many as a result may hold.
pub(super) fn shown(log: &[Entry]) -> Vec<(PointPath, Value)> {
    let mut values = Vec::new();
    let mut room = LARGEST_RESULT;
    for (no, entry) in log.iter().rev().enumerate() {
        let Some(line) = line(no, entry) else { continue };
        let weight: usize = line.iter().map(|(_, value)| value.weight()).sum();
        if weight > room || values.len() + line.len() > MOST_RESULTS {
            break;
        }
        room -= weight;
        values.extend(line);
    }
    values
}

fn line(no: usize, entry: &Entry) -> Option<[(PointPath, Value); 2]> {
    let path = |point: &str| format!("log.{no}.{point}").parse().ok();
    let what = serde_json::to_string(&entry.record).ok().filter(|text| text.len() <= LONGEST_TEXT)?;
    Some([(path("at")?, Value::Time(entry.at.wall)), (path("what")?, Value::text(&what))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, Name, Now, Record, Wall};

    fn entry(wall: u64, record: Record) -> Entry {
        Entry { at: Now { wall: Wall(wall), ..Now::default() }, of: None, record }
    }

    fn up(wall: u64) -> Entry {
        entry(wall, Record::DeviceUp { device: DeviceId::new("urn:x:1").unwrap() })
    }

    #[test]
    fn the_newest_line_comes_first_with_its_time() {
        let shown: Vec<String> =
            shown(&[up(1), up(2)]).iter().map(|(path, value)| format!("{path} {value:?}")).collect();
        let what = r#"Text("{\"device-up\":{\"device\":\"urn:x:1\"}}")"#;
        let line = |no: usize, wall| [format!("log.{no}.at Time(Wall({wall}))"), format!("log.{no}.what {what}")];
        assert_eq!(shown, [line(0, 2), line(1, 1)].concat());
        assert_eq!(super::shown(&[]), []);
    }

    #[test]
    fn no_more_lines_than_a_result_holds_and_none_by_half() {
        let long = |wall| entry(wall, Record::LinkDown { link: Name::new("l").unwrap(), why: "y".repeat(1_000) });
        let log: Vec<Entry> = (0..9).map(long).collect();
        let shown = shown(&log);
        assert_eq!((shown.len(), shown.last().unwrap().0.to_string()), (14, "log.6.what".into()));
        let short: Vec<Entry> = (0..MOST_RESULTS as u64).map(up).collect();
        let outcome = crate::model::Outcome::Done(super::shown(&short));
        assert_eq!(outcome.clone().bounded(), outcome);
    }
}
