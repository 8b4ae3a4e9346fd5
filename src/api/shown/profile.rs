//! Why a device has the profile that it has: found anew from what is known of it, as the engine finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::device::DeviceNow;
use crate::model::{ClockQuality, Name, Now};
use crate::profile::{Best, Date, Facts, Score, Shaped, best};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfileShown {
    /// Absent where none fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Somebody said so; what is found speaks beside.
    pub assigned: bool,
    /// There is no such profile: the device is seen as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// There was no room for the points that it makes of the device: that is seen as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_room: bool,
    /// The last day on which somebody repairs or updates such devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_until: Option<Date>,
    /// That day is past, or not; absent where nobody knows which day it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<bool>,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scored {
    pub points: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Other {
    pub name: Name,
    #[serde(flatten)]
    pub score: Scored,
}

impl ProfileShown {
    /// None where there is nothing to tell.
    pub fn of(
        known: &DeviceNow,
        driver: Option<&str>,
        profiles: &BTreeMap<Name, Arc<Shaped>>,
        now: &Now,
    ) -> Option<ProfileShown> {
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
        let own = name.as_ref().and_then(|name| profiles.get(name));
        let supported_until = own.and_then(|own| own.profile.supported_until);
        let is_dated = now.quality != ClockQuality::Unset;
        let other = |(name, score)| Other { name, score: Scored::of(score) };
        let mut shown = ProfileShown {
            missing: name.is_some() && own.is_none(),
            no_room: own.is_some() && device.raw().is_none(),
            supported_until,
            unsupported: supported_until.filter(|_| is_dated).map(|until| until.is_past(now.wall)),
            assigned,
            score: Scored::of(score),
            others: others.into_iter().map(other).collect(),
            tie,
            name,
        };
        if shown.name != profile {
            // Another one is found: what was said counts more.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device::Profiled;
    use crate::model::{Boot, Device, DeviceId, DeviceNo, LifeCycle, Mono, ShapeNo, Wall};
    use crate::profile::text::ready;

    /// 2027-03-01, at noon.
    const NOON: u64 = 1_803_902_400_000;
    const DAY: u64 = 86_400_000;

    fn shown(wall: u64, quality: ClockQuality, raw: Option<ShapeNo>) -> ProfileShown {
        let now = Now { mono: Mono(1), boot: Boot(1), wall: Wall(wall), quality };
        let mut device = Device::new(DeviceNo(1), DeviceId::new("urn:a").unwrap(), LifeCycle::Managed, &now);
        let name = Name::new("old").unwrap();
        device.profile = Some(Box::new(Profiled { name, assigned: true, raw }));
        let profiles = ready("[profile.old]\nsupported_until = 2027-03-01\n").unwrap();
        ProfileShown::of(&DeviceNow::new(device.into(), Arc::default()), None, &profiles, &now).unwrap()
    }

    #[test]
    fn support_ends_after_its_last_day_where_somebody_knows_which_day_it_is() {
        let over = |wall, quality| shown(wall, quality, None).unsupported;
        assert_eq!([over(NOON, ClockQuality::Set), over(NOON + DAY, ClockQuality::Set)], [Some(false), Some(true)]);
        assert_eq!(over(NOON + DAY, ClockQuality::Held), Some(true));
        assert_eq!(over(NOON + DAY, ClockQuality::Unset), None);
        assert_eq!(shown(0, ClockQuality::Unset, None).supported_until.unwrap().to_string(), "2027-03-01");
    }

    #[test]
    fn a_profile_that_is_not_at_work_has_no_room() {
        assert!(shown(0, ClockQuality::Unset, None).no_room);
        assert!(!shown(0, ClockQuality::Unset, Some(ShapeNo(0))).no_room);
    }
}
