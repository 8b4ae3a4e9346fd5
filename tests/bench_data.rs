//! The data set of the benches is what it says it is: a number measured on it means nothing otherwise.

#[path = "../benches/plant.rs"]
mod plant;

use std::collections::BTreeSet;

use dmgw::model::*;
use plant::{COUNTERS, POINTS, Plant, WALKS, Xorshift};

fn heard(seed: u64, devices: u32, arrivals: usize) -> Vec<Heard> {
    Plant::new(seed, devices).arrivals(1_000, Mono(0)).take(arrivals).collect()
}

/// The values of one point over all its readings of one device.
fn values(heard: &[Heard], device: u32, point: usize) -> Vec<Value> {
    let of_device = heard.iter().filter(|heard| heard.device == DeviceNo(device));
    of_device.map(|heard| heard.readings[point].value.clone()).collect()
}

fn changes(values: &[Value]) -> f64 {
    let changed = values.windows(2).filter(|pair| pair[0] != pair[1]).count();
    changed as f64 / (values.len() - 1) as f64
}

#[test]
fn the_same_seed_gives_the_same_readings_and_another_one_others() {
    assert_eq!(heard(7, 20, 200), heard(7, 20, 200));
    assert_ne!(heard(7, 20, 200), heard(8, 20, 200));
}

#[test]
fn readings_are_sixty_parts_walk_twenty_counter_ten_constant_ten_status() {
    assert_eq!((WALKS, COUNTERS, POINTS), (6, 2, 10));
    let heard = heard(1, 5, 10_000);
    for device in 0..5 {
        let of = |point| values(&heard, device, point);
        for walk in 0..WALKS {
            let seen = of(walk);
            let numbers: Vec<f64> = seen.iter().map(|value| value.number().unwrap()).collect();
            assert!(changes(&seen) > 0.3, "walk {walk} of {device} changes at {} of its reads", changes(&seen));
            assert!(
                numbers.windows(2).any(|pair| pair[0] < pair[1]) && numbers.windows(2).any(|pair| pair[0] > pair[1])
            );
        }
        for counter in WALKS..WALKS + COUNTERS {
            let seen = of(counter);
            assert!(seen.windows(2).all(|pair| pair[0].number() <= pair[1].number()));
            assert!(changes(&seen) > 0.5);
        }
        assert_eq!(changes(&of(8)), 0.0);
        let status = changes(&of(9));
        assert!((0.01..0.04).contains(&status), "the status changes at {status} of its reads");
    }
}

#[test]
fn every_reading_is_of_the_type_of_its_point_and_within_its_bounds() {
    let mut plant = Plant::new(1, 3);
    let capabilities = plant.capabilities();
    capabilities.check().unwrap();
    for heard in plant.arrivals(1_000, Mono(0)).take(30) {
        assert_eq!(heard.readings.len(), capabilities.points.len());
        for (reading, point) in heard.readings.iter().zip(&capabilities.points) {
            assert_eq!((reading.point, reading.value.kind()), (point.no, point.kind));
            reading.value.check().unwrap();
        }
    }
}

#[test]
fn readings_come_at_the_rate_that_was_asked_for_and_time_never_steps_back() {
    for rate in [10, 1_000, 10_000, 1_000_000] {
        let mut plant = Plant::new(3, 100);
        let times: Vec<Mono> = plant.arrivals(rate, Mono(5)).take(2_000).map(|heard| heard.at).collect();
        assert!(times.is_sorted());
        let took = times[times.len() - 1].since(Mono(5)).as_secs_f64();
        let wanted = 20_000.0 / rate as f64;
        assert!((took - wanted).abs() <= wanted * 0.01 + 0.002, "{rate} a second: {took} s, not {wanted}");
    }
}

#[test]
fn each_device_is_somebody_else() {
    let plant = Plant::new(1, 100);
    let link = Name::new("bench").unwrap();
    let ids: BTreeSet<DeviceId> = (0..100).map(|no| plant.device(DeviceNo(no), &link).id).collect();
    assert_eq!(ids.len(), 100);
    let sighted = plant.sighting(DeviceNo(7));
    assert_eq!(sighted.identities[0].urn(), plant.device(DeviceNo(7), &link).id);
}

#[test]
fn chance_is_even() {
    let mut chance = Xorshift::new(0);
    let mean = (0..100_000).map(|_| chance.share()).sum::<f64>() / 100_000.0;
    assert!((mean - 0.5).abs() < 0.01, "{mean}");
}
