//! What becomes of a device by itself: commands that have taken their time, faults that begin and end.

use std::sync::Arc;

use super::{ASK_AGAIN, Asking, Later, Said, SimDevice, asked, generators};
use crate::links::sim::plant::fault::Turn;
use crate::links::sim::plant::misdeed::Misdeed;
use crate::links::sim::plant::settings::{Mode, filled};
use crate::links::sim::plant::shape::capabilities;
use crate::model::Address;

impl SimDevice {
    /// What commands have led to and which faults begin or end now, and what that makes it say.
    pub fn turn(&mut self, now: u64) -> Vec<Said> {
        self.now = now;
        let due = self.later.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>();
        let mut said: Vec<Said> = due.into_iter().map(|(_, later)| self.become_so(later)).collect();
        said.retain(|_| !self.is_mute());
        for turn in self.script.advance(now, self.count) {
            said.extend(self.suffer(&turn));
            said.push(Said::Turn(turn));
        }
        said
    }

    fn become_so(&mut self, later: Later) -> Said {
        match later {
            Later::Changed => Said::Changed,
            Later::Firmware { version, before } => {
                self.before = before;
                if let Some(name) = asked::firmware() {
                    Arc::make_mut(&mut self.about).versions.insert(name, version);
                }
                Said::Found
            }
        }
    }

    /// A fault begins or ends.
    fn suffer(&mut self, turn: &Turn) -> Option<Said> {
        match &turn.fault.what {
            Misdeed::Vanish => Some(if turn.begun { Said::Gone } else { self.back() }),
            Misdeed::Move { to } => {
                let away = Address::new(&filled(to, self.n)).ok().filter(|_| turn.begun);
                self.address = away.unwrap_or_else(|| self.home.clone());
                self.ignored();
                (!self.is_mute() && !self.is_asleep()).then(|| self.back())
            }
            Misdeed::Change { without, with } => {
                let mut points = self.kind.point.clone();
                if turn.begun {
                    points.retain(|path, _| !without.contains(&path.component));
                    points.extend(with.clone());
                }
                let sleeps = self.kind.sleeps.filter(|_| self.sleep.is_some());
                self.capabilities = Arc::new(capabilities(&self.kind, &points, sleeps));
                // Checked when the plant was read.
                self.generators = generators(&points).unwrap_or_default();
                Some(Said::Changed)
            }
            _ => None,
        }
    }

    fn back(&mut self) -> Said {
        match self.kind.mode {
            Mode::Asks(_) => {
                self.asking = Asking::At(self.now + ASK_AGAIN);
                Said::Asks
            }
            _ => Said::Found,
        }
    }
}
