//! The registry as a manager holds it: pieces go in, and what differs from the gateway's digest comes out as an ask for just
//! that.

use std::collections::{BTreeMap, BTreeSet};

use super::{DeviceTold, Digest, Hash, PartOf, Piece, ShapeTold, Wanted, bucket_of};
use crate::model::{DeviceId, DeviceNo};
use crate::store::JournalId;

/// Devices of one gateway; those beyond it are not held.
const MOST_DEVICES: usize = 500_000;

#[derive(Default)]
pub struct Mirror {
    journal: Option<JournalId>,
    devices: BTreeMap<DeviceId, DeviceTold>,
    numbers: BTreeMap<DeviceNo, DeviceId>,
    shapes: BTreeMap<Hash, ShapeTold>,
    /// By bucket: the part that must come next, and who stood in those before.
    parts: BTreeMap<u8, (u32, BTreeSet<DeviceId>)>,
}

impl Mirror {
    pub fn take(&mut self, piece: Piece) {
        if self.journal.replace(piece.journal).is_some_and(|before| before != piece.journal) {
            *self = Mirror { journal: Some(piece.journal), ..Mirror::default() };
        }
        let told: BTreeSet<DeviceId> = piece.devices.iter().map(|device| device.id.clone()).collect();
        self.shapes.extend(piece.shapes.into_iter().map(|shape| (shape.hash, shape)));
        piece.devices.into_iter().for_each(|device| self.put(device));
        piece.gone.iter().for_each(|id| self.forget(id));
        piece.whole.iter().for_each(|bucket| self.only(*bucket, &told));
        if let Some(part) = piece.part {
            self.part(part, told);
        }
        let used: BTreeSet<Hash> = self.devices.values().map(|device| device.shape).collect();
        self.shapes.retain(|hash, _| used.contains(hash));
    }

    fn put(&mut self, device: DeviceTold) {
        if self.devices.len() >= MOST_DEVICES && !self.devices.contains_key(&device.id) {
            return;
        }
        self.numbers.insert(device.no, device.id.clone());
        if let Some(before) = self.devices.insert(device.id.clone(), device)
            && self.numbers.get(&before.no) == Some(&before.id)
            && self.devices.get(&before.id).is_some_and(|now| now.no != before.no)
        {
            self.numbers.remove(&before.no);
        }
    }

    fn forget(&mut self, id: &DeviceId) {
        if let Some(device) = self.devices.remove(id)
            && self.numbers.get(&device.no) == Some(id)
        {
            self.numbers.remove(&device.no);
        }
    }

    /// Who else was in the bucket is there no more.
    fn only(&mut self, bucket: u8, told: &BTreeSet<DeviceId>) {
        let gone = |id: &&DeviceId| bucket_of(id) == bucket && !told.contains(*id);
        let gone: Vec<DeviceId> = self.devices.keys().filter(gone).cloned().collect();
        gone.iter().for_each(|id| self.forget(id));
    }

    /// Parts come in order; where one is missing, nobody is thought to be gone.
    fn part(&mut self, part: PartOf, told: BTreeSet<DeviceId>) {
        let (next, mut seen) = match part.no {
            0 => (0, BTreeSet::new()),
            _ => self.parts.remove(&part.bucket).unwrap_or_default(),
        };
        if part.no != next {
            return;
        }
        seen.extend(told);
        match part.last {
            true => self.only(part.bucket, &seen),
            false => drop(self.parts.insert(part.bucket, (next.saturating_add(1), seen))),
        }
    }

    /// What it must ask for, to hold what the gateway holds.
    pub fn misses(&self, digest: &Digest) -> Wanted {
        Digest::of(self.devices.values()).differing(digest)
    }

    /// Who is meant by a number, and what it is made of.
    pub fn device(&self, no: DeviceNo) -> Option<(&DeviceTold, Option<&ShapeTold>)> {
        let device = self.devices.get(self.numbers.get(&no)?)?;
        Some((device, self.shapes.get(&device.shape)))
    }

    pub fn devices(&self) -> impl Iterator<Item = &DeviceTold> {
        self.devices.values()
    }
}
