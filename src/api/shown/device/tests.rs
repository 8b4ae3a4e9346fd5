//! What of a device is shown, and when.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::device::{Desired, Maintenance};
use crate::view::LinkNow;

const NOW: Now = Now { mono: Mono(60_000), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set };

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn known(change: impl FnOnce(&mut Device)) -> DeviceNow {
    let mut device = Device::new(DeviceNo(1), DeviceId::new("urn:a").unwrap(), LifeCycle::Managed, &NOW);
    device.place = Some(Place { link: name("plant"), address: Address::new("a-1").unwrap() });
    change(&mut device);
    DeviceNow::new(Arc::new(device), Arc::default())
}

fn health(state: LinkState) -> Health {
    let link = LinkNow {
        name: name("plant"),
        driver: "sim",
        state,
        since: Mono(0),
        strained: None,
        rejected: 0,
        dropped: 0,
        heard: 0,
        missed: 0,
        waiting: 0,
        credits: (0, 0),
    };
    Health { links: vec![link], ..Health::default() }
}

fn shown(known: &DeviceNow, state: LinkState) -> DeviceShown {
    DeviceShown::of(known, &Seen { now: &NOW, health: &health(state) })
}

#[test]
fn what_is_not_the_devices_own_doing_is_explained() {
    let why = |change: fn(&mut Device), state| shown(&known(change), state).why;
    assert_eq!(why(|_| {}, LinkState::Up), None);
    assert_eq!(why(|_| {}, LinkState::Down("no port".into())).unwrap(), "its link is down: no port");
    assert!(why(|device| device.place = None, LinkState::Up).unwrap().contains("never seen"));
    assert!(why(|device| device.displaced = true, LinkState::Up).unwrap().contains("another device"));
    let mut moved = known(|_| {});
    Arc::make_mut(&mut moved.device).place = Some(Place { link: name("old"), address: Address::new("x").unwrap() });
    assert!(shown(&moved, LinkState::Up).why.unwrap().contains("old is not configured"));
}

#[test]
fn who_waits_for_a_look_at_another_command_is_told_so() {
    let mut known = known(|_| {});
    let health = health(LinkState::Up);
    let seen = Seen { now: &NOW, health: &health };
    assert!(waits(&known, &seen).unwrap().contains("others go first"));
    known.live.proving = Some(Box::new(CommandId::new("c-11").unwrap()));
    assert_eq!(waits(&known, &seen).unwrap(), "it is still being looked whether c-11 was done");
}

#[test]
fn flags_are_shown_as_long_as_they_hold() {
    let until = |span| Until::after(&NOW, Duration::from_secs(span));
    let with = |span| {
        let maintenance = |until| Maintenance { by: name("ann"), since: NOW, until };
        known(|device| {
            device.blocked = Some(until(span));
            device.maintenance = Some(maintenance(Some(until(span))));
        })
    };
    let held = shown(&with(60), LinkState::Up);
    assert_eq!(held.blocked, Some(Wall(1_060_000)));
    assert_eq!(held.maintenance.unwrap().until, Some(Wall(1_060_000)));
    let over = shown(&with(0), LinkState::Up);
    assert_eq!((over.blocked, over.maintenance), (None, None));
    assert_eq!(held.since, None, "nobody knows since when");
}

#[test]
fn what_is_desired_stands_beside_what_is_reported() {
    let point = |no, path: &str| Point {
        no: PointNo(no),
        path: path.parse().unwrap(),
        kind: ValueKind::Int,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let desired = |no, value| Desired { point: PointNo(no), value, by: name("ann"), version: 3, at: NOW, waits: false };
    let mut known = known(|device| {
        device.desired = (0..4).map(|no| desired(no, Value::Int(5))).collect();
        device.desired.push(desired(4, Value::Float(0.1)));
    });
    let points = vec![point(0, "a.x"), point(1, "a.y"), point(2, "a.z"), point(4, "a.w")];
    known.capabilities = Arc::new(Capabilities { points, ..Capabilities::default() });
    let last = |value| Some(LastValue { value, quality: Quality::Good, at: Mono(1), source: Wall(0) });
    known.live.values = vec![last(Value::Int(5)), last(Value::Int(6)), None, last(Value::Float(f64::from(0.1_f32)))];
    let seen = Seen { now: &NOW, health: &Health::default() };
    let detail = DeviceShown::with_detail(&known, &seen, About::default(), None).detail.unwrap();
    let differ: Vec<(&str, Option<bool>)> =
        detail.desired.iter().map(|desired| (desired.point.as_str(), desired.differs)).collect();
    assert_eq!(
        differ,
        [("a.0.x", Some(false)), ("a.0.y", Some(true)), ("a.0.z", None), ("3", None), ("a.0.w", Some(false))]
    );
}
