//! What the tests of the store talk about: a moment, a device, a command, readings.

use std::sync::Arc;
use std::time::Duration;

use crate::model::command::Expiry;
use crate::model::record::Entry;
use crate::model::*;
use crate::seal::Seal;
use crate::store::{JournalId, Opened, Opening, Page, Reader, Records, Settings, Snapshots, Store};

use super::torn_disk::TornDisk;

pub fn at(mono: u64) -> Now {
    Now { mono: Mono(mono), boot: Boot(1), wall: Wall(1_000_000 + mono), quality: ClockQuality::Set }
}

pub fn opening(mono: u64) -> Opening {
    Opening {
        boot_id: [1; 16],
        journal: JournalId([mono as u8; 16]),
        mono: Mono(mono),
        wall: Wall(1_000_000 + mono),
        quality: ClockQuality::Set,
        seal: Seal::new(&[7; 32]).into(),
    }
}

pub fn open(disk: &TornDisk, settings: Settings, mono: u64) -> (Store, Opened) {
    Store::open_on(disk.clone(), settings, &opening(mono)).unwrap()
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn reader(text: &str, streams: &[Stream]) -> Reader {
    Reader { name: name(text), streams: streams.to_vec() }
}

pub fn device(no: u32) -> Device {
    let place = Place { link: name("meters"), address: Address::new("7").unwrap() };
    let id = DeviceId::new(&format!("urn:x:{no}")).unwrap();
    Device { place: Some(place), shape: ShapeNo(1), ..Device::new(DeviceNo(no), id, LifeCycle::Managed, &at(5)) }
}

pub fn command(no: u64) -> Command {
    let id = CommandId::new(&format!("c-{no}")).unwrap();
    let whom = Whom::Device { no: DeviceNo(1), id: DeviceId::new("urn:x:1").unwrap() };
    Command {
        expires: Expiry { wall: Wall(9_000_000), mono: Mono(9_000) },
        timeout: Duration::from_secs(5),
        ..Command::new(CommandNo(no), id, name("somebody"), whom, Operation::Locate, at(5))
    }
}

/// One for each variant that holds state.
pub fn kept(no: u32) -> Vec<Change> {
    let capabilities = Arc::new(Capabilities::default());
    vec![
        Change::Shape { no: ShapeNo(no), capabilities },
        Change::Device(Arc::new(device(no))),
        Change::Command(Arc::new(command(no.into()))),
    ]
}

pub fn result(no: u64, mono: u64) -> Change {
    let record = Record::Result {
        command: CommandId::new(&format!("c-{no}")).unwrap(),
        device: DeviceId::new("urn:x:1").ok(),
        operation: "locate".into(),
        state: CommandState::Done,
        outcome: None,
        by: None,
        from: None,
        proven: None,
    };
    Change::Record(Entry { at: at(mono), of: None, record })
}

pub fn seen(no: u64, mono: u64) -> Change {
    let record = Record::DeviceUp { device: DeviceId::new(&format!("urn:x:{no}")).unwrap() };
    Change::Record(Entry { at: at(mono), of: None, record })
}

pub fn passed(who: &str, stream: Stream, seq: u64) -> Change {
    Change::Passed { reader: name(who), stream, seq }
}

pub fn heard(mono: u64, readings: usize) -> Heard {
    let reading = |i| Reading {
        point: PointNo(i as u16),
        value: Value::Int((mono * 1000) as i64 + i as i64),
        quality: Quality::Good,
        source: None,
    };
    Heard { device: DeviceNo(1), at: Mono(mono), readings: (0..readings).map(reading).collect() }
}

pub fn entries(page: &Page) -> Vec<(u64, Entry)> {
    let Records::Entries(entries) = &page.records else { panic!("entries were asked for") };
    entries.clone()
}

pub fn seqs(snapshots: &Snapshots, stream: Stream) -> Vec<u64> {
    entries(&snapshots.page(stream, 0, usize::MAX).unwrap()).into_iter().map(|(seq, _)| seq).collect()
}

/// Every reading on disk with its number.
pub fn readings(snapshots: &Snapshots) -> Vec<(u64, Value)> {
    let (mut from, mut all) = (0, Vec::new());
    loop {
        let page = snapshots.page(Stream::Telemetry, from, 7).unwrap();
        let Records::Readings(blocks) = page.records else { panic!("readings were asked for") };
        if blocks.is_empty() {
            return all;
        }
        for block in blocks {
            let values = block.arrivals.iter().flat_map(|heard| &heard.readings).map(|reading| reading.value.clone());
            all.extend((block.seq..).zip(values));
        }
        assert!(page.go_on > from, "a page goes on");
        from = page.go_on;
    }
}

pub fn gaps(snapshots: &Snapshots) -> Vec<Gap> {
    let page = snapshots.page(Stream::Vital, 0, usize::MAX).unwrap();
    let gap = |(_, entry): (u64, Entry)| if let Record::Gap(gap) = entry.record { Some(gap) } else { None };
    entries(&page).into_iter().filter_map(gap).collect()
}
