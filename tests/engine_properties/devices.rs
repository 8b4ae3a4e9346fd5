//! The link of the world and the devices on it.

use std::time::Duration;

use dmgw::engine::{LinkSettings, Settings};
use dmgw::model::device::Sleep;
use dmgw::model::*;

pub fn settings() -> Settings {
    let link = LinkSettings {
        name: Name::new("plant").unwrap(),
        driver: None,
        admission: Default::default(),
        every: Duration::from_secs(1),
        silent_after: Duration::from_secs(5),
    };
    Settings { links: vec![link], most_devices: 6, most_commands: 30, ..Settings::default() }
}

pub const PAUSE: Duration = Duration::from_secs(7);
pub const SLEEP: Sleep = Sleep { every: Duration::from_secs(20), awake: Duration::from_secs(2) };

/// With two points there is a pause between writes of the first, with three the device sleeps.
pub fn capabilities(points: u8) -> std::sync::Arc<Capabilities> {
    let point = |i: u8| Point {
        no: PointNo(0),
        path: format!("relay.{i}.on").parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: (points == 2).then(|| Limits { pause: Some(PAUSE), ..Limits::default() }),
    };
    use OperationKind::*;
    let operations = OperationSet::of(&[Read, Write, Activate, Deactivate, FactoryReset]);
    let sleeps = (points == 3).then_some(SLEEP);
    Capabilities { points: (0..points).map(point).collect(), operations, sleeps, ..Capabilities::default() }.into()
}

pub fn id_of(who: u8) -> DeviceId {
    DeviceId::new(&format!("urn:dev:dmgw:serial:acme:{who}")).unwrap()
}

pub fn operation(write: bool) -> Operation {
    let point: PointPath = "relay.0.on".parse().unwrap();
    match write {
        true => Operation::Write { point, value: Value::Bool(true) },
        false => Operation::Read { points: vec![point] },
    }
}
