//! What the gateway does by itself about a fact. This is the seam where policies join: they will be evaluated over the
//! same facts, at the same place, and their decisions carried out by the same deeds.

use crate::model::*;

use super::Engine;
use super::step::Step;

/// Something became true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    LinkUp(LinkNo),
    DeviceSilent(DeviceNo),
}

/// Something the gateway may do without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Discover(LinkNo),
    Probe(DeviceNo),
}

/// The reactions that hold without any policy.
fn decide(fact: Fact) -> Deed {
    match fact {
        Fact::LinkUp(link) => Deed::Discover(link),
        Fact::DeviceSilent(device) => Deed::Probe(device),
    }
}

impl Engine {
    pub(super) fn react(&mut self, now: &Now, step: &mut Step) {
        for fact in std::mem::take(&mut self.facts) {
            self.carry_out(now, decide(fact), step);
        }
    }

    fn carry_out(&mut self, now: &Now, deed: Deed, step: &mut Step) {
        match deed {
            Deed::Discover(link) => self.order(now, link, LinkOrder::Discover, step),
            Deed::Probe(device) => {
                if let Some(link) = self.registry.link_of(device).filter(|_| self.may_probe(device)) {
                    self.order(now, link, LinkOrder::Probe { device }, step);
                }
            }
        }
    }

    /// Nothing is done by itself to a device that is kept off, worked on or switched off; and one that sleeps would not
    /// hear it.
    fn may_probe(&self, no: DeviceNo) -> bool {
        self.registry.get(no).is_some_and(|entry| {
            let device = &entry.device;
            let left_alone = device.blocked.is_some() || device.maintenance.is_some() || device.is_inactive();
            !left_alone && entry.capabilities.sleeps.is_none()
        })
    }
}
