//! What a scan has found as settings: the link, and each unit as a device on it.

use std::fmt::Write;

use super::Place;
use crate::cli::device::written::{head, list, plain, quoted, row};
use crate::document::tree::key_text;
use crate::links::modbus::scan::{Found, Met, Way};
use crate::links::serial::Parity;

/// Empty where nobody was found.
pub fn text(name: &str, place: &Place, found: &Found) -> String {
    let Some(way) = found.way else { return String::new() };
    let devices = found.units.iter().map(|met| format!("\n{}", device(name, met, &found.units)));
    link(name, place, way) + &devices.collect::<String>()
}

fn link(name: &str, place: &Place, way: Way) -> String {
    let driver = if matches!(place, Place::Port { .. }) { "modbus-rtu" } else { "modbus-tcp" };
    let mut text = format!("[link.{}.{driver}]\n", key_text(name));
    match place {
        Place::Port { port, rs485 } => {
            row(&mut text, "port", Some(quoted(port)));
            if let Way::Line(line) = way {
                row(&mut text, "baud", Some(baud(line.baud.get())));
                let parity = if line.parity == Parity::Even { "even" } else { "odd" };
                row(&mut text, "parity", (line.parity != Parity::None).then(|| quoted(parity)));
            }
            row(&mut text, "rs485", rs485.as_ref().map(|_| "{}".into()));
        }
        Place::Host(at) => {
            row(&mut text, "at", Some(quoted(at)));
            row(&mut text, "wrapping", (way == Way::RtuOverTcp).then(|| quoted("rtu")));
        }
    }
    text
}

/// As the settings spell it: one that is not usual is meant.
fn baud(rate: u32) -> String {
    let usual = crate::links::serial::Baud::usual(i64::from(rate)).is_ok();
    if usual { rate.to_string() } else { quoted(&format!("{rate} exactly")) }
}

fn device(link: &str, met: &Met, all: &[Met]) -> String {
    let who = &met.who;
    let mut text = head(&format!("{link}-{}", met.unit));
    // A number that two show names neither.
    let twin = all.iter().find(|other| other.unit != met.unit && other.who.serial == who.serial);
    let own = who.serial.as_ref().filter(|_| twin.is_none());
    row(&mut text, "identities", own.map(|serial| list(std::slice::from_ref(serial))));
    if let (Some(twin), Some(serial)) = (twin, &who.serial) {
        let _ = writeln!(text, "# unit {} shows the same: {}", twin.unit, plain(&serial.to_string()));
    }
    row(&mut text, "link", Some(quoted(link)));
    row(&mut text, "address", Some(quoted(&met.unit)));
    row(&mut text, "profile", who.profile.as_ref().map(quoted));
    for other in met.alike() {
        let _ = writeln!(text, "# profile = {}  # fits as well", quoted(other));
    }
    if who.profile.is_none() {
        text.push_str("# profile = \"…\"  # none fits; dmgw profile list shows all\n");
    }
    if let Some(hardware) = &who.about.hardware {
        let _ = writeln!(text, "# {}", plain(hardware));
    }
    text
}
