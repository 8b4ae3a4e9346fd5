//! What of all that a gateway sends can be the answer: not its heartbeats, and no answer that comes too late.
//!
//! Pure. Of Modbus TCP, where frames bear numbers, whole frames of the request that is under way pass, and all other frames
//! are thrown away; text that nobody asked for is, too. What is neither passes while an answer is waited for: the line
//! behind says what is wrong with it. Of RTU only a heartbeat before an answer can be told from it.
//!
//! Invariant: where frames bear numbers, nothing passes while nothing is asked.

use super::Said;
use crate::links::modbus::wire::master::{Came, came};
use crate::links::modbus::wire::tcp::transaction;

#[derive(Debug)]
pub struct Sift {
    heartbeat: Vec<u8>,
    numbered: bool,
    /// Not judged yet. No longer than a frame and what is read at once.
    raw: Vec<u8>,
    /// The first of them, which pass.
    passing: usize,
    /// The number of the request that is under way.
    asked: Option<u16>,
    /// Something of the answer has passed.
    begun: bool,
    /// Where a frame begins nobody knows any more.
    garbled: bool,
}

enum What {
    More,
    Away(usize),
    Pass(usize),
}

impl Sift {
    pub fn new(heartbeat: Option<&Said>, numbered: bool) -> Sift {
        let heartbeat = heartbeat.map_or(Vec::new(), |said| said.bytes().to_vec());
        Sift { heartbeat, numbered, raw: Vec::new(), passing: 0, asked: None, begun: false, garbled: false }
    }

    /// A request goes out; its first bytes.
    pub fn asks(&mut self, frame: &[u8]) {
        self.asked = self.numbered.then(|| transaction(frame));
        self.begun = false;
    }

    /// Nobody waits for an answer any more.
    pub fn is_given_up(&mut self) {
        self.asked = None;
        self.raw.drain(..self.passing);
        self.passing = 0;
    }

    /// What comes next can be told from a late answer.
    pub fn is_sound(&self) -> bool {
        self.numbered && !self.garbled
    }

    pub fn takes(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// What passes now, at most so much of it.
    pub fn passes(&mut self, most: usize) -> Vec<u8> {
        while self.passing == 0 {
            match self.judged() {
                What::More => return Vec::new(),
                What::Away(bytes) => drop(self.raw.drain(..bytes)),
                What::Pass(bytes) => {
                    self.passing = bytes;
                    self.begun = true;
                    self.asked = None;
                }
            }
        }
        let now = self.passing.min(most);
        self.passing -= now;
        self.raw.drain(..now).collect()
    }

    fn judged(&mut self) -> What {
        if self.raw.is_empty() {
            return What::More;
        }
        if !self.numbered {
            let beat = (!self.begun).then(|| self.heartbeat()).flatten();
            return beat.unwrap_or(What::Pass(self.raw.len()));
        }
        let frame = came(&self.raw);
        match (&frame, self.is_asked()) {
            (Came::More, true) => return What::More,
            (Came::Frame(frame), true) => return What::Pass(frame.pdu.end),
            _ => {}
        }
        if let Some(beat) = self.heartbeat() {
            return beat;
        }
        match frame {
            Came::More => What::More,
            Came::Frame(late) => What::Away(late.pdu.end),
            Came::NotModbus if self.asked.is_none() => What::Away(self.raw.len()),
            Came::NotModbus => {
                self.garbled = true;
                What::Pass(self.raw.len())
            }
        }
    }

    /// As far as it can be seen.
    fn is_asked(&self) -> bool {
        self.asked.is_some_and(|number| self.raw.iter().zip(number.to_be_bytes()).all(|(raw, byte)| *raw == byte))
    }

    fn heartbeat(&self) -> Option<What> {
        match &self.heartbeat[..] {
            [] => None,
            beat if self.raw.starts_with(beat) => Some(What::Away(beat.len())),
            beat if beat.starts_with(&self.raw) => Some(What::More),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::modbus::wire::{rtu, tcp};

    const ANSWER: [u8; 4] = [3, 2, 1, 2];

    fn frame(number: u16) -> Vec<u8> {
        tcp::framed(number, 7, &ANSWER)
    }

    fn sift(numbered: bool) -> Sift {
        let beat: Said = toml::Value::from("PING").try_into().unwrap();
        Sift::new(Some(&beat), numbered)
    }

    /// What passes of this, in pieces of one byte and whole.
    fn passes(asked: u16, bytes: &[u8]) -> Vec<u8> {
        let of = |pieces: usize| {
            let mut sift = sift(true);
            sift.asks(&frame(asked));
            let mut all = Vec::new();
            for piece in bytes.chunks(pieces) {
                sift.takes(piece);
                all.extend(sift.passes(512));
                all.extend(sift.passes(512));
            }
            all
        };
        let whole = of(bytes.len());
        assert_eq!(of(1), whole);
        whole
    }

    #[test]
    fn only_the_answer_to_the_request_that_is_under_way_passes() {
        assert_eq!(passes(5, &frame(5)), frame(5));
        assert_eq!(passes(5, &[frame(4), frame(5)].concat()), frame(5));
        assert_eq!(passes(5, &[frame(3), frame(4)].concat()), b"");
        assert_eq!(passes(5, &[frame(5), frame(5)].concat()), frame(5), "the second is for nobody");
    }

    #[test]
    fn heartbeats_are_thrown_away_wherever_a_frame_may_begin() {
        let (beat, own) = (b"PING".to_vec(), frame(5));
        assert_eq!(passes(5, &[&beat[..], &beat, &own, &beat].concat()), own);
        assert_eq!(passes(5, &[&frame(4)[..], &beat, &own].concat()), own);
        // The number of this request is how the heartbeat begins.
        let own = frame(0x5049);
        assert_eq!(passes(0x5049, &[&beat[..], &own].concat()), own);
    }

    #[test]
    fn text_that_nobody_asked_for_is_thrown_away_and_in_place_of_an_answer_it_is_told() {
        let mut sift = sift(true);
        sift.takes(b"\r\nOK\r\n");
        assert_eq!(sift.passes(512), b"");
        assert!(sift.is_sound());
        sift.asks(&frame(5));
        sift.takes(b"\r\nOK\r\n");
        assert_eq!(sift.passes(512), b"\r\nOK\r\n");
        assert!(!sift.is_sound());
    }

    #[test]
    fn an_answer_that_was_given_up_passes_no_more_when_its_end_comes() {
        let mut sift = sift(true);
        sift.asks(&frame(5));
        sift.takes(&frame(5)[..8]);
        assert_eq!(sift.passes(512), b"");
        sift.is_given_up();
        sift.asks(&frame(6));
        sift.takes(&[&frame(5)[8..], &frame(6)[..]].concat());
        assert_eq!(sift.passes(4), frame(6)[..4]);
        assert_eq!(sift.passes(512), frame(6)[4..]);
    }

    #[test]
    fn of_rtu_a_heartbeat_before_an_answer_is_thrown_away_and_within_it_nothing_is() {
        let answer = rtu::framed(7, &[3, 8, b'P', b'I', b'N', b'G', b'P', b'I', b'N', b'G']);
        let mut sift = sift(false);
        sift.takes(b"PINGPI");
        assert_eq!(sift.passes(512), b"");
        sift.asks(&rtu::framed(7, &[3, 0, 0, 0, 4]));
        sift.takes(b"NG");
        sift.takes(&answer[..3]);
        assert_eq!(sift.passes(512), answer[..3]);
        sift.takes(&answer[3..]);
        assert_eq!(sift.passes(512), answer[3..]);
    }
}
