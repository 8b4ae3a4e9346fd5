//! Who is who, as administrators know better: new hardware in the same place, two that are one, one that is two.

use crate::model::*;

use super::step::Step;
use super::{Engine, record};

impl Engine {
    pub(super) fn replace(
        &mut self,
        now: &Now,
        no: DeviceNo,
        identity: &Identity,
        step: &mut Step,
    ) -> Result<(), String> {
        todo!()
    }

    pub(super) fn merge(&mut self, now: &Now, no: DeviceNo, with: &DeviceId, step: &mut Step) -> Result<(), String> {
        todo!()
    }

    pub(super) fn split(
        &mut self,
        now: &Now,
        no: DeviceNo,
        identity: &Identity,
        step: &mut Step,
    ) -> Result<(), String> {
        todo!()
    }
}
