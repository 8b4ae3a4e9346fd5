//! Units as a gateway sees them: by what its own profile reads from their registers.

use super::*;
use crate::links::modbus::value::Got;
use crate::profile::text;

const PROFILE: &str = r#"
[profile.rig]
[profile.rig.modbus]
gap = 4
most_registers = 20
probe = { holding = 90, type = "text", length = 4, like = "*RIG*" }
serial = { holding = 80, type = "u32" }
[profile.rig.point]
"phase.1.voltage" = { unit = "V", scale = 0.1, modbus = { input = 0 } }
"phase.1.power" = { unit = "W", modbus = { input = 1, type = "f32" } }
"energy.import" = { unit = "kWh", scale = 0.001, counter = { bits = 32 }, modbus = { input = 5, type = "u32" } }
"state.mode" = { enum = { 3 = "idle", 7 = "busy" }, modbus = { holding = 10 } }
"state.far" = { modbus = { holding = 30 } }
"relay.1.on" = { access = "read-write", modbus = { coil = 2 } }
"set.level" = { access = "read-write", unit = "%", scale = 0.5, modbus = { holding = 11 } }
"set.low" = { access = "read-write", modbus = { holding = 12, bits = "0-3" } }
"#;

fn profile() -> Profile {
    text::read(PROFILE).unwrap().into_values().next().unwrap()
}

fn unit(settings: &str) -> Result<Unit, String> {
    let settings: settings::Unit = toml::from_str(&format!("profile = \"rig\"\n{settings}")).unwrap();
    Unit::new(&settings, 1, profile(), 7)
}

fn says(unit: &mut Unit, now: u64, pdu: &[u8]) -> Vec<u8> {
    unit.answer(now, pdu).unwrap().0
}

fn registers(unit: &mut Unit, now: u64, function: u8, at: u8, count: u8) -> Vec<u16> {
    let says = says(unit, now, &[function, 0, at, 0, count]);
    assert_eq!(says[..2], [function, count * 2], "{says:?}");
    says[2..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

fn reads(unit: &mut Unit, now: u64, path: &str) -> Value {
    let profile = profile();
    let spots = profile.spots();
    let spot = spots[&path.parse::<PointPath>().unwrap()];
    let function = function_of(spot.table);
    let words = registers(unit, now, function, spot.at as u8, spot.count as u8);
    value::read(&spot, Got::Words(&words)).unwrap()
}

#[test]
fn a_meter_shows_values_that_can_be_and_that_move() {
    let mut unit = unit("").unwrap();
    let number = |unit: &mut Unit, now, path| reads(unit, now, path).number().unwrap();
    let volts = number(&mut unit, 0, "phase.1.voltage");
    assert!((2_200.0..2_400.0).contains(&volts), "in tenths: {volts}");
    let power = number(&mut unit, 0, "phase.1.power");
    assert!((400.0..2_000.0).contains(&power), "{power} W");
    let before = number(&mut unit, 0, "energy.import");
    let after = number(&mut unit, 3_600_000, "energy.import");
    assert!(after > before + 100.0 && after < before + 5_000.0, "{before} and {after} Wh");
    assert_ne!(number(&mut unit, 3_600_000, "phase.1.voltage"), volts);
}

#[test]
fn it_shows_the_signs_and_the_serial_number_of_its_profile() {
    let mut unit = unit("serial = 70000\nset = { \"state.mode\" = \"busy\", \"set.level\" = 12.5 }").unwrap();
    assert_eq!(registers(&mut unit, 0, 3, 80, 2), [1, 4464]);
    assert_eq!(registers(&mut unit, 0, 3, 90, 2), [0x5249, 0x4700]);
    assert_eq!(registers(&mut unit, 0, 3, 10, 2), [7, 25]);
}

#[test]
fn what_is_written_stands_there_and_what_the_profile_does_not_open_stays() {
    let mut unit = unit("").unwrap();
    assert_eq!(says(&mut unit, 0, &[5, 0, 2, 0xff, 0]), [5, 0, 2, 0xff, 0]);
    assert_eq!(says(&mut unit, 0, &[1, 0, 2, 0, 1]), [1, 1, 1]);
    assert_eq!(says(&mut unit, 0, &[15, 0, 2, 0, 1, 1, 0]), [15, 0, 2, 0, 1]);
    assert_eq!(says(&mut unit, 0, &[1, 0, 2, 0, 1]), [1, 1, 0]);
    assert_eq!(says(&mut unit, 0, &[16, 0, 11, 0, 2, 4, 0, 50, 0, 9]), [16, 0, 11, 0, 2]);
    assert_eq!(says(&mut unit, 0, &[22, 0, 12, 0xff, 0xf0, 0, 5]), [22, 0, 12, 0xff, 0xf0, 0, 5]);
    assert_eq!(registers(&mut unit, 0, 3, 11, 2), [50, 5]);
    for closed in [&[6, 0, 10, 0, 1][..], &[16, 0, 10, 0, 2, 4, 0, 1, 0, 1], &[5, 0, 9, 0xff, 0]] {
        assert_eq!(says(&mut unit, 0, closed), [closed[0] | 0x80, 2], "{closed:?}");
    }
    assert_eq!(registers(&mut unit, 0, 3, 10, 1), [3], "the first of its words");
}

#[test]
fn what_cannot_be_is_refused_as_the_protocol_says() {
    let mut unit = unit("").unwrap();
    for (pdu, exception) in [
        (&[3, 0, 10, 0, 21][..], 3),
        (&[3, 0, 10, 0, 0], 3),
        (&[3, 0, 10, 0], 3),
        (&[5, 0, 2, 0, 1], 3),
        (&[16, 0, 11, 0, 2, 4, 0, 50], 3),
        (&[4, 0, 100, 0, 1], 2),
        (&[3, 0, 12, 0, 19], 2),
        (&[4, 0xff, 0xff, 0, 2], 2),
        (&[43, 14, 1, 0], 1),
        (&[65], 1),
    ] {
        assert_eq!(says(&mut unit, 0, pdu), [pdu[0] | 0x80, exception], "{pdu:?}");
    }
    assert_eq!(registers(&mut unit, 0, 4, 0, 7)[3..5], [0, 0], "a hole that may be read over");
}

#[test]
fn it_says_who_it_is_where_it_is_told_to() {
    let mut unit = unit("identity = [\"acme\", \"R-1\", \"1.0\", \"http://acme\"]").unwrap();
    let basic = [&[43, 14, 1, 0x82, 0, 0, 3, 0, 4][..], b"acme", &[1, 3], b"R-1", &[2, 3], b"1.0"].concat();
    assert_eq!(says(&mut unit, 0, &[43, 14, 1, 0]), basic);
    assert_eq!(says(&mut unit, 0, &[43, 14, 4, 1]), [&[43, 14, 4, 0x82, 0, 0, 1, 1, 3][..], b"R-1"].concat());
    assert_eq!(says(&mut unit, 0, &[43, 14, 4, 9]), [0xab, 2]);
}

#[test]
fn its_faults_come_and_go() {
    let mut unit = unit("[[fault]]\nat = \"1s\"\nlasts = \"1s\"\ndo = \"silent\"\n").unwrap();
    let on = [5, 0, 2, 0xff, 0];
    assert!(unit.answer(0, &[1, 0, 2, 0, 1]).is_some());
    assert!(unit.answer(1_500, &on).is_none());
    assert_eq!(says(&mut unit, 2_500, &[1, 0, 2, 0, 1]), [1, 1, 1], "it heard, and obeyed");
}

#[test]
fn a_unit_that_cannot_be_is_refused() {
    for (bad, says) in [
        ("firmware = 3", "no place for its firmware"),
        ("serial = \"x\"", "serial number"),
        ("set = { \"no.where\" = 1 }", "no point no.0.where"),
        ("set = { \"state.mode\" = \"asleep\" }", "idle, busy"),
        ("[[fault]]\nat = \"1s\"\ndo = \"garbage\"\n", "not garbage"),
    ] {
        let why = unit(bad).err().unwrap_or_else(|| panic!("{bad} is taken"));
        assert!(why.contains(says), "{bad}: {why}");
    }
}
