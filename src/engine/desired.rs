//! What points shall be: kept, written once for each version, and shown where the device differs.

use crate::model::*;

use super::step::Step;
use super::{Engine, record};

impl Engine {
    pub(super) fn desire(
        &mut self,
        now: &Now,
        no: DeviceNo,
        by: &Name,
        point: &PointPath,
        value: Option<&Value>,
        version: Option<u64>,
        step: &mut Step,
    ) -> Result<(), String> {
        todo!()
    }
}
