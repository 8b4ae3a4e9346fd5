//! The bodies for what Modbus devices answer: frames, and the answers in them.

use dmgw::links::modbus::wire::told::{self, Frames};
use dmgw::links::modbus::wire::{Answer, Asked, Exception, Heard, Request, answer, pdu_of, request_of, rtu, tcp};
use dmgw::profile::modbus::Table;

/// The transaction of every request here.
const TRANSACTION: u16 = 0x0102;

pub fn modbus_rtu(bytes: &[u8]) -> bool {
    modbus(bytes, Frames::Rtu, rtu::heard)
}

fn read_as_asked(request: &Request, read: Result<Answer, Exception>) {
    match (request, read) {
        (Request::Read { count, .. }, Ok(Answer::Bits(bits))) => assert_eq!(bits.len(), usize::from(*count)),
        (Request::Read { count, .. }, Ok(Answer::Words(words))) => assert_eq!(words.len(), usize::from(*count)),
        (Request::Read { .. }, Ok(other)) => panic!("{other:?}"),
        _ => {}
    }
}

pub fn modbus_tcp(bytes: &[u8]) -> bool {
    modbus(bytes, Frames::Tcp, |asked, bytes| tcp::heard(asked, TRANSACTION, bytes))
}

/// A request that somebody gives as bytes goes out as it was given.
pub fn modbus_pdu(bytes: &[u8]) -> bool {
    let Ok(request) = request_of(bytes) else { return false };
    assert_eq!(pdu_of(&request), bytes);
    assert_eq!((request.check(), request.length()), (Ok(()), bytes.len()));
    assert!(!told::said(told::Way::Out, bytes).is_empty());
    true
}

/// Unit, function, address and a number say what was asked; the rest is what came. A whole answer ends where the bytes
/// end, is a frame, and passes the check once more; one byte less or more is none.
fn modbus(bytes: &[u8], frames: Frames, heard: fn(&Asked<'_>, &[u8]) -> Heard) -> bool {
    let Some(([unit, function, high, low, number], came)) = bytes.split_first_chunk::<5>() else { return false };
    let (request, pdu) = modbus_request(*function, u16::from_be_bytes([*high, *low]), *number);
    let asked = Asked { unit: *unit, request: &request, pdu: &pdu };
    told::told(frames, told::Way::In, came);
    rtu::ended(&asked, came);
    let Heard::Whole { from, pdu } = heard(&asked, came) else { return false };
    assert_eq!(told::inside(frames, &came[from..]), Some((*unit, &came[pdu.clone()])));
    assert_eq!(answer::check(&asked, &came[pdu.clone()]), Ok(()));
    read_as_asked(&request, answer::read(&request, &came[pdu]));
    if !matches!(request, Request::Raw { .. }) {
        assert!(!matches!(heard(&asked, &came[..came.len() - 1]), Heard::Whole { .. }));
        assert!(!matches!(heard(&asked, &[came, &[0]].concat()), Heard::Whole { .. }));
    }
    true
}

/// And its bytes, as a master writes them.
fn modbus_request(function: u8, at: u16, number: u8) -> (Request, Vec<u8>) {
    let read = |table| Request::Read { table, at, count: u16::from(number) };
    let word = u16::from(number);
    let values = vec![0; usize::from(number)];
    let pair = |two: u16| [at.to_be_bytes(), two.to_be_bytes()].concat();
    let (request, rest) = match function {
        1 => (read(Table::Coil), pair(word)),
        2 => (read(Table::Discrete), pair(word)),
        3 => (read(Table::Holding), pair(word)),
        4 => (read(Table::Input), pair(word)),
        5 => (Request::WriteCoil { at, on: number > 0 }, pair(if number > 0 { 0xff00 } else { 0 })),
        6 => (Request::WriteRegister { at, value: word }, pair(word)),
        8 => (Request::Diagnose { sub: at, data: 0xa537 }, pair(0xa537)),
        16 => (Request::WriteRegisters { at, values }, pair(word)),
        17 => (Request::ServerId, Vec::new()),
        22 => {
            (Request::MaskWrite { at, and: 0xf2, or: word }, [at.to_be_bytes(), [0, 0xf2], word.to_be_bytes()].concat())
        }
        43 => (Request::Identify { level: number, object: 0 }, vec![14, number, 0]),
        function => (Request::Raw { function: function & 0x7f, data: Vec::new() }, Vec::new()),
    };
    let pdu = [&[request.function()], &rest[..]].concat();
    (request, pdu)
}
