//! The block codec gives back what it was given, and takes no bytes on trust.

use proptest::collection::vec;
use proptest::prelude::*;

use super::words::heard;
use crate::model::*;
use crate::store::block::{BadBlock, Block, Clock, MOST_READINGS, cost, decode, encode, peek};
use crate::store::bytes::put_varint;

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-100_000i64..100_000, 0u32..4).prop_map(|(n, places)| n as f64 / 10f64.powi(places as i32)),
        any::<f32>().prop_map(f64::from),
        prop_oneof![Just(-0.0), Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(9_007_199_254_740_993.0)],
    ]
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Uint),
        float().prop_map(Value::Float),
        ".{0,12}".prop_map(|text| Value::text(&text)),
        vec(any::<u8>(), 0..12).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u64>().prop_map(|wall| Value::Time(Wall(wall))),
        any::<(u16, u16)>().prop_map(|(o, i)| Value::Object(o, i)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => float().prop_map(Value::Float),
        4 => plain(),
        1 => vec(plain(), 0..5).prop_map(|items| Value::List(items.into())),
    ]
}

fn reading() -> impl Strategy<Value = Reading> {
    let source = prop_oneof![3 => Just(None), 1 => any::<u64>().prop_map(|wall| Some(Wall(wall)))];
    let quality = prop_oneof![4 => Just(0usize), 1 => 0usize..5];
    (prop_oneof![0u16..5, any::<u16>()], value(), quality, source).prop_map(|(point, value, quality, source)| Reading {
        point: PointNo(point),
        value,
        quality: Quality::ALL[quality],
        source,
    })
}

fn arrivals() -> impl Strategy<Value = Vec<Heard>> {
    let device = prop_oneof![0u32..4, any::<u32>()];
    let at = prop_oneof![1000u64..2000, any::<u64>()];
    let heard = (device, at, vec(reading(), 0..8)).prop_map(|(device, at, readings)| Heard {
        device: DeviceNo(device),
        at: Mono(at),
        readings,
    });
    vec(heard, 0..30)
}

/// NaN is what it is by its bits.
fn bits(value: &Value) -> Value {
    match value {
        Value::Float(x) => Value::Bytes(x.to_bits().to_le_bytes().into()),
        Value::List(items) => Value::List(items.iter().map(bits).collect()),
        other => other.clone(),
    }
}

fn by_bits(mut arrivals: Vec<Heard>) -> Vec<Heard> {
    for reading in arrivals.iter_mut().flat_map(|heard| &mut heard.readings) {
        reading.value = bits(&reading.value);
    }
    arrivals
}

proptest! {
    #[test]
    fn every_block_comes_back_as_it_was(arrivals in arrivals(), seq in 1u64..1 << 60, boot: u32, offset: i64) {
        let clock = Clock { offset, quality: ClockQuality::Held };
        let bytes = encode(seq, Boot(boot), clock, &arrivals).unwrap();
        let Block { seq: s, boot: b, clock: c, arrivals: back } = decode(&bytes).unwrap();
        prop_assert_eq!((s, b, c), (seq, Boot(boot), clock));
        let readings: usize = arrivals.iter().map(|heard| heard.readings.len()).sum();
        prop_assert_eq!(peek(&bytes).unwrap().readings, readings as u64);
        prop_assert_eq!(by_bits(back), by_bits(arrivals));
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in vec(any::<u8>(), 0..200), version: bool) {
        if version && !bytes.is_empty() {
            bytes[0] = 1;
        }
        let _ = (peek(&bytes), decode(&bytes));
    }

    #[test]
    fn a_body_of_any_bytes_does_not_make_it_panic(body in vec(0u8..40, 0..120), counted in 0u8..30) {
        let mut bytes = vec![1, 0, 1, counted, 0, 0, 0, 0];
        bytes.push(body.len() as u8);
        bytes.extend(zstd::bulk::compress(&body, 1).unwrap());
        let _ = decode(&bytes);
    }

    #[test]
    fn a_damaged_block_does_not_make_it_panic(arrivals in arrivals(), at: prop::sample::Index, xor in 1u8..) {
        let bytes = encode(1, Boot(1), Clock::default(), &arrivals).unwrap();
        let body = zstd::bulk::decompress(&bytes[bytes.len() - packed(&bytes)..], 1 << 20).unwrap();
        let mut bad = body.clone();
        if !bad.is_empty() {
            bad[at.index(body.len())] ^= xor;
        }
        let mut whole = bytes[..bytes.len() - packed(&bytes)].to_vec();
        whole.extend(zstd::bulk::compress(&bad, 1).unwrap());
        let _ = decode(&whole);
    }
}

/// Bytes of the zstd frame: it begins with its magic number.
fn packed(block: &[u8]) -> usize {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    block.len() - block.windows(4).position(|window| window == magic).unwrap()
}

#[test]
fn a_small_block_cannot_unfold_into_a_large_one() {
    // One set of 60 000 points, named by 1 000 arrivals.
    let readings = |n| {
        (0..n).map(|_| Reading { point: PointNo(0), value: Value::Bool(true), quality: Quality::Good, source: None })
    };
    let heard = Heard { device: DeviceNo(1), at: Mono(1), readings: readings(60_000).collect() };
    let block = encode(1, Boot(1), Clock::default(), std::slice::from_ref(&heard)).unwrap();
    assert!(decode(&block).is_ok());
    assert_eq!(
        encode(1, Boot(1), Clock::default(), &[heard.clone(), heard]),
        Err(BadBlock::Bound("the number of readings"))
    );
    let bomb = zstd::bulk::compress(&vec![0u8; 64 << 20], 1).unwrap();
    let mut bytes = vec![1, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x07];
    bytes.extend(bomb);
    assert!(decode(&bytes).is_err());
}

#[test]
fn a_value_without_news_costs_next_to_nothing() {
    let heard = |at: u64| Heard {
        device: DeviceNo(at as u32 % 100),
        at: Mono(at),
        readings: (0..10)
            .map(|p| Reading { point: PointNo(p), value: Value::Float(21.5), quality: Quality::Good, source: None })
            .collect(),
    };
    let arrivals: Vec<Heard> = (0..2_000).map(heard).collect();
    let bytes = encode(1, Boot(1), Clock::default(), &arrivals).unwrap();
    assert!(bytes.len() < 2_000, "{} bytes for 20 000 readings", bytes.len());
}

#[test]
fn a_block_holds_so_many_readings_and_no_more() {
    let arrivals = |count: usize| -> Vec<Heard> { (0..count as u64).map(|at| heard(at, 1)).collect() };
    let full = encode(1, Boot(1), Clock::default(), &arrivals(MOST_READINGS)).unwrap();
    assert_eq!(peek(&full).unwrap().readings, MOST_READINGS as u64);
    assert_eq!(decode(&full).unwrap().arrivals.len(), MOST_READINGS);
    let more = encode(1, Boot(1), Clock::default(), &arrivals(MOST_READINGS + 1));
    assert_eq!(more, Err(BadBlock::Bound("the number of readings")));
    // The same said by a head that somebody forged: version, boot, first number, then the number of readings.
    let mut forged = vec![1, 1, 1];
    put_varint(&mut forged, MOST_READINGS as u64 + 2);
    forged.extend([0; 20]);
    assert_eq!(peek(&forged), Err(BadBlock::Bound("the number of readings")));
}

#[test]
fn a_reading_weighs_what_it_holds() {
    let weigh = |value| cost(&Reading { point: PointNo(0), value, quality: Quality::Good, source: None });
    assert!(weigh(Value::text(&"x".repeat(900))) >= 900 && weigh(Value::Bool(true)) < 100);
    // Whatever it says, it also says of which point and when: nothing is held for nothing.
    assert!(weigh(Value::text("")) > 0 && weigh(Value::text(&"x".repeat(900))) < 1_000);
}
