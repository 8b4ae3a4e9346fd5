//! The feed, by itself: what is held, for how long, and what a listener finds.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::ring::LINGERS;
use super::*;
use crate::model::record::Record;
use crate::model::{DeviceNo, Mono, Name, PointNo, Quality, Reading, Value};

const ALL: [bool; 3] = [true; 3];

fn at(seconds: u64) -> Now {
    Now { mono: Mono(seconds * 1_000), ..Now::default() }
}

fn heard(readings: usize) -> Heard {
    let reading = |no| Reading { point: PointNo(no), value: Value::Int(7), quality: Quality::Good, source: None };
    Heard { device: DeviceNo(1), at: Mono(0), readings: (0..readings as u16).map(reading).collect() }
}

fn up() -> Entry {
    Entry { at: Now::default(), of: None, record: Record::LinkUp { link: Name::new("plant").unwrap() } }
}

fn readings(first: u64, count: usize) -> News {
    News { readings: vec![(first, heard(count))], records: Vec::new(), next: [1, 1, first + count as u64] }
}

fn feed(most_bytes: usize) -> (Arc<Feed>, Listener) {
    let feed = Arc::new(Feed::new(most_bytes, 2));
    let listener = feed.listen(true).unwrap();
    feed.put(&at(0), News { next: [1, 1, 1], ..News::default() });
    (feed, listener)
}

/// The numbers of what it finds.
#[track_caller]
fn taken(listener: &mut Listener, position: Numbers) -> Vec<(u64, u64)> {
    match listener.take(&position, &ALL) {
        Taken::Items(items) => items.iter().map(|item| (item.first, item.last)).collect(),
        Taken::Nothing => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn while_nobody_listens_nothing_is_held() {
    let feed = Feed::new(1 << 20, 1);
    assert_eq!(feed.listened(), Listened::default());
    feed.put(&at(0), readings(1, 5));
    assert_eq!((feed.next(), feed.ring().from(&mut 0, 10).len()), (None, 0));
}

#[test]
fn the_first_listener_hears_of_what_comes_after_it() {
    let feed = Arc::new(Feed::new(1 << 20, 1));
    let mut listener = feed.listen(false).unwrap();
    assert_eq!((feed.listened(), feed.next()), (Listened { any: true, records: false }, None));
    feed.put(&at(0), News { next: [4, 5, 60], ..News::default() });
    assert_eq!(feed.next(), Some([4, 5, 60]));
    assert_eq!(taken(&mut listener, [3, 4, 59]), []);
    feed.put(&at(0), News { readings: vec![(60, heard(3))], records: vec![(5, up())], next: [4, 6, 63] });
    assert_eq!(taken(&mut listener, [3, 4, 59]), [(5, 5), (60, 62)]);
    assert_eq!(taken(&mut listener, [3, 5, 62]), []);
}

#[test]
fn beyond_its_memory_the_oldest_go_and_who_wants_them_is_behind() {
    let (feed, mut listener) = feed(8_000);
    (0..100).for_each(|i| feed.put(&at(0), readings(1 + 10 * i, 10)));
    let Taken::Behind(2, first) = listener.take(&[0, 0, 0], &ALL) else { panic!() };
    assert!(first > 900 && first % 10 == 1, "{first}");
    assert_eq!(taken(&mut listener, [0, 0, first - 1]).first(), Some(&(first, first + 9)));
    assert!(matches!(listener.take(&[0, 0, 0], &[true, true, false]), Taken::Nothing));
}

#[test]
fn an_item_that_is_larger_than_the_memory_is_held_by_nobody() {
    let (feed, mut listener) = feed(100);
    feed.put(&at(0), readings(1, 10));
    assert!(matches!(listener.take(&[0, 0, 0], &ALL), Taken::Behind(2, 11)));
    assert!(matches!(listener.take(&[0, 0, 10], &ALL), Taken::Nothing));
}

#[test]
fn numbers_that_are_told_without_what_they_mean_are_to_be_looked_for_elsewhere() {
    let (feed, mut listener) = feed(1 << 20);
    feed.put(&at(0), readings(1, 10));
    feed.put(&at(0), News { next: [1, 1, 30], ..News::default() });
    assert!(matches!(listener.take(&[0, 0, 5], &ALL), Taken::Behind(2, 30)));
    feed.put(&at(0), readings(40, 2));
    assert!(matches!(listener.take(&[0, 0, 29], &ALL), Taken::Behind(2, 40)));
    assert_eq!(taken(&mut listener, [0, 0, 39]).last(), Some(&(40, 41)));
}

#[test]
fn a_while_after_the_last_has_left_nothing_is_held_any_more() {
    let (feed, listener) = feed(1 << 20);
    drop(listener);
    assert_eq!(feed.listened(), Listened { any: true, records: false });
    feed.put(&at(10), readings(1, 10));
    let mut back = feed.listen(true).unwrap();
    assert_eq!(taken(&mut back, [0, 0, 0]), [(1, 10)], "it comes back in time");
    feed.put(&at(11), readings(11, 10));
    drop(back);
    feed.put(&at(12), readings(21, 10));
    feed.put(&(Now { mono: Mono(11_999) + LINGERS, ..at(0) }), readings(31, 10));
    assert!(feed.listened().any);
    feed.put(&(Now { mono: Mono(12_000) + LINGERS, ..at(0) }), readings(41, 10));
    assert_eq!((feed.listened().any, feed.next()), (false, None));
}

#[test]
fn a_place_is_given_back() {
    let (feed, listener) = feed(1 << 20);
    let second = feed.listen(false).unwrap();
    assert!(feed.listen(true).is_none());
    drop((listener, second));
    assert_eq!((feed.listeners(), feed.listened().records), (0, false));
    assert!(feed.listen(true).is_some());
}

#[test]
fn a_text_is_made_once_for_all() {
    let (feed, mut one) = feed(1 << 20);
    let mut other = feed.listen(true).unwrap();
    feed.put(&at(0), readings(1, 3));
    let made = AtomicUsize::new(0);
    for listener in [&mut one, &mut other] {
        let Taken::Items(items) = listener.take(&[0, 0, 0], &ALL) else { panic!() };
        let text = items[0].text(|item| {
            made.fetch_add(1, Ordering::Relaxed);
            format!("{} to {}", item.first, item.last)
        });
        assert_eq!(text, "1 to 3");
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_too_much_for_one_message_comes_as_several() {
    let (feed, mut listener) = feed(1 << 20);
    feed.put(&at(0), readings(1, 1_000));
    let numbers = taken(&mut listener, [0, 0, 0]);
    assert!(numbers.len() > 2, "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
    assert_eq!((numbers[0].0, numbers[numbers.len() - 1].1), (1, 1_000));
}

#[test]
fn what_was_taken_and_found_no_room_comes_again() {
    let (feed, mut listener) = feed(1 << 20);
    (0..4).for_each(|i| feed.put(&at(0), readings(1 + i, 1)));
    assert_eq!(taken(&mut listener, [0, 0, 0]).len(), 4);
    listener.give_back(3);
    assert_eq!(taken(&mut listener, [0, 0, 1]), [(2, 2), (3, 3), (4, 4)]);
}

#[tokio::test]
async fn who_waits_is_woken_by_news_and_by_the_end_and_by_nothing_else() {
    let (feed, mut listener) = feed(1 << 20);
    let soon = Duration::from_millis(20);
    assert!(matches!(listener.take(&[0, 0, 0], &ALL), Taken::Nothing));
    feed.put(&at(1), News { next: [1, 1, 1], ..News::default() });
    assert!(tokio::time::timeout(soon, listener.news()).await.is_err(), "nothing happened");
    feed.put(&at(2), readings(1, 1));
    listener.news().await;
    assert_eq!(taken(&mut listener, [0, 0, 0]), [(1, 1)]);
    feed.close();
    listener.news().await;
    assert!(matches!(listener.take(&[0, 0, 1], &ALL), Taken::Closed));
}
