//! Which profile fits a device, and why. The same facts give the same answer: the order of names decides what is equal.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sections::{Hint, Profile};
use crate::model::{About, Capabilities, Identity, Name};

/// So many of those that did not win are told.
const MOST_OTHERS: usize = 5;

/// What is known of a device when it is met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Of its link.
    pub driver: Option<&'a str>,
    pub identities: &'a [Identity],
    pub about: Option<&'a About>,
    pub capabilities: Option<&'a Capabilities>,
}

/// What speaks for a profile. No points: it does not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    pub points: u32,
    pub reasons: Vec<String>,
}

/// Whose profile it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Best {
    pub profile: Option<Name>,
    pub score: Score,
    /// Those next to it, the best first.
    pub others: Vec<(Name, Score)>,
    /// Another one fits as well; the order of the names has decided.
    pub tie: bool,
}

impl Hint {
    pub fn is_empty(&self) -> bool {
        let Hint { identity, hardware, version, point, component, driver, .. } = self;
        identity.is_none()
            && hardware.is_none()
            && version.is_none()
            && point.is_none()
            && component.is_none()
            && driver.is_none()
    }

    /// Why it fits, or what is missing.
    fn fits(&self, facts: &Facts<'_>) -> Result<String, String> {
        let mut found = Vec::new();
        let mut look = |what: &str, wanted: Option<String>, there: Option<String>| match (wanted, there) {
            (None, _) => Ok(()),
            (Some(_), Some(there)) => {
                found.push(format!("{what} {there}"));
                Ok(())
            }
            (Some(wanted), None) => Err(format!("no {what} {wanted}")),
        };
        look("identity", self.identity.as_ref().map(ToString::to_string), self.identity(facts))?;
        look("hardware", self.hardware.as_ref().map(ToString::to_string), self.hardware(facts))?;
        look("version", self.version.as_ref().map(ToString::to_string), self.version(facts))?;
        let point = self.point.as_ref().filter(|path| facts.capabilities.is_some_and(|has| has.point(path).is_some()));
        look("point", self.point.as_ref().map(ToString::to_string), point.map(ToString::to_string))?;
        let component = self.component.as_ref().filter(|name| {
            facts.capabilities.is_some_and(|has| has.components().iter().any(|component| component.name == **name))
        });
        look("component", self.component.as_ref().map(ToString::to_string), component.map(ToString::to_string))?;
        let driver = self.driver.as_ref().filter(|driver| facts.driver == Some(driver.as_str()));
        look("driver", self.driver.as_ref().map(ToString::to_string), driver.map(ToString::to_string))?;
        Ok(found.join(" and "))
    }

    fn identity(&self, facts: &Facts<'_>) -> Option<String> {
        let wanted = self.identity.as_ref()?;
        let found = facts.identities.iter().find(|identity| wanted.fits(identity))?;
        Some(found.value.to_string())
    }

    fn hardware(&self, facts: &Facts<'_>) -> Option<String> {
        let hardware = facts.about?.hardware.as_ref()?;
        self.hardware.as_ref()?.fits(hardware).then(|| format!("{hardware:?}"))
    }

    fn version(&self, facts: &Facts<'_>) -> Option<String> {
        let wanted = self.version.as_ref()?;
        let versions = facts.about?.versions.iter().map(|(name, version)| format!("{name}:{version}"));
        versions.into_iter().find(|version| wanted.fits(version))
    }
}

impl Profile {
    pub fn score(&self, facts: &Facts<'_>) -> Score {
        let mut score = Score::default();
        for hint in self.r#match.iter().filter(|hint| !hint.is_empty()) {
            match hint.fits(facts) {
                Ok(why) => {
                    score.points = score.points.saturating_add(hint.weight);
                    score.reasons.push(format!("{why}: {}", hint.weight));
                }
                Err(why) if hint.required => {
                    return Score { points: 0, reasons: vec![format!("{why}, which is required")] };
                }
                Err(_) => {}
            }
        }
        score
    }
}

/// The one that fits best.
pub fn best<'a>(profiles: impl IntoIterator<Item = (&'a Name, &'a Profile)>, facts: &Facts<'_>) -> Best {
    let scored = profiles.into_iter().filter(|(_, profile)| !profile.r#match.is_empty());
    let by_name: BTreeMap<&Name, Score> = scored.map(|(name, profile)| (name, profile.score(facts))).collect();
    let mut all: Vec<(Name, Score)> = by_name.into_iter().map(|(name, score)| (name.clone(), score)).collect();
    // A stable sort: what is equal stays in the order of the names.
    all.sort_by_key(|(_, score)| std::cmp::Reverse(score.points));
    let wins = all.first().is_some_and(|(_, score)| score.points > 0);
    let tie = wins && all.get(1).is_some_and(|(_, second)| second.points == all[0].1.points);
    let mut rest = all.into_iter();
    let (profile, score) = match rest.next().filter(|_| wins) {
        Some((name, score)) => (Some(name), score),
        None => (None, Score::default()),
    };
    let others = rest.filter(|(_, score)| score.points > 0 || !score.reasons.is_empty()).take(MOST_OTHERS).collect();
    Best { profile, score, others, tie }
}
