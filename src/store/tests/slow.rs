//! Snapshots of a slow disk: none lives longer than it may, and what did not come in time comes with the next page.

use std::io;
use std::time::{Duration, Instant};

use super::torn_disk::TornDisk;
use super::words::*;
use crate::model::record::{Entry, Record};
use crate::model::*;
use crate::store::{Page, Records, Settings, Snapshots, Store};

const A_READ: Duration = Duration::from_millis(2);
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3_600);

/// Each read takes a while.
#[derive(Debug)]
struct SlowDisk(TornDisk);

impl redb::StorageBackend for SlowDisk {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
        let _ = never.recv_timeout(A_READ);
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// A store on it whose snapshots may live so long; nearly nothing is kept in memory.
fn slow(holding: &TornDisk, longest_read: Duration) -> Store {
    let settings = Settings { cache: 16 << 10, longest_read, ..Settings::default() };
    let disk = SlowDisk(TornDisk::holding(holding.seen()));
    Store::open_on(disk, settings, &opening(9_000)).unwrap().0
}

fn filled(changes: &[Change], heard: Vec<Heard>) -> TornDisk {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 10);
    for heard in heard {
        store.gather(&at(20), heard);
    }
    store.commit(&at(20), changes, true).unwrap();
    store.close(&at(30)).unwrap();
    disk
}

fn long_record(no: u64) -> Change {
    let says = format!("{no} {}", "x".repeat(3_000));
    Change::Record(Entry { at: at(20), of: Some(DeviceNo(1)), record: Record::Settings { says } })
}

/// All of a stream, page by page, each with the time that it took.
fn pages(snapshots: &Snapshots, stream: Stream) -> Vec<(Page, Duration)> {
    let (mut pages, mut from) = (Vec::new(), 1);
    loop {
        let began = Instant::now();
        let page = snapshots.page(stream, from, 100_000).unwrap();
        let took = began.elapsed();
        let end = page.go_on >= page.next;
        from = page.go_on;
        pages.push((page, took));
        if end {
            return pages;
        }
    }
}

fn numbers(pages: &[(Page, Duration)]) -> Vec<u64> {
    let of = |page: &Page| match &page.records {
        Records::Entries(entries) => entries.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        Records::Readings(_) => panic!("entries"),
    };
    pages.iter().flat_map(|(page, _)| of(page)).collect()
}

#[test]
fn a_page_of_a_slow_disk_is_a_shorter_one_and_the_next_goes_on_behind_it() {
    let disk = filled(&(1..=150).map(long_record).collect::<Vec<_>>(), Vec::new());
    let whole = pages(&slow(&disk, LONG).snapshots(), Stream::Events);
    let short = pages(&slow(&disk, SHORT).snapshots(), Stream::Events);
    assert_eq!(whole.len(), 1, "with time enough it is one page");
    assert_eq!((numbers(&whole), numbers(&short)), ((1..=150).collect(), (1..=150).collect()));
    assert!(short.len() > 3 && short.iter().all(|(page, _)| page.damaged.is_empty()), "{} pages", short.len());
    let longest = short.iter().map(|(_, took)| *took).max().unwrap();
    assert!(longest < whole[0].1 / 2, "{longest:?} of {:?}", whole[0].1);
}

#[test]
fn a_record_that_takes_longer_than_a_snapshot_may_live_is_read_in_several() {
    let value = |i: u64| Value::Float(f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2));
    let reading = |i: u64| Reading { point: PointNo(i as u16), value: value(i), quality: Quality::Good, source: None };
    let heard = Heard { device: DeviceNo(1), at: Mono(20), readings: (0..30_000).map(reading).collect() };
    let disk = filled(&[], vec![heard]);
    let read = |longest| {
        let pages = pages(&slow(&disk, longest).snapshots(), Stream::Telemetry);
        assert!(pages.len() == 1 && pages[0].0.damaged.is_empty());
        let took = pages[0].1;
        let Records::Readings(blocks) = pages.into_iter().next().unwrap().0.records else { panic!() };
        (blocks, took)
    };
    let (whole, took) = read(LONG);
    assert!(took > SHORT, "it is more than one snapshot may take: {took:?}");
    let readings: usize = whole.iter().flat_map(|block| &block.arrivals).map(|heard| heard.readings.len()).sum();
    assert_eq!((whole.len(), readings), (1, 30_000));
    assert_eq!(read(SHORT).0, whole);
    assert_eq!(read(Duration::ZERO).0, whole, "row by row, it comes to an end");
}

#[test]
fn a_log_of_a_slow_disk_is_whole() {
    let disk = filled(&(1..=40).map(long_record).collect::<Vec<_>>(), Vec::new());
    let log = |longest| slow(&disk, longest).snapshots().log(DeviceNo(1)).unwrap();
    assert_eq!(log(LONG).len(), crate::model::record::LONGEST_LOG);
    assert_eq!((log(SHORT), log(Duration::ZERO)), (log(LONG), log(LONG)));
}
