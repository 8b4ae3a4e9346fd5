//! What administrators say of a device: its name, its groups, what is known of it.

use crate::model::*;

use super::step::Step;
use super::{Engine, record};

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
        now: &Now,
        no: DeviceNo,
        add: &[Name],
        remove: &[Name],
        step: &mut Step,
    ) -> Result<(), String> {
        todo!()
    }

    pub(super) fn describe(&mut self, now: &Now, no: DeviceNo, about: &About, step: &mut Step) -> Result<(), String> {
        todo!()
    }
}
