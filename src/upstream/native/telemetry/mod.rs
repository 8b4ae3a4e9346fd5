//! Readings on their way up: SenML (RFC 8428) in JSON or CBOR, or the journal's own columns.
//!
//! # SenML, and what we say beside it
//!
//! One record is one reading, in the order in which they came: the number of a reading is `dmgw-first` and its place in the
//! pack. What came in one arrival stands together, under one base name (the device's id and `:`) and one base time. Our own
//! labels may be ignored; nothing of what stands under a standard label is true only with them:
//!
//! | | |
//! |---|---|
//! | `dmgw-journal`, `dmgw-first`, `dmgw-boot`, `dmgw-mono`, `dmgw-clock`, `dmgw-damaged` | in the first record: the life of the journal, the number of this reading, the boot it came in, milliseconds of that boot at its time, what the clock is worth, numbers that stood before it and cannot be read |
//! | `dmgw-source` | when the device says that it was so, in milliseconds since 1970; the time of the record is the arrival |
//! | `dmgw-kind` | of what SenML does not know: `time` (`v` in milliseconds since 1970, unit `ms`), `object` (`vs`: `3:0`), `list` (`vs`: JSON), `float` (`vs`: `NaN`, `inf` or `-inf`) |
//!
//! **A reading that is not good has another name**: the point's and `:uncertain`, `:device-says`, `:out-of-range` or
//! `:wrong-type`. So whoever knows only the standard never takes it for a value of the point.
//!
//! **A time that nobody knows is relative**: while the clock of a boot was never set, base times are the seconds (at most 0)
//! before the newest reading of the pack, which by the standard is "about now". With `dmgw-boot` and `dmgw-mono` they are
//! exact all the same, once somebody learns when that boot was.
//!
//! **Names** hold letters, digits and `-:./` as they are; any other byte of an id or a path is `_` and two hex digits, as the
//! standard has no room for more. A device that is known no more is called by its number, `urn:dev:dmgw:number:17:`, a point
//! by its own.
//!
//! **Numbers**: a float is a decimal fraction wherever that gives its very bits back, else 32 or 64 bits; in JSON it always
//! has a `.` or an `e`, so an integer of any size is one exactly.

pub mod columns;
mod names;
mod number;
mod read;
mod read_cbor;
mod read_json;
mod senml;
mod span;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use super::BadMessage;
use super::cut::{Bound, NotMade, fitting};
use super::form::Readings;
use super::packed::unpack;
use crate::model::{Boot, Capabilities, ClockQuality, DeviceId, DeviceNo, Mono, Quality, Value, Wall};
use crate::store::{Block, JournalId};

use span::Span;

/// Who a device is and which points it has, as far as that is still known.
pub type Known<'a> = &'a dyn Fn(DeviceNo) -> Option<(DeviceId, Arc<Capabilities>)>;

/// What is true of all readings of a pack.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub journal: JournalId,
    /// The number of the first reading.
    pub first: u64,
    pub boot: Boot,
    /// When the first reading came, by the clock of the boot.
    pub mono: Mono,
    pub clock: ClockQuality,
    /// Numbers before `first` that stand in the journal and cannot be read.
    pub damaged: Vec<(u64, u64)>,
}

/// A message, and up to where it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub first: u64,
    /// The number after the last one that it holds.
    pub next: u64,
    pub bytes: Vec<u8>,
}

/// A reading as a manager has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub seq: u64,
    pub device: String,
    pub point: String,
    pub unit: Option<String>,
    pub value: Value,
    pub quality: Quality,
    /// When it came. `None`: the clock of that boot was never set.
    pub time: Option<Wall>,
    pub mono: Mono,
    pub source: Option<Wall>,
}

/// The next pack: readings of these blocks from a number on, as many as belong together and fit. `damaged` are the spans
/// before them that cannot be read, told in this pack.
pub fn pack(
    blocks: &[Block],
    from: u64,
    head: (JournalId, &[(u64, u64)]),
    known: Known,
    form: Readings,
    most: usize,
) -> Result<Packed, NotMade> {
    let span = Span::of(blocks, from).ok_or(NotMade::Empty)?;
    let bound = Bound { most, is_packed: form.is_packed() };
    let (count, bytes) = fitting(span.readings, bound, span.first, |count| match form {
        Readings::Columns => columns::write(&span, count, head),
        _ => Ok(senml::write(&span, count, head, known, form.is_cbor())),
    })?;
    Ok(Packed { first: span.first, next: span.first + count as u64, bytes })
}

/// A pack in SenML, whatever else stands in it. Columns are read by [`columns::read`].
pub fn read(bytes: &[u8], form: Readings) -> Result<(Head, Vec<Told>), BadMessage> {
    let bytes = unpack(bytes, form.is_packed())?;
    match form {
        Readings::SenmlCbor | Readings::SenmlCborZstd => read_cbor::read(&bytes),
        Readings::SenmlJson | Readings::SenmlJsonZstd => read_json::read(&bytes),
        Readings::Columns => Err(BadMessage::wrong("columns are no SenML")),
    }
}
