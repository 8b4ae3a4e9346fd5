//! What a device of a plant may do wrong, and when: `[[device.NAME.fault]]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::settings::PointSettings;
use crate::model::{Name, PointPath};
use crate::units;

/// Begins at a time since the start, or after so many requests and readings; ends the same ways, or not at all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(default, deserialize_with = "units::some_span_text")]
    pub at: Option<Duration>,
    pub after: Option<u64>,
    #[serde(default, deserialize_with = "units::some_span_text")]
    pub lasts: Option<Duration>,
    pub times: Option<u64>,
    /// From one beginning to the next.
    #[serde(default, deserialize_with = "units::some_span_text")]
    pub again: Option<Duration>,
    /// Only the n-th of its kind.
    pub only: Option<u32>,
    #[serde(rename = "do")]
    pub what: Misdeed,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Misdeed {
    /// Hears and obeys, but says nothing.
    Silent,
    /// Takes so much longer to answer.
    Slow(#[serde(deserialize_with = "units::span_text")] Duration),
    /// Answers with text where numbers belong.
    WrongType,
    /// Answers with another point than asked.
    OtherPoint,
    /// Answers with a line that nobody understands.
    Garbage,
    /// Leaves, and says so; nothing reaches it.
    Vanish,
    /// Leaves without a word and is found at another address, a pattern, until it comes back as silently. Whoever lives
    /// there is not heard meanwhile.
    Move { to: String },
    /// Says that it did what it was told, and did nothing.
    Lie,
    /// Answers commands so much too late.
    Late(#[serde(deserialize_with = "units::span_text")] Duration),
    /// Says every answer twice.
    Twice,
    /// Answers under the number of another request: the one before, whoever was asked, or one that never was.
    WrongQuestion,
    /// Has other components for a while.
    Change {
        #[serde(default)]
        without: Vec<Name>,
        #[serde(default)]
        with: BTreeMap<PointPath, PointSettings>,
    },
}

impl Fault {
    pub fn check(&self) -> Result<(), String> {
        if self.at.is_some() == self.after.is_some() {
            return Err(
                "a fault begins `at` a time or `after` a number of requests and readings: write one of them".into()
            );
        }
        if self.lasts.is_some() && self.times.is_some() {
            return Err("a fault ends by `lasts` or by `times`: write one of them".into());
        }
        match (self.again, self.at, self.lasts) {
            (None, ..) => Ok(()),
            (Some(again), Some(_), Some(lasts)) if again > lasts => Ok(()),
            _ => Err("a fault that comes `again` needs `at`, and `lasts` shorter than `again`".into()),
        }
    }

    pub fn name(&self) -> &'static str {
        match self.what {
            Misdeed::Silent => "silent",
            Misdeed::Slow(_) => "slow",
            Misdeed::WrongType => "wrong-type",
            Misdeed::OtherPoint => "other-point",
            Misdeed::Garbage => "garbage",
            Misdeed::Vanish => "vanish",
            Misdeed::Move { .. } => "move",
            Misdeed::Lie => "lie",
            Misdeed::Late(_) => "late",
            Misdeed::Twice => "twice",
            Misdeed::WrongQuestion => "wrong-question",
            Misdeed::Change { .. } => "change",
        }
    }
}
