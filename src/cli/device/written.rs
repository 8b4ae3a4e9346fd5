//! A device as its owner writes it in the settings: `[device.NAME]`.
//!
//! What the settings have no key for (versions, a position, a key that only the store knows) stands beside it as a comment.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::api::shown::{Detail, DeviceShown};
use crate::cli::told::word;
use crate::document::tree::key_text;
use crate::model::{IdentityKind, LifeCycle, Name};

/// The table of one device. `life`: what it shall be; without, it stays what it is, and begins as managed.
pub fn table(name: &str, device: &DeviceShown, life: Option<LifeCycle>) -> String {
    let mut text = head(name);
    let mut put = |key: &str, value: Option<String>| row(&mut text, key, value);
    let detail = device.detail.as_ref();
    put("identities", detail.map(identities).filter(|found| !found.is_empty()).map(|found| list(&found)));
    put("link", device.link.as_ref().map(quoted));
    put("address", device.address.as_ref().map(quoted));
    let profile = detail.and_then(|detail| detail.profile.as_ref());
    put("profile", profile.filter(|profile| profile.assigned).and_then(|profile| profile.name.as_ref()).map(quoted));
    put("life", life.map(|life| quoted(&word(&life))));
    put("groups", (!device.groups.is_empty()).then(|| list(&device.groups)));
    let Some(detail) = detail else { return text };
    let about = &detail.about;
    put("label", (!about.labels.is_empty()).then(|| pairs(&about.labels)));
    put("application", about.application.as_ref().map(quoted));
    put("hardware", about.hardware.as_ref().map(quoted));
    put("location", about.location.as_ref().and_then(|location| location.place.as_ref()).map(quoted));
    put("power", about.power.map(|power| quoted(&word(&power))));
    put("security", about.security.map(|level| level.to_string()));
    put("access", about.access.map(|level| level.to_string()));
    text + &comments(device, detail)
}

pub fn head(name: &str) -> String {
    format!("[device.{}]\n", key_text(name))
}

/// One key, where it has a value.
pub fn row(text: &mut String, key: &str, value: Option<String>) {
    if let Some(value) = value {
        let _ = writeln!(text, "{key} = {value}");
    }
}

fn comments(device: &DeviceShown, detail: &Detail) -> String {
    let mut text = String::new();
    let profile = detail.profile.as_ref().filter(|profile| !profile.assigned).and_then(|profile| profile.name.as_ref());
    if let Some(profile) = profile {
        let _ = writeln!(
            text,
            "# profile = {}  # found by its signs; to keep it so, take the first # away",
            quoted(profile)
        );
    }
    if detail.keyed {
        text.push_str("# It has a key, which stays as it is. To give it here: dmgw secret seal\n");
    }
    let _ = writeln!(text, "# {}", plain(device.id.as_str()));
    text
}

/// As the settings spell them, without its place, which stands in keys of its own.
pub fn identities(detail: &Detail) -> Vec<String> {
    detail.identities.iter().filter(|of| of.kind != IdentityKind::Place).map(ToString::to_string).collect()
}

/// In a comment nothing may end the line.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub fn quoted(text: &(impl ToString + ?Sized)) -> String {
    toml::Value::String(text.to_string()).to_string()
}

pub fn list<T: ToString>(of: &[T]) -> String {
    format!("[{}]", of.iter().map(quoted).collect::<Vec<_>>().join(", "))
}

fn pairs<T: ToString + Serialize>(of: &BTreeMap<Name, T>) -> String {
    let pair = |(name, text): (&Name, &T)| format!("{} = {}", key_text(name.as_str()), quoted(text));
    format!("{{ {} }}", of.iter().map(pair).collect::<Vec<_>>().join(", "))
}

/// How it is called, or could be: the end of its id, with what no name takes left out.
pub fn name_of(device: &DeviceShown) -> String {
    if let Some(name) = &device.name {
        return name.to_string();
    }
    let id = device.id.as_str();
    let end = id.rsplit(':').next().unwrap_or(id);
    let fits = |c: char| if Name::new(&c.to_string()).is_ok() { c } else { '-' };
    let end: String = end.chars().rev().take(48).map(fits).collect();
    match end.trim_matches('-') {
        "" => format!("device-{}", device.no),
        end => end.chars().rev().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn device(more: serde_json::Value) -> DeviceShown {
        let mut shown = json!({
            "no": 7, "id": "urn:dev:dmgw:serial:acme:M\"1", "link": "plant", "address": "a\"b", "life": "managed",
            "connectivity": "up", "first_seen": 5, "groups": ["line-a"],
            "detail": { "identities": [
                            { "kind": "serial", "value": "acme:M\"1", "proof": "claimed" },
                            { "kind": "place", "value": "plant/7", "proof": "seen" }],
                        "keyed": true, "operations": [], "components": [], "points": [],
                        "profile": { "name": "meter", "assigned": false, "score": { "points": 1 } },
                        "about": { "labels": { "row": "3", "é": "\u{7f}" }, "power": "mains", "security": 2,
                                   "location": { "place": "hall 2", "source": "administrator", "at": 0 } } },
        });
        shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(shown).unwrap()
    }

    #[test]
    fn whatever_a_device_calls_itself_the_table_is_toml_that_says_the_same() {
        let text = table("M-1", &device(json!({})), Some(LifeCycle::Pending));
        let read: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let read = &read["device"]["M-1"];
        assert_eq!(read["identities"], toml::Value::Array(vec!["serial:acme:M\"1".into()]), "{text}");
        assert_eq!(read["address"].as_str(), Some("a\"b"));
        assert_eq!((read["label"]["é"].as_str(), read["location"].as_str()), (Some("\u{7f}"), Some("hall 2")));
        assert_eq!((read["life"].as_str(), read["security"].as_integer()), (Some("pending"), Some(2)));
        assert!(
            read.get("profile").is_none() && text.contains("# profile = \"meter\"  # found by its signs"),
            "{text}"
        );
        assert!(read.get("key").is_none() && text.contains("dmgw secret seal"), "{text}");
    }

    #[test]
    fn a_device_without_a_name_is_called_by_the_end_of_its_id() {
        assert_eq!(name_of(&device(json!({}))), "M-1");
        assert_eq!(name_of(&device(json!({ "name": "pump" }))), "pump");
        assert_eq!(name_of(&device(json!({ "id": "urn:dev:x:..." }))), "device-7");
    }
}
