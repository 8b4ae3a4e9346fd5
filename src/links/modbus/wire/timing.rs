//! How long things take on a serial line.

use std::time::Duration;

use super::Request;
use super::rtu::AROUND;

/// Above this rate the standard fixes the silence between frames.
const FAST: u32 = 19_200;
const FAST_SILENCE: Duration = Duration::from_micros(1_750);

/// What a character takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub baud: u32,
    /// Start, data, parity and stop: 10 or 11, seldom 12.
    pub bits: u8,
}

impl Pace {
    pub fn of(self, characters: usize) -> Duration {
        let bits = u64::from(self.bits) * u64::try_from(characters).unwrap_or(u64::MAX).min(1 << 20);
        Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.baud.max(1)))
    }

    /// Three and a half characters: shorter, and two frames are one.
    pub fn silence(self) -> Duration {
        if self.baud > FAST { FAST_SILENCE } else { self.of(7) / 2 }
    }

    /// From the first byte of a request to the last of its answer, where the unit takes all the time that it has.
    pub fn answered_within(self, request: &Request, unit_takes: Duration) -> Duration {
        self.of(request.length() + AROUND) + unit_takes + self.of(request.answer_length() + AROUND)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Table;
    use super::*;

    #[test]
    fn the_silence_is_three_and_a_half_characters_and_fixed_when_fast() {
        assert_eq!(Pace { baud: 9_600, bits: 11 }.silence(), Duration::from_nanos(4_010_416));
        assert_eq!(Pace { baud: 19_200, bits: 11 }.silence(), Duration::from_nanos(2_005_208));
        assert_eq!(Pace { baud: 38_400, bits: 11 }.silence(), FAST_SILENCE);
        assert_eq!(Pace { baud: 0, bits: 11 }.silence(), Duration::from_nanos(38_500_000_000));
    }

    #[test]
    fn a_long_answer_is_waited_for_longer() {
        let pace = Pace { baud: 9_600, bits: 10 };
        let read = |count| Request::Read { table: Table::Holding, at: 0, count };
        let takes = Duration::from_millis(100);
        // 8 characters there, 7 or 255 back, of 1.0417 ms.
        assert_eq!(pace.answered_within(&read(1), takes).as_millis(), 100 + 15);
        assert_eq!(pace.answered_within(&read(125), takes).as_millis(), 100 + 273);
    }
}
