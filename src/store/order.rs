//! The order of the values in a block: by point, then by device, then as they came.
//!
//! A pure function of the arrivals (who spoke, and which points), so encoder and decoder agree without a word stored.
//! A run of values of one point of one device is a *series*; series of one point stand side by side.

/// One arrival: the device, and which of the sets of points it carried.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) device: u32,
    pub(super) set: u32,
}

/// For every value its place among the readings as they came, and whether it opens a series or even a point.
#[derive(Default)]
pub(super) struct Order {
    pub(super) places: Vec<u32>,
    pub(super) opens: Vec<Opens>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Opens {
    #[default]
    Nothing,
    Series,
    Point,
}

/// A set that an arrival names must be there; callers have checked it.
pub(super) fn order(arrivals: &[Arrival], sets: &[Vec<u16>]) -> Order {
    let ranks = ranks(sets);
    let mut ends = vec![0u32; ranks.iter().flatten().max().map_or(0, |most| *most as usize + 1)];
    let mut starts = Vec::with_capacity(arrivals.len());
    let mut total = 0u32;
    for arrival in arrivals {
        let points = &ranks[arrival.set as usize];
        points.iter().for_each(|rank| ends[*rank as usize] += 1);
        starts.push(total);
        total += points.len() as u32;
    }
    let mut sum = 0;
    for end in &mut ends {
        sum += std::mem::replace(end, sum);
    }
    fill(arrivals, &ranks, &starts, ends, total as usize)
}

/// `next` holds for every point the place of its first value.
fn fill(arrivals: &[Arrival], ranks: &[Vec<u32>], starts: &[u32], mut next: Vec<u32>, total: usize) -> Order {
    let mut order = Order { places: vec![0; total], opens: vec![Opens::Nothing; total] };
    let mut last: Vec<Option<u32>> = vec![None; next.len()];
    for i in by_device(arrivals) {
        let Arrival { device, set } = arrivals[i];
        for (place, rank) in (starts[i]..).zip(&ranks[set as usize]) {
            let rank = *rank as usize;
            let at = next[rank] as usize;
            next[rank] += 1;
            order.places[at] = place;
            match last[rank].replace(device) {
                None => order.opens[at] = Opens::Point,
                Some(before) if before != device => order.opens[at] = Opens::Series,
                Some(_) => {}
            }
        }
    }
    order
}

fn by_device(arrivals: &[Arrival]) -> impl Iterator<Item = usize> {
    let mut keys: Vec<u64> = arrivals.iter().zip(0u64..).map(|(a, i)| u64::from(a.device) << 32 | i).collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32 as usize)
}

/// Each point by its place among all points of the block.
fn ranks(sets: &[Vec<u16>]) -> Vec<Vec<u32>> {
    let mut points: Vec<u16> = sets.iter().flatten().copied().collect();
    points.sort_unstable();
    points.dedup();
    let rank = |point: &u16| points.partition_point(|known| known < point) as u32;
    sets.iter().map(|set| set.iter().map(rank).collect()).collect()
}
