//! Spans of time as people write them: `"250ms"`, `"30s"`, `"5m"`, `"2h"`, `"7d"`, also `"1m 30s"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a span of time; write a number and ms, s, m, h or d, as in \"30s\" or \"1m 30s\"")]
pub struct BadSpan(String);

pub fn parse(text: &str) -> Result<Duration, BadSpan> {
    let bad = || BadSpan(text.chars().take(64).collect());
    let mut sum = Duration::ZERO;
    let mut parts = 0;
    for part in text.split_whitespace() {
        sum = sum.checked_add(one(part).ok_or_else(bad)?).ok_or_else(bad)?;
        parts += 1;
    }
    if parts == 0 { Err(bad()) } else { Ok(sum) }
}

fn one(part: &str) -> Option<Duration> {
    let at = part.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = part.split_at(at);
    let number: f64 = number.parse().ok()?;
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

/// For `#[serde(deserialize_with = "span::one_span")]`.
pub fn one_span<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// The same, where there may be none: needs `#[serde(default)]` beside it.
pub fn some_span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    one_span(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        for (text, millis) in
            [("250ms", 250), ("30s", 30_000), ("1.5s", 1_500), ("5m", 300_000), ("1m 30s", 90_000), ("1d", 86_400_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", " ", "30", "s", "-1s", "1y", "1e400s", "99999999999999999999d", "1s2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
