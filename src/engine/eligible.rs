//! Whether a device may be asked for an operation at all, as it stands now.

use crate::model::*;

use super::Engine;

impl Engine {
    pub(super) fn eligible(
        &self,
        _now: &Now,
        _by: &Principal,
        device: &Device,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        if !operation.by_gateway() && device.life != LifeCycle::Managed {
            let (id, life) = (&device.id, device.life);
            return Err(Refusal::TooLate(format!("{id} is {life}; only a managed device takes commands")));
        }
        Ok(())
    }
}
