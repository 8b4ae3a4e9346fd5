//! Attempts: who tried to join, or to be somebody, and was turned away. Folded: first, last, count.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Sighting;
use super::id::Address;
use super::name::Name;
use super::now::Now;

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// A rule of admission says so.
    Rule,
    /// An administrator refused this device.
    Refused,
    Retired,
    Blocked,
    /// It claims to be a device that has a key, and did not show that key.
    Unproven,
    /// It claims an identity of a device that is there and answers.
    Taken,
    /// As many devices are known, or wait for a decision, as there may be.
    NoRoom,
    /// What it said of itself makes no sense or is too much.
    Nonsense,
}

impl Denial {
    pub const ALL: [Denial; 8] = [
        Denial::Rule,
        Denial::Refused,
        Denial::Retired,
        Denial::Blocked,
        Denial::Unproven,
        Denial::Taken,
        Denial::NoRoom,
        Denial::Nonsense,
    ];
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denial::Rule => "the rules of admission, or of its link, refuse it",
            Denial::Refused => "an administrator refused it",
            Denial::Retired => "the device is retired",
            Denial::Blocked => "the device is blocked",
            Denial::Unproven => "it did not show the key of the device that it claims to be",
            Denial::Taken => "the device that it claims to be answers somewhere else",
            Denial::NoRoom => "as many devices as may be are known already, or wait for a decision",
            Denial::Nonsense => "what it says of itself makes no sense",
        })
    }
}

/// Who tried: by the strongest identity it showed, else by its address. `None` stands for all for whom there was no room
/// any more, together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stranger {
    pub link: Name,
    pub who: Option<Address>,
}

impl Stranger {
    pub fn of(link: &Name, sighting: &Sighting) -> Stranger {
        let strongest = sighting.identities.iter().max_by_key(|identity| (identity.kind, identity.proof));
        let who = strongest.map_or(&sighting.address, |identity| &identity.value);
        Stranger { link: link.clone(), who: Some(who.clone()) }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub stranger: Stranger,
    /// Where it was the last time.
    pub address: Address,
    /// Why, the last time.
    pub why: Denial,
    pub first: Now,
    pub last: Now,
    pub count: u64,
}

impl Attempt {
    /// It is written when it is new and each time its count has doubled, so that a flood does not wear out the flash.
    pub fn is_news(&self) -> bool {
        self.count.is_power_of_two()
    }
}
