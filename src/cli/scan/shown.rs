//! What a scan has found, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::units;
use crate::cli::table::{print, table, width};
use crate::links::modbus::scan::points::Gives;
use crate::links::modbus::scan::{Found, Met, Tried, Way};
use crate::links::modbus::who::{MODEL, REVISION};
use crate::model::{Name, PointPath};
use crate::profile::Best;

/// Points that are named where many are missing.
const MOST_NAMED: usize = 6;

#[derive(Serialize)]
struct UnitShown<'a> {
    unit: u8,
    hardware: Option<&'a str>,
    serial: Option<String>,
    versions: &'a BTreeMap<Name, String>,
    /// By function 43/14.
    objects: &'a BTreeMap<u8, String>,
    /// By function 17.
    server: Option<&'a str>,
    profile: Option<&'a Name>,
    /// How many signs of it the unit shows.
    signs: usize,
    /// Profiles that fit as well.
    alike: Vec<&'a Name>,
    /// What speaks for profiles by what the unit says of itself.
    best: &'a Best,
    gives: &'a Gives,
}

pub fn json(what: &str, found: &Found, text: &str, whole: bool) -> Value {
    let unit = |met| json!(unit_shown(met));
    let tried = |of: &Tried| json!({ "way": of.way.to_string(), "units": units(of.units.iter().copied()), "garbled": of.garbled, "cannot": of.cannot });
    json!({
        "target": what,
        "complete": whole,
        "way": found.way.map(way),
        "heeds_no_number": found.heeds_no_number,
        "units": found.units.iter().map(unit).collect::<Vec<_>>(),
        "garbled": found.garbled,
        "tried": found.tried.iter().map(tried).collect::<Vec<_>>(),
        "toml": text,
    })
}

fn way(way: Way) -> Value {
    match way {
        Way::Line(line) => json!({
            "baud": line.baud.get(), "parity": line.parity, "data_bits": line.data_bits, "stop_bits": line.stop_bits,
        }),
        Way::Tcp => json!({ "wrapping": "tcp" }),
        Way::RtuOverTcp => json!({ "wrapping": "rtu" }),
    }
}

fn unit_shown(met: &Met) -> UnitShown<'_> {
    let who = &met.who;
    UnitShown {
        unit: met.unit,
        hardware: who.about.hardware.as_deref(),
        serial: who.serial.as_ref().map(ToString::to_string),
        versions: &who.about.versions,
        objects: &who.objects,
        server: who.server.as_deref(),
        profile: who.profile.as_ref(),
        signs: signs(met),
        alike: met.alike(),
        best: &met.best,
        gives: &met.gives,
    }
}

fn signs(met: &Met) -> usize {
    let of = met.who.signs.iter().find(|(name, _)| Some(name) == met.who.profile.as_ref());
    of.map_or(0, |(_, signs)| *signs)
}

pub fn print_all(what: &str, found: &Found, text: &str, whole: bool) {
    let stopped = if whole { "" } else { " so far" };
    match found.way {
        Some(way) => {
            print(&format!("{what} speaks {way}; units found{stopped}: {}\n", found.units.len()));
            print(&table(
                &["UNIT", "DEVICE", "SERIAL", "FIRMWARE", "PROFILE", "WHY, AND WHAT IT GIVES"],
                &rows(found),
                width(),
            ));
            further(found).iter().for_each(|line| print(line));
        }
        None => print(&nobody(what, found, stopped)),
    }
    if found.heeds_no_number {
        print("\nIt answers to every number of a unit, so it is one device.");
    }
    if !found.garbled.is_empty() {
        let which = units(found.garbled.iter().copied());
        print(&format!("\nSomething answers to {which}, but not rightly: maybe two devices have one number."));
    }
    if !text.is_empty() {
        print(&format!("\nFor the settings:\n\n{}", text.trim_end()));
    }
}

fn rows(found: &Found) -> Vec<Vec<String>> {
    let row = |met: &Met| {
        let about = &met.who.about;
        let firmware = about.versions.values().next().cloned().unwrap_or_default();
        let serial = met.who.serial.as_ref().map(|serial| serial.value.to_string()).unwrap_or_default();
        let number = serial.split_once(':').map_or(serial.as_str(), |(_, number)| number).to_owned();
        let hardware = about.hardware.clone().unwrap_or_default();
        let profile = met.who.profile.as_ref().map(ToString::to_string).unwrap_or_default();
        let gives = format!("{}; {}", sure(met), given(&met.gives));
        vec![met.unit.to_string(), hardware, number, firmware, profile, gives]
    };
    found.units.iter().map(row).collect()
}

fn sure(met: &Met) -> String {
    if met.who.profile.is_none() {
        return "no profile fits".into();
    }
    let others: String = met.alike().iter().map(|other| format!("; {other} fits as well")).collect();
    match signs(met) {
        0 => "by what it says of itself".into(),
        1 => format!("by its sign{others}"),
        many => format!("by its {many} signs{others}"),
    }
}

fn given(gives: &Gives) -> String {
    match gives {
        Gives::Points { asked, missing, unanswered } => {
            let there = asked - missing.len() - unanswered;
            let missing = if missing.is_empty() { String::new() } else { format!("; not there: {}", named(missing)) };
            let unanswered = if *unanswered == 0 { String::new() } else { format!("; no answer for {unanswered}") };
            format!("{there} of {asked} points answer{missing}{unanswered}")
        }
        Gives::Functions(all) => {
            let answering: Vec<String> =
                all.iter().filter(|(_, came)| *came == "answers").map(|(no, _)| no.to_string()).collect();
            match answering.is_empty() {
                true => "it refuses all reads at 0".into(),
                false => format!("answers functions {}", answering.join(", ")),
            }
        }
    }
}

fn named(points: &[PointPath]) -> String {
    let mut names: Vec<String> = points.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if points.len() > MOST_NAMED {
        names.push(format!("{} more", points.len() - MOST_NAMED));
    }
    names.join(", ")
}

/// What units say of themselves beside maker, model and revision.
fn further(found: &Found) -> Vec<String> {
    let of = |met: &Met| {
        let more = met.who.objects.iter().filter(|(no, _)| **no > MODEL.max(REVISION));
        let more: Vec<String> = more.map(|(no, text)| format!("{no} {text:?}")).collect();
        (!more.is_empty()).then(|| format!("unit {} says further: {}", met.unit, more.join(", ")))
    };
    found.units.iter().filter_map(of).collect()
}

fn nobody(what: &str, found: &Found, stopped: &str) -> String {
    let row = |of: &Tried| {
        let came = match (&of.cannot, of.garbled) {
            (Some(why), _) => why.as_str(),
            (None, true) => "something, but no right answer",
            (None, false) => "silence",
        };
        vec![of.way.to_string(), units(of.units.iter().copied()), came.to_owned()]
    };
    let tried: Vec<Vec<String>> = found.tried.iter().map(row).collect();
    format!(
        "nobody has answered on {what}{stopped}. Tried was:\n\n{}\n\nAre the wires the right way round, is the device \
         on, does it speak Modbus? --units, --baud and --parity ask for more.",
        table(&["WAY", "UNITS", "WHAT CAME"], &tried, width())
    )
}
