//! Which profile fits a device, and why. The same facts give the same answer: the order of names decides what is equal.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;

use super::sections::{Hint, Profile};
use crate::model::{About, Capabilities, Identity, Name, Pattern, PointPath, TextPattern};

/// So many of those that did not win are told.
const MOST_OTHERS: usize = 5;

/// What is known of a device when it is met.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    /// Of its link.
    driver: Option<&'a str>,
    identities: &'a [Identity],
    about: Option<&'a About>,
    capabilities: Option<&'a Capabilities>,
    // Made once, when the first profile asks: there are many profiles, and some devices have thousands of points.
    points: OnceCell<BTreeSet<&'a PointPath>>,
    components: OnceCell<BTreeSet<&'a Name>>,
    versions: OnceCell<Vec<String>>,
}

impl<'a> Facts<'a> {
    pub fn new(
        driver: Option<&'a str>,
        identities: &'a [Identity],
        about: Option<&'a About>,
        capabilities: Option<&'a Capabilities>,
    ) -> Facts<'a> {
        Facts { driver, identities, about, capabilities, ..Facts::default() }
    }

    fn points(&self) -> &BTreeSet<&'a PointPath> {
        let points = || self.capabilities.into_iter().flat_map(|has| &has.points);
        self.points.get_or_init(|| points().map(|point| &point.path).collect())
    }

    /// Those of its points, and those without any.
    fn components(&self) -> &BTreeSet<&'a Name> {
        let points = || self.capabilities.into_iter().flat_map(|has| &has.points);
        let bare = || self.capabilities.into_iter().flat_map(|has| &has.components);
        let names = || points().map(|point| &point.path.component).chain(bare().map(|component| &component.name));
        self.components.get_or_init(|| names().collect())
    }

    /// As signs name them: NAME:VERSION.
    fn versions(&self) -> &[String] {
        let versions = || self.about.into_iter().flat_map(|about| &about.versions);
        self.versions.get_or_init(|| versions().map(|(name, version)| format!("{name}:{version}")).collect())
    }
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

/// One thing that a hint names.
#[derive(Clone, Copy)]
enum Sign<'a> {
    Identity(&'a Pattern),
    Hardware(&'a TextPattern),
    Version(&'a TextPattern),
    Point(&'a PointPath),
    Component(&'a Name),
    Driver(&'a Name),
}

impl<'a> Sign<'a> {
    fn fits(self, facts: &Facts<'_>) -> bool {
        match self {
            Sign::Identity(wanted) => facts.identities.iter().any(|identity| wanted.fits(identity)),
            Sign::Hardware(wanted) => hardware(facts).is_some_and(|hardware| wanted.fits(hardware)),
            Sign::Version(wanted) => facts.versions().iter().any(|version| wanted.fits(version)),
            Sign::Point(wanted) => facts.points().contains(wanted),
            Sign::Component(wanted) => facts.components().contains(wanted),
            Sign::Driver(wanted) => facts.driver == Some(wanted.as_str()),
        }
    }

    /// As the profile says it.
    fn wanted(self) -> String {
        match self {
            Sign::Identity(wanted) => format!("identity {wanted}"),
            Sign::Hardware(wanted) => format!("hardware {wanted}"),
            Sign::Version(wanted) => format!("version {wanted}"),
            Sign::Point(wanted) => format!("point {wanted}"),
            Sign::Component(wanted) => format!("component {wanted}"),
            Sign::Driver(wanted) => format!("driver {wanted}"),
        }
    }

    /// As the device shows it, where it fits.
    fn shown(self, facts: &Facts<'_>) -> String {
        let identity = |wanted: &Pattern| facts.identities.iter().find(|identity| wanted.fits(identity));
        let version = |wanted: &TextPattern| facts.versions().iter().find(|version| wanted.fits(version));
        match self {
            Sign::Identity(wanted) => identity(wanted).map(|identity| format!("identity {}", identity.value)),
            Sign::Hardware(_) => hardware(facts).map(|hardware| format!("hardware {hardware:?}")),
            Sign::Version(wanted) => version(wanted).map(|version| format!("version {version}")),
            Sign::Point(_) | Sign::Component(_) | Sign::Driver(_) => None,
        }
        .unwrap_or_else(|| self.wanted())
    }
}

fn hardware<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    facts.about?.hardware.as_deref()
}

impl Hint {
    fn signs(&self) -> impl Iterator<Item = Sign<'_>> {
        let Hint { identity, hardware, version, point, component, driver, .. } = self;
        let shown = identity.iter().map(Sign::Identity).chain(hardware.iter().map(Sign::Hardware));
        let made_of = point.iter().map(Sign::Point).chain(component.iter().map(Sign::Component));
        shown.chain(version.iter().map(Sign::Version)).chain(made_of).chain(driver.iter().map(Sign::Driver))
    }

    pub fn is_empty(&self) -> bool {
        self.signs().next().is_none()
    }

    fn missing(&self, facts: &Facts<'_>) -> Option<Sign<'_>> {
        self.signs().find(|sign| !sign.fits(facts))
    }

    fn fits(&self, facts: &Facts<'_>) -> bool {
        !self.is_empty() && self.missing(facts).is_none()
    }
}

impl Profile {
    /// Without words, which are for people: a gateway with many profiles asks each of them of each device.
    fn points(&self, facts: &Facts<'_>) -> u32 {
        let mut points = 0u32;
        for hint in self.r#match.iter().filter(|hint| !hint.is_empty()) {
            match hint.fits(facts) {
                true => points = points.saturating_add(hint.weight),
                false if hint.required => return 0,
                false => {}
            }
        }
        points
    }

    pub fn score(&self, facts: &Facts<'_>) -> Score {
        let missing = self.r#match.iter().filter(|hint| hint.required).find_map(|hint| hint.missing(facts));
        if let Some(sign) = missing {
            return Score { points: 0, reasons: vec![format!("no {}, which is required", sign.wanted())] };
        }
        let reason = |hint: &Hint| {
            let shown: Vec<String> = hint.signs().map(|sign| sign.shown(facts)).collect();
            format!("{}: {}", shown.join(" and "), hint.weight)
        };
        let reasons = self.r#match.iter().filter(|hint| hint.fits(facts)).map(reason).collect();
        Score { points: self.points(facts), reasons }
    }
}

/// The one that fits best, without saying why.
pub fn fittest<'a>(profiles: impl IntoIterator<Item = (&'a Name, &'a Profile)>, facts: &Facts<'_>) -> Option<&'a Name> {
    let scored = profiles.into_iter().map(|(name, profile)| (profile.points(facts), Reverse(name)));
    scored.max().filter(|(points, _)| *points > 0).map(|(_, Reverse(name))| name)
}

/// The one that fits best, and why.
pub fn best<'a>(profiles: impl IntoIterator<Item = (&'a Name, &'a Profile)>, facts: &Facts<'_>) -> Best {
    let recognised = profiles.into_iter().filter(|(_, profile)| !profile.r#match.is_empty());
    let mut all: Vec<_> = recognised.map(|(name, profile)| (Reverse(profile.points(facts)), name, profile)).collect();
    all.sort_by_key(|(points, name, _)| (*points, *name));
    let points = |no: usize| all.get(no).map_or(0, |(Reverse(points), ..)| *points);
    let wins = points(0) > 0;
    let tie = wins && points(0) == points(1);
    let mut told = all.iter().map(|(_, name, profile)| ((*name).clone(), profile.score(facts)));
    let (profile, score) = match told.by_ref().take(usize::from(wins)).next() {
        Some((name, score)) => (Some(name), score),
        None => (None, Score::default()),
    };
    let others = told.filter(|(_, score)| score.points > 0 || !score.reasons.is_empty()).take(MOST_OTHERS).collect();
    Best { profile, score, others, tie }
}
