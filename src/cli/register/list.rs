//! Lists of devices: CSV by the names in its header, or TOML. What is wrong with one line is told for that line; what is
//! wrong with the list as a whole, for the list. No message holds a key.

use std::io::Read;

use zeroize::Zeroizing;

use super::super::args::RegisterArgs;
use super::super::{CliError, facts, spelling};
use crate::document::{Fault, Faults, Node, Origin, Sources, Val, leaf, parse};
use crate::model::{Address, Registration, Secret};
use crate::nearest;

/// More than half a million devices.
const LARGEST: u64 = 16 << 20;
const COLUMNS: [&str; 16] = [
    "identity",
    "link",
    "address",
    "name",
    "groups",
    "key",
    "life",
    "profile",
    "labels",
    "versions",
    "application",
    "location",
    "hardware",
    "power",
    "security",
    "access",
];
const DEVICE: &str = "device";
const IN_TOML: &str = "a list in TOML has a [[device]] for each device; nothing was sent";
/// As what a device may start.
pub const LIVES: [&str; 3] = ["managed", "pending", "quarantined"];

/// One device of a list, or what is wrong with its line.
pub struct Line {
    pub no: Option<u64>,
    pub what: Result<Registration, String>,
}

pub fn read(args: &RegisterArgs) -> Result<Vec<Line>, CliError> {
    if !for_a_list(args) {
        return Err(CliError::Usage {
            says: "the options are for one device; this is a list".into(),
            hint: "say it in the columns of the list: dmgw device register --help".into(),
        });
    }
    let path = args.what.first().map_or("-", String::as_str);
    let text = text_of(path).map_err(|why| CliError::Failed(format!("cannot read {path}: {why}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = if path.ends_with(".toml") || looks_like_toml(text) { toml(text) } else { csv(text) };
    lines.map_err(|(says, hint)| CliError::Usage { says: format!("{path}: {says}"), hint })
}

fn for_a_list(args: &RegisterArgs) -> bool {
    let RegisterArgs { link, address, name, application, location, life, profile, .. } = args;
    let none = [link, address, name, application, location, life, profile].iter().all(|option| option.is_none());
    none && args.group.is_empty() && args.label.is_empty() && args.key_file.is_none()
}

fn text_of(path: &str) -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = match path {
        "-" => std::io::stdin().take(LARGEST + 1).read_to_string(&mut text),
        _ => std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)),
    };
    read.map_err(|error| error.to_string())?;
    match text.len() as u64 > LARGEST {
        true => Err(format!("it is larger than {LARGEST} bytes; register it in parts")),
        false => Ok(text),
    }
}

fn looks_like_toml(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("[[device]]"))
}

/// What is wrong with the list, and what would be right.
type Wrong = (String, String);

pub fn toml(text: &str) -> Result<Vec<Line>, Wrong> {
    let (mut sources, mut faults) = (Sources::default(), Faults::default());
    sources.add(Origin::File("list".into()), text.to_owned());
    let root = parse::parse(&sources, 0, &mut faults);
    let devices = match root.get(DEVICE).map(|node| &node.val) {
        Some(Val::List(devices)) => devices.as_slice(),
        Some(_) => return Err(("device is no list".into(), IN_TOML.into())),
        None => &[],
    };
    let other = root.0.iter().find(|(key, _)| key.text != DEVICE);
    if let Some((key, _)) = other {
        faults.add(Fault::new(key.at, format!("nobody knows {:?} here", key.text)).meant(&key.text, [DEVICE]));
    }
    faults.settle(&sources);
    if let Some(fault) = faults.iter().next() {
        let line = sources.line(fault.at).map_or(0, |(line, ..)| line);
        return Err((format!("line {line}: {}", fault.says), meant(fault, IN_TOML)));
    }
    Ok(devices.iter().map(|device| of_toml(device, &sources)).collect())
}

/// One of the list. What is wrong with its key is told without it.
fn of_toml(device: &Node, sources: &Sources) -> Line {
    let mut faults = Faults::default();
    let what = leaf(device, &mut faults).ok_or_else(|| {
        let Some(fault) = faults.iter().next() else { return "is not understood".into() };
        let line = sources.line(fault.at).map_or(0, |(line, ..)| line);
        if device.table().and_then(|table| table.get("key")).is_some_and(|key| key.at.has(&fault.at)) {
            return format!("line {line}: the key is no text");
        }
        match meant(fault, "") {
            hint if hint.is_empty() => format!("line {line}: {}", fault.says),
            hint => format!("line {line}: {}; {hint}", fault.says),
        }
    });
    Line { no: sources.line(device.at).map(|(line, ..)| line as u64), what }
}

fn meant(fault: &Fault, or: &str) -> String {
    fault.meant.as_ref().map_or(or.to_owned(), |meant| format!("did you mean {meant}?"))
}

/// Counts lines once through the text.
#[derive(Default)]
struct Place {
    byte: usize,
    lines: u64,
}

impl Place {
    fn line(&mut self, text: &str, byte: usize) -> u64 {
        let passed = text.as_bytes().get(self.byte..byte).unwrap_or_default();
        self.lines += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.byte = self.byte.max(byte);
        self.lines + 1
    }
}

pub fn csv(text: &str) -> Result<Vec<Line>, Wrong> {
    // What some spreadsheets call CSV.
    let head = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    let delimiter = if !head.contains(',') && head.contains(';') { b';' } else { b',' };
    let mut reader = ::csv::ReaderBuilder::new();
    let mut reader = reader.flexible(true).comment(Some(b'#')).delimiter(delimiter).from_reader(text.as_bytes());
    let broken = |error: ::csv::Error| (error.to_string(), "is it CSV in UTF-8?".to_owned());
    let columns = columns(reader.headers().map_err(broken)?)?;
    let mut lines = Vec::new();
    let mut place = Place::default();
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let from = row.position().map_or(0, |position| position.byte());
        let no = Some(place.line(text, first_of_row(text, usize::try_from(from).unwrap_or(usize::MAX))));
        lines.push(Line { no, what: device(&columns, &row) });
    }
    Ok(lines)
}

/// Past the empty lines and comments that the reader passed over.
fn first_of_row(text: &str, mut from: usize) -> usize {
    while let Some(rest) = text.get(from..) {
        let line = rest.lines().next().unwrap_or_default();
        if rest.is_empty() || !(line.is_empty() || line.starts_with('#')) {
            break;
        }
        from += rest.find('\n').map_or(rest.len(), |end| end + 1);
    }
    from
}

fn columns(head: &::csv::StringRecord) -> Result<Vec<&'static str>, Wrong> {
    let mut columns = Vec::new();
    for word in head {
        let word: String = word.trim().chars().take(64).collect();
        let Some(column) = COLUMNS.into_iter().find(|column| *column == word) else {
            let hint = match nearest::nearest(&word, COLUMNS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", COLUMNS.join(", ")),
            };
            return Err((format!("its header names a column {word:?}, which there is not"), hint));
        };
        if columns.contains(&column) {
            return Err((format!("its header names the column {column} twice"), "leave one of them out".into()));
        }
        columns.push(column);
    }
    match columns.is_empty() {
        true => Err(("it is empty".into(), "dmgw device register --help shows how a list is written".into())),
        false => Ok(columns),
    }
}

fn device(columns: &[&'static str], row: &::csv::StringRecord) -> Result<Registration, String> {
    if row.len() != columns.len() {
        return Err(format!("it has {} fields, the header has {}; are quotes missing?", row.len(), columns.len()));
    }
    let mut of = Registration::default();
    for (column, field) in columns.iter().zip(row).filter(|(_, field)| !field.trim().is_empty()) {
        put(&mut of, column, field).map_err(|why| format!("{column}: {why}"))?;
    }
    Ok(of)
}

fn put(of: &mut Registration, column: &str, field: &str) -> Result<(), String> {
    let text = field.trim();
    match column {
        // As it stands: blanks are a part of it.
        "key" => of.key = Some(Secret::new(field.into())),
        "identity" => of.identities = text.split_whitespace().map(spelling::identity).collect::<Result<_, _>>()?,
        "link" => of.link = Some(facts::named(text)?),
        "address" => of.address = Some(Address::new(text).map_err(|error| error.to_string())?),
        "name" => of.name = Some(facts::named(text)?),
        "groups" => of.groups = text.split_whitespace().map(facts::named).collect::<Result<_, _>>()?,
        "profile" => of.profile = Some(facts::named(text)?),
        "life" => of.life = Some(facts::one_of(text, &LIVES)?),
        "labels" | "versions" => {
            for part in text.split(';').filter(|part| !part.trim().is_empty()) {
                let (name, text) = facts::pair(part)?;
                facts::put(&mut of.about, &format!("{}.{name}", column.trim_end_matches('s')), text)?;
            }
        }
        _ => facts::put(&mut of.about, column, text)?,
    }
    Ok(())
}
