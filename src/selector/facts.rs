//! The facts of one device, borrowed from where they are kept, and how each is read.
//!
//! What is not there is *missing*: `None`. A list is never missing, it is empty; a flag is set or not.

use std::fmt::Write;

use super::fact::{self, Fact};
use crate::model::device::DeviceNow;
use crate::model::{About, Capabilities, Connectivity, Device, Name};

#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub device: &'a Device,
    pub connectivity: Connectivity,
    pub about: Option<&'a About>,
    pub profile: Option<&'a str>,
    /// The groups whose selector holds for it, beside those that it was put into.
    pub dynamic: &'a [Name],
    pub capabilities: &'a Capabilities,
}

impl<'a> Facts<'a> {
    pub fn of(now: &'a DeviceNow) -> Facts<'a> {
        Facts {
            device: &now.device,
            connectivity: now.live.connectivity,
            about: now.about.as_deref(),
            profile: now.device.profile_name().map(Name::as_str),
            dynamic: &now.dynamic,
            capabilities: &now.capabilities,
        }
    }

    pub(super) fn text(&self, of: Fact) -> Option<&'a str> {
        let device = self.device;
        match of {
            Fact::Id => Some(device.id.as_str()),
            Fact::Name => device.name.as_ref().map(Name::as_str),
            Fact::Link => device.place.as_ref().map(|place| place.link.as_str()),
            Fact::Life => Some(fact::life(device.life)),
            Fact::Connectivity => Some(fact::connectivity(self.connectivity)),
            Fact::Profile => self.profile,
            Fact::Application => self.about?.application.as_deref(),
            Fact::Hardware => self.about?.hardware.as_deref(),
            Fact::Location => self.about?.location.as_ref()?.place.as_deref(),
            Fact::Power => self.about?.power.map(fact::power),
            _ => None,
        }
    }

    pub(super) fn number(&self, of: Fact) -> Option<i64> {
        let about = self.about?;
        match of {
            Fact::Security => about.security.map(i64::from),
            Fact::Access => about.access.map(i64::from),
            _ => None,
        }
    }

    pub(super) fn flag(&self, of: Fact) -> bool {
        let device = self.device;
        match of {
            Fact::Blocked => device.blocked.is_some(),
            Fact::Inactive => device.is_inactive(),
            Fact::Maintenance => device.maintenance.is_some(),
            Fact::Displaced => device.displaced,
            Fact::Keyed => device.keyed,
            _ => false,
        }
    }

    /// Of the labels or versions the one of that name.
    pub(super) fn entry(&self, of: Fact, name: &Name) -> Option<&'a str> {
        let about = self.about?;
        let table = if of == Fact::Label { &about.labels } else { &about.versions };
        table.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, of: Fact) -> bool {
        self.text(of).is_some() || self.number(of).is_some()
    }

    /// Shows the texts of a list to `found` until that says that it has seen enough. True where it did.
    pub(super) fn any(&self, of: Fact, found: &mut dyn FnMut(&str) -> bool) -> bool {
        let device = self.device;
        match of {
            Fact::Groups => device.groups.iter().chain(self.dynamic).any(|group| found(group.as_str())),
            Fact::Identities => {
                let mut text = String::new();
                device.identities.iter().any(|identity| {
                    text.clear();
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{identity}");
                    found(&text)
                })
            }
            Fact::Operations => self.capabilities.operations.kinds().any(|kind| found(fact::operation(kind))),
            Fact::Components => self.component_names(found),
            _ => false,
        }
    }

    /// Each name once where its points and instances stand together, which they do in all but odd profiles.
    fn component_names(&self, found: &mut dyn FnMut(&str) -> bool) -> bool {
        let points = self.capabilities.points.iter().map(|point| &point.path.component);
        let others = self.capabilities.components.iter().map(|component| &component.name);
        let mut last: Option<&Name> = None;
        points.chain(others).any(|name| {
            let again = last.is_some_and(|last| last.shares_copy_with(name));
            last = Some(name);
            !again && found(name.as_str())
        })
    }

    pub(super) fn count(&self, of: Fact) -> i64 {
        if of == Fact::Components {
            let mut names: Vec<Name> = self.capabilities.components().into_iter().map(|it| it.name).collect();
            names.dedup();
            return names.len() as i64;
        }
        let mut count = 0;
        self.any(of, &mut |_| {
            count += 1;
            false
        });
        count
    }
}
