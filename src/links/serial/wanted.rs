//! Which port is meant, and where it is now.
//!
//! A path is followed as it stands. Where a name below `/dev/serial` is not there, because there is no udev or it has not
//! come so far, the adapter that would have that name is looked for in sysfs. Invariant: of several adapters that fit none
//! is taken: it could be the wrong one.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use nix::sys::stat::{major, minor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Roots;
use super::found::{Found, linked, ports};
use crate::document::part;

const LONGEST: usize = 255;
const BY_ID: &str = "/dev/serial/by-id";
const BY_PATH: &str = "/dev/serial/by-path";

/// A port as the settings name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Path(PathBuf),
    Usb { vendor: String, product: String, serial: Option<String> },
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPort {
    #[error("a port is named by its path, such as \"/dev/serial/by-id/…\" (dmgw link ports shows it)")]
    NoPath { meant: Option<String> },
    #[error(
        "an adapter is named \"usb:VENDOR:PRODUCT\" or \"usb:VENDOR:PRODUCT:SERIAL\", with four hexadecimal digits each, as lsusb shows them"
    )]
    BadUsb,
    #[error("the name of a port has at most {LONGEST} letters, and no .. or control signs in it")]
    BadPath,
}

impl Wanted {
    pub fn said(text: &str) -> Result<Wanted, BadPort> {
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(BadPort::BadPath);
        }
        if let Some(usb) = text.strip_prefix("usb:") {
            return usb_said(usb).ok_or(BadPort::BadUsb);
        }
        let path = Path::new(text);
        if !path.is_absolute() || text.ends_with('/') {
            return Err(BadPort::NoPath { meant: whole(text) });
        }
        match path.components().any(|part| part == Component::ParentDir) {
            true => Err(BadPort::BadPath),
            false => Ok(Wanted::Path(path.to_owned())),
        }
    }
}

/// What was meant by `ttyUSB0`.
fn whole(text: &str) -> Option<String> {
    let inside = text.trim_start_matches("dev/");
    (inside.starts_with("tty") || inside.starts_with("serial/by-")).then(|| format!("/dev/{inside}"))
}

fn usb_said(text: &str) -> Option<Wanted> {
    let mut parts = text.splitn(3, ':');
    let mut id = || parts.next().filter(|id| id.len() == 4 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    let (vendor, product) = (id()?.to_ascii_lowercase(), id()?.to_ascii_lowercase());
    let serial = parts.next().map(str::to_owned);
    serial.as_deref().is_none_or(|serial| !serial.is_empty()).then_some(Wanted::Usb { vendor, product, serial })
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Path(path) => write!(f, "{}", path.display()),
            Wanted::Usb { vendor, product, serial: None } => write!(f, "usb:{vendor}:{product}"),
            Wanted::Usb { vendor, product, serial: Some(serial) } => write!(f, "usb:{vendor}:{product}:{serial}"),
        }
    }
}

impl Serialize for Wanted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Wanted, D::Error> {
        let text = String::deserialize(from)?;
        Wanted::said(&text).map_err(|bad| match &bad {
            BadPort::NoPath { meant } => de::Error::custom(part::meant(&bad.to_string(), meant.as_deref())),
            _ => de::Error::custom(bad),
        })
    }
}

/// A port that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// How the settings name it.
    pub wanted: String,
    /// What to open.
    pub node: PathBuf,
    /// Its number, whatever it is called.
    pub(super) device: u64,
}

/// Why there is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Absent {
    #[error("{0} is not there: nothing is plugged in that is called so (dmgw link ports shows what is)")]
    NotThere(String),
    #[error("{0} is no serial port")]
    NoPort(String),
    #[error("{0} may be any of {1}; name one of these")]
    Several(String, String),
    #[error("{0} cannot be looked at: {1}")]
    Unseen(String, String),
}

pub fn locate(wanted: &Wanted, roots: &Roots) -> Result<Located, Absent> {
    match wanted {
        Wanted::Path(path) => match at(wanted, &roots.placed(path), roots) {
            Err(Absent::NotThere(_)) if path.starts_with("/dev/serial") => {
                known(wanted, roots, |port| is_called(port, path))
            }
            found => found,
        },
        Wanted::Usb { vendor, product, serial } => known(wanted, roots, |port| {
            let fits = |usb: &super::found::Usb| {
                usb.vendor == *vendor && usb.product == *product && (serial.is_none() || usb.serial == *serial)
            };
            port.usb.as_ref().is_some_and(fits)
        }),
    }
}

fn is_called(port: &Found, path: &Path) -> bool {
    let named =
        |folder: &str, name: &Option<String>| name.as_ref().is_some_and(|name| Path::new(folder).join(name) == path);
    named(BY_ID, &port.would_be.by_id) || named(BY_PATH, &port.would_be.by_path)
}

fn known(wanted: &Wanted, roots: &Roots, fits: impl Fn(&Found) -> bool) -> Result<Located, Absent> {
    let all = ports(roots).map_err(|error| Absent::Unseen(wanted.to_string(), error.to_string()))?;
    let fitting: Vec<&Found> = all.iter().filter(|port| fits(port)).collect();
    match fitting[..] {
        [] => Err(Absent::NotThere(wanted.to_string())),
        [port] => at(wanted, &port.node, roots),
        _ => {
            let names: Vec<String> = fitting.iter().map(|port| port.best_name()).take(8).collect();
            Err(Absent::Several(wanted.to_string(), names.join(", ")))
        }
    }
}

fn at(wanted: &Wanted, path: &Path, roots: &Roots) -> Result<Located, Absent> {
    let seen = fs::canonicalize(path).and_then(|node| Ok((fs::metadata(&node)?, node)));
    match seen {
        Ok((file, node)) if file.file_type().is_char_device() && may_be_a_port(file.rdev(), roots) => {
            Ok(Located { wanted: wanted.to_string(), node, device: file.rdev() })
        }
        Ok(_) => Err(Absent::NoPort(wanted.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Absent::NotThere(wanted.to_string())),
        Err(error) => Err(Absent::Unseen(wanted.to_string(), error.to_string())),
    }
}

/// The kernel does not call it something else, such as /dev/null. Of pseudo terminals it says nothing here.
fn may_be_a_port(number: u64, roots: &Roots) -> bool {
    let device = roots.sys.join(format!("dev/char/{}:{}/subsystem", major(number), minor(number)));
    linked(&device).is_none_or(|subsystem| subsystem == "tty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_adapters_are_read_as_they_are_written() {
        for text in ["/dev/ttyUSB0", "/dev/serial/by-id/usb-x", "usb:0403:6001", "usb:0403:6001:A5:02"] {
            assert_eq!(Wanted::said(text).unwrap().to_string(), text);
        }
        let upper = Wanted::said("usb:1A86:7523").unwrap();
        assert_eq!(upper.to_string(), "usb:1a86:7523");
    }

    #[test]
    fn what_is_no_port_is_refused_and_what_was_meant_is_told() {
        let meant = |text: &str| match Wanted::said(text) {
            Err(BadPort::NoPath { meant }) => meant,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(meant("ttyUSB0").as_deref(), Some("/dev/ttyUSB0"));
        assert_eq!(meant("dev/ttyS1").as_deref(), Some("/dev/ttyS1"));
        assert_eq!(meant("COM3"), None);
        for text in ["usb:403:6001", "usb:0403", "usb:0403:6001:", "usb:"] {
            assert_eq!(Wanted::said(text), Err(BadPort::BadUsb), "{text}");
        }
        for text in ["/dev/../etc/passwd", "/dev/tty\n0", &format!("/{}", "x".repeat(300))] {
            assert_eq!(Wanted::said(text), Err(BadPort::BadPath), "{text}");
        }
    }

    #[test]
    fn a_file_is_no_port_and_a_loop_of_links_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Wanted::Path(folder.path().join(name));
        fs::write(folder.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
        let roots = Roots::default();
        assert!(matches!(locate(&path("file"), &roots), Err(Absent::NoPort(_))));
        assert!(matches!(locate(&path("loop"), &roots), Err(Absent::Unseen(..))));
        assert!(matches!(locate(&path("none"), &roots), Err(Absent::NotThere(_))));
        assert!(matches!(locate(&Wanted::Path("/dev/null".into()), &roots), Err(Absent::NoPort(_))));
    }
}
