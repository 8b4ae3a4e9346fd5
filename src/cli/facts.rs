//! What people say of a device, as they write it: one key and one text for each fact. The same keys stand in the columns
//! of a list, in the options of `register` and behind `describe`.

use super::spelling;
use crate::model::about::{HIGHEST_LEVEL, Location, LocationSource};
use crate::model::{About, Name, Wall};
use crate::nearest;

/// Beside these: `label.NAME` and `version.NAME`.
pub const KEYS: [&str; 6] = ["application", "location", "hardware", "power", "security", "access"];

/// Sets one fact. An empty label or version is taken away.
pub fn put(about: &mut About, key: &str, text: &str) -> Result<(), String> {
    match key {
        "application" => about.application = Some(text.into()),
        "hardware" => about.hardware = Some(text.into()),
        "location" => about.location = Some(location(text)),
        "power" => about.power = Some(one_of(text, &["mains", "battery", "harvested", "line"])?),
        "security" => about.security = Some(level(text)?),
        "access" => about.access = Some(level(text)?),
        _ => match key.split_once('.') {
            Some(("label", name)) => drop(about.labels.insert(named(name)?, text.into())),
            Some(("version", name)) => drop(about.versions.insert(named(name)?, text.into())),
            _ => return Err(unknown(key)),
        },
    }
    Ok(())
}

fn unknown(key: &str) -> String {
    match nearest::nearest(key, KEYS) {
        Some(near) => format!("there is no {key:?} to say of a device; did you mean {near}?"),
        None => {
            format!("there is no {key:?} to say of a device; there are {}, label.NAME, version.NAME", KEYS.join(", "))
        }
    }
}

/// `NAME=TEXT`.
pub fn pair(text: &str) -> Result<(&str, &str), String> {
    let (key, text) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=TEXT"))?;
    Ok((key.trim(), text.trim()))
}

pub fn named(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| format!("{text:?}: {error}"))
}

/// Two numbers are a position, anything else is a text.
fn location(text: &str) -> Location {
    let numbers = text.split([',', ' ']).filter(|part| !part.is_empty()).map(str::parse::<f64>);
    let position = match numbers.collect::<Result<Vec<f64>, _>>().as_deref() {
        Ok(&[lat, lon]) => Some((lat, lon)),
        _ => None,
    };
    let place = position.is_none().then(|| text.to_owned());
    Location { place, position, source: LocationSource::Administrator, at: Wall(0) }
}

fn level(text: &str) -> Result<u8, String> {
    let level = text.parse().ok().filter(|level| *level <= HIGHEST_LEVEL);
    level.ok_or_else(|| format!("{text:?} is no level; write 0 to {HIGHEST_LEVEL}"))
}

/// A word of a closed list, as JSON spells it.
pub fn one_of<T: serde::de::DeserializeOwned>(text: &str, words: &[&str]) -> Result<T, String> {
    let known = words.contains(&text).then(|| spelling::word(text)).flatten();
    known.ok_or_else(|| match nearest::nearest(text, words.iter().copied()) {
        Some(near) => format!("{text:?} is not one of {}; did you mean {near}?", words.join(", ")),
        None => format!("{text:?} is not one of {}", words.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::about::PowerSource;

    fn said(key: &str, text: &str) -> Result<About, String> {
        let mut about = About::default();
        put(&mut about, key, text).map(|()| about)
    }

    #[test]
    fn every_key_says_something_and_passes_the_check() {
        for (key, text) in KEYS.into_iter().zip(["lighting", "hall", "acme m2", "mains", "3", "0"]) {
            let about = said(key, text).unwrap();
            assert!(!about.is_empty() && about.check().is_ok(), "{key}");
        }
        assert_eq!(said("label.row", "3").unwrap().labels[&Name::new("row").unwrap()], "3");
        assert_eq!(said("version.main", "1.2").unwrap().versions.len(), 1);
        assert_eq!(said("power", "battery").unwrap().power, Some(PowerSource::Battery));
    }

    #[test]
    fn a_location_is_a_position_or_a_text() {
        let location = |text| said("location", text).unwrap().location.unwrap();
        assert_eq!(location("46.5, -7.25").position, Some((46.5, -7.25)));
        assert_eq!(location("hall 3").place.as_deref(), Some("hall 3"));
    }

    #[test]
    fn what_is_said_wrong_is_told_with_what_would_be_right() {
        assert!(said("aplication", "x").unwrap_err().contains("did you mean application?"));
        assert!(said("power", "batery").unwrap_err().contains("did you mean battery?"));
        assert!(said("access", "8").unwrap_err().contains("0 to 7"));
        assert!(said("label.", "x").is_err());
    }
}
