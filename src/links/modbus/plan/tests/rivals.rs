//! Held against others: every partition there is, for a few points; and for real devices the plan that Telegraf makes by
//! `max_insert`, from its published description: sorted by address, the next field joins the request as long as the hole
//! before it is within the fill and the request does not grow too long.

use super::*;

/// How many requests its plan takes.
fn telegraf(fields: &[(u16, u16)], fill: u32, most: u32) -> usize {
    let mut fields: Vec<(u32, u32)> = fields.iter().map(|(at, count)| ((*at).into(), (*count).into())).collect();
    fields.sort_by_key(|(at, count)| (*at, std::cmp::Reverse(*count)));
    let (mut requests, mut length, mut last_end) = (0, 0, None::<u32>);
    for (at, count) in fields {
        let hole = last_end.map_or(u32::MAX, |end| at.saturating_sub(end));
        if hole <= fill && length + hole + count <= most {
            length += hole + count;
        } else {
            requests += 1;
            length = count;
        }
        last_end = Some(at + count);
    }
    requests
}

fn pairs(first: u16, last: u16) -> Vec<(u16, u16)> {
    (first..=last).step_by(2).map(|at| (at, 2)).collect()
}

/// Eastron SDM630, input registers: what its protocol document lists as floats.
fn sdm630() -> Vec<(u16, u16)> {
    let single = [0x34, 0x38, 0x3c, 0x3e, 0x42, 0x46, 0x48, 0x4a, 0x4c, 0x4e, 0xea, 0xec, 0xee, 0xf8];
    let mut all = [pairs(0x00, 0x22), pairs(0x156, 0x17c)].concat();
    all.extend(single.map(|at| (at, 2)));
    all
}

/// Schneider iEM3000 series, holding registers: floats, and energies of 64 bits.
fn iem3000() -> Vec<(u16, u16)> {
    let floats = [
        0x0bb7, 0x0bb9, 0x0bbb, 0x0bc1, 0x0bd3, 0x0bd5, 0x0bd7, 0x0bdb, 0x0bed, 0x0bef, 0x0bf1, 0x0bf3, 0x0bfb, 0x0c03,
        0x0c25,
    ];
    let energies = [0x0c83, 0x0c87, 0x0c93, 0x0c97, 0x0dbd, 0x0dc1, 0x0dc5];
    floats.map(|at| (at, 2)).into_iter().chain(energies.map(|at| (at, 4))).collect()
}

/// A string inverter of Deye, holding registers: single ones with holes of all sizes.
fn deye() -> Vec<(u16, u16)> {
    let single = [60, 62, 73, 74, 75, 76, 77, 78, 79, 80, 82, 84, 88, 90, 91, 109, 110, 111, 112, 113, 114, 115, 116];
    single.map(|at| (at, 1)).into_iter().chain([(63, 2), (86, 2)]).collect()
}

/// Inepro PRO380, holding registers: two blocks of floats far from each other.
fn pro380() -> Vec<(u16, u16)> {
    [pairs(0x5000, 0x5030), pairs(0x6000, 0x6046)].concat()
}

#[test]
fn no_real_device_takes_more_requests_than_by_the_plan_of_telegraf() {
    for (name, fields) in [("sdm630", sdm630()), ("iem3000", iem3000()), ("deye", deye()), ("pro380", pro380())] {
        for most in [10, 30, 60, 80, 125] {
            for fill in [0, 1, 2, 4, 10, 20, 50, 100] {
                let theirs = telegraf(&fields, fill.into(), most.into());
                let ours = planned(&fields, &speaks(fill, most, &[])).len();
                assert!(ours <= theirs, "{name}, fill {fill}, most {most}: {ours} to {theirs}");
            }
        }
        // As both come.
        assert!(planned(&fields, &Speaks::default()).len() <= telegraf(&fields, 50, 125), "{name}");
    }
    assert_eq!(planned(&sdm630(), &Speaks::default()), [(0, 80), (234, 16), (342, 40)]);
}

#[test]
fn a_profile_of_a_hundred_points_with_gaps_takes_no_more_either() {
    let fields: Vec<(u16, u16)> = (0..100u16).map(|no| (no * 5 + no / 7 * 3 + no / 31 * 60, 1 + no % 2)).collect();
    for fill in [0, 2, 4, 7, 20, 50, 70] {
        let (ours, theirs) = (planned(&fields, &speaks(fill, 125, &[])).len(), telegraf(&fields, fill.into(), 125));
        assert!(ours <= theirs, "fill {fill}: {ours} to {theirs}");
    }
}

/// The oracle itself: it is as its description says.
#[test]
fn the_rival_fills_holes_up_to_its_setting_and_no_more() {
    let fields = [(0, 1), (2, 1), (5, 1), (9, 1)];
    let of = |fill| telegraf(&fields, fill, 125);
    assert_eq!([of(0), of(1), of(2), of(3)], [4, 3, 2, 1]);
    assert_eq!((telegraf(&fields, 50, 9), telegraf(&fields, 50, 10), telegraf(&[], 50, 125)), (2, 1, 0));
}

/// Every way to put these into groups: how many the smallest one has that the device allows.
fn smallest(spots: &[Spot], bounds: &OfTable) -> usize {
    fn place(spots: &[Spot], no: usize, groups: &mut Vec<Vec<Spot>>, bounds: &OfTable, best: &mut usize) {
        if no == spots.len() {
            if groups.iter().all(|group| is_allowed(group, bounds)) {
                *best = (*best).min(groups.len());
            }
            return;
        }
        for group in 0..groups.len() {
            groups[group].push(spots[no]);
            place(spots, no + 1, groups, bounds, best);
            groups[group].pop();
        }
        groups.push(vec![spots[no]]);
        place(spots, no + 1, groups, bounds, best);
        groups.pop();
    }
    let mut best = usize::MAX;
    place(spots, 0, &mut Vec::new(), bounds, &mut best);
    best
}

fn is_allowed(group: &[Spot], bounds: &OfTable) -> bool {
    let mut sorted = group.to_vec();
    sorted.sort_by_key(|spot| spot.at);
    let (mut end, mut near) = (sorted[0].end(), true);
    for spot in &sorted {
        near &= u32::from(spot.at) <= end + u32::from(bounds.gap);
        end = end.max(spot.end());
    }
    near && bounds.allows(sorted[0].at, end)
}

proptest! {
    #[test]
    fn no_partition_at_all_takes_fewer(
        rows in proptest::collection::vec((0..40u16, 1..9u16), 1..7), gap in 0..8u16, most in 8..30u16,
        forbidden in proptest::collection::vec((0..40u16, 0..3u16), 0..2),
    ) {
        let ends: Vec<(u16, u16)> = forbidden.iter().map(|(from, long)| (*from, from + long)).collect();
        let bounds = Bounds::of(&speaks(gap, most, &ends));
        let mut spots = holding(&rows);
        spots.retain(|spot| bounds.table(Table::Holding).allows(spot.at, spot.end()));
        if !spots.is_empty() {
            let plan = requests(&spots, &bounds);
            prop_assert_eq!(plan.requests.len(), smallest(&spots, bounds.table(Table::Holding)));
        }
    }
}
