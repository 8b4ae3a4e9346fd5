//! A serial line that is a pty: our end of it, and the name of the other.
//!
//! Nobody of us holds the other end, for who looks for holders of a port must not find us. While nobody has it open, reading
//! from ours fails, and nothing tells when that is over: it is tried again after a moment.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, ttyname, write};
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

/// Between two looks whether somebody has opened the other end.
const NOBODY: Duration = Duration::from_millis(20);

pub struct Tty {
    /// None only while it is made anew.
    ours: Option<AsyncFd<OwnedFd>>,
    /// Goes when we go.
    link: PathBuf,
}

impl Tty {
    /// With a link of this name to the other end. One that is there already is replaced; a file is not.
    pub fn open(link: &Path) -> io::Result<Tty> {
        let pair = openpty(None, None)?;
        let mut raw = tcgetattr(&pair.slave)?;
        cfmakeraw(&mut raw);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &raw)?;
        let name = ttyname(&pair.slave)?;
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        if link.is_symlink() {
            std::fs::remove_file(link)?;
        }
        std::os::unix::fs::symlink(&name, link)?;
        Ok(Tty { ours: Some(told_by_the_kernel(pair.master)?), link: link.to_owned() })
    }

    /// At least one byte more.
    pub async fn read(&mut self, to: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let ours = self.ours.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            let mut ready = ours.readable().await?;
            let mut part = [0; 512];
            match read(ready.get_inner(), &mut part) {
                Ok(length) if length > 0 => {
                    to.extend_from_slice(&part[..length]);
                    return Ok(());
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Ok(_) | Err(Errno::EIO | Errno::EINTR) => {
                    drop(ready);
                    sleep(NOBODY).await;
                    self.look_anew()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What was hung up once is ready for ever to tokio.
    fn look_anew(&mut self) -> io::Result<()> {
        if let Some(ours) = self.ours.take() {
            self.ours = Some(told_by_the_kernel(ours.into_inner())?);
        }
        Ok(())
    }

    /// What nobody reads is lost, as on a wire.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let ours = self.ours.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        match write(ours.get_ref(), bytes) {
            Ok(_) | Err(Errno::EAGAIN | Errno::EIO | Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[allow(unsafe_code)]
fn told_by_the_kernel(ours: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one and the same open file until it is dropped, and nothing takes it out of the `AsyncFd`.
    unsafe { AsyncFd::register(ours) }.map_err(io::Error::from)
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
    }
}
