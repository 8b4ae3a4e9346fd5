//! What each fuzz target does with outside bytes, once for both runners: cargo-fuzz and `tests/fuzz_smoke.rs`.
//!
//! A body decodes; if that works, what came out must keep its bounds and survive being written and read again. To add a
//! decoder: a function and a row in [`BODIES`], four lines in `fuzz_targets/`, a `[[bin]]`, and a corpus folder of that
//! name with what real peers sent. `tests/fuzz_smoke.rs` fails while one of them is missing.

mod asking;
mod brokers;
mod callers;
mod frames;
mod upstream;
mod ways;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use dmgw::config::Config;
use dmgw::links::modbus::{plan, task, value};
use dmgw::links::serial::uevent as kernel;
use dmgw::links::sim::plant::Plant;
use dmgw::links::sim::wire;
use dmgw::model::record::Entry;
use dmgw::model::*;
use dmgw::profile::modbus::{Bits, Form, Order, Range, Speaks, Spot, Table, Way, capabilities_of};
use dmgw::profile::{self, Converter, Kept, Raw, Shaped, best};
use dmgw::replay::Script;
use dmgw::seal::{Seal, SealError, Sealed};
use dmgw::selector::{Facts, Holds, Selector};
use dmgw::store;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// True where the bytes were taken.
type Body = fn(&[u8]) -> bool;

pub const BODIES: &[(&str, Body)] = &[
    ("address", ways::address),
    ("ask_json", ask_json),
    ("block", block),
    ("capabilities_cbor", capabilities_cbor),
    ("certificate", ways::certificate),
    ("command_cbor", command_cbor),
    ("device_cbor", device_cbor),
    ("entry_cbor", entry_cbor),
    ("event_json", event_json),
    ("http_head", ways::http_head),
    ("modbus_pdu", frames::modbus_pdu),
    ("modbus_plan", modbus_plan),
    ("modbus_value", modbus_value),
    ("modbus_rtu", frames::modbus_rtu),
    ("modbus_tcp", frames::modbus_tcp),
    ("modbus_master", callers::modbus_master),
    ("modbus_call", callers::modbus_call),
    ("mqtt_client", brokers::mqtt_client),
    ("native_topic", upstream::native_topic),
    ("native_state", upstream::native_state),
    ("native_request", upstream::native_request),
    ("native_ack", upstream::native_ack),
    ("native_response", upstream::native_response),
    ("native_records_json", upstream::native_records_json),
    ("native_records_cbor", upstream::native_records_cbor),
    ("native_registry_json", upstream::native_registry_json),
    ("native_registry_cbor", upstream::native_registry_cbor),
    ("native_senml_json", upstream::native_senml_json),
    ("native_senml_cbor", upstream::native_senml_cbor),
    ("native_columns", upstream::native_columns),
    ("operation_json", operation_json),
    ("plant_toml", plant_toml),
    ("point_path", point_path),
    ("profile_toml", profile_toml),
    ("script_toml", script_toml),
    ("sealed", sealed),
    ("selector", selector),
    ("settings_toml", settings_toml),
    ("uevent", uevent),
    ("upstream_request", asking::upstream_request),
    ("value_cbor", value_cbor),
    ("value_json", value_json),
    ("websocket", ways::websocket),
    ("wire_from_plant", wire_from_plant),
    ("wire_to_plant", wire_to_plant),
];

/// Runs the body of that name.
pub fn run(name: &str, bytes: &[u8]) -> bool {
    let body = BODIES.iter().find(|(known, _)| *known == name);
    body.unwrap_or_else(|| panic!("{name} has no row in BODIES of fuzz/bodies.rs")).1(bytes)
}

// ---- what people and programs send ----

fn ask_json(bytes: &[u8]) -> bool {
    json::<Ask>(bytes).is_some_and(|ask| {
        if let Ask::Operate(operate) = ask {
            within_bounds(&operate.operation);
        }
        true
    })
}

fn operation_json(bytes: &[u8]) -> bool {
    json::<Operation>(bytes).is_some_and(|operation| within_bounds(&operation))
}

fn event_json(bytes: &[u8]) -> bool {
    json::<Event>(bytes).is_some_and(|event| {
        if let Event::Link { event: LinkEvent::Finished { outcome, .. }, .. } = event {
            let once = outcome.bounded();
            assert_eq!(shown(&once.clone().bounded()), shown(&once), "cut once is cut enough");
        }
        true
    })
}

fn value_json(bytes: &[u8]) -> bool {
    json::<Value>(bytes).is_some_and(|value| {
        value.check().expect("what was read keeps its bounds");
        for kind in [ValueKind::Int, ValueKind::Uint, ValueKind::Float] {
            let Ok(other) = value.clone().into_kind(kind) else { continue };
            assert_eq!(other.kind(), kind);
            let same = other.number() == value.number() || value.number().is_some_and(f64::is_nan);
            assert!(same, "{value} became {other}");
        }
        true
    })
}

fn point_path(bytes: &[u8]) -> bool {
    let path = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<PointPath>().ok());
    path.is_some_and(|path| {
        assert_eq!(path.to_string().parse(), Ok(path));
        true
    })
}

fn uevent(bytes: &[u8]) -> bool {
    kernel::read(bytes).is_some_and(|event| {
        let name = event.name.map(|name| format!("DEVNAME={name}\0")).unwrap_or_default();
        let said = format!("{0}@/\0ACTION={0}\0SUBSYSTEM={1}\0{name}", event.action, event.subsystem);
        assert_eq!(kernel::read(said.as_bytes()).as_ref(), Some(&event), "what was read is what was said");
        assert!(event.concerns_ports() || !["tty", "usb-serial"].contains(&event.subsystem));
        true
    })
}

// ---- what stands on disk ----

fn value_cbor(bytes: &[u8]) -> bool {
    cbor::<Value>(bytes).is_some_and(|value| {
        value.check().expect("what was read keeps its bounds");
        true
    })
}

fn capabilities_cbor(bytes: &[u8]) -> bool {
    cbor::<Capabilities>(bytes).is_some_and(|capabilities| {
        if capabilities.check().is_ok() {
            let numbered = capabilities.numbered_after(&Capabilities::default());
            let numbered = numbered.expect("there are more numbers than a device may have points");
            numbered.check().expect("numbering changes no path");
        }
        true
    })
}

fn command_cbor(bytes: &[u8]) -> bool {
    cbor::<Command>(bytes).is_some_and(|command| {
        command.expired(&command.asked);
        true
    })
}

fn device_cbor(bytes: &[u8]) -> bool {
    cbor::<Device>(bytes).is_some()
}

fn entry_cbor(bytes: &[u8]) -> bool {
    cbor::<Entry>(bytes).is_some()
}

/// A block of readings. What was read is encoded again, and means the same.
fn block(bytes: &[u8]) -> bool {
    let _ = store::block::peek(bytes);
    store::block::decode(bytes).is_ok_and(|block| {
        let encode = |block: &store::Block| {
            store::block::encode(block.seq, block.boot, block.clock, &block.arrivals)
                .expect("what was read can be written")
        };
        let again = store::block::decode(&encode(&block)).expect("what was written can be read");
        assert_eq!(format!("{again:?}"), format!("{block:?}"));
        true
    })
}

// ---- what people write into files ----

fn settings_toml(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| match Config::parse(Path::new("dmgw.toml"), text) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    })
}

/// What was read is written the same, and a key that did not seal it opens nothing.
fn sealed(bytes: &[u8]) -> bool {
    text(bytes).and_then(|text| Some((text, text.parse::<Sealed>().ok()?))).is_some_and(|(text, sealed)| {
        assert_eq!(sealed.to_string(), text);
        assert_eq!(Sealed::from_bytes(sealed.as_bytes()), Ok(sealed.clone()));
        let refused = Seal::new(&[7; 32]).open(&sealed, "config").expect_err("nobody sealed this with that key");
        assert!(matches!(refused, SealError::OtherKey | SealError::Changed), "{refused}");
        true
    })
}

/// Profiles, and what they make of values that no author had in mind.
fn profile_toml(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let Ok(config) = Config::parse(Path::new("profiles.toml"), text) else { return false };
    best(&config.profile, &profile::Facts::default());
    for (name, profile) in &config.profile {
        let shaped = Arc::new(Shaped::new(name.clone(), Arc::new(profile.clone())));
        made_of_registers(&shaped);
        made_of_values(shaped);
    }
    !config.profile.is_empty()
}

/// All registers of a profile that passed the checks can be read, and each of its operations can be asked.
fn made_of_registers(shaped: &Shaped) {
    let profile = &shaped.profile;
    let (given, spots) = (capabilities_of(profile), profile.spots());
    given.check().expect("no point twice");
    let registers = profile.point.values().filter(|known| known.modbus.is_some()).count();
    assert!(spots.len() <= registers && (spots.is_empty() == (registers == 0)), "a row of registers is lost");
    let spots: Vec<Spot> = spots.into_values().collect();
    let plan = plan::requests(&spots, &plan::Bounds::of(&profile.modbus.as_deref().cloned().unwrap_or_default()));
    assert!(plan.left_out.is_empty(), "the checks let through what cannot be read: {:?}", plan.left_out);
    for kind in profile.operation.keys() {
        for text in [format!("\"{kind}\""), format!("{{\"{kind}\":{{}}}}")] {
            let Ok(operation) = serde_json::from_str::<Operation>(&text) else { continue };
            // Refusing is right, falling over is not.
            let _ = task::tasks(shaped, &given, &operation, Some(Wall(1_709_251_198_250)));
        }
    }
}

fn made_of_values(shaped: Arc<Shaped>) {
    let number = |x: f64| Value::Float(x);
    let values =
        [number(0.0), number(-1.0), number(65_535.0), number(f64::NAN), number(f64::MAX), Value::Uint(u64::MAX)];
    let paths: Vec<PointPath> = shaped.profile.point.keys().flat_map(|path| shaped.raw_of(path)).cloned().collect();
    let mut converter = Converter::new(shaped.clone(), &Kept::default());
    let mut out = Vec::new();
    for (no, value) in values.iter().enumerate() {
        let raw = |path| Raw { path, value, quality: Quality::Good, source: None };
        let arrived: Vec<Raw<'_>> = paths.iter().map(raw).collect();
        out.clear();
        converter.take(&Now { mono: Mono(no as u64 * 1_000), ..Now::default() }, &arrived, &mut out);
        assert!(out.len() <= arrived.len() * shaped.profile.point.len() + shaped.profile.point.len());
        for given in &out {
            given.value.check().expect("what a profile makes keeps its bounds");
            // Refusing is right, falling over is not.
            let _ = shaped.raw_for(&Capabilities::default(), &given.path, &given.value);
        }
    }
    let kept = serde_json::to_string(&converter.kept()).expect("totals can be written");
    serde_json::from_str::<Kept>(&kept).expect("totals can be read");
    shaped.capabilities(&Capabilities::default()).check().expect("no point twice");
}

fn plant_toml(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| Plant::parse(text, Path::new("plant.toml")).is_ok())
}

fn script_toml(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| Script::read(text).is_ok())
}

/// What was read is answered, of a device without and with what may be missing; a refusal points into the text.
fn selector(bytes: &[u8]) -> bool {
    text(bytes).is_some_and(|text| match Selector::parse(text) {
        Ok(selector) => {
            answered(&selector);
            assert_eq!(Selector::parse(selector.text()), Ok(selector));
            true
        }
        Err(bad) => {
            assert!(text.get(bad.at.clone()).is_some() && !bad.says.is_empty(), "{bad:?}");
            false
        }
    })
}

fn answered(selector: &Selector) {
    let id = DeviceId::new("urn:dev:mac:0024be01").expect("an id");
    let mut device = Device::new(DeviceNo(1), id, LifeCycle::Managed, &Now::default());
    device.groups = vec![Name::new("line-a").expect("a name")];
    let about = About { security: Some(3), hardware: Some("Acme".into()), ..About::default() };
    let capabilities = Capabilities::default();
    for (about, profile) in [(None, None), (Some(&about), Some("sdm630"))] {
        let connectivity = Connectivity::Up;
        let facts = Facts { device: &device, connectivity, about, profile, dynamic: &[], capabilities: &capabilities };
        let unknown = selector.holds(&facts) == Holds::Unknown;
        assert_eq!(unknown, !selector.why(&facts).is_empty(), "{selector:?}");
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

// ---- what a plant and its gateway say to each other ----

fn wire_from_plant(bytes: &[u8]) -> bool {
    wire::parse_line(bytes).is_ok_and(|message| {
        assert!(wire::write_line(&message, &mut Vec::new()).is_ok() || bytes.len() > wire::LONGEST_LINE / 8);
        true
    })
}

// ---- what a Modbus device gives ----

/// A form, how it is packed, then its registers: what was read and can be written is read again.
fn modbus_value(bytes: &[u8]) -> bool {
    let [form, packed, from, to, registers @ ..] = bytes else { return false };
    let form = Form::ALL[usize::from(*form) % Form::ALL.len()].1;
    let on = |bit: u8| packed >> bit & 1 == 1;
    let words: Vec<u16> = registers.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let count = form.registers().unwrap_or(words.len().min(125) as u16);
    let last = (16 * count).min(64) as u8;
    let has_bits = on(3) && form.has_bits() && from <= to && *to < last;
    let bits = has_bits.then_some(Bits { from: *from, to: *to });
    let order = Order { letters: 8, bytes: on(0), words: on(1), halves: on(2) };
    let write = on(4).then_some(if on(5) { Way::Multiple } else { Way::Mask });
    let spot = Spot { table: Table::Holding, at: 0, count, form, bits, order, write, read_back: false };
    value::read(&spot, value::Got::Words(&words)).is_ok_and(|read| {
        read.check().expect("what was read keeps its bounds");
        assert_eq!(read.kind(), spot.kind());
        let again = value::write(&spot, &read).ok().and_then(|writing| match writing.over(&words)? {
            value::Writing::Register { value, .. } => Some(vec![value]),
            value::Writing::Registers { values, .. } => Some(values),
            value::Writing::Mask { and, or, .. } => Some(vec![words[0] & and | or & !and]),
            other => panic!("registers are written as {other:?}"),
        });
        if let Some(again) = again {
            assert_eq!(value::read(&spot, value::Got::Words(&again)), Ok(read));
        }
        true
    })
}

/// Bounds, what the device does not know, then points: all of them are read or left out, and polls come to an end.
fn modbus_plan(bytes: &[u8]) -> bool {
    let [gap, most, forbidden, unknown, rest @ ..] = bytes else { return false };
    let (gap, most_registers) = (u16::from(*gap).min(124), u16::from(*most).clamp(1, 125));
    let mut speaks = Speaks { gap, most_registers, most_bits: 16 * most_registers, ..Speaks::default() };
    let mut four = rest.chunks_exact(4).map(|four| (four[0], u16::from_be_bytes([four[1], four[2]]), four[3]));
    let range = |(_, at, long): (u8, u16, u8)| Range { from: at, to: at.saturating_add(long.into()) };
    speaks.forbid.holding = four.by_ref().take((*forbidden % 8).into()).map(|of| range(of).into()).collect();
    let unknown: Vec<Range> = four.by_ref().take((*unknown % 8).into()).map(range).collect();
    let spot = |(table, at, count): (u8, u16, u8)| {
        let table = Table::ALL[usize::from(table) % 4];
        let count = if table.is_bits() { 1 } else { u16::from(count).clamp(1, 125).min(u16::MAX - at).max(1) };
        Spot { table, at, count, form: Form::Bytes, bits: None, order: Order::BIG, write: None, read_back: false }
    };
    let spots: Vec<Spot> = four.take(300).map(spot).collect();
    let (bounds, mut known) = (plan::Bounds::of(&speaks), plan::Blocks::default());
    let gives =
        |block: &plan::Block| !unknown.iter().any(|range| u32::from(range.from) < block.end() && range.to >= block.at);
    for now in 0..3 {
        let planned = known.plan(&spots, &bounds, Mono(now));
        let told: usize = planned.requests.iter().map(|request| request.points.len()).sum();
        assert_eq!(told + planned.left_out.len(), spots.len());
        let mut waiting = planned.requests;
        let mut asked = 0;
        while let Some(request) = waiting.pop() {
            asked += 1;
            assert!(asked <= 2 * spots.len(), "a poll that does not end");
            assert!(request.points.iter().all(|no| request.block.part(&spots[*no]).is_some()));
            if gives(&request.block) {
                known.answered(&request);
            } else if let plan::Learnt::Halves(halves) = known.refused(&request, &spots, Mono(now)) {
                waiting.extend(halves);
            }
        }
    }
    !spots.is_empty()
}

fn wire_to_plant(bytes: &[u8]) -> bool {
    wire::parse_order(bytes).is_ok()
}

// ---- shared by the bodies ----

fn within_bounds(operation: &Operation) -> bool {
    assert!(OperationSet::of(&[operation.kind()]).has(operation.kind()));
    // Refusing is right, falling over is not.
    let _ = operation.check();
    true
}

/// Reads, and reads again what it wrote: the second writing is as the first.
fn json<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(bytes).ok()?;
    let first = shown(&value);
    let again: T = serde_json::from_str(&first).unwrap_or_else(|e| panic!("{first} was written and is not read: {e}"));
    assert_eq!(shown(&again), first);
    Some(value)
}

fn shown<T: Serialize + Debug>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|e| panic!("{value:?} was read and cannot be written: {e}"))
}

/// The same for the spelling of the store. Compared as bytes, for NaN is not equal to itself.
fn cbor<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = minicbor_serde::from_slice(bytes).ok()?;
    let first = stored(&value);
    let again: T = minicbor_serde::from_slice(&first).unwrap_or_else(|e| panic!("{value:?} is not read back: {e}"));
    assert_eq!(stored(&again), first, "{value:?}");
    Some(value)
}

fn stored<T: Serialize + Debug>(value: &T) -> Vec<u8> {
    minicbor_serde::to_vec(value).unwrap_or_else(|e| panic!("{value:?} was read and cannot be written: {e}"))
}
