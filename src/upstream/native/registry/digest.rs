//! The digest of the registry: a root, and 64 buckets so that what differs is found without telling everything.
//!
//! A bucket is the sum of the hashes of its devices, so one device that changes costs one subtraction and one addition.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{DeviceTold, Hash};
use crate::model::DeviceId;

/// Parts of the registry that can be asked for by themselves.
pub const BUCKETS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Digest {
    pub devices: u64,
    /// Of all buckets: where it is the same, everything is.
    #[cfg_attr(test, schemars(with = "String"))]
    pub root: Hash,
    /// Of each bucket the sum of the hashes of its devices, around the end of 64 bits; none: 0.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub buckets: Vec<Hash>,
}

impl Default for Digest {
    fn default() -> Digest {
        let mut digest = Digest { devices: 0, root: Hash::default(), buckets: vec![Hash::default(); BUCKETS] };
        digest.root = digest.of_buckets();
        digest
    }
}

/// The bucket of a device: the first 6 bits of the SHA-256 of its id.
pub fn bucket_of(id: &DeviceId) -> u8 {
    (Hash::of_bytes(id.as_str().as_bytes()).0 >> 58) as u8
}

impl Digest {
    pub fn of<'a>(devices: impl Iterator<Item = &'a DeviceTold>) -> Digest {
        let mut digest = Digest::default();
        devices.for_each(|device| digest.sum(&device.id, None, Some(device.hash)));
        digest.root = digest.of_buckets();
        digest
    }

    /// A device is there, is another, or is there no more.
    pub fn change(&mut self, id: &DeviceId, before: Option<Hash>, now: Option<Hash>) {
        self.sum(id, before, now);
        self.root = self.of_buckets();
    }

    fn sum(&mut self, id: &DeviceId, before: Option<Hash>, now: Option<Hash>) {
        // Of one that came from outside there may be fewer buckets.
        let Some(bucket) = self.buckets.get_mut(usize::from(bucket_of(id))) else { return };
        let (less, more) = (before.map_or(0, |hash| hash.0), now.map_or(0, |hash| hash.0));
        bucket.0 = bucket.0.wrapping_sub(less).wrapping_add(more);
        self.devices =
            self.devices.saturating_add(u64::from(now.is_some())).saturating_sub(u64::from(before.is_some()));
    }

    fn of_buckets(&self) -> Hash {
        Hash::of_bytes(&self.buckets.iter().flat_map(|bucket| bucket.0.to_be_bytes()).collect::<Vec<u8>>())
    }

    /// The buckets in which the other has something else.
    pub fn differing(&self, other: &Digest) -> Wanted {
        let of = |digest: &Digest, place: usize| digest.buckets.get(place).copied();
        let differs = |place: &usize| of(self, *place) != of(other, *place);
        Wanted((0..BUCKETS).filter(differs).map(|place| place as u8).collect())
    }
}

/// Buckets that somebody asks for, as they stand behind `?buckets=`: `3,17-20`, or `all`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(pub Vec<u8>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("buckets are numbers from 0 to {}, as in 3,17-20, or all", BUCKETS - 1)]
pub struct NoBuckets;

impl Wanted {
    pub fn all() -> Wanted {
        Wanted((0..BUCKETS as u8).collect())
    }
}

impl FromStr for Wanted {
    type Err = NoBuckets;

    fn from_str(text: &str) -> Result<Wanted, NoBuckets> {
        if text == "all" {
            return Ok(Wanted::all());
        }
        let mut wanted = [false; BUCKETS];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse().ok().filter(|number| *number < BUCKETS);
            let (first, last): (usize, usize) = number(first).zip(number(last)).ok_or(NoBuckets)?;
            let span = wanted.get_mut(first..=last).filter(|span| !span.is_empty());
            span.ok_or(NoBuckets)?.fill(true);
        }
        Ok(Wanted((0..BUCKETS as u8).filter(|bucket| wanted[usize::from(*bucket)]).collect()))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == BUCKETS {
            return f.write_str("all");
        }
        let numbers: Vec<String> = self.0.iter().map(u8::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_asked_for_by_number() {
        let wanted = |text: &str| text.parse::<Wanted>().map(|wanted| wanted.0);
        assert_eq!(wanted("3,17-19,3"), Ok(vec![3, 17, 18, 19]));
        assert_eq!(wanted("all"), Ok(Wanted::all().0));
        for nonsense in ["", "64", "-1", "5-4", "5-3", "1-64", "x", "1,,2", "1-2-3"] {
            assert_eq!(wanted(nonsense), Err(NoBuckets), "{nonsense}");
        }
        for text in ["0,63", "all"] {
            assert_eq!(text.parse::<Wanted>().unwrap().to_string(), text);
        }
    }
}
