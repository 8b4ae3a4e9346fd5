//! Keeping a device off for a time, and leaving it to people for a time. Both last over restarts.

use crate::model::*;

use super::step::Step;
use super::{Engine, record};

impl Engine {
    pub(super) fn block(&mut self, now: &Now, no: DeviceNo, until: Wall, step: &mut Step) -> Result<(), String> {
        todo!()
    }

    pub(super) fn unblock(&mut self, now: &Now, no: DeviceNo, step: &mut Step) -> Result<(), String> {
        todo!()
    }

    pub(super) fn maintain(
        &mut self,
        now: &Now,
        no: DeviceNo,
        by: &Name,
        until: Option<Wall>,
        off: bool,
        step: &mut Step,
    ) -> Result<(), String> {
        todo!()
    }
}
