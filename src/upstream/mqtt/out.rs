//! Bytes on their way to the broker: put in as packets, taken out as the stream takes them.
//!
//! Positions count all bytes of a connection, so that who put something in can tell when its last byte has left.

use std::time::Instant;

use bytes::{Buf, BytesMut};

/// So much may lie in front of what is not yet written before it is thrown away.
const LONGEST_TAIL: usize = 64 * 1024;
/// A buffer that grew beyond this is given back when it is empty.
const KEPT: usize = 128 * 1024;

#[derive(Default)]
pub struct Out {
    bytes: BytesMut,
    /// Of `bytes`, so many have left.
    gone: usize,
    written: u64,
    /// Since when nothing of what waits has left.
    since: Option<Instant>,
    /// It holds a password, so it is wiped.
    wiped: bool,
}

impl Out {
    pub fn packet<T>(&mut self, now: Instant, write: impl FnOnce(&mut BytesMut) -> T) -> T {
        self.since.get_or_insert(now);
        write(&mut self.bytes)
    }

    /// Room for all of it at once: a buffer that grows leaves what it held behind, unwiped.
    pub fn secret_packet<T>(&mut self, now: Instant, room: usize, write: impl FnOnce(&mut BytesMut) -> T) -> T {
        self.bytes.reserve(room);
        self.wiped = true;
        self.packet(now, write)
    }

    pub fn unwritten(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    pub fn is_empty(&self) -> bool {
        self.gone == self.bytes.len()
    }

    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Where the next packet begins, and the last one ends.
    pub fn end(&self) -> u64 {
        self.written + self.unwritten().len() as u64
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn wrote(&mut self, now: Instant, count: usize) {
        let count = count.min(self.unwritten().len());
        self.gone += count;
        self.written += count as u64;
        if self.is_empty() {
            self.empty();
        } else if count > 0 {
            self.since = Some(now);
            self.shorten();
        }
    }

    fn empty(&mut self) {
        if self.wiped {
            self.wipe();
        }
        if self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::new()
        } else {
            self.bytes.clear()
        }
        (self.gone, self.since, self.wiped) = (0, None, false);
    }

    fn wipe(&mut self) {
        self.bytes.fill(0);
    }

    fn shorten(&mut self) {
        if self.gone > LONGEST_TAIL && !self.wiped {
            self.bytes.advance(self.gone);
            self.gone = 0;
        }
    }

    /// For a new connection: what was left of the old one is of no use.
    pub fn begin(&mut self) {
        self.empty();
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    #[test]
    fn positions_go_on_whatever_is_thrown_away() {
        let (mut out, now) = (Out::default(), Instant::now());
        for _ in 0..3 {
            out.packet(now, |bytes| bytes.put_bytes(7, 50_000));
        }
        assert_eq!(out.end(), 150_000);
        out.wrote(now, 70_000);
        assert_eq!((out.written(), out.end(), out.unwritten().len(), out.gone), (70_000, 150_000, 80_000, 0));
        out.wrote(now, 1_000_000);
        assert_eq!((out.written(), out.is_empty(), out.since()), (150_000, true, None));
    }

    #[test]
    fn what_waits_tells_since_when_nothing_has_left() {
        let (mut out, now) = (Out::default(), Instant::now());
        let later = now + std::time::Duration::from_secs(5);
        out.packet(now, |bytes| bytes.put_slice(b"abc"));
        out.packet(later, |bytes| bytes.put_slice(b"def"));
        assert_eq!(out.since(), Some(now));
        out.wrote(later, 0);
        assert_eq!(out.since(), Some(now), "nothing has left");
        out.wrote(later, 1);
        assert_eq!((out.since(), out.unwritten()), (Some(later), &b"bcdef"[..]));
    }

    #[test]
    fn a_password_that_has_left_stays_nowhere() {
        let mut out = Out::default();
        out.secret_packet(Instant::now(), 64, |bytes| bytes.put_slice(b"hunter2"));
        let before = out.bytes.as_ptr();
        out.bytes.reserve(50);
        assert_eq!(out.bytes.as_ptr(), before, "there was room for all of it");
        out.wipe();
        assert_eq!(out.unwritten(), [0; 7]);
        out.wrote(Instant::now(), 7);
        assert!(!out.wiped, "what comes next is no secret");
    }
}
