//! An open port.
//!
//! Invariants: where the adapter has gone, reads and writes end with an error, at once and each time, never with nothing;
//! to flush waits for nothing, for the kernel sends by itself and whoever keeps the time of a bus reckons it from the baud.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serial::{ClearBuffer, SerialPort, SerialStream};

use super::line::Line;
use super::ours::Claim;
use super::wanted::Located;

pub struct Port {
    stream: SerialStream,
    name: String,
    node: PathBuf,
    gone: bool,
    cannot: Vec<String>,
    /// None: nobody else of this program could want it.
    claim: Option<Claim>,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("name", &self.name)
            .field("node", &self.node)
            .field("gone", &self.gone)
            .field("claim", &self.claim)
            .finish()
    }
}

impl Port {
    pub(super) fn new(stream: SerialStream, at: &Located, cannot: Vec<String>) -> Port {
        Port { stream, name: at.wanted.clone(), node: at.node.clone(), gone: false, cannot, claim: None }
    }

    /// It is one link's until it is closed.
    pub fn claimed(mut self, claim: Claim) -> Port {
        self.claim = Some(claim);
        self
    }

    /// As the settings name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is today.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// What was asked of it and it cannot do, in words for the log.
    pub fn cannot(&self) -> &[String] {
        &self.cannot
    }

    /// What has come and was not read, and what was written and has not gone out, is no more.
    pub fn discard(&self) -> io::Result<()> {
        self.stream.clear(ClearBuffer::All).map_err(io::Error::from)
    }

    /// Sets the line anew; what the port cannot do of it is told as by [`cannot`](Port::cannot).
    pub fn set(&mut self, line: &Line) -> io::Result<Vec<String>> {
        self.stream.set_baud_rate(line.baud.get())?;
        self.stream.set_data_bits(line.data())?;
        self.stream.set_parity(line.parity.into())?;
        self.stream.set_stop_bits(line.stop())?;
        Ok(differs(&self.stream, line))
    }

    fn has_gone(&mut self) -> io::Error {
        self.gone = true;
        io::Error::new(io::ErrorKind::NotConnected, format!("{} has gone", self.name))
    }

    /// What the kernel says of an adapter that was pulled out.
    fn is_end(error: &io::Error) -> bool {
        [libc::EIO, libc::ENXIO, libc::ENODEV, libc::EBADF].map(Some).contains(&error.raw_os_error())
    }
}

/// How the port stands, where that is not as it was set.
pub(super) fn differs(stream: &SerialStream, line: &Line) -> Vec<String> {
    let mut told = Vec::new();
    let rate = stream.baud_rate().unwrap_or(0);
    // A UART divides its clock, so it hits most rates only nearly; a byte is still read right.
    if rate.abs_diff(line.baud.get()) > line.baud.get() / 50 {
        told.push(format!("the port runs at {rate} baud, not at {}", line.baud.get()));
    }
    if stream.parity().ok() != Some(line.parity.into()) {
        told.push("the port does not take this parity".into());
    }
    if stream.data_bits().ok() != Some(line.data()) {
        told.push(format!("the port does not do {} data bits", line.data_bits));
    }
    if stream.stop_bits().ok() != Some(line.stop()) {
        told.push(format!("the port does not do {} stop bits", line.stop_bits));
    }
    told
}

impl AsyncRead for Port {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.gone {
            return Poll::Ready(Err(self.has_gone()));
        }
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        Poll::Ready(match read {
            // A port that is open has no end; nothing is read from one that was pulled out.
            Ok(()) if buf.filled().len() == before && buf.remaining() > 0 => Err(self.has_gone()),
            Err(error) if Port::is_end(&error) => Err(self.has_gone()),
            read => read,
        })
    }
}

impl AsyncWrite for Port {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.gone {
            return Poll::Ready(Err(self.has_gone()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(written.map_err(|error| if Port::is_end(&error) { self.has_gone() } else { error }))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // To close waits until all has gone out, and through an adapter that hangs nothing ever does.
        let _ = self.discard();
    }
}
