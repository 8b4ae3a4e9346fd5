//! Time as an argument: the pure parts are told what time it is, and with what right.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the machine booted, suspended time included. Never steps. Deadlines and ladders run on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Mono(pub u64);

/// Counts the boots of the machine: a [`Mono`] means nothing without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Boot(pub u32);

/// Milliseconds since 1970-01-01T00:00Z. May step; see [`ClockQuality`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Wall(pub u64);

/// What the wall clock is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ClockQuality {
    /// Nobody has told this machine the time since it was made.
    #[default]
    Unset,
    /// The last time known, plus the run time of this boot.
    Held,
    /// Kept by the network, GPS or a battery.
    Set,
}

/// The moment at which an event is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Now {
    pub mono: Mono,
    pub boot: Boot,
    pub wall: Wall,
    pub quality: ClockQuality,
}

impl Mono {
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, span: Duration) -> Mono {
        Mono(self.0.saturating_add(millis(span)))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, span: Duration) -> Wall {
        Wall(self.0.saturating_add(millis(span)))
    }
}

impl Now {
    /// The wall time of an earlier or later moment of this boot, by the clock as it stands now.
    pub fn wall_at(&self, mono: Mono) -> Wall {
        let shifted = i128::from(self.wall.0) + i128::from(mono.0) - i128::from(self.mono.0);
        Wall(u64::try_from(shifted.max(0)).unwrap_or(u64::MAX))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for ClockQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClockQuality::Unset => "unset",
            ClockQuality::Held => "held",
            ClockQuality::Set => "set",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_stop_at_the_end_of_time() {
        assert_eq!(Mono(u64::MAX) + Duration::from_secs(1), Mono(u64::MAX));
        assert_eq!(Wall(5) + Duration::MAX, Wall(u64::MAX));
    }

    #[test]
    fn a_past_moment_of_this_boot_has_a_wall_time() {
        let now = Now { mono: Mono(5_000), wall: Wall(100_000), ..Now::default() };
        assert_eq!(now.wall_at(Mono(2_000)), Wall(97_000));
        assert_eq!(now.wall_at(Mono(6_000)), Wall(101_000));
        let young = Now { mono: Mono(5_000), wall: Wall(1_000), ..Now::default() };
        assert_eq!(young.wall_at(Mono(0)), Wall(0));
    }
}
