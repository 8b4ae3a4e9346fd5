//! Which parts of a device are switched off. Pure.

use std::collections::BTreeSet;

use crate::model::{Component, Part, PointPath};

#[derive(Debug, Default)]
pub struct Switched {
    /// As a whole.
    pub off: bool,
    parts: BTreeSet<Component>,
}

impl Switched {
    pub fn is_on(&self, path: &PointPath) -> bool {
        let part = || Component { name: path.component.clone(), instance: path.instance };
        !self.off && (self.parts.is_empty() || !self.parts.contains(&part()))
    }

    /// `all` are the components that there are. What was switched off for itself stays off with its device.
    pub fn switch(&mut self, part: &Part, on: bool, all: &[Component]) {
        match part {
            Part::Device => self.off = !on,
            Part::Component(_) | Part::Instance(_) if on => self.parts.retain(|component| !is_in(component, part)),
            Part::Component(_) | Part::Instance(_) => {
                self.parts.extend(all.iter().filter(|component| is_in(component, part)).cloned());
            }
        }
    }
}

pub fn is_in(component: &Component, part: &Part) -> bool {
    match part {
        Part::Device => true,
        Part::Component(name) => component.name == *name,
        Part::Instance(instance) => component == instance,
    }
}

pub fn named(part: &Part) -> String {
    match part {
        Part::Device => "the device".into(),
        Part::Component(name) => name.to_string(),
        Part::Instance(Component { name, instance }) => format!("{name}.{instance}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    fn component(instance: u16) -> Component {
        Component { name: Name::new("relay").unwrap(), instance }
    }

    #[test]
    fn parts_go_off_and_on_at_all_three_depths() {
        let (mut switched, all) = (Switched::default(), [component(0), component(1)]);
        let relays =
            |switched: &Switched| ["relay.0.x", "relay.1.x"].map(|path| switched.is_on(&path.parse().unwrap()));
        switched.switch(&Part::Instance(component(1)), false, &all);
        assert_eq!(relays(&switched), [true, false]);
        switched.switch(&Part::Device, false, &all);
        assert_eq!(relays(&switched), [false, false]);
        switched.switch(&Part::Device, true, &all);
        assert_eq!(relays(&switched), [true, false], "what was off for itself stays off");
        switched.switch(&Part::Component(component(0).name), false, &all);
        switched.switch(&Part::Instance(component(0)), true, &all);
        assert_eq!(relays(&switched), [true, false]);
        switched.switch(&Part::Component(component(0).name), true, &all);
        assert_eq!(relays(&switched), [true, true]);
    }
}
