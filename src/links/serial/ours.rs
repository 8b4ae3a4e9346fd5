//! Which link of this program has which port, so that a second one that names the same device, by whichever of its names,
//! is told who has it. The lock of the kernel only says that somebody has.
//!
//! Process-wide, as the devices are. A lock is held for a moment and never across a wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::open::OpenError;
use super::wanted::Located;

/// By the number of the device: the claim and the name of its link. At most one row for each open port.
static HELD: Mutex<BTreeMap<u64, (u64, String)>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The port is this link's for as long as this lives.
#[derive(Debug)]
pub struct Claim {
    device: u64,
    no: u64,
}

fn held() -> MutexGuard<'static, BTreeMap<u64, (u64, String)>> {
    // Nothing that is done under this lock can panic half-way.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Claim {
    /// Before it is opened. A link that begins anew may have it from itself.
    pub fn of(at: &Located, link: &str) -> Result<Claim, OpenError> {
        let (device, mut held) = (at.device, held());
        if let Some((_, by)) = held.get(&device).filter(|(_, by)| by != link) {
            return Err(OpenError::Ours { port: at.wanted.clone(), link: by.clone() });
        }
        let no = NEXT.fetch_add(1, Ordering::Relaxed);
        held.insert(device, (no, link.to_owned()));
        Ok(Claim { device, no })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = held();
        if held.get(&self.device).is_some_and(|(no, _)| *no == self.no) {
            held.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_links_until_that_lets_go_of_it() {
        let at = |wanted: &str| Located { wanted: wanted.into(), node: "/dev/null".into(), device: 0x1234_5678 };
        let first = Claim::of(&at("/dev/serial/by-id/x"), "a").unwrap();
        let refused = Claim::of(&at("/dev/ttyUSB0"), "b").unwrap_err().to_string();
        assert!(refused.starts_with("/dev/ttyUSB0 is the port of link a already"), "{refused}");
        let again = Claim::of(&at("/dev/serial/by-id/x"), "a").unwrap();
        drop(first);
        assert!(Claim::of(&at("/dev/ttyUSB0"), "b").is_err(), "it is held anew");
        drop(again);
        assert!(Claim::of(&at("/dev/ttyUSB0"), "b").is_ok());
    }
}
