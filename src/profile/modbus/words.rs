//! The words of Modbus rows, and what follows from each by itself.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// The four tables of a device. Each counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Coil,
    Discrete,
    Input,
    Holding,
}

impl Table {
    pub const ALL: [Table; 4] = [Table::Coil, Table::Discrete, Table::Input, Table::Holding];

    pub fn name(self) -> &'static str {
        match self {
            Table::Coil => "coil",
            Table::Discrete => "discrete",
            Table::Input => "input",
            Table::Holding => "holding",
        }
    }

    /// Each of them is one bit; else 16.
    pub fn is_bits(self) -> bool {
        matches!(self, Table::Coil | Table::Discrete)
    }

    pub fn can_write(self) -> bool {
        matches!(self, Table::Coil | Table::Holding)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How what is written goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    Single,
    Multiple,
    Mask,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Single => "single",
            Way::Multiple => "multiple",
            Way::Mask => "mask",
        })
    }
}

/// How the bytes of a number follow each other on the wire. The letters stand for its bytes, `a` for the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Order {
    /// As many as it was written with: 2, 4 or 8.
    pub letters: u8,
    /// The two bytes of each register are turned.
    pub bytes: bool,
    /// The two registers of each 32 bits are turned.
    pub words: bool,
    /// The two halves of 64 bits are turned.
    pub halves: bool,
}

impl Order {
    /// As the protocol says.
    pub const BIG: Order = Order { letters: 4, bytes: false, words: false, halves: false };

    /// Of four letters the order of registers goes on in 64 bits: `cdab` is `ghefcdab` there.
    pub fn read(text: &str) -> Option<Order> {
        let letters = u8::try_from(text.len()).ok().filter(|letters| matches!(letters, 2 | 4 | 8))?;
        let turned = [(false, false), (true, true), (false, true), (true, false)];
        let orders = turned
            .into_iter()
            .flat_map(|(words, halves)| [false, true].map(|bytes| Order { letters, bytes, words, halves }));
        orders.into_iter().find(|order| order.to_string() == text)
    }

    /// Which byte of a value of that size stands there on the wire. Byte 0 is the highest.
    pub fn place(self, byte: usize, size: usize) -> usize {
        let turn = |on: bool, bit: usize| if on { bit } else { 0 };
        byte ^ turn(self.bytes, 1) ^ turn(self.words && size > 2, 2) ^ turn(self.halves && size > 4, 4)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |no| char::from(b'a' + self.place(no, self.letters.into()) as u8);
        (0..usize::from(self.letters)).try_for_each(|no| write!(f, "{}", letter(no)))
    }
}

impl From<Order> for String {
    fn from(order: Order) -> String {
        order.to_string()
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Order, D::Error> {
        const ALL: &[&str] =
            &["ab", "ba", "abcd", "cdab", "badc", "dcba", "abcdefgh", "ghefcdab", "badcfehg", "hgfedcba"];
        let text = String::deserialize(from)?;
        Order::read(&text).ok_or_else(|| D::Error::unknown_variant(&text.chars().take(40).collect::<String>(), ALL))
    }
}

/// Numbers of registers: `100-199` or `230`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Range {
    pub from: u16,
    /// The last one of them.
    pub to: u16,
}

/// Bits of a number, the lowest is 0: `3` or `4-7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Bits {
    pub from: u8,
    /// The last one of them.
    pub to: u8,
}

impl Bits {
    pub fn count(self) -> u32 {
        u32::from(self.to - self.from) + 1
    }

    /// The most that they can be, standing at the lowest bit.
    pub fn most(self) -> u64 {
        u64::MAX >> (64 - self.count().min(64))
    }

    pub fn mask(self) -> u64 {
        self.most() << self.from
    }
}

/// Both ends. In hex where they are written so.
fn ends(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| match text.trim().strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16).ok(),
        None => text.trim().parse().ok(),
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    number(from).zip(number(to)).filter(|(from, to)| from <= to)
}

fn shown(from: u16, to: u16) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}

impl From<Range> for String {
    fn from(Range { from, to }: Range) -> String {
        shown(from, to)
    }
}

impl From<Bits> for String {
    fn from(Bits { from, to }: Bits) -> String {
        shown(from.into(), to.into())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.from, self.to))
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.from.into(), self.to.into()))
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Range, D::Error> {
        let text = String::deserialize(from)?;
        let range = ends(&text).map(|(from, to)| Range { from, to });
        range.ok_or_else(|| {
            wrong(&text, "a range of registers, from the lower number to the higher, such as 100-199 or 230")
        })
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Bits, D::Error> {
        let text = String::deserialize(from)?;
        let ends = ends(&text).filter(|(_, to)| *to < 64);
        let bits = ends.map(|(from, to)| Bits { from: from as u8, to: to as u8 });
        bits.ok_or_else(|| wrong(&text, "bits, from the lower to the higher, such as 3 or 4-7"))
    }
}

fn wrong<E: Error>(text: &str, wanted: &str) -> E {
    E::custom(format!("{:?} is not {wanted}", text.chars().take(40).collect::<String>()))
}
