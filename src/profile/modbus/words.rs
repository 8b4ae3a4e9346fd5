//! The words of Modbus rows, and what follows from each by itself.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::ValueKind;

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

/// How a value is put into registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    #[default]
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    U8High,
    U8Low,
    I8High,
    I8Low,
    Bcd16,
    Bcd32,
    Text,
    Bytes,
    Unix32,
    Unix64Ms,
    Cp56,
    YmdHms,
    YmdHmsBytes,
    YmdHmsBcd,
}

impl Form {
    /// Registers. None: as many as the row says.
    pub fn registers(self) -> Option<u16> {
        match self {
            Form::U16 | Form::I16 | Form::Bcd16 => Some(1),
            Form::U8High | Form::U8Low | Form::I8High | Form::I8Low => Some(1),
            Form::U32 | Form::I32 | Form::F32 | Form::Bcd32 | Form::Unix32 => Some(2),
            Form::YmdHmsBytes | Form::YmdHmsBcd => Some(3),
            Form::U64 | Form::I64 | Form::F64 | Form::Unix64Ms | Form::Cp56 => Some(4),
            Form::YmdHms => Some(6),
            Form::Text | Form::Bytes => None,
        }
    }

    pub fn kind(self) -> ValueKind {
        match self {
            Form::U16 | Form::U32 | Form::U64 | Form::U8High | Form::U8Low | Form::Bcd16 | Form::Bcd32 => {
                ValueKind::Uint
            }
            Form::I16 | Form::I32 | Form::I64 | Form::I8High | Form::I8Low => ValueKind::Int,
            Form::F32 | Form::F64 => ValueKind::Float,
            Form::Text => ValueKind::Text,
            Form::Bytes => ValueKind::Bytes,
            Form::Unix32 | Form::Unix64Ms | Form::Cp56 | Form::YmdHms | Form::YmdHmsBytes | Form::YmdHmsBcd => {
                ValueKind::Time
            }
        }
    }

    /// A whole number of all bits of its registers, so that bits of it can be told apart.
    pub fn has_bits(self) -> bool {
        matches!(self, Form::U16 | Form::U32 | Form::U64)
    }

    /// One half of a register.
    pub fn is_half(self) -> bool {
        matches!(self, Form::U8High | Form::U8Low | Form::I8High | Form::I8Low)
    }

    /// Bytes of one unit whose order can differ. None: the order says nothing of it.
    pub fn ordered(self) -> Option<u16> {
        match self {
            Form::U16 | Form::I16 | Form::Bcd16 | Form::Text | Form::Bytes => Some(2),
            Form::U32 | Form::I32 | Form::F32 | Form::Bcd32 | Form::Unix32 => Some(4),
            Form::U64 | Form::I64 | Form::F64 | Form::Unix64Ms => Some(8),
            Form::U8High | Form::U8Low | Form::I8High | Form::I8Low => None,
            Form::Cp56 | Form::YmdHms | Form::YmdHmsBytes | Form::YmdHmsBcd => None,
        }
    }

    /// Least and most, where these are exact as floats.
    pub fn range(self) -> Option<(f64, f64)> {
        match self {
            Form::U16 => Some((0.0, 65_535.0)),
            Form::I16 => Some((-32_768.0, 32_767.0)),
            Form::U32 => Some((0.0, 4_294_967_295.0)),
            Form::I32 => Some((-2_147_483_648.0, 2_147_483_647.0)),
            Form::U8High | Form::U8Low => Some((0.0, 255.0)),
            Form::I8High | Form::I8Low => Some((-128.0, 127.0)),
            Form::Bcd16 => Some((0.0, 9_999.0)),
            Form::Bcd32 => Some((0.0, 99_999_999.0)),
            Form::F32 => Some((f64::from(f32::MIN), f64::from(f32::MAX))),
            _ => None,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok();
        f.write_str(name.as_ref().and_then(|name| name.as_str()).unwrap_or_default())
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
