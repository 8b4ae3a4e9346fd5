//! Registers into values and back, as a [`Spot`] says they are packed.
//!
//! Invariants: what is read back after it was written is the same value; what does not fit is refused, never cut; no
//! content of registers makes this fall over.

mod time;

pub use time::in_calendar;

use crate::model::{Value, ValueKind};
use crate::profile::modbus::{Form, Order, Spot, Way};

/// What a device gave for one spot, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got<'a> {
    Bits(&'a [bool]),
    Words(&'a [u16]),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("{got} came where {wanted} were asked for")]
    Count { wanted: u16, got: usize },
    #[error("0x{0:x} are no decimal digits")]
    Digits(u32),
    #[error("{0:04x?} is no time")]
    Time(Vec<u16>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    #[error("{value} does not fit its register, which is {form}")]
    Fit { value: String, form: String },
    #[error("{0} can only be read")]
    OnlyRead(&'static str),
}

/// What goes out to write a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writing {
    Coil {
        at: u16,
        on: bool,
    },
    Coils {
        at: u16,
        on: Vec<bool>,
    },
    Register {
        at: u16,
        value: u16,
    },
    Registers {
        at: u16,
        values: Vec<u16>,
    },
    /// The device keeps the bits of `and`, and sets the others as in `or`.
    Mask {
        at: u16,
        and: u16,
        or: u16,
    },
    /// These registers are read first: [`Writing::over`] says what is written then.
    Change {
        at: u16,
        /// For each register the bits that stay, and the bits that are set.
        bits: Vec<(u16, u16)>,
        multiple: bool,
    },
}

/// The value of a spot.
pub fn read(spot: &Spot, got: Got<'_>) -> Result<Value, Unread> {
    let wanted = spot.count;
    match got {
        Got::Bits(&[bit]) if spot.table.is_bits() => Ok(Value::Bool(bit)),
        Got::Words(words) if !spot.table.is_bits() && words.len() == usize::from(wanted) => of_words(spot, words),
        Got::Bits(bits) => Err(Unread::Count { wanted, got: bits.len() }),
        Got::Words(words) => Err(Unread::Count { wanted, got: words.len() }),
    }
}

fn of_words(spot: &Spot, words: &[u16]) -> Result<Value, Unread> {
    let whole = number(spot.order, words);
    if let Some(bits) = spot.bits {
        let value = (whole >> bits.from) & bits.most();
        return Ok(if bits.count() == 1 { Value::Bool(value == 1) } else { Value::Uint(value) });
    }
    Ok(match spot.form {
        Form::U16 | Form::U32 | Form::U64 => Value::Uint(whole),
        Form::I16 => Value::Int((whole as i16).into()),
        Form::I32 => Value::Int((whole as i32).into()),
        Form::I64 => Value::Int(whole as i64),
        Form::F32 => Value::Float(f32::from_bits(whole as u32).into()),
        Form::F64 => Value::Float(f64::from_bits(whole)),
        Form::U8High => Value::Uint((words[0] >> 8).into()),
        Form::U8Low => Value::Uint((words[0] & 0xff).into()),
        Form::I8High => Value::Int(((words[0] >> 8) as i8).into()),
        Form::I8Low => Value::Int((words[0] as i8).into()),
        Form::Bcd16 | Form::Bcd32 => Value::Uint(from_digits(whole as u32).ok_or(Unread::Digits(whole as u32))?),
        Form::Text => text(&bytes(spot.order, words)),
        Form::Bytes => Value::Bytes(bytes(spot.order, words).into()),
        _ => Value::Time(time::read(spot.form, spot.order, words).ok_or_else(|| Unread::Time(words.to_vec()))?),
    })
}

/// Up to four registers as one number. Byte 0 of a number is its highest.
fn number(order: Order, words: &[u16]) -> u64 {
    let wire: Vec<u8> = words.iter().take(4).flat_map(|word| word.to_be_bytes()).collect();
    let byte = |no: usize| wire.get(order.place(no, wire.len())).copied().unwrap_or(0);
    (0..wire.len()).fold(0, |number, no| number << 8 | u64::from(byte(no)))
}

fn words(order: Order, number: u64, count: u16) -> Vec<u16> {
    let bytes = &number.to_be_bytes()[8 - 2 * usize::from(count.min(4))..];
    let byte = |no: usize| bytes.get(order.place(no, bytes.len())).copied().unwrap_or(0);
    (0..bytes.len() / 2).map(|no| u16::from_be_bytes([byte(2 * no), byte(2 * no + 1)])).collect()
}

fn bytes(order: Order, words: &[u16]) -> Vec<u8> {
    let turned = |word: &u16| if order.bytes { word.to_le_bytes() } else { word.to_be_bytes() };
    words.iter().flat_map(turned).collect()
}

/// Up to the first zero, without the blanks that fill it up. What is no UTF-8 is read as Latin-1: devices are older.
fn text(bytes: &[u8]) -> Value {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let text = std::str::from_utf8(&bytes[..end]).map_or_else(|_| latin(&bytes[..end]), str::to_owned);
    Value::text(text.trim_end_matches([' ', '\u{a0}', '\u{ff}']))
}

/// What goes out so that the spot holds the value.
pub fn write(spot: &Spot, value: &Value) -> Result<Writing, Unwritten> {
    if !spot.table.can_write() {
        return Err(Unwritten::OnlyRead(spot.table.name()));
    }
    let no_fit = || Unwritten::Fit { value: value.to_string(), form: shape(spot) };
    let value = value.clone().into_kind(spot.kind()).map_err(|_| no_fit())?;
    let at = spot.at;
    match value {
        Value::Bool(on) if spot.table.is_bits() => Ok(match spot.write {
            Some(Way::Multiple) => Writing::Coils { at, on: vec![on] },
            _ => Writing::Coil { at, on },
        }),
        value if spot.is_part() => part(spot, &value).ok_or_else(no_fit),
        value => Ok(whole(spot, to_words(spot, &value).ok_or_else(no_fit)?)),
    }
}

fn shape(spot: &Spot) -> String {
    match spot.bits {
        Some(bits) => format!("bits {bits} of {}", spot.form),
        None if spot.form.registers().is_none() => format!("{} of {} registers", spot.form, spot.count),
        None => spot.form.to_string(),
    }
}

fn whole(spot: &Spot, values: Vec<u16>) -> Writing {
    match values[..] {
        [value] if spot.write != Some(Way::Multiple) => Writing::Register { at: spot.at, value },
        _ => Writing::Registers { at: spot.at, values },
    }
}

/// None: it does not fit.
fn to_words(spot: &Spot, value: &Value) -> Option<Vec<u16>> {
    let whole = match (spot.form, value) {
        (form, value) if form.kind() == ValueKind::Time => {
            let Value::Time(wall) = value else { return None };
            return time::write(form, spot.order, *wall);
        }
        (Form::Text, Value::Text(text)) => return padded(spot, text.as_bytes()),
        (Form::Bytes, Value::Bytes(bytes)) if bytes.len() == 2 * usize::from(spot.count) => return padded(spot, bytes),
        (Form::U16, Value::Uint(n)) => u16::try_from(*n).ok()?.into(),
        (Form::U32, Value::Uint(n)) => u32::try_from(*n).ok()?.into(),
        (Form::U64, Value::Uint(n)) => *n,
        (Form::I16, Value::Int(n)) => (i16::try_from(*n).ok()? as u16).into(),
        (Form::I32, Value::Int(n)) => (i32::try_from(*n).ok()? as u32).into(),
        (Form::I64, Value::Int(n)) => *n as u64,
        (Form::F32, Value::Float(x)) => Some(*x as f32).filter(|x| x.is_finite())?.to_bits().into(),
        (Form::F64, Value::Float(x)) => Some(*x).filter(|x| x.is_finite())?.to_bits(),
        (Form::Bcd16, Value::Uint(n)) => to_digits(*n, 4)?.into(),
        (Form::Bcd32, Value::Uint(n)) => to_digits(*n, 8)?.into(),
        _ => return None,
    };
    Some(words(spot.order, whole, spot.count))
}

/// Filled up with zeros. One that ends in what is cut when it is read would come back as another.
fn padded(spot: &Spot, given: &[u8]) -> Option<Vec<u16>> {
    let mut filled = given.to_vec();
    filled.resize(2 * usize::from(spot.count), 0);
    let pairs = filled.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
    let words: Vec<u16> =
        pairs.map(|pair| if spot.order.bytes { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }).collect();
    let same = || match spot.form {
        Form::Text => matches!(text(&bytes(spot.order, &words)), Value::Text(read) if read.as_bytes() == given),
        _ => true,
    };
    (given.len() <= 2 * usize::from(spot.count) && same()).then_some(words)
}

/// Bits and halves: what stands beside them stays.
fn part(spot: &Spot, value: &Value) -> Option<Writing> {
    let (mask, set) = match (spot.bits, spot.form, value) {
        (Some(bits), _, Value::Bool(on)) => (bits.mask(), u64::from(*on) << bits.from),
        (Some(bits), _, Value::Uint(n)) if *n <= bits.most() => (bits.mask(), n << bits.from),
        (None, Form::U8High, Value::Uint(n)) => (0xff00, u64::from(u8::try_from(*n).ok()?) << 8),
        (None, Form::U8Low, Value::Uint(n)) => (0x00ff, u8::try_from(*n).ok()?.into()),
        (None, Form::I8High, Value::Int(n)) => (0xff00, u64::from(i8::try_from(*n).ok()? as u8) << 8),
        (None, Form::I8Low, Value::Int(n)) => (0x00ff, (i8::try_from(*n).ok()? as u8).into()),
        _ => return None,
    };
    // Which half is meant does not turn with the bytes of numbers.
    let order = if spot.form.is_half() { Order::BIG } else { spot.order };
    let keep = words(order, !mask, spot.count);
    let bits: Vec<(u16, u16)> = keep.into_iter().zip(words(order, set, spot.count)).collect();
    Some(match (spot.write, &bits[..]) {
        (Some(Way::Mask), &[(and, or)]) => Writing::Mask { at: spot.at, and, or },
        (way, _) => Writing::Change { at: spot.at, multiple: way == Some(Way::Multiple) || bits.len() > 1, bits },
    })
}

impl Writing {
    /// What is written over what was read there just before. Anything but a change stays as it is; None: too few were read.
    pub fn over(self, before: &[u16]) -> Option<Writing> {
        let Writing::Change { at, bits, multiple } = self else { return Some(self) };
        if before.len() != bits.len() {
            return None;
        }
        let values: Vec<u16> = before.iter().zip(bits).map(|(word, (keep, set))| word & keep | set).collect();
        Some(match values[..] {
            [value] if !multiple => Writing::Register { at, value },
            _ => Writing::Registers { at, values },
        })
    }
}

/// Four bits a digit. None: one of them is none.
fn from_digits(packed: u32) -> Option<u64> {
    (0..8).rev().try_fold(0, |number, place| {
        let digit = packed >> (4 * place) & 0xf;
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

fn to_digits(mut number: u64, digits: u32) -> Option<u32> {
    let mut packed = 0;
    for place in 0..digits {
        packed |= ((number % 10) as u32) << (4 * place);
        number /= 10;
    }
    (number == 0).then_some(packed)
}

#[cfg(test)]
mod tests;
