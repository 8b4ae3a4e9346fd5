//! What can be asked of a unit, and what no unit may be asked.

use tokio_modbus::Request as Spoken;

use super::{MOST_BITS, MOST_BITS_WRITTEN, MOST_PDU, MOST_WORDS, MOST_WORDS_WRITTEN};
use crate::profile::modbus::Table;

/// Addresses count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Read {
        table: Table,
        at: u16,
        count: u16,
    },
    WriteCoil {
        at: u16,
        on: bool,
    },
    WriteCoils {
        at: u16,
        on: Vec<bool>,
    },
    WriteRegister {
        at: u16,
        value: u16,
    },
    WriteRegisters {
        at: u16,
        values: Vec<u16>,
    },
    /// The register becomes `(register & and) | (or & !and)`.
    MaskWrite {
        at: u16,
        and: u16,
        or: u16,
    },
    /// Function 43/14. Level 1 to 3: all objects of that level from `object` on; 4: that object alone.
    Identify {
        level: u8,
        object: u8,
    },
    /// Function 17.
    ServerId,
    /// Function 8.
    Diagnose {
        sub: u16,
        data: u16,
    },
    /// Whatever else a person wants to say.
    Raw {
        function: u8,
        data: Vec<u8>,
    },
    /// Checked like the one inside; but the answer is given as it came.
    Verbatim(Box<Request>),
}

/// A request that must not go out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    #[error("{asked} values are asked for; from 1 to {most} go into one request")]
    Quantity { asked: usize, most: usize },
    #[error("the values from {at} on go beyond address 65535")]
    Beyond { at: u16 },
    #[error("there are the levels 1 to 4 of identification, not {0}")]
    Level(u8),
    #[error("a function is a number from 1 to 127, not {0}")]
    Function(u8),
    #[error("{0} bytes of data are more than a request can carry")]
    Data(usize),
}

impl Request {
    pub const fn function(&self) -> u8 {
        match self {
            Request::Read { table: Table::Coil, .. } => 1,
            Request::Read { table: Table::Discrete, .. } => 2,
            Request::Read { table: Table::Holding, .. } => 3,
            Request::Read { table: Table::Input, .. } => 4,
            Request::WriteCoil { .. } => 5,
            Request::WriteRegister { .. } => 6,
            Request::Diagnose { .. } => 8,
            Request::WriteCoils { .. } => 15,
            Request::WriteRegisters { .. } => 16,
            Request::ServerId => 17,
            Request::MaskWrite { .. } => 22,
            Request::Identify { .. } => 43,
            Request::Raw { function, .. } => *function,
            Request::Verbatim(inside) => inside.function(),
        }
    }

    /// What answers are held against.
    pub fn plain(&self) -> &Request {
        match self {
            Request::Verbatim(inside) => inside.plain(),
            plain => plain,
        }
    }

    /// Asked twice, it does no more than asked once. Of a raw request nobody knows.
    pub fn only_reads(&self) -> bool {
        matches!(self.plain(), Request::Read { .. } | Request::Identify { .. } | Request::ServerId)
    }

    pub fn check(&self) -> Result<(), Bad> {
        match self.plain() {
            Request::Read { table, at, count } => {
                let most = if table.is_bits() { MOST_BITS } else { MOST_WORDS };
                within(*at, usize::from(*count), usize::from(most))
            }
            Request::WriteCoils { at, on } => within(*at, on.len(), MOST_BITS_WRITTEN),
            Request::WriteRegisters { at, values } => within(*at, values.len(), MOST_WORDS_WRITTEN),
            Request::Identify { level, .. } if !(1..=4).contains(level) => Err(Bad::Level(*level)),
            Request::Raw { function, .. } if !(1..=127).contains(function) => Err(Bad::Function(*function)),
            Request::Raw { data, .. } if data.len() >= MOST_PDU => Err(Bad::Data(data.len())),
            _ => Ok(()),
        }
    }

    /// Bytes without unit and checksum.
    pub fn length(&self) -> usize {
        match self.plain() {
            Request::WriteCoils { on, .. } => 6 + on.len().div_ceil(8),
            Request::WriteRegisters { values, .. } => 6 + 2 * values.len(),
            Request::MaskWrite { .. } => 7,
            Request::Identify { .. } => 4,
            Request::ServerId => 1,
            Request::Raw { data, .. } => 1 + data.len(),
            _ => 5,
        }
    }

    /// The same of its answer: the most, where nobody can know.
    pub fn answer_length(&self) -> usize {
        match self.plain() {
            Request::Read { table, count, .. } if table.is_bits() => 2 + usize::from(*count).div_ceil(8),
            Request::Read { count, .. } => 2 + 2 * usize::from(*count),
            Request::MaskWrite { .. } => 7,
            Request::Identify { .. } | Request::ServerId | Request::Raw { .. } => MOST_PDU,
            _ => 5,
        }
    }

    /// In the words of tokio-modbus. What it has no words for, or whose answers it would refuse, is raw to it.
    pub fn spoken(&self) -> Spoken<'_> {
        match self {
            Request::Read { table: Table::Coil, at, count } => Spoken::ReadCoils(*at, *count),
            Request::Read { table: Table::Discrete, at, count } => Spoken::ReadDiscreteInputs(*at, *count),
            Request::Read { table: Table::Holding, at, count } => Spoken::ReadHoldingRegisters(*at, *count),
            Request::Read { table: Table::Input, at, count } => Spoken::ReadInputRegisters(*at, *count),
            Request::WriteCoil { at, on } => Spoken::WriteSingleCoil(*at, *on),
            Request::WriteCoils { at, on } => Spoken::WriteMultipleCoils(*at, on.into()),
            Request::WriteRegister { at, value } => Spoken::WriteSingleRegister(*at, *value),
            Request::WriteRegisters { at, values } => Spoken::WriteMultipleRegisters(*at, values.into()),
            Request::MaskWrite { at, and, or } => Spoken::MaskWriteRegister(*at, *and, *or),
            Request::Identify { level, object } => Spoken::Custom(43, vec![14, *level, *object].into()),
            Request::ServerId => Spoken::Custom(17, Vec::new().into()),
            Request::Diagnose { sub, data } => {
                let [a, b, c, d] = ((u32::from(*sub) << 16) | u32::from(*data)).to_be_bytes();
                Spoken::Custom(8, vec![a, b, c, d].into())
            }
            Request::Raw { function, data } => Spoken::Custom(*function, data.into()),
            Request::Verbatim(inside) => inside.spoken(),
        }
    }
}

fn within(at: u16, asked: usize, most: usize) -> Result<(), Bad> {
    if asked == 0 || asked > most {
        return Err(Bad::Quantity { asked, most });
    }
    if usize::from(at) + asked > 1 << 16 {
        return Err(Bad::Beyond { at });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: Table, at: u16, count: u16) -> Request {
        Request::Read { table, at, count }
    }

    #[test]
    fn a_request_keeps_the_bounds_of_the_protocol() {
        for right in [
            read(Table::Holding, 65_411, 125),
            read(Table::Coil, 0, 2_000),
            Request::WriteRegisters { at: 0, values: vec![0; 123] },
            Request::WriteCoils { at: 0, on: vec![true; 1_968] },
            Request::Identify { level: 4, object: 255 },
            Request::Raw { function: 65, data: vec![0; 252] },
        ] {
            assert_eq!(right.check(), Ok(()), "{right:?}");
        }
        for wrong in [
            read(Table::Holding, 0, 0),
            read(Table::Input, 0, 126),
            read(Table::Discrete, 0, 2_001),
            read(Table::Holding, 65_412, 125),
            Request::WriteRegisters { at: 0, values: vec![0; 124] },
            Request::WriteCoils { at: 0, on: Vec::new() },
            Request::Identify { level: 5, object: 0 },
            Request::Raw { function: 128, data: Vec::new() },
            Request::Raw { function: 65, data: vec![0; 253] },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
