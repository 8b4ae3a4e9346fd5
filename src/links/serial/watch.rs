//! Knowing when a port goes and comes back, without looking while nothing happens.
//!
//! inotify tells of the folders that lead to the port, the kernel's uevents of devices; either wakes a look at what there
//! is. What comes close together is one look. Where neither is to be had, a look every [`RESCAN`] does, and the log says so.
//!
//! Invariants: a look is preceded by new watches on what leads to the port, so what changes after it stirs. Every wait may be
//! dropped. One that was pulled out and put in again between two looks is known by the open port: that ends.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use super::wanted::{Absent, Located, Wanted, locate};
use super::{Roots, uevent};

/// Where nobody tells when something changes.
pub const RESCAN: Duration = Duration::from_secs(30);
/// What comes within that is looked at once: one adapter makes a dozen of stirs.
const GATHER: Duration = Duration::from_millis(50);
/// Links on the way to a port.
const MOST_LINKS: usize = 16;

#[derive(Debug)]
pub struct Watch {
    wanted: Wanted,
    roots: Roots,
    folders: Option<AsyncFd<OwnedFd>>,
    devices: Option<AsyncFd<OwnedFd>>,
    /// That nobody tells us anything was said.
    said: bool,
}

impl Watch {
    /// Needs a runtime.
    pub fn new(wanted: Wanted, roots: Roots) -> Watch {
        let devices = uevent::listen().map_err(io::Error::from).and_then(readable);
        let devices = devices.inspect_err(|why| tracing::debug!("the kernel does not tell of devices: {why}")).ok();
        Watch { wanted, roots, folders: None, devices, said: false }
    }

    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Where it is now; from here on a [`stir`](Watch::stirred) is not missed.
    pub fn look(&mut self) -> Result<Located, Absent> {
        self.folders = watched(&self.wanted, &self.roots)
            .inspect_err(|why| tracing::debug!(port = %self.wanted, "folders cannot be watched: {why}"))
            .ok();
        if self.folders.is_none() && self.devices.is_none() && !self.said {
            self.said = true;
            let every = RESCAN.as_secs();
            tracing::warn!(port = %self.wanted, "nobody tells when a port comes or goes; it is looked for every {every} s");
        }
        locate(&self.wanted, &self.roots)
    }

    /// Waits until it is worth to look again.
    pub async fn stirred(&mut self) {
        tokio::select! {
            () = said(self.folders.as_ref(), |fd| drain(fd).map(|()| true)) => {}
            () = said(self.devices.as_ref(), uevent::drain) => {}
            () = sleep(RESCAN), if self.folders.is_none() && self.devices.is_none() => {}
        }
        sleep(GATHER).await;
    }
}

/// Waits until there is something to read that counts. Never, where there is nobody who could say it.
async fn said(from: Option<&AsyncFd<OwnedFd>>, counts: impl Fn(&OwnedFd) -> io::Result<bool>) {
    let Some(from) = from else { return std::future::pending().await };
    loop {
        let Ok(mut ready) = from.readable().await else { return sleep(RESCAN).await };
        let counted = counts(from.get_ref());
        ready.clear_ready();
        match counted {
            Ok(true) => return,
            Ok(false) => {}
            Err(_) => return sleep(RESCAN).await,
        }
    }
}

#[allow(unsafe_code)]
fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is open and goes into what is made, which alone owns it until both are dropped.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

fn drain(inotify: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        match nix::unistd::read(inotify, &mut buffer) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn watched(wanted: &Wanted, roots: &Roots) -> io::Result<AsyncFd<OwnedFd>> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let what = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR;
    for folder in folders(wanted, roots) {
        match inotify.add_watch(&folder, what) {
            // It has gone meanwhile: so has the one above it stirred, or the look that follows sees it.
            Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    readable(inotify.into())
}

/// Those that a change of what the name leads to would show in: of each link on the way, the nearest that is there and
/// the one above it.
fn folders(wanted: &Wanted, roots: &Roots) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::from([roots.dev.clone()]);
    let Wanted::Path(path) = wanted else { return folders };
    let mut next = Some(roots.placed(path));
    for _ in 0..MOST_LINKS {
        let Some(link) = next else { break };
        let above = link.ancestors().skip(1).filter(|folder| folder.is_dir()).take(2);
        folders.extend(above.map(Path::to_owned));
        next = fs::read_link(&link).ok().and_then(|leads| Some(link.parent()?.join(leads)));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_nobody_tells_it_is_looked_at_seldom() {
        let wanted = Wanted::Path("/dev/ttyNONE".into());
        let roots = Roots::default();
        let mut watch = Watch { wanted, roots, folders: None, devices: None, said: false };
        let began = tokio::time::Instant::now();
        watch.stirred().await;
        assert_eq!(began.elapsed(), RESCAN + GATHER);
    }

    #[tokio::test(start_paused = true)]
    async fn where_somebody_tells_no_clock_wakes_it() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots::below(folder.path());
        fs::create_dir(&roots.dev).unwrap();
        let wanted = Wanted::Path("/dev/ttyNONE".into());
        let mut watch = Watch { wanted, roots, folders: None, devices: None, said: false };
        assert!(watch.look().is_err() && watch.folders.is_some());
        assert!(tokio::time::timeout(RESCAN * 100, watch.stirred()).await.is_err());
    }
}
