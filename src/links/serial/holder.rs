//! Who holds a port: whoever has it open, a lock on it, or a lock file for it.
//!
//! Invariants: nothing is opened or changed, only looked at; what may not be looked at (others' processes, where the daemon
//! is not root) counts as nothing seen, so nobody seen is no promise. The other end of a pseudo terminal holds nothing:
//! without it there would be no port.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::{major, minor};
use serde::{Deserialize, Serialize};

use super::Roots;
use super::found::bytes;

const MOST_PROCESSES: usize = 32_768;
const MOST_FILES: usize = 65_536;
const MOST_TOLD: usize = 4;
const LONGEST_NAME: u64 = 64;
const LONGEST_LOCKS: u64 = 1 << 20;
/// Device numbers of pseudo terminals and of their other ends.
const PTY: std::ops::RangeInclusive<u64> = 136..=143;
const OTHER_END: (u64, u64) = (5, 2);

/// A process that uses a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// Empty where it may not be known.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid == std::process::id(), self.name.as_str()) {
            (true, _) => write!(f, "this program itself"),
            (_, "") => write!(f, "process {}", self.pid),
            (_, name) => write!(f, "{name} (process {})", self.pid),
        }
    }
}

/// As they are told of in one line.
pub fn told(holders: &[Holder]) -> String {
    let mut named: Vec<String> = holders.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    if holders.len() > MOST_TOLD {
        named.push(format!("{} more", holders.len() - MOST_TOLD));
    }
    named.join(", ")
}

/// Of each of these ports, in the same order. All of it is one walk.
pub fn who(nodes: &[&Path], roots: &Roots) -> Vec<Vec<Holder>> {
    let ports: Vec<Option<Port>> = nodes.iter().map(|node| Port::of(node)).collect();
    let mut holders = vec![BTreeMap::new(); nodes.len()];
    for (pid, files) in processes(roots) {
        for (port, holders) in ports.iter().zip(&mut holders) {
            if port.as_ref().is_some_and(|port| port.is_held_by(&files)) {
                holders.insert(pid, ());
            }
        }
    }
    for ((port, node), holders) in ports.iter().zip(nodes).zip(&mut holders) {
        let locked = port.iter().flat_map(|port| port.locked_by(roots));
        holders.extend(locked.chain(lock_file(node, roots)).map(|pid| (pid, ())));
    }
    let named = |pid: u32| Holder { pid, name: name(pid, roots) };
    holders.into_iter().map(|pids| pids.into_keys().map(named).collect()).collect()
}

struct Port {
    number: u64,
    file_system: u64,
    inode: u64,
}

/// An open file of a process: the number of its device, and for the other end of a pseudo terminal of which.
struct Open {
    number: u64,
    other_end_of: Option<u64>,
}

impl Port {
    fn of(node: &Path) -> Option<Port> {
        let file = fs::metadata(node).ok()?;
        Some(Port { number: file.rdev(), file_system: file.dev(), inode: file.ino() })
    }

    fn is_held_by(&self, files: &[Open]) -> bool {
        let pty = PTY.contains(&major(self.number));
        let index = (major(self.number).saturating_sub(*PTY.start())) * 256 + minor(self.number);
        let other_end = pty && files.iter().any(|file| file.other_end_of == Some(index));
        !other_end && files.iter().any(|file| file.number == self.number)
    }

    /// 1: FLOCK  ADVISORY  WRITE 1234 00:06:345 0 EOF
    fn locked_by(&self, roots: &Roots) -> Vec<u32> {
        let locks = bytes(&roots.proc.join("locks"), LONGEST_LOCKS).unwrap_or_default();
        let file = format!("{:02x}:{:02x}:{}", major(self.file_system), minor(self.file_system), self.inode);
        let held = |line: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "WRITE" && *word != "READ").skip(1);
            let (pid, locked) = (words.next()?, words.next()?);
            pid.parse().ok().filter(|pid| *pid > 0 && locked == file)
        };
        String::from_utf8_lossy(&locks).lines().filter_map(held).collect()
    }
}

fn processes(roots: &Roots) -> impl Iterator<Item = (u32, Vec<Open>)> {
    let entries = fs::read_dir(&roots.proc).into_iter().flatten().take(MOST_PROCESSES + 1_024);
    let mut left = MOST_FILES;
    entries.filter_map(Result::ok).filter_map(move |entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let files = files(&entry.path(), left);
        left -= files.len();
        Some((pid, files))
    })
}

/// Its devices with letters in and out; the rest of its files is none of our business.
fn files(process: &Path, most: usize) -> Vec<Open> {
    let entries = fs::read_dir(process.join("fd")).into_iter().flatten().take(most).filter_map(Result::ok);
    let open = entries.filter_map(|entry| {
        let number = fs::metadata(entry.path()).ok()?.rdev();
        let other_end = (major(number), minor(number)) == OTHER_END;
        let info = || index(&process.join("fdinfo").join(entry.file_name()));
        (number != 0).then(|| Open { number, other_end_of: other_end.then(info).flatten() })
    });
    open.collect()
}

/// tty-index: 7
fn index(info: &Path) -> Option<u64> {
    let text = String::from_utf8(bytes(info, 1_024)?).ok()?;
    text.lines().find_map(|line| line.strip_prefix("tty-index:")?.trim().parse().ok())
}

/// The file that older programs leave, such as LCK..ttyUSB0, with the number of their process in letters or as it is in
/// memory. One of a process that is no more says nothing.
fn lock_file(node: &Path, roots: &Roots) -> Option<u32> {
    let name = node.file_name()?.to_str()?;
    let holds = bytes(&roots.locks.join(format!("LCK..{name}")), 64)?;
    let letters = std::str::from_utf8(&holds).ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
    let pid: u32 = letters.or_else(|| holds.as_slice().try_into().ok().map(u32::from_ne_bytes))?;
    (pid > 0 && roots.proc.join(pid.to_string()).exists()).then_some(pid)
}

fn name(pid: u32, roots: &Roots) -> String {
    let name = bytes(&roots.proc.join(pid.to_string()).join("comm"), LONGEST_NAME).unwrap_or_default();
    String::from_utf8_lossy(&name).trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
