//! Records of SenML from JSON, one after the other: nobody holds the tree.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::Number;

use super::read::{Pack, Record, millis, whole, wrong};
use super::{Head, Told};
use crate::model::Value;
use crate::upstream::native::BadMessage;

pub(super) fn read(bytes: &[u8]) -> Result<(Head, Vec<Told>), BadMessage> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let pack = json.deserialize_seq(Records)?;
    json.end()?;
    pack.end()
}

struct Records;

impl<'de> Visitor<'de> for Records {
    type Value = Pack;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<Pack, A::Error> {
        let mut pack = Pack::default();
        while let Some(plain) = records.next_element::<Plain>()? {
            plain.record().and_then(|record| pack.add(record)).map_err(A::Error::custom)?;
        }
        Ok(pack)
    }
}

#[derive(Deserialize)]
struct Plain {
    bn: Option<String>,
    bt: Option<f64>,
    n: Option<String>,
    u: Option<String>,
    v: Option<Number>,
    vs: Option<String>,
    vb: Option<bool>,
    vd: Option<String>,
    #[serde(rename = "dmgw-journal")]
    journal: Option<String>,
    #[serde(rename = "dmgw-first")]
    first: Option<u64>,
    #[serde(rename = "dmgw-boot")]
    boot: Option<u32>,
    #[serde(rename = "dmgw-mono")]
    mono: Option<u64>,
    #[serde(rename = "dmgw-clock")]
    clock: Option<String>,
    #[serde(default, rename = "dmgw-damaged")]
    damaged: Vec<(u64, u64)>,
    #[serde(rename = "dmgw-source")]
    source: Option<u64>,
    #[serde(rename = "dmgw-kind")]
    kind: Option<String>,
    // Of the standard, and never written.
    bu: Option<IgnoredAny>,
    bv: Option<IgnoredAny>,
    bs: Option<IgnoredAny>,
    s: Option<IgnoredAny>,
    t: Option<IgnoredAny>,
    ut: Option<IgnoredAny>,
}

impl Plain {
    fn record(self) -> Result<Record, BadMessage> {
        let others = [&self.bu, &self.bv, &self.bs, &self.s, &self.t, &self.ut];
        if others.iter().any(|other| other.is_some()) {
            return Err(wrong("this protocol uses no bu, bv, bs, s, t or ut"));
        }
        let values = [
            self.v.as_ref().map(number),
            self.vs.as_deref().map(|text| Ok(Value::text(text))),
            self.vb.map(|b| Ok(Value::Bool(b))),
            self.vd.as_deref().map(data),
        ];
        let mut values = values.into_iter().flatten();
        let value = values.next().transpose()?;
        if values.next().is_some() {
            return Err(wrong("a record has one value"));
        }
        Ok(Record {
            base_name: self.bn,
            base_time: self.bt.map(millis),
            name: self.n,
            unit: self.u,
            value,
            kind: self.kind,
            source: self.source,
            journal: self.journal,
            first: self.first,
            boot: self.boot,
            mono: self.mono,
            clock: self.clock,
            damaged: self.damaged,
        })
    }
}

fn number(n: &Number) -> Result<Value, BadMessage> {
    match (n.as_u64(), n.as_i64(), n.as_f64()) {
        (Some(n), _, _) => Ok(whole(n)),
        (_, Some(n), _) => Ok(Value::Int(n)),
        (_, _, Some(x)) => Ok(Value::Float(x)),
        _ => Err(wrong(format!("{n} is no number that anybody can hold"))),
    }
}

fn data(text: &str) -> Result<Value, BadMessage> {
    let bytes = BASE64.decode(text).map_err(|_| wrong("vd is base64url without padding"))?;
    Ok(Value::Bytes(bytes.into()))
}
