//! What is counted for a device and must outlive a restart: totals, and where they stand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::now::{Boot, Mono};
use super::point::PointPath;

/// By the points that show them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<PointPath, Count>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub energies: BTreeMap<PointPath, Energy>,
}

/// A total made from a counter that begins anew at its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// What is added to the counter.
    pub base: f64,
    pub last: f64,
    /// Where it stood when it stepped back, and nobody knows yet why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<f64>,
}

/// What a power came to over time; in the unit of the power, times hours.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    pub boot: Boot,
    pub at: Mono,
    pub power: f64,
    pub total: f64,
}

impl Totals {
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.energies.is_empty()
    }
}
