//! What selectors say of devices: in which groups each is, whom an ask means, whom a rule of admission is about.
//!
//! A device is looked at anew when a fact of it changed, never because it was heard.

use std::sync::Arc;

use crate::access::{May, Reach};
use crate::model::device::DeviceNow;
use crate::model::event::Operate;
use crate::model::*;
use crate::nearest::nearest;
use crate::selector::{Facts, For, Holds, Selector};

use super::step::Step;
use super::{Engine, GroupRule};

impl Engine {
    /// Takes over what the step says of devices, and looks in which groups they are now.
    pub(super) fn learn(&mut self, now: &Now, step: &mut Step) {
        for change in &step.changes {
            if let Change::About { device, about } = change
                && self.registry.know(*device, about)
            {
                self.kinds.anew.insert(*device);
                self.regroup.insert(*device);
            }
        }
        self.match_anew(now, step);
        self.regroup.extend(step.changes.iter().filter_map(|change| match change {
            Change::Device(device) => Some(device.no),
            _ => None,
        }));
        for no in std::mem::take(&mut self.regroup) {
            self.group_anew(no);
        }
    }

    /// The groups are others, or the start knows none yet.
    pub(super) fn group_all(&mut self) {
        self.regroup.clear();
        for no in self.registry.numbers().collect::<Vec<_>>() {
            self.group_anew(no);
        }
    }

    fn group_anew(&mut self, no: DeviceNo) {
        let Some(entry) = self.registry.get(no) else { return };
        let groups = self.dynamic_of(entry);
        if self.registry.set_dynamic(no, groups) {
            self.registry.touch(no, &mut self.touched.devices);
        }
    }

    /// The groups whose selectors hold. These are asked about groups that devices are put into, and no others: of those
    /// that rest on selectors none could come first, and the settings let none be named.
    pub(super) fn dynamic_of(&self, entry: &DeviceNow) -> Arc<[Name]> {
        let facts = Facts { dynamic: &[], ..Facts::of(entry) };
        let groups = self.settings.groups.iter().filter(|group| group.of.holds(&facts) == Holds::Yes);
        groups.map(|group| group.name.clone()).collect()
    }

    /// Groups that rest on a selector.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, &Selector)> {
        self.settings.groups.iter().map(|rule| (&rule.name, &rule.of))
    }

    /// Nobody is put into a group that rests on a selector.
    pub(super) fn take_by_hand(&self, groups: &[Name]) -> Result<(), String> {
        let rule = self.settings.groups.iter().find(|rule| groups.contains(&rule.name));
        rule.map_or(Ok(()), |rule| {
            let GroupRule { name, of } = rule;
            Err(format!("group {name} rests on a selector, which alone says who is in it: {}", of.text()))
        })
    }

    /// Whom the ask means: those it names, those of its group, those for whom its selector holds.
    pub(super) fn meant(&self, by: &Principal, ask: &Operate) -> Result<Vec<DeviceId>, Refusal> {
        if let Some(group) = &ask.group {
            let found = self.those(by, ask, |entry| entry.is_in(group));
            return if found.is_empty() { Err(self.nobody_in(by, group)) } else { Ok(found) };
        }
        let Some(text) = &ask.of else { return Ok(ask.devices.clone()) };
        let selector = Selector::parse(text).map_err(|bad| Refusal::BadArgument(bad.told(text)))?;
        let found = self.those(by, ask, |entry| selector.fits(entry));
        let nobody = || Refusal::NotFound(format!("{text} holds for no device that may be asked"));
        if found.is_empty() { Err(nobody()) } else { Ok(found) }
    }

    /// In the order of their numbers. Whom the principal may not ask is not there for it, and who is not let in is asked
    /// for nothing but a decision.
    fn those(&self, by: &Principal, ask: &Operate, fits: impl Fn(&DeviceNow) -> bool) -> Vec<DeviceId> {
        let (kind, reach) = (ask.operation.kind(), Reach::of(by));
        let askable = |device: &Device| {
            device.merged.is_none()
                && (ask.operation.by_gateway() || matches!(device.life, LifeCycle::Managed | LifeCycle::Quarantined))
        };
        let all = self.registry.numbers().filter_map(|no| self.registry.get(no));
        let those = all.filter(|entry| askable(&entry.device) && reach.may(kind, entry) == May::Yes && fits(entry));
        those.map(|entry| entry.device.id.clone()).collect()
    }

    fn nobody_in(&self, by: &Principal, group: &Name) -> Refusal {
        let reach = Reach::of(by);
        let of_all = self.settings.groups.iter().map(|group| &group.name).filter(|_| reach.is_whole());
        let all = self.registry.numbers().filter_map(|no| self.registry.get(no)).filter(|entry| reach.sees(entry));
        let known: Vec<&Name> =
            of_all.chain(all.flat_map(|entry| entry.device.groups.iter().chain(entry.dynamic.iter()))).collect();
        let meant =
            nearest(group.as_str(), known.iter().map(|name| name.as_str()).filter(|name| *name != group.as_str()));
        let meant = meant.map_or_else(String::new, |near| format!("; {near} was meant?"));
        Refusal::NotFound(format!("no device that may be asked is in group {group}{meant}"))
    }
}

/// Whether a rule is about a device that would join like this.
pub(super) fn is_about(rule: &Option<For>, would_be: &DeviceNow) -> bool {
    rule.as_ref().is_none_or(|For(selector)| selector.fits(would_be))
}
