//! In which order computed points are computed.

use std::collections::BTreeMap;

use super::sections::Known;
use crate::model::PointPath;

/// The points that are computed, each after those that it is computed from. Or one that is computed from itself.
pub fn in_order(points: &BTreeMap<PointPath, Known>) -> Result<Vec<&PointPath>, &PointPath> {
    let computed = |path: &PointPath| points.get(path).is_some_and(Known::is_computed);
    let (mut waits, mut wanted_by) = (BTreeMap::new(), BTreeMap::<&PointPath, Vec<&PointPath>>::new());
    for (path, known) in points.iter().filter(|(_, known)| known.is_computed()) {
        let terms: Vec<_> = known.terms().map(|term| &term.value).filter(|term| computed(term)).collect();
        waits.insert(path, terms.len());
        terms.into_iter().for_each(|term| wanted_by.entry(term).or_default().push(path));
    }
    let mut order: Vec<&PointPath> = waits.iter().filter(|(_, count)| **count == 0).map(|(path, _)| *path).collect();
    let mut next = 0;
    while let Some(path) = order.get(next).copied() {
        next += 1;
        for other in wanted_by.get(path).into_iter().flatten() {
            if let Some(count) = waits.get_mut(other) {
                *count -= 1;
                if *count == 0 {
                    order.push(other);
                }
            }
        }
    }
    match waits.iter().find(|(_, count)| **count > 0) {
        None => Ok(order),
        Some((first, _)) => Err(on_a_circle(points, &waits, first)),
    }
}

/// From one that still waits along those that still wait: so many steps end on the circle.
fn on_a_circle<'a>(
    points: &'a BTreeMap<PointPath, Known>,
    waits: &BTreeMap<&PointPath, usize>,
    first: &'a PointPath,
) -> &'a PointPath {
    let mut at = first;
    for _ in 0..waits.len() {
        let terms = points.get(at).into_iter().flat_map(Known::terms).map(|term| &term.value);
        at = terms.into_iter().find(|term| waits.get(term).is_some_and(|count| *count > 0)).unwrap_or(at);
    }
    at
}
