//! A total made from a counter that begins anew at its end.
//!
//! A step is **forward** where it is at most a quarter of all its numbers, over the end too; so it must be read at least
//! four times a round. Any other step is a doubt: the counter was **reset** (or changed), or gave one wrong number, such as
//! all bits set. The total holds, uncertain, until the next reading. If that has come back to where the counter was, it was
//! a wrong number; if it has counted on from there, nothing is added for what nobody saw. So the total never falls and
//! nothing in it is made up. A reset just below the end cannot be told from a roll-over and is taken for one.

pub use crate::model::totals::Count;
use crate::model::{BadReason, Quality};

/// A way forward that is a greater part of the range is none.
const FORWARD: f64 = 0.25;

impl Count {
    /// The total, and what it is worth.
    pub fn take(kept: &mut Option<Count>, raw: f64, range: f64) -> Result<(f64, Quality), BadReason> {
        if !(0.0..range).contains(&raw) {
            return Err(BadReason::OutOfRange);
        }
        let count = kept.get_or_insert(Count { base: 0.0, last: raw, doubt: None });
        let quality = count.step(raw, range);
        Ok((count.base + count.last, quality))
    }

    fn step(&mut self, raw: f64, range: f64) -> Quality {
        let near = |way: f64| (0.0..=range * FORWARD).contains(&way);
        // One that is stuck at a high number shows its error more likely than its count.
        let goes_on = |begin: f64| near(raw - begin) && (raw > begin || begin <= self.last);
        if near(raw - self.last) {
            (self.last, self.doubt) = (raw, None);
        } else if let Some(begin) = self.doubt.filter(|begin| goes_on(*begin)) {
            // The total stands where it stood, and what was counted since is added.
            (self.base, self.last, self.doubt) = (self.base + self.last - begin, raw, None);
        } else if self.doubt.is_none() && raw < self.last && near(range - self.last + raw) {
            (self.base, self.last) = (self.base + range, raw);
        } else {
            self.doubt = Some(raw);
            return Quality::Uncertain;
        }
        Quality::Good
    }

    /// The total of another counter goes on with this one: nothing is added for what nobody saw.
    pub fn go_on(total: f64, raw: f64) -> Count {
        Count { base: total - raw, last: raw, doubt: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS_32: f64 = 4_294_967_296.0;

    fn totals(range: f64, raw: &[f64]) -> Vec<(f64, bool)> {
        let mut kept = None;
        raw.iter()
            .filter_map(|raw| Count::take(&mut kept, *raw, range).ok())
            .map(|(total, quality)| (total, quality == Quality::Good))
            .collect()
    }

    #[test]
    fn at_the_end_of_32_bits_the_total_goes_on() {
        let told = totals(BITS_32, &[4_294_967_290.0, 4_294_967_295.0, 4.0, 10.0]);
        assert_eq!(
            told,
            [(4_294_967_290.0, true), (4_294_967_295.0, true), (4_294_967_300.0, true), (4_294_967_306.0, true)]
        );
    }

    #[test]
    fn eight_digits_roll_over_after_their_last_number() {
        assert_eq!(totals(100_000_000.0, &[99_999_999.0, 0.0, 5.0]).last(), Some(&(100_000_005.0, true)));
    }

    #[test]
    fn a_reset_is_no_roll_over_and_adds_nothing_that_nobody_saw() {
        let told = totals(BITS_32, &[120_000.0, 3.0, 8.0, 10.0]);
        assert_eq!(told, [(120_000.0, true), (120_000.0, false), (120_005.0, true), (120_007.0, true)]);
    }

    #[test]
    fn one_wrong_number_changes_nothing() {
        let told = totals(BITS_32, &[100.0, 99.0, 101.0, 65_536.0, 1.0, 65_540.0]);
        let only: Vec<f64> = told.iter().map(|(total, _)| *total).collect();
        assert_eq!(only, [100.0, 100.0, 101.0, 65_536.0, 65_536.0, 65_540.0]);
        let told = totals(BITS_32, &[1_000.0, 4_294_967_295.0, 4_294_967_295.0, 1_001.0, 1_002.0]);
        let held = (1_000.0, false);
        assert_eq!(told, [(1_000.0, true), held, held, (1_001.0, true), (1_002.0, true)]);
    }

    #[test]
    fn after_a_great_step_forward_it_counts_on_and_adds_nothing_that_nobody_saw() {
        let told = totals(BITS_32, &[1_000.0, 2_000_000_000.0, 2_000_000_005.0]);
        assert_eq!(told, [(1_000.0, true), (1_000.0, false), (1_005.0, true)]);
    }

    #[test]
    fn a_second_reset_while_in_doubt_begins_there() {
        let told = totals(BITS_32, &[1_000.0, 50.0, 10.0, 12.0]);
        assert_eq!(told.last(), Some(&(1_002.0, true)));
    }

    #[test]
    fn what_it_cannot_give_is_not_counted() {
        let mut kept = None;
        for raw in [-1.0, 100_000_000.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Count::take(&mut kept, raw, 100_000_000.0), Err(BadReason::OutOfRange));
        }
        assert_eq!(kept, None);
    }

    #[test]
    fn over_a_restart_the_total_goes_on() {
        let mut kept = None;
        Count::take(&mut kept, 4_294_967_295.0, BITS_32).unwrap();
        let mut kept: Option<Count> = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
        assert_eq!(Count::take(&mut kept, 4.0, BITS_32), Ok((4_294_967_300.0, Quality::Good)));
    }

    proptest::proptest! {
        #[test]
        fn a_total_never_falls(raw in proptest::collection::vec(0u32.., 1..40)) {
            let (mut kept, mut before) = (None, 0.0);
            for raw in raw {
                let (total, _) = Count::take(&mut kept, f64::from(raw), BITS_32).unwrap();
                assert!(total >= before, "{total} after {before}");
                before = total;
            }
        }
    }
}
