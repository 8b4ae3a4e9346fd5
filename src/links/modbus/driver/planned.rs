//! How points of a kind of units are read, kept for the next time: what is due together once is due together again.
//!
//! Invariant: what is kept is what [`requests`] gives for these points, so it only holds for a unit that refused nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::{Kind, lock};
use crate::links::modbus::plan::{Request, requests};
use crate::model::PointPath;
use crate::profile::modbus::Spot;

/// Points of a few periods are due in as many ways; the way that was not met for longest is worked out anew.
const MOST: usize = 8;

/// One way.
#[derive(Debug)]
pub struct Way {
    asked: Vec<PointPath>,
    /// Those that the profile says where to find.
    pub wanted: Vec<(PointPath, Spot)>,
    pub spots: Vec<Spot>,
    pub requests: Vec<Request>,
}

#[derive(Debug, Default)]
pub struct Planned(Mutex<VecDeque<Arc<Way>>>);

impl Kind {
    pub fn way(&self, points: &[PointPath]) -> Arc<Way> {
        let mut ways = lock(&self.planned.0);
        let known = ways.iter().position(|way| way.asked == points).and_then(|place| ways.remove(place));
        let way = known.unwrap_or_else(|| Arc::new(self.new_way(points)));
        ways.push_front(way.clone());
        ways.truncate(MOST);
        way
    }

    fn new_way(&self, points: &[PointPath]) -> Way {
        let of = |path: &PointPath| Some((path.clone(), *self.spots.get(path)?));
        let wanted: Vec<(PointPath, Spot)> = points.iter().filter_map(of).collect();
        let spots: Vec<Spot> = wanted.iter().map(|(_, spot)| *spot).collect();
        let requests = requests(&spots, &self.bounds).requests;
        Way { asked: points.to_vec(), wanted, spots, requests }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::text::ready;

    fn kind(points: usize) -> (Kind, Vec<PointPath>) {
        let row = |no: usize| format!("\"a.{no}.x\" = {{ modbus = {{ holding = {} }} }}\n", no * 7);
        let rows: String = (0..points).map(row).collect();
        let mut profiles = ready(&format!("[profile.rig.point]\n{rows}")).unwrap_or_else(|wrong| panic!("{wrong}"));
        let kind = Kind::new(profiles.pop_first().unwrap().1);
        let paths = kind.spots.keys().cloned().collect();
        (kind, paths)
    }

    #[test]
    fn the_same_points_are_planned_once_and_others_anew_and_few_are_kept() {
        let (kind, paths) = kind(30);
        let first = kind.way(&paths);
        assert!(Arc::ptr_eq(&first, &kind.way(&paths)));
        assert_eq!((first.wanted.len(), first.requests.len()), (30, 2));
        let part = kind.way(&paths[..3]);
        assert_eq!((part.spots.len(), part.requests.len()), (3, 1));
        assert!(Arc::ptr_eq(&first, &kind.way(&paths)), "the one before is kept too");
        for most in 1..2 * MOST {
            kind.way(&paths[..most]);
        }
        assert_eq!(lock(&kind.planned.0).len(), MOST);
        assert!(!Arc::ptr_eq(&first, &kind.way(&paths)));
    }
}
