//! `dmgw export`: the running set as one settings file that `dmgw check` takes: what holds, versions laid over, and every
//! device that is known, also those that were only found or registered through a door.
//!
//! Secrets stand in settings as names of credentials and files, or sealed, and so they do here; sealed ones only this
//! gateway can open. Keys of devices that the store alone knows are in no settings, and not here either.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::device::{self, written};
use super::table::print;
use super::{CliError, Exit, print_json};
use crate::api::shown::DeviceShown;
use crate::document::tree::{key_text, split_key};
use crate::model::setting::Flat;
use crate::model::{LifeCycle, Name};

const AT_ONCE: Duration = Duration::ZERO;

pub async fn export(client: &Client, json: bool) -> Result<Exit, CliError> {
    let running: Flat = client.get("/v1/config", AT_ONCE).await?;
    let known = Known::of(&running);
    let found = device::all(client, "&detail=true").await?;
    let (mut text, mut names) = (settings(&running), known.names.clone());
    for mut device in found.into_iter().filter(|device| device.life != LifeCycle::Retired) {
        // Who is in these, their selectors say.
        device.groups.retain(|group| !selected(&running, group));
        if !known.has(&device) {
            let life = Some(device.life).filter(|life| *life != LifeCycle::Managed);
            let name = another(&written::name_of(&device), &names);
            let _ = write!(text, "\n{}", written::table(&name, &device, life));
            names.insert(name);
        }
    }
    if json {
        return print_json(&json!({ "text": text }));
    }
    print(text.trim_end());
    Ok(Exit::Done)
}

fn selected(running: &Flat, group: &Name) -> bool {
    let table = format!("group.{}", key_text(group.as_str()));
    running.keys().any(|key| *key == table || split_key(key).0 == table)
}

/// Each table under its header. A value is TOML already.
fn settings(running: &Flat) -> String {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, set) in running {
        let (table, name) = split_key(key);
        tables.entry(table).or_default().push(format!("{name} = {}\n", set.value));
    }
    let mut text = String::new();
    for (table, lines) in tables {
        let blank = if text.is_empty() { "" } else { "\n" };
        let header = if table.is_empty() { String::new() } else { format!("{blank}[{table}]\n") };
        let _ = write!(text, "{header}{}", lines.concat());
    }
    text
}

/// Which devices the settings name.
struct Known {
    names: BTreeSet<String>,
    identities: String,
    places: BTreeSet<(String, String)>,
}

impl Known {
    fn of(running: &Flat) -> Known {
        let mut of: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for (key, set) in running {
            if let Some((name, key)) = key.strip_prefix("device.").map(split_key) {
                of.entry(name).or_default().insert(key, &set.value);
            }
        }
        let plain = |name: &str| name.trim_matches('"').to_owned();
        let place =
            |keys: &BTreeMap<&str, &str>| Some((keys.get("link")?.to_string(), keys.get("address")?.to_string()));
        Known {
            names: of.keys().map(|name| plain(name)).collect(),
            identities: of.values().filter_map(|keys| keys.get("identities").copied()).collect::<Vec<_>>().join("\n"),
            places: of.values().filter_map(place).collect(),
        }
    }

    fn has(&self, device: &DeviceShown) -> bool {
        let identities = device.detail.as_ref().map(written::identities).unwrap_or_default();
        let place = device.link.as_ref().zip(device.address.as_ref());
        identities.iter().any(|identity| self.identities.contains(&written::quoted(identity)))
            || place
                .is_some_and(|(link, address)| self.places.contains(&(written::quoted(link), written::quoted(address))))
    }
}

fn another(name: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (2..).map(|no: u32| format!("{name}-{no}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::setting::Set;

    fn flat(keys: &[(&str, &str)]) -> Flat {
        let set = |value: &str| Set { value: value.to_owned(), origin: "a".into() };
        keys.iter().map(|(key, value)| ((*key).to_owned(), set(value))).collect()
    }

    #[test]
    fn keys_stand_under_the_header_of_their_table_and_each_header_once() {
        let text = settings(&flat(&[
            ("link.a.every", "\"1s\""),
            ("link.a.sim.socket", "\"/s\""),
            ("link.a.silent_after", "\"5s\""),
            ("profile.p.point.\"energy.total\".unit", "\"kWh\""),
            ("admission", "[{ then = \"hold\" }]"),
            ("link.b", "{}"),
        ]));
        let read: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read["link"]["a"]["silent_after"].as_str(), Some("5s"));
        assert_eq!(read["profile"]["p"]["point"]["energy.total"]["unit"].as_str(), Some("kWh"));
        assert!(read["admission"].is_array() && read["link"]["b"].is_table(), "{text}");
        assert!(text.starts_with("admission = "), "{text}");
    }

    #[test]
    fn two_devices_of_one_name_are_told_apart() {
        let taken = BTreeSet::from(["m".to_owned(), "m-2".to_owned()]);
        assert_eq!((another("m", &taken), another("n", &taken)), ("m-3".into(), "n".into()));
    }
}
