//! A row with all that holds for its profile: what is read, written, and how it is understood.

use super::form::Form;
use super::words::{Bits, Order, Table, Way};
use super::{Register, Speaks};
use crate::model::{Limits, ValueKind};

/// Where a value stands, and how. Addresses are those of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub table: Table,
    pub at: u16,
    /// Registers, or bits of a table of bits; at least 1, and none of them beyond 65535.
    pub count: u16,
    /// Of registers only.
    pub form: Form,
    pub bits: Option<Bits>,
    pub order: Order,
    pub write: Option<Way>,
    pub read_back: bool,
}

impl Spot {
    /// The address behind its last one.
    pub fn end(&self) -> u32 {
        u32::from(self.at) + u32::from(self.count)
    }

    pub fn kind(&self) -> ValueKind {
        match self.bits {
            _ if self.table.is_bits() => ValueKind::Bool,
            Some(bits) if bits.count() == 1 => ValueKind::Bool,
            _ => self.form.kind(),
        }
    }

    /// Less than all bits of its registers: what stands beside must stay when it is written.
    pub fn is_part(&self) -> bool {
        !self.table.is_bits() && (self.bits.is_some() || self.form.is_half())
    }

    /// What can be put there, where that has ends that a person would want to be told.
    pub fn limits(&self) -> Option<Limits> {
        let (min, max) = match self.bits {
            _ if self.kind() == ValueKind::Bool => return None,
            Some(bits) if bits.count() <= 53 => (0.0, bits.most() as f64),
            Some(_) => return None,
            None => self.form.range()?,
        };
        Some(Limits { min, max, ..Limits::default() })
    }
}

impl Speaks {
    /// None: there is no such register, or the row does not say one.
    pub fn spot(&self, row: &Register) -> Option<Spot> {
        let (table, number) = row.named().next()?;
        let at = number.value.checked_sub(self.base)?;
        let form = row.r#type.map(|form| form.value).unwrap_or_default();
        let count = match (table.is_bits(), form.registers()) {
            (true, _) => 1,
            (false, Some(count)) => count,
            (false, None) => row.length?.value,
        };
        let write = row.write.map(|way| way.value).or(self.write);
        let spot = Spot {
            table,
            at,
            count,
            form,
            bits: row.bits.map(|bits| bits.value),
            order: row.order.map_or(self.order, |order| order.value),
            write,
            read_back: row.read_back.is_some_and(|back| back.value),
        };
        (count > 0 && spot.end() <= 0x1_0000).then_some(spot)
    }

    /// The most of such a table that one request may read.
    pub fn most(&self, table: Table) -> u16 {
        if table.is_bits() { self.most_bits } else { self.most_registers }
    }

    /// Forbidden ranges by the addresses of a request: first and last.
    pub fn forbidden(&self, table: Table) -> impl Iterator<Item = (u16, u16)> + '_ {
        let ranges = self.forbid.of(table).iter().map(|range| range.value);
        let wire = |number: u16| number.saturating_sub(self.base);
        ranges.filter(|range| range.to >= self.base).map(move |range| (wire(range.from), wire(range.to)))
    }
}
