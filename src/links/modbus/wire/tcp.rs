//! Modbus TCP: which bytes of a connection are the answer.
//!
//! Every frame says how long it is and to which request it belongs, so nothing has to be looked for: what is not the
//! answer is a reason to trust the connection no more.

use super::answer::check;
use super::{Asked, Heard, MOST_PDU, Odd, Wrong};

/// Transaction, protocol, length, unit.
pub const HEAD: usize = 7;

/// The frame around a PDU.
pub fn framed(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len() + 1).unwrap_or(u16::MAX);
    let mut frame = Vec::with_capacity(HEAD + pdu.len());
    for word in [transaction, 0, length] {
        frame.extend(word.to_be_bytes());
    }
    frame.push(unit);
    frame.extend_from_slice(pdu);
    frame
}

/// The transaction that a frame bears.
pub fn transaction(frame: &[u8]) -> u16 {
    word(frame, 0)
}

fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]))
}

pub fn heard(asked: &Asked<'_>, number: u16, bytes: &[u8]) -> Heard {
    if bytes.len() < HEAD {
        return Heard::More;
    }
    let (length, end) = (usize::from(word(bytes, 4)), 6 + usize::from(word(bytes, 4)));
    let odd = match bytes {
        _ if word(bytes, 2) != 0 => Odd::Protocol,
        // The unit and at least the function.
        _ if !(2..=MOST_PDU + 1).contains(&length) => Odd::Protocol,
        _ if bytes.len() < end => return Heard::More,
        _ if transaction(bytes) != number => Odd::Transaction,
        _ if bytes[6] != asked.unit => Odd::Unit(bytes[6]),
        _ if bytes.len() > end => Odd::More,
        _ => match check(asked, &bytes[HEAD..end]) {
            Err(odd) => odd,
            Ok(()) => return Heard::Whole { from: 0, pdu: HEAD..end },
        },
    };
    Heard::Odd(odd)
}

/// The time is over: what were these bytes?
pub fn ended(bytes: &[u8]) -> Wrong {
    if bytes.is_empty() { Wrong::Silent } else { Wrong::NotAnAnswer(Odd::Length) }
}

#[cfg(test)]
mod tests {
    use super::super::{Request, Table};
    use super::*;

    const READ: Request = Request::Read { table: Table::Input, at: 0, count: 1 };
    const ASKED: Asked<'static> = Asked { unit: 3, request: &READ, pdu: &[4, 0, 0, 0, 1] };
    const PDU: [u8; 4] = [4, 2, 1, 2];

    fn odd(bytes: &[u8]) -> Odd {
        match heard(&ASKED, 9, bytes) {
            Heard::Odd(odd) => odd,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_found_however_it_is_cut() {
        let frame = framed(9, 3, &PDU);
        for end in 0..frame.len() {
            assert_eq!(heard(&ASKED, 9, &frame[..end]), Heard::More, "{end}");
        }
        assert_eq!(heard(&ASKED, 9, &frame), Heard::Whole { from: 0, pdu: 7..11 });
    }

    #[test]
    fn only_the_answer_to_this_request_is_one() {
        assert_eq!(odd(&framed(8, 3, &PDU)), Odd::Transaction);
        assert_eq!(odd(&framed(9, 4, &PDU)), Odd::Unit(4));
        assert_eq!(odd(&framed(9, 3, &[4, 4, 1, 2, 3, 4])), Odd::Quantity { asked: 1, came: 2 });
        assert_eq!(odd(&framed(9, 3, &[3, 2, 1, 2])), Odd::Function(3));
        assert_eq!(odd(&[framed(9, 3, &PDU), framed(10, 3, &PDU)].concat()), Odd::More);
        assert_eq!(odd(b"HTTP/1.1 400"), Odd::Protocol);
        assert_eq!(odd(&[0, 9, 0, 0, 255, 255, 3]), Odd::Protocol);
        assert_eq!(odd(&[0, 9, 0, 0, 0, 1, 3]), Odd::Protocol);
    }
}
