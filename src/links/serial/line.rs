//! How a line is set: baud, parity, bits. A rate that no UART is set to is a slip of the finger, and said so.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_serial::{DataBits, StopBits};

use crate::document::part;
use crate::nearest::nearest;

/// Rates that devices are sold with.
const USUAL: [u32; 38] = [
    75, 110, 150, 300, 600, 1_200, 1_800, 2_400, 4_800, 7_200, 7_812, 9_600, 14_400, 19_200, 28_800, 31_250, 38_400,
    56_000, 57_600, 62_500, 74_880, 76_800, 115_200, 128_000, 187_500, 230_400, 250_000, 256_000, 375_000, 460_800,
    500_000, 576_000, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 4_000_000,
];
/// What UARTs do at all.
const SLOWEST: u32 = 50;
const FASTEST: u32 = 4_000_000;
const EXACTLY: &str = " exactly";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub baud: Baud,
    pub parity: Parity,
    /// 7 or 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl Line {
    /// Bits on the wire for one byte, with start, parity and stop.
    pub const fn bits_a_byte(&self) -> u32 {
        let parity = if matches!(self.parity, Parity::None) { 0 } else { 1 };
        1 + self.data_bits as u32 + parity + self.stop_bits as u32
    }

    pub(super) const fn data(&self) -> DataBits {
        if self.data_bits == 7 { DataBits::Seven } else { DataBits::Eight }
    }

    pub(super) const fn stop(&self) -> StopBits {
        if self.stop_bits == 2 { StopBits::Two } else { StopBits::One }
    }
}

/// As engineers write it: 9600 8N1.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} {}{parity}{}", self.baud.0, self.data_bits, self.stop_bits)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    None,
    Even,
    Odd,
}

impl From<Parity> for tokio_serial::Parity {
    fn from(parity: Parity) -> tokio_serial::Parity {
        match parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        }
    }
}

/// Bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Baud(u32);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadBaud {
    #[error("no port does {0} baud: it is from {SLOWEST} to {FASTEST}")]
    NoUart(i64),
    #[error("devices do not have {0} baud; for a line that really runs so, write \"{0} exactly\"")]
    Unusual(u32),
    #[error("{0:?} is no rate; write a number such as 9600, or \"10417 exactly\" for one that is not usual")]
    NoNumber(String),
}

impl BadBaud {
    fn meant(&self) -> Option<u32> {
        let wrong = match self {
            BadBaud::NoUart(wrong) => *wrong,
            BadBaud::Unusual(wrong) => i64::from(*wrong),
            BadBaud::NoNumber(_) => return None,
        };
        let words = USUAL.map(|rate| rate.to_string());
        nearest(&wrong.to_string(), words.iter().map(String::as_str)).and_then(|word| word.parse().ok())
    }
}

impl Baud {
    /// One of the usual rates, or whatever else was checked before.
    pub const fn new(rate: u32) -> Baud {
        Baud(rate)
    }

    pub const fn get(self) -> u32 {
        self.0
    }

    pub fn usual(rate: i64) -> Result<Baud, BadBaud> {
        match Baud::exactly(rate)? {
            baud if USUAL.contains(&baud.0) => Ok(baud),
            Baud(rate) => Err(BadBaud::Unusual(rate)),
        }
    }

    pub fn exactly(rate: i64) -> Result<Baud, BadBaud> {
        let within = u32::try_from(rate).ok().filter(|rate| (SLOWEST..=FASTEST).contains(rate));
        within.map(Baud).ok_or(BadBaud::NoUart(rate))
    }

    /// As a text says it.
    pub fn said(text: &str) -> Result<Baud, BadBaud> {
        let number = |text: &str| text.trim().parse().map_err(|_| BadBaud::NoNumber(text.chars().take(40).collect()));
        match text.trim().strip_suffix(EXACTLY) {
            Some(rate) => Baud::exactly(number(rate)?),
            None => Baud::usual(number(text)?),
        }
    }
}

impl Serialize for Baud {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match USUAL.contains(&self.0) {
            true => to.serialize_u32(self.0),
            false => to.serialize_str(&format!("{}{EXACTLY}", self.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Baud {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Baud, D::Error> {
        from.deserialize_any(Rate)
    }
}

struct Rate;

fn told<E: de::Error>(bad: BadBaud) -> E {
    let meant = bad.meant().map(|rate| rate.to_string());
    E::custom(part::meant(&bad.to_string(), meant.as_deref()))
}

impl Visitor<'_> for Rate {
    type Value = Baud;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bits a second, such as 9600")
    }

    fn visit_i64<E: de::Error>(self, rate: i64) -> Result<Baud, E> {
        Baud::usual(rate).map_err(told)
    }

    fn visit_u64<E: de::Error>(self, rate: u64) -> Result<Baud, E> {
        self.visit_i64(i64::try_from(rate).unwrap_or(i64::MAX))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Baud, E> {
        Baud::said(text).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_rates_are_taken_and_slips_are_told_with_what_was_meant() {
        assert!(USUAL.iter().all(|rate| Baud::usual(i64::from(*rate)) == Ok(Baud(*rate))));
        for (wrong, meant) in [(9_601, 9_600), (96_000, 9_600), (11_520, 115_200), (19_600, 9_600), (1_920, 19_200)] {
            let bad = Baud::usual(wrong).unwrap_err();
            assert_eq!((bad.meant(), matches!(bad, BadBaud::Unusual(_))), (Some(meant), true), "{wrong}");
        }
        for wrong in [-9_600, 0, 49, 4_000_001, i64::MAX] {
            assert_eq!(Baud::usual(wrong), Err(BadBaud::NoUart(wrong)));
        }
    }

    #[test]
    fn a_rate_that_is_not_usual_is_taken_where_it_is_meant() {
        assert_eq!(Baud::said("10417 exactly"), Ok(Baud(10_417)));
        assert_eq!(Baud::said("10417"), Err(BadBaud::Unusual(10_417)));
        assert_eq!(Baud::said("5000000 exactly"), Err(BadBaud::NoUart(5_000_000)));
        assert_eq!(Baud::said("fast exactly"), Err(BadBaud::NoNumber("fast".into())));
        for rate in [9_600, 10_417] {
            let text = serde_json::to_string(&Baud(rate)).unwrap();
            assert_eq!(serde_json::from_str::<Baud>(&text).unwrap(), Baud(rate), "{text}");
        }
    }

    #[test]
    fn a_line_knows_how_long_a_byte_is_and_is_shown_as_engineers_write_it() {
        let line = Line { baud: Baud(9_600), parity: Parity::None, data_bits: 8, stop_bits: 1 };
        assert_eq!((line.bits_a_byte(), line.to_string()), (10, "9600 8N1".into()));
        let line = Line { parity: Parity::Even, stop_bits: 2, data_bits: 7, ..line };
        assert_eq!((line.bits_a_byte(), line.to_string()), (11, "9600 7E2".into()));
    }
}
