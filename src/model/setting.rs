//! Settings as doors show them: key by key, with where each is from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One key that somebody set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Set {
    /// As TOML shows it on one line.
    pub value: String,
    /// `FILE:LINE`, or the variable of the environment.
    pub origin: String,
}

/// What is set, by its key: `link.meters.every`. A list stands under the key of the list.
pub type Flat = BTreeMap<String, Set>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What a reload came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reloaded {
    pub changed: Vec<Difference>,
    /// Keys among them that take hold only when the daemon starts anew.
    pub next_start: Vec<String>,
    /// Tables of the files that do not hold, for a version over them says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covered: Vec<String>,
    /// Devices of the settings that could not be registered, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// That was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// They hold, and the disk has not taken them yet: a restart now would begin with those before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
}
