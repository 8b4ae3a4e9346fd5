//! Nothing grows for ever, nothing goes in silence: bounds with their gap records, and what readers let go.

use super::torn_disk::TornDisk;
use super::words::*;
use crate::model::*;
use crate::store::{Bounds, Settings};

fn bounded(vital: u64, events: u64, telemetry: u64) -> Settings {
    Settings { bounds: Bounds { vital, events, telemetry }, ..Settings::default() }
}

#[test]
fn events_beyond_the_bound_go_a_sixteenth_at_once_under_an_exact_gap() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, bounded(100, 64, 100), 0);
    for i in 1..=64 {
        store.commit(&at(i), &[seen(i, i)], false).unwrap();
    }
    assert_eq!(gaps(&store.snapshots()), []);
    store.commit(&at(65), &[seen(65, 65)], false).unwrap();
    let snapshots = store.snapshots();
    let gap = gaps(&snapshots).remove(0);
    assert_eq!((gap.stream, gap.why, gap.exact), (Stream::Events, GapReason::Bound, true));
    assert_eq!((gap.first, gap.last, gap.count, gap.from, gap.to), (1, 5, 5, at(1), at(5)));
    assert_eq!(seqs(&snapshots, Stream::Events), (6..=65).collect::<Vec<_>>());
    assert_eq!(snapshots.page(Stream::Events, 1, 1).unwrap().first_held, 6);
}

#[test]
fn telemetry_goes_by_blocks_and_its_gap_says_how_many_readings_and_from_when_to_when() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, bounded(100, 100, 32), 0);
    for i in 1..=33 {
        store.gather(&at(100 * i), heard(100 * i - 7, 3));
        store.gather(&at(100 * i), heard(100 * i - 9, 2));
        store.commit(&at(100 * i), &[], true).unwrap();
    }
    let gap = gaps(&store.snapshots()).remove(0);
    assert_eq!((gap.stream, gap.first, gap.last, gap.count, gap.exact), (Stream::Telemetry, 1, 15, 15, true));
    assert_eq!((gap.from, gap.to), (at(91), at(293)));
    let left = readings(&store.snapshots());
    assert_eq!((left.first().map(|r| r.0), left.last().map(|r| r.0), left.len()), (Some(16), Some(165), 150));
}

#[test]
fn vital_is_full_before_its_bound_and_local_results_displace_the_oldest() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, bounded(64, 100, 100), 0);
    for i in 1..=59 {
        store.commit(&at(i), &[result(i, i)], false).unwrap();
    }
    assert!(!store.vital_full());
    store.commit(&at(60), &[result(60, 60)], false).unwrap();
    assert!(store.vital_full());
    let changes: Vec<Change> = (61..=65).map(|i| result(i, i)).collect();
    store.commit(&at(65), &changes, false).unwrap();
    let snapshots = store.snapshots();
    let gap = gaps(&snapshots).remove(0);
    assert_eq!((gap.stream, gap.first, gap.last, gap.count, gap.exact), (Stream::Vital, 1, 5, 5, true));
    assert_eq!((gap.from, gap.to), (at(1), at(5)));
    assert_eq!(seqs(&snapshots, Stream::Vital), (6..=66).collect::<Vec<_>>());
    assert!(store.vital_full());
}

#[test]
fn what_is_held_stays_within_its_bounds_however_long_it_runs() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, bounded(20, 30, 40), 0);
    let mut size = 0;
    for i in 1..=600 {
        store.gather(&at(i), heard(i, 20));
        store.commit(&at(i), &[seen(i, i), result(i, i)], true).unwrap();
        for stream in Stream::ALL {
            let rows = store.heads.of(stream).rows;
            assert!(rows <= store.settings.bounds.of(stream) + 2, "{stream:?} holds {rows}");
        }
        if i == 300 {
            size = disk.seen().len();
        }
    }
    assert_eq!(disk.seen().len(), size, "the file does not grow any more");
    // Every reading is there, or in exactly one gap that can still be read, or its gap was displaced in turn.
    let held = readings(&store.snapshots());
    assert_eq!(held.last().map(|r| r.0), Some(12_000));
    assert!(held.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
}

#[test]
fn the_slowest_reader_that_wants_a_stream_decides_what_may_go() {
    let disk = TornDisk::default();
    let readers = vec![
        reader("fast", &Stream::ALL),
        reader("slow", &[Stream::Events, Stream::Telemetry]),
        reader("other", &[Stream::Vital]),
    ];
    let settings = Settings { readers, block_readings: 10, ..Settings::default() };
    let (mut store, _) = open(&disk, settings, 0);
    for i in 0..4 {
        store.gather(&at(i), heard(i, 10));
    }
    store.commit(&at(5), &(1..=8).map(|i| seen(i, i)).collect::<Vec<_>>(), true).unwrap();
    let fast = [passed("fast", Stream::Events, 8), passed("fast", Stream::Telemetry, 40)];
    store.commit(&at(6), &fast, false).unwrap();
    let snapshots = store.snapshots();
    assert_eq!((seqs(&snapshots, Stream::Events).len(), readings(&snapshots).len()), (8, 40));

    let slow = [passed("slow", Stream::Events, 3), passed("slow", Stream::Telemetry, 25)];
    store.commit(&at(7), &slow, false).unwrap();
    assert_eq!(seqs(&snapshots, Stream::Events), [4, 5, 6, 7, 8]);
    // A block goes whole: 21 to 25 stand in one with 26 to 30.
    assert_eq!(readings(&snapshots).first().map(|r| r.0), Some(21));
    assert_eq!(store.heads.telemetry.rows, 2);

    // Never back.
    store.commit(&at(8), &[passed("slow", Stream::Events, 1)], false).unwrap();
    assert!(snapshots.cursors().unwrap().contains(&(name("slow"), Stream::Events, 3)));
    store.commit(&at(9), &[passed("slow", Stream::Telemetry, 30)], false).unwrap();
    assert_eq!(readings(&snapshots).first().map(|r| r.0), Some(31));
    assert_eq!(gaps(&snapshots), [], "what everybody has is not missing");
}

#[test]
fn without_readers_nothing_goes_but_by_bounds() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings::default(), 0);
    store.commit(&at(1), &[seen(1, 1), passed("up", Stream::Events, 1)], false).unwrap();
    assert_eq!(seqs(&store.snapshots(), Stream::Events), [1]);
}

#[test]
fn readings_passed_before_they_were_on_disk_are_not_kept() {
    let disk = TornDisk::default();
    let settings = Settings { readers: vec![reader("up", &Stream::ALL)], ..Settings::default() };
    let (mut store, _) = open(&disk, settings, 0);
    store.gather(&at(1), heard(1, 10));
    assert_eq!(store.sendable_to(), 10);
    store.commit(&at(2), &[passed("up", Stream::Telemetry, 10)], true).unwrap();
    assert_eq!((readings(&store.snapshots()).len(), store.heads.telemetry.rows), (0, 0));
}

#[test]
fn readings_that_memory_could_not_hold_are_told_with_the_next_commit() {
    let disk = TornDisk::default();
    let (mut store, _) = open(&disk, Settings { held: 30, ..Settings::default() }, 0);
    for i in 1..=5 {
        store.gather(&at(i), heard(i, 10));
    }
    store.commit(&at(6), &kept(1), false).unwrap();
    let gap = gaps(&store.snapshots()).remove(0);
    assert_eq!((gap.why, gap.first, gap.last, gap.count, gap.exact), (GapReason::Memory, 1, 20, 20, true));
    assert_eq!((gap.from, gap.to), (at(1), at(2)));
    store.commit(&at(7), &[], true).unwrap();
    assert_eq!(readings(&store.snapshots()).iter().map(|r| r.0).collect::<Vec<_>>(), (21..=50).collect::<Vec<_>>());
    assert_eq!(gaps(&store.snapshots()).len(), 1);
}
