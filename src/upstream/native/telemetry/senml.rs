//! Writes a pack of SenML.

use super::Known;
use super::names::{Named, Names};
use super::number::Column;
use super::span::{Part, Span};
use super::write::{Label, Write};
use crate::model::{ClockQuality, Mono, PointNo, Quality, Reading, Value};
use crate::store::JournalId;

/// Smaller times are relative, by the standard: 2^28 seconds.
pub(super) const LEAST_ABSOLUTE: i64 = (1 << 28) * 1_000;
/// As a float of seconds no millisecond is lost up to here.
const MOST_ABSOLUTE: i64 = 1 << 53;

pub(super) fn write(span: &Span, count: usize, head: (JournalId, &[(u64, u64)]), known: Known, cbor: bool) -> Vec<u8> {
    let mut pack =
        Pack { to: Write::new(cbor), times: Times::of(span, count), head: Some(head), span, columns: Vec::new() };
    let mut names = Names::new(known, cbor);
    pack.to.begin(count);
    span.parts(count).for_each(|part| pack.part(&part, &names.of(part.device)));
    pack.to.end();
    pack.to.bytes
}

struct Pack<'a> {
    to: Write,
    times: Times,
    /// Until it is written.
    head: Option<(JournalId, &'a [(u64, u64)])>,
    span: &'a Span<'a>,
    /// By the number of the point; devices of another kind may share one, which costs a little and breaks nothing.
    columns: Vec<Column>,
}

impl Pack<'_> {
    fn part(&mut self, part: &Part, named: &Named) {
        for (place, reading) in part.readings.iter().enumerate() {
            let spelled = match (reading.quality, kind(&reading.value), &named.shape) {
                (Quality::Good, None, Some(shape)) => shape.spelled(reading.point),
                _ => None,
            };
            match spelled {
                Some((fields, count)) => {
                    self.begin(part, (place == 0).then_some(named), count + 1, reading);
                    self.to.spelled(fields);
                }
                None => self.unlike_others(part, (place == 0).then_some(named), named, reading),
            }
            self.value(reading);
            if let Some(source) = reading.source {
                self.to.uint(Label::SOURCE, source.0);
            }
            self.to.end_record();
        }
    }

    /// One whose name, unit or kind says something of its own.
    fn unlike_others(&mut self, part: &Part, base: Option<&Named>, named: &Named, reading: &Reading) {
        let kind = kind(&reading.value);
        let unit = match reading.value {
            Value::Time(_) => Some("ms"),
            _ => named.unit(reading.point),
        };
        self.begin(part, base, 2 + usize::from(kind.is_some()) + usize::from(unit.is_some()), reading);
        self.to.text(Label::NAME, &named.point(reading.point, reading.quality));
        unit.iter().for_each(|unit| self.to.text(Label::UNIT, unit));
        kind.iter().for_each(|kind| self.to.text(Label::KIND, kind));
    }

    /// `fields`: name, value and what belongs to them.
    fn begin(&mut self, part: &Part, base: Option<&Named>, fields: usize, reading: &Reading) {
        let head = self.head.take();
        let of_head = head.map_or(0, |(_, damaged)| 5 + usize::from(!damaged.is_empty()));
        let of_base = 2 * usize::from(base.is_some());
        self.to.record(of_head + of_base + fields + usize::from(reading.source.is_some()));
        if let Some((journal, damaged)) = head {
            self.to.text(Label::JOURNAL, &journal.to_string());
            self.to.uint(Label::FIRST, self.span.first);
            self.to.uint(Label::BOOT, u64::from(self.span.boot.0));
            self.to.uint(Label::MONO, part.at.0);
            self.to.text(Label::CLOCK, &self.span.clock.quality.to_string());
            if !damaged.is_empty() {
                self.to.spans(Label::DAMAGED, damaged);
            }
        }
        if let Some(named) = base {
            self.to.text(Label::BASE_NAME, &named.base);
            self.to.seconds(Label::BASE_TIME, self.times.of_arrival(part.at));
        }
    }

    fn value(&mut self, reading: &Reading) {
        let (to, columns) = (&mut self.to, &mut self.columns);
        match &reading.value {
            Value::Bool(b) => to.bool(Label::BOOL, *b),
            Value::Text(text) => to.text(Label::TEXT, text),
            Value::Bytes(bytes) => to.data(Label::DATA, bytes),
            Value::Object(object, instance) => to.text(Label::TEXT, &format!("{object}:{instance}")),
            Value::Float(x) if !x.is_finite() => to.text(Label::TEXT, &x.to_string()),
            list @ Value::List(_) => to.text(Label::TEXT, &serde_json::to_string(list).unwrap_or_default()),
            Value::Int(n) => column(columns, to, reading.point).signed(to, *n),
            Value::Uint(n) => column(columns, to, reading.point).unsigned(to, *n),
            Value::Time(wall) => column(columns, to, reading.point).unsigned(to, wall.0),
            Value::Float(x) => column(columns, to, reading.point).float(to, *x),
        }
    }
}

/// What stands before a number, and how it is to be written.
fn column<'a>(columns: &'a mut Vec<Column>, to: &mut Write, point: PointNo) -> &'a mut Column {
    to.label(Label::VALUE);
    let place = usize::from(point.0);
    if place >= columns.len() {
        columns.resize(place + 1, Column::default());
    }
    &mut columns[place]
}

/// What SenML does not know.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Time(_) => Some("time"),
        Value::Object(..) => Some("object"),
        Value::List(_) => Some("list"),
        Value::Float(x) if !x.is_finite() => Some("float"),
        _ => None,
    }
}

/// How times are told in one pack, in milliseconds.
struct Times {
    /// What is added to a moment of the boot.
    offset: i64,
}

impl Times {
    fn of(span: &Span, count: usize) -> Times {
        let (mut earliest, mut latest) = (u64::MAX, 0);
        for part in span.parts(count) {
            (earliest, latest) = (earliest.min(part.at.0), latest.max(part.at.0));
        }
        let offset = span.clock.offset;
        let wall = |mono: u64| i64::try_from(i128::from(mono) + i128::from(offset)).unwrap_or(0);
        let known = span.clock.quality != ClockQuality::Unset;
        let offset = match known && wall(earliest) >= LEAST_ABSOLUTE && wall(latest) <= MOST_ABSOLUTE {
            true => offset,
            // Before the newest.
            false => (latest as i64).wrapping_neg(),
        };
        Times { offset }
    }

    fn of_arrival(&self, at: Mono) -> i64 {
        (at.0 as i64).wrapping_add(self.offset)
    }
}
