//! What happened, in sentences: records of the journal and of a device's log, and how a command ended.

use crate::api::shown::HeardShown;
use crate::model::{Audit, Came, Gap, Name, Outcome, Record};

use super::table::time;

/// As JSON spells it: the words are the same everywhere.
pub fn word<T: serde::Serialize>(of: &T) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

pub fn record(record: &Record) -> String {
    match record {
        Record::Result { command, device, operation, state, outcome, proven, .. } => {
            let device = device.as_ref().map_or_else(|| "many".into(), ToString::to_string);
            // "Done" once is enough.
            let end = outcome.as_ref().filter(|outcome| !matches!(outcome, Outcome::Done(values) if values.is_empty()));
            let end = end.map(|outcome| format!(": {}", self::outcome(outcome))).unwrap_or_default();
            format!("{operation} on {device} {}{} ({command}){end}", state.name(), self::proven(*proven))
        }
        Record::Audit(audit) => self::audit(audit),
        Record::Gap(gap) => self::gap(gap),
        Record::Settings { says } => format!("settings: {says}"),
        Record::LinkUp { link } => format!("link {link} up"),
        Record::LinkDown { link, why } => format!("link {link} down: {why}"),
        Record::DeviceAdded { device, link, address, life } => {
            format!("{device} added, {}, at {address} on {link}", word(life))
        }
        Record::DeviceMoved { device, link, address } => format!("{device} moved to {address} on {link}"),
        Record::DeviceLife { device, life } => format!("{device} is {} now", word(life)),
        Record::DeviceBlocked { device, until } => format!("{device} blocked until {}", time(*until)),
        Record::DeviceUnblocked { device } => format!("{device} no longer blocked"),
        Record::DeviceProfile { device, profile: Some(profile) } => format!("{device} is of profile {profile} now"),
        Record::DeviceProfile { device, profile: None } => format!("{device} has no profile now"),
        Record::ProfileNoRoom { device, profile } => {
            format!("there is no room for the points that profile {profile} makes of {device}: it is seen as it is")
        }
        Record::DeviceReplaced { device } => format!("{device} has another key, hardware or identity now"),
        Record::DeviceMerged { device, with } => format!("{with} turned out to be {device} and goes on as that"),
        Record::DeviceSplit { device, from } => format!("{device} turned out not to be {from} and is on its own now"),
        Record::DeviceAlike { device, other } => {
            format!(
                "{device} and {other} were shown as one; if they are, say so with: dmgw command ask {other} merge {device}"
            )
        }
        Record::DeviceContested { device, link, address } => {
            format!("somebody at {address} on {link} claims to be {device}, which still answers where it is")
        }
        Record::Maintenance { device, by, on: true } => format!("{device} in maintenance, by {by}"),
        Record::Maintenance { device, by, on: false } => format!("{device} no longer in maintenance, by {by}"),
        Record::Desired { device, point, by, version } => {
            format!("{point} of {device} shall be another, by {by} (version {version})")
        }
        Record::Differs { device, point, differs: true } => format!("{point} of {device} is not as desired"),
        Record::Differs { device, point, differs: false } => format!("{point} of {device} is as desired again"),
        Record::DeviceChanged { device } => format!("{device} has other points or operations"),
        Record::DeviceUp { device } => format!("{device} up"),
        Record::DeviceDegraded { device, why: Some(why) } => format!("{device} is not well: {why}"),
        Record::DeviceDegraded { device, why: None } => format!("{device} answers, but not each time"),
        Record::DeviceSilent { device } => format!("{device} silent"),
        Record::DeviceGone { device } => format!("{device} gone"),
    }
}

fn audit(audit: &Audit) -> String {
    let by = audit.by.as_ref().map_or("somebody unknown", Name::as_str);
    let from = audit.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    let on = audit.on.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
    let times = if audit.times == 1 { String::new() } else { format!(", {} times", audit.times) };
    let came = match &audit.came {
        Came::Done => "done".to_owned(),
        Came::Refused(why) => format!("refused{times}: {why}"),
        Came::Begun => "begun".into(),
        Came::Answered(says) => format!("answered: {says}"),
        Came::Failed(why) => format!("failed: {why}"),
        Came::Unknown(why) => format!("unknown: {why}"),
    };
    format!("{by}{from}: {}{on}: {came}", audit.what)
}

fn gap(gap: &Gap) -> String {
    let why = word(&gap.why);
    if gap.count == 0 && !gap.exact {
        return format!(
            "gap in {}: what came after {} may be missing, nobody knows how much ({why})",
            gap.stream.name(),
            gap.last
        );
    }
    let count = if gap.exact { "" } else { "at most " };
    format!("gap in {}: {count}{} missing, {} to {} ({why})", gap.stream.name(), gap.count, gap.first, gap.last)
}

pub fn heard(heard: &HeardShown) -> String {
    let readings = heard.readings.iter().map(|reading| format!("{} {}", reading.point, reading.value));
    format!("{}: {}", heard.device, readings.collect::<Vec<_>>().join(", "))
}

/// Whether what is done was seen.
pub fn proven(proven: Option<bool>) -> &'static str {
    match proven {
        Some(true) => ", as was seen",
        Some(false) => ", as the device says: unproven",
        None => "",
    }
}

pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(values) if values.is_empty() => "done".into(),
        Outcome::Done(values) => {
            values.iter().map(|(point, value)| format!("{point} = {value}")).collect::<Vec<_>>().join(", ")
        }
        Outcome::Failed(why) => why.clone(),
        Outcome::NotSent(why) => format!("not sent: {why}"),
        Outcome::Lost(why) => format!("no answer that tells: {why}"),
        Outcome::Cancelled => "called back".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, DeviceId, Wall};

    #[test]
    fn what_happened_is_told_in_a_sentence() {
        let device = DeviceId::new("urn:a").unwrap();
        let (link, by) = (Name::new("plant").unwrap(), Name::new("ann").unwrap());
        let address = Address::new("7").unwrap();
        let told = |of| record(&of);
        assert_eq!(
            told(Record::DeviceBlocked { device: device.clone(), until: Wall(0) }),
            "urn:a blocked until 1970-01-01 00:00:00Z"
        );
        let why = Some("a.0.x shows E7: Phase 1 is missing".to_owned());
        assert_eq!(
            told(Record::DeviceDegraded { device: device.clone(), why }),
            "urn:a is not well: a.0.x shows E7: Phase 1 is missing"
        );
        let room = Record::ProfileNoRoom { device: device.clone(), profile: by.clone() };
        assert!(told(room).starts_with("there is no room for the points that profile ann makes of urn:a"));
        assert_eq!(
            told(Record::DeviceContested { device: device.clone(), link, address }),
            "somebody at 7 on plant claims to be urn:a, which still answers where it is"
        );
        assert_eq!(
            told(Record::Maintenance { device: device.clone(), by, on: false }),
            "urn:a no longer in maintenance, by ann"
        );
        let point = "a.b".parse().unwrap();
        assert_eq!(told(Record::Differs { device, point, differs: true }), "a.0.b of urn:a is not as desired");
    }
}
