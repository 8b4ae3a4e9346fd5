//! One thing that happened, with the numbers that it takes in its stream, and its text for whoever shows it.

use std::io;
use std::mem::size_of;
use std::sync::OnceLock;

use crate::model::record::Entry;
use crate::model::{Boot, DeviceNo, Heard, Now, Reading, Stream, Wall};

/// What a reading takes as text, beside its value: names and braces.
const TEXT_OF_A_READING: usize = 112;
const TEXT_OF_AN_ITEM: usize = 160;
/// Readings of one message weigh no more, unless it is only one.
const LARGEST_PIECE: usize = 32 << 10;

#[derive(Debug)]
pub enum What {
    Heard { heard: Heard, boot: Boot, time: Wall },
    Record(Entry),
}

#[derive(Debug)]
pub struct Item {
    pub stream: Stream,
    /// The first and the last number; a record has one.
    pub first: u64,
    pub last: u64,
    pub device: Option<DeviceNo>,
    pub what: What,
    /// In bytes, its text included.
    pub weight: usize,
    text: OnceLock<Box<str>>,
}

impl Item {
    pub fn heard(now: &Now, first: u64, heard: Heard) -> Item {
        let last = first + (heard.readings.len() as u64).saturating_sub(1);
        let values: usize = heard.readings.iter().map(weight).sum();
        let (device, time) = (Some(heard.device), now.wall_at(heard.at));
        let what = What::Heard { heard, boot: now.boot, time };
        Item::new(Stream::Telemetry, first, last, device, what, values)
    }

    pub fn record(no: u64, entry: Entry) -> Item {
        let text = length(&entry);
        Item::new(entry.record.stream(), no, no, entry.of, What::Record(entry), 2 * text)
    }

    fn new(stream: Stream, first: u64, last: u64, device: Option<DeviceNo>, what: What, weight: usize) -> Item {
        let weight = size_of::<Item>() + TEXT_OF_AN_ITEM + weight;
        Item { stream, first, last, device, what, weight, text: OnceLock::new() }
    }

    /// As it is shown; made by the first who shows it.
    pub fn text(&self, make: impl FnOnce(&Item) -> String) -> &str {
        self.text.get_or_init(|| make(self).into_boxed_str())
    }
}

/// Records first: what a device did may be known by them.
pub fn items(now: &Now, readings: Vec<(u64, Heard)>, records: Vec<(u64, Entry)>) -> Vec<Item> {
    let records = records.into_iter().map(|(no, entry)| Item::record(no, entry));
    let readings = readings.into_iter().flat_map(|(first, heard)| pieces(first, heard));
    records.chain(readings.map(|(first, heard)| Item::heard(now, first, heard))).collect()
}

/// What comes in one arrival may be too much for one message.
pub fn pieces(mut first: u64, heard: Heard) -> Vec<(u64, Heard)> {
    let Heard { device, at, readings } = heard;
    let (mut pieces, mut rest) = (Vec::new(), readings.into_iter());
    while rest.len() > 0 {
        let count = fitting(rest.as_slice());
        let readings: Vec<Reading> = rest.by_ref().take(count).collect();
        pieces.push((first, Heard { device, at, readings }));
        first += count as u64;
    }
    pieces
}

/// How many of them make a message; at least one.
fn fitting(readings: &[Reading]) -> usize {
    let mut bytes = 0;
    let more = readings.iter().position(|reading| {
        bytes += weight(reading);
        bytes > LARGEST_PIECE
    });
    more.map_or(readings.len(), |count| count.max(1))
}

/// In memory, and once more as text.
fn weight(reading: &Reading) -> usize {
    size_of::<Reading>() + 2 * reading.value.weight() + TEXT_OF_A_READING
}

/// Bytes as text.
fn length(entry: &Entry) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // What cannot be written as text is shown as less than this.
    let _ = serde_json::to_writer(&mut count, entry);
    count.0
}
