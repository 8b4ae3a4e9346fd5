//! What is counted, and how it is told.

use std::collections::BTreeSet;
use std::time::Duration;

use super::seen::{Filled, LinkSeen, OTHER, bounded};
use super::*;
use crate::model::{Gap, Now};

fn link(name: &str, heard: u64) -> LinkSeen {
    LinkSeen { name: name.into(), up: 1, heard, credits: Filled { holds: 3, most: 4 }, ..LinkSeen::default() }
}

#[test]
fn names_follow_the_conventions_and_none_is_there_twice() {
    let names: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    for family in FAMILIES {
        assert!(family.name.starts_with("dmgw_") && family.says.ends_with('.'), "{}", family.name);
        assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
    }
}

#[test]
fn links_beyond_the_bound_are_summed_and_nothing_of_them_is_lost() {
    let links: Vec<LinkSeen> = (1..=5).map(|no| link(&format!("l{no}"), no)).collect();
    assert_eq!(bounded(links.clone(), 5), links);
    let shown = bounded(links, 2);
    let names: Vec<&str> = shown.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["l1", "l2", OTHER]);
    assert_eq!((shown[2].heard, shown[2].up, shown[2].credits), (12, 3, Filled { holds: 9, most: 12 }));
}

#[test]
fn a_link_that_is_called_other_never_stands_there_beside_the_sum() {
    let shown = bounded(vec![link(OTHER, 1), link("a", 2), link("b", 4)], 2);
    let told: Vec<(&str, u64)> = shown.iter().map(|link| (link.name.as_str(), link.heard)).collect();
    assert_eq!(told, [("a", 2), ("b", 4), (OTHER, 1)]);
    assert_eq!(bounded(vec![link(OTHER, 1)], 1), [link(OTHER, 1)]);
}

#[test]
fn how_long_something_took_is_counted_under_every_end_above_it() {
    let spans = Spans::default();
    for millis in [1, 7, 60_000] {
        spans.add(Duration::from_millis(millis));
    }
    let spread = spans.spread();
    let at = |end: f64| spread.within.iter().find(|(known, _)| *known == end).map(|(_, count)| *count);
    assert_eq!(
        (at(0.001), at(0.005), at(0.01), at(5.0), at(f64::INFINITY)),
        (Some(1), Some(1), Some(2), Some(2), Some(3))
    );
    assert!((spread.seconds - 60.008).abs() < 1e-9);
}

#[test]
fn a_count_of_what_is_there_never_falls_below_nothing() {
    let count = Count::default();
    count.down();
    count.add(2);
    count.down();
    assert_eq!(count.get(), 1);
}

#[test]
fn only_a_gap_that_knows_how_many_adds_to_what_is_lost() {
    let gap = |exact| {
        let (stream, why) = (Stream::Telemetry, GapReason::Crash);
        let (from, to) = (Now::default(), Now::default());
        Record::Gap(Gap { stream, why, first: 1, last: 9, count: 9, exact, from, to })
    };
    let (store, mut tally) = (OfStore::default(), Tally::default());
    [true, false].into_iter().for_each(|exact| tally.gap(&gap(exact)));
    tally.gap(&Record::Settings { says: "no gap".into() });
    store.add(&tally);
    assert_eq!((store.lost.get(), store.gaps[0].get()), (9, 2));
}

#[test]
fn a_status_counts_under_its_first_figure_and_nonsense_nowhere() {
    let door = OfDoor::default();
    [200, 204, 404, 0, 99, 600].into_iter().for_each(|status| door.answered(status));
    assert_eq!(door.requests.each_ref().map(Count::get), [0, 2, 0, 1, 0]);
}

#[test]
fn a_strange_name_cannot_break_the_form() {
    let seen = Seen { links: vec![link("a\"b\\c\nd", 3)], ..Seen::default() };
    let text = text::written(&seen);
    assert!(text.contains("dmgw_link_readings_total{link=\"a\\\"b\\\\c\\nd\"} 3\n"), "{text}");
}
