//! Exceptions: a unit, or the gateway before it, says why it does not do what it was asked.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    IllegalFunction,
    IllegalAddress,
    IllegalValue,
    DeviceFailure,
    /// It was taken, and takes long.
    Acknowledge,
    /// It was not taken: ask later.
    Busy,
    NegativeAcknowledge,
    MemoryParity,
    /// The gateway knows no way to the unit.
    NoPath,
    /// The gateway asked the unit, and it was silent.
    NoAnswer,
    Other(u8),
}

impl Exception {
    /// Not the unit says so, but the gateway before it.
    pub const fn is_of_gateway(self) -> bool {
        matches!(self, Exception::NoPath | Exception::NoAnswer)
    }

    /// What was asked for is not there; something else may be.
    pub const fn is_of_address(self) -> bool {
        matches!(self, Exception::IllegalFunction | Exception::IllegalAddress | Exception::IllegalValue)
    }

    pub const fn of(code: u8) -> Exception {
        match code {
            1 => Exception::IllegalFunction,
            2 => Exception::IllegalAddress,
            3 => Exception::IllegalValue,
            4 => Exception::DeviceFailure,
            5 => Exception::Acknowledge,
            6 => Exception::Busy,
            7 => Exception::NegativeAcknowledge,
            8 => Exception::MemoryParity,
            10 => Exception::NoPath,
            11 => Exception::NoAnswer,
            other => Exception::Other(other),
        }
    }

    pub const fn code(self) -> u8 {
        match self {
            Exception::IllegalFunction => 1,
            Exception::IllegalAddress => 2,
            Exception::IllegalValue => 3,
            Exception::DeviceFailure => 4,
            Exception::Acknowledge => 5,
            Exception::Busy => 6,
            Exception::NegativeAcknowledge => 7,
            Exception::MemoryParity => 8,
            Exception::NoPath => 10,
            Exception::NoAnswer => 11,
            Exception::Other(code) => code,
        }
    }

    /// A gateway speaks, and the unit behind it was not reached or did not answer.
    pub const fn unreached(self) -> bool {
        matches!(self, Exception::NoPath | Exception::NoAnswer)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self {
            Exception::IllegalFunction => "it does not know the function",
            Exception::IllegalAddress => "it has nothing at that address",
            Exception::IllegalValue => "it does not take that value or quantity",
            Exception::DeviceFailure => "it failed while doing it",
            Exception::Acknowledge => "it has taken it and needs time",
            Exception::Busy => "it is busy",
            Exception::NegativeAcknowledge => "it cannot do it",
            Exception::MemoryParity => "its memory is damaged",
            Exception::NoPath => "the gateway knows no way to the unit",
            Exception::NoAnswer => "the unit does not answer the gateway",
            Exception::Other(_) => "it says no, with a number that is not in the standard",
        };
        write!(f, "{says} (exception {})", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_keeps_its_meaning() {
        for code in 0..=255 {
            assert_eq!(Exception::of(code).code(), code);
        }
        assert!(Exception::of(11).unreached() && !Exception::of(2).unreached());
    }
}
