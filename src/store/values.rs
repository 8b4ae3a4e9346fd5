//! The columns of values: each series as what all of its values are.
//!
//! | code | a series of | written as |
//! |---|---|---|
//! | 0 | bool | one bit each |
//! | 1, 2, 7, 8 | int, uint, time, object | steps from the value before in the column |
//! | 3, 4 | floats, floats that fit in 32 bits | their bytes, in planes |
//! | 5, 6 | text, bytes | 0 for *as before*, else length + 1 and the bytes |
//! | 9 | anything | a tag for each value |
//! | 16 + n | floats that are decimals with n places | as ints |
//!
//! A float is written as a decimal only if the division gives its very bits back; so NaN, infinities and -0.0 are not.

use std::sync::Arc;

use crate::model::{Reading, Value, Wall};

use super::bytes::{BadBlock, Bytes, put_step, put_varint};
use super::columns::{BITS, BLOBS, CODES, Columns, NARROW, STEPS, WIDE};
use super::order::{Opens, Order};
use super::runs::{Runs, TakeRuns};
use super::tagged::{put_tagged, take_tagged};

pub(super) const BOOL: u8 = 0;
pub(super) const INT: u8 = 1;
pub(super) const UINT: u8 = 2;
pub(super) const FLOAT: u8 = 3;
const FLOAT32: u8 = 4;
pub(super) const TEXT: u8 = 5;
pub(super) const BYTES: u8 = 6;
pub(super) const TIME: u8 = 7;
pub(super) const OBJECT: u8 = 8;
pub(super) const LIST: u8 = 9;
const ANY: u8 = 9;
const DECIMAL: u8 = 16;
const NO_CODE: u8 = 255;

/// 10 to the number of places.
pub const PLACES: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// After so many series without a decimal, a column is searched no further.
const SEARCHES: u8 = 4;

/// What one column (a point, over all devices) carries from series to series.
struct Column<'a> {
    code: u8,
    before: u64,
    blob: Option<&'a Value>,
    places: u8,
    searches: u8,
}

impl Column<'_> {
    fn new() -> Self {
        Column { code: NO_CODE, before: 0, blob: None, places: 0, searches: 0 }
    }
}

pub(super) fn put_values(to: &mut Columns<Vec<u8>>, order: &Order, readings: &[&Reading]) {
    let (mut codes, mut column, mut series) = (Runs::default(), Column::new(), Vec::new());
    let mut bits = 0;
    for (start, end) in spans(order) {
        if order.opens[start] == Opens::Point {
            column = Column::new();
        }
        series.clear();
        series.extend(order.places[start..end].iter().map(|place| &readings[*place as usize].value));
        let code = code_for(&mut column, &series);
        if code != column.code {
            (column.code, column.before, column.blob) = (code, 0, None);
        }
        codes.push(&mut to.0[CODES], code);
        put_series(to, &mut column, &mut bits, &series);
    }
    codes.end(&mut to.0[CODES]);
    planes::<8>(&mut to.0[WIDE]);
    planes::<4>(&mut to.0[NARROW]);
}

/// Where each series begins and ends.
fn spans(order: &Order) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = order.opens.get(start + 1..)?;
        let end = start + 1 + rest.iter().position(|opens| *opens != Opens::Nothing).unwrap_or(rest.len());
        Some((std::mem::replace(&mut start, end), end))
    })
}

fn code_for(column: &mut Column, series: &[&Value]) -> u8 {
    let kind = |value: &Value| match value {
        Value::Bool(_) => BOOL,
        Value::Int(_) => INT,
        Value::Uint(_) => UINT,
        Value::Float(_) => FLOAT,
        Value::Text(_) => TEXT,
        Value::Bytes(_) => BYTES,
        Value::Time(_) => TIME,
        Value::Object(..) => OBJECT,
        Value::List(_) => ANY,
    };
    let first = series.first().map_or(ANY, |value| kind(value));
    match first {
        _ if series.iter().any(|value| kind(value) != first) => ANY,
        FLOAT => float_code(column, series),
        other => other,
    }
}

fn float_code(column: &mut Column, series: &[&Value]) -> u8 {
    let all = |fits: &dyn Fn(f64) -> bool| series.iter().all(|v| matches!(v, Value::Float(x) if fits(*x)));
    let exact = |places: u8| all(&|x| decimal(x, places).is_some());
    if exact(column.places) {
        return DECIMAL + column.places;
    }
    if column.searches < SEARCHES {
        if let Some(places) = (0..PLACES.len() as u8).find(|places| exact(*places)) {
            column.places = places;
            return DECIMAL + places;
        }
        column.searches += 1;
    }
    if all(&|x| f64::from(x as f32).to_bits() == x.to_bits()) { FLOAT32 } else { FLOAT }
}

/// A float as a whole number of the last of so many places, if dividing gives its very bits back.
#[inline]
pub fn decimal(x: f64, places: u8) -> Option<i64> {
    let factor = PLACES.get(usize::from(places))?;
    let scaled = x * factor;
    let whole = (scaled + 0.5f64.copysign(scaled)) as i64;
    let back = whole as f64 / factor;
    (whole.unsigned_abs() <= 1 << 53 && back.to_bits() == x.to_bits()).then_some(whole)
}

fn put_series<'a>(to: &mut Columns<Vec<u8>>, column: &mut Column<'a>, bits: &mut usize, series: &[&'a Value]) {
    let places = column.code.wrapping_sub(DECIMAL);
    for value in series {
        match (column.code, *value) {
            (DECIMAL.., Value::Float(x)) => {
                let whole = decimal(*x, places).unwrap_or_default();
                put_step(&mut to.0[STEPS], &mut column.before, whole as u64);
            }
            (FLOAT32, Value::Float(x)) => to.0[NARROW].extend_from_slice(&(*x as f32).to_bits().to_le_bytes()),
            (FLOAT, Value::Float(x)) => to.0[WIDE].extend_from_slice(&x.to_bits().to_le_bytes()),
            (INT, Value::Int(n)) => put_step(&mut to.0[STEPS], &mut column.before, *n as u64),
            (UINT, Value::Uint(n)) => put_step(&mut to.0[STEPS], &mut column.before, *n),
            (TIME, Value::Time(wall)) => put_step(&mut to.0[STEPS], &mut column.before, wall.0),
            (OBJECT, Value::Object(o, i)) => put_step(&mut to.0[STEPS], &mut column.before, object(*o, *i)),
            (BOOL, Value::Bool(b)) => put_bit(&mut to.0[BITS], bits, *b),
            (TEXT, Value::Text(text)) => put_blob(&mut to.0[BLOBS], column, value, text.as_bytes()),
            (BYTES, Value::Bytes(bytes)) => put_blob(&mut to.0[BLOBS], column, value, bytes),
            (_, value) => put_tagged(&mut to.0[BLOBS], value),
        }
    }
}

pub(super) fn object(object: u16, instance: u16) -> u64 {
    u64::from(object) << 16 | u64::from(instance)
}

fn put_bit(to: &mut Vec<u8>, bits: &mut usize, bit: bool) {
    if bits.is_multiple_of(8) {
        to.push(0);
    }
    if let Some(last) = to.last_mut() {
        *last |= u8::from(bit) << (*bits % 8);
    }
    *bits += 1;
}

fn put_blob<'a>(to: &mut Vec<u8>, column: &mut Column<'a>, value: &'a Value, bytes: &[u8]) {
    if column.blob == Some(value) {
        return to.push(0);
    }
    column.blob = Some(value);
    put_varint(to, bytes.len() as u64 + 1);
    to.extend_from_slice(bytes);
}

/// First bytes first, then all second bytes: the exponents of like floats are alike.
fn planes<const N: usize>(rows: &mut Vec<u8>) {
    let plane = |i| rows.iter().skip(i).step_by(N);
    *rows = (0..N).flat_map(plane).copied().collect();
}

pub(super) fn take_values(from: &Columns<Bytes>, order: &Order, into: &mut [Reading]) -> Result<(), BadBlock> {
    let mut take = Take::of(from)?;
    let mut codes = TakeRuns::new(from.0[CODES]);
    let mut at = 0;
    for (start, end) in spans(order) {
        let code = codes.next()?;
        if code != take.code || order.opens[start] == Opens::Point {
            (take.code, take.before, take.blob) = (code, 0, None);
        }
        for place in &order.places[start..end] {
            into[*place as usize].value = take.value()?;
        }
        at = end;
    }
    if at == into.len() { Ok(()) } else { Err(BadBlock::Short) }
}

struct Take<'a> {
    code: u8,
    before: u64,
    blob: Option<Value>,
    steps: Bytes<'a>,
    wide: Planes<'a, 8>,
    narrow: Planes<'a, 4>,
    bits: Bytes<'a>,
    byte: u8,
    bit: usize,
    blobs: Bytes<'a>,
}

impl<'a> Take<'a> {
    fn of(from: &Columns<Bytes<'a>>) -> Result<Take<'a>, BadBlock> {
        let (wide, narrow) = (Planes::new(from.0[WIDE])?, Planes::new(from.0[NARROW])?);
        let (steps, bits, blobs) = (from.0[STEPS], from.0[BITS], from.0[BLOBS]);
        Ok(Take { code: NO_CODE, before: 0, blob: None, steps, wide, narrow, bits, byte: 0, bit: 0, blobs })
    }

    #[inline]
    fn value(&mut self) -> Result<Value, BadBlock> {
        Ok(match self.code {
            BOOL => Value::Bool(self.bit()?),
            INT => Value::Int(self.steps.step(&mut self.before)? as i64),
            UINT => Value::Uint(self.steps.step(&mut self.before)?),
            TIME => Value::Time(Wall(self.steps.step(&mut self.before)?)),
            OBJECT => {
                let n = self.steps.step(&mut self.before)?;
                let object = u16::try_from(n >> 16).map_err(|_| BadBlock::Bound("an object"))?;
                Value::Object(object, n as u16)
            }
            FLOAT => Value::Float(f64::from_le_bytes(self.wide.next()?)),
            FLOAT32 => Value::Float(f64::from(f32::from_le_bytes(self.narrow.next()?))),
            TEXT | BYTES => self.blob()?,
            ANY => take_tagged(&mut self.blobs)?,
            code => {
                let places = usize::from(code.wrapping_sub(DECIMAL));
                let factor = PLACES.get(places).ok_or(BadBlock::Bound("a code"))?;
                Value::Float(self.steps.step(&mut self.before)? as i64 as f64 / factor)
            }
        })
    }

    fn bit(&mut self) -> Result<bool, BadBlock> {
        if self.bit.is_multiple_of(8) {
            self.byte = self.bits.byte()?;
        }
        let bit = self.byte >> (self.bit % 8) & 1 == 1;
        self.bit += 1;
        Ok(bit)
    }

    fn blob(&mut self) -> Result<Value, BadBlock> {
        let length: usize = self.blobs.small("a length")?;
        let Some(length) = length.checked_sub(1) else {
            return self.blob.clone().ok_or(BadBlock::Bound("a repeated text"));
        };
        let value = blob(self.code, self.blobs.take(length)?)?;
        self.blob = Some(value.clone());
        Ok(value)
    }
}

pub(super) fn blob(code: u8, bytes: &[u8]) -> Result<Value, BadBlock> {
    let value = match code {
        TEXT => Value::Text(Arc::from(std::str::from_utf8(bytes).map_err(|_| BadBlock::Bound("a text"))?)),
        _ => Value::Bytes(bytes.into()),
    };
    value.check().map_err(|_| BadBlock::Bound("the length of a text"))?;
    Ok(value)
}

struct Planes<'a, const N: usize> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a, const N: usize> Planes<'a, N> {
    fn new(mut from: Bytes<'a>) -> Result<Planes<'a, N>, BadBlock> {
        let bytes = from.take(from.len())?;
        if bytes.len() % N == 0 { Ok(Planes { bytes, at: 0 }) } else { Err(BadBlock::Short) }
    }

    fn next(&mut self) -> Result<[u8; N], BadBlock> {
        let rows = self.bytes.len() / N;
        if self.at >= rows {
            return Err(BadBlock::Short);
        }
        let row = std::array::from_fn(|i| self.bytes[i * rows + self.at]);
        self.at += 1;
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_kind_take_the_code_of_that_kind() {
        let code = |series: &[Value]| code_for(&mut Column::new(), &series.iter().collect::<Vec<_>>());
        assert_eq!(code(&[Value::Int(1), Value::Int(2)]), INT);
        assert_eq!(code(&[Value::Bool(true), Value::Bool(false)]), BOOL);
        assert_eq!(code(&[Value::Float(0.5), Value::Float(1.5)]), DECIMAL + 1);
        assert_eq!(code(&[Value::Int(1), Value::Uint(2)]), ANY);
    }
}
