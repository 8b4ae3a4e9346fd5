//! Registration by an administrator: who shall be known before it is ever seen, or is to be known better.

use serde::{Deserialize, Serialize};

use super::about::About;
use super::device::LifeCycle;
use super::event::MOST_IDENTITIES;
use super::id::{Address, DeviceId, Identity};
use super::name::Name;
use super::order::Refusal;
use super::secret::Secret;

/// Devices in one ask.
pub const MOST_AT_ONCE: usize = 1_000;
/// Groups of one device.
pub const MOST_GROUPS: usize = 32;
/// Bytes of a key.
pub const KEY_BYTES: std::ops::RangeInclusive<usize> = 8..=128;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// At least one, or a link and an address.
    pub identities: Vec<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    #[serde(skip_serializing_if = "About::is_empty")]
    pub about: About,
    /// Nobody who does not hold it is this device.
    #[serde(serialize_with = "super::secret::hidden", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub key: Option<Secret>,
    /// The daemon's mark of that key, to see whether it is another one. Without it, it is.
    #[serde(skip)]
    pub key_mark: Option<u64>,
    /// It has a key that cannot be had now: until it can, nobody is this device.
    #[serde(skip)]
    pub key_missing: bool,
    /// Which kind of device it is, whatever it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    /// As what it starts: managed, if nobody says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<LifeCycle>,
    /// A mark of all this, where it is told again and again: what was told so last is not told anew.
    #[serde(skip)]
    pub mark: Option<u32>,
}

/// What became of one of them, in the order in which they were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Registered {
    New(DeviceId),
    /// It was known; what was said of it is taken over.
    Known(DeviceId),
    Refused(Refusal),
}

impl Registration {
    /// The key has a mark of its own.
    pub fn mark_of(&self) -> u32 {
        // Plain data in bounded lists: it always has bytes.
        crc32c::crc32c(&minicbor_serde::to_vec(self).unwrap_or_default()).max(1)
    }

    /// The bounds that types cannot show.
    pub fn check(&self) -> Result<(), String> {
        if self.identities.is_empty() && (self.link.is_none() || self.address.is_none()) {
            return Err("say who it is: an identity, or a link and an address".into());
        }
        if self.address.is_some() && self.link.is_none() {
            return Err("an address says nothing without its link".into());
        }
        if self.identities.len() > MOST_IDENTITIES {
            return Err(format!(
                "a device has at most {MOST_IDENTITIES} identities; there are {}",
                self.identities.len()
            ));
        }
        if self.groups.len() > MOST_GROUPS {
            return Err(format!("a device is in at most {MOST_GROUPS} groups; there are {}", self.groups.len()));
        }
        self.key.as_ref().map_or(Ok(()), check_key)?;
        self.about.check()
    }

    pub fn has_key(&self) -> bool {
        self.key.is_some() || self.key_missing
    }
}

pub fn check_key(key: &Secret) -> Result<(), String> {
    match KEY_BYTES.contains(&key.reveal().len()) {
        true => Ok(()),
        false => Err(format!("a key has {} to {} bytes", KEY_BYTES.start(), KEY_BYTES.end())),
    }
}
