//! Operations as people type them: `read power.0.active`, `write relay.0.on true`, `restart modem.1`.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::facts;
use crate::model::{
    About, Address, Component, DeviceId, Identity, IdentityKind, Name, Operation, OperationKind, Part, PointPath,
    Proof, Value,
};
use crate::{nearest, units};

const KINDS: [&str; 7] = ["place", "endpoint", "serial", "ble", "eui", "imei", "uuid"];

pub const HELP: &str = "Operations:
  Its points
    read POINT…                    write POINT VALUE          (also dmgw read, dmgw write)
    observe POINT… [off]           report-policy-get POINT…
    report-policy-set POINT SPAN   desire POINT VALUE [VERSION]   (VALUE null: nobody minds any more)
  What it does
    restart, activate, deactivate [COMPONENT[.INSTANCE]]
    power-mode MODE, diagnose, self-test, set-clock
    factory-reset, erase, lock     (cannot be undone: asked in two steps, or with --yes)
  Its software and files
    software-list, update IMAGE, fall-back, file-get NAME, file-put NAME DIGEST
  Its connection
    probe, locate, trigger-connect, connection-log [own]
    connectivity-get, connectivity-set NAME=VALUE…
  Whether it may take part
    accept, refuse, quarantine, release, retire, block SPAN, unblock, maintenance [SPAN | off]
  Who it is
    rename NAME, group +NAME… without NAME…, describe KEY=TEXT…
    replace KIND:VALUE, merge DEVICE, split KIND:VALUE
    profile [NAME]                 (without NAME: found by its signs again)

Points are COMPONENT.INSTANCE.POINT; instance 0 may be left out. Values are written as in JSON; what is
no JSON is taken as text. A KEY is application, location, hardware, power, security, access, label.NAME or
version.NAME. A KIND is serial, eui, ble, imei, uuid, endpoint or place.

Examples:
  dmgw read meter-1 power.0.active
  dmgw write relay-1 relay.0.on true --wait 10s
  dmgw command ask meter-1,meter-2 restart
  dmgw command ask pump-3 describe application=drainage label.row=4
  dmgw command ask 7 restart modem.1 --id night-restart-0412 --expires 2h";

/// What stands behind an operation's name.
pub fn args_of(kind: OperationKind) -> &'static str {
    use OperationKind as K;
    match kind {
        K::Read | K::ReportPolicyGet => "POINT…",
        K::Write => "POINT VALUE",
        K::Observe => "POINT… [off]",
        K::ReportPolicySet => "POINT SPAN",
        K::Desire => "POINT VALUE [VERSION]",
        K::Restart | K::Activate | K::Deactivate => "[COMPONENT[.INSTANCE]]",
        K::PowerMode => "MODE",
        K::Update => "IMAGE",
        K::FileGet => "NAME",
        K::FilePut => "NAME DIGEST",
        K::ConnectionLog => "[own]",
        K::ConnectivitySet => "NAME=VALUE…",
        K::Block => "SPAN",
        K::Maintenance => "[SPAN | off]",
        K::Rename => "NAME",
        K::Group => "+NAME… without NAME…",
        K::Describe => "KEY=TEXT…",
        K::Replace | K::Split => "KIND:VALUE",
        K::Merge => "DEVICE",
        K::Profile => "[NAME]",
        K::FactoryReset | K::Lock | K::Erase | K::Diagnose | K::SelfTest | K::SoftwareList | K::FallBack => "",
        K::ConnectivityGet | K::SetClock | K::TriggerConnect | K::Unblock | K::Probe | K::Locate => "",
        K::Accept | K::Refuse | K::Quarantine | K::Release | K::Retire => "",
    }
}

/// What is one word in JSON. JSON is read in one way everywhere: each further way is a copy of all that is read.
pub fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(json!(text).to_string().as_bytes()).ok()
}

/// The operation, or what is wrong and what would be right.
pub fn operation(word: &str, args: &[String]) -> Result<Operation, (String, String)> {
    let kind: OperationKind = self::word(word).ok_or_else(|| unknown(word))?;
    let operation = of(kind, args).map_err(|says| (format!("{word}: {says}"), form(word)))?;
    operation.check().map_err(|says| (format!("{word}: {says}"), form(word)))?;
    Ok(operation)
}

fn unknown(word: &str) -> (String, String) {
    let names: Vec<String> = OperationKind::ALL.iter().map(|kind| kind.name()).collect();
    let hint = match nearest::nearest(word, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => "dmgw command ask --help shows all".into(),
    };
    (format!("there is no operation {word:?}"), hint)
}

fn form(word: &str) -> String {
    format!("dmgw command ask --help shows how {word} is written")
}

fn of(kind: OperationKind, args: &[String]) -> Result<Operation, String> {
    use OperationKind as K;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let args = &args[..];
    Ok(match kind {
        K::Read => Operation::Read { points: points(args)? },
        K::Observe => match args {
            [named @ .., "off"] if !named.is_empty() => Operation::Observe { points: points(named)?, on: false },
            _ => Operation::Observe { points: points(args)?, on: true },
        },
        K::ReportPolicyGet => Operation::ReportPolicyGet { points: points(args)? },
        K::Write => two(args, |point, to| Ok(Operation::Write { point: path(point)?, value: value(to)? }))?,
        K::ReportPolicySet => {
            two(args, |point, every| Ok(Operation::ReportPolicySet { point: path(point)?, every: span(every)? }))?
        }
        K::FilePut => {
            two(args, |name, digest| Ok(Operation::FilePut { name: address(name)?, digest: address(digest)? }))?
        }
        K::Restart => Operation::Restart { part: part(args)? },
        K::Activate => Operation::Activate { part: part(args)? },
        K::Deactivate => Operation::Deactivate { part: part(args)? },
        K::PowerMode => Operation::PowerMode { mode: name(one(args)?)? },
        K::Rename => Operation::Rename { name: name(one(args)?)? },
        K::Update => Operation::Update { image: address(one(args)?)? },
        K::FileGet => Operation::FileGet { name: address(one(args)?)? },
        K::Block => Operation::Block { until: None, span: Some(span(one(args)?)?) },
        K::Maintenance if args.is_empty() => Operation::Maintenance { until: None, span: None, off: false },
        K::Maintenance if args == ["off"] => Operation::Maintenance { until: None, span: None, off: true },
        K::Maintenance => Operation::Maintenance { until: None, span: Some(span(one(args)?)?), off: false },
        K::ConnectionLog => Operation::ConnectionLog { own: own(args)? },
        K::ConnectivitySet => connectivity(args)?,
        K::Replace => Operation::Replace { identity: identity(one(args)?)? },
        K::Split => Operation::Split { identity: identity(one(args)?)? },
        K::Merge => Operation::Merge { with: DeviceId::new(one(args)?).map_err(|e| e.to_string())? },
        K::Group => group(args)?,
        K::Profile if args.is_empty() => Operation::Profile { name: None },
        K::Profile => Operation::Profile { name: Some(name(one(args)?)?) },
        K::Describe => describe(args)?,
        K::Desire => desire(args)?,
        _ => plain(kind, args)?,
    })
}

/// The rest has no arguments, and its name says it all.
fn plain(kind: OperationKind, args: &[&str]) -> Result<Operation, String> {
    if let Some(first) = args.first() {
        return Err(format!("takes no arguments; {first:?} is one"));
    }
    self::word(&kind.name()).ok_or_else(|| "cannot be said so".into())
}

fn one<'a>(args: &[&'a str]) -> Result<&'a str, String> {
    match args {
        [one] => Ok(one),
        _ => Err(format!("takes one argument; there are {}", args.len())),
    }
}

fn two<T>(args: &[&str], make: impl Fn(&str, &str) -> Result<T, String>) -> Result<T, String> {
    match args {
        [first, second] => make(first, second),
        _ => Err(format!("takes two arguments; there are {}", args.len())),
    }
}

fn path(text: &str) -> Result<PointPath, String> {
    text.parse().map_err(|error: crate::model::point::BadPath| error.to_string())
}

fn points(args: &[&str]) -> Result<Vec<PointPath>, String> {
    args.iter().map(|point| path(point)).collect()
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

fn address(text: &str) -> Result<Address, String> {
    Address::new(text).map_err(|error| error.to_string())
}

fn span(text: &str) -> Result<Duration, String> {
    units::span(text).map_err(|error| error.to_string())
}

/// As in JSON; what is no JSON is text, so that nobody has to quote twice.
fn value(text: &str) -> Result<Value, String> {
    let is_json = serde_json::from_slice::<serde_json::Value>(text.as_bytes()).is_ok();
    let json = if is_json { text.to_owned() } else { json!(text).to_string() };
    serde_json::from_slice(json.as_bytes()).map_err(|error| error.to_string())
}

fn part(args: &[&str]) -> Result<Part, String> {
    match args {
        [] => Ok(Part::Device),
        [one] => match one.split_once('.') {
            None => Ok(Part::Component(name(one)?)),
            Some((component, instance)) => {
                let instance = instance.parse().map_err(|_| format!("{instance:?} is no instance; write a number"))?;
                Ok(Part::Instance(Component { name: name(component)?, instance }))
            }
        },
        _ => Err(format!("takes one part at most; there are {}", args.len())),
    }
}

fn own(args: &[&str]) -> Result<bool, String> {
    match args {
        [] => Ok(false),
        ["own"] => Ok(true),
        _ => Err("takes nothing (our log of the device) or own (the device's own)".into()),
    }
}

fn connectivity(args: &[&str]) -> Result<Operation, String> {
    if args.is_empty() {
        return Err("name at least one setting, as NAME=VALUE".into());
    }
    let pair = |arg: &&str| {
        let (key, to) = arg.split_once('=').ok_or_else(|| format!("{arg:?} is not NAME=VALUE"))?;
        Ok((name(key)?, value(to)?))
    };
    Ok(Operation::ConnectivitySet { settings: args.iter().map(pair).collect::<Result<_, String>>()? })
}

pub fn identity(text: &str) -> Result<Identity, String> {
    let says = || format!("{text:?} is no identity; write KIND:VALUE, such as serial:acme:17");
    let (kind, value) = text.split_once(':').ok_or_else(says)?;
    let kind: IdentityKind = facts::one_of(kind, &KINDS)?;
    Identity::new(kind, value, Proof::Claimed).map_err(|error| error.to_string())
}

fn describe(args: &[&str]) -> Result<Operation, String> {
    let mut about = About::default();
    for arg in args {
        let (key, text) = facts::pair(arg)?;
        facts::put(&mut about, key, text)?;
    }
    if about.is_empty() {
        Err("say something, as KEY=TEXT".into())
    } else {
        Ok(Operation::Describe { about: Box::new(about) })
    }
}

fn desire(args: &[&str]) -> Result<Operation, String> {
    let (point, to, version) = match args {
        [point, to] => (point, to, None),
        [point, to, version] => {
            let no = version.parse().map_err(|_| format!("{version:?} is no version; write a number"))?;
            (point, to, Some(no))
        }
        _ => return Err(format!("takes a point, a value and perhaps a version; there are {} words", args.len())),
    };
    let value = if *to == "null" { None } else { Some(value(to)?) };
    Ok(Operation::Desire { point: path(point)?, value, version })
}

/// `+a +b` joins, `without c` leaves: a word that begins with a dash would be taken for an option.
fn group(args: &[&str]) -> Result<Operation, String> {
    let (mut add, mut remove, mut leaving) = (Vec::new(), Vec::new(), false);
    for arg in args {
        match (arg.strip_prefix('+'), leaving) {
            (Some(one), _) => add.push(name(one)?),
            (None, true) => remove.push(name(arg)?),
            (None, false) if *arg == "without" => leaving = true,
            (None, false) => return Err(format!("{arg:?} is neither +NAME nor without NAME")),
        }
    }
    match add.is_empty() && remove.is_empty() {
        true => Err("name at least one group".into()),
        false => Ok(Operation::Group { add, remove }),
    }
}

#[cfg(test)]
mod tests;
