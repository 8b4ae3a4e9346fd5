//! Whether a PDU answers what was asked, and what it says.
//!
//! Invariant: [`check`] looks at every byte that the protocol fixes; what it lets pass has the length that the request
//! calls for.

use super::{Asked, Exception, Odd, Request};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Bits(Vec<bool>),
    Words(Vec<u16>),
    Written,
    /// To all: nobody answers, so nobody knows.
    Told,
    Identity(Identity),
    ServerId(Vec<u8>),
    Diagnosed(u16),
    /// What followed the number of the function.
    Raw(Vec<u8>),
}

/// One answer to function 43/14.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Identity {
    pub conformity: u8,
    /// More is there, from this object on.
    pub more: Option<u8>,
    pub objects: Vec<(u8, Vec<u8>)>,
}

/// How long a PDU is by what it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Bytes(usize),
    /// It cannot be said yet.
    More,
    /// It ends where the frame ends.
    Open,
}

const EXCEPTION: u8 = 0x80;

/// Head of an answer to 43/14: function, 14, level, conformity, more, next, number of objects.
const IDENTITY_HEAD: usize = 7;

pub fn extent(request: &Request, pdu: &[u8]) -> Extent {
    match (pdu.first(), request.plain()) {
        (None, _) => Extent::More,
        // Whatever was asked: the number of the function and the code.
        (Some(function), _) if function & EXCEPTION != 0 => Extent::Bytes(2),
        (_, Request::Raw { .. }) => Extent::Open,
        (_, Request::Read { .. } | Request::ServerId) => {
            pdu.get(1).map_or(Extent::More, |count| Extent::Bytes(2 + usize::from(*count)))
        }
        (_, Request::Identify { .. }) => identity_extent(pdu),
        (_, Request::MaskWrite { .. }) => Extent::Bytes(7),
        _ => Extent::Bytes(5),
    }
}

fn identity_extent(pdu: &[u8]) -> Extent {
    let Some(objects) = pdu.get(IDENTITY_HEAD - 1) else { return Extent::More };
    let mut end = IDENTITY_HEAD;
    for _ in 0..*objects {
        let Some(length) = pdu.get(end + 1) else { return Extent::More };
        end += 2 + usize::from(*length);
    }
    Extent::Bytes(end)
}

/// Whether this function, or its exception, answers that one.
pub fn answers(asked: u8, function: u8) -> bool {
    function & !EXCEPTION == asked
}

/// Of a PDU that came whole: what is odd about it, as an answer or as an exception.
pub fn check(asked: &Asked<'_>, pdu: &[u8]) -> Result<(), Odd> {
    let Some(&function) = pdu.first() else { return Err(Odd::Length) };
    if !answers(asked.request.function(), function) {
        return Err(Odd::Function(function));
    }
    match extent(asked.request, pdu) {
        Extent::Bytes(length) if length == pdu.len() => {}
        Extent::Open => {}
        _ => return Err(Odd::Length),
    }
    if function & EXCEPTION != 0 { Ok(()) } else { content(asked, pdu) }
}

fn content(asked: &Asked<'_>, pdu: &[u8]) -> Result<(), Odd> {
    let repeated = |to: usize| if pdu.get(..to) == asked.pdu.get(..to) { Ok(()) } else { Err(Odd::Echo) };
    match asked.request.plain() {
        Request::Read { table, count, .. } => {
            let (count, bytes) = (usize::from(*count), pdu.len() - 2);
            let (right, came) =
                if table.is_bits() { (bytes == count.div_ceil(8), bytes * 8) } else { (bytes == count * 2, bytes / 2) };
            if right { Ok(()) } else { Err(Odd::Quantity { asked: count, came }) }
        }
        Request::WriteCoil { .. } | Request::WriteRegister { .. } | Request::MaskWrite { .. } => repeated(pdu.len()),
        // Address and quantity.
        Request::WriteCoils { .. } | Request::WriteRegisters { .. } => repeated(5),
        // The number of the test; test 0 gives back the data, too.
        Request::Diagnose { sub: 0, .. } => repeated(5),
        Request::Diagnose { .. } => repeated(3),
        Request::Identify { level, object } => identity_content(*level, *object, pdu),
        Request::ServerId | Request::Raw { .. } | Request::Verbatim(_) => Ok(()),
    }
}

fn identity_content(level: u8, object: u8, pdu: &[u8]) -> Result<(), Odd> {
    let identity = identity(pdu);
    if pdu.get(1..3) != Some(&[14, level]) {
        return Err(Odd::Echo);
    }
    let only = level == 4;
    // Whoever was asked for one object must not tell of another. A stream may begin anew where it does not know the
    // object: the standard wants it so.
    if only && identity.objects.iter().any(|(id, _)| *id != object) {
        return Err(Odd::Echo);
    }
    Ok(())
}

fn identity(pdu: &[u8]) -> Identity {
    let head = |at: usize| pdu.get(at).copied().unwrap_or(0);
    let mut identity = Identity { conformity: head(3), ..Identity::default() };
    identity.more = (head(4) == 0xff).then(|| head(5));
    let mut rest = pdu.get(IDENTITY_HEAD..).unwrap_or_default();
    while let [id, length, after @ ..] = rest
        && let Some((value, after)) = after.split_at_checked(usize::from(*length))
    {
        identity.objects.push((*id, value.to_vec()));
        rest = after;
    }
    identity
}

/// What an answer says; `pdu` is one to this request, see [`Heard::Whole`](super::Heard).
pub fn read(request: &Request, pdu: &[u8]) -> Result<Answer, Exception> {
    let from = |at: usize| pdu.get(at..).unwrap_or_default();
    if pdu.first().is_some_and(|function| function & EXCEPTION != 0) {
        return Err(Exception::of(pdu.get(1).copied().unwrap_or(0)));
    }
    Ok(match request {
        Request::Read { table, count, .. } if table.is_bits() => Answer::Bits(bits(from(2), usize::from(*count))),
        Request::Read { .. } => Answer::Words(words(from(2))),
        Request::Identify { .. } => Answer::Identity(identity(pdu)),
        Request::ServerId => Answer::ServerId(from(2).to_vec()),
        Request::Diagnose { .. } => Answer::Diagnosed(words(from(3)).first().copied().unwrap_or(0)),
        Request::Raw { .. } | Request::Verbatim(_) => Answer::Raw(from(1).to_vec()),
        Request::WriteCoil { .. }
        | Request::WriteCoils { .. }
        | Request::WriteRegister { .. }
        | Request::WriteRegisters { .. }
        | Request::MaskWrite { .. } => Answer::Written,
    })
}

fn words(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|two| u16::from_be_bytes(*two)).collect()
}

/// The first one is the lowest bit of the first byte.
fn bits(bytes: &[u8], count: usize) -> Vec<bool> {
    bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    fn odd(request: &Request, asked: &[u8], pdu: &[u8]) -> Option<Odd> {
        check(&Asked { unit: 1, request, pdu: asked }, pdu).err()
    }

    #[test]
    fn a_short_or_a_long_answer_is_none() {
        let read = Request::Read { table: Table::Holding, at: 0, count: 2 };
        let asked = [3, 0, 0, 0, 2];
        assert_eq!(odd(&read, &asked, &[3, 4, 1, 2, 3, 4]), None);
        assert_eq!(odd(&read, &asked, &[3, 2, 1, 2]), Some(Odd::Quantity { asked: 2, came: 1 }));
        assert_eq!(odd(&read, &asked, &[3, 6, 1, 2, 3, 4, 5, 6]), Some(Odd::Quantity { asked: 2, came: 3 }));
        assert_eq!(odd(&read, &asked, &[3, 4, 1, 2, 3]), Some(Odd::Length));
        assert_eq!(odd(&read, &asked, &[3, 4, 1, 2, 3, 4, 5]), Some(Odd::Length));
        assert_eq!(odd(&read, &asked, &[4, 4, 1, 2, 3, 4]), Some(Odd::Function(4)));
        assert_eq!(odd(&read, &asked, &[]), Some(Odd::Length));
        let bits = Request::Read { table: Table::Coil, at: 0, count: 9 };
        assert_eq!(odd(&bits, &[1, 0, 0, 0, 9], &[1, 2, 0xff, 1]), None);
        assert!(odd(&bits, &[1, 0, 0, 0, 9], &[1, 1, 0xff]).is_some());
    }

    #[test]
    fn a_write_is_done_only_where_its_own_address_and_value_come_back() {
        let one = Request::WriteRegister { at: 7, value: 9 };
        assert_eq!(odd(&one, &[6, 0, 7, 0, 9], &[6, 0, 7, 0, 9]), None);
        assert_eq!(odd(&one, &[6, 0, 7, 0, 9], &[6, 0, 8, 0, 9]), Some(Odd::Echo));
        assert_eq!(odd(&one, &[6, 0, 7, 0, 9], &[6, 0, 7, 0, 8]), Some(Odd::Echo));
        let many = Request::WriteRegisters { at: 7, values: vec![1, 2] };
        let asked = [16, 0, 7, 0, 2, 4, 0, 1, 0, 2];
        assert_eq!(odd(&many, &asked, &[16, 0, 7, 0, 2]), None);
        assert_eq!(odd(&many, &asked, &[16, 0, 7, 0, 1]), Some(Odd::Echo));
        let mask = Request::MaskWrite { at: 4, and: 0xf2, or: 0x25 };
        let asked = [22, 0, 4, 0, 0xf2, 0, 0x25];
        assert_eq!(odd(&mask, &asked, &asked), None);
        assert_eq!(odd(&mask, &asked, &[22, 0, 4, 0, 0xf2, 0, 0x24]), Some(Odd::Echo));
        let test = Request::Diagnose { sub: 0, data: 0xa537 };
        assert_eq!(odd(&test, &[8, 0, 0, 0xa5, 0x37], &[8, 0, 0, 0xa5, 0x37]), None);
        assert_eq!(odd(&test, &[8, 0, 0, 0xa5, 0x37], &[8, 0, 0, 0xa5, 0x38]), Some(Odd::Echo));
    }

    #[test]
    fn an_exception_is_told_by_its_name_and_only_to_its_function() {
        let read = Request::Read { table: Table::Input, at: 0, count: 2 };
        let asked = [4, 0, 0, 0, 2];
        assert_eq!(odd(&read, &asked, &[0x84, 11]), None);
        assert_eq!(super::read(&read, &[0x84, 11]), Err(Exception::NoAnswer));
        assert_eq!(odd(&read, &asked, &[0x83, 11]), Some(Odd::Function(0x83)));
        assert_eq!(odd(&read, &asked, &[0x84, 11, 0]), Some(Odd::Length));
    }

    #[test]
    fn bits_and_words_are_read_in_the_order_of_the_standard() {
        let bits = Request::Read { table: Table::Coil, at: 19, count: 10 };
        let on = |places: &[usize]| (0..10).map(|at| places.contains(&at)).collect::<Vec<bool>>();
        assert_eq!(read(&bits, &[1, 2, 0b1100_1101, 0b1111_1101]), Ok(Answer::Bits(on(&[0, 2, 3, 6, 7, 8]))));
        let words = Request::Read { table: Table::Holding, at: 107, count: 3 };
        assert_eq!(read(&words, &[3, 6, 2, 43, 0, 0, 0, 100]), Ok(Answer::Words(vec![555, 0, 100])));
        assert_eq!(read(&Request::Diagnose { sub: 12, data: 0 }, &[8, 0, 12, 1, 2]), Ok(Answer::Diagnosed(258)));
        assert_eq!(read(&Request::WriteCoil { at: 1, on: true }, &[5, 0, 1, 0xff, 0]), Ok(Answer::Written));
    }

    /// The example of the standard (Application Protocol V1.1b3, 6.21).
    #[test]
    fn an_identification_is_read_object_by_object() {
        let mut pdu = vec![43, 14, 1, 1, 0xff, 2, 2];
        for (id, text) in [(0u8, "Company identification"), (1, "Product code XX")] {
            pdu.extend([id, u8::try_from(text.len()).unwrap()]);
            pdu.extend(text.bytes());
        }
        let request = Request::Identify { level: 1, object: 0 };
        assert_eq!(odd(&request, &[43, 14, 1, 0], &pdu), None);
        let Ok(Answer::Identity(identity)) = read(&request, &pdu) else { panic!() };
        assert_eq!((identity.conformity, identity.more, identity.objects.len()), (1, Some(2), 2));
        assert_eq!(identity.objects[1], (1, b"Product code XX".to_vec()));
        for end in 0..pdu.len() {
            assert!(odd(&request, &[43, 14, 1, 0], &pdu[..end]).is_some(), "cut at {end}");
        }
        let single = Request::Identify { level: 4, object: 0 };
        pdu[2] = 4;
        assert_eq!(odd(&single, &[43, 14, 4, 0], &pdu), Some(Odd::Echo));
    }
}
