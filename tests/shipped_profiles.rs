//! The shipped profiles of Modbus devices, held against registers that somebody else says: what another program read from
//! such a device, or at least where another program reads. Each image in `modbus/images/` names its source.
//!
//! What is written is held against requests that others publish. The bus load of each profile is told, and bounded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmgw::links::modbus::plan::load::{Line, share};
use dmgw::links::modbus::plan::{Block, Bounds, Request, requests};
use dmgw::links::modbus::value::{self, Got, Writing};
use dmgw::links::modbus::wire::timing::Pace;
use dmgw::model::{Boot, ClockQuality, Mono, Name, Now, OperationKind, PointPath, Quality, Value, Wall};
use dmgw::profile::modbus::{Spot, Table, capabilities_of};
use dmgw::profile::{Converter, Given, Kept, Profile, Raw, Shaped, text};
use serde::Deserialize;

/// Each with what its document lets one request read, in registers or bits. Of the iEM3155 it says nothing: as Modbus does.
const SHIPPED: [(&str, u16); 6] = [
    ("eastron-sdm120", 80),
    ("eastron-sdm630", 60),
    ("carlo-gavazzi-em24", 11),
    ("pzem-016", 10),
    ("schneider-iem3155", 125),
    ("waveshare-relay-8ch", 8),
];

/// How often a link reads what says nothing of it.
const EVERY: Duration = Duration::from_secs(10);

/// Registers by their addresses on the wire, and what they mean by their source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    profile: String,
    #[serde(default)]
    coil: BTreeMap<String, bool>,
    #[serde(default)]
    input: BTreeMap<String, Vec<u16>>,
    #[serde(default)]
    holding: BTreeMap<String, Vec<u16>>,
    means: BTreeMap<String, Means>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Means {
    value: toml::Value,
    unit: Option<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn profile(name: &str) -> Profile {
    let path = root().join(format!("config/profiles/{name}.toml"));
    let mut read = text::read(&fs::read_to_string(path).unwrap()).unwrap();
    read.remove(&Name::new(name).unwrap()).unwrap()
}

fn image(name: &str) -> Image {
    let path = root().join(format!("tests/modbus/images/{name}.toml"));
    let image: Image = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(image.profile, name);
    image
}

fn path(text: &str) -> PointPath {
    text.parse().unwrap()
}

/// All words and bits of an image, one by one.
struct Device {
    bits: BTreeMap<u32, bool>,
    words: BTreeMap<(Table, u32), u16>,
}

impl Device {
    /// Moved by so many registers, for a device that is another.
    fn of(image: &Image, moved: u32) -> Device {
        let number = |text: &str| moved + u32::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap();
        let mut words = BTreeMap::new();
        for (table, rows) in [(Table::Input, &image.input), (Table::Holding, &image.holding)] {
            for (at, row) in rows {
                words.extend(row.iter().zip(number(at)..).map(|(word, at)| ((table, at), *word)));
            }
        }
        Device { bits: image.coil.iter().map(|(at, on)| (number(at), *on)).collect(), words }
    }

    /// None where its source does not say all of it.
    fn gives(&self, spot: &Spot) -> Option<Value> {
        let at = u32::from(spot.at)..spot.end();
        if spot.table.is_bits() {
            let bits: Vec<bool> = at.map(|at| self.bits.get(&at).copied()).collect::<Option<_>>()?;
            return Some(value::read(spot, Got::Bits(&bits)).unwrap());
        }
        let words: Vec<u16> = at.map(|at| self.words.get(&(spot.table, at)).copied()).collect::<Option<_>>()?;
        Some(value::read(spot, Got::Words(&words)).unwrap())
    }
}

/// What can be read, in its order, and how often.
fn readable(profile: &Profile) -> Vec<(PointPath, Spot, Duration)> {
    let given = capabilities_of(profile);
    let reads = |path: &PointPath| given.points.iter().any(|point| &point.path == path && point.access.reads());
    let every = |path: &PointPath| profile.point.get(path).and_then(|known| known.every).map_or(EVERY, |span| span.0);
    let spots = profile.spots().into_iter().filter(|(path, _)| reads(path));
    spots.map(|(path, spot)| (path.clone(), spot, every(path))).collect()
}

fn plan(profile: &Profile, spots: &[Spot]) -> Vec<Request> {
    let bounds = Bounds::of(profile.modbus.as_deref().unwrap());
    let plan = requests(spots, &bounds);
    assert!(plan.left_out.is_empty(), "{:?} cannot be read", plan.left_out);
    plan.requests
}

/// By the requests that the gateway would send, as the profile means it.
fn meant(name: &str, device: &Device) -> BTreeMap<PointPath, (Value, Quality)> {
    let profile = profile(name);
    let points = readable(&profile);
    let spots: Vec<Spot> = points.iter().map(|(_, spot, _)| *spot).collect();
    let mut arrived = Vec::new();
    for request in plan(&profile, &spots) {
        for place in request.points {
            assert!(request.block.has(&Block::of(&spots[place])));
            arrived.extend(device.gives(&spots[place]).map(|value| (&points[place].0, value)));
        }
    }
    let raws = arrived.iter().map(|(path, value)| Raw { path, value, quality: Quality::Good, source: None });
    let raws: Vec<Raw<'_>> = raws.collect();
    let shaped = Arc::new(Shaped::new(Name::new(name).unwrap(), Arc::new(profile.clone())));
    let now = Now { mono: Mono(1), boot: Boot(1), wall: Wall(1), quality: ClockQuality::Set };
    let mut out: Vec<Given> = Vec::new();
    Converter::new(shaped, &Kept::default()).take(&now, &raws, &mut out);
    out.into_iter().map(|given| (given.path, (given.value, given.quality))).collect()
}

fn is(value: &Value, wanted: &toml::Value) -> bool {
    match (value, wanted) {
        (Value::Text(text), toml::Value::String(wanted)) => text.as_ref() == wanted.as_str(),
        (Value::Bool(on), toml::Value::Boolean(wanted)) => on == wanted,
        (value, wanted) => {
            let wanted = wanted.as_float().or(wanted.as_integer().map(|whole| whole as f64)).unwrap();
            value.number().is_some_and(|x| (x - wanted).abs() <= 1e-9 * wanted.abs())
        }
    }
}

/// Points that are not as their source says.
fn wrong(name: &str, moved: u32) -> Vec<String> {
    let image = image(name);
    let meant = meant(name, &Device::of(&image, moved));
    let right = |(point, wanted): &(&String, &Means)| {
        meant.get(&path(point)).is_some_and(|(value, quality)| *quality == Quality::Good && is(value, &wanted.value))
    };
    let wrong = image.means.iter().filter(|pair| !right(pair));
    wrong.map(|(point, wanted)| format!("{point} is {:?}, not {}", meant.get(&path(point)), wanted.value)).collect()
}

#[test]
fn what_others_read_from_such_devices_means_the_same_here() {
    for (name, _) in SHIPPED {
        assert_eq!(wrong(name, 0), Vec::<String>::new(), "{name}");
    }
}

/// The negative of the test above: one register off is noticed, of every device.
#[test]
fn registers_that_lie_elsewhere_are_noticed() {
    for (name, _) in SHIPPED {
        for moved in [1, 2] {
            let all = image(name).means.len();
            assert!(wrong(name, moved).len() * 2 > all, "{name} by {moved}: {:?}", wrong(name, moved));
        }
    }
}

#[test]
fn units_are_those_of_the_source() {
    for (name, _) in SHIPPED {
        let profile = profile(name);
        for (point, wanted) in image(name).means {
            let known = profile.point.get(&path(&point)).unwrap_or_else(|| panic!("{name} has no {point}"));
            let unit = known.unit.as_ref().map(|unit| unit.value.clone());
            assert_eq!(unit, wanted.unit, "{name}: {point}");
        }
    }
}

/// Else an image would prove little.
#[test]
fn most_of_what_is_measured_is_held_against_its_image() {
    for (name, _) in SHIPPED {
        let profile = profile(name);
        let held = image(name).means.len();
        let all = readable(&profile).len();
        assert!(held * 2 > all, "{name}: {held} of {all}");
    }
}

#[test]
fn requests_stay_within_what_the_document_allows() {
    for (name, most) in SHIPPED {
        let profile = profile(name);
        let spots: Vec<Spot> = readable(&profile).into_iter().map(|(_, spot, _)| spot).collect();
        for request in plan(&profile, &spots) {
            assert!(request.block.count <= most, "{name}: {:?}", request.block);
        }
    }
}

/// The identification code of the EM24 is what one gets who asks for that register alone.
#[test]
fn a_probe_of_the_em24_is_no_part_of_another_point() {
    let profile = profile("carlo-gavazzi-em24");
    let probe = &profile.modbus.as_deref().unwrap().probe[0];
    let spot = profile.modbus.as_deref().unwrap().spot(&probe.register()).unwrap();
    assert_eq!((spot.table, spot.at, spot.count), (Table::Input, 0x000B, 1));
    assert!(probe.holds(&Value::Uint(72)) && !probe.holds(&Value::Uint(57)) && !probe.holds(&Value::Uint(1648)));
    assert!(profile.spots().values().all(|other| (other.table, other.at) != (spot.table, spot.at)));
}

/// At 9600 baud, where a device thinks for a tenth of a second.
fn bus_load(profile: &Profile, points: &[(PointPath, Spot, Duration)]) -> f64 {
    let pause = profile.modbus.as_deref().unwrap().pause.0;
    let line = Line { pace: Pace { baud: 9_600, bits: 11 }, thinks: Duration::from_millis(100), pause };
    let mut periods: BTreeMap<Duration, Vec<Spot>> = BTreeMap::new();
    points.iter().for_each(|(_, spot, every)| periods.entry(*every).or_default().push(*spot));
    let sent: Vec<(Request, Duration)> = periods
        .into_iter()
        .flat_map(|(every, spots)| plan(profile, &spots).into_iter().map(move |request| (request, every)))
        .collect();
    share(&line, sent.iter().map(|(request, every)| (&request.block, *every)))
}

#[test]
fn no_profile_needs_half_of_a_slow_line() {
    for (name, _) in SHIPPED {
        let profile = profile(name);
        let mut points = readable(&profile);
        let load = bus_load(&profile, &points);
        println!("{name}: {} points, {:.1} % of a line at 9600 baud", points.len(), load * 100.0);
        assert!(load < 0.5, "{name}: {load}");
        // Each second is too often for what it has.
        points.iter_mut().for_each(|(_, _, every)| *every = Duration::from_millis(200));
        assert!(bus_load(&profile, &points) > 0.5, "{name}");
    }
}

/// What goes out where this is written.
fn written(name: &str, point: &str, wanted: Value) -> Result<Writing, String> {
    sent(name, &profile(name), &path(point), &wanted)
}

fn sent(name: &str, profile: &Profile, point: &PointPath, wanted: &Value) -> Result<Writing, String> {
    let shaped = Shaped::new(Name::new(name).unwrap(), Arc::new(profile.clone()));
    let (raw, value) = shaped.raw_for(&capabilities_of(profile), point, wanted)?;
    Ok(value::write(&profile.spots()[&raw], &value).unwrap())
}

/// Each as somebody else sends it: the request stands beside.
#[test]
fn what_is_written_is_what_others_send() {
    let word = |text: &str| Value::text(text);
    let register = |at: u16, value: u16| Ok(Writing::Register { at, value });
    let registers = |at: u16, values: &[u16]| Ok(Writing::Registers { at, values: values.to_vec() });
    // SolarNetwork, wiki, SDM XXX meters: 01 10 001C 0002 04 40000000.
    assert_eq!(written("eastron-sdm120", "port.baud", word("9600")), registers(0x001C, &[0x4000, 0x0000]));
    // Its document, V1.8, and reaper7/SDM_Energy_Meter: 38400 is 4.
    assert_eq!(written("eastron-sdm630", "port.baud", word("38400")), registers(0x001C, &[0x4080, 0x0000]));
    // Its document, page 5: 01 06 0001 08FC, and 01 06 0002 0005.
    assert_eq!(written("pzem-016", "phase.1.alarm-threshold", Value::Uint(2_300)), register(1, 0x08FC));
    assert_eq!(written("pzem-016", "port.unit", Value::Uint(5)), register(2, 5));
    // The module for VenusOS by T. Weichenberger sets application H: 7 to 0x1101.
    assert_eq!(written("carlo-gavazzi-em24", "grid.application", word("H")), register(0x1101, 7));
    assert_eq!(written("carlo-gavazzi-em24", "reset.demand-max", Value::Bool(true)), register(0x3005, 1));
    // htvekov/iem3155_esphome: 01 10 1481 0002 04 07E4 0000.
    let reset = written("schneider-iem3155", "command.run", word("reset-partial-energies"));
    assert_eq!(reset, registers(0x1481, &[0x07E4, 0x0000]));
    // Waveshare's wiki: 01 05 0001 FF00, 01 05 00FF 0000; and as many others have it: 00 06 4000 0002, 00 06 2000 0005.
    let coil = |at: u16, on: bool| Ok(Writing::Coil { at, on });
    assert_eq!(written("waveshare-relay-8ch", "relay.2.on", Value::Bool(true)), coil(1, true));
    assert_eq!(written("waveshare-relay-8ch", "board.all-on", Value::Bool(false)), coil(0x00FF, false));
    assert_eq!(written("waveshare-relay-8ch", "port.unit", Value::Uint(2)), register(0x4000, 2));
    assert_eq!(written("waveshare-relay-8ch", "port.baud", word("115200")), register(0x2000, 5));
}

#[test]
fn a_unit_that_can_be_changed_is_an_operation() {
    for (name, _) in SHIPPED {
        let profile = profile(name);
        let writes = profile.point[&path("port.unit")].access.is_some();
        let offers = capabilities_of(&profile).operations;
        let both = [OperationKind::ConnectivityGet, OperationKind::ConnectivitySet].map(|kind| offers.has(kind));
        assert_eq!(both, [writes; 2], "{name}");
    }
}

#[test]
fn what_is_measured_cannot_be_written() {
    for (name, _) in SHIPPED {
        let profile = profile(name);
        let closed = profile.point.iter().filter(|(_, known)| known.access.is_none());
        for (path, known) in closed {
            let word = known.r#enum.as_ref().and_then(|words| words.value.0.values().next());
            let wanted = word.map_or(Value::Uint(1), |word| Value::text(word));
            let told = sent(name, &profile, path, &wanted).expect_err("it was written");
            assert!(told.contains("can only be read") || told.contains("is computed"), "{name}: {told}");
        }
    }
}

#[test]
fn every_profile_for_modbus_is_held_against_an_image() {
    let of = |folder: &Path| {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| !path.to_string_lossy().ends_with(".example.toml")).collect::<Vec<_>>()
    };
    let on_modbus = of(Path::new("config/profiles")).into_iter().filter(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        profile(name).modbus.is_some()
    });
    let mut names: Vec<String> = on_modbus.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    let mut held: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    held.sort();
    assert_eq!(names, held);
}
