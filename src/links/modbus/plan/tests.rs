//! Plans: what always holds of them, that no others are shorter, and what is learnt of a device that refuses.

mod learning;
mod rivals;

use proptest::prelude::*;

use super::*;
use crate::document::Placed;
use crate::profile::modbus::{Form, Order, Range};

fn spot(table: Table, at: u16, count: u16) -> Spot {
    Spot { table, at, count, form: Form::Bytes, bits: None, order: Order::BIG, write: None, read_back: false }
}

fn holding(rows: &[(u16, u16)]) -> Vec<Spot> {
    rows.iter().map(|(at, count)| spot(Table::Holding, *at, *count)).collect()
}

fn blocks(plan: &Plan) -> Vec<(u16, u16)> {
    plan.requests.iter().map(|request| (request.block.at, request.block.count)).collect()
}

fn speaks(gap: u16, most: u16, forbid: &[(u16, u16)]) -> Speaks {
    let mut speaks = Speaks { gap, most_registers: most, ..Speaks::default() };
    speaks.forbid.holding = forbid.iter().map(|(from, to)| Placed::from(Range { from: *from, to: *to })).collect();
    speaks
}

fn planned(rows: &[(u16, u16)], speaks: &Speaks) -> Vec<(u16, u16)> {
    blocks(&requests(&holding(rows), &Bounds::of(speaks)))
}

#[test]
fn neighbours_come_together_and_gaps_as_far_as_allowed() {
    let rows = [(0, 2), (2, 2), (6, 2), (20, 1)];
    assert_eq!(planned(&rows, &speaks(0, 125, &[])), [(0, 4), (6, 2), (20, 1)]);
    assert_eq!(planned(&rows, &speaks(2, 125, &[])), [(0, 8), (20, 1)]);
    assert_eq!(planned(&rows, &speaks(12, 125, &[])), [(0, 21)]);
    assert_eq!(planned(&rows, &speaks(124, 8, &[])), [(0, 8), (20, 1)]);
}

#[test]
fn nothing_forbidden_is_read_over_and_what_is_forbidden_is_left_out() {
    let speaks = speaks(124, 125, &[(4, 4), (20, 29)]);
    let plan = requests(&holding(&[(0, 2), (3, 2), (6, 2), (18, 2), (25, 2), (30, 1)]), &Bounds::of(&speaks));
    assert_eq!(blocks(&plan), [(0, 2), (6, 14), (30, 1)]);
    assert_eq!(plan.left_out, [1, 4]);
}

#[test]
fn where_a_profile_counts_from_one_so_do_its_forbidden_ranges() {
    let speaks = Speaks { base: 1, ..speaks(124, 125, &[(3, 3)]) };
    assert_eq!(planned(&[(0, 2), (3, 1)], &speaks), [(0, 2), (3, 1)], "number 3 is address 2");
}

#[test]
fn of_the_fewest_requests_the_one_that_reads_least() {
    // Two requests either way; the greedy one would read 0-9 and 12.
    assert_eq!(planned(&[(0, 1), (9, 1), (12, 1)], &speaks(124, 10, &[])), [(0, 1), (9, 4)]);
}

#[test]
fn a_value_is_never_split_and_values_within_values_come_with_them() {
    let rows = [(0, 100), (50, 4), (51, 1), (99, 1), (100, 60)];
    assert_eq!(planned(&rows, &speaks(0, 125, &[])), [(0, 100), (100, 60)]);
    let plan = requests(&holding(&rows), &Bounds::of(&speaks(0, 125, &[])));
    assert_eq!(plan.requests[0].points, [0, 1, 2, 3]);
    assert_eq!(plan.requests[0].block.part(&holding(&rows)[1]), Some(50..54));
    assert_eq!(plan.requests[1].block.part(&holding(&rows)[1]), None);
}

#[test]
fn each_table_is_read_for_itself_and_bits_lie_closer() {
    let spots =
        [spot(Table::Coil, 0, 1), spot(Table::Discrete, 0, 1), spot(Table::Coil, 700, 1), spot(Table::Input, 1, 1)];
    let plan = requests(&spots, &Bounds::of(&Speaks::default()));
    let of: Vec<(Table, u16)> =
        plan.requests.iter().map(|request| (request.block.table, request.block.count)).collect();
    assert_eq!(of, [(Table::Coil, 701), (Table::Discrete, 1), (Table::Input, 1)]);
}

#[test]
fn the_last_register_can_be_read() {
    assert_eq!(planned(&[(65_535, 1), (65_500, 2)], &speaks(50, 125, &[])), [(65_500, 36)]);
}

fn some_spots() -> impl Strategy<Value = Vec<Spot>> {
    let table = (0..4usize).prop_map(|no| Table::ALL[no]);
    let spot = (table, 0..400u16, 1..7u16)
        .prop_map(|(table, at, count)| spot(table, at, if table.is_bits() { 1 } else { count }));
    proptest::collection::vec(spot, 0..60)
}

fn some_speaks() -> impl Strategy<Value = Speaks> {
    let ranges = proptest::collection::vec((0..400u16, 0..20u16), 0..5);
    (0..60u16, 1..126u16, 1..300u16, ranges).prop_map(|(gap, most, most_bits, ranges)| {
        let ends = ranges.iter().map(|(from, long)| (*from, from + long)).collect::<Vec<_>>();
        let mut speaks = Speaks { most_bits, ..speaks(gap, most, &ends) };
        speaks.forbid.coil = speaks.forbid.holding.clone();
        speaks
    })
}

proptest! {
    #[test]
    fn every_point_is_in_one_request_that_the_device_allows(spots in some_spots(), speaks in some_speaks()) {
        let plan = requests(&spots, &Bounds::of(&speaks));
        let mut told: Vec<usize> = plan.requests.iter().flat_map(|request| request.points.clone()).collect();
        told.extend(&plan.left_out);
        told.sort_unstable();
        prop_assert_eq!(told, (0..spots.len()).collect::<Vec<_>>());
        for Request { block, points } in &plan.requests {
            prop_assert!(block.count >= 1 && block.count <= speaks.most(block.table));
            prop_assert!(points.iter().all(|place| block.part(&spots[*place]).is_some()), "a value is whole");
            let touched = |no: u16| u32::from(no) >= u32::from(block.at) && u32::from(no) < block.end();
            prop_assert!(!speaks.forbidden(block.table).any(|(from, to)| (from..=to).any(touched)));
            let wanted = |no: u32| points.iter().any(|place| (u32::from(spots[*place].at)..spots[*place].end()).contains(&no));
            let most = u32::from(speaks.gap) * if block.table.is_bits() { 16 } else { 1 };
            let mut idle = 0;
            for no in u32::from(block.at)..block.end() {
                idle = if wanted(no) { 0 } else { idle + 1 };
                prop_assert!(idle <= most, "{idle} registers are read over");
            }
            prop_assert!(wanted(u32::from(block.at)) && wanted(block.end() - 1), "nothing is read around them");
        }
        for place in &plan.left_out {
            let one = requests(&[spots[*place]], &Bounds::of(&speaks));
            prop_assert!(one.requests.is_empty(), "it could have been read by itself");
        }
    }

    #[test]
    fn the_order_of_points_does_not_matter(spots in some_spots(), speaks in some_speaks()) {
        let bounds = Bounds::of(&speaks);
        let mut turned = spots.clone();
        turned.reverse();
        let sorted = |plan: Plan| plan.requests.iter().map(|request| request.block).collect::<Vec<_>>();
        prop_assert_eq!(sorted(requests(&spots, &bounds)), sorted(requests(&turned, &bounds)));
    }
}
