//! Records of SenML from CBOR, one after the other.

use minicbor::Decoder;
use minicbor::data::{IanaTag, Type};

use super::read::{Pack, Record, millis, whole, wrong};
use super::write::Label;
use super::{Head, Told};
use crate::model::Value;
use crate::store::block::PLACES;
use crate::upstream::native::BadMessage;

/// A decimal further from 1 than this is no number of a 64 bit float.
const LARGEST_EXPONENT: i64 = 400;

pub(super) fn read(bytes: &[u8]) -> Result<(Head, Vec<Told>), BadMessage> {
    let mut from = Decoder::new(bytes);
    let mut pack = Pack::default();
    for _ in 0..from.array()?.ok_or_else(endless)? {
        pack.add(record(&mut from)?)?;
    }
    match from.position() == bytes.len() {
        true => pack.end(),
        false => Err(wrong("something stands behind the end of the pack")),
    }
}

fn record(from: &mut Decoder) -> Result<Record, BadMessage> {
    let mut record = Record::default();
    for _ in 0..from.map()?.ok_or_else(endless)? {
        match label(from)? {
            Some(label) => take(&mut record, label, from)?,
            None => from.skip()?,
        }
    }
    Ok(record)
}

/// `None`: one of others.
fn label(from: &mut Decoder) -> Result<Option<Label>, BadMessage> {
    if from.datatype()? == Type::String {
        let name = from.str()?;
        return Ok(Label::ALL.into_iter().find(|label| label.number.is_none() && label.name == name));
    }
    let number = from.i64()?;
    let known = Label::ALL.into_iter().find(|label| label.number.map(i64::from) == Some(number));
    known.map(Some).ok_or_else(|| wrong(format!("this protocol uses no label {number}")))
}

fn take(record: &mut Record, label: Label, from: &mut Decoder) -> Result<(), BadMessage> {
    let is_value = [Label::VALUE, Label::TEXT, Label::BOOL, Label::DATA].contains(&label);
    if is_value && record.value.is_some() {
        return Err(wrong("a record has one value"));
    }
    match label {
        Label::BASE_NAME => record.base_name = Some(from.str()?.to_owned()),
        Label::BASE_TIME => record.base_time = Some(time(from)?),
        Label::NAME => record.name = Some(from.str()?.to_owned()),
        Label::UNIT => record.unit = Some(from.str()?.to_owned()),
        Label::VALUE => record.value = Some(number(from)?),
        Label::TEXT => record.value = Some(Value::text(from.str()?)),
        Label::BOOL => record.value = Some(Value::Bool(from.bool()?)),
        Label::DATA => record.value = Some(Value::Bytes(from.bytes()?.into())),
        Label::JOURNAL => record.journal = Some(from.str()?.to_owned()),
        Label::FIRST => record.first = Some(from.u64()?),
        Label::BOOT => record.boot = Some(from.u32()?),
        Label::MONO => record.mono = Some(from.u64()?),
        Label::CLOCK => record.clock = Some(from.str()?.to_owned()),
        Label::DAMAGED => record.damaged = spans(from)?,
        Label::SOURCE => record.source = Some(from.u64()?),
        Label::KIND => record.kind = Some(from.str()?.to_owned()),
        _ => from.skip()?,
    }
    Ok(())
}

fn number(from: &mut Decoder) -> Result<Value, BadMessage> {
    Ok(match from.datatype()? {
        Type::Tag => {
            let (whole, exponent) = fraction(from)?;
            Value::Float(float(whole, exponent)?)
        }
        Type::F32 | Type::F64 => Value::Float(from.f64()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => Value::Int(from.i64()?),
        _ => whole(from.u64()?),
    })
}

fn time(from: &mut Decoder) -> Result<i64, BadMessage> {
    if from.datatype()? != Type::Tag {
        return Ok(millis(from.f64()?));
    }
    match fraction(from)? {
        (millis, -3) => Ok(millis),
        (whole, exponent) => Ok(millis(float(whole, exponent)?)),
    }
}

fn fraction(from: &mut Decoder) -> Result<(i64, i64), BadMessage> {
    let no_fraction = || wrong("a number is an integer, a float or a decimal fraction");
    if from.tag()? != IanaTag::Decimal.tag() || from.array()? != Some(2) {
        return Err(no_fraction());
    }
    let exponent = from.i64()?;
    let whole = from.i64()?;
    if exponent.abs() > LARGEST_EXPONENT { Err(no_fraction()) } else { Ok((whole, exponent)) }
}

/// The nearest float there is: by one division where both sides of it are exact.
fn float(whole: i64, exponent: i64) -> Result<f64, BadMessage> {
    let factor = usize::try_from(-exponent).ok().and_then(|places| PLACES.get(places));
    match factor {
        Some(factor) if whole.unsigned_abs() <= 1 << 53 => Ok(whole as f64 / factor),
        _ => format!("{whole}e{exponent}").parse().map_err(|_| wrong("a decimal fraction is no number")),
    }
}

fn spans(from: &mut Decoder) -> Result<Vec<(u64, u64)>, BadMessage> {
    let mut spans = Vec::new();
    for _ in 0..from.array()?.ok_or_else(endless)? {
        if from.array()? != Some(2) {
            return Err(wrong("a span is a first and a last number"));
        }
        spans.push((from.u64()?, from.u64()?));
    }
    Ok(spans)
}

fn endless() -> BadMessage {
    wrong("a list or map says how long it is")
}
