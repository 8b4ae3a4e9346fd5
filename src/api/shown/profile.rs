//! Why a device has the profile that it has: found anew from what is known of it, as the engine finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Name;
use crate::model::device::DeviceNow;
use crate::profile::{Best, Facts, Score, Shaped, best};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProfileShown {
    /// Absent where none fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Somebody said so; what is found speaks beside.
    pub assigned: bool,
    /// There is no such profile: the device is seen as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// What speaks for it.
    pub score: Scored,
    /// Those next to it, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Other>,
    /// Another one fits as well; the order of the names has decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tie: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    pub points: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Other {
    pub name: Name,
    #[serde(flatten)]
    pub score: Scored,
}

impl ProfileShown {
    /// None where there is nothing to tell.
    pub fn of(known: &DeviceNow, driver: Option<&str>, profiles: &BTreeMap<Name, Arc<Shaped>>) -> Option<ProfileShown> {
        let device = &known.device;
        if device.profile.is_none() && profiles.is_empty() {
            return None;
        }
        let capabilities = Some(known.wire().as_ref());
        let facts = Facts::new(driver, &device.identities, known.about.as_deref(), capabilities);
        let Best { profile, score, others, tie } =
            best(profiles.iter().map(|(name, shaped)| (name, shaped.profile.as_ref())), &facts);
        let assigned = device.profile.as_ref().is_some_and(|profile| profile.assigned);
        let name = device.profile_name().cloned();
        let other = |(name, score)| Other { name, score: Scored::of(score) };
        let mut shown = ProfileShown {
            missing: name.as_ref().is_some_and(|name| !profiles.contains_key(name)),
            assigned,
            score: Scored::of(score),
            others: others.into_iter().map(other).collect(),
            tie,
            name,
        };
        if shown.name != profile {
            // Another one is found: what was said counts more.
            let own = shown.name.as_ref().and_then(|name| profiles.get(name));
            let own = own.map_or_else(Scored::default, |shaped| Scored::of(shaped.profile.score(&facts)));
            let found = std::mem::replace(&mut shown.score, own);
            shown.others.retain(|other| Some(&other.name) != shown.name.as_ref());
            shown.others.splice(0..0, profile.map(|name| Other { name, score: found }));
            shown.tie = false;
        }
        Some(shown)
    }
}

impl Scored {
    fn of(score: Score) -> Scored {
        Scored { points: score.points, reasons: score.reasons }
    }
}
