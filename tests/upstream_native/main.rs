//! What goes upstream is read by others' hands: SenML by Python packages, columns by a decoder that was written from
//! `docs/dmgw-1.md` alone. Both must find exactly what was heard. `tests/tools.sh python` installs what they need.

#[path = "../../benches/plant.rs"]
mod plant;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dmgw::model::*;
use dmgw::store::{Block, Clock, JournalId};
use dmgw::upstream::native::form::Readings;
use dmgw::upstream::native::telemetry::pack;
use serde_json::{Value as Json, json};

const JOURNAL: JournalId = JournalId([0x5a; 16]);
const DEVICES: u32 = 40;
/// Wall time less monotonic time.
const OFFSET: i64 = 1_790_000_000_000;
const FIRST: u64 = 1_000;

fn python(test: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let found = Command::new(&path).args(["-c", "import cbor2, senml, zstandard"]).output();
    if found.is_ok_and(|found| found.status.success()) {
        return Some(path);
    }
    println!("SKIP {test}: cbor2, senml and zstandard are not installed; tests/tools.sh python");
    None
}

/// The plant of the benches for some seconds, and a device that says all that is odd.
fn block(quality: ClockQuality) -> Block {
    let mut arrivals: Vec<Heard> = plant::Plant::new(5, DEVICES).arrivals(400, Mono(60_000)).take(120).collect();
    let values = [
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Uint(u64::MAX),
        Value::Float(0.1 + 0.2),
        Value::Float(f64::from(0.1f32)),
        Value::Float(-1.5e300),
        Value::text("\u{e4}\u{1f600}\"\\\n"),
        Value::Bytes([0, 255, 7].as_slice().into()),
        Value::Time(Wall(1_790_000_000_123)),
        Value::Object(3, 65_535),
        Value::List(vec![Value::Int(-1), Value::text("x"), Value::Float(2.5)].into()),
    ];
    let reading = |(no, value): (usize, Value)| Reading {
        point: PointNo(20 + (no % 3) as u16),
        value,
        quality: Quality::ALL[no % Quality::ALL.len()],
        source: (no % 2 == 1).then_some(Wall(1_700_000_000_000 + no as u64)),
    };
    let odd: Vec<Reading> = values.into_iter().enumerate().map(reading).collect();
    arrivals.insert(50, Heard { device: DeviceNo(700), at: Mono(59_001), readings: odd.clone() });
    arrivals.push(Heard { device: DeviceNo(700), at: Mono(75_000), readings: odd[3..6].to_vec() });
    Block { seq: FIRST, boot: Boot(9), clock: Clock { offset: OFFSET, quality }, arrivals }
}

fn known(no: DeviceNo) -> Option<(DeviceId, Arc<Capabilities>)> {
    let plant = plant::Plant::new(5, DEVICES);
    let device = plant.device(no, &Name::new("bench").unwrap());
    (no.0 < DEVICES).then(|| (device.id, plant.capabilities()))
}

/// As files, cut so that there are several.
fn messages(block: &Block, form: Readings, most: usize, folder: &Path) -> Vec<PathBuf> {
    let (mut from, mut files) = (0, Vec::new());
    let end = FIRST + block.arrivals.iter().map(|heard| heard.readings.len() as u64).sum::<u64>();
    while from < end {
        let packed = pack(std::slice::from_ref(block), from, (JOURNAL, &[(990, 999)]), &known, form, most).unwrap();
        assert!(packed.bytes.len() <= most);
        let file = folder.join(format!("{form}-{}", packed.first));
        std::fs::write(&file, packed.bytes).unwrap();
        files.push(file);
        from = packed.next;
    }
    files
}

fn read_by(python: &Path, script: &str, arguments: &[&str], files: &[PathBuf]) -> Vec<Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upstream_native").join(script);
    let output = Command::new(python).arg(script).args(arguments).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each reading with its number, the arrival that it came in, and who spoke.
fn heard(block: &Block) -> impl Iterator<Item = (u64, &Heard, &Reading)> {
    let readings = block.arrivals.iter().flat_map(|heard| heard.readings.iter().map(move |reading| (heard, reading)));
    readings.zip(block.seq..).map(|((heard, reading), seq)| (seq, heard, reading))
}

/// What a reader of the standard is to be told of one.
fn expected(seq: u64, heard: &Heard, reading: &Reading, bt: f64) -> Json {
    let known = known(heard.device);
    let point = known.as_ref().and_then(|(_, shape)| shape.points.iter().find(|point| point.no == reading.point));
    let device = known.as_ref().map_or(format!("urn:dev:dmgw:number:{}", heard.device), |(id, _)| id.to_string());
    let point_name = point.map_or(reading.point.to_string(), |point| point.path.to_string());
    let doubt = match reading.quality {
        Quality::Good => "",
        Quality::Uncertain => ":uncertain",
        Quality::Bad(BadReason::DeviceSays) => ":device-says",
        Quality::Bad(BadReason::OutOfRange) => ":out-of-range",
        Quality::Bad(BadReason::WrongType) => ":wrong-type",
    };
    let unit = match reading.value {
        Value::Time(_) => Some("ms".to_owned()),
        _ => point.and_then(|point| point.unit.as_ref()).map(ToString::to_string),
    };
    let value = match &reading.value {
        Value::Bytes(bytes) => json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Value::Time(wall) => json!(wall.0),
        Value::Object(object, instance) => json!(format!("{object}:{instance}")),
        list @ Value::List(_) => json!(serde_json::to_string(list).unwrap()),
        plain => serde_json::to_value(plain).unwrap(),
    };
    json!({ "seq": seq, "name": format!("{device}:{point_name}{doubt}"), "time": bt, "unit": unit, "value": value })
}

/// The package adds its base value 0.0 to every number, so integers come as floats.
fn same(found: &Json, wanted: &Json) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => found == wanted,
        _ => found == wanted,
    }
}

#[test]
fn senml_is_read_by_others_as_what_was_heard() {
    let Some(python) = python("senml_is_read_by_others_as_what_was_heard") else { return };
    let folder = tempfile::tempdir().unwrap();
    let block = block(ClockQuality::Set);
    for form in [Readings::SenmlJson, Readings::SenmlJsonZstd, Readings::SenmlCbor, Readings::SenmlCborZstd] {
        let files = messages(&block, form, 9_000, folder.path());
        assert_eq!(files.len() > 1, !form.is_packed(), "{form}: {}", files.len());
        let found = read_by(&python, "read_senml.py", &[form.name()], &files);
        let mut count = 0;
        for ((seq, heard, reading), found) in heard(&block).zip(&found) {
            let wanted = expected(seq, heard, reading, (heard.at.0 as i64 + OFFSET) as f64 / 1e3);
            for field in ["seq", "name", "time", "unit", "value"] {
                assert!(same(&found[field], &wanted[field]), "{form}: {field}: {found} is not {wanted}");
            }
            assert_eq!(found["own"]["dmgw-source"].as_u64(), reading.source.map(|source| source.0));
            count += 1;
        }
        assert_eq!((count, found.len()), (1_214, 1_214));
        assert_eq!(found[0]["own"]["dmgw-damaged"], json!([[990, 999]]));
        assert_eq!(found[0]["own"]["dmgw-journal"], JOURNAL.to_string());
    }
}

#[test]
fn others_take_no_time_for_known_that_nobody_knows() {
    let Some(python) = python("others_take_no_time_for_known_that_nobody_knows") else { return };
    let folder = tempfile::tempdir().unwrap();
    let block = block(ClockQuality::Unset);
    let files = messages(&block, Readings::SenmlCborZstd, 1 << 20, folder.path());
    let found = read_by(&python, "read_senml.py", &["senml-cbor-zstd"], &files);
    let times: Vec<f64> = found.iter().map(|record| record["time"].as_f64().unwrap()).collect();
    // By RFC 8428 what is below 2^28 is relative; nothing lies after now.
    assert!(times.iter().all(|time| *time <= 0.0) && times.last() == Some(&0.0));
    for ((_, heard, _), time) in heard(&block).zip(times) {
        assert_eq!(time, (heard.at.0 as f64 - 75_000.0) / 1e3);
    }
}

#[test]
fn columns_are_read_by_who_has_only_the_document() {
    let Some(python) = python("columns_are_read_by_who_has_only_the_document") else { return };
    let folder = tempfile::tempdir().unwrap();
    let block = block(ClockQuality::Held);
    let files = messages(&block, Readings::Columns, 1_200, folder.path());
    assert!(files.len() > 1);
    let mut found = read_by(&python, "read_columns.py", &[], &files);
    found.retain(|line| match line.get("damaged") {
        Some(damaged) => *damaged != json!([[990, 999]]),
        None => true,
    });
    assert_eq!(found.len(), 1_214, "and every message told of the damage");
    for ((seq, heard, reading), found) in heard(&block).zip(&found) {
        let wanted = json!({
            "seq": seq, "journal": JOURNAL.to_string(), "boot": 9, "clock": "held", "device": heard.device, "mono": heard.at,
            "time": heard.at.0 as i64 + OFFSET, "point": reading.point, "value": reading.value,
            "quality": match reading.quality { Quality::Bad(why) => json!(why), quality => json!(quality) },
            "source": reading.source
        });
        assert_eq!(*found, wanted);
    }
}
