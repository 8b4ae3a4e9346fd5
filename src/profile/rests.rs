//! What a total rests on. Where the profile takes it from something else, the total stands, and what is counted from then
//! on is added; where only the unit of the power is another, it is converted.

use super::energy::Energy;
use super::sections::{Counter, Known};
use super::shaped::Shaped;
use super::unit;
pub use crate::model::totals::{Count, Rests};
use crate::model::{PointPath, Totals};

/// What is there of a total when a profile begins to work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    pub count: Option<Count>,
    pub energy: Option<Energy>,
    /// What it came to where it rested on something else.
    pub carried: Option<f64>,
}

impl Shaped {
    pub(super) fn rests(&self, no: usize) -> Rests {
        let (path, known) = &self.points[no];
        let range = known.counter.as_ref().map(Counter::range);
        let of: Vec<String> = self.raw_of(path).iter().map(ToString::to_string).collect();
        let at = self.registers_of(no);
        let source = crc32c::crc32c(format!("{} {range:?}{at}", of.join(" ")).as_bytes());
        Rests {
            source,
            unit: self.power_of(known).and_then(|power| power.unit.as_ref()).map(|unit| unit.value.clone()),
            scaled: known.is_scaled().then(|| known.scale_and_offset()),
        }
    }

    /// Where a device keeps what it counts. Nothing where that is not said in registers.
    fn registers_of(&self, no: usize) -> String {
        let speaks = self.profile.speaks();
        let at = |raw: &PointPath| {
            let register = self.becomes(raw).find_map(|no| self.points[no].1.modbus.as_deref())?;
            speaks.spot(register).map(|spot| format!(" {} {} {}", spot.table, spot.at, spot.form))
        };
        self.raw_of(&self.points[no].0).into_iter().filter_map(at).collect()
    }

    fn power_of(&self, known: &Known) -> Option<&Known> {
        self.known(&known.energy.as_ref()?.value)
    }

    pub(super) fn kept(&self, no: usize, totals: &Totals) -> Kept {
        let (path, known) = &self.points[no];
        let count = totals.counts.get(path).filter(|_| known.counter.is_some()).copied();
        let energy = totals.energies.get(path).filter(|_| known.energy.is_some()).copied();
        // A row of a former version does not say what it rested on: then nothing has changed.
        let Some(before) = totals.rests.get(path) else { return Kept { count, energy, carried: None } };
        let now = self.rests(no);
        let energy = energy.zip(factor(before, &now));
        let energy = energy.map(|(of, by)| Energy { power: of.power * by, total: of.total * by, ..of });
        if before.source == now.source {
            return Kept { count, energy, carried: None };
        }
        // In the numbers of the counter, as they would come to the same total.
        let (scale, offset) = before.scaled.unwrap_or((1.0, 0.0));
        let again = |total: f64| known.unscaled(total * scale + offset);
        let carried = count.map(|count| again(count.base + count.last)).or(energy.map(|energy| energy.total));
        Kept { carried, ..Kept::default() }
    }
}

/// From the unit before to the one now. None: what was counted is something else.
fn factor(before: &Rests, now: &Rests) -> Option<f64> {
    match (&before.unit, &now.unit) {
        (before, now) if before == now => Some(1.0),
        (before, now) => unit::power_in(before.as_ref()?, now.as_ref()?),
    }
}
