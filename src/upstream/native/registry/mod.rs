//! Announcements: which devices there are, with their components and points, under the numbers that columns call them by.
//!
//! Devices of a kind share one *shape*, told under its hash in each piece that needs it, so every piece can be read by itself.
//! A manager compares the [`Digest`] of the retained state with what it holds, and asks for just the buckets that differ
//! ([`Wanted`]). What it holds is a [`Mirror`].

mod digest;
mod mirror;
mod pieces;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub use digest::{BUCKETS, Digest, Wanted, bucket_of};
pub use mirror::Mirror;
pub use pieces::{PartOf, Piece, Pieces};

use crate::model::device::{DeviceNow, Sleep};
use crate::model::{
    Access, Address, Capabilities, Component, DeviceId, DeviceNo, LifeCycle, Name, OperationKind, PointNo, PointPath,
    ValueKind, point::Limits,
};

/// The first 8 bytes of a SHA-256, as 16 hex digits: tells that something is another, not who made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceTold {
    #[cfg_attr(test, schemars(with = "String"))]
    pub id: DeviceId,
    /// What columns call it.
    pub no: DeviceNo,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub name: Option<Name>,
    /// `kind:value`, the strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub link: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub address: Option<Address>,
    pub life: LifeCycle,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub groups: Vec<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub profile: Option<Name>,
    /// What it is made of.
    #[cfg_attr(test, schemars(with = "String"))]
    pub shape: Hash,
    /// Of all the above: another one when anything is.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "String"))]
    pub hash: Hash,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShapeTold {
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "String"))]
    pub hash: Hash,
    pub points: Vec<PointTold>,
    /// All components with their instances, those without points too.
    pub components: Vec<Component>,
    pub operations: Vec<OperationKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleeps: Option<Sleep>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PointTold {
    /// What columns call it.
    pub no: PointNo,
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PointPath,
    pub kind: ValueKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub unit: Option<Name>,
    pub access: Access,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// The hashes of what devices share, each worked out once. The key is the address of what is held beside it, which is
/// therefore nobody else's.
#[derive(Default)]
pub struct Shapes(HashMap<usize, (Arc<Capabilities>, Hash)>);

/// Kinds that are remembered; beyond it all are worked out anew.
const MOST_SHAPES: usize = 4_096;

impl Shapes {
    pub fn hash(&mut self, capabilities: &Arc<Capabilities>) -> Hash {
        if self.0.len() >= MOST_SHAPES {
            self.0.clear();
        }
        let known = self.0.entry(Arc::as_ptr(capabilities) as usize);
        known.or_insert_with(|| (capabilities.clone(), ShapeTold::of(capabilities).hash)).1
    }
}

impl DeviceTold {
    pub fn of(now: &DeviceNow, shapes: &mut Shapes) -> DeviceTold {
        let device = &now.device;
        let place = device.is_at();
        let mut told = DeviceTold {
            id: device.id.clone(),
            no: device.no,
            name: device.name.clone(),
            identities: device.identities.iter().map(ToString::to_string).collect(),
            link: place.map(|place| place.link.clone()),
            address: place.map(|place| place.address.clone()),
            life: device.life,
            groups: device.groups.clone(),
            profile: device.profile_name().cloned(),
            shape: shapes.hash(&now.capabilities),
            hash: Hash::default(),
        };
        told.hash = Hash::of(&told);
        told
    }
}

impl ShapeTold {
    pub fn of(capabilities: &Capabilities) -> ShapeTold {
        let point = |point: &crate::model::Point| PointTold {
            no: point.no,
            path: point.path.clone(),
            kind: point.kind,
            unit: point.unit.clone(),
            access: point.access,
            limits: point.limits.clone(),
        };
        let mut told = ShapeTold {
            hash: Hash::default(),
            points: capabilities.points.iter().map(point).collect(),
            components: capabilities.components(),
            operations: capabilities.operations.kinds().collect(),
            sleeps: capabilities.sleeps,
        };
        told.hash = Hash::of(&told);
        told
    }
}

impl Hash {
    /// Of what is plain data: its JSON, in the order of its fields.
    fn of(told: &impl Serialize) -> Hash {
        Hash::of_bytes(&serde_json::to_vec(told).unwrap_or_default())
    }

    fn of_bytes(bytes: &[u8]) -> Hash {
        let all = digest(&SHA256, bytes);
        Hash(all.as_ref().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let hex = text.len() == 16 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let number = if hex { u64::from_str_radix(&text, 16).ok() } else { None };
        number.map(Hash).ok_or_else(|| D::Error::custom("a hash is 16 hex digits"))
    }
}

#[cfg(test)]
mod tests;
