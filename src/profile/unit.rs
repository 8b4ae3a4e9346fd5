//! The names of units: those of SenML (RFC 8428, RFC 8798 and what its registry added) and, where it has none, of UCUM.
//!
//! One spelling for each, so that "kwh" here and "kWh" there are not two things to whoever adds them up.

use crate::document::{At, Fault};

#[rustfmt::skip]
pub const UNITS: &[&str] = &[
    // SenML, primary.
    "m", "kg", "g", "s", "A", "K", "cd", "mol", "Hz", "rad", "sr", "N", "Pa", "J", "W", "C", "V", "F", "Ohm", "S", "Wb",
    "T", "H", "Cel", "lm", "lx", "Bq", "Gy", "Sv", "kat", "m2", "m3", "l", "m/s", "m/s2", "m3/s", "l/s", "W/m2", "cd/m2",
    "bit", "bit/s", "lat", "lon", "pH", "dB", "dBW", "Bspl", "count", "/", "%", "%RH", "%EL", "EL", "1/s", "1/min",
    "beat/min", "beats", "S/m", "B", "VA", "VAs", "var", "vars", "J/m", "kg/m3", "deg", "NTU",
    // SenML, secondary.
    "ms", "min", "h", "MHz", "kW", "kVA", "kvar", "Ah", "Wh", "kWh", "varh", "kvarh", "VAh", "kVAh", "Wh/km", "KiB", "GB",
    "Mbit/s", "B/s", "MB/s", "mV", "mA", "dBm", "ug/m3", "mm/h", "m/h", "ppm", "/100", "/1000", "hPa", "mm", "cm", "km",
    "km/h", "ppb", "ppt",
    // UCUM.
    "us", "ns", "d", "wk", "mo", "a", "kHz", "GHz", "kV", "uV", "kA", "uA", "mW", "MW", "GW", "MVA", "Mvar", "MWh", "GWh",
    "Mvarh", "MVAh", "kJ", "MJ", "mOhm", "kOhm", "MOhm", "uS/cm", "mS/cm", "nF", "uF", "mF", "mH", "uH", "mT", "kPa", "MPa",
    "mbar", "bar", "um", "nm", "ha", "mm2", "cm2", "km2", "ml", "hl", "cm3", "m3/h", "m3/d", "l/min", "l/h", "ml/min", "kg/h",
    "t", "mg", "ug", "mg/m3", "mg/l", "ug/l", "g/l", "mol/l", "kN", "deg/s", "1/h", "1/d", "W/K", "W/m", "kW/m2",
    "kbit/s", "Gbit/s", "MiB", "GiB", "kB", "MB", "lm/W", "J/K", "mSv", "uSv", "uSv/h", "klx", "m/s3", "Torr",
];

/// What people write, and what they mean.
const EVERYDAY: &[(&str, &str)] = &[
    ("°C", "Cel"),
    ("ºC", "Cel"),
    ("degC", "Cel"),
    ("celsius", "Cel"),
    ("°", "deg"),
    ("Ω", "Ohm"),
    ("percent", "%"),
    ("rH", "%RH"),
    ("RH", "%RH"),
    ("m³", "m3"),
    ("m²", "m2"),
    ("m³/h", "m3/h"),
    ("µA", "uA"),
    ("µg/m³", "ug/m3"),
    ("sec", "s"),
    ("hour", "h"),
    ("hours", "h"),
    ("rpm", "1/min"),
    ("pcs", "count"),
    ("lux", "lx"),
    ("litre", "l"),
    ("volt", "V"),
    ("watt", "W"),
    ("ampere", "A"),
];

pub fn is_known(name: &str) -> bool {
    UNITS.contains(&name)
}

pub fn unknown(name: &str, at: At) -> Fault {
    let says = format!("{name:?} is no unit that SenML or UCUM knows");
    match EVERYDAY.iter().find(|(said, _)| *said == name) {
        Some((_, meant)) => Fault { meant: Some((*meant).to_owned()), ..Fault::new(at, says) },
        None => Fault::new(at, says).meant(name, UNITS.iter().copied()),
    }
}

/// What a power is of the unit that its energy is counted in, for one hour.
pub fn per_hour(power: &str, energy: &str) -> Option<f64> {
    [("W", "Wh"), ("var", "varh"), ("VA", "VAh")]
        .iter()
        .find_map(|(of, in_hours)| Some(prefix(power.strip_suffix(of)?)? / prefix(energy.strip_suffix(in_hours)?)?))
}

/// How many of the other power one of this power is.
pub fn power_in(one: &str, other: &str) -> Option<f64> {
    let by = |of: &&str| Some(prefix(one.strip_suffix(of)?)? / prefix(other.strip_suffix(of)?)?);
    ["W", "var", "VA"].iter().find_map(by)
}

fn prefix(text: &str) -> Option<f64> {
    match text {
        "" => Some(1.0),
        "m" => Some(1e-3),
        "k" => Some(1e3),
        "M" => Some(1e6),
        "G" => Some(1e9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    #[test]
    fn every_unit_is_there_once_and_fits_a_point() {
        for (no, unit) in UNITS.iter().enumerate() {
            assert!(Name::new(unit).is_ok(), "{unit}");
            assert!(!UNITS[..no].contains(unit), "{unit} is there twice");
        }
        assert!(EVERYDAY.iter().all(|(said, meant)| is_known(meant) && !is_known(said)));
    }

    #[test]
    fn a_wrong_unit_leads_to_the_right_one() {
        for (wrong, right) in
            [("kwh", "kWh"), ("°C", "Cel"), ("VAR", "var"), ("hz", "Hz"), ("m³", "m3"), ("ohm", "Ohm")]
        {
            assert_eq!(unknown(wrong, At::NOWHERE).meant.as_deref(), Some(right));
        }
        assert_eq!(unknown("furlongs", At::NOWHERE).meant, None);
    }

    #[test]
    fn power_becomes_energy_of_its_own_kind() {
        assert_eq!(per_hour("W", "Wh"), Some(1.0));
        assert_eq!(per_hour("kW", "Wh"), Some(1e3));
        assert_eq!(per_hour("W", "kWh"), Some(1e-3));
        assert_eq!(per_hour("var", "kvarh"), Some(1e-3));
        assert_eq!((power_in("W", "kW"), power_in("MW", "kW"), power_in("W", "VA")), (Some(1e-3), Some(1e3), None));
        assert_eq!((per_hour("W", "varh"), per_hour("V", "Wh"), per_hour("W", "J")), (None, None, None));
    }
}
