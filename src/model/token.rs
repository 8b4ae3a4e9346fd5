//! Tokens: what somebody shows to be let in from afar, and what that is good for. The secret itself is known to nobody
//! here: only its mark is kept.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::Name;
use super::now::{ClockQuality, Now, Wall};
use super::principal::{Role, Scope};

/// SHA-256 of what is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub [u8; 32]);

/// What somebody shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Shows {
    /// A text that was told once, when the token was made.
    #[default]
    Secret,
    /// A certificate of its own.
    Certificate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Whoever shows it is called so.
    pub name: Name,
    pub role: Role,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub shows: Shows,
    pub mark: Mark,
    pub made: Now,
    pub by: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Wall>,
}

/// One that shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub name: Name,
    pub role: Role,
    /// On the devices for which this selector holds; without it: on all, and on the gateway itself.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    #[serde(default)]
    pub shows: Shows,
    pub mark: Mark,
    /// How long it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// How long a token may be good; one that is good for longer has no end.
pub const LONGEST_TOKEN: u64 = 100 * 365 * 86_400;

impl Token {
    /// One that ends is worth nothing while nobody knows what time it is.
    pub fn is_good(&self, now: &Now) -> bool {
        self.expires.is_none_or(|expires| now.quality != ClockQuality::Unset && now.wall < expires)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two apart.
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Mark, String> {
        let bad = || "a mark is 64 hexadecimal digits, the SHA-256 of what is shown".to_owned();
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or_else(bad)?;
        let mut mark = [0; 32];
        for (byte, pair) in mark.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        }
        Ok(Mark(mark))
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Mark, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_is_written_and_nothing_else_does() {
        let mark = Mark(std::array::from_fn(|n| (n * 9) as u8));
        assert_eq!(mark.to_string().parse(), Ok(mark));
        assert_eq!(format!("sha256:{}", mark.to_string().to_uppercase()).parse(), Ok(mark));
        for bad in ["", "ab", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66), &"é".repeat(64)] {
            assert!(bad.parse::<Mark>().is_err(), "{bad}");
        }
    }

    #[test]
    fn one_that_ends_is_good_until_then_and_only_while_the_time_is_known() {
        let at = |wall, quality| Now { wall: Wall(wall), quality, ..Now::default() };
        let name = Name::new("ann").unwrap();
        let token = |expires| Token {
            name: name.clone(),
            role: Role::Viewer,
            scope: Scope::All,
            shows: Shows::Secret,
            mark: Mark([0; 32]),
            made: Now::default(),
            by: name.clone(),
            expires,
        };
        let ends = token(Some(Wall(10)));
        assert!(ends.is_good(&at(9, ClockQuality::Set)) && ends.is_good(&at(9, ClockQuality::Held)));
        assert!(!ends.is_good(&at(10, ClockQuality::Set)) && !ends.is_good(&at(9, ClockQuality::Unset)));
        assert!(token(None).is_good(&at(99, ClockQuality::Unset)));
    }
}
