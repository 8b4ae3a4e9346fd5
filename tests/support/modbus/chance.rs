//! Faults by chance, from a seed, and the judge of what a client believed meanwhile: against the server's own record.

use std::time::Duration;

use super::{Asked, Fault};

/// The same seed gives the same faults.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }

    /// Whatever can go wrong and be noticed, of a client that waits for so long. Not an answer to something else whose
    /// frame is right in all: on RTU nobody can tell. Late answers are the most dangerous, so there are more of them.
    pub fn fault(&mut self, rtu: bool, patience: Duration) -> Fault {
        let bytes = self.below(6) as u16 + 1;
        match self.below(16) {
            0 => Fault::Mute,
            1 => Fault::Exception([4, 5, 6, 0x0b][self.below(4) as usize]),
            2 => Fault::Fewer(1),
            3 => Fault::wrong_unit(),
            4 => Fault::wrong_function(),
            5 if rtu => Fault::wrong_crc(),
            5 => Fault::wrong_transaction(),
            6 => Fault::Truncate(bytes),
            7 => Fault::Noise(self.bytes(bytes)),
            8 => Fault::Tail(self.bytes(bytes)),
            9 => Fault::Twice,
            10 => Fault::Split(bytes, patience / 4),
            11 => Fault::Cut(bytes),
            _ => Fault::Delay(patience + patience * self.below(8) as u32 / 4),
        }
    }

    fn bytes(&mut self, count: u16) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}

/// What a client takes for the truth, of registers that it asked for in this span of the record's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Believed {
    pub from: u64,
    pub to: u64,
    pub unit: u8,
    pub function: u8,
    pub address: u16,
    pub values: Vec<u16>,
}

/// Those that the server never held while it was asked. Registers that count show what is old, too.
pub fn wrong(believed: &[Believed], record: &[Asked]) -> Vec<Believed> {
    let is = |told: &Believed, asked: &Asked| {
        (told.from..=told.to).contains(&asked.at)
            && (told.unit, told.function, told.address) == (asked.unit, asked.function, asked.address)
            && told.values == asked.values
    };
    believed.iter().filter(|told| !record.iter().any(|asked| is(told, asked))).cloned().collect()
}
