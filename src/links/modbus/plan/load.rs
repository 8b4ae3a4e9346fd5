//! How much of a line a plan takes: what is known before the first byte is sent.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Block, Bounds, requests};
use crate::links::modbus::wire::timing::Pace;
use crate::model::Address;
use crate::profile::modbus::Spot;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub pace: Pace,
    /// What a device takes to begin its answer.
    pub thinks: Duration,
    /// What it wants between its answer and the next request.
    pub pause: Duration,
}

impl Line {
    /// For people.
    pub fn named(&self) -> String {
        format!("the line at {} baud", self.pace.baud)
    }

    /// How long one request holds the line, its answer and the silence around both.
    pub fn takes(&self, block: &Block) -> Duration {
        self.pace.answered_within(&block.asked(), self.thinks) + 2 * self.pace.silence() + self.pause
    }
}

/// Which part of the time the line is busy: above 1 the plan cannot keep its periods.
pub fn share<'a>(line: &Line, blocks: impl IntoIterator<Item = (&'a Block, Duration)>) -> f64 {
    let of = |(block, every): (&Block, Duration)| line.takes(block).as_secs_f64() / every.as_secs_f64().max(1e-3);
    blocks.into_iter().map(of).sum()
}

/// What the polls of one unit need.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// Requests a second.
    pub requests: f64,
    /// Part of the time of a serial line; 0 where nothing is known of it.
    pub share: f64,
    /// Part of its own time that it wants to be left alone; others are asked meanwhile.
    pub pauses: f64,
}

/// Of these, each as often as it says. What is due together with others is read with them, so it is seldom less.
pub fn needs(
    line: Option<&Line>,
    bounds: &Bounds,
    pause: Duration,
    wanted: impl IntoIterator<Item = (Spot, Duration)>,
) -> Needs {
    let mut by_period: BTreeMap<Duration, Vec<Spot>> = BTreeMap::new();
    wanted.into_iter().for_each(|(spot, every)| by_period.entry(every).or_default().push(spot));
    let mut needs = Needs::default();
    for (every, spots) in by_period {
        let plan = requests(&spots, bounds);
        needs.requests += plan.requests.len() as f64 / every.as_secs_f64().max(1e-3);
        needs.share += line.map_or(0.0, |line| share(line, plan.requests.iter().map(|of| (&of.block, every))));
    }
    needs.pauses = needs.requests * pause.as_secs_f64();
    needs
}

/// Which part of the time there is they need: of the line, or the one among them that wants the longest pauses, of its
/// own. Above 1 their periods cannot be kept. And the same in words, with who needs most and what can be done.
pub fn strain<'a>(needs: impl Iterator<Item = (&'a Address, Needs)> + Clone, of: &str) -> Option<(f64, String)> {
    let percent = |share: f64| (share * 100.0).ceil();
    let most = |part: fn(&Needs) -> f64| {
        needs.clone().map(|(who, needs)| (who, part(&needs))).max_by(|one, other| one.1.total_cmp(&other.1))
    };
    let ((busiest, share), (slowest, alone)) =
        most(|needs| needs.share).zip(most(|needs| needs.share + needs.pauses))?;
    let all: f64 = needs.clone().map(|(_, needs)| needs.share).sum();
    let (all_of_it, own, of_own) = (percent(all), percent(share), percent(alone));
    Some(match all >= alone {
        true => {
            let need = format!("polls need {all_of_it} % of {of}, most of it unit {busiest} with {own} %");
            (all, format!("{need}; read less often (every), or fewer points, or over a faster line"))
        }
        false => {
            let needs = format!("unit {slowest} needs {of_own} % of its time, with its pause after each answer");
            (alone, format!("{needs}; read it less often (every), or fewer of its points"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::modbus::Table;

    const SLOW: Line = Line { pace: Pace { baud: 9_600, bits: 11 }, thinks: Duration::ZERO, pause: Duration::ZERO };

    fn block(table: Table, count: u16) -> Block {
        Block { table, at: 0, count }
    }

    #[test]
    fn a_request_takes_its_bytes_and_its_silences() {
        // 8 + 5 + 200 bytes, and twice 3.5, of 11 bits each.
        let wanted = Duration::from_secs_f64(220.0 * 11.0 / 9_600.0);
        assert!(SLOW.takes(&block(Table::Holding, 100)).abs_diff(wanted) < Duration::from_micros(1));
        // 2000 bits are 250 bytes.
        let bits = Duration::from_secs_f64(270.0 * 11.0 / 9_600.0);
        assert!(SLOW.takes(&block(Table::Coil, 2_000)).abs_diff(bits) < Duration::from_micros(1));
        let fast = Line { pace: Pace { baud: 115_200, ..SLOW.pace }, ..SLOW };
        let wanted = Duration::from_secs_f64(15.0 * 11.0 / 115_200.0) + 2 * Duration::from_micros(1_750);
        assert!(fast.takes(&block(Table::Input, 1)).abs_diff(wanted) < Duration::from_micros(1));
        let tired = Line { thinks: Duration::from_millis(20), pause: Duration::from_millis(5), ..SLOW };
        assert_eq!(tired.takes(&block(Table::Coil, 8)) - SLOW.takes(&block(Table::Coil, 8)), Duration::from_millis(25));
    }

    #[test]
    fn a_plan_that_cannot_be_kept_takes_more_than_all_of_the_time() {
        let blocks = [block(Table::Holding, 100); 4];
        let each = |every: u64| share(&SLOW, blocks.iter().map(|block| (block, Duration::from_millis(every))));
        assert!(each(1_000) > 1.0 && each(1_010) < 1.0, "{} {}", each(1_000), each(1_010));
    }

    #[test]
    fn a_unit_that_wants_long_pauses_may_be_too_slow_for_itself_while_its_line_has_room() {
        let address = Address::new("7").unwrap();
        let told = |pause: u64| {
            let line = Some(&SLOW);
            let spot = Spot { count: 100, ..spot() };
            let needs =
                needs(line, &Bounds::default(), Duration::from_millis(pause), [(spot, Duration::from_millis(500))]);
            assert_eq!(needs.requests, 0.0, "more than it gives at once");
            let bounds = Bounds::of(&Default::default());
            let needs = super::needs(line, &bounds, Duration::from_millis(pause), [(spot, Duration::from_millis(500))]);
            strain([(&address, needs)].into_iter(), "the line").unwrap()
        };
        let (share, says) = told(0);
        assert!((0.5..0.51).contains(&share) && says.starts_with("polls need 51 % of the line"), "{share} {says}");
        let (share, says) = told(300);
        assert!((1.10..1.11).contains(&share) && says.starts_with("unit 7 needs 111 % of its time"), "{share} {says}");
    }

    fn spot() -> Spot {
        let holding = Some(0.into());
        crate::profile::modbus::Speaks::default()
            .spot(&crate::profile::modbus::Register { holding, ..Default::default() })
            .unwrap()
    }
}
