//! JSON as CBOR and back (RFC 8949, section 6): one description for both forms of a message.
//!
//! Only what JSON knows is written; of what is read more, tags and byte strings are refused.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Number, Value};

use super::{BadMessage, MOST_NESTED};

pub fn to_cbor(value: &Value) -> Vec<u8> {
    let mut to = Encoder::new(Vec::new());
    // A Vec takes everything.
    let _ = put(&mut to, value);
    to.into_writer()
}

pub fn from_cbor(bytes: &[u8]) -> Result<Value, BadMessage> {
    let mut from = Decoder::new(bytes);
    let value = take(&mut from, MOST_NESTED)?;
    match from.position() == bytes.len() {
        true => Ok(value),
        false => Err(BadMessage::wrong("something stands behind the end of the CBOR")),
    }
}

/// JSON that is nested no deeper than CBOR may be: serde_json by itself goes to 128.
pub fn from_json(bytes: &[u8]) -> Result<Value, BadMessage> {
    if nesting(bytes) > MOST_NESTED {
        return Err(BadMessage::Nested);
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// How deep brackets stand in each other, those in texts left aside. Of what is no JSON it says something, and no parser
/// goes deeper than that.
pub fn nesting(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

type Put = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn put(to: &mut Encoder<Vec<u8>>, value: &Value) -> Put {
    match value {
        Value::Null => to.null()?.ok(),
        Value::Bool(b) => to.bool(*b)?.ok(),
        Value::Number(n) => put_number(to, n),
        Value::String(text) => to.str(text)?.ok(),
        Value::Array(items) => {
            to.array(items.len() as u64)?;
            items.iter().try_for_each(|item| put(to, item))
        }
        Value::Object(fields) => {
            to.map(fields.len() as u64)?;
            fields.iter().try_for_each(|(name, value)| {
                to.str(name)?;
                put(to, value)
            })
        }
    }
}

fn put_number(to: &mut Encoder<Vec<u8>>, n: &Number) -> Put {
    match (n.as_u64(), n.as_i64(), n.as_f64()) {
        (Some(n), _, _) => to.u64(n)?.ok(),
        (_, Some(n), _) => to.i64(n)?.ok(),
        (_, _, Some(n)) => to.f64(n)?.ok(),
        _ => to.null()?.ok(),
    }
}

fn take(from: &mut Decoder, deeper: usize) -> Result<Value, BadMessage> {
    Ok(match from.datatype()? {
        Type::Null => {
            from.null()?;
            Value::Null
        }
        Type::Bool => from.bool()?.into(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => from.u64()?.into(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => from.i64()?.into(),
        Type::F32 | Type::F64 => Number::from_f64(from.f64()?).map(Value::Number).ok_or_else(no_json)?,
        Type::String => from.str()?.into(),
        Type::Array => {
            let (count, deeper) = (from.array()?.ok_or_else(no_json)?, inside(deeper)?);
            (0..count).map(|_| take(from, deeper)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Type::Map => {
            let (count, deeper) = (from.map()?.ok_or_else(no_json)?, inside(deeper)?);
            let mut fields = Map::new();
            for _ in 0..count {
                let name = from.str()?.to_owned();
                let value = take(from, deeper)?;
                if fields.insert(name, value).is_some() {
                    return Err(BadMessage::wrong("a name stands twice in one map"));
                }
            }
            fields.into()
        }
        _ => return Err(no_json()),
    })
}

fn inside(deeper: usize) -> Result<usize, BadMessage> {
    deeper.checked_sub(1).ok_or(BadMessage::Nested)
}

fn no_json() -> BadMessage {
    BadMessage::wrong("there is CBOR in it that JSON does not know: a tag, bytes, no number, or what has no length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has none", |x| x.is_finite()).prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn what_json_does_not_know_or_nests_without_end_is_refused() {
        for (bytes, says) in [
            (&b"\xc1\x00"[..], "JSON does not know"),
            (b"\x41\x00", "JSON does not know"),
            (b"\x9f\xff", "JSON does not know"),
            (b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00", "JSON does not know"),
            (b"\xa2\x61a\x00\x61a\x00", "twice"),
            (b"\x00\x00", "behind the end"),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00", "no CBOR"),
        ] {
            let error = from_cbor(bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(matches!(from_cbor(&[0x81; 100_000]), Err(BadMessage::Nested)));
        assert!(matches!(from_json("[".repeat(33).as_bytes()), Err(BadMessage::Nested)));
        let deepest = format!("{}{}", "[".repeat(32), "]".repeat(32));
        assert_eq!(from_cbor(&to_cbor(&from_json(deepest.as_bytes()).unwrap())).unwrap().to_string(), deepest);
    }

    #[test]
    fn brackets_in_texts_are_no_nesting() {
        assert_eq!(nesting(json!({"a": "[[[\"[\\[", "b": [{}]}).to_string().as_bytes()), 3);
    }

    proptest! {
        #[test]
        fn every_tree_comes_back(tree in tree()) {
            prop_assert_eq!(from_cbor(&to_cbor(&tree)).unwrap(), tree);
        }
    }
}
