//! Spans and sizes as people write them: `"30s"`, `"250ms"`, `"64MiB"`. A bare number is refused: it could mean anything.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A century: longer spans are slips of the finger, and additions of two stay far from any overflow.
const LONGEST_MILLIS: u64 = 100 * 366 * 86_400_000;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadUnit {
    #[error(
        "{0:?} is not a span of time; write a whole number and a unit: \"250ms\", \"30s\", \"5m\", \"2h\" or \"7d\""
    )]
    Span(String),
    #[error("{0:?} is longer than a century")]
    TooLong(String),
    #[error("{0:?} is not a size; write a whole number and a unit: \"512B\", \"64KiB\", \"64MiB\" or \"1GiB\"")]
    Size(String),
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

pub fn span(text: &str) -> Result<Duration, BadUnit> {
    match scaled(text, &SPANS) {
        None => Err(BadUnit::Span(shown(text))),
        Some(millis) if millis > LONGEST_MILLIS => Err(BadUnit::TooLong(shown(text))),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

pub fn size(text: &str) -> Result<u64, BadUnit> {
    scaled(text, &SIZES).ok_or_else(|| BadUnit::Size(shown(text)))
}

/// The largest two units that say something: `3d 4h`, `1m 30s`, `250ms`.
pub fn show_span(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if rest < 1_000 {
        return format!("{rest}ms");
    }
    rest -= rest % 1_000;
    let mut parts = Vec::new();
    for (name, factor) in SPANS.iter().rev().filter(|(_, factor)| *factor >= 1_000) {
        let whole = rest / factor;
        rest %= factor;
        match (whole, parts.is_empty()) {
            (0, true) => {}
            (0, false) => break,
            _ => parts.push(format!("{whole}{name}")),
        }
        if parts.len() == 2 {
            break;
        }
    }
    parts.join(" ")
}

/// `#[serde(deserialize_with = "units::span_text")]`
pub fn span_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Text { what: "a span of time, such as \"30s\"", read: span })
}

/// The same, where there may be none: needs `#[serde(default)]` beside it.
pub fn some_span_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    span_text(from).map(Some)
}

/// `#[serde(deserialize_with = "units::size_text")]`
pub fn size_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    from.deserialize_any(Text { what: "a size, such as \"64MiB\"", read: size })
}

/// A span of time as settings hold it: read from `"30s"`, and written so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    pub const fn millis(millis: u64) -> Span {
        Span(Duration::from_millis(millis))
    }

    pub const fn secs(secs: u64) -> Span {
        Span(Duration::from_secs(secs))
    }
}

impl std::fmt::Display for Span {
    /// By the largest unit in which it is a whole number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.as_millis();
        let fits = |(_, factor): &&(&str, u64)| millis > 0 && millis.is_multiple_of(u128::from(*factor));
        let (unit, factor) = SPANS.iter().rev().find(fits).unwrap_or(&("s", 1_000));
        write!(f, "{}{unit}", millis / u128::from(*factor))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        span_text(from).map(Span)
    }
}

/// A number of bytes as settings hold it: read from `"64MiB"`, and written so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        let (unit, factor) = SIZES.iter().rev().find(fits).unwrap_or(&SIZES[0]);
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        size_text(from).map(Size)
    }
}

struct Text<T> {
    what: &'static str,
    read: fn(&str) -> Result<T, BadUnit>,
}

impl<T> serde::de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(|bad| E::custom(Told { bad, text }))
    }
}

/// How people write units elsewhere, in small letters, and how they are written here.
const ELSEWHERE: [(&str, &str, &str); 8] = [
    ("ms msec msecs millis millisecond milliseconds", "ms", ""),
    ("s sec secs second seconds", "s", ""),
    ("m min mins minute minutes", "m", "MiB"),
    ("h hr hrs hour hours", "h", ""),
    ("d day days", "d", ""),
    ("b byte bytes", "", "B"),
    ("k kb kib", "", "KiB"),
    ("mb mib megabyte megabytes", "", "MiB"),
];

/// What is wrong with a text, and in settings (`{:#}`, see `document::part`) how it would be right.
struct Told<'a> {
    bad: BadUnit,
    text: &'a str,
}

impl Told<'_> {
    fn meant(&self) -> Option<String> {
        let (number, unit) = self.text.split_at(self.text.find(|c: char| !c.is_ascii_digit())?);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, span, size) = ELSEWHERE.iter().find(|(words, _, _)| words.split(' ').any(|word| word == unit))?;
        let right = match self.bad {
            BadUnit::Span(_) => span,
            BadUnit::Size(_) => size,
            BadUnit::TooLong(_) => "",
        };
        (!right.is_empty() && !number.is_empty()).then(|| format!("{number}{right}"))
    }
}

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match f.alternate() {
            true => write!(f, "\u{1}\u{1}\u{1}\u{1}{}\u{1}{}", self.meant().unwrap_or_default(), self.bad),
            false => self.bad.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_read_as_written() {
        for (text, millis) in [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(span(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("64MiB", 67_108_864), ("1 GiB", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_number_and_a_unit_is_refused() {
        for text in ["", "30", "s", "-5s", "1.5s", "30 sec", "5M", "99999999999999999999s", "١s"] {
            assert_eq!(span(text), Err(BadUnit::Span(text.into())), "{text}");
        }
        assert_eq!(span("36601d"), Err(BadUnit::TooLong("36601d".into())));
        for text in ["64MB", "64", "", "18446744073709551615KiB"] {
            assert_eq!(size(text), Err(BadUnit::Size(text.into())), "{text}");
        }
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        for text in ["250ms", "1500ms", "30s", "90s", "5m", "2h", "7d", "0s"] {
            assert_eq!(Span(span(text).unwrap()).to_string(), text);
        }
        for text in ["512B", "64KiB", "1536KiB", "64MiB", "1GiB", "0B"] {
            assert_eq!(Size(size(text).unwrap()).to_string(), text);
        }
    }

    #[test]
    fn a_span_is_shown_by_its_two_largest_units() {
        for (millis, shown) in
            [(0, "0ms"), (250, "250ms"), (90_000, "1m 30s"), (273_600_000, "3d 4h"), (86_400_001, "1d"), (1_999, "1s")]
        {
            assert_eq!(show_span(Duration::from_millis(millis)), shown);
        }
    }
}
