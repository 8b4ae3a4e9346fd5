//! Lines on their way into the socket, and what each of them means for the record once its last byte was taken.

use std::collections::VecDeque;

use crate::links::sim::wire::{FromPlant, write_line};

/// Above this nothing new is said and no request is read.
pub const FULL: usize = 1024 * 1024;

#[derive(Clone)]
pub struct Sent {
    pub place: usize,
    pub message: FromPlant,
    pub wrong: bool,
}

#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    start: usize,
    /// Since the connection began.
    queued: u64,
    taken: u64,
    marks: VecDeque<(u64, Sent)>,
}

impl Outbox {
    pub fn push(&mut self, sent: Sent) {
        let before = self.bytes.len();
        if let Err(bad) = write_line(&sent.message, &mut self.bytes) {
            tracing::warn!("not said: {bad}");
            return;
        }
        self.queued += (self.bytes.len() - before) as u64;
        self.marks.push_back((self.queued, sent));
    }

    pub fn garbage(&mut self) {
        let line = b"{\"values\": not what it should be\n";
        self.bytes.extend_from_slice(line);
        self.queued += line.len() as u64;
    }

    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.waiting().len() >= FULL
    }

    /// The socket took so many bytes; gives back the lines that are through.
    pub fn took(&mut self, bytes: usize) -> Vec<Sent> {
        self.start += bytes;
        self.taken += bytes as u64;
        if self.start == self.bytes.len() || self.start >= FULL {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let through = self.marks.iter().take_while(|(end, _)| *end <= self.taken).count();
        self.marks.drain(..through).map(|(_, sent)| sent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_once_its_last_byte_is_taken() {
        let mut outbox = Outbox::default();
        for version in [1, 2] {
            outbox.push(Sent { place: 0, message: FromPlant::Hello { version }, wrong: false });
        }
        let line = outbox.waiting().len() / 2;
        assert_eq!(outbox.took(line - 1).len(), 0);
        assert_eq!(outbox.took(1).len(), 1);
        outbox.garbage();
        let rest = outbox.waiting().len();
        assert_eq!(outbox.took(rest).len(), 1);
        assert!(outbox.is_empty());
    }
}
