//! A connection that is watched: the first bytes that come, where they are not what was wanted (HTTP, or TLS where there is
//! none), and its end, which is told to whoever reads and not to who writes.
//!
//! Invariant: nothing is kept of a connection on which the right thing comes first.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Bytes;
use super::http::{Head, UNASKED, unasked};
use super::trouble::is_gone;

/// Enough to see where a portal sends us.
const MOST_KEPT: usize = 1 << 10;
/// HTTP, and an alert of TLS. No answer of TLS or MQTT begins like the first, none of MQTT like the second.
const TELLING: [&[u8]; 2] = [UNASKED, b"\x15\x03"];

/// Shared with whoever tells of trouble.
#[derive(Clone, Debug, Default)]
pub struct Clues(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// What came first was something else, so probably what was wanted.
    right: bool,
}

impl Clues {
    /// An answer in HTTP.
    pub fn unasked(&self) -> Option<Head> {
        unasked(&self.kept().bytes)
    }

    pub fn is_tls(&self) -> bool {
        self.kept().bytes.starts_with(TELLING[1])
    }

    /// Whether it has said a word of its own.
    pub fn has_spoken(&self) -> bool {
        self.kept().right
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False where no more need be looked at.
    fn add(&self, bytes: &[u8]) -> bool {
        let mut kept = self.kept();
        let room = MOST_KEPT - kept.bytes.len();
        kept.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if !TELLING.iter().any(|telling| may_begin(&kept.bytes, telling)) {
            *kept = Kept { bytes: Vec::new(), right: true };
            return false;
        }
        kept.bytes.len() < MOST_KEPT
    }
}

/// As far as both go they are alike.
fn may_begin(bytes: &[u8], telling: &[u8]) -> bool {
    bytes.iter().zip(telling).all(|(came, tells)| came == tells)
}

pub struct Watched {
    inner: Bytes,
    /// As long as they are looked at.
    clues: Option<Clues>,
}

impl Watched {
    pub fn new(inner: Bytes, clues: Clues) -> Watched {
        Watched { inner, clues: Some(clues) }
    }
}

/// Who is thrown out while he writes has often been told why, and not read it yet: so what is written then is gone without
/// an error, and whoever reads hears why, or that it has ended.
fn gone<T>(written: Poll<io::Result<T>>, instead: T) -> Poll<io::Result<T>> {
    match written {
        Poll::Ready(Err(error)) if is_gone(&error) => Poll::Ready(Ok(instead)),
        other => other,
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = to.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, to);
        let came = &to.filled()[before..];
        if !came.is_empty() && this.clues.as_ref().is_some_and(|clues| !clues.add(came)) {
            this.clues = None;
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        gone(Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes), bytes.len())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        gone(Pin::new(&mut self.get_mut().inner).poll_flush(cx), ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_last_word_is_read_though_it_is_too_late_to_write() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"why").await.unwrap();
        drop(theirs);
        let mut watched = Watched::new(Box::new(ours), Clues::default());
        watched.write_all(b"too late").await.unwrap();
        let mut heard = Vec::new();
        watched.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"why");
    }

    #[test]
    fn of_what_was_wanted_nothing_is_kept_and_of_the_rest_enough() {
        let clues = Clues::default();
        assert!(clues.add(b"H") && clues.add(b"TTP/1.1 302 Found\r\n") && clues.add(b"Location: http://p/\r\n\r\n"));
        assert_eq!(clues.unasked().unwrap().leads_to().unwrap(), "http://p/");
        assert!(!clues.add(&[b'x'; 5_000]) && clues.kept().bytes.len() == MOST_KEPT);
        for right in [&b"\x20\x02\x00\x00"[..], b"\x16\x03\x03", b"HTML", b"H\x00"] {
            let clues = Clues::default();
            assert!(!clues.add(right) && clues.kept().bytes.capacity() == 0 && clues.has_spoken(), "{right:?}");
        }
        let clues = Clues::default();
        assert!(
            clues.add(b"\x15\x03\x01\x00\x02\x02\x0a")
                && clues.is_tls()
                && !clues.has_spoken()
                && clues.unasked().is_none()
        );
    }
}
