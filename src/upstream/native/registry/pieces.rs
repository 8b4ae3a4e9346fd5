//! Announcements cut into messages: whole buckets as far as they fit, a large bucket in parts, or only what changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DeviceTold, ShapeTold, Wanted, bucket_of};
use crate::model::{Capabilities, DeviceId};
use crate::store::JournalId;
use crate::upstream::native::cut::{Bound, NotMade, TooLarge, fitting};
use crate::upstream::native::form::Form;
use crate::upstream::native::records::{spelled_in, tree_of};
use crate::upstream::native::{BadMessage, spelled};

/// Devices of one piece: what is made before it shows that it does not fit stays small.
const MOST_DEVICES: usize = 2_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Numbers of devices mean something only together with it.
    #[serde(with = "spelled::journal")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub journal: JournalId,
    pub devices: Vec<DeviceTold>,
    /// Of those devices, each once.
    pub shapes: Vec<ShapeTold>,
    /// Devices that are forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub gone: Vec<DeviceId>,
    /// Of these buckets every device stands here: another one that somebody knows is no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<u8>,
    /// It holds a part of one bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartOf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PartOf {
    pub bucket: u8,
    /// From 0 on; what is there of the bucket is complete once all up to the last have come.
    pub no: u32,
    pub last: bool,
}

/// A device with what it is made of.
pub type Announced = (DeviceTold, Arc<Capabilities>);

/// Makes the messages one after the other.
pub struct Pieces {
    journal: JournalId,
    form: Form,
    most: usize,
    work: Work,
}

enum Work {
    Buckets { left: VecDeque<(u8, Vec<Announced>)>, part: u32 },
    Changes { devices: VecDeque<Announced>, gone: VecDeque<DeviceId> },
}

impl Pieces {
    /// Everything in some buckets. Of the devices those in others are left out.
    pub fn of_buckets(
        journal: JournalId,
        wanted: &Wanted,
        devices: impl Iterator<Item = Announced>,
        form: Form,
        most: usize,
    ) -> Pieces {
        let mut buckets: BTreeMap<u8, Vec<Announced>> = wanted.0.iter().map(|bucket| (*bucket, Vec::new())).collect();
        for announced in devices {
            if let Some(bucket) = buckets.get_mut(&bucket_of(&announced.0.id)) {
                bucket.push(announced);
            }
        }
        Pieces { journal, form, most, work: Work::Buckets { left: buckets.into_iter().collect(), part: 0 } }
    }

    /// Devices that are new or others now, and those that are forgotten.
    pub fn of_changes(
        journal: JournalId,
        devices: Vec<Announced>,
        gone: Vec<DeviceId>,
        form: Form,
        most: usize,
    ) -> Pieces {
        Pieces { journal, form, most, work: Work::Changes { devices: devices.into(), gone: gone.into() } }
    }

    /// A piece of these devices, with their shapes.
    fn piece(&self, devices: &[&Announced]) -> Piece {
        let (mut shapes, mut seen) = (Vec::new(), BTreeSet::new());
        for (device, capabilities) in devices {
            if seen.insert(device.shape) {
                shapes.push(ShapeTold::of(capabilities));
            }
        }
        let devices = devices.iter().map(|(device, _)| device.clone()).collect();
        Piece { journal: self.journal, devices, shapes, gone: Vec::new(), whole: Vec::new(), part: None }
    }

    fn fitting(&self, all: usize, number: u64, make: impl Fn(usize) -> Piece) -> Result<(usize, Vec<u8>), NotMade> {
        let bound = Bound { most: self.most, is_packed: self.form.is_packed() };
        fitting(all, bound, number, |count| spelled_in(&make(count), self.form))
    }

    fn whole_buckets(&self, left: &VecDeque<(u8, Vec<Announced>)>) -> Result<(usize, Vec<u8>), NotMade> {
        let mut devices = 0;
        let few = |(_, bucket): &&(u8, Vec<Announced>)| {
            devices += bucket.len();
            devices <= MOST_DEVICES
        };
        let all = left.iter().take_while(few).count().max(1);
        self.fitting(all, 0, |count| {
            let buckets = || left.iter().take(count);
            let devices: Vec<&Announced> = buckets().flat_map(|(_, devices)| devices).collect();
            Piece { whole: buckets().map(|(bucket, _)| *bucket).collect(), ..self.piece(&devices) }
        })
    }

    fn part(&self, bucket: u8, devices: &[Announced], no: u32) -> Result<(usize, Vec<u8>), NotMade> {
        let number = devices.first().map_or(0, |(device, _)| u64::from(device.no.0));
        self.fitting(devices.len().min(MOST_DEVICES), number, |count| {
            let part = PartOf { bucket, no, last: count == devices.len() };
            Piece { part: Some(part), ..self.piece(&devices.iter().take(count).collect::<Vec<_>>()) }
        })
    }

    fn changed(&self, devices: &VecDeque<Announced>) -> Result<(usize, Vec<u8>), NotMade> {
        let number = devices.front().map_or(0, |(device, _)| u64::from(device.no.0));
        self.fitting(devices.len().min(MOST_DEVICES), number, |count| {
            self.piece(&devices.iter().take(count).collect::<Vec<_>>())
        })
    }

    fn forgotten(&self, gone: &VecDeque<DeviceId>) -> Result<(usize, Vec<u8>), NotMade> {
        self.fitting(gone.len().min(MOST_DEVICES), 0, |count| Piece {
            gone: gone.iter().take(count).cloned().collect(),
            ..self.piece(&[])
        })
    }
}

/// One message after the other. A device that alone is too large is named, left out, and the rest goes on.
impl Iterator for Pieces {
    type Item = Result<Vec<u8>, NotMade>;

    fn next(&mut self) -> Option<Self::Item> {
        let made = match &self.work {
            Work::Buckets { left, part } => {
                let (bucket, devices) = left.front()?;
                match if *part == 0 { self.whole_buckets(left) } else { Err(NotMade::Empty) } {
                    Err(NotMade::TooLarge(_) | NotMade::Empty) if !devices.is_empty() => {
                        self.part(*bucket, devices, *part).map(|(count, bytes)| (Done::Part(count), bytes))
                    }
                    made => made.map(|(count, bytes)| (Done::Buckets(count), bytes)),
                }
            }
            Work::Changes { devices, .. } if !devices.is_empty() => {
                self.changed(devices).map(|(count, bytes)| (Done::Devices(count), bytes))
            }
            Work::Changes { gone, .. } if gone.is_empty() => return None,
            Work::Changes { gone, .. } => self.forgotten(gone).map(|(count, bytes)| (Done::Gone(count), bytes)),
        };
        match made {
            Ok((done, bytes)) => {
                self.work.passed(done);
                Some(Ok(bytes))
            }
            Err(error) => {
                self.work.give_up(&error);
                Some(Err(error))
            }
        }
    }
}

/// What a message has told.
enum Done {
    Buckets(usize),
    Part(usize),
    Devices(usize),
    Gone(usize),
}

impl Work {
    fn passed(&mut self, done: Done) {
        match (self, done) {
            (Work::Buckets { left, .. }, Done::Buckets(count)) => drop(left.drain(..count)),
            (Work::Buckets { left, part }, Done::Part(count)) => {
                *part += 1;
                let Some((_, devices)) = left.front_mut() else { return };
                devices.drain(..count);
                if devices.is_empty() {
                    (*part, _) = (0, left.pop_front());
                }
            }
            (Work::Changes { devices, .. }, Done::Devices(count)) => drop(devices.drain(..count)),
            (Work::Changes { gone, .. }, Done::Gone(count)) => drop(gone.drain(..count)),
            _ => {}
        }
    }

    /// Past the one that is too large; past everything where nothing can be made at all.
    fn give_up(&mut self, error: &NotMade) {
        let large = matches!(error, NotMade::TooLarge(TooLarge { .. }));
        match self {
            Work::Buckets { left, part } => match left.front_mut() {
                Some((_, devices)) if large && devices.len() > 1 => {
                    devices.remove(0);
                    // Its bucket is told in parts now, and never called whole: somebody is missing in it.
                    *part += u32::from(*part == 0);
                }
                Some(_) if large => (*part, _) = (0, left.pop_front()),
                _ => left.clear(),
            },
            Work::Changes { devices, gone } => match large && devices.pop_front().is_some() {
                true => {}
                false => gone.clear(),
            },
        }
    }
}

impl Piece {
    pub fn read(bytes: &[u8], form: Form) -> Result<Piece, BadMessage> {
        Ok(serde_json::from_value(tree_of(bytes, form)?)?)
    }
}
