//! What blocks are made of: varints, and a reader of hostile bytes. It never panics, and every length is checked against
//! what is left.

/// The form of a block.
pub(super) const VERSION: u8 = 1;
/// Readings of one block.
pub const MOST_READINGS: usize = 65_536;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadBlock {
    #[error("a block of version {0}; this dmgw knows {VERSION}")]
    Version(u8),
    #[error("the block ends too early")]
    Short,
    #[error("{0} is out of bounds in the block")]
    Bound(&'static str),
    #[error("the block cannot be compressed or decompressed")]
    Zstd,
}

pub(super) fn put_varint(to: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

/// Small numbers of either sign become small numbers.
pub(super) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// The step from one number to the next, around the end of the number range if need be.
pub(super) fn put_step(to: &mut Vec<u8>, previous: &mut u64, n: u64) {
    put_varint(to, zigzag(n.wrapping_sub(*previous) as i64));
    *previous = n;
}

#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Bytes<'a> {
        Bytes { rest }
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, BadBlock> {
        let (first, rest) = self.rest.split_first().ok_or(BadBlock::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], BadBlock> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(BadBlock::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BadBlock> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(BadBlock::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, BadBlock> {
        let mut n = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            if i == 9 && *byte > 1 {
                return Err(BadBlock::Bound("a number"));
            }
            n |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(n);
            }
        }
        Err(BadBlock::Short)
    }

    #[inline]
    pub(super) fn step(&mut self, previous: &mut u64) -> Result<u64, BadBlock> {
        *previous = previous.wrapping_add(unzigzag(self.varint()?) as u64);
        Ok(*previous)
    }

    /// A count of things that each take at least one byte of what is left.
    pub(super) fn count(&mut self) -> Result<usize, BadBlock> {
        let n = self.varint()?;
        if n > self.rest.len() as u64 { Err(BadBlock::Short) } else { Ok(n as usize) }
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, BadBlock> {
        T::try_from(self.varint()?).map_err(|_| BadBlock::Bound(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_short_or_endless_ones_do_not() {
        for n in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, n);
            assert_eq!(Bytes::new(&bytes).varint(), Ok(n));
            assert_eq!(Bytes::new(&bytes[..bytes.len() - 1]).varint(), Err(BadBlock::Short));
            assert_eq!(unzigzag(zigzag(n as i64)), n as i64);
        }
        assert!(Bytes::new(&[0xff; 20]).varint().is_err());
    }
}
