//! `dmgw scan`: who is on a line or behind an address, before there is a daemon or any settings.
//!
//! The search is that of [`links::modbus::scan`](crate::links::modbus::scan); here stands what is meant by the words, what
//! is shown of it, and the settings that come of it. Stopped half-way it shows what was found so far.

mod settings;
mod shown;

use std::path::Path;

use super::args::ScanArgs;
use super::profile;
use super::progress::Progress;
use super::watch::called_off;
use super::{CliError, Exit, print_json};
use crate::api::fault::Told;
use crate::config::Config;
use crate::links::modbus::attach::with_port;
use crate::links::modbus::scan::{Far, Found, ITSELF, Place, Scan, Stop, Way, Wish, lines};
use crate::links::modbus::units::Units;
use crate::links::serial::found::ports;
use crate::links::serial::holder::{Holder, told};
use crate::links::serial::wanted::{BadPort, locate};
use crate::links::serial::{OpenError, Roots, Rs485, Wanted};
use crate::model::Name;
use crate::units::show_span;

/// Of a line: unit 0 is all of them.
const ON_A_LINE: (u8, u8) = (1, 247);

pub async fn scan(settings: &Path, args: ScanArgs, json: bool) -> Result<Exit, CliError> {
    Name::new(&args.name).map_err(|error| usage(format!("{:?}: {error}", args.name), "say another name with --as"))?;
    let place = place(&args)?;
    let wish = wish(&args, &place)?;
    let (config, why) = profile::settings(settings)?;
    let profiles = config.profiles();
    if let Some(why) = why.filter(|_| settings.exists()) {
        eprintln!("dmgw: only profiles that come with dmgw are looked for: {why}");
    }
    let mut found = Found::default();
    let mut progress = Progress::begin();
    let mut tell = |far: &Far| {
        progress.say(|| format!("{}; about {} to go, Ctrl-C shows what was found", far.says, show_span(far.left)));
    };
    let mut scan = Scan { place: &place, wish: &wish, profiles: &profiles, tell: &mut tell };
    let ended = tokio::select! {
        ended = scan.run(&mut found) => Some(ended),
        () = called_off(false) => None,
    };
    progress.end();
    let whole = match ended {
        Some(Ok(())) => true,
        Some(Err(stop)) if found.units.is_empty() => return Err(stopped(stop, &place, &config)),
        Some(Err(stop)) => {
            eprintln!("dmgw: it did not come to its end: {stop}");
            false
        }
        None => false,
    };
    tell_found(&found, &args, &place, whole, json)
}

fn tell_found(found: &Found, args: &ScanArgs, place: &Place, whole: bool, json: bool) -> Result<Exit, CliError> {
    let text = settings::text(&args.name, place, found);
    let exit = if whole && !found.units.is_empty() { Exit::Done } else { Exit::Failed };
    if json {
        return print_json(&shown::json(&args.what, found, &text, whole)).map(|_| exit);
    }
    shown::print_all(&args.what, found, &text, whole);
    Ok(exit)
}

fn usage(says: String, hint: &str) -> CliError {
    CliError::Usage { says, hint: hint.into() }
}

/// What is a port and what a host.
fn place(args: &ScanArgs) -> Result<Place, CliError> {
    let what = args.what.as_str();
    let names_ports = "dmgw link ports shows the ports of this machine";
    let rs485 = args.rs485.then(Rs485::default);
    match Wanted::said(what) {
        Ok(port) => return Ok(Place::Port { port: stable(port), rs485 }),
        // As people call it, without the folder.
        Err(BadPort::NoPath { meant: Some(path) }) => {
            return Ok(Place::Port { port: stable(Wanted::Path(path.into())), rs485 });
        }
        Err(bad) if what.starts_with('/') || what.starts_with("usb:") => {
            return Err(usage(bad.to_string(), names_ports));
        }
        Err(_) => {}
    }
    let is_host = !what.is_empty() && what.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
    match is_host {
        true if args.rs485 || !args.baud.is_empty() || !args.parity.is_empty() => {
            Err(usage(format!("{what} is on the network, where there is no rate and no parity"), names_ports))
        }
        true => Ok(Place::Host(with_port(what))),
        false => Err(usage(format!("{what:?} is neither a port nor a host"), names_ports)),
    }
}

/// By the name that stays with the adapter, where it has one.
fn stable(port: Wanted) -> Wanted {
    let roots = Roots::default();
    let Ok(at) = locate(&port, &roots) else { return port };
    let same = |node: &Path| node.canonicalize().is_ok_and(|node| at.node.canonicalize().is_ok_and(|at| at == node));
    let known = ports(&roots).unwrap_or_default().into_iter().find(|found| same(&found.node));
    known.and_then(|found| Wanted::said(&found.best_name()).ok()).unwrap_or(port)
}

fn wish(args: &ScanArgs, place: &Place) -> Result<Wish, CliError> {
    let on_a_line = matches!(place, Place::Port { .. });
    let ways = if on_a_line { lines(&args.baud, &args.parity) } else { vec![Way::Tcp, Way::RtuOverTcp] };
    let all = || (ON_A_LINE.0..=ON_A_LINE.1).chain(ITSELF.into_iter().filter(|_| !on_a_line));
    let units: Vec<u8> = args.units.as_ref().map_or_else(|| all().collect(), |units| units.iter().collect());
    if units.is_empty() || on_a_line && units.contains(&0) {
        return Err(usage("there are the units 1 to 247; 0 is all of them".into(), "such as --units 1-32"));
    }
    Ok(Wish { ways, units, units_are_named: args.units.is_some(), thinks: args.timeout })
}

fn stopped(stop: Stop, place: &Place, config: &Config) -> CliError {
    match stop {
        Stop::Port(OpenError::InUse { port, by }) => CliError::Told(Told {
            kind: "in-use".into(),
            status: 0,
            message: format!("{port} is in use by {}", told(&by)),
            hint: remedy(&by, place, config),
            guard: None,
        }),
        Stop::Port(OpenError::Absent(absent)) => CliError::NotFound { says: absent.to_string(), hint: String::new() },
        other => {
            let source = std::error::Error::source(&other).map(|source| format!(": {source}")).unwrap_or_default();
            CliError::Failed(format!("{other}{source}"))
        }
    }
}

/// Our own daemon lends its ports.
fn remedy(by: &[Holder], place: &Place, config: &Config) -> String {
    if !by.iter().any(|holder| holder.name == "dmgw") {
        return "end that first: two that ask on one line hear each other's answers".into();
    }
    let Place::Port { port, .. } = place else { return String::new() };
    let roots = Roots::default();
    let node = |port: &Wanted| locate(port, &roots).ok().and_then(|at| at.node.canonicalize().ok());
    let here = node(port);
    let of = |link: &crate::config::sections::Link| {
        link.modbus_rtu.as_ref().is_some_and(|rtu| here.is_some() && node(&rtu.port) == here)
    };
    match config.link.iter().find(|(_, link)| of(link)) {
        Some((name, _)) => format!("it is the port of the link {name}: dmgw link release {name} --for 10m lends it"),
        None => "it is a link of the daemon: dmgw link release NAME --for 10m lends its port".into(),
    }
}

/// `1-3, 7`
fn units(of: impl IntoIterator<Item = u8>) -> String {
    of.into_iter().collect::<Units>().to_string()
}
