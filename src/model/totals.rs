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
    /// What they rest on, so that a profile that changes does not go on with something else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rests: BTreeMap<PointPath, Rests>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rests {
    /// A mark of the points of the device, and of the range of a counter.
    pub source: u32,
    /// Of the power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Scale and offset of what is counted, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled: Option<(f64, f64)>,
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

    /// Nothing was added, and nothing is another but when that was seen last.
    pub fn come_to_the_same(&self, other: &Totals) -> bool {
        let Totals { counts, energies, rests } = self;
        let same = |(path, energy): (&PointPath, &Energy)| {
            let Some(Energy { boot, power, total, .. }) = other.energies.get(path) else { return false };
            (energy.boot, energy.power, energy.total) == (*boot, *power, *total)
        };
        *counts == other.counts
            && *rests == other.rests
            && energies.len() == other.energies.len()
            && energies.iter().all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_former_version_is_read() {
        let row = r#"{"counts":{"a.0.x":{"base":5.0,"last":1.0}},"energies":{"a.0.y":{"boot":1,"at":7,"power":2.0,"total":3.0}}}"#;
        let totals: Totals = serde_json::from_str(row).unwrap();
        assert_eq!((totals.counts.len(), totals.energies.len(), totals.rests.len()), (1, 1, 0));
        assert_eq!(serde_json::to_string(&totals).unwrap(), row);
    }
}
