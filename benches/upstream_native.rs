//! What readings cost on their way up: bytes on the wire and time to make the message.
//!
//! 500 devices of 30 points, each read once a second: a pack is one second, 15 000 readings. A device is three of the
//! plant's, so its points are of the same kinds in the same shares. Of the wire all that carries it is counted: the head
//! of MQTT 5 with topic and content type, records of TLS, segments of TCP over IPv4 with its timestamps, the broker's
//! answer, and what TCP acknowledges with. `benches/plant.rs` makes the data.

mod plant;
mod row;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use dmgw::model::*;
use dmgw::store::{Block, Clock, JournalId};
use dmgw::upstream::native::form::Readings;
use dmgw::upstream::native::telemetry::pack;
use dmgw::upstream::native::topics::{Base, Up};

const DEVICES: u32 = 500;
const POINTS: usize = 3 * plant::POINTS;
const SECONDS: usize = 20;
const READINGS: usize = DEVICES as usize * POINTS;
/// What a broker takes at once.
const MOST: usize = 256 << 10;
const JOURNAL: JournalId = JournalId([0x5a; 16]);

/// Of IPv4 and TCP with timestamps, for each segment.
const OF_SEGMENT: usize = 20 + 32;
const SEGMENT: usize = 1_500 - OF_SEGMENT;
/// Of TLS 1.3, for each record.
const OF_RECORD: usize = 22;
const RECORD: usize = 16 << 10;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let blocks = blocks();
    for (name, form) in [("senml", Readings::SenmlCborZstd), ("columns", Readings::Columns)] {
        let wire: usize = blocks.iter().map(|block| on_the_wire(form, message(block, form).len())).sum();
        let settings = in_force(form);
        row::Row::new(&format!("upstream-{name}-bytes"), wire as f64 / readings(&blocks), None, &settings).write();
        row::Row::new(&format!("upstream-{name}-making"), making(&blocks, form), None, &settings).write();
    }
}

fn in_force(form: Readings) -> [(&'static str, String); 4] {
    [
        ("devices", DEVICES.to_string()),
        ("points", POINTS.to_string()),
        ("readings-in-a-pack", READINGS.to_string()),
        ("form", form.to_string()),
    ]
}

fn readings(blocks: &[Block]) -> f64 {
    (blocks.len() * READINGS) as f64
}

/// Nanoseconds a reading, the best of some rounds: others use this machine too.
fn making(blocks: &[Block], form: Readings) -> f64 {
    let round = |_| {
        let began = Instant::now();
        blocks.iter().for_each(|block| drop(black_box(message(block, form))));
        began.elapsed().as_nanos() as f64 / readings(blocks)
    };
    (0..5).map(round).fold(f64::INFINITY, f64::min)
}

fn message(block: &Block, form: Readings) -> Vec<u8> {
    let shape = SHAPE.with(Arc::clone);
    let known = |no: DeviceNo| Some((id(no), shape.clone()));
    let packed = pack(std::slice::from_ref(block), 0, (JOURNAL, &[]), &known, form, MOST).expect("a message");
    assert_eq!(packed.next - packed.first, READINGS as u64, "one second is one message");
    packed.bytes
}

/// Both ways.
fn on_the_wire(form: Readings, payload: usize) -> usize {
    let topic = Base::of("plant-7").expect("a name").up(&Up::Telemetry(form));
    // Type and length, topic, packet id, properties: their length and the content type.
    let head = 4 + 2 + topic.len() + 2 + 1 + 3 + form.media().len();
    let mqtt = head + payload;
    let tls = mqtt + OF_RECORD * mqtt.div_ceil(RECORD);
    let segments = tls.div_ceil(SEGMENT);
    let answer = OF_SEGMENT + OF_RECORD + 4;
    // TCP acknowledges every second segment, and the answer.
    tls + OF_SEGMENT * segments + answer + OF_SEGMENT * (segments / 2 + 1)
}

thread_local!(static SHAPE: Arc<Capabilities> = Arc::new(shape()));

fn shape() -> Capabilities {
    let of_plant = plant::Plant::new(1, 1).capabilities();
    let point = |no: usize| {
        let mut point = of_plant.points[no % plant::POINTS].clone();
        point.no = PointNo(no as u16);
        point.path.instance += 10 * (no / plant::POINTS) as u16;
        point
    };
    Capabilities { points: (0..POINTS).map(point).collect(), ..Capabilities::default() }
}

fn id(no: DeviceNo) -> DeviceId {
    Identity::new(IdentityKind::Serial, &format!("bench:{no}"), Proof::Seen).expect("printable").urn()
}

/// One block a second.
fn blocks() -> Vec<Block> {
    let mut plants = [1, 2, 3].map(|seed| plant::Plant::new(seed, DEVICES));
    let per_second = u64::from(DEVICES) * plant::POINTS as u64;
    let [mut one, mut two, mut three] = plants.each_mut().map(|plant| plant.arrivals(per_second, Mono(5_000_000)));
    let mut heard = || {
        let mut heard = one.next()?;
        for (no, other) in [(1, two.next()?), (2, three.next()?)] {
            let further =
                |reading: Reading| Reading { point: PointNo(reading.point.0 + no * plant::POINTS as u16), ..reading };
            heard.readings.extend(other.readings.into_iter().map(further));
        }
        Some(heard)
    };
    let clock = Clock { offset: 1_790_000_000_000, quality: ClockQuality::Set };
    (0..SECONDS as u64)
        .map(|second| Block {
            seq: 1 + second * READINGS as u64,
            boot: Boot(3),
            clock,
            arrivals: std::iter::from_fn(&mut heard).take(DEVICES as usize).collect(),
        })
        .collect()
}
