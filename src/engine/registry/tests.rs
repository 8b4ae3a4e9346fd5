//! Values that stay with their points, and room for shapes.

use super::*;
use crate::model::device::LastValue;

fn shape(paths: &[(u16, &str)]) -> Arc<Capabilities> {
    let point = |(no, path): &(u16, &str)| Point {
        no: PointNo(*no),
        path: path.parse().unwrap(),
        kind: ValueKind::Uint,
        unit: None,
        access: Access::Read,
        limits: None,
    };
    Capabilities { points: paths.iter().map(point).collect(), ..Capabilities::default() }.into()
}

#[test]
fn a_value_stays_with_its_point_where_the_points_change() {
    let id = DeviceId::new("urn:a").unwrap();
    let device = Device::new(DeviceNo(0), id, LifeCycle::Managed, &Now::default());
    let mut slot = Slot::new(device.clone().into(), shape(&[(0, "a.x"), (1, "a.y")]), None, None);
    let value = |n| Some(LastValue { value: Value::Uint(n), quality: Quality::Good, at: Mono(n), source: Wall(0) });
    Arc::make_mut(&mut slot.now).live.values = vec![value(10), value(11)];
    let other = Device { shape: ShapeNo(1), ..device };
    slot.replace(other.into(), shape(&[(2, "a.new"), (1, "a.y")]), None, None);
    assert_eq!(slot.now.live.values, [None, value(11)]);
}

#[test]
fn shapes_that_are_known_take_no_more_room() {
    let settings = Settings { most_points: 3, ..Settings::default() };
    let mut registry = Registry::load(&settings, Vec::new(), Vec::new());
    let (two, other) = (shape(&[(0, "a.x"), (1, "a.y")]), shape(&[(0, "b.x"), (1, "b.y")]));
    assert!(registry.has_room_for(&[&two]) && !registry.has_room_for(&[&two, &other]));
    registry.shape(two.clone());
    assert!(registry.has_room_for(&[&two]) && !registry.has_room_for(&[&other]));
}
