//! Readings through the engine: 10 000 devices, the view published all along.
//!
//! Compared with a bare loop that only puts the same values into a table.

mod plant;
mod row;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use dmgw::engine::{Engine, LinkSettings, Settings};
use dmgw::model::device::DeviceNow;
use dmgw::model::*;

const DEVICES: u32 = 10_000;
const ARRIVALS: usize = 400_000;
/// The loop publishes after each batch.
const BATCH: usize = 256;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let arrivals: Vec<Heard> = plant::Plant::new(1, DEVICES).arrivals(1_000_000, Mono(1_000)).take(ARRIVALS).collect();
    let readings = (ARRIVALS * plant::POINTS) as f64;
    let bare = readings / bare_loop(arrivals.clone());
    let engine = readings / through_the_engine(arrivals);
    let settings =
        [("devices", DEVICES.to_string()), ("points", plant::POINTS.to_string()), ("batch", BATCH.to_string())];
    row::Row::new("engine-readings", engine, Some(bare), &settings).write();
}

fn through_the_engine(arrivals: Vec<Heard>) -> f64 {
    let (mut engine, mut now) = engine_with_devices();
    let mut view: Vec<Option<Arc<DeviceNow>>> = vec![None; DEVICES as usize];
    let start = Instant::now();
    for (i, heard) in arrivals.into_iter().enumerate() {
        now.mono = heard.at;
        let step = engine.handle(&now, Event::Link { link: LinkNo(0), event: LinkEvent::Heard(heard) });
        assert_eq!(black_box(&step).heard.len(), 1);
        if i % BATCH == BATCH - 1 {
            for no in engine.touched().devices {
                view[no.0 as usize] = engine.device(no).cloned();
            }
        }
    }
    start.elapsed().as_secs_f64()
}

fn engine_with_devices() -> (Engine, Now) {
    let link = LinkSettings {
        name: Name::new("plant").expect("a name"),
        driver: None,
        admission: Default::default(),
        every: std::time::Duration::from_secs(1),
        silent_after: std::time::Duration::from_secs(60),
    };
    let now = Now { mono: Mono(1), wall: Wall(1), ..Now::default() };
    let (mut engine, _) = Engine::load(Settings { links: vec![link], ..Settings::default() }, State::default(), &now);
    let plant = plant::Plant::new(1, DEVICES);
    for no in 0..DEVICES {
        let event = LinkEvent::Sighted(plant.sighting(DeviceNo(no)));
        engine.handle(&now, Event::Link { link: LinkNo(0), event });
    }
    (engine, now)
}

fn bare_loop(arrivals: Vec<Heard>) -> f64 {
    let mut table: Vec<Option<(Value, Mono)>> = vec![None; DEVICES as usize * plant::POINTS];
    let start = Instant::now();
    for heard in arrivals {
        for reading in &heard.readings {
            let place = heard.device.0 as usize * plant::POINTS + usize::from(reading.point.0);
            table[place] = Some((reading.value.clone(), heard.at));
        }
        black_box(heard);
    }
    black_box(table);
    start.elapsed().as_secs_f64()
}
