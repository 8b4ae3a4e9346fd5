//! What goes wrong with an answer, in the words of `tests/modbus/server/fault.c`.

use std::fmt;
use std::time::Duration;

/// Which answers: of a unit, of addresses, how many of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct On {
    unit: Option<u8>,
    addresses: Option<(u16, u16)>,
    times: Option<u32>,
}

impl On {
    pub fn all() -> On {
        On::default()
    }

    pub fn unit(self, unit: u8) -> On {
        On { unit: Some(unit), ..self }
    }

    /// That touch one of these addresses, the last one included.
    pub fn at(self, from: u16, to: u16) -> On {
        On { addresses: Some((from, to)), ..self }
    }

    pub fn times(self, times: u32) -> On {
        On { times: Some(times), ..self }
    }

    pub fn once(self) -> On {
        self.times(1)
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_any = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        let addresses = self.addresses.map_or("*".to_owned(), |(from, to)| format!("{from}-{to}"));
        write!(f, "{} {addresses} {}", or_any(self.unit.map(u32::from)), or_any(self.times))
    }
}

#[derive(Clone, Debug)]
pub enum Fault {
    Mute,
    /// Instead of the answer.
    Exception(u8),
    /// That exception where more than so many are asked for.
    Most(u16, u8),
    /// The answer before this one, as it was.
    Stale,
    /// So many registers, or eight bits each, less in a frame that is right otherwise.
    Fewer(u8),
    /// A byte changed, counted from the unit on; the frame is right otherwise.
    Xor(u16, u8),
    /// A byte of the whole frame changed and nothing mended; from the end where the place is negative.
    Break(i16, u8),
    /// Without its last bytes.
    Truncate(u16),
    /// In front of it.
    Noise(Vec<u8>),
    /// Behind it.
    Tail(Vec<u8>),
    /// The same again, in one piece.
    Twice,
    /// Kept, and sent in front of the next answer, in one piece.
    Glue,
    /// A pause after so many bytes.
    Split(u16, Duration),
    /// The connection is closed after so many bytes.
    Cut(u16),
    /// Others are answered meanwhile; the unit itself does one after the other.
    Delay(Duration),
}

impl Fault {
    pub fn wrong_crc() -> Fault {
        Fault::Break(-1, 0x55)
    }

    pub fn wrong_unit() -> Fault {
        Fault::Xor(0, 0x40)
    }

    pub fn wrong_function() -> Fault {
        Fault::Xor(1, 0x07)
    }

    /// On TCP.
    pub fn wrong_transaction() -> Fault {
        Fault::Break(1, 0x80)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Fault::Mute => write!(f, "mute"),
            Fault::Exception(code) => write!(f, "exception {code}"),
            Fault::Most(count, code) => write!(f, "most {count} {code}"),
            Fault::Stale => write!(f, "stale"),
            Fault::Fewer(count) => write!(f, "fewer {count}"),
            Fault::Xor(at, mask) => write!(f, "xor {at} {mask}"),
            Fault::Break(at, mask) => write!(f, "break {at} {mask}"),
            Fault::Truncate(bytes) => write!(f, "truncate {bytes}"),
            Fault::Noise(bytes) => write!(f, "noise {}", hex(bytes)),
            Fault::Tail(bytes) => write!(f, "tail {}", hex(bytes)),
            Fault::Twice => write!(f, "twice"),
            Fault::Glue => write!(f, "glue"),
            Fault::Split(at, pause) => write!(f, "split {at} {}", pause.as_millis()),
            Fault::Cut(at) => write!(f, "cut {at}"),
            Fault::Delay(span) => write!(f, "delay {}", span.as_millis()),
        }
    }
}
