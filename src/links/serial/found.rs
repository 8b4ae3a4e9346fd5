//! Which serial ports this machine has, from sysfs alone: no udev is asked, no port is opened.
//!
//! Invariants: a port counts only where hardware is behind it; what stands in sysfs was partly written by whatever is
//! plugged in, so it is bounded and cleaned before anybody sees it; what leads out of sysfs is not followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Roots;
use super::names;

/// Entries of one folder that are looked at; a machine with more terminals than that has none to spare for us.
const MOST_ENTRIES: usize = 4_096;
/// Folders between a port and the root of its bus.
const DEEPEST: usize = 32;
const LONGEST_NAME: usize = 64;
const LONGEST_TEXT: u64 = 256;
/// What the kernel says of a place on the board where no chip was found.
const NO_CHIP: &str = "0";

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// As the kernel calls it today: ttyUSB0.
    pub name: String,
    /// What to open.
    pub node: PathBuf,
    pub driver: Option<String>,
    pub usb: Option<Usb>,
    /// The names that stay with it: by the adapter, and by the socket it is plugged into.
    #[serde(flatten)]
    pub names: Names,
    /// The same, as udev would give them.
    #[serde(skip)]
    pub would_be: Names,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub by_id: Option<String>,
    pub by_path: Option<String>,
}

/// What an adapter says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usb {
    pub vendor: String,
    pub product: String,
    pub maker: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
    pub interface: Option<String>,
}

impl Found {
    /// To paste into the settings: what stays with the adapter, else with its socket, else today's name.
    pub fn best_name(&self) -> String {
        let stable = self.names.by_id.as_ref().or(self.names.by_path.as_ref());
        stable.cloned().unwrap_or_else(|| format!("/dev/{}", self.name))
    }
}

/// A folder of sysfs on the way from a port to the root.
pub(super) struct Step {
    pub folder: PathBuf,
    pub subsystem: Option<String>,
}

impl Step {
    pub fn is(&self, subsystem: &str) -> bool {
        self.subsystem.as_deref() == Some(subsystem)
    }

    pub fn name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    pub fn says(&self, attribute: &str) -> Option<String> {
        text(&self.folder.join(attribute))
    }
}

/// In the order of their names.
pub fn ports(roots: &Roots) -> io::Result<Vec<Found>> {
    let sys = fs::canonicalize(&roots.sys)?;
    let class = match fs::read_dir(sys.join("class/tty")) {
        Ok(class) => class,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = class.take(MOST_ENTRIES).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<Found> =
        names.filter(|name| is_plain(name)).filter_map(|name| look(&sys, name, roots)).collect();
    found.sort_by(|a, b| in_order(&a.name).cmp(&in_order(&b.name)));
    names::give(&mut found, roots);
    Ok(found)
}

fn is_plain(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !name.starts_with('.')
}

/// ttyS2 comes before ttyS10.
fn in_order(name: &str) -> (&str, u64) {
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (letters, name[letters.len()..].parse().unwrap_or(u64::MAX))
}

fn look(sys: &Path, name: String, roots: &Roots) -> Option<Found> {
    let class = sys.join("class/tty").join(&name);
    let device = fs::canonicalize(class.join("device")).ok().filter(|device| device.starts_with(sys))?;
    if text(&class.join("type")).as_deref() == Some(NO_CHIP) {
        return None;
    }
    let steps = steps(sys, &device);
    let usb = usb(&steps);
    let would_be = names::of(&steps, usb.as_ref());
    let node = roots.dev.join(&name);
    Some(Found { name, node, driver: driver(&steps), usb, names: Names::default(), would_be })
}

fn steps(sys: &Path, device: &Path) -> Vec<Step> {
    let inside = device.ancestors().take_while(|folder| *folder != sys).take(DEEPEST);
    let step = |folder: &Path| Step { folder: folder.to_owned(), subsystem: linked(&folder.join("subsystem")) };
    inside.map(step).collect()
}

/// The part of the kernel that drives the chip. Newer kernels put a bus of their own between it and the port.
fn driver(steps: &[Step]) -> Option<String> {
    let mut real = steps.iter().filter(|step| !step.is("serial-base"));
    real.find_map(|step| linked(&step.folder.join("driver")))
}

fn usb(steps: &[Step]) -> Option<Usb> {
    let adapter = steps.iter().find(|step| step.says("idVendor").is_some())?;
    Some(Usb {
        vendor: adapter.says("idVendor")?,
        product: adapter.says("idProduct")?,
        maker: adapter.says("manufacturer"),
        model: adapter.says("product"),
        serial: adapter.says("serial"),
        interface: steps.iter().find_map(|step| step.says("bInterfaceNumber")),
    })
}

/// The last part of where a link leads.
pub(super) fn linked(link: &Path) -> Option<String> {
    let leads = fs::read_link(link).ok()?;
    let name = leads.file_name()?.to_str()?;
    is_plain(name).then(|| name.to_owned())
}

/// One line; none where it is empty.
fn text(file: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes(file, LONGEST_TEXT)?).into_owned();
    let line: String = text.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    (!line.is_empty()).then_some(line)
}

/// The first bytes of a file, and without waiting where it is something else.
pub(super) fn bytes(file: &Path, most: u64) -> Option<Vec<u8>> {
    let opened: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(file).ok()?;
    let mut bytes = Vec::new();
    opened.metadata().ok().filter(fs::Metadata::is_file)?;
    opened.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
