//! The life of a device, as administrators decide it: accepted, refused, in quarantine, retired, and at last forgotten.

use crate::model::*;

use super::step::Step;
use super::{Engine, record};

impl Engine {
    pub(super) fn accept_device(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        self.set_life(now, no, LifeCycle::Managed, step);
        Ok(())
    }

    pub(super) fn refuse_device(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        self.set_life(now, no, LifeCycle::Refused, step);
        Ok(())
    }

    pub(super) fn quarantine(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        todo!()
    }

    pub(super) fn release(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        todo!()
    }

    pub(super) fn retire(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        todo!()
    }

    fn set_life(&mut self, now: &Now, no: DeviceNo, life: LifeCycle, step: &mut Step) {
        let Some(entry) = self.registry.get(no) else { return };
        if entry.device.life == life {
            return;
        }
        let device = Device { life, ..entry.device.as_ref().clone() };
        step.changes.push(record(now, no, Record::DeviceLife { device: device.id.clone(), life }));
        self.change_device(now, device, step);
    }
}
