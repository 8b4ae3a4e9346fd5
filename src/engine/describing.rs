//! What administrators say of a device: its name, its groups, what is known of it.

use std::sync::Arc;

use crate::model::about::LocationSource;
use crate::model::registration::MOST_GROUPS;
use crate::model::*;

use super::Engine;
use super::step::Step;

impl Engine {
    pub(super) fn rename(&mut self, _now: &Now, no: DeviceNo, name: &Name, step: &mut Step) -> Result<(), String> {
        if let Some(entry) = self.registry.get(no) {
            let device = Device { name: Some(name.clone()), ..entry.device.as_ref().clone() };
            self.store_device(device, step);
        }
        Ok(())
    }

    pub(super) fn group(
        &mut self,
        _now: &Now,
        no: DeviceNo,
        add: &[Name],
        remove: &[Name],
        step: &mut Step,
    ) -> Result<(), String> {
        let Some(entry) = self.registry.get(no) else { return Ok(()) };
        self.take_by_hand(add)?;
        let mut device = entry.device.as_ref().clone();
        device.groups.retain(|group| !remove.contains(group));
        add_groups(&mut device.groups, add)?;
        if device.groups != entry.device.groups {
            self.store_device(device, step);
        }
        Ok(())
    }

    pub(super) fn describe(&mut self, now: &Now, no: DeviceNo, about: &About, step: &mut Step) -> Result<(), String> {
        about.check()?;
        if !about.is_empty() {
            step.changes.push(Change::About { device: no, about: Arc::new(dated(about.clone(), now, true)) });
            self.registry.touch(no, &mut self.touched.devices);
        }
        Ok(())
    }
}

/// Sorted, and none twice.
pub fn add_groups(groups: &mut Vec<Name>, add: &[Name]) -> Result<(), String> {
    groups.extend_from_slice(add);
    groups.sort();
    groups.dedup();
    match groups.len() {
        0..=MOST_GROUPS => Ok(()),
        many => Err(format!("a device is in at most {MOST_GROUPS} groups; these would be {many}")),
    }
}

/// With where the location is from, and since when it was so.
pub fn dated(mut about: About, now: &Now, by_administrator: bool) -> About {
    if !by_administrator {
        // Nobody gives itself a level.
        (about.security, about.access) = (None, None);
    }
    if let Some(location) = &mut about.location {
        location.source = match (by_administrator, location.source) {
            (true, _) => LocationSource::Administrator,
            (false, LocationSource::Network) => LocationSource::Network,
            (false, _) => LocationSource::Device,
        };
        if location.at == Wall(0) {
            location.at = now.wall;
        }
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::about::Location;

    #[test]
    fn groups_are_sorted_and_bounded() {
        let names = |texts: &[&str]| texts.iter().map(|text| Name::new(text).unwrap()).collect::<Vec<Name>>();
        let mut groups = names(&["b"]);
        assert_eq!(add_groups(&mut groups, &names(&["c", "a", "b"])), Ok(()));
        assert_eq!(groups, names(&["a", "b", "c"]));
        let many: Vec<Name> = (0..MOST_GROUPS).map(|n| Name::new(&format!("g{n}")).unwrap()).collect();
        assert!(add_groups(&mut groups, &many).is_err());
    }

    #[test]
    fn a_device_does_not_speak_for_an_administrator() {
        let now = Now { wall: Wall(77), ..Now::default() };
        let location = |source, at| Location { place: Some("hall".into()), position: None, source, at: Wall(at) };
        let about = |source, at| About { location: Some(location(source, at)), ..About::default() };
        use LocationSource::*;
        assert_eq!(dated(about(Administrator, 0), &now, false), about(Device, 77));
        assert_eq!(dated(about(Network, 5), &now, false), about(Network, 5));
        assert_eq!(dated(about(Device, 0), &now, true), about(Administrator, 77));
        let levels = || About { security: Some(7), access: Some(7), ..About::default() };
        assert_eq!(dated(levels(), &now, false), About::default());
        assert_eq!(dated(levels(), &now, true), levels());
    }
}
