//! The telemetry block: arrivals in the order they came, their values in columns, all of it under zstd.
//!
//! ```text
//! block  = version u8, boot, first number, readings, earliest time, span of times, clock offset, clock quality,
//!          bytes of the body, zstd(body)                                   numbers are varints
//! body   = one length for each section, then the sections (see `columns`)
//! ```
//! Both sides work out the order of the values from the arrivals alone ([`order`](super::order)), so no permutation is
//! stored. Decoding takes bytes from anybody: it never panics, and a bound stands before every allocation.

use crate::model::{Boot, ClockQuality, Heard, Mono, Now, Reading, Value, Wall};

pub use super::bytes::{BadBlock, MOST_READINGS};
use super::bytes::{Bytes, VERSION, put_varint, unzigzag, zigzag};
use super::columns::{Columns, SECTIONS};
pub use super::values::{PLACES, decimal};

/// Bytes of a block before compression.
pub const LARGEST_BODY: usize = 16 << 20;
const ZSTD_LEVEL: i32 = 1;

/// How to tell the wall time of a moment of a boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Clock {
    /// Wall time less monotonic time, in milliseconds.
    pub offset: i64,
    pub quality: ClockQuality,
}

impl Clock {
    pub fn of(now: &Now) -> Clock {
        Clock { offset: now.wall.0.wrapping_sub(now.mono.0) as i64, quality: now.quality }
    }

    pub fn wall(&self, at: Mono) -> Wall {
        let wall = i128::from(at.0) + i128::from(self.offset);
        Wall(u64::try_from(wall.max(0)).unwrap_or(u64::MAX))
    }

    pub fn now(&self, boot: Boot, at: Mono) -> Now {
        Now { mono: at, boot, wall: self.wall(at), quality: self.quality }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The number of the first reading; the others follow in the order of arrival.
    pub seq: u64,
    pub boot: Boot,
    pub clock: Clock,
    pub arrivals: Vec<Heard>,
}

/// What a block says of itself before it is decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    pub seq: u64,
    pub boot: Boot,
    pub readings: u64,
    pub earliest: Mono,
    pub latest: Mono,
    pub clock: Clock,
}

/// Bytes that a reading takes at most before compression, and near enough in memory.
pub fn cost(reading: &Reading) -> usize {
    let items = if let Value::List(items) = &reading.value { items.len() } else { 0 };
    32 + reading.value.weight() + 16 * items
}

pub fn encode(seq: u64, boot: Boot, clock: Clock, arrivals: &[Heard]) -> Result<Vec<u8>, BadBlock> {
    let readings: usize = arrivals.iter().map(|heard| heard.readings.len()).sum();
    if readings > MOST_READINGS {
        return Err(BadBlock::Bound("the number of readings"));
    }
    let earliest = arrivals.iter().map(|heard| heard.at.0).min().unwrap_or(0);
    let latest = arrivals.iter().map(|heard| heard.at.0).max().unwrap_or(0);
    let body = join(Columns::of(earliest, arrivals));
    if body.len() > LARGEST_BODY {
        return Err(BadBlock::Bound("the size"));
    }
    let mut block = vec![VERSION];
    let head = [u64::from(boot.0), seq, readings as u64, earliest, latest - earliest, zigzag(clock.offset)];
    head.iter().for_each(|n| put_varint(&mut block, *n));
    block.push(clock.quality as u8);
    put_varint(&mut block, body.len() as u64);
    block.extend(zstd::bulk::compress(&body, ZSTD_LEVEL).map_err(|_| BadBlock::Zstd)?);
    Ok(block)
}

pub fn peek(block: &[u8]) -> Result<Peek, BadBlock> {
    head(&mut Bytes::new(block))
}

pub fn decode(block: &[u8]) -> Result<Block, BadBlock> {
    let mut bytes = Bytes::new(block);
    let head = head(&mut bytes)?;
    let size = bytes.varint()?;
    if size > LARGEST_BODY as u64 {
        return Err(BadBlock::Bound("the size"));
    }
    let packed = bytes.take(bytes.len())?;
    let body = zstd::bulk::decompress(packed, size as usize).map_err(|_| BadBlock::Zstd)?;
    let arrivals = split(&body)?.arrivals(head.earliest.0)?;
    let readings: usize = arrivals.iter().map(|heard| heard.readings.len()).sum();
    if readings as u64 != head.readings {
        return Err(BadBlock::Bound("the number of readings"));
    }
    Ok(Block { seq: head.seq, boot: head.boot, clock: head.clock, arrivals })
}

fn head(bytes: &mut Bytes) -> Result<Peek, BadBlock> {
    match bytes.byte()? {
        VERSION => {}
        other => return Err(BadBlock::Version(other)),
    }
    let boot = Boot(bytes.small("the boot")?);
    let (seq, readings, earliest, span) = (bytes.varint()?, bytes.varint()?, bytes.varint()?, bytes.varint()?);
    if readings > MOST_READINGS as u64 || seq.checked_add(readings).is_none() {
        return Err(BadBlock::Bound("the number of readings"));
    }
    let latest = earliest.checked_add(span).ok_or(BadBlock::Bound("the span of times"))?;
    let clock = Clock { offset: unzigzag(bytes.varint()?), quality: quality(bytes.byte()?)? };
    Ok(Peek { seq, boot, readings, earliest: Mono(earliest), latest: Mono(latest), clock })
}

fn quality(code: u8) -> Result<ClockQuality, BadBlock> {
    let known = [ClockQuality::Unset, ClockQuality::Held, ClockQuality::Set];
    known.into_iter().find(|quality| *quality as u8 == code).ok_or(BadBlock::Bound("the quality of the clock"))
}

fn join(columns: Columns<Vec<u8>>) -> Vec<u8> {
    let mut body = Vec::with_capacity(columns.0.iter().map(|section| section.len() + 4).sum());
    columns.0.iter().for_each(|section| put_varint(&mut body, section.len() as u64));
    columns.0.iter().for_each(|section| body.extend_from_slice(section));
    body
}

fn split(body: &[u8]) -> Result<Columns<Bytes<'_>>, BadBlock> {
    let mut bytes = Bytes::new(body);
    let mut lengths = [0; SECTIONS];
    for length in &mut lengths {
        *length = bytes.count()?;
    }
    let mut sections = [Bytes::new(&[]); SECTIONS];
    for (section, length) in sections.iter_mut().zip(lengths) {
        *section = Bytes::new(bytes.take(length)?);
    }
    Ok(Columns(sections))
}
