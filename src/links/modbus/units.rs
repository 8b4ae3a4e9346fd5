//! Which units: `"1-10, 255"`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// In order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units(Vec<u8>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} are no units; write \"1-10, 255\": numbers from 0 to 255, and ranges of them")]
pub struct BadUnits(String);

impl Units {
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u8> for Units {
    fn from_iter<T: IntoIterator<Item = u8>>(units: T) -> Units {
        let mut units: Vec<u8> = units.into_iter().collect();
        units.sort_unstable();
        units.dedup();
        Units(units)
    }
}

impl FromStr for Units {
    type Err = BadUnits;

    fn from_str(text: &str) -> Result<Units, BadUnits> {
        let bad = || BadUnits(text.chars().take(60).collect());
        let number = |text: &str| text.trim().parse::<u8>().map_err(|_| bad());
        let mut units = Vec::new();
        for part in text.split(',').filter(|_| !text.trim().is_empty()) {
            match part.split_once('-') {
                Some((from, to)) if number(from)? <= number(to)? => units.extend(number(from)?..=number(to)?),
                Some(_) => return Err(bad()),
                None => units.push(number(part)?),
            }
        }
        Ok(units.into_iter().collect())
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = &self.0[..];
        let mut begun = false;
        while let Some(first) = left.first() {
            let run = left.iter().zip(*first..=u8::MAX).take_while(|(unit, next)| *unit == next).count();
            f.write_str(if begun { ", " } else { "" })?;
            begun = true;
            match left[run - 1] {
                last if last == *first => write!(f, "{first}")?,
                last => write!(f, "{first}-{last}")?,
            }
            left = &left[run..];
        }
        Ok(())
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Units, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_shown_as_they_are_written() {
        for (text, count, shown) in [
            ("1-10, 255", 11, "1-10, 255"),
            ("3,1,2,2", 3, "1-3"),
            ("", 0, ""),
            ("0-255", 256, "0-255"),
            ("254, 255", 2, "254-255"),
        ] {
            let units: Units = text.parse().unwrap();
            assert_eq!((units.iter().count(), units.to_string().as_str()), (count, shown), "{text}");
        }
        for bad in ["a", "1-", "256", "9-3", "1,,2", "-"] {
            assert!(bad.parse::<Units>().is_err(), "{bad}");
        }
    }
}
