//! The facts that a selector may name: a closed list, with the type of each and the words that some are limited to.

use std::fmt;
use std::sync::LazyLock;

use crate::model::about::PowerSource;
use crate::model::{Connectivity, IdentityKind, LifeCycle, OperationKind};

/// One thing that is known of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    Id,
    Name,
    Link,
    Life,
    Connectivity,
    Profile,
    Application,
    Hardware,
    Power,
    Groups,
    Identities,
    Operations,
    Components,
    Label,
    Version,
    Security,
    Access,
    Blocked,
    Inactive,
    Maintenance,
    Displaced,
    Keyed,
}

/// Of what type a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Flag,
    /// A list of texts.
    Texts,
    /// Texts by name.
    Named,
}

impl Fact {
    pub const ALL: [Fact; 22] = {
        use Fact::*;
        [
            Id,
            Name,
            Link,
            Life,
            Connectivity,
            Profile,
            Application,
            Hardware,
            Power,
            Groups,
            Identities,
            Operations,
            Components,
            Label,
            Version,
            Security,
            Access,
            Blocked,
            Inactive,
            Maintenance,
            Displaced,
            Keyed,
        ]
    };

    pub fn name(self) -> &'static str {
        match self {
            Fact::Id => "id",
            Fact::Name => "name",
            Fact::Link => "link",
            Fact::Life => "life",
            Fact::Connectivity => "connectivity",
            Fact::Profile => "profile",
            Fact::Application => "application",
            Fact::Hardware => "hardware",
            Fact::Power => "power",
            Fact::Groups => "groups",
            Fact::Identities => "identities",
            Fact::Operations => "operations",
            Fact::Components => "components",
            Fact::Label => "label",
            Fact::Version => "version",
            Fact::Security => "security",
            Fact::Access => "access",
            Fact::Blocked => "blocked",
            Fact::Inactive => "inactive",
            Fact::Maintenance => "maintenance",
            Fact::Displaced => "displaced",
            Fact::Keyed => "keyed",
        }
    }

    pub fn named(name: &str) -> Option<Fact> {
        Fact::ALL.into_iter().find(|fact| fact.name() == name)
    }

    pub fn kind(self) -> Kind {
        match self {
            Fact::Groups | Fact::Identities | Fact::Operations | Fact::Components => Kind::Texts,
            Fact::Label | Fact::Version => Kind::Named,
            Fact::Security | Fact::Access => Kind::Number,
            Fact::Blocked | Fact::Inactive | Fact::Maintenance | Fact::Displaced | Fact::Keyed => Kind::Flag,
            _ => Kind::Text,
        }
    }

    /// The only texts that it, or one of its texts, can be.
    pub fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Fact::Life => Some(&LIVES),
            Fact::Connectivity => Some(&CONNECTIVITIES),
            Fact::Power => Some(&POWERS),
            Fact::Operations => Some(&OPERATIONS),
            _ => None,
        }
    }

    /// True where its texts are names that somebody gave to something.
    pub fn is_named(self) -> bool {
        matches!(self, Fact::Name | Fact::Link | Fact::Profile | Fact::Groups | Fact::Components)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Kind {
    /// How messages call it.
    pub fn called(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Number => "a whole number",
            Kind::Flag => "yes or no",
            Kind::Texts => "a list of texts",
            Kind::Named => "a table of texts",
        }
    }
}

const LIVES: [&str; 5] = ["pending", "managed", "quarantined", "refused", "retired"];
const CONNECTIVITIES: [&str; 5] = ["unknown", "up", "degraded", "silent", "gone"];
const POWERS: [&str; 4] = ["mains", "battery", "harvested", "line"];

/// By the place of the operation in [`OperationKind::ALL`]. Kept for good: there are as many as operations.
static OPERATIONS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| OperationKind::ALL.iter().map(|kind| &*kind.name().leak()).collect());

pub fn life(life: LifeCycle) -> &'static str {
    match life {
        LifeCycle::Pending => LIVES[0],
        LifeCycle::Managed => LIVES[1],
        LifeCycle::Quarantined => LIVES[2],
        LifeCycle::Refused => LIVES[3],
        LifeCycle::Retired => LIVES[4],
    }
}

pub fn connectivity(connectivity: Connectivity) -> &'static str {
    match connectivity {
        Connectivity::Unknown => CONNECTIVITIES[0],
        Connectivity::Up => CONNECTIVITIES[1],
        Connectivity::Degraded => CONNECTIVITIES[2],
        Connectivity::Silent => CONNECTIVITIES[3],
        Connectivity::Gone => CONNECTIVITIES[4],
    }
}

pub fn power(power: PowerSource) -> &'static str {
    match power {
        PowerSource::Mains => POWERS[0],
        PowerSource::Battery => POWERS[1],
        PowerSource::Harvested => POWERS[2],
        PowerSource::Line => POWERS[3],
    }
}

pub fn operation(kind: OperationKind) -> &'static str {
    OPERATIONS[kind as usize]
}

pub fn identity_kinds() -> [&'static str; 7] {
    IdentityKind::ALL.map(IdentityKind::name)
}

/// Some of the facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactSet(u32);

impl FactSet {
    pub fn of(facts: &[Fact]) -> FactSet {
        facts.iter().fold(FactSet::default(), |set, fact| set.with(*fact))
    }

    pub fn with(self, fact: Fact) -> FactSet {
        FactSet(self.0 | 1 << (fact as u32))
    }

    pub fn has(self, fact: Fact) -> bool {
        self.0 & (1 << (fact as u32)) != 0
    }

    /// True where both have one.
    pub fn meets(self, other: FactSet) -> bool {
        self.0 & other.0 != 0
    }

    pub fn facts(self) -> impl Iterator<Item = Fact> {
        Fact::ALL.into_iter().filter(move |fact| self.has(*fact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_a_name_and_a_place_in_a_set() {
        for fact in Fact::ALL {
            assert_eq!(Fact::named(fact.name()), Some(fact));
            assert_eq!(FactSet::of(&[fact]).facts().collect::<Vec<_>>(), [fact]);
        }
        assert_eq!(FactSet::of(&Fact::ALL).facts().count(), Fact::ALL.len());
        assert!(FactSet::of(&[Fact::Id, Fact::Link]).meets(FactSet::of(&[Fact::Link])));
        assert!(!FactSet::of(&[Fact::Id]).meets(FactSet::of(&[Fact::Link])));
    }

    #[test]
    fn words_are_spelled_as_everywhere() {
        use {Connectivity::*, LifeCycle::*, PowerSource::*};
        let spelled = |value: serde_json::Result<serde_json::Value>| value.unwrap().as_str().unwrap().to_owned();
        for it in [Pending, Managed, Quarantined, Refused, Retired] {
            assert_eq!(life(it), spelled(serde_json::to_value(it)));
        }
        for it in [Unknown, Up, Degraded, Silent, Gone] {
            assert_eq!(connectivity(it), spelled(serde_json::to_value(it)));
        }
        for it in [Mains, Battery, Harvested, Line] {
            assert_eq!(power(it), spelled(serde_json::to_value(it)));
        }
        for it in OperationKind::ALL {
            assert_eq!(operation(*it), it.name());
        }
    }
}
