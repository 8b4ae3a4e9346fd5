//! What is known of a device beside what it can do: for people, selectors and upstreams to read.
//!
//! It stays in the store; memory holds none of it. What comes from a device and what an administrator says are of one
//! shape: each fact that is given replaces the one before it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::now::Wall;

/// Labels of one device, and versions of its software.
pub const MOST_FACTS: usize = 64;
/// Bytes of one text.
pub const LONGEST_TEXT: usize = 128;
/// The highest level of security or access; 0 is the lowest.
pub const HIGHEST_LEVEL: u8 = 7;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct About {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Name, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// What it is used for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Maker and model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// Of its firmware and other software, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<Name, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerSource>,
    /// How well its traffic is protected, 0 to 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<u8>,
    /// Under load the lowest are refused first, 0 to 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PowerSource {
    Mains,
    Battery,
    Harvested,
    /// Over its data line.
    Line,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Location {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Latitude and longitude in degrees (WGS 84).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<(f64, f64)>,
    #[serde(default)]
    pub source: LocationSource,
    /// When it was so; set here where the source does not say.
    #[serde(default)]
    pub at: Wall,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LocationSource {
    #[default]
    Administrator,
    Device,
    Network,
}

impl About {
    pub fn is_empty(&self) -> bool {
        *self == About::default()
    }

    /// Without what only people read: of the location its place stays.
    pub fn facts(&self) -> About {
        let place = |location: &Location| location.place.clone();
        let location = self.location.as_ref().and_then(place).map(|place| Location {
            place: Some(place),
            position: None,
            source: LocationSource::default(),
            at: Wall(0),
        });
        About { location, ..self.clone() }
    }

    /// The facts of what is told further.
    pub fn learn(&mut self, more: &About) {
        let facts = more.facts();
        if more.location.is_some() {
            self.location = facts.location.clone();
        }
        self.take(facts);
    }

    /// What `other` gives replaces what was; an empty text is taken away. For new ones beyond the bound there is no room:
    /// nobody pushes out what others have said.
    pub fn take(&mut self, other: About) {
        take_texts(&mut self.labels, other.labels);
        take_texts(&mut self.versions, other.versions);
        let About { location, application, hardware, power, security, access, .. } = other;
        self.location = location.or(self.location.take());
        self.application = application.or(self.application.take());
        self.hardware = hardware.or(self.hardware.take());
        self.power = power.or(self.power);
        self.security = security.or(self.security);
        self.access = access.or(self.access);
    }

    /// The bounds that types cannot show.
    pub fn check(&self) -> Result<(), String> {
        if self.labels.len() > MOST_FACTS || self.versions.len() > MOST_FACTS {
            return Err(format!("a device has at most {MOST_FACTS} labels and {MOST_FACTS} versions"));
        }
        let place = self.location.iter().filter_map(|location| location.place.as_ref());
        let texts = self.labels.values().chain(self.versions.values());
        let mut texts = texts.chain(&self.application).chain(&self.hardware).chain(place);
        if let Some(long) = texts.find(|text| text.len() > LONGEST_TEXT || text.chars().any(char::is_control)) {
            let begin: String = long.chars().take(32).filter(|c| !c.is_control()).collect();
            return Err(format!(
                "a text has at most {LONGEST_TEXT} bytes and no control characters; {begin:?}… is another"
            ));
        }
        if let Some(level) = [self.security, self.access].into_iter().flatten().find(|level| *level > HIGHEST_LEVEL) {
            return Err(format!("a level is 0 to {HIGHEST_LEVEL}, not {level}"));
        }
        match self.location.as_ref().and_then(|location| location.position) {
            Some((lat, lon)) if !((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)) => {
                Err(format!("{lat}, {lon} is no position: latitude is -90 to 90, longitude -180 to 180"))
            }
            _ => Ok(()),
        }
    }
}

fn take_texts(known: &mut BTreeMap<Name, String>, other: BTreeMap<Name, String>) {
    for (name, text) in other {
        if text.is_empty() {
            known.remove(&name);
        } else if known.len() < MOST_FACTS || known.contains_key(&name) {
            known.insert(name, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> About {
        let labels = of.iter().map(|(name, text)| (Name::new(name).unwrap(), (*text).to_owned()));
        About { labels: labels.collect(), ..About::default() }
    }

    #[test]
    fn what_is_given_replaces_and_the_rest_stays() {
        let mut about = labels(&[("row", "3"), ("old", "x")]);
        about.application = Some("lighting".into());
        about.take(About { security: Some(2), ..labels(&[("row", "4"), ("old", "")]) });
        let expected = About { application: Some("lighting".into()), security: Some(2), ..labels(&[("row", "4")]) };
        assert_eq!(about, expected);
    }

    #[test]
    fn no_more_than_the_bounds_is_taken() {
        let many: Vec<String> = (0..100).map(|n| format!("l{n}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
        assert!(labels(&many).check().is_err());
        let mut about = About::default();
        about.take(labels(&many));
        assert_eq!(about.labels.len(), MOST_FACTS);
        about.take(labels(&[("a", "pushes nobody out"), ("l0", "y")]));
        assert!(about.labels.len() == MOST_FACTS && about.labels[&Name::new("l0").unwrap()] == "y");
        assert!(labels(&[("a", &"x".repeat(LONGEST_TEXT + 1))]).check().is_err());
        assert!(labels(&[("a", "\u{7}")]).check().is_err());
        assert!(About { access: Some(8), ..About::default() }.check().is_err());
        let position = |at| Location { place: None, position: Some(at), source: Default::default(), at: Wall(0) };
        let at = |at| About { location: Some(position(at)), ..About::default() };
        assert!(at((91.0, 0.0)).check().is_err() && at((f64::NAN, 0.0)).check().is_err());
        assert!(at((46.0, 7.0)).check().is_ok());
    }
}
