//! Once more: what a profile marks as idempotent is tried again where nobody knows whether it was carried out.
//!
//! **Invariant: a command that has been out never ends as if nothing had reached its device.** While it waits for another
//! try it is `queued`, and knows that it was sent; called back, expired or refused then, it is `unknown`.
//!
//! **Invariant: nothing that changes a device goes out between two tries.** What waits for another try goes first of its
//! device; where something else has to go all the same, there is no other try: it would undo what was asked later.
//!
//! Only where its link has said that it does not know, or is gone: no link ever has two tries of a command. A restart of
//! the gateway tries nothing again by itself: what was `sent` is `unknown` after it.

use std::time::Duration;

use crate::model::*;

use super::Engine;
use super::guard::scattered;
use super::step::Step;

const MOST_TRIES: u32 = 3;
/// Before the second try; before the third four times as long. Up to a half more by chance, so that many do not come
/// at once.
const PAUSE: Duration = Duration::from_secs(1);

/// What has been out already and may go again.
#[derive(Clone, Copy, Debug)]
pub struct Again {
    tries: u32,
    /// Not before.
    pub(super) at: Mono,
}

impl Again {
    /// As a start finds it: how often it was tried, nobody knows.
    pub fn loaded(now: &Now) -> Again {
        Again { tries: MOST_TRIES, at: now.mono + PAUSE }
    }
}

impl Engine {
    /// Nobody knows what became of it: it goes once more where that does no harm, or ends so.
    pub(super) fn lost(&mut self, now: &Now, no: CommandNo, why: String, step: &mut Step) {
        let Some((device, tries)) = self.may_go_again(now, no) else {
            return self.end(now, no, Outcome::Lost(why).bounded(), step);
        };
        let pause = PAUSE * 4u32.pow(tries - 1);
        let chance = scattered(self.settings.seed, no.0) % (pause.as_millis() as u64 / 2);
        let at = now.mono + pause + Duration::from_millis(chance);
        self.commands.again.insert(no, Again { tries, at });
        if let Some(command) = self.commands.get(no).cloned() {
            self.queue_again(now, device, &command);
        }
    }

    /// Its device, and how often it has been out.
    fn may_go_again(&self, now: &Now, no: CommandNo) -> Option<(DeviceNo, u32)> {
        let command = self.commands.get(no).filter(|command| command.state == CommandState::Sent)?;
        let device = command.device()?;
        let tries = self.commands.again.get(&no).map_or(0, |again| again.tries) + 1;
        let goes = self.is_idempotent(command) && tries < MOST_TRIES && !command.expired(now);
        // One that is only still to be seen done was answered.
        let answered = self.kinds.checks.contains_key(&no) || self.commands.is_called_back(no);
        (goes && !answered).then_some((device, tries))
    }

    fn is_idempotent(&self, command: &Command) -> bool {
        let shaped = command.device().and_then(|device| self.kinds.shaped(device));
        shaped
            .and_then(|shaped| shaped.profile.operation.get(&command.operation.kind()))
            .is_some_and(|of| of.idempotent)
    }

    /// Why it does not go once more after all.
    pub(super) fn goes_no_more(&self, command: &Command) -> Option<String> {
        let waits = self.commands.again.contains_key(&command.no);
        (waits && !self.is_idempotent(command)).then(|| "its profile says no more that twice is as good as once".into())
    }

    /// Something goes to the device that may change it: no earlier try is repeated after that.
    pub(super) fn give_up_tries(&mut self, now: &Now, device: DeviceNo, goes: CommandNo, step: &mut Step) {
        for no in self.commands.tried(device).filter(|no| *no != goes).collect::<Vec<_>>() {
            let why = "something else was sent to its device";
            self.end(now, no, Outcome::NotSent(why.into()), step);
        }
    }

    /// How a command ends that was to go again: nobody can say that nothing has reached the device.
    pub(super) fn ends_after_tries(
        &self,
        no: CommandNo,
        state: CommandState,
        outcome: Option<Outcome>,
    ) -> (CommandState, Option<Outcome>) {
        let untold = match &outcome {
            _ if !self.commands.again.contains_key(&no) => None,
            None => Some("its time was over".to_owned()),
            Some(Outcome::Cancelled) => Some("it was called back".into()),
            Some(Outcome::NotSent(why)) => Some(why.clone()),
            Some(Outcome::Done(_) | Outcome::Failed(_) | Outcome::Lost(_)) => None,
        };
        match untold {
            Some(why) => {
                let why = format!("nobody knows what became of an earlier try; before another, {why}");
                (CommandState::Unknown, Some(Outcome::Lost(why).bounded()))
            }
            None => (state, outcome),
        }
    }
}
