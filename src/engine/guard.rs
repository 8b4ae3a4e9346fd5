//! The second step of what cannot be undone: a token that is short-lived, good once, and bound to the exact request.
//!
//! Tokens are kept in memory only: after a restart somebody has to mean it anew.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::event::Operate;
use crate::model::*;

use super::Engine;

/// Requests that wait for their second step; the oldest goes.
const MOST_GUARDS: usize = 64;

/// So far apart may be what the two steps say of when.
const MOST_APART: Duration = Duration::from_secs(600);

#[derive(Default)]
pub struct Guards {
    waiting: VecDeque<Guard>,
    /// Tokens given since the start.
    given: u64,
}

struct Guard {
    token: Name,
    by: Name,
    ask: Operate,
    until: Mono,
}

impl Guard {
    fn is_for(&self, by: &Principal, ask: &Operate) -> bool {
        let Operate { device, devices, group, of, operation, priority, timeout, expires, starts, .. } = &self.ask;
        self.by == by.name
            && (device, devices, operation) == (&ask.device, &ask.devices, &ask.operation)
            && (group, of) == (&ask.group, &ask.of)
            && (priority, timeout) == (&ask.priority, &ask.timeout)
            && is_close(*starts, ask.starts)
            && is_close(*expires, ask.expires)
    }
}

/// Who names a span has it counted anew with the second step.
fn is_close(before: Option<Wall>, again: Option<Wall>) -> bool {
    match (before, again) {
        (Some(before), Some(again)) => Duration::from_millis(before.0.abs_diff(again.0)) <= MOST_APART,
        (before, again) => before == again,
    }
}

impl Engine {
    /// What to answer in place of doing it; `None` where it may go on.
    pub(super) fn guard(&mut self, now: &Now, by: &Principal, ask: &Operate) -> Result<Option<Reply>, Refusal> {
        if !ask.operation.kind().is_dangerous() {
            return Ok(None);
        }
        self.guards.waiting.retain(|guard| guard.until > now.mono);
        let Some(token) = &ask.token else { return self.give_token(now, by, ask).map(Some) };
        let waiting = &mut self.guards.waiting;
        match waiting.iter().position(|guard| guard.token == *token && guard.is_for(by, ask)) {
            Some(place) => {
                waiting.remove(place);
                Ok(None)
            }
            None => Err(Refusal::NotAllowed(format!(
                "{token} is used up, too old or not for this request; ask for it without a token to get a new one"
            ))),
        }
    }

    fn give_token(&mut self, now: &Now, by: &Principal, ask: &Operate) -> Result<Reply, Refusal> {
        let within: Duration = self.settings.guard;
        self.guards.given += 1;
        let token = Name::new(&format!("g-{:016x}", scattered(self.settings.seed, self.guards.given)))
            .map_err(|error| Refusal::BadArgument(error.to_string()))?;
        if self.guards.waiting.len() >= MOST_GUARDS {
            self.guards.waiting.pop_front();
        }
        self.guards.waiting.push_back(Guard {
            token: token.clone(),
            by: by.name.clone(),
            ask: ask.clone(),
            until: now.mono + within,
        });
        Ok(Reply::Guarded { token, within })
    }
}

/// The `count`th number of splitmix64 from this seed.
pub(super) fn scattered(seed: u64, count: u64) -> u64 {
    let mut z = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_scattered_by_seed_and_count() {
        // The first three of the published sequence of splitmix64 from 0.
        let wanted = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([1, 2, 3].map(|count| scattered(0, count)), wanted);
        assert_ne!(scattered(1, 1), scattered(0, 1));
    }
}
