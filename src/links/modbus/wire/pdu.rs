//! A request that somebody gives as bytes, without unit and checksum.

use super::{Bad, MOST_PDU, Request};
use crate::profile::modbus::Table;

/// As the protocol has it where the bytes are one of its requests, and so checked in all; else raw, as they are. The answer
/// comes as it came.
pub fn request_of(pdu: &[u8]) -> Result<Request, Bad> {
    let (function, data) = match pdu {
        [] => return Err(Bad::Function(0)),
        longer if longer.len() > MOST_PDU => return Err(Bad::Data(longer.len() - 1)),
        [function, data @ ..] => (*function, data),
    };
    match typed(function, data).filter(|typed| typed.check().is_ok()) {
        Some(typed) => Ok(Request::Verbatim(Box::new(typed))),
        None => {
            let raw = Request::Raw { function, data: data.to_vec() };
            raw.check().map(|()| raw)
        }
    }
}

fn typed(function: u8, data: &[u8]) -> Option<Request> {
    let word = |two: &[u8]| u16::from_be_bytes([two[0], two[1]]);
    let words = |bytes: &[u8]| bytes.chunks_exact(2).map(word).collect();
    let read = |table, at, count| Request::Read { table, at: word(at), count: word(count) };
    Some(match (function, data) {
        (1..=4, [a, b, c, d]) => {
            let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input][usize::from(function) - 1];
            read(table, &[*a, *b], &[*c, *d])
        }
        (5, [a, b, on @ (0 | 0xff), 0]) => Request::WriteCoil { at: word(&[*a, *b]), on: *on != 0 },
        (6, [a, b, c, d]) => Request::WriteRegister { at: word(&[*a, *b]), value: word(&[*c, *d]) },
        (8, [a, b, c, d]) => Request::Diagnose { sub: word(&[*a, *b]), data: word(&[*c, *d]) },
        (15, [a, b, c, d, bytes, rest @ ..]) if usize::from(*bytes) == rest.len() => {
            Request::WriteCoils { at: word(&[*a, *b]), on: bits(usize::from(word(&[*c, *d])), rest)? }
        }
        (16, [a, b, c, d, bytes, rest @ ..])
            if usize::from(*bytes) == rest.len() && usize::from(word(&[*c, *d])) * 2 == rest.len() =>
        {
            Request::WriteRegisters { at: word(&[*a, *b]), values: words(rest) }
        }
        (17, []) => Request::ServerId,
        (22, [a, b, c, d, e, f]) => {
            Request::MaskWrite { at: word(&[*a, *b]), and: word(&[*c, *d]), or: word(&[*e, *f]) }
        }
        (43, [14, level, object]) => Request::Identify { level: *level, object: *object },
        _ => return None,
    })
}

/// None: other than so many, or the rest of the last byte is not empty, so that they would not go out as they came.
fn bits(count: usize, bytes: &[u8]) -> Option<Vec<bool>> {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
    let right = bytes.len() == count.div_ceil(8) && !(count..bytes.len() * 8).any(bit);
    right.then(|| (0..count).map(bit).collect())
}

/// The bytes of a request: the way back.
pub fn pdu_of(request: &Request) -> Vec<u8> {
    let mut pdu = vec![request.function()];
    let put = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    match request.plain() {
        Request::Read { at, count, .. } => pdu.extend(put(&[*at, *count])),
        Request::WriteCoil { at, on } => pdu.extend(put(&[*at, if *on { 0xff00 } else { 0 }])),
        Request::WriteRegister { at, value } => pdu.extend(put(&[*at, *value])),
        Request::WriteCoils { at, on } => {
            let byte = |eight: &[bool]| eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
            let bytes: Vec<u8> = on.chunks(8).map(byte).collect();
            pdu.extend(put(&[*at, on.len() as u16]));
            pdu.push(bytes.len() as u8);
            pdu.extend(bytes);
        }
        Request::WriteRegisters { at, values } => {
            pdu.extend(put(&[*at, values.len() as u16]));
            pdu.push((values.len() * 2) as u8);
            pdu.extend(put(values));
        }
        Request::MaskWrite { at, and, or } => pdu.extend(put(&[*at, *and, *or])),
        Request::Identify { level, object } => pdu.extend([14, *level, *object]),
        Request::Diagnose { sub, data } => pdu.extend(put(&[*sub, *data])),
        Request::Raw { data, .. } => pdu.extend(data),
        Request::ServerId | Request::Verbatim(_) => {}
    }
    pdu
}

/// `0a ff`.
pub fn hex(bytes: &[u8]) -> String {
    super::told::bytes(bytes).trim_start().to_owned()
}

/// Bytes as people and programs write them: two digits each, with spaces between them or without.
pub fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().filter(|c| *c != ' ').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    whole.then(|| pairs.map(|two| (two[0] << 4 | two[1]) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(pdu: &[u8]) -> Request {
        match request_of(pdu) {
            Ok(Request::Verbatim(inside)) => *inside,
            other => panic!("{other:?}"),
        }
    }

    /// The examples of the standard (Application Protocol V1.1b3).
    #[test]
    fn requests_of_the_standard_are_known_as_what_they_are() {
        let read = |table, at, count| Request::Read { table, at, count };
        assert_eq!(inside(&[1, 0, 0x13, 0, 0x13]), read(Table::Coil, 0x13, 0x13));
        assert_eq!(inside(&[2, 0, 0xc4, 0, 0x16]), read(Table::Discrete, 0xc4, 0x16));
        assert_eq!(inside(&[3, 0, 0x6b, 0, 3]), read(Table::Holding, 0x6b, 3));
        assert_eq!(inside(&[4, 0, 8, 0, 1]), read(Table::Input, 8, 1));
        assert_eq!(inside(&[5, 0, 0xac, 0xff, 0]), Request::WriteCoil { at: 0xac, on: true });
        assert_eq!(inside(&[6, 0, 1, 0, 3]), Request::WriteRegister { at: 1, value: 3 });
        assert_eq!(inside(&[8, 0, 0, 0xa5, 0x37]), Request::Diagnose { sub: 0, data: 0xa537 });
        let on = [true, false, true, true, false, false, true, true, true, false].to_vec();
        assert_eq!(inside(&[15, 0, 0x13, 0, 0x0a, 2, 0xcd, 1]), Request::WriteCoils { at: 0x13, on });
        let values = vec![0x0a, 0x102];
        assert_eq!(inside(&[16, 0, 1, 0, 2, 4, 0, 0x0a, 1, 2]), Request::WriteRegisters { at: 1, values });
        assert_eq!(inside(&[22, 0, 4, 0, 0xf2, 0, 0x25]), Request::MaskWrite { at: 4, and: 0xf2, or: 0x25 });
        assert_eq!(
            (inside(&[17]), inside(&[43, 14, 1, 0])),
            (Request::ServerId, Request::Identify { level: 1, object: 0 })
        );
    }

    #[test]
    fn each_request_comes_back_from_its_bytes() {
        let read = |table, at, count| Request::Read { table, at, count };
        for request in [
            read(Table::Coil, 7, 2_000),
            read(Table::Input, 65_535, 1),
            Request::WriteCoil { at: 1, on: false },
            Request::WriteCoils { at: 2, on: (0..19).map(|bit| bit % 3 == 0).collect() },
            Request::WriteRegister { at: 9, value: 65_535 },
            Request::WriteRegisters { at: 1, values: vec![1, 2, 3] },
            Request::MaskWrite { at: 4, and: 1, or: 2 },
            Request::Identify { level: 4, object: 128 },
            Request::Diagnose { sub: 10, data: 0 },
            Request::ServerId,
        ] {
            let pdu = pdu_of(&request);
            assert_eq!(pdu.len(), request.length(), "{request:?}");
            assert_eq!(inside(&pdu), request);
            let again = request_of(&pdu).unwrap();
            assert_eq!((pdu_of(&again), again.only_reads()), (pdu, request.only_reads()));
        }
        assert_eq!(pdu_of(&request_of(&[65, 1]).unwrap()), [65, 1]);
    }

    #[test]
    fn what_is_no_such_request_goes_out_as_it_is_and_may_write() {
        for odd in [
            &[3, 0, 0, 0, 126][..],
            &[3, 0, 0, 0],
            &[3, 0, 0, 0, 1, 9],
            &[5, 0, 1, 1, 0],
            &[15, 0, 0, 0, 3, 1, 0xff],
            &[16, 0, 0, 0, 2, 4, 1],
            &[43, 13, 0],
            &[65],
        ] {
            let Ok(Request::Raw { function, data }) = request_of(odd) else { panic!("{odd:?}") };
            assert_eq!([&[function], &data[..]].concat(), odd);
            assert!(!request_of(odd).unwrap().only_reads(), "{odd:?}");
        }
        assert!(request_of(&[]).is_err() && request_of(&[0]).is_err() && request_of(&[0x83, 2]).is_err());
        assert!(request_of(&[65; MOST_PDU]).is_ok() && request_of(&[65; MOST_PDU + 1]).is_err());
    }

    #[test]
    fn bytes_are_read_as_people_write_them() {
        assert_eq!(of_hex("03 00 64 00 02"), Some(vec![3, 0, 100, 0, 2]));
        assert_eq!(of_hex("0300640002"), of_hex("03 00 64 00 02"));
        assert_eq!((of_hex("030"), of_hex("0g"), of_hex("é0")), (None, None, None));
        assert_eq!(hex(&[3, 0xff]), "03 ff");
    }
}
