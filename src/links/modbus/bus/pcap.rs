//! Frames as a pcap file that tshark and Wireshark decode without any setting.
//!
//! They know Modbus where it runs over TCP port 502, so frames are wrapped as if they had: one connection between two
//! made-up addresses, RTU frames without unit and checksum behind a head of TCP, under numbers of our own. What is no
//! whole frame, or was not taken, goes into UDP datagrams with its bytes as they came: nothing is left out, and nothing
//! that was broken looks right.

use std::time::Duration;

use super::super::wire::tcp;
use super::super::wire::told::{Frames, Way, inside};
use super::trace::{Frame, Made};

const MAGIC: u32 = 0xa1b2_c3d4;
/// The packets begin with the head of IPv4.
const LINKTYPE_IPV4: u32 = 228;
const LONGEST_PACKET: u32 = 65_535;
const US: ([u8; 4], u16) = ([10, 0, 0, 1], 49_152);
const THEM: ([u8; 4], u16) = ([10, 0, 0, 2], 502);
/// What is no frame goes to and from here, where no dissector listens.
const BROKEN: u16 = 49_153;
const TCP: u8 = 6;
const UDP: u8 = 17;

pub fn head() -> Vec<u8> {
    let mut head = Vec::with_capacity(24);
    head.extend(MAGIC.to_le_bytes());
    head.extend([2, 0, 4, 0]);
    head.extend([0; 8]);
    head.extend(LONGEST_PACKET.to_le_bytes());
    head.extend(LINKTYPE_IPV4.to_le_bytes());
    head
}

/// Writes one trace.
#[derive(Clone, Debug)]
pub struct Capture {
    /// What the clock on the wall showed when the machine started.
    started: Duration,
    transaction: u16,
    /// Bytes that went each way on the made-up connection.
    out: u32,
    back: u32,
}

impl Capture {
    pub fn new(started: Duration) -> Capture {
        Capture { started, transaction: 0, out: 1, back: 1 }
    }

    /// The record of one frame; nothing, where none came.
    pub fn record(&mut self, frame: &Frame) -> Vec<u8> {
        if frame.bytes.is_empty() {
            return Vec::new();
        }
        let packet = match self.wrapped(frame) {
            Some(adu) => self.in_tcp(frame.way, &adu),
            None => in_udp(frame.way, &frame.bytes),
        };
        let at = self.started + Duration::from_micros(frame.at);
        let length = u32::try_from(packet.len()).unwrap_or(LONGEST_PACKET);
        let mut record = Vec::with_capacity(packet.len() + 16);
        for word in [u32::try_from(at.as_secs()).unwrap_or(u32::MAX), at.subsec_micros(), length, length] {
            record.extend(word.to_le_bytes());
        }
        record.extend(packet);
        record
    }

    fn wrapped(&mut self, frame: &Frame) -> Option<Vec<u8>> {
        let whole = matches!(frame.made, Made::Asked | Made::Answer);
        let (unit, pdu) = inside(frame.frames, &frame.bytes).filter(|_| whole)?;
        if frame.frames == Frames::Tcp {
            return Some(frame.bytes.clone());
        }
        if frame.way == Way::Out {
            self.transaction = self.transaction.wrapping_add(1);
        }
        Some(tcp::framed(self.transaction, unit, pdu))
    }

    fn in_tcp(&mut self, way: Way, adu: &[u8]) -> Vec<u8> {
        let length = u32::try_from(adu.len()).unwrap_or(0);
        let (from, to) = ends(way);
        let (seq, ack) = match way {
            Way::Out => (self.out, self.back),
            Way::In => (self.back, self.out),
        };
        match way {
            Way::Out => self.out = self.out.wrapping_add(length),
            Way::In => self.back = self.back.wrapping_add(length),
        }
        let mut segment = Vec::with_capacity(20 + adu.len());
        segment.extend(from.1.to_be_bytes());
        segment.extend(to.1.to_be_bytes());
        segment.extend(seq.to_be_bytes());
        segment.extend(ack.to_be_bytes());
        // Five words of head, PSH and ACK, a window, checksum, no urgent data.
        segment.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend_from_slice(adu);
        let sum = over(TCP, from.0, to.0, &segment);
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        in_ip(TCP, from.0, to.0, &segment)
    }
}

fn ends(way: Way) -> (([u8; 4], u16), ([u8; 4], u16)) {
    match way {
        Way::Out => (US, THEM),
        Way::In => (THEM, US),
    }
}

fn in_udp(way: Way, bytes: &[u8]) -> Vec<u8> {
    let (from, to) = ends(way);
    let mut datagram = Vec::with_capacity(8 + bytes.len());
    datagram.extend(BROKEN.to_be_bytes());
    datagram.extend(BROKEN.to_be_bytes());
    datagram.extend(u16::try_from(8 + bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(bytes);
    let sum = over(UDP, from.0, to.0, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    in_ip(UDP, from.0, to.0, &datagram)
}

fn in_ip(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(20 + payload.len());
    packet.extend([0x45, 0]);
    packet.extend(u16::try_from(20 + payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    // No fragments; 64 hops.
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend(from);
    packet.extend(to);
    let sum = !folded(&packet, 0);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// The checksum of TCP and UDP: with addresses, protocol and length before it.
fn over(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> u16 {
    let length = u32::try_from(payload.len()).unwrap_or(0);
    let before = [&from[..], &to, &[0, protocol], &(length as u16).to_be_bytes()].concat();
    !folded(payload, u32::from(folded(&before, 0)))
}

fn folded(bytes: &[u8], start: u32) -> u16 {
    let mut sum = bytes
        .chunks(2)
        .fold(start, |sum, two| sum + u32::from(u16::from_be_bytes([two[0], two.get(1).copied().unwrap_or(0)])));
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::rtu;
    use super::*;

    fn frame(way: Way, made: Made, bytes: Vec<u8>) -> Frame {
        Frame { at: 1_500_000, frames: Frames::Rtu, way, made, bytes }
    }

    fn right(packet: &[u8]) {
        assert_eq!(folded(&packet[..20], 0), 0xffff, "the head of IP");
        let before = [&packet[12..20], &[0, packet[9]], &((packet.len() - 20) as u16).to_be_bytes()].concat();
        assert_eq!(folded(&packet[20..], u32::from(folded(&before, 0))), 0xffff, "what it carries");
    }

    #[test]
    fn an_answer_goes_on_where_the_request_ended() {
        let mut capture = Capture::new(Duration::from_secs(1_700_000_000));
        let asked = capture.record(&frame(Way::Out, Made::Asked, rtu::framed(7, &[3, 0, 0, 0, 1])));
        let answer = capture.record(&frame(Way::In, Made::Answer, rtu::framed(7, &[3, 2, 1, 2])));
        assert_eq!(asked[..8], [0x01, 0xf1, 0x53, 0x65, 0x20, 0xa1, 0x07, 0x00]);
        for record in [&asked, &answer] {
            right(&record[16..]);
        }
        assert_eq!(asked[16 + 40..], [0, 1, 0, 0, 0, 6, 7, 3, 0, 0, 0, 1]);
        assert_eq!(answer[16 + 40..], [0, 1, 0, 0, 0, 5, 7, 3, 2, 1, 2]);
        assert_eq!(answer[16 + 28..16 + 32], 13u32.to_be_bytes(), "it acknowledges the twelve bytes");
    }

    #[test]
    fn what_was_refused_does_not_look_right() {
        let whole = rtu::framed(7, &[3, 2, 1, 2]);
        let mut capture = Capture::new(Duration::ZERO);
        for refused in [frame(Way::In, Made::Stray, whole.clone()), frame(Way::In, Made::Answer, whole[..4].to_vec())] {
            let record = capture.record(&refused);
            right(&record[16..]);
            assert_eq!(record[16 + 9], UDP);
            assert_eq!(record[16 + 28..], refused.bytes);
        }
    }
}
