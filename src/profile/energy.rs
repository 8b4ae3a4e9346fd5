//! What a power came to over time.

use std::time::Duration;

pub use crate::model::totals::Energy;
use crate::model::{Now, Quality};

const HOUR: f64 = 3_600.0;

impl Energy {
    /// Between two powers it counts as if the one went evenly over into the other. Where they lie too far apart, or the
    /// machine has booted between them, nothing is counted, and the total is uncertain.
    pub fn take(kept: &mut Option<Energy>, now: &Now, power: f64, longest_gap: Duration) -> (f64, Quality) {
        let begin = Energy { boot: now.boot, at: now.mono, power, total: 0.0 };
        let before = *kept.get_or_insert(begin);
        let span = now.mono.since(before.at);
        let fine = before.boot == now.boot && span <= longest_gap;
        let more = if fine { (before.power + power) / 2.0 * span.as_secs_f64() / HOUR } else { 0.0 };
        let total = before.total + more;
        *kept = Some(Energy { total, ..begin });
        (total, if fine { Quality::Good } else { Quality::Uncertain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Boot, Mono};

    const GAP: Duration = Duration::from_secs(300);

    fn at(secs: u64, boot: u32) -> Now {
        Now { mono: Mono(secs * 1_000), boot: Boot(boot), ..Now::default() }
    }

    #[test]
    fn a_kilowatt_for_an_hour_is_a_kilowatt_hour() {
        let mut kept = None;
        let last = (0..=60).map(|minute| Energy::take(&mut kept, &at(minute * 60, 1), 1_000.0, GAP)).last();
        let (total, quality) = last.unwrap();
        assert!((total - 1_000.0).abs() < 1e-9 && quality == Quality::Good, "{total}");
    }

    #[test]
    fn a_rising_power_counts_by_its_middle() {
        let mut kept = None;
        Energy::take(&mut kept, &at(0, 1), 0.0, GAP);
        assert_eq!(Energy::take(&mut kept, &at(36, 1), 1_000.0, GAP), (5.0, Quality::Good));
    }

    #[test]
    fn over_a_gap_or_a_boot_nothing_is_counted() {
        let mut kept = None;
        Energy::take(&mut kept, &at(0, 1), 3_600.0, GAP);
        assert_eq!(Energy::take(&mut kept, &at(301, 1), 3_600.0, GAP), (0.0, Quality::Uncertain));
        assert_eq!(Energy::take(&mut kept, &at(311, 1), 3_600.0, GAP), (10.0, Quality::Good));
        assert_eq!(Energy::take(&mut kept, &at(320, 2), 3_600.0, GAP), (10.0, Quality::Uncertain));
    }
}
