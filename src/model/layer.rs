//! Layers: changes of the settings that were made through a door. Each is a version; what it says of a table holds over
//! what the files say, until a later version says otherwise.

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::now::Now;

/// Bytes of one version's text.
pub const LONGEST_LAYER: usize = 64 << 10;
/// Versions that are kept one by one; beyond it the two oldest become one.
pub const MOST_LAYERS: usize = 100;
/// Bytes of all tables that versions hold together.
pub const LARGEST_SUM: usize = 1 << 20;
/// Bytes of a note.
pub const LONGEST_NOTE: usize = 200;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layer {
    pub version: u64,
    pub at: Now,
    pub by: Name,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whole named tables, as a drop-in holds them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Tables of the files that do not hold: `link.meters`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hide: Vec<String>,
    /// Tables of which the files tell again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lift: Vec<String>,
}

/// What somebody wants to be otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SettingsWanted"))]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hide: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lift: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// On probation: unless somebody confirms it within so many seconds, the gateway goes back by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<u64>,
}

/// A version that nobody has confirmed yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OnProbation {
    pub version: u64,
    /// What holds again if nobody does.
    pub back_to: u64,
    /// In all, in seconds. Begins anew with a start.
    pub within: u64,
    /// Of the daemon, since.
    pub starts: u32,
}

/// All versions that are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Versions {
    pub layers: Vec<Layer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probation: Option<OnProbation>,
    /// Those that the last start left out, for with them there were mistakes. They do not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<u64>,
}
