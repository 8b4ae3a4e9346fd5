//! Readings go up in every form and come back as they were, cut anywhere; what is not good never looks so.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{Access, BadReason, Heard, Name, Point, PointNo, Reading, ValueKind};
use crate::store::Clock;

const JOURNAL: JournalId = JournalId([0xd0; 16]);
const SENML: [Readings; 4] =
    [Readings::SenmlJson, Readings::SenmlJsonZstd, Readings::SenmlCbor, Readings::SenmlCborZstd];
/// Wall time less monotonic time: the clock is set.
const OFFSET: i64 = 1_700_000_000_000;

fn capabilities() -> Arc<Capabilities> {
    let point = |(no, path, unit): (u16, &str, Option<&str>)| Point {
        no: PointNo(no),
        path: path.parse().unwrap(),
        kind: ValueKind::Float,
        unit: unit.map(|unit| Name::new(unit).unwrap()),
        access: Access::Read,
        limits: None,
    };
    let points = [(0, "air.temperature", Some("Cel")), (3, "mains.2.power_a", Some("W")), (7, "door.open", None)];
    Arc::new(Capabilities { points: points.map(point).into(), ..Capabilities::default() })
}

fn id(no: u32) -> DeviceId {
    DeviceId::new(&format!("urn:dev:dmgw:place:meters/{no}_#")).unwrap()
}

/// Devices up to 9 are known.
fn known(no: DeviceNo) -> Option<(DeviceId, Arc<Capabilities>)> {
    thread_local!(static SHAPE: Arc<Capabilities> = capabilities());
    (no.0 < 10).then(|| (id(no.0), SHAPE.with(Arc::clone)))
}

fn block(seq: u64, quality: ClockQuality, arrivals: Vec<Heard>) -> Block {
    Block { seq, boot: Boot(4), clock: Clock { offset: OFFSET, quality }, arrivals }
}

fn one(value: Value) -> Block {
    let reading = Reading { point: PointNo(0), value, quality: Quality::Good, source: None };
    block(1, ClockQuality::Set, vec![Heard { device: DeviceNo(1), at: Mono(5), readings: vec![reading] }])
}

/// What is expected at the other end.
fn told(block: &Block) -> Vec<Told> {
    let arrivals = block.arrivals.iter().flat_map(|heard| heard.readings.iter().map(move |reading| (heard, reading)));
    let told = arrivals.zip(block.seq..).map(|((heard, reading), seq)| {
        let known = known(heard.device);
        let shape = known.as_ref().map(|(_, shape)| shape.points.iter().find(|point| point.no == reading.point));
        let point = shape.flatten();
        let is_time = matches!(reading.value, Value::Time(_));
        Told {
            seq,
            device: known.as_ref().map_or(format!("urn:dev:dmgw:number:{}", heard.device), |(id, _)| id.to_string()),
            point: point.map_or(reading.point.to_string(), |point| point.path.to_string()),
            unit: point.and_then(|point| point.unit.as_ref()).filter(|_| !is_time).map(ToString::to_string),
            value: as_called(&reading.value),
            quality: reading.quality,
            time: (block.clock.quality != ClockQuality::Unset).then(|| block.clock.wall(heard.at)),
            mono: heard.at,
            source: reading.source,
        }
    });
    told.collect()
}

/// A whole number has one spelling: it is an `int` where it fits.
fn as_called(value: &Value) -> Value {
    match value {
        Value::Uint(n) => i64::try_from(*n).map_or(Value::Uint(*n), Value::Int),
        Value::List(items) => Value::List(items.iter().map(as_called).collect()),
        other => other.clone(),
    }
}

fn packed(blocks: &[Block], from: u64, form: Readings, most: usize) -> Result<Packed, NotMade> {
    pack(blocks, from, (JOURNAL, &[]), &known, form, most)
}

/// A SenML pack as anybody would read it who knows the standard only.
fn plain(block: &Block) -> Vec<serde_json::Value> {
    let packed = packed(std::slice::from_ref(block), 0, Readings::SenmlJson, 1 << 20).unwrap();
    serde_json::from_slice(&packed.bytes).unwrap()
}

#[test]
fn a_pack_is_what_the_document_shows() {
    let reading = |no, value| Reading { point: PointNo(no), value, quality: Quality::Good, source: None };
    let readings = vec![reading(0, Value::Float(21.5)), reading(3, Value::Uint(17))];
    let block = block(41, ClockQuality::Set, vec![Heard { device: DeviceNo(1), at: Mono(12_345), readings }]);
    let packed = pack(&[block], 0, (JOURNAL, &[(38, 40)]), &known, Readings::SenmlJson, 1 << 20).unwrap();
    assert_eq!(
        String::from_utf8(packed.bytes).unwrap(),
        concat!(
            r#"[{"dmgw-journal":"d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0","dmgw-first":41,"dmgw-boot":4,"dmgw-mono":12345,"#,
            r#""dmgw-clock":"set","dmgw-damaged":[[38,40]],"bn":"urn:dev:dmgw:place:meters/1_5F_23:","bt":1700000012.345,"#,
            r#""n":"air.0.temperature","u":"Cel","v":21.5},"#,
            r#"{"n":"mains.2.power_5Fa","u":"W","v":17}]"#
        )
    );
}

#[test]
fn a_reading_that_is_not_good_is_no_value_of_its_point() {
    for quality in Quality::ALL {
        let mut doubted = one(Value::Float(1.0));
        doubted.arrivals[0].readings[0].quality = quality;
        let name = plain(&doubted)[0]["n"].as_str().unwrap().to_owned();
        assert_eq!(name == "air.0.temperature", quality == Quality::Good, "{name}");
        let read =
            read(&packed(&[doubted], 0, Readings::SenmlCbor, 1 << 20).unwrap().bytes, Readings::SenmlCbor).unwrap();
        assert_eq!((read.1[0].point.as_str(), read.1[0].quality), ("air.0.temperature", quality));
    }
}

#[test]
fn while_nobody_knows_the_time_it_is_told_as_before_now() {
    let reading =
        || vec![Reading { point: PointNo(0), value: Value::Bool(true), quality: Quality::Good, source: None }];
    let at = |at| Heard { device: DeviceNo(1), at: Mono(at), readings: reading() };
    let arrivals = vec![at(1_000), at(61_500), at(61_000)];
    let times = |quality| -> Vec<f64> {
        plain(&block(1, quality, arrivals.clone())).iter().map(|record| record["bt"].as_f64().unwrap()).collect()
    };
    assert_eq!(times(ClockQuality::Unset), [-60.5, 0.0, -0.5]);
    assert_eq!(times(ClockQuality::Held), [1_700_000_001.0, 1_700_000_061.5, 1_700_000_061.0]);
    // A clock that was set to the year 1971 tells nothing that the standard could take for a time.
    let mut early = block(1, ClockQuality::Set, arrivals.clone());
    early.clock.offset = 40_000_000_000;
    assert_eq!(plain(&early)[0]["bt"].as_f64(), Some(-60.5));
}

#[test]
fn numbers_keep_all_their_digits() {
    for value in [
        Value::Uint(u64::MAX),
        Value::Int(i64::MIN),
        Value::Int((1 << 53) + 1),
        Value::Float(0.1 + 0.2),
        Value::Float(f64::MIN_POSITIVE / 8.0),
        Value::Float(f64::MAX),
        Value::Float(-0.0),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(5.0),
        Value::Float(0.1f32.into()),
        Value::Time(Wall(u64::MAX)),
    ] {
        for form in SENML {
            let (_, told) = read(&packed(&[one(value.clone())], 0, form, 1 << 20).unwrap().bytes, form).unwrap();
            assert_eq!(format!("{:?}", told[0].value), format!("{:?}", as_called(&value)), "{form}");
        }
    }
    let (_, told) =
        read(&packed(&[one(Value::Float(f64::NAN))], 0, Readings::SenmlCbor, 999).unwrap().bytes, Readings::SenmlCbor)
            .unwrap();
    assert!(matches!(told[0].value, Value::Float(x) if x.is_nan()));
}

#[test]
fn a_reading_that_alone_is_too_large_is_named() {
    let mut long = one(Value::text(&"x".repeat(2_000)));
    long.seq = 77;
    let error = packed(&[long], 0, Readings::SenmlJson, 1_000).unwrap_err();
    assert!(matches!(error, NotMade::TooLarge(large) if large.number == 77 && large.bytes > 2_000), "{error}");
    assert!(matches!(packed(&[], 0, Readings::SenmlJson, 1_000), Err(NotMade::Empty)));
    assert!(matches!(packed(&[one(Value::Bool(true))], 2, Readings::SenmlJson, 1_000), Err(NotMade::Empty)));
}

#[test]
fn what_is_no_pack_is_refused_with_its_reason() {
    let good = String::from_utf8(packed(&[one(Value::Int(1))], 0, Readings::SenmlJson, 9_999).unwrap().bytes).unwrap();
    for (bad, says) in [
        ("{}".to_owned(), "a list of records"),
        ("[]".to_owned(), "at least one record"),
        (good.replace("dmgw-first", "first"), "dmgw-first is missing"),
        (good.replace("\"v\":1", "\"v\":1,\"vs\":\"x\""), "one value"),
        (good.replace("\"v\":1", "\"x\":1"), "is missing"),
        (good.replace("\"v\":1", "\"v\":1,\"t\":5"), "uses no"),
        (good.replace("\"v\":1", "\"v\":1,\"dmgw-kind\":\"colour\""), "is no colour"),
        (good.replace("air.0.temperature", "a_"), "no name"),
        (good.replace("d0d0", "xyxy"), "32 hex digits"),
        (good.replace("\"set\"", "\"right\""), "unset, held or set"),
        (good.replace("urn:dev", &"x".repeat(2_000)), "a name has at most"),
    ] {
        let error = read(bad.as_bytes(), Readings::SenmlJson).unwrap_err().to_string();
        assert!(error.contains(says), "{bad}: {error}");
    }
    assert!(read(good.as_bytes(), Readings::SenmlCbor).is_err());
    assert!(read(&[0x9f; 100], Readings::SenmlCbor).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Uint),
        any::<f64>().prop_filter("NaN is not equal to itself", |x| !x.is_nan()).prop_map(Value::Float),
        (-100_000i32..100_000, 0u8..6).prop_map(|(n, places)| Value::Float(f64::from(n) / 10f64.powi(places.into()))),
        ".{0,20}".prop_map(|text| Value::text(&text)),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<u64>().prop_map(|wall| Value::Time(Wall(wall))),
        any::<(u16, u16)>().prop_map(|(o, i)| Value::Object(o, i)),
    ];
    prop_oneof![
        8 => plain.clone(),
        1 => proptest::collection::vec(plain, 0..6).prop_map(|items| Value::List(items.into())),
    ]
}

fn reading() -> impl Strategy<Value = Reading> {
    let quality = proptest::sample::select(&Quality::ALL[..]);
    let quality = prop_oneof![4 => Just(Quality::Good), 1 => quality];
    (0u16..9, value(), quality, proptest::option::of(any::<u64>())).prop_map(|(point, value, quality, source)| {
        Reading { point: PointNo(point), value, quality, source: source.map(Wall) }
    })
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let heard = (0u32..12, 0u64..100_000, proptest::collection::vec(reading(), 1..8));
    let heard = heard.prop_map(|(device, at, readings)| Heard { device: DeviceNo(device), at: Mono(at), readings });
    let clock = proptest::sample::select(&[ClockQuality::Unset, ClockQuality::Held, ClockQuality::Set][..]);
    (proptest::collection::vec(proptest::collection::vec(heard, 1..8), 1..4), clock, 1u64..1_000_000).prop_map(
        |(all, clock, mut seq)| {
            let mut blocks = Vec::new();
            for arrivals in all {
                let readings: usize = arrivals.iter().map(|heard| heard.readings.len()).sum();
                blocks.push(block(seq, clock, arrivals));
                seq += readings as u64;
            }
            blocks
        },
    )
}

proptest! {
    #[test]
    fn readings_come_back_from_every_form_however_they_are_cut(blocks in blocks(), most in 900usize..20_000) {
        let expected: Vec<Told> = blocks.iter().flat_map(told).collect();
        for form in SENML {
            let (mut from, mut came) = (0, Vec::new());
            while came.len() < expected.len() {
                let packed = packed(&blocks, from, form, most).unwrap();
                prop_assert!(packed.bytes.len() <= most);
                let (head, told) = read(&packed.bytes, form).unwrap();
                prop_assert_eq!((head.journal, head.first, head.boot), (JOURNAL, packed.first, Boot(4)));
                prop_assert_eq!(packed.first + told.len() as u64, packed.next);
                came.extend(told);
                from = packed.next;
            }
            prop_assert_eq!(&came, &expected, "{}", form);
        }
    }

    #[test]
    fn columns_hold_the_same_blocks(blocks in blocks(), most in 900usize..20_000) {
        let expected: Vec<Told> = blocks.iter().flat_map(told).collect();
        let (mut from, mut came) = (0, Vec::new());
        while came.len() < expected.len() {
            let packed = pack(&blocks, from, (JOURNAL, &[(1, 2)]), &known, Readings::Columns, most).unwrap();
            prop_assert!(packed.bytes.len() <= most);
            let (head, block) = columns::read(&packed.bytes).unwrap();
            prop_assert_eq!((head.journal, head.first, &head.damaged[..]), (JOURNAL, packed.first, &[(1, 2)][..]));
            came.extend(told(&block));
            from = packed.next;
        }
        prop_assert_eq!(came, expected);
    }

    #[test]
    fn whatever_bytes_come_nothing_falls_over(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for form in SENML {
            let _ = read(&bytes, form);
        }
        let _ = columns::read(&bytes);
    }
}

#[test]
fn a_doubted_word_is_each_a_word_of_its_own() {
    let words = Quality::ALL.map(name_of);
    assert_eq!(words[2], "air.0.temperature:device-says");
    assert!(words.iter().enumerate().all(|(at, word)| !words[..at].contains(word)));
    assert_eq!(Quality::Bad(BadReason::WrongType), Quality::ALL[4]);
}

fn name_of(quality: Quality) -> String {
    let mut block = one(Value::Bool(true));
    block.arrivals[0].readings[0].quality = quality;
    plain(&block)[0]["n"].as_str().unwrap().to_owned()
}
