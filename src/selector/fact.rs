//! The facts that a selector may name: a closed list, with the type of each and the words that some are limited to.

use std::fmt;
use std::sync::LazyLock;

use crate::model::about::PowerSource;
use crate::model::{Connectivity, LifeCycle, OperationKind};

macro_rules! facts {
    ($( $fact:ident $name:literal $kind:ident, )*) => {
        /// One thing that is known of a device.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fact { $($fact),* }

        impl Fact {
            pub const ALL: &'static [Fact] = &[$(Fact::$fact),*];

            pub fn name(self) -> &'static str {
                match self { $(Fact::$fact => $name),* }
            }

            pub fn kind(self) -> Kind {
                match self { $(Fact::$fact => Kind::$kind),* }
            }
        }
    };
}

facts! {
    Id "id" Text,
    Name "name" Text,
    Link "link" Text,
    Life "life" Text,
    Connectivity "connectivity" Text,
    Profile "profile" Text,
    Application "application" Text,
    Hardware "hardware" Text,
    Location "location" Text,
    Power "power" Text,
    Groups "groups" Texts,
    Identities "identities" Texts,
    Operations "operations" Texts,
    Components "components" Texts,
    Label "label" Named,
    Version "version" Named,
    Security "security" Number,
    Access "access" Number,
    Blocked "blocked" Flag,
    Inactive "inactive" Flag,
    Maintenance "maintenance" Flag,
    Displaced "displaced" Flag,
    Keyed "keyed" Flag,
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
    pub fn named(name: &str) -> Option<Fact> {
        Fact::ALL.iter().copied().find(|fact| fact.name() == name)
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

const LIVES: [&str; 5] = {
    use LifeCycle::*;
    [life(Pending), life(Managed), life(Quarantined), life(Refused), life(Retired)]
};
const CONNECTIVITIES: [&str; 5] = {
    use Connectivity::*;
    [connectivity(Unknown), connectivity(Up), connectivity(Degraded), connectivity(Silent), connectivity(Gone)]
};
const POWERS: [&str; 4] = {
    use PowerSource::*;
    [power(Mains), power(Battery), power(Harvested), power(Line)]
};

/// By the place of the operation in [`OperationKind::ALL`]. Kept for good: there are as many as operations.
static OPERATIONS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| OperationKind::ALL.iter().map(|kind| &*kind.name().leak()).collect());

pub const fn life(life: LifeCycle) -> &'static str {
    match life {
        LifeCycle::Pending => "pending",
        LifeCycle::Managed => "managed",
        LifeCycle::Quarantined => "quarantined",
        LifeCycle::Refused => "refused",
        LifeCycle::Retired => "retired",
    }
}

pub const fn connectivity(connectivity: Connectivity) -> &'static str {
    match connectivity {
        Connectivity::Unknown => "unknown",
        Connectivity::Up => "up",
        Connectivity::Degraded => "degraded",
        Connectivity::Silent => "silent",
        Connectivity::Gone => "gone",
    }
}

pub const fn power(power: PowerSource) -> &'static str {
    match power {
        PowerSource::Mains => "mains",
        PowerSource::Battery => "battery",
        PowerSource::Harvested => "harvested",
        PowerSource::Line => "line",
    }
}

pub fn operation(kind: OperationKind) -> &'static str {
    OPERATIONS[kind as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_a_name_of_its_own() {
        for fact in Fact::ALL.iter().copied() {
            assert_eq!(Fact::named(fact.name()), Some(fact));
        }
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
