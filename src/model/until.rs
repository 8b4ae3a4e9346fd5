//! The end of what lasts over restarts: a block, a maintenance.
//!
//! Within a boot the clock that never steps decides. Over a reboot nobody may know how long the machine was off, and a
//! wall clock may be wrong by years; so what is kept is the time that was left, stored anew now and then while it runs.
//! A block never ends early because a clock was wrong, and never lasts longer than it was asked for while the gateway
//! runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::now::{Mono, Now, Wall};
use super::operation::seconds;

/// The time left is stored anew when so much of it has passed …
const RENEW_SHARE: u32 = 16;
/// … but not sooner than this.
const RENEW_LEAST: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// So much was left …
    #[serde(with = "seconds")]
    pub left: Duration,
    /// … at this time.
    pub at: Now,
}

impl Until {
    pub fn after(now: &Now, span: Duration) -> Until {
        Until { left: span, at: *now }
    }

    /// By the wall clock as it stands now.
    pub fn wall(now: &Now, until: Wall) -> Until {
        Until::after(now, Duration::from_millis(until.0.saturating_sub(now.wall.0)))
    }

    /// On the clock of this boot. One from another boot counts from now: who loads it stores it anew.
    pub fn end(&self, now: &Now) -> Mono {
        if self.at.boot == now.boot { self.at.mono + self.left } else { now.mono + self.left }
    }

    pub fn is_over(&self, now: &Now) -> bool {
        self.end(now) <= now.mono
    }

    /// The same end, told from now.
    pub fn renewed(&self, now: &Now) -> Until {
        Until { left: self.end(now).since(now.mono), at: *now }
    }

    /// When to store the time left anew.
    pub fn renew_at(&self, now: &Now) -> Mono {
        let pause = (self.left / RENEW_SHARE).max(RENEW_LEAST);
        (self.at.mono.max(now.mono) + pause).min(self.end(now))
    }

    pub fn shown(&self, now: &Now) -> Wall {
        now.wall_at(self.end(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Boot, ClockQuality};

    const HOUR: Duration = Duration::from_secs(3_600);
    const YEAR: u64 = 365 * 24 * 3_600_000;

    fn now(boot: u32, mono_s: u64, wall: u64) -> Now {
        Now { mono: Mono(mono_s * 1_000), boot: Boot(boot), wall: Wall(wall), quality: ClockQuality::Set }
    }

    #[test]
    fn within_a_boot_no_step_of_the_clock_matters() {
        let until = Until::wall(&now(1, 100, YEAR), Wall(YEAR + 3_600_000));
        assert_eq!(until.left, HOUR);
        for wall in [0, 2 * YEAR] {
            assert!(!until.is_over(&now(1, 3_699, wall)));
            assert!(until.is_over(&now(1, 3_700, wall)));
        }
    }

    #[test]
    fn over_a_reboot_what_was_left_still_has_to_pass() {
        let until = Until::after(&now(1, 100, YEAR), HOUR).renewed(&now(1, 1_900, YEAR));
        assert_eq!(until.left, HOUR / 2);
        let later = now(2, 20, 3 * YEAR);
        assert_eq!(until.end(&later), Mono(1_820_000));
        assert_eq!(until.renewed(&later).end(&now(2, 500, 0)), Mono(1_820_000));
    }

    #[test]
    fn it_is_stored_anew_now_and_then_and_not_beyond_its_end() {
        let start = now(1, 0, 0);
        assert_eq!(Until::after(&start, HOUR * 16).renew_at(&start), Mono(3_600_000));
        assert_eq!(Until::after(&start, HOUR / 60).renew_at(&start), Mono(60_000));
        assert_eq!(Until::after(&start, HOUR / 3600).renew_at(&start), Mono(1_000));
    }
}
