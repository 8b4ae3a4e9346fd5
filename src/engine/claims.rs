//! Claims: who says to be a device that is somewhere else.
//!
//! A device that is lost, or that proves better than before who it is, is taken where it shows itself. One that may
//! still be where it was is asked there first, and the claim waits: answers come only from the old place, so an impostor
//! cannot give them. What only one of two can be is decided by who answers, never by who speaks last.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::device::DeviceNow;
use crate::model::*;

use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

/// Claims that wait, one a device.
const MOST_CLAIMS: usize = 1_000;
/// Pairs of devices that were shown as one, and told.
const MOST_ALIKE: usize = 1_000;

#[derive(Default)]
pub struct Claims {
    open: BTreeMap<DeviceNo, Claim>,
    alike: BTreeSet<(DeviceNo, DeviceNo)>,
}

struct Claim {
    from: Place,
    link: LinkNo,
    /// Who it says to be. What it can do comes with its next sighting: many claims shall not take much memory.
    who: Sighting,
    at: Mono,
}

/// What showing a known identity at some place comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is the device, and it is there.
    There,
    /// It is there too, and needs not move.
    OneWay,
    /// It may be the device: the one at the old place is asked.
    Contested,
    /// The device has shown better who it is.
    Taken,
}

impl Engine {
    pub(super) fn judge(&self, entry: &DeviceNow, place: &Place, shown: Option<&Identity>) -> Stand {
        let (device, live) = (&entry.device, &entry.live);
        let Some(at) = device.is_at().filter(|at| *at != place) else { return Stand::There };
        let last = if live.connectivity == Connectivity::Unknown { device.was } else { live.connectivity };
        let lost = matches!(last, Connectivity::Silent | Connectivity::Gone);
        if !lost && device.ways.contains(place) {
            return Stand::OneWay;
        }
        let Some(shown) = shown.filter(|_| !lost && self.registry.link(&at.link).is_some()) else {
            return Stand::There;
        };
        let known = device.identities.iter().find(|identity| identity.same_as(shown));
        let stored = known.map(|identity| identity.proof).unwrap_or_default();
        match shown.proof.cmp(&stored) {
            std::cmp::Ordering::Greater if shown.proof >= Proof::Key => Stand::There,
            std::cmp::Ordering::Less => Stand::Taken,
            _ => Stand::Contested,
        }
    }

    /// Has the device asked where it was. False where too many claims wait.
    pub(super) fn contest(&mut self, now: &Now, link: LinkNo, no: DeviceNo, who: &Sighting, step: &mut Step) -> bool {
        if self.claims.open.contains_key(&no) {
            return true;
        }
        let from = self.registry.get(no).and_then(|entry| entry.device.is_at().cloned());
        let Some(from) = from.filter(|_| self.claims.open.len() < MOST_CLAIMS) else { return false };
        let who = Sighting::new(who.address.clone(), who.identities.clone(), None);
        let old = self.registry.link(&from.link);
        self.claims.open.insert(no, Claim { from, link, who, at: now.mono });
        self.timers.set(now.mono + self.settings.contest, Timer::Contest(no));
        if let Some(old) = old.filter(|old| self.links[usize::from(old.0)].up.is_some()) {
            self.order(now, old, LinkOrder::Probe { device: no }, step);
        }
        true
    }

    /// Time is up: who answered at the old place stays there.
    pub(super) fn contest_over(&mut self, now: &Now, no: DeviceNo, step: &mut Step) {
        let Some(Claim { from, link, who, at }) = self.claims.open.remove(&no) else { return };
        let Some(entry) = self.registry.get(no).cloned() else { return };
        if entry.device.is_at() != Some(&from) {
            return; // It has moved for another reason.
        }
        if entry.live.heard.is_none_or(|heard| heard <= at) {
            self.take_in(now, link, no, &who, step);
        } else if self.note(now, link, &who, Denial::Taken, step) {
            let (device, address) = (entry.device.id.clone(), who.address);
            let link = self.links[usize::from(link.0)].settings.name.clone();
            step.changes.push(record(now, no, Record::DeviceContested { device, link, address }));
        }
    }

    /// Says once that other devices show up as this one too.
    pub(super) fn alike(&mut self, now: &Now, no: DeviceNo, shown: &[Identity], step: &mut Step) {
        let Some(device) = self.registry.get(no).map(|entry| entry.device.id.clone()) else { return };
        for identity in shown {
            let other = self.registry.by_identity(identity).filter(|other| *other != no);
            let Some(other) = other.and_then(|other| self.registry.get(other)) else { continue };
            // What has a key is not claimed without it.
            let unproven = other.device.keyed && identity.proof < Proof::Key;
            let (other, pair) = (other.device.id.clone(), (no.min(other.device.no), no.max(other.device.no)));
            if !unproven && self.claims.alike.len() < MOST_ALIKE && self.claims.alike.insert(pair) {
                let device = device.clone();
                step.changes.push(record(now, no, Record::DeviceAlike { device, other }));
            }
        }
    }
}
