//! What time it is, and with what right. Nothing else in dmgw reads the wall clock.
//!
//! Invariants: while nobody vouches for the clock, the wall time given out never lies below the newest one stored or
//! given out before. A step of a clock that somebody keeps, either way, is taken as it is.

use nix::time::{ClockId, clock_gettime};

use crate::config::Trust;
use crate::links::mono;
use crate::model::{Boot, ClockQuality, Mono, Now, Wall};

/// 2025-01-01: a clock before that was never set.
const PLAUSIBLE: Wall = Wall(1_735_689_600_000);

pub struct Clock {
    trust: Trust,
    boot: Boot,
    /// The newest time stored or given out.
    newest: Wall,
    /// The last time that somebody vouched for or, before that, the newest one stored; it runs on with `mono`.
    anchor: Option<(Mono, Wall)>,
}

impl Clock {
    pub fn new(trust: Trust) -> Clock {
        if trust == Trust::Kernel && kernel_keeps_it().is_none() {
            tracing::warn!(
                "the kernel does not say whether it keeps the clock, so the time counts as held; does the \
                            unit forbid adjtimex (ProtectClock=)? Or set clock.trust = \"always\""
            );
        }
        Clock { trust, boot: Boot(0), newest: Wall(0), anchor: None }
    }

    /// What the store knows, once it is open.
    pub fn stored(&mut self, now: &Now, newest: Wall) {
        self.boot = now.boot;
        self.newest = self.newest.max(newest);
        if newest > Wall(0) {
            self.anchor.get_or_insert((now.mono, now.wall));
        }
    }

    pub fn now(&mut self) -> Now {
        let kept = self.trust == Trust::Always || kernel_keeps_it() == Some(true);
        self.judge(mono(), kernel_wall(), kept)
    }

    fn judge(&mut self, mono: Mono, kernel: Wall, kept: bool) -> Now {
        let run_on = self.anchor.map(|(then, wall)| wall + mono.since(then));
        let (wall, quality) = if kept {
            self.anchor = Some((mono, kernel));
            // What was believed before was wrong where it lies ahead.
            self.newest = kernel;
            (kernel, ClockQuality::Set)
        } else {
            let known = kernel >= PLAUSIBLE || run_on.is_some();
            let wall = kernel.max(run_on.unwrap_or_default()).max(self.newest);
            (wall, if known { ClockQuality::Held } else { ClockQuality::Unset })
        };
        self.newest = self.newest.max(wall);
        Now { mono, boot: self.boot, wall, quality }
    }
}

fn kernel_wall() -> Wall {
    // The kernel has this clock always; a time before 1970 is as good as none.
    let time = clock_gettime(ClockId::CLOCK_REALTIME);
    Wall(time.map_or(0, |time| (time.tv_sec().max(0) as u64) * 1_000 + (time.tv_nsec().max(0) as u64) / 1_000_000))
}

/// As systemd wants it with a reload.
pub fn monotonic_micros() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC);
    time.map_or(0, |time| time.tv_sec().max(0) as u64 * 1_000_000 + time.tv_nsec().max(0) as u64 / 1_000)
}

/// None where nobody may ask: a sandbox that forbids `adjtimex`.
#[allow(unsafe_code)]
fn kernel_keeps_it() -> Option<bool> {
    // SAFETY: all zeroes is a valid `timex`, and with `modes` 0 the call only fills it.
    let (state, told) = unsafe {
        let mut told: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&mut told), told)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR && told.status & libc::STA_UNSYNC == 0)
}

/// Names this boot of the machine.
pub fn boot_id() -> std::io::Result<[u8; 16]> {
    uuid("/proc/sys/kernel/random/boot_id")
}

/// Sixteen random bytes (but for six bits that say what kind of UUID they are).
pub fn random_id() -> std::io::Result<[u8; 16]> {
    uuid("/proc/sys/kernel/random/uuid")
}

fn uuid(path: &str) -> std::io::Result<[u8; 16]> {
    let digits: String = std::fs::read_to_string(path)?.chars().filter(char::is_ascii_hexdigit).collect();
    let whole = u128::from_str_radix(&digits, 16).map_err(std::io::Error::other)?;
    Ok(whole.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    fn clock(newest: Option<u64>) -> Clock {
        let newest = newest.map(Wall);
        Clock {
            trust: Trust::Kernel,
            boot: Boot(3),
            newest: newest.unwrap_or_default(),
            anchor: newest.map(|newest| (Mono(1_000), newest)),
        }
    }

    fn told(now: Now) -> (u64, ClockQuality) {
        (now.wall.0, now.quality)
    }

    #[test]
    fn a_machine_that_nobody_told_the_time_says_so() {
        assert_eq!(told(clock(None).judge(Mono(5), Wall(7 * DAY), false)), (7 * DAY, ClockQuality::Unset));
    }

    #[test]
    fn without_a_keeper_the_time_goes_on_from_the_newest_stored() {
        let newest = PLAUSIBLE.0 + 9 * DAY;
        let mut clock = clock(Some(newest));
        assert_eq!(told(clock.judge(Mono(4_000), Wall(DAY), false)), (newest + 3_000, ClockQuality::Held));
        assert_eq!(told(clock.judge(Mono(4_001), Wall(newest - DAY), false)), (newest + 3_001, ClockQuality::Held));
        let ahead = newest + DAY;
        assert_eq!(told(clock.judge(Mono(4_002), Wall(ahead), false)), (ahead, ClockQuality::Held));
        assert_eq!(told(clock.judge(Mono(4_003), Wall(DAY), false)), (ahead, ClockQuality::Held), "never back");
    }

    #[test]
    fn a_kept_clock_is_taken_as_it_is_even_backwards() {
        let newest = PLAUSIBLE.0 + 9 * DAY;
        let mut clock = clock(Some(newest));
        assert_eq!(told(clock.judge(Mono(2_000), Wall(newest - DAY), true)), (newest - DAY, ClockQuality::Set));
        assert_eq!(
            told(clock.judge(Mono(2_001), Wall(0), false)),
            (newest - DAY + 1, ClockQuality::Held),
            "not below the newest that stands"
        );
    }

    #[test]
    fn a_time_that_was_corrected_does_not_come_back() {
        let right = PLAUSIBLE.0 + 9 * DAY;
        let mut clock = clock(Some(right));
        assert_eq!(told(clock.judge(Mono(2_000), Wall(right + 4_000 * DAY), true)).1, ClockQuality::Set);
        assert_eq!(told(clock.judge(Mono(3_000), Wall(right), true)), (right, ClockQuality::Set));
        assert_eq!(told(clock.judge(Mono(4_000), Wall(right + 1_000), false)), (right + 1_000, ClockQuality::Held));
    }

    #[test]
    fn this_machine_has_a_time_and_a_boot() {
        let now = Clock::new(Trust::Always).now();
        assert!(now.wall > PLAUSIBLE && now.quality == ClockQuality::Set);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
        assert_ne!(random_id().unwrap(), random_id().unwrap());
    }
}
