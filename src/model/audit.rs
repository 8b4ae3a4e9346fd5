//! Audit: who asked what, from where, on what, and what came of it. What became a command is told by its result, which
//! names who asked; the rest has a record of its own.

use serde::{Deserialize, Serialize};

use super::id::Address;
use super::name::Name;
use super::operation::GatewayKind;
use super::principal::Principal;

/// Bytes of a text in it.
const LONGEST: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Audit {
    /// None: nobody that we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    pub what: String,
    /// A device, a link, a version, a token …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    pub came: Came,
    /// The same, so often since the last record of it.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    Done,
    Refused(String),
    /// It goes out when this is on disk; what came of it, another record tells.
    Begun,
    /// What a unit said to what was asked by hand.
    Answered(String),
    Failed(String),
    /// Nobody can say whether it was carried out.
    Unknown(String),
}

fn once() -> u64 {
    1
}

fn is_once(times: &u64) -> bool {
    *times == 1
}

impl Audit {
    pub fn new(by: &Principal, what: impl Into<String>, on: Option<String>, came: Came) -> Audit {
        let came = match came {
            Came::Refused(why) => Came::Refused(cut(why)),
            Came::Answered(says) => Came::Answered(cut(says)),
            Came::Failed(why) => Came::Failed(cut(why)),
            Came::Unknown(why) => Came::Unknown(cut(why)),
            Came::Done | Came::Begun => came,
        };
        let (what, on) = (cut(what.into()), on.map(cut));
        Audit { by: Some(by.name.clone()), from: by.from.clone(), what, on, came, times: 1 }
    }

    pub fn is_refused(&self) -> bool {
        matches!(self.came, Came::Refused(_))
    }

    /// Whoever may, does it again and again: it is told once, then counted.
    pub fn may_repeat(&self) -> bool {
        self.is_refused() || self.what == GatewayKind::Acknowledge.to_string()
    }
}

fn cut(mut text: String) -> String {
    let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_sends_is_told_within_bounds() {
        let long = "é".repeat(LONGEST);
        let audit = Audit::new(&Principal::local_root(), &*long, Some(long.clone()), Came::Refused(long.clone()));
        let Came::Refused(why) = &audit.came else { panic!() };
        assert!(audit.what.len() <= LONGEST && why.len() <= LONGEST && audit.on.unwrap().len() <= LONGEST);
    }
}
