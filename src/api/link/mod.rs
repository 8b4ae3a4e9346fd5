//! One link: how it is and what its units do; and the doors for engineers to its wire: [`trace`], [`raw`], [`release`].
//!
//! Invariant: whoever comes to a wire has every device of its link in scope, for a wire tells of all of them; and each time
//! somebody does, a record of *vital* says who and what.

pub mod raw;
pub mod release;
pub mod trace;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::ask::Word;
use super::caller::Caller;
use super::fault::Fault;
use super::shown::{BusShown, LentShown, LinkShown, UnitShown};
use super::tag::At;
use super::{Door, Here, cut};
use crate::links::modbus::bus::Standing;
use crate::links::modbus::bus::count::Counts;
use crate::links::wires::{Lent, Wire};
use crate::model::device::DeviceNow;
use crate::model::operation::GatewayKind;
use crate::model::{Audit, Came, Mono, Name};
use crate::nearest::nearest;
use crate::view::{LinkNow, LinkState};

pub async fn show(State(door): Here, caller: Caller, Word(word): Word) -> Result<At<LinkShown>, Fault> {
    let (known, devices) = door.link(&caller, &word)?;
    let now = door.now();
    let link = shown(&door, &known, &devices, now.mono);
    let bus = door.wires.of(&known.name).map(|wire| bus(&wire, &devices, caller.reach.covers(&known.name)));
    Ok(At(now, LinkShown { bus, ..link }))
}

/// With as many devices of it as there are among these.
pub fn shown(door: &Door, link: &LinkNow, all: &[Arc<DeviceNow>], now: Mono) -> LinkShown {
    let (state, reason) = match &link.state {
        LinkState::Starting => ("starting", None),
        LinkState::Up => ("up", None),
        LinkState::Down(why) => ("down", Some(why.clone())),
    };
    LinkShown {
        name: link.name.clone(),
        driver: link.driver.into(),
        state: state.into(),
        reason,
        since: now.since(link.since).as_secs_f64(),
        strained: link.strained.clone(),
        devices: all.iter().filter(|device| is_on(device, &link.name)).count(),
        rejected: link.rejected,
        dropped: link.dropped,
        lent: door.wires.of(&link.name).and_then(|wire| wire.lent()).map(lent_shown),
        bus: None,
    }
}

fn is_on(device: &DeviceNow, link: &Name) -> bool {
    device.device.place.as_ref().is_some_and(|place| place.link == *link)
}

fn lent_shown(Lent { by, time, left }: Lent) -> LentShown {
    LentShown { by, seconds: time.as_secs_f64(), left: left.as_secs_f64() }
}

/// Of units: all, or those of these devices.
fn bus(wire: &Wire, devices: &[Arc<DeviceNow>], all: bool) -> BusShown {
    let place = match &*wire.bus.standing().borrow() {
        Standing::Open { place } => Some(place.clone()),
        _ => None,
    };
    let load = wire.bus.load();
    let units = wire.bus.counts().into_iter().map(|(unit, counts)| unit_shown(unit, counts, devices));
    let units = units.filter(|unit| all || unit.device.is_some()).collect();
    BusShown { place, load: load.per_cent(), load_of: load.of.as_secs_f64(), units }
}

fn unit_shown(unit: u8, counts: Counts, devices: &[Arc<DeviceNow>]) -> UnitShown {
    let address = unit.to_string();
    let is_there =
        |known: &&Arc<DeviceNow>| known.device.place.as_ref().is_some_and(|at| at.address.as_str() == address);
    let answered = u32::try_from(counts.answered).unwrap_or(u32::MAX);
    let seconds = |of: std::time::Duration| (answered > 0).then_some(of.as_secs_f64());
    UnitShown {
        unit,
        device: devices.iter().find(is_there).map(|known| known.device.id.clone()),
        requests: counts.asked,
        answers: counts.answered,
        exceptions: counts.exceptions,
        silent: counts.silent,
        wrong: counts.checksum + counts.odd,
        lost: counts.lost,
        last: seconds(counts.round),
        mean: seconds(counts.rounds / answered.max(1)),
        slowest: seconds(counts.slowest),
    }
}

impl Door {
    /// A link of which somebody may know, and the devices on it that are in scope.
    fn link(&self, caller: &Caller, word: &str) -> Result<(LinkNow, Vec<Arc<DeviceNow>>), Fault> {
        let health = self.view.health();
        let on = |link: &Name| {
            self.view.devices_that(|device| is_on(device, link) && caller.reach.sees(device), None, usize::MAX)
        };
        if let Some(known) = health.links.iter().find(|known| known.name.as_str() == word) {
            let devices = on(&known.name);
            if !devices.is_empty() || caller.reach.covers(&known.name) {
                return Ok((known.clone(), devices));
            }
        }
        let visible = |known: &&LinkNow| caller.reach.covers(&known.name) || !on(&known.name).is_empty();
        let names: Vec<&str> = health.links.iter().filter(visible).map(|known| known.name.as_str()).collect();
        Err(no_link(word, &names))
    }

    /// The wire of a link, for who may do this with it.
    async fn wire(&self, caller: &Caller, word: &str, kind: GatewayKind) -> Result<(Name, Arc<Wire>), Fault> {
        let (LinkNow { name, driver, .. }, _) = self.link(caller, word)?;
        self.must_on(caller, &name, kind).await?;
        match self.wires.of(&name) {
            Some(wire) => Ok((name, wire)),
            None if driver.starts_with("modbus") => Err(Fault::busy(
                format!("link {name} does not run at the moment"),
                "dmgw link show tells why; ask again",
            )),
            None => {
                let says = format!("link {name} is of driver {driver}, and has no wire that can be looked at");
                let hint = "links over Modbus have one: dmgw link list shows the drivers";
                Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "unsupported", says, hint))
            }
        }
    }

    async fn must_on(&self, caller: &Caller, link: &Name, kind: GatewayKind) -> Result<(), Fault> {
        if caller.reach.may_on(kind, link) {
            return Ok(());
        }
        let says = match caller.reach.may_gateway(kind) {
            true => format!(
                "{} may not do this ({kind}): it takes all devices of link {link} in scope",
                caller.principal.name
            ),
            false => format!("{} may not do this ({kind}): it takes a higher role", caller.principal.name),
        };
        let refused = Came::Refused(says.clone());
        self.audit(Audit::new(&caller.principal, kind.to_string(), Some(link.to_string()), refused)).await;
        Err(Fault::not_allowed(says))
    }
}

fn no_link(word: &str, names: &[&str]) -> Fault {
    let hint = match nearest(word, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => {
            "the settings have no link; dmgw config explain link tells how one is written".into()
        }
        None => format!("there are {}", names.join(", ")),
    };
    Fault::not_found(format!("there is no link {}", cut(word)), hint)
}
