//! A pack of SenML read back: records as they come, in JSON or CBOR, become readings with everything that is known of them.
//!
//! It reads what this protocol writes. Labels of the standard that it never writes are refused, for to leave them aside would
//! change what a record says; labels of others are left aside.

use super::names::{LONGEST, split};
use super::senml::LEAST_ABSOLUTE;
use super::{Head, Told};
use crate::model::{Boot, ClockQuality, Mono, Value, Wall};
use crate::store::block::MOST_READINGS;
use crate::upstream::native::BadMessage;
use crate::upstream::native::spelled::journal_of;

/// Spans of numbers that one pack names.
const MOST_DAMAGED: usize = 1_000;

/// The fields of one record.
#[derive(Default)]
pub(super) struct Record {
    pub(super) base_name: Option<String>,
    /// In milliseconds, like all times here.
    pub(super) base_time: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) value: Option<Value>,
    pub(super) kind: Option<String>,
    pub(super) source: Option<u64>,
    pub(super) journal: Option<String>,
    pub(super) first: Option<u64>,
    pub(super) boot: Option<u32>,
    pub(super) mono: Option<u64>,
    pub(super) clock: Option<String>,
    pub(super) damaged: Vec<(u64, u64)>,
}

#[derive(Default)]
pub(super) struct Pack {
    head: Option<Head>,
    base_name: String,
    base_time: i64,
    /// Of the first record.
    begin: i64,
    told: Vec<Told>,
}

impl Pack {
    pub(super) fn add(&mut self, record: Record) -> Result<(), BadMessage> {
        if self.told.len() == MOST_READINGS {
            return Err(wrong(format!("a pack has at most {MOST_READINGS} readings")));
        }
        if let Some(name) = record.base_name.clone() {
            self.base_name = name;
        }
        self.base_time = record.base_time.unwrap_or(self.base_time);
        if self.head.is_none() {
            self.begin = self.base_time;
            self.head = Some(head(&record)?);
        }
        let told = self.told(record)?;
        self.told.push(told);
        Ok(())
    }

    fn told(&self, record: Record) -> Result<Told, BadMessage> {
        let head = self.head.as_ref().ok_or_else(|| missing("dmgw-journal"))?;
        let name = self.base_name.clone() + record.name.as_deref().unwrap_or_default();
        if name.len() > LONGEST {
            return Err(wrong(format!("a name has at most {LONGEST} bytes")));
        }
        let (device, point, quality) =
            split(&name).ok_or_else(|| wrong(format!("{name:?} is no name of a device and its point")))?;
        let value = record.value.ok_or_else(|| missing("v, vs, vb or vd"))?;
        let value = meant(value, record.kind.as_deref())?;
        value.check().map_err(|error| wrong(error.to_string()))?;
        let mono = i128::from(head.mono.0) + i128::from(self.base_time) - i128::from(self.begin);
        Ok(Told {
            seq: head.first.saturating_add(self.told.len() as u64),
            device,
            point,
            unit: record.unit.filter(|_| !matches!(value, Value::Time(_))),
            value,
            quality,
            time: (self.base_time >= LEAST_ABSOLUTE).then_some(Wall(self.base_time as u64)),
            mono: Mono(u64::try_from(mono).map_err(|_| wrong("a time lies before the boot"))?),
            source: record.source.map(Wall),
        })
    }

    pub(super) fn end(self) -> Result<(Head, Vec<Told>), BadMessage> {
        Ok((self.head.ok_or_else(|| wrong("a pack has at least one record"))?, self.told))
    }
}

fn head(record: &Record) -> Result<Head, BadMessage> {
    let journal = record.journal.as_deref().ok_or_else(|| missing("dmgw-journal"))?;
    let clock = record.clock.as_deref().ok_or_else(|| missing("dmgw-clock"))?;
    let known = [ClockQuality::Unset, ClockQuality::Held, ClockQuality::Set];
    let clock = known.into_iter().find(|known| known.to_string() == clock);
    if record.damaged.len() > MOST_DAMAGED {
        return Err(wrong(format!("a pack names at most {MOST_DAMAGED} damaged spans")));
    }
    Ok(Head {
        journal: journal_of(journal).ok_or_else(|| wrong("dmgw-journal is 32 hex digits"))?,
        first: record.first.ok_or_else(|| missing("dmgw-first"))?,
        boot: Boot(record.boot.ok_or_else(|| missing("dmgw-boot"))?),
        mono: Mono(record.mono.ok_or_else(|| missing("dmgw-mono"))?),
        clock: clock.ok_or_else(|| wrong("dmgw-clock is unset, held or set"))?,
        damaged: record.damaged.clone(),
    })
}

/// What the standard has no type for.
fn meant(value: Value, kind: Option<&str>) -> Result<Value, BadMessage> {
    let no = || wrong(format!("{value} is no {}", kind.unwrap_or_default()));
    Ok(match (kind, &value) {
        (None, _) => value,
        (Some("time"), Value::Int(n)) => Value::Time(Wall(u64::try_from(*n).map_err(|_| no())?)),
        (Some("time"), Value::Uint(n)) => Value::Time(Wall(*n)),
        (Some("object"), Value::Text(text)) => {
            let (object, instance) = text.split_once(':').ok_or_else(no)?;
            Value::Object(object.parse().map_err(|_| no())?, instance.parse().map_err(|_| no())?)
        }
        (Some("list"), Value::Text(text)) => match serde_json::from_str(text)? {
            list @ Value::List(_) => list,
            _ => return Err(no()),
        },
        (Some("float"), Value::Text(text)) => match text.parse::<f64>() {
            Ok(x) if !x.is_finite() => Value::Float(x),
            _ => return Err(no()),
        },
        _ => return Err(no()),
    })
}

/// Seconds as milliseconds. Up to where times are absolute none is lost.
pub(super) fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

/// As it is called everywhere: an integer is an `int` where it fits.
pub(super) fn whole(n: u64) -> Value {
    i64::try_from(n).map_or(Value::Uint(n), Value::Int)
}

pub(super) fn wrong(says: impl Into<String>) -> BadMessage {
    BadMessage::wrong(says)
}

fn missing(label: &str) -> BadMessage {
    wrong(format!("{label} is missing in a record"))
}
