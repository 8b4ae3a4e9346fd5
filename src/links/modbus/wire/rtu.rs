//! RTU: which bytes of a serial line are the answer.
//!
//! A frame has no beginning that can be recognised, so it is looked for from every byte on: noise, and a late answer of
//! another unit, may stand before it. The first place where an answer could begin decides, as long as its checksum does
//! not speak against it. Nothing may stand after it: then nobody knows which one was meant.

use super::answer::{Extent, answers, check, extent};
use super::{Asked, Heard, Odd, Wrong};

/// Unit and checksum around a PDU.
pub const AROUND: usize = 3;
/// What is gathered before the answer must have begun: two of the longest frames.
pub const MOST_HEARD: usize = 512;

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u16, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xa001 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

pub fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| (sum >> 8) ^ TABLE[usize::from((sum as u8) ^ byte)])
}

/// A whole frame whose checksum is right.
pub fn is_frame(bytes: &[u8]) -> bool {
    match bytes {
        [inside @ .., low, high] if inside.len() >= 2 => checksum(inside) == u16::from_le_bytes([*low, *high]),
        _ => false,
    }
}

/// The frame around a PDU.
pub fn framed(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(pdu.len() + AROUND);
    frame.push(unit);
    frame.extend_from_slice(pdu);
    frame.extend(checksum(&frame).to_le_bytes());
    frame
}

enum At {
    Nothing,
    More,
    BadSum,
    /// So long is the frame.
    Frame(usize),
}

pub fn heard(asked: &Asked<'_>, bytes: &[u8]) -> Heard {
    let mut bad_sum = false;
    for from in 0..bytes.len() {
        match begins(asked, &bytes[from..]) {
            At::Nothing => {}
            At::BadSum => bad_sum = true,
            At::More => return more(bytes),
            At::Frame(length) if from + length < bytes.len() => return Heard::Odd(Odd::More),
            At::Frame(length) => return judged(asked, bytes, from, length),
        }
    }
    if bad_sum { Heard::Odd(Odd::Checksum) } else { more(bytes) }
}

fn more(bytes: &[u8]) -> Heard {
    if bytes.len() < MOST_HEARD { Heard::More } else { Heard::Odd(Odd::Noise(bytes.len())) }
}

fn judged(asked: &Asked<'_>, bytes: &[u8], from: usize, length: usize) -> Heard {
    let pdu = from + 1..from + length - 2;
    match check(asked, &bytes[pdu.clone()]) {
        Err(odd) => Heard::Odd(odd),
        Ok(()) => Heard::Whole { from, pdu },
    }
}

fn begins(asked: &Asked<'_>, bytes: &[u8]) -> At {
    match bytes {
        [unit, ..] if *unit != asked.unit => return At::Nothing,
        [_, function, ..] if !answers(asked.request.function(), *function) => return At::Nothing,
        _ => {}
    }
    match extent(asked.request, &bytes[1..]) {
        Extent::More => At::More,
        Extent::Open if is_frame(bytes) => At::Frame(bytes.len()),
        Extent::Open => At::More,
        Extent::Bytes(pdu) => match bytes.get(..pdu + AROUND) {
            None => At::More,
            Some(frame) if is_frame(frame) => At::Frame(frame.len()),
            Some(_) => At::BadSum,
        },
    }
}

/// The time is over: what were these bytes?
pub fn ended(asked: &Asked<'_>, bytes: &[u8]) -> Wrong {
    let odd = match bytes {
        [] => return Wrong::Silent,
        [unit, ..] if is_frame(bytes) && *unit != asked.unit => Odd::Unit(*unit),
        [_, function, ..] if is_frame(bytes) => Odd::Function(*function),
        [unit, function, ..] if *unit == asked.unit && answers(asked.request.function(), *function) => Odd::Length,
        _ => Odd::Noise(bytes.len()),
    };
    Wrong::NotAnAnswer(odd)
}

#[cfg(test)]
mod tests {
    use super::super::{Request, Table};
    use super::*;

    const READ: Request = Request::Read { table: Table::Holding, at: 0, count: 2 };
    const ASKED: Asked<'static> = Asked { unit: 7, request: &READ, pdu: &[3, 0, 0, 0, 2] };
    const PDU: [u8; 6] = [3, 4, 1, 2, 3, 4];

    fn whole(from: usize) -> Heard {
        Heard::Whole { from, pdu: from + 1..from + 7 }
    }

    /// The example of the standard (Serial Line V1.02, 6.2.2), and one of a meter's manual.
    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(checksum(&[0x02, 0x07]), 0x1241);
        assert_eq!(checksum(&[0x01, 0x04, 0x00, 0x00, 0x00, 0x0a]), 0x0d70);
        assert!(is_frame(&[0x02, 0x07, 0x41, 0x12]) && !is_frame(&[0x02, 0x07, 0x12, 0x41]));
    }

    #[test]
    fn an_answer_is_found_however_it_is_cut() {
        let frame = framed(7, &PDU);
        for end in 0..frame.len() {
            assert_eq!(heard(&ASKED, &frame[..end]), Heard::More, "{end}");
        }
        assert_eq!(heard(&ASKED, &frame), whole(0));
    }

    #[test]
    fn noise_and_answers_of_others_may_come_before_but_nothing_after() {
        let frame = framed(7, &PDU);
        assert_eq!(heard(&ASKED, &[&[0, 0xff][..], &frame].concat()), whole(2));
        assert_eq!(heard(&ASKED, &[framed(9, &PDU), frame.clone()].concat()), whole(9));
        assert_eq!(heard(&ASKED, &[frame.clone(), vec![0]].concat()), Heard::Odd(Odd::More));
        assert_eq!(heard(&ASKED, &[frame.clone(), frame].concat()), Heard::Odd(Odd::More));
        assert_eq!(heard(&ASKED, &[0; MOST_HEARD]), Heard::Odd(Odd::Noise(MOST_HEARD)));
    }

    #[test]
    fn each_bit_counts() {
        let frame = framed(7, &PDU);
        for bit in 0..frame.len() * 8 {
            let mut broken = frame.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(heard(&ASKED, &broken), Heard::Whole { .. }), "{bit}");
        }
    }

    #[test]
    fn what_came_instead_has_a_name() {
        let wrong = |bytes: &[u8]| ended(&ASKED, bytes);
        assert_eq!(wrong(&[]), Wrong::Silent);
        assert_eq!(wrong(&framed(8, &PDU)), Wrong::NotAnAnswer(Odd::Unit(8)));
        assert_eq!(wrong(&framed(7, &[4, 2, 0, 0])), Wrong::NotAnAnswer(Odd::Function(4)));
        assert_eq!(wrong(&framed(7, &PDU)[..5]), Wrong::NotAnAnswer(Odd::Length));
        assert_eq!(wrong(&[1, 2, 3]), Wrong::NotAnAnswer(Odd::Noise(3)));
        assert_eq!(heard(&ASKED, &framed(7, &[3, 2, 1, 2])), Heard::Odd(Odd::Quantity { asked: 2, came: 1 }));
    }

    #[test]
    fn what_nobody_knows_the_length_of_ends_where_its_checksum_fits() {
        let raw = Request::Raw { function: 0x41, data: vec![1] };
        let asked = Asked { unit: 7, request: &raw, pdu: &[0x41, 1] };
        let frame = framed(7, &[0x41, 9, 9]);
        assert_eq!(heard(&asked, &frame[..5]), Heard::More);
        assert_eq!(heard(&asked, &frame), Heard::Whole { from: 0, pdu: 1..4 });
        assert_eq!(heard(&asked, &framed(7, &[0xc1, 1])), Heard::Whole { from: 0, pdu: 1..3 });
    }
}
