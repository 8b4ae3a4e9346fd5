//! Once more: what a profile marks as idempotent is tried again where nobody knows whether it was carried out.
//!
//! **Invariant: a command that has been out never ends as if nothing had reached its device.** While it waits for another
//! try it is `queued`, and knows that it was sent; called back, expired or refused then, it is `unknown`.
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
        Again { tries: MOST_TRIES, at: now.mono }
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
        let wanted = self.kinds.shaped(device)?.profile.operation.get(&command.operation.kind())?;
        let tries = self.commands.again.get(&no).map_or(0, |again| again.tries) + 1;
        let goes = wanted.idempotent && tries < MOST_TRIES && !command.expired(now);
        (goes && !self.commands.is_called_back(no)).then_some((device, tries))
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
