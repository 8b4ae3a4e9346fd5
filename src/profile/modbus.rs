//! What a profile says of Modbus: which registers make a point, what is written for an operation, how such a device
//! wants to be spoken to.
//!
//! [`words`] are the words that stand in the rows, [`spot`] is a row with all that the profile says of every row filled
//! in: what a driver reads and writes, and no other. [`given`] is what a device gives by its registers, before its profile
//! makes something of it. Invariant: of a profile that passed the checks every row has its spot.

pub mod clock;
pub mod form;
pub mod given;
pub mod spot;
pub mod words;

pub use form::Form;
pub use given::capabilities_of;
pub use spot::Spot;
pub use words::{Bits, Order, Range, Table, Way};

use crate::document::Placed;
use crate::model::{Name, PointPath, TextPattern, Value};
use crate::section;
use crate::units::Span;

/// Registers of one request: what the protocol allows.
pub const MOST_REGISTERS: u16 = 125;
/// Registers of one request that writes.
pub const MOST_WRITTEN: u16 = 123;
/// Coils or discrete inputs of one request.
pub const MOST_BITS: u16 = 2_000;
/// Steps of one operation.
pub const MOST_STEPS: usize = 32;
/// Forbidden ranges of one table.
pub const MOST_FORBIDDEN: usize = 256;
/// Registers by which a device is recognised.
pub const MOST_PROBES: usize = 8;
/// Registers that are read over rather than asked for in two requests: to ask once more costs about as much time.
pub const GAP: u16 = 50;

section! {
    /// How such a device is spoken to over Modbus, and what holds for all of its registers.
    pub struct Speaks {
        /// How its document counts: 0 where it gives addresses as they stand in a request (from 0, often in hex), 1 where it
        /// numbers its registers from 1. Numbers like 30001 or 40108 count from 1, and their first digit names the table:
        /// 40108 is holding = 108. All numbers of the profile are meant so.
        base: u16 = 0, from 0, to 1;
        /// How bytes and registers follow each other in numbers of several registers, where a point does not say otherwise:
        /// "abcd" (the highest first, as the protocol says), "cdab" (the lower register first), "badc" (the bytes of each
        /// register turned) or "dcba" (both).
        order: Order = Order::BIG;
        /// It gives no more at once.
        most_registers: u16 = MOST_REGISTERS, from 1, to MOST_REGISTERS;
        most_bits: u16 = MOST_BITS, from 1, to MOST_BITS;
        /// Registers between two points that are read over, so that both come with one request; of coils and discrete inputs
        /// sixteen times as many. 0: only what lies side by side is read at once.
        gap: u16 = GAP, from 0, to MOST_REGISTERS - 1;
        /// What is never read nor written, not even to get from one point to the next.
        forbid: Forbidden = Forbidden::default() => within Forbidden, like "{ holding = [\"100-199\", \"230\"] }";
        /// It wants to be left alone for so long between an answer and the next request.
        pause: Span = Span::millis(0), from Span::millis(0), to Span::secs(10);
        /// How what is written goes out, where a point does not say otherwise: single, multiple or mask.
        write: Option<Way> = None, like "\"multiple\"";
        /// What only such a device shows there: it is looked for so, before anybody has said what it is. All of them hold.
        probe: Vec<Probe> = Vec::new() => either Probe, like "{ holding = 11, equals = 1648 }";
        /// Where its serial number stands, and the version of its firmware.
        serial: Option<Box<Register>> = None => maybe Box<Register>, like "{ holding = 0x5000, type = \"text\", length = 7 }";
        firmware: Option<Box<Register>> = None => maybe Box<Register>, like "{ holding = 0x0303 }";
    }
}

section! {
    /// Ranges of registers, by table.
    pub struct Forbidden {
        /// Numbers from the first to the last, or one number; of each table by itself.
        coil: Vec<Placed<Range>> = Vec::new();
        discrete: Vec<Placed<Range>> = Vec::new();
        input: Vec<Placed<Range>> = Vec::new();
        holding: Vec<Placed<Range>> = Vec::new(), like "[\"100-199\", \"230\"]";
    }
}

section! {
    /// The registers of one point: exactly one of coil, discrete, input and holding, and the number of the first. Coils
    /// and holding registers can be written, where the access of the point says so.
    pub struct Register {
        /// A single bit that can be read and written (functions 1, 5 and 15).
        coil: Option<Placed<u16>> = None, like "0";
        /// A single bit that can only be read (function 2).
        discrete: Option<Placed<u16>> = None, like "0";
        /// Registers of 16 bits that can only be read (function 4).
        input: Option<Placed<u16>> = None, like "0x0034";
        /// Registers of 16 bits that can be read and written (functions 3, 6, 16 and 22).
        holding: Option<Placed<u16>> = None, like "100";
        /// u16, i16, u32, i32, u64, i64, f32, f64; one half of a register: u8-high, u8-low, i8-high, i8-low; decimal digits:
        /// bcd16, bcd32; text, bytes; times in UTC: unix32 (seconds since 1970), unix64-ms (milliseconds), cp56 (four
        /// registers of IEC 60870-5-4), ymd-hms (year, month, day, hour, minute, second: a register each), ymd-hms-bytes (a
        /// byte each, the year from 2000) and ymd-hms-bcd (two decimal digits each). A fixed point is a whole number with a
        /// scale. Without it: u16.
        r#type: Option<Placed<Form>> = None, like "\"f32\"";
        /// Only these bits of a whole number, the lowest is 0: one is true or false, several are a number.
        bits: Option<Placed<Bits>> = None, like "\"4-7\"";
        /// Registers of a text or of bytes.
        length: Option<Placed<u16>> = None, like "8";
        /// Where it is another than that of the profile: "ab" or "ba" of one register, of texts and bytes; "abcd", "cdab",
        /// "badc" or "dcba" of more; with eight letters of 64 bits any order of halves, registers and bytes.
        order: Option<Placed<Order>> = None, like "\"cdab\"";
        /// How it is written, where the device insists: single (functions 5 and 6), multiple (15 and 16) or mask (22, for
        /// bits and halves). Without it: single where it is one register, else multiple. Bits and halves are read first and
        /// written with what stands beside them; who else writes there in between is overwritten, unless it is by mask.
        write: Option<Placed<Way>> = None, like "\"multiple\"";
        /// What was written is read again, and only what reads the same was written.
        read_back: Option<Placed<bool>> = None, like "true";
    }
}

section! {
    /// What is looked at to recognise a device: one register, and what stands in it. Exactly one of coil, discrete, input
    /// and holding.
    pub struct Probe {
        /// The number of the register, in the table where it stands.
        coil: Option<Placed<u16>> = None, like "0";
        discrete: Option<Placed<u16>> = None, like "0";
        input: Option<Placed<u16>> = None, like "11";
        holding: Option<Placed<u16>> = None, like "11";
        /// As of a point.
        r#type: Option<Placed<Form>> = None, like "\"text\"";
        length: Option<Placed<u16>> = None, like "8";
        order: Option<Placed<Order>> = None, like "\"cdab\"";
        /// Exactly this value, or a text that is like this (* stands for any text), or a number from one to the other.
        equals: Option<Placed<Value>> = None, like "1648";
        like: Option<Placed<TextPattern>> = None, like "\"iEM3155*\"";
        from: Option<Placed<f64>> = None, like "1";
        to: Option<Placed<f64>> = None, like "247";
    }
}

section! {
    /// One step of an operation. It writes a register, or a point as people mean it, or it reads points.
    pub struct Step {
        /// Where an operation takes something, what this step is for: a part to restart, activate or deactivate (relay, or
        /// relay/1), a mode of power-mode, a setting of connectivity-set. Steps for other parts, modes and settings are left
        /// out; without any for what is asked it is not supported.
        r#for: Option<Placed<String>> = None, like "\"relay/1\"";
        /// What is written to this coil, or to these registers from this one on.
        coil: Option<Placed<u16>> = None, like "0";
        holding: Option<Placed<u16>> = None, like "400";
        r#type: Option<Placed<Form>> = None, like "\"u32\"";
        order: Option<Placed<Order>> = None, like "\"cdab\"";
        /// The value, or one number a register. To set the clock, year, month, day, hour, minute, second and weekday (from 1
        /// on Monday) stand for what it is in UTC, and a type that is a time needs no value.
        value: Option<Placed<Value>> = None, like "1";
        /// This point is written; without a value it is the one that was asked for.
        point: Option<Placed<PointPath>> = None, like "\"relay.1.on\"";
        /// These points are read, and told in the answer.
        read: Vec<Placed<PointPath>> = Vec::new(), like "[\"device.self-test\"]";
        write: Option<Placed<Way>> = None, like "\"multiple\"";
        /// It waits so long before the next step.
        pause: Span = Span::millis(0), from Span::millis(0), to Span::secs(60);
    }
}

/// Which table a row names, and the number there as its document counts.
pub type Named = (Table, Placed<u16>);

impl Register {
    /// All that it names; the checks let exactly one through.
    pub fn named(&self) -> impl Iterator<Item = Named> + '_ {
        named([self.coil, self.discrete, self.input, self.holding])
    }
}

impl Register {
    /// What stands there says yes or no, or is a number.
    pub fn tells_true(&self) -> bool {
        self.r#type.is_none_or(|form| form.value.kind().tells_true())
    }
}

impl Probe {
    pub fn named(&self) -> impl Iterator<Item = Named> + '_ {
        named([self.coil, self.discrete, self.input, self.holding])
    }

    /// As a point would say it.
    pub fn register(&self) -> Register {
        let Probe { coil, discrete, input, holding, r#type, length, order, .. } = *self;
        Register { coil, discrete, input, holding, r#type, length, order, ..Register::default() }
    }

    pub fn holds(&self, value: &Value) -> bool {
        let equals = |wanted: &Placed<Value>| {
            let number = value.number().zip(wanted.value.number()).is_some_and(|(one, other)| one == other);
            number || value.is_like(&wanted.value)
        };
        let like = |pattern: &Placed<TextPattern>| matches!(value, Value::Text(text) if pattern.value.fits(text));
        let above = |from: &Placed<f64>| value.number().is_some_and(|x| x >= from.value);
        let below = |to: &Placed<f64>| value.number().is_some_and(|x| x <= to.value);
        self.equals.iter().all(equals)
            && self.like.iter().all(like)
            && self.from.iter().all(above)
            && self.to.iter().all(below)
    }
}

impl Step {
    pub fn named(&self) -> impl Iterator<Item = Named> + '_ {
        named([self.coil, None, None, self.holding])
    }

    /// As a point would say it.
    pub fn register(&self) -> Register {
        let Step { coil, holding, r#type, order, write, .. } = *self;
        Register { coil, holding, r#type, order, write, ..Register::default() }
    }

    /// Whether it is to be done when this is asked: the part, mode or setting, by its name.
    pub fn is_for(&self, asked: Option<&Name>) -> bool {
        self.r#for.as_ref().map(|of| of.value.as_str()) == asked.map(Name::as_str)
    }
}

impl Forbidden {
    pub fn of(&self, table: Table) -> &[Placed<Range>] {
        match table {
            Table::Coil => &self.coil,
            Table::Discrete => &self.discrete,
            Table::Input => &self.input,
            Table::Holding => &self.holding,
        }
    }
}

fn named(given: [Option<Placed<u16>>; 4]) -> impl Iterator<Item = Named> {
    Table::ALL.into_iter().zip(given).filter_map(|(table, at)| Some((table, at?)))
}
