//! The other side of Modbus TCP: what a master asks of us, and the bytes of what it is told.
//!
//! A master may read, and nothing else: [`asked`] makes requests that read, and refuses all others by their exception.
//! Invariant: of what came, no more is looked at than the frame says that it has; what is told fits into one frame.

use std::ops::Range;

use super::request::Bad;
use super::tcp::HEAD;
use super::{Answer, Exception, Identity, MOST_PDU, Request};
use crate::profile::modbus::Table;

/// The longest frame.
pub const MOST_FRAME: usize = HEAD + MOST_PDU;

/// What the bytes of a connection are that came so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    More,
    Frame(Frame),
    /// Where it would begin again nobody knows.
    NotModbus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub transaction: u16,
    pub unit: u8,
    pub pdu: Range<usize>,
}

pub fn came(bytes: &[u8]) -> Came {
    let [high, low, protocol @ ..] = bytes else { return Came::More };
    let zeroes = protocol.iter().take(2).all(|byte| *byte == 0);
    let [_, _, long, short, ..] = protocol else { return if zeroes { Came::More } else { Came::NotModbus } };
    let length = usize::from(u16::from_be_bytes([*long, *short]));
    // The unit and at least the function.
    if !zeroes || !(2..=MOST_PDU + 1).contains(&length) {
        return Came::NotModbus;
    }
    match bytes.get(HEAD - 1..HEAD - 1 + length) {
        None => Came::More,
        Some(inside) => Came::Frame(Frame {
            transaction: u16::from_be_bytes([*high, *low]),
            unit: inside[0],
            pdu: HEAD..HEAD - 1 + length,
        }),
    }
}

/// What is wrong with it, if it may not go out.
pub fn asked(pdu: &[u8]) -> Result<Request, Exception> {
    let request = match *pdu {
        [function @ 1..=4, a, b, c, d] => {
            let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input][usize::from(function - 1)];
            Request::Read { table, at: u16::from_be_bytes([a, b]), count: u16::from_be_bytes([c, d]) }
        }
        [17] => Request::ServerId,
        [43, 14, level, object] => Request::Identify { level, object },
        [1..=4 | 17, ..] | [43, 14, ..] => return Err(Exception::IllegalValue),
        _ => return Err(Exception::IllegalFunction),
    };
    match request.check() {
        Ok(()) => Ok(request),
        Err(Bad::Beyond { .. }) => Err(Exception::IllegalAddress),
        Err(_) => Err(Exception::IllegalValue),
    }
}

/// The PDU of an answer. None where it answers nothing that a master may ask.
pub fn told(request: &Request, answer: &Answer) -> Option<Vec<u8>> {
    let counted = |bytes: Vec<u8>| {
        let count = u8::try_from(bytes.len()).ok()?;
        Some([&[request.function(), count], &bytes[..]].concat())
    };
    let pdu = match (request, answer) {
        (Request::Read { .. }, Answer::Words(words)) => counted(words.iter().flat_map(|w| w.to_be_bytes()).collect()),
        (Request::Read { .. }, Answer::Bits(bits)) => counted(bits.chunks(8).map(packed).collect()),
        (Request::ServerId, Answer::ServerId(bytes)) => counted(bytes.clone()),
        (Request::Identify { level, .. }, Answer::Identity(identity)) => identified(*level, identity),
        _ => None,
    };
    pdu.filter(|pdu| pdu.len() <= MOST_PDU)
}

fn packed(bits: &[bool]) -> u8 {
    bits.iter().rev().fold(0, |byte, on| byte << 1 | u8::from(*on))
}

fn identified(level: u8, identity: &Identity) -> Option<Vec<u8>> {
    let count = u8::try_from(identity.objects.len()).ok()?;
    let (more, next) = identity.more.map_or((0, 0), |next| (0xff, next));
    let mut pdu = vec![43, 14, level, identity.conformity, more, next, count];
    for (id, value) in &identity.objects {
        pdu.extend([*id, u8::try_from(value.len()).ok()?]);
        pdu.extend_from_slice(value);
    }
    Some(pdu)
}

/// The PDU of a refusal.
pub fn refused(function: u8, why: Exception) -> Vec<u8> {
    vec![function | 0x80, why.code()]
}

#[cfg(test)]
mod tests {
    use super::super::answer::{check, read};
    use super::super::tcp::framed;
    use super::super::{Asked, rtu};
    use super::*;

    #[test]
    fn a_frame_is_found_however_it_is_cut() {
        let frame = framed(0x0102, 7, &[3, 0, 1, 0, 2]);
        for end in 0..frame.len() {
            assert_eq!(came(&frame[..end]), Came::More, "{end}");
        }
        let whole = Came::Frame(Frame { transaction: 0x0102, unit: 7, pdu: 7..12 });
        assert_eq!(came(&frame), whole);
        assert_eq!(came(&[&frame[..], b"more"].concat()), whole, "what follows belongs to the next");
        assert_eq!(came(&framed(1, 1, &[0; MOST_PDU])[..9]), Came::More);
    }

    #[test]
    fn what_is_no_frame_is_known_as_early_as_it_can_be() {
        for bytes in [
            &b"GET"[..],
            &[0, 1, 0, 1],
            &[0, 1, 0, 0, 0, 1],
            &[0, 1, 0, 0, 0, 255],
            &[0, 1, 0, 0, 255, 255],
            &rtu::framed(7, &[3, 0, 1, 0, 2]),
        ] {
            assert_eq!(came(bytes), Came::NotModbus, "{bytes:?}");
        }
    }

    #[test]
    fn what_does_not_only_read_or_cannot_be_asked_is_refused() {
        use Exception::*;
        for (pdu, why) in [
            (&[5, 0, 1, 0xff, 0][..], IllegalFunction),
            (&[6, 0, 1, 0, 1], IllegalFunction),
            (&[15, 0, 1, 0, 1, 1, 1], IllegalFunction),
            (&[16, 0, 1, 0, 1, 2, 0, 1], IllegalFunction),
            (&[22, 0, 1, 0, 0, 0, 0], IllegalFunction),
            (&[23, 0, 1, 0, 1, 0, 1, 0, 1, 2, 0, 1], IllegalFunction),
            (&[8, 0, 1, 0, 0], IllegalFunction),
            (&[43, 13, 0], IllegalFunction),
            (&[43], IllegalFunction),
            (&[0x83, 0, 1, 0, 1], IllegalFunction),
            (&[0], IllegalFunction),
            (&[3, 0, 1, 0], IllegalValue),
            (&[3, 0, 1, 0, 1, 0], IllegalValue),
            (&[3, 0, 1, 0, 0], IllegalValue),
            (&[3, 0, 1, 0, 126], IllegalValue),
            (&[1, 0, 1, 7, 0xd1], IllegalValue),
            (&[3, 0xff, 0xff, 0, 2], IllegalAddress),
            (&[17, 0], IllegalValue),
            (&[43, 14, 5, 0], IllegalValue),
            (&[43, 14, 1], IllegalValue),
        ] {
            assert_eq!(asked(pdu), Err(why), "{pdu:?}");
        }
        assert_eq!(asked(&[4, 1, 2, 0, 125]), Ok(Request::Read { table: Table::Input, at: 258, count: 125 }));
        assert_eq!(refused(6, IllegalFunction), [0x86, 1]);
    }

    /// As a unit answered, so the master is told.
    #[test]
    fn what_a_unit_said_is_passed_on_byte_by_byte() {
        for (ask, pdu) in [
            (&[1, 0, 0, 0, 11][..], &[1, 2, 0b1010_0101, 0b101][..]),
            (&[3, 0, 0, 0, 2], &[3, 4, 1, 2, 0xfe, 4]),
            (&[17], &[17, 4, 9, 0xff, b'X', b'Y']),
            (&[43, 14, 1, 0], &[43, 14, 1, 0x82, 0xff, 2, 2, 0, 2, b'A', b'B', 1, 0]),
            (&[43, 14, 4, 1], &[43, 14, 4, 0x82, 0, 0, 1, 1, 1, b'C']),
        ] {
            let request = asked(ask).unwrap();
            check(&Asked { unit: 1, request: &request, pdu: ask }, pdu).unwrap();
            assert_eq!(told(&request, &read(&request, pdu).unwrap()).unwrap(), pdu);
        }
        assert_eq!(told(&Request::ServerId, &Answer::Written), None);
        assert_eq!(told(&Request::ServerId, &Answer::ServerId(vec![0; 252])), None, "it fits into no frame");
    }
}
