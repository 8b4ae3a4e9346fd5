//! What flows through a meter: voltages and currents that wander, and the energy that they come to. Pure.

use std::f64::consts::TAU;

use crate::links::chance::Chance;
use crate::model::PointPath;

/// How far each of these swings, and how many seconds that takes: two waves that never meet again.
const VOLTS: [(f64, f64); 2] = [(2.4, 37.0), (0.6, 5.3)];
const AMPERES: [(f64, f64); 2] = [(1.6, 23.0), (0.5, 3.7)];
const HERTZ: [(f64, f64); 2] = [(0.02, 61.0), (0.01, 7.1)];
/// The meter has counted so much before: at most, in Wh.
const COUNTED: f64 = 9e6;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Phase {
    volts: f64,
    amperes: f64,
    counted: f64,
}

pub struct Flow {
    /// Where each wave begins.
    begins: f64,
    hertz: f64,
    power_factor: f64,
    phases: Vec<Phase>,
    /// Seconds since the start.
    now: f64,
}

impl Flow {
    pub fn new(phases: u16, chance: &mut Chance) -> Flow {
        let begins = chance.share() * TAU;
        let counted = (chance.share() * COUNTED).round();
        let phase = |_| Phase { volts: 0.0, amperes: 0.0, counted: counted / f64::from(phases) };
        let power_factor = 0.93 + 0.06 * chance.share();
        let phases = (0..phases).map(phase).collect();
        let mut flow = Flow { begins, hertz: 0.0, power_factor, phases, now: 0.0 };
        flow.pass(0.0);
        flow
    }

    /// On to this second since the start: what flowed until then is counted.
    pub fn pass(&mut self, now: f64) {
        let hours = (now - self.now).max(0.0) / 3_600.0;
        let (begins, power_factor) = (self.begins, self.power_factor);
        for (no, phase) in self.phases.iter_mut().enumerate() {
            phase.counted += phase.volts * phase.amperes * power_factor * hours;
            let from = begins + no as f64 * TAU / 3.0;
            phase.volts = 230.0 + swing(VOLTS, now, from);
            phase.amperes = 4.5 + no as f64 + swing(AMPERES, now, from);
        }
        self.hertz = 50.0 + swing(HERTZ, now, begins);
        self.now = now;
    }

    /// What a point of this name shows in this unit. None: it is not of what flows.
    pub fn shows(&self, path: &PointPath, unit: &str) -> Option<f64> {
        let (part, name) = (path.component.as_str(), path.point.as_str());
        let one = usize::from(path.instance).checked_sub(1).and_then(|no| self.phases.get(no));
        let phases = match one.filter(|_| part == "phase") {
            Some(one) => std::slice::from_ref(one),
            None => &self.phases[..],
        };
        let sum = |of: fn(&Phase) -> f64| phases.iter().map(of).sum::<f64>();
        let apparent = sum(|phase| phase.volts * phase.amperes);
        let active = apparent * self.power_factor;
        let reactive = (apparent * apparent - active * active).max(0.0).sqrt();
        let between = part == "line" || name.starts_with("line");
        // "kWh" is a thousand "Wh"; there is no unit of these that begins with a k by itself.
        let (thousands, unit) = unit.strip_prefix('k').map_or((1.0, unit), |unit| (1_000.0, unit));
        let shown = match unit {
            "V" if between => sum(|phase| phase.volts) / phases.len() as f64 * 3f64.sqrt(),
            "V" => sum(|phase| phase.volts) / phases.len() as f64,
            "A" if name.starts_with("neutral") => 0.4,
            "A" => sum(|phase| phase.amperes),
            "W" | "Wh" | "var" | "varh" if name.contains("export") => 0.0,
            "W" => active,
            "VA" => apparent,
            "var" => reactive,
            "Wh" => sum(|phase| phase.counted),
            "VAh" => sum(|phase| phase.counted) / self.power_factor,
            "varh" => sum(|phase| phase.counted) * reactive / active.max(1.0),
            "Hz" => self.hertz,
            "/" if name.starts_with("power-factor") => self.power_factor,
            "s" => self.now,
            _ => return None,
        };
        Some(shown / thousands)
    }
}

fn swing(waves: [(f64, f64); 2], at: f64, from: f64) -> f64 {
    waves.iter().map(|(height, period)| height * (TAU * at / period + from).sin()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(flow: &Flow, path: &str, unit: &str) -> f64 {
        flow.shows(&path.parse().unwrap(), unit).unwrap()
    }

    #[test]
    fn what_is_shown_goes_together_and_energy_is_what_power_came_to() {
        let mut flow = Flow::new(3, &mut Chance::new(1));
        let (mut joules, before) = (0.0, shows(&flow, "energy.import", "Wh"));
        for second in 1..=600 {
            joules += shows(&flow, "grid.power", "W");
            flow.pass(f64::from(second));
        }
        let counted = shows(&flow, "energy.import", "Wh") - before;
        assert!((counted - joules / 3_600.0).abs() < 1e-6, "{counted} Wh, {joules} J");
        let phases: f64 = (1..=3).map(|no| shows(&flow, &format!("phase.{no}.power"), "W")).sum();
        assert!((phases - shows(&flow, "grid.power", "kW") * 1_000.0).abs() < 1e-6);
        for (path, unit, low, high) in [
            ("phase.2.voltage", "V", 225.0, 235.0),
            ("line.1.voltage", "V", 390.0, 407.0),
            ("phase.1.current", "A", 2.0, 7.0),
            ("grid.frequency", "Hz", 49.9, 50.1),
            ("grid.power-factor", "/", 0.9, 1.0),
        ] {
            let x = shows(&flow, path, unit);
            assert!((low..=high).contains(&x), "{path} is {x} {unit}");
        }
        assert_eq!(flow.shows(&"alarm.overload".parse().unwrap(), "Cel"), None);
    }

    #[test]
    fn values_move_and_a_meter_of_one_phase_counts_that_one() {
        let mut flow = Flow::new(1, &mut Chance::new(1));
        let before = shows(&flow, "phase.1.voltage", "V");
        flow.pass(2.0);
        assert_ne!(shows(&flow, "phase.1.voltage", "V"), before);
        assert_eq!(shows(&flow, "phase.1.power", "W"), shows(&flow, "grid.power", "W"));
        assert_eq!(shows(&flow, "energy.export", "kWh"), 0.0);
    }
}
