//! How the numbers of one point are written in one pack: each as the one before it, as far as that goes, for what repeats
//! is what costs nothing under zstd.

use super::write::Write;
use crate::store::block::{PLACES, decimal};

/// After so many floats that are no decimals a point is searched no further.
const SEARCHES: u8 = 4;
/// The largest that a decimal takes less room for than a float.
const LARGEST_WHOLE: u64 = u32::MAX as u64;

#[derive(Clone, Copy, Default)]
pub(super) struct Column {
    places: u8,
    searches: u8,
    /// Bytes of its whole numbers, in CBOR: with one width all records of a point are of one length, so zstd finds the
    /// one before always as far back as the last time.
    width: u8,
}

impl Column {
    pub(super) fn unsigned(&mut self, to: &mut Write, n: u64) {
        self.width = to.unsigned(n, self.width);
    }

    pub(super) fn signed(&mut self, to: &mut Write, n: i64) {
        self.width = to.signed(n, self.width);
    }

    /// One that is finite.
    pub(super) fn float(&mut self, to: &mut Write, x: f64) {
        match self.whole(x) {
            Some(whole) if !to.is_cbor() || whole.unsigned_abs() <= LARGEST_WHOLE => {
                self.width = to.decimal(whole, self.places, self.width);
            }
            _ => to.float(x),
        }
    }

    fn whole(&mut self, x: f64) -> Option<i64> {
        if let Some(whole) = decimal(x, self.places) {
            return Some(whole);
        }
        if self.searches >= SEARCHES {
            return None;
        }
        let found = (0..PLACES.len() as u8).find_map(|places| Some((places, decimal(x, places)?)));
        match found {
            Some((places, whole)) => {
                self.places = places;
                Some(whole)
            }
            None => {
                self.searches += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cbor: bool, values: &[f64]) -> Vec<Vec<u8>> {
        let mut column = Column::default();
        let one = |x: &f64| {
            let mut to = Write::new(cbor);
            column.float(&mut to, *x);
            to.bytes
        };
        values.iter().map(one).collect()
    }

    #[test]
    fn a_point_keeps_its_places_and_its_width() {
        let cbor = written(true, &[21.5, 300.0, 21.0, -0.5]);
        assert_eq!(cbor[1], [0xc4, 0x82, 0x20, 0x19, 0x0b, 0xb8]);
        assert_eq!(cbor[2], [0xc4, 0x82, 0x20, 0x19, 0x00, 0xd2]);
        assert_eq!(cbor[3], [0xc4, 0x82, 0x20, 0x39, 0x00, 0x04]);
    }

    #[test]
    fn what_is_no_decimal_is_a_float_with_all_its_bits() {
        let (third, half) = (1.0 / 3.0, f64::from(1.0f32 / 3.0));
        assert_eq!(written(true, &[third])[0], [&[0xfb][..], &third.to_be_bytes()].concat());
        assert_eq!(written(true, &[half])[0].len(), 5);
        assert_eq!(written(true, &[-0.0])[0], [0xfa, 0x80, 0, 0, 0]);
        assert_eq!(written(true, &[1e15])[0].len(), 9);
        let json: Vec<String> = written(false, &[third, -0.0, 1e15, 1e300])
            .into_iter()
            .map(|text| String::from_utf8(text).unwrap())
            .collect();
        assert_eq!(json, ["0.3333333333333333", "-0.0", "1000000000000000.0", "1e300"]);
    }
}
