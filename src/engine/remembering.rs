//! How long ended commands are kept: for as long as their id must be answered from the first result, and no longer than
//! there is room for those of which nobody will ask again.

use std::time::Duration;

use crate::model::command::Expiry;
use crate::model::*;

use super::Engine;
use super::step::Step;
use super::timers::{SOONEST, Timer};

/// Ids that we make begin so; nobody else may use them.
pub const OUR_IDS: &str = "c-";

fn is_ours(id: &CommandId) -> bool {
    id.as_str().starts_with(OUR_IDS)
}

impl Engine {
    /// Makes room for so many more; false where too many of those kept are still needed.
    pub(super) fn room_for_commands(&mut self, more: usize, step: &mut Step) -> bool {
        let most = self.settings.most_commands;
        let needed = self.commands.count().saturating_sub(self.commands.disposable.len());
        if needed + more > most {
            return false;
        }
        while self.commands.count() + more > most {
            match self.commands.oldest_disposable() {
                Some(no) => self.forget(no, step),
                None => return false,
            }
        }
        true
    }

    /// Keeps an ended command for as long as its id must be answered from it.
    pub(super) fn remember(&mut self, now: &Now, command: &Ended, expires: Mono) {
        self.timers.set(expires.max(now.mono) + self.settings.remember, Timer::Forget(command.no));
        if is_ours(&command.id) && !self.commands.parents.contains_key(&command.no) {
            self.commands.disposable.insert(command.no);
        }
    }

    fn forget(&mut self, no: CommandNo, step: &mut Step) {
        self.commands.disposable.remove(&no);
        if let Some(command) = self.commands.forget(no) {
            if !is_ours(&command.id) {
                self.commands.forgotten_to = self.commands.forgotten_to.max(command.expires.wall);
            }
            self.touched.forgotten.push(command.id.clone());
            step.changes.push(Change::Forget { no, forgotten_to: self.commands.forgotten_to });
        }
    }

    /// What cannot be believed may have been asked under any id that has not expired by now, so none is taken that could
    /// be that one. Its rows go, so that the next start does not find the same again.
    pub(super) fn load_lost(&mut self, now: &Now, mut lost: Vec<CommandNo>, step: &mut Step) {
        let Some(last) = lost.iter().max().copied() else { return };
        self.commands.reserve(last);
        self.commands.forgotten_to = self.commands.forgotten_to.max(now.wall + self.settings.longest_expiry);
        if self.commands.newest() < Some(last) {
            self.commands.lost = Some(last);
            lost.retain(|no| *no != last);
            // There is no such command, but until when ids are forgotten is written with it.
            lost.push(CommandNo(0));
        }
        let forgotten_to = self.commands.forgotten_to;
        step.changes.extend(lost.into_iter().map(|no| Change::Forget { no, forgotten_to }));
    }

    pub(super) fn forget_reached(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(command) = self.commands.ended_one(no) else { return };
        // Not before the wall clock has passed its expiry too: set back meanwhile, it would let the same id in again.
        let left = Duration::from_millis(command.expires.wall.0.saturating_sub(now.wall.0));
        let in_family = self.commands.parents.contains_key(&no);
        if in_family || self.commands.newest() == Some(no) || (!left.is_zero() && !is_ours(&command.id)) {
            let again = self.settings.remember.max(SOONEST);
            self.timers.set(now.mono + again, Timer::Forget(no));
        } else {
            self.forget(no, step);
        }
    }
}

/// The end of a command's expiry on the clock of this boot. Asked in another boot it is what the wall clock says is left,
/// and never longer than it had in all: that clock may have been set back.
pub(super) fn until(now: &Now, command: &Command) -> Mono {
    if command.asked.boot == now.boot {
        return command.expires.mono;
    }
    now.mono + wall_left(now, &command.expires).min(command.expires.mono.since(command.asked.mono))
}

/// The same for one that has ended, of which less is known.
pub(super) fn ended_until(now: &Now, ended: &Ended, longest: Duration) -> Mono {
    if ended.asked == now.boot { ended.expires.mono } else { now.mono + wall_left(now, &ended.expires).min(longest) }
}

pub(super) fn wall_left(now: &Now, expires: &Expiry) -> Duration {
    Duration::from_millis(expires.wall.0.saturating_sub(now.wall.0))
}
