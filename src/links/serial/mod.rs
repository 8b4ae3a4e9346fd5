//! Serial ports: which there are, who holds them, opening one, and knowing when it goes and comes back.
//!
//! [`found`] walks sysfs, so a port is known by its adapter and not by its number ([`names`] are those that udev would
//! give). [`wanted`] is how the settings name a port, [`open`] opens it with its [`line`] and, where asked, the kernel's
//! [`rs485`]; what a port cannot do is told and is no fault, for a pseudo terminal or a plain adapter works all the same.
//! [`Claim`] keeps two links apart that name one device. [`watch`] tells when it is worth to look for a port again, by
//! inotify and the kernel's [`uevent`]s. No task, no channel: whoever owns the bus owns its [`Port`] and its [`Watch`].
//!
//! Invariants: nobody else's port is opened; a port that has gone ends its reads with an error, at once and each time; all
//! that comes from sysfs, `/proc` and the kernel's messages is bounded. While a port is away nothing here runs.

pub mod found;
pub mod holder;
pub mod line;
mod names;
pub mod open;
mod ours;
mod port;
pub mod rs485;
pub mod uevent;
pub mod wanted;
pub mod watch;

use std::path::{Path, PathBuf};

pub use self::line::{Baud, Line, Parity};
pub use self::open::{OpenError, open};
pub use self::ours::Claim;
pub use self::port::Port;
pub use self::rs485::Rs485;
pub use self::wanted::{Absent, Located, Wanted};
pub use self::watch::Watch;

/// A serial port, and how its line is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub port: Wanted,
    pub baud: Baud,
    pub parity: Parity,
    pub data_bits: u8,
    pub stop_bits: u8,
    pub rs485: Option<Rs485>,
}

impl Settings {
    pub fn line(&self) -> Line {
        Line { baud: self.baud, parity: self.parity, data_bits: self.data_bits, stop_bits: self.stop_bits }
    }
}

/// Where to look for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots {
    pub sys: PathBuf,
    pub dev: PathBuf,
    pub proc: PathBuf,
    /// Where programs say by a file which port they use.
    pub locks: PathBuf,
}

impl Default for Roots {
    fn default() -> Roots {
        Roots::below(Path::new("/"))
    }
}

impl Roots {
    pub fn below(root: &Path) -> Roots {
        let below = |path| root.join(path);
        Roots { sys: below("sys"), dev: below("dev"), proc: below("proc"), locks: below("run/lock") }
    }

    /// Where a device file lies that is called so.
    pub fn placed(&self, path: &Path) -> PathBuf {
        path.strip_prefix("/dev").map_or_else(|_| path.to_owned(), |inside| self.dev.join(inside))
    }
}
