//! Whether serial lines can keep up with what is to be read over them, as far as files alone say it: the rate, the devices
//! that are named, their profiles and how often each point is read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Config;
use super::sections::Link;
use crate::links::modbus::plan::Bounds;
use crate::links::modbus::plan::load::{self, Line, Needs};
use crate::links::modbus::settings::Rtu;
use crate::links::modbus::wire::timing::Pace;
use crate::links::serial;
use crate::model::{Address, Name, PointPath};
use crate::profile::{Profile, Shaped};

/// For people; no mistakes, for what is asked for works, only slower.
pub fn warnings(config: &Config) -> Vec<String> {
    let rtu = config.link.iter().filter_map(|(name, link)| Some((name, link, link.modbus_rtu.as_ref()?)));
    rtu.filter_map(|(name, link, rtu)| strained(config, name, link, rtu)).collect()
}

fn strained(config: &Config, name: &Name, link: &Link, rtu: &Rtu) -> Option<String> {
    let line = line(rtu);
    let of = |device: &super::devices::KnownDevice| {
        let is_here = device.link.as_ref().is_some_and(|link| link.value == *name);
        let (address, profile) = device.address.as_ref().zip(device.profile.as_ref()).filter(|_| is_here)?;
        Some((address.value.clone(), config.profile.get_key_value(&profile.value)?))
    };
    let mut kinds: BTreeMap<&Name, Needs> = BTreeMap::new();
    let mut needs: Vec<(Address, Needs)> = Vec::new();
    for (address, (kind, profile)) in config.device.values().filter_map(of) {
        let needed = *kinds.entry(kind).or_insert_with(|| of_kind(&line, kind, profile, link.every.0));
        needs.push((address, needed));
    }
    let strain = load::strain(needs.iter().map(|(who, needs)| (who, *needs)), &line.named());
    strain.filter(|(share, _)| *share > 1.0).map(|(_, why)| format!("link {name}: {why}"))
}

fn line(rtu: &Rtu) -> Line {
    let Rtu { baud, parity, data_bits, stop_bits, .. } = *rtu;
    let bits = serial::Line { baud, parity, data_bits, stop_bits }.bits_a_byte() as u8;
    Line { pace: Pace { baud: baud.get(), bits }, thinks: Duration::ZERO, pause: Duration::ZERO }
}

/// What one device of this kind needs.
fn of_kind(line: &Line, name: &Name, profile: &Profile, every: Duration) -> Needs {
    let shaped = Shaped::new(name.clone(), Arc::new(profile.clone()));
    let spots = shaped.profile.spots();
    let read = |path: &&PointPath| {
        shaped.known(path).is_none_or(|known| known.access.is_none_or(|access| access.value.reads()))
    };
    let wanted = shaped.wanted(shaped.profile.point.keys().filter(read), Some(every));
    let of = |(path, every): (&PointPath, Option<Duration>)| Some((*spots.get(path)?, every?));
    let speaks = shaped.profile.speaks();
    load::needs(Some(line), &Bounds::of(speaks), speaks.pause.0, wanted.into_iter().filter_map(of))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn warned(every: &str, baud: u32) -> Vec<String> {
        let mut text = format!(
            "[link.bus]\nevery = {every:?}\nmodbus-rtu = {{ port = \"/dev/ttyS0\", baud = {baud} }}\n\
             [link.other]\nmodbus-tcp = {{ at = \"192.0.2.7\" }}\n\
             [profile.meter.point]\n\"a.volts\" = {{ modbus = {{ input = 0, type = \"f32\" }} }}\n\
             \"a.amps\" = {{ modbus = {{ input = 8, type = \"f32\" }} }}\n\
             \"a.twice\" = {{ sum = [\"a.volts\", \"a.volts\"] }}\n\
             \"a.total\" = {{ modbus = {{ input = 400, type = \"f32\" }}, every = \"1h\" }}\n\
             \"a.set\" = {{ modbus = {{ holding = 0 }}, access = \"write\" }}\n"
        );
        for unit in 1..=32 {
            text += &format!("[device.d{unit}]\nlink = \"bus\"\naddress = \"{unit}\"\nprofile = \"meter\"\n");
        }
        warnings(&Config::parse(Path::new("dmgw.toml"), &text).unwrap_or_else(|wrong| panic!("{wrong}")))
    }

    #[test]
    fn a_line_that_cannot_keep_up_is_warned_of_and_one_that_can_is_not() {
        // A request for 10 registers: 8 and 25 characters, and twice 3.5, of 10 bits each; 32 of these each second.
        let percent = (32.0 * 40.0 * 10.0 / 9_600.0 * 100.0_f64).ceil();
        let told = warned("1s", 9_600);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("link bus: polls need {percent} % of the line at 9600 baud")), "{told:?}");
        assert_eq!(warned("2s", 9_600), Vec::<String>::new());
        assert_eq!(warned("1s", 19_200), Vec::<String>::new());
    }

    #[test]
    fn two_links_on_one_port_are_a_mistake_with_both_names() {
        let text =
            "[link.a]\nmodbus-rtu = { port = \"/dev/ttyS0\" }\n[link.b]\nmodbus-rtu = { port = \"/dev/ttyS0\" }\n";
        let told = Config::parse(Path::new("dmgw.toml"), text).unwrap_err().to_string();
        assert!(told.contains("dmgw.toml:4:23: /dev/ttyS0 is the port of link a already"), "{told}");
        let other = text.replacen("ttyS0", "ttyS1", 1);
        assert!(Config::parse(Path::new("dmgw.toml"), &other).is_ok());
    }
}
