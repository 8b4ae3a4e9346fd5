//! A frame in words, for people who look at a trace. It says what the bytes say, right or not.

use std::fmt::Write;

use super::{Exception, rtu, tcp};

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Out,
    In,
}

/// How PDUs are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    Rtu,
    Tcp,
}

/// Unit and PDU of a frame that is whole.
pub fn inside(frames: Frames, bytes: &[u8]) -> Option<(u8, &[u8])> {
    match frames {
        Frames::Rtu if rtu::is_frame(bytes) => Some((bytes[0], &bytes[1..bytes.len() - 2])),
        Frames::Rtu => None,
        Frames::Tcp => {
            let (head, pdu) = bytes.split_at_checked(tcp::HEAD)?;
            let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
            (head[2..4] == [0, 0] && length == pdu.len() + 1 && !pdu.is_empty()).then_some((head[6], pdu))
        }
    }
}

pub fn told(frames: Frames, way: Way, bytes: &[u8]) -> String {
    let Some((unit, pdu)) = inside(frames, bytes) else {
        return format!("{} bytes that are no frame", bytes.len());
    };
    let mut text = if unit == 0 && frames == Frames::Rtu { "all units: ".into() } else { format!("unit {unit}: ") };
    text += &said(way, pdu);
    text
}

/// The same of what is said to a unit or by it, without the frame.
pub fn said(way: Way, pdu: &[u8]) -> String {
    match (way, pdu) {
        (_, [function, code]) if function & 0x80 != 0 => {
            format!("{}: {}", name(function & 0x7f), Exception::of(*code))
        }
        (Way::Out, [function, rest @ ..]) => name(*function) + &asked(*function, rest),
        (Way::In, [function, rest @ ..]) => name(*function) + &answered(*function, rest),
        (_, []) => String::new(),
    }
}

fn name(function: u8) -> String {
    let name = match function {
        1 => "read coils",
        2 => "read discrete inputs",
        3 => "read holding registers",
        4 => "read input registers",
        5 => "write coil",
        6 => "write register",
        7 => "read exception status",
        8 => "diagnose",
        11 => "read event counter",
        12 => "read event log",
        15 => "write coils",
        16 => "write registers",
        17 => "report server id",
        20 => "read file record",
        21 => "write file record",
        22 => "mask register",
        23 => "read and write registers",
        24 => "read queue",
        43 => "identify",
        other => return format!("function {other}"),
    };
    name.into()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn asked(function: u8, rest: &[u8]) -> String {
    match (function, word(rest, 0), word(rest, 2)) {
        (1..=4 | 15 | 16, Some(at), Some(count)) => {
            let last = u32::from(at) + u32::from(count).max(1) - 1;
            format!(" {at} to {last}{}", bytes(rest.get(5..).unwrap_or_default()))
        }
        (5, Some(at), Some(0xff00)) => format!(" {at} on"),
        (5, Some(at), Some(0)) => format!(" {at} off"),
        (6, Some(at), Some(value)) => format!(" {at} = {value}"),
        _ => bytes(rest),
    }
}

fn answered(function: u8, rest: &[u8]) -> String {
    match (function, rest) {
        (3 | 4, [count, values @ ..]) if usize::from(*count) == values.len() && count % 2 == 0 => {
            values.chunks_exact(2).fold(String::from(" ="), |mut text, two| {
                let _ = write!(text, " {}", u16::from_be_bytes([two[0], two[1]]));
                text
            })
        }
        (5 | 6 | 15 | 16, _) => asked(function, rest) + ", done",
        _ => bytes(rest),
    }
}

/// ` 0a ff`.
pub fn bytes(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, " {byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_in_words() {
        let rtu = |way, unit, pdu: &[u8]| told(Frames::Rtu, way, &rtu::framed(unit, pdu));
        assert_eq!(rtu(Way::Out, 7, &[3, 0, 100, 0, 2]), "unit 7: read holding registers 100 to 101");
        assert_eq!(rtu(Way::In, 7, &[3, 4, 0, 1, 0, 2]), "unit 7: read holding registers = 1 2");
        assert_eq!(rtu(Way::Out, 0, &[5, 0, 1, 0xff, 0]), "all units: write coil 1 on");
        assert_eq!(rtu(Way::In, 7, &[6, 0, 1, 0, 9]), "unit 7: write register 1 = 9, done");
        assert_eq!(
            rtu(Way::In, 7, &[0x83, 2]),
            "unit 7: read holding registers: it has nothing at that address (exception 2)"
        );
        assert_eq!(told(Frames::Rtu, Way::In, &[7, 3, 0]), "3 bytes that are no frame");
        let tcp = tcp::framed(5, 1, &[0x41, 10, 255]);
        assert_eq!(told(Frames::Tcp, Way::In, &tcp), "unit 1: function 65 0a ff");
        assert_eq!(told(Frames::Tcp, Way::In, &tcp[..9]), "9 bytes that are no frame");
    }
}
