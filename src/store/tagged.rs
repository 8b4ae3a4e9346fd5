//! One value by itself, with a tag: where a series holds values of several types, and the items of a list.

use crate::model::value::LONGEST_LIST;
use crate::model::{Value, Wall};

use super::bytes::{BadBlock, Bytes, put_varint, unzigzag, zigzag};
use super::values::{BOOL, BYTES, FLOAT, INT, LIST, OBJECT, TEXT, TIME, UINT, blob, object};

pub(super) fn put_tagged(to: &mut Vec<u8>, value: &Value) {
    match value {
        Value::List(items) => {
            to.push(LIST);
            // A list in a list never passed `Value::check`; written like this it is lost, but the block can be read.
            let plain = || items.iter().filter(|item| !matches!(item, Value::List(_)));
            put_varint(to, plain().count() as u64);
            plain().for_each(|item| put_plain(to, item));
        }
        plain => put_plain(to, plain),
    }
}

fn put_plain(to: &mut Vec<u8>, value: &Value) {
    let mut number = |tag, n| {
        to.push(tag);
        put_varint(to, n);
    };
    match value {
        Value::Bool(b) => number(BOOL, u64::from(*b)),
        Value::Int(n) => number(INT, zigzag(*n)),
        Value::Uint(n) => number(UINT, *n),
        Value::Time(wall) => number(TIME, wall.0),
        Value::Object(o, i) => number(OBJECT, object(*o, *i)),
        Value::Float(x) => {
            to.push(FLOAT);
            to.extend_from_slice(&x.to_bits().to_le_bytes());
        }
        Value::Text(text) => put_bytes(to, TEXT, text.as_bytes()),
        Value::Bytes(bytes) => put_bytes(to, BYTES, bytes),
        Value::List(_) => {}
    }
}

fn put_bytes(to: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    to.push(tag);
    put_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

pub(super) fn take_tagged(from: &mut Bytes) -> Result<Value, BadBlock> {
    match from.byte()? {
        LIST => {
            let count = from.count()?;
            if count > LONGEST_LIST {
                return Err(BadBlock::Bound("the length of a list"));
            }
            let items = (0..count).map(|_| from.byte().and_then(|tag| take_plain(from, tag)));
            let list = Value::List(items.collect::<Result<_, _>>()?);
            list.check().map_err(|_| BadBlock::Bound("the size of a list"))?;
            Ok(list)
        }
        tag => take_plain(from, tag),
    }
}

fn take_plain(from: &mut Bytes, tag: u8) -> Result<Value, BadBlock> {
    Ok(match tag {
        BOOL => Value::Bool(from.varint()? != 0),
        INT => Value::Int(unzigzag(from.varint()?)),
        UINT => Value::Uint(from.varint()?),
        TIME => Value::Time(Wall(from.varint()?)),
        OBJECT => {
            let n: u32 = from.small("an object")?;
            Value::Object((n >> 16) as u16, n as u16)
        }
        FLOAT => Value::Float(f64::from_le_bytes(from.array()?)),
        TEXT | BYTES => {
            let length = from.count()?;
            blob(tag, from.take(length)?)?
        }
        _ => return Err(BadBlock::Bound("a tag")),
    })
}
