//! What is learnt of a device from its refusals. The device here is a set of registers that it knows, and of places over
//! which it does not read.

use std::collections::BTreeSet;

use super::*;
use crate::model::Mono;

struct Device {
    unknown: BTreeSet<u32>,
    /// It gives what lies before and what lies from here on, but not at once.
    walls: BTreeSet<u32>,
    asked: usize,
}

impl Device {
    fn new(unknown: impl IntoIterator<Item = u32>, walls: impl IntoIterator<Item = u32>) -> Device {
        Device { unknown: unknown.into_iter().collect(), walls: walls.into_iter().collect(), asked: 0 }
    }

    fn gives(&mut self, block: &Block) -> bool {
        self.asked += 1;
        let (from, end) = (u32::from(block.at), block.end());
        self.unknown.range(from..end).next().is_none() && self.walls.range(from + 1..end).next().is_none()
    }

    fn knows(&self, spot: &Spot) -> bool {
        self.unknown.range(u32::from(spot.at)..spot.end()).next().is_none()
            && self.walls.range(u32::from(spot.at) + 1..spot.end()).next().is_none()
    }
}

#[derive(Default)]
struct Polled {
    read: BTreeSet<usize>,
    bad: BTreeSet<usize>,
    back: BTreeSet<usize>,
}

/// One poll: what a driver does with what it is told.
fn poll(device: &mut Device, known: &mut Blocks, spots: &[Spot], bounds: &Bounds, now: u64) -> Polled {
    let mut polled = Polled::default();
    let mut waiting = known.plan(spots, bounds, Mono(now)).requests;
    while let Some(request) = waiting.pop() {
        let learnt = if device.gives(&request.block) {
            polled.read.extend(&request.points);
            known.answered(&request)
        } else {
            known.refused(&request, spots, Mono(now))
        };
        match learnt {
            Learnt::Nothing => {}
            Learnt::Halves(halves) => waiting.extend(halves),
            Learnt::Bad(points) => polled.bad.extend(points),
            Learnt::Back(points) => polled.back.extend(points),
        }
    }
    polled
}

fn rows(count: u16) -> Vec<Spot> {
    (0..count).map(|no| spot(Table::Holding, 2 * no, 2)).collect()
}

#[test]
fn the_bad_point_is_found_in_few_requests_named_once_and_left_alone() {
    let (spots, bounds) = (rows(60), Bounds::of(&Speaks::default()));
    let (mut device, mut known) = (Device::new([74], []), Blocks::default());
    let first = poll(&mut device, &mut known, &spots, &bounds, 0);
    assert_eq!((first.bad, first.read.len()), (BTreeSet::from([37]), 59));
    assert!(device.asked <= 1 + 2 * 6, "{} requests for one of 60", device.asked);
    device.asked = 0;
    let second = poll(&mut device, &mut known, &spots, &bounds, 1_000);
    assert_eq!((device.asked, second.read.len()), (2, 59), "around it, whole again");
    assert!(second.bad.is_empty() && known.is_bad(&spots[37]) && !known.is_bad(&spots[36]));
}

#[test]
fn a_bad_point_is_asked_for_more_and_more_rarely_and_may_come_back() {
    let (spots, bounds) = (rows(4), Bounds::of(&Speaks::default()));
    let (mut device, mut known) = (Device::new([2], []), Blocks::default());
    poll(&mut device, &mut known, &spots, &bounds, 0);
    let mut asked_at = Vec::new();
    for minute in 1..=200 {
        device.asked = 0;
        let polled = poll(&mut device, &mut known, &spots, &bounds, minute * 60_000);
        assert!(polled.bad.is_empty(), "it is told once");
        if device.asked > 2 {
            asked_at.push(minute);
        }
    }
    assert_eq!(asked_at, [1, 3, 7, 15, 31, 63, 123, 183]);
    device.unknown.clear();
    let polled = poll(&mut device, &mut known, &spots, &bounds, 300 * 60_000);
    assert_eq!((polled.back, polled.read.len()), (BTreeSet::from([1]), 4));
    device.asked = 0;
    poll(&mut device, &mut known, &spots, &bounds, 301 * 60_000);
    assert_eq!(device.asked, 1, "as if nothing had been");
}

#[test]
fn a_gap_that_cannot_be_read_over_is_read_around_and_no_point_is_bad() {
    let spots: Vec<Spot> = [0, 2, 4, 20, 22, 40].map(|at| spot(Table::Holding, at, 2)).to_vec();
    let bounds = Bounds::of(&Speaks::default());
    let (mut device, mut known) = (Device::new([10], []), Blocks::default());
    let polled = poll(&mut device, &mut known, &spots, &bounds, 0);
    assert_eq!((polled.read.len(), polled.bad.len(), device.asked), (6, 0, 3), "the gap is suspected first");
    device.asked = 0;
    assert_eq!(poll(&mut device, &mut known, &spots, &bounds, 1_000).read.len(), 6);
    assert_eq!(device.asked, 2);
    // It may have had another reason.
    device.unknown.clear();
    device.asked = 0;
    poll(&mut device, &mut known, &spots, &bounds, 3_700_000);
    assert_eq!(device.asked, 1);
}

#[test]
fn values_that_share_registers_are_judged_together() {
    let spots = [spot(Table::Holding, 0, 4), spot(Table::Holding, 1, 1), spot(Table::Holding, 4, 1)];
    let bounds = Bounds::of(&Speaks::default());
    let (mut device, mut known) = (Device::new([3], []), Blocks::default());
    let polled = poll(&mut device, &mut known, &spots, &bounds, 0);
    assert_eq!((polled.bad, polled.read), (BTreeSet::from([0, 1]), BTreeSet::from([2])));
    // One of them by itself is tried when its time has come.
    let polled = poll(&mut device, &mut known, &spots[1..2], &bounds, 30_000);
    assert!(polled.read.is_empty());
    let polled = poll(&mut device, &mut known, &spots, &bounds, 60_000);
    assert!(polled.back.is_empty() && known.is_bad(&spots[1]));
}

#[test]
fn a_device_that_refuses_everything_is_left_alone() {
    let (spots, bounds) = (rows(50), Bounds::of(&Speaks::default()));
    let (mut device, mut known) = (Device::new(0..100, []), Blocks::default());
    let polled = poll(&mut device, &mut known, &spots, &bounds, 0);
    assert_eq!((polled.bad.len(), device.asked), (50, 99));
    device.asked = 0;
    poll(&mut device, &mut known, &spots, &bounds, 1_000);
    assert_eq!(device.asked, 0);
}

proptest! {
    #[test]
    fn whatever_a_device_refuses_all_that_it_knows_is_read_and_only_the_rest_is_bad(
        at in proptest::collection::btree_set(0..100u16, 1..40),
        unknown in proptest::collection::btree_set(0..200u32, 0..6),
        walls in proptest::collection::btree_set(0..200u32, 0..4),
        gap in 0..20u16,
    ) {
        let spots: Vec<Spot> = at.iter().map(|no| spot(Table::Holding, 2 * no, 1 + no % 2)).collect();
        let bounds = Bounds::of(&speaks(gap, 125, &[]));
        let (mut device, mut known) = (Device::new(unknown, walls), Blocks::default());
        let knows: BTreeSet<usize> = (0..spots.len()).filter(|no| device.knows(&spots[*no])).collect();
        // Each poll settles something, until nothing is refused any more.
        let mut bad = BTreeSet::new();
        for no in 0..20 {
            let polled = poll(&mut device, &mut known, &spots, &bounds, no);
            prop_assert_eq!(&polled.read, &knows, "each poll gives all that there is");
            prop_assert!(polled.bad.is_disjoint(&bad), "it is named once");
            bad.extend(polled.bad);
        }
        let all: BTreeSet<usize> = (0..spots.len()).collect();
        prop_assert_eq!(&bad, &(&all - &knows));
        device.asked = 0;
        let plan = known.plan(&spots, &bounds, Mono(20));
        prop_assert!(plan.requests.iter().all(|request| device.gives(&request.block)), "nothing is refused any more");
    }
}

proptest! {
    #[test]
    fn a_cut_parts_exactly_the_requests_that_would_read_over_it(
        cuts in proptest::collection::vec((0..60u16, 1..5u16), 0..8), from in 0..60u16, long in 1..60u32,
    ) {
        let of = |(before, gap): &(u16, u16)| (Table::Holding, *before, before + gap);
        let bounds = Bounds::of(&speaks(124, 125, &[])).without(cuts.iter().map(of), std::iter::empty());
        let end = u32::from(from) + long;
        let over = cuts.iter().any(|(before, gap)| from <= *before && u32::from(before + gap) < end);
        prop_assert_eq!(bounds.table(Table::Holding).allows(from, end), !over);
    }
}
