//! What waits for each device, and which of it could go next.
//!
//! A device has one command under way at a time. Of a device that has none the first that waits stands in `ready`; if
//! nothing of it may go yet the device is parked, out of the way of others, until somebody looks at it again. So each
//! step costs a look-up, however many devices wait.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::command::Priority;
use crate::model::*;

/// Which goes first: by priority, then in the order of acceptance.
pub type Rank = (Reverse<Priority>, CommandNo);

#[derive(Default)]
pub struct Queues {
    queues: BTreeMap<DeviceNo, BTreeSet<Rank>>,
    /// One of each queue whose device has nothing under way and is not parked.
    ready: BTreeSet<(LinkNo, Rank, DeviceNo)>,
    listed: BTreeMap<DeviceNo, (LinkNo, Rank)>,
    /// What each device has under way, and on which link.
    flying: BTreeMap<DeviceNo, (CommandNo, LinkNo)>,
    /// Nothing of these may go now; true: look again when the device is heard.
    parked: BTreeMap<DeviceNo, bool>,
}

impl Queues {
    pub fn add(&mut self, device: DeviceNo, rank: Rank, link: Option<LinkNo>) {
        self.queues.entry(device).or_default().insert(rank);
        self.list(device, link);
    }

    pub fn remove(&mut self, device: DeviceNo, rank: Rank, link: Option<LinkNo>) {
        if let Some(queue) = self.queues.get_mut(&device) {
            queue.remove(&rank);
            if queue.is_empty() {
                self.queues.remove(&device);
            }
        }
        self.list(device, link);
    }

    /// In the order in which they should go.
    pub fn of(&self, device: DeviceNo) -> impl Iterator<Item = Rank> + '_ {
        self.queues.get(&device).into_iter().flatten().copied()
    }

    pub fn waiting_for(&self, device: DeviceNo) -> usize {
        self.queues.get(&device).map_or(0, BTreeSet::len)
    }

    /// Brings the device's place among the ready ones up to date, with the first that waits.
    pub fn list(&mut self, device: DeviceNo, link: Option<LinkNo>) {
        let first = self.of(device).next();
        self.parked.remove(&device);
        self.list_as(device, link, first);
    }

    /// The same, with the one that shall go instead of the first.
    pub fn list_as(&mut self, device: DeviceNo, link: Option<LinkNo>, rank: Option<Rank>) {
        if let Some((link, rank)) = self.listed.remove(&device) {
            self.ready.remove(&(link, rank, device));
        }
        if let (Some(rank), Some(link), false) = (rank, link, self.flying.contains_key(&device)) {
            self.ready.insert((link, rank, device));
            self.listed.insert(device, (link, rank));
        }
    }

    pub fn park(&mut self, device: DeviceNo, until_heard: bool) {
        self.list_as(device, None, None);
        self.parked.insert(device, until_heard);
    }

    pub fn waits_to_be_heard(&self, device: DeviceNo) -> bool {
        self.parked.get(&device) == Some(&true)
    }

    pub fn next_ready(&self, link: LinkNo) -> Option<(DeviceNo, Rank)> {
        let first = (link, (Reverse(Priority::High), CommandNo(0)), DeviceNo(0));
        let (of, rank, device) = self.ready.range(first..).next()?;
        (*of == link).then_some((*device, *rank))
    }

    pub fn take_off(&mut self, device: DeviceNo, no: CommandNo, link: LinkNo) {
        self.flying.insert(device, (no, link));
    }

    /// Whatever the device has under way, if it is this command it has it no longer.
    pub fn land(&mut self, device: DeviceNo, no: CommandNo) {
        if self.flying.get(&device).is_some_and(|(flying, _)| *flying == no) {
            self.flying.remove(&device);
        }
    }

    pub fn flying(&self, device: DeviceNo) -> Option<(CommandNo, LinkNo)> {
        self.flying.get(&device).copied()
    }

    pub fn flying_on(&self, link: LinkNo) -> Vec<CommandNo> {
        self.flying.values().filter(|(_, on)| *on == link).map(|(no, _)| *no).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Option<LinkNo> = Some(LinkNo(0));

    fn rank(priority: Priority, no: u64) -> Rank {
        (Reverse(priority), CommandNo(no))
    }

    #[test]
    fn the_best_rank_of_all_devices_is_next() {
        let mut queues = Queues::default();
        queues.add(DeviceNo(1), rank(Priority::Normal, 1), LINK);
        queues.add(DeviceNo(2), rank(Priority::Low, 2), LINK);
        queues.add(DeviceNo(2), rank(Priority::High, 3), LINK);
        queues.add(DeviceNo(3), rank(Priority::High, 4), Some(LinkNo(1)));
        assert_eq!(queues.next_ready(LinkNo(0)), Some((DeviceNo(2), rank(Priority::High, 3))));
        queues.take_off(DeviceNo(2), CommandNo(3), LinkNo(0));
        queues.remove(DeviceNo(2), rank(Priority::High, 3), LINK);
        assert_eq!(queues.next_ready(LinkNo(0)), Some((DeviceNo(1), rank(Priority::Normal, 1))));
        queues.land(DeviceNo(2), CommandNo(9));
        assert_eq!(queues.flying(DeviceNo(2)), Some((CommandNo(3), LinkNo(0))));
    }

    #[test]
    fn a_parked_device_is_in_nobodys_way_until_somebody_looks_again() {
        let mut queues = Queues::default();
        queues.add(DeviceNo(1), rank(Priority::High, 1), LINK);
        queues.add(DeviceNo(2), rank(Priority::Low, 2), LINK);
        queues.park(DeviceNo(1), true);
        assert!(queues.waits_to_be_heard(DeviceNo(1)));
        assert_eq!(queues.next_ready(LinkNo(0)), Some((DeviceNo(2), rank(Priority::Low, 2))));
        queues.list(DeviceNo(1), LINK);
        assert!(!queues.waits_to_be_heard(DeviceNo(1)));
        assert_eq!(queues.next_ready(LinkNo(0)), Some((DeviceNo(1), rank(Priority::High, 1))));
    }
}
