//! Whether a device may be asked for an operation at all, as it stands now.
//!
//! Its life cycle decides first, then its flags. What the gateway does without the device goes almost always, for it is
//! how a device gets out of each of these.

use std::time::Duration;

use crate::model::device::{MOST_INACTIVE, Maintenance};
use crate::model::*;

use super::Engine;

/// What a device that is switched off as a whole may be asked for.
const WHILE_INACTIVE: [OperationKind; 5] = [
    OperationKind::Activate,
    OperationKind::Restart,
    OperationKind::FactoryReset,
    OperationKind::Erase,
    OperationKind::Probe,
];

impl Engine {
    pub(super) fn eligible(
        &self,
        now: &Now,
        by: &Principal,
        device: &Device,
        operation: &Operation,
    ) -> Result<(), Refusal> {
        if let Some(other) = device.merged {
            let other = self.registry.get(other).map_or_else(|| other.to_string(), |entry| entry.device.id.to_string());
            return Err(Refusal::TooLate(format!("{} is {other} now; ask that one", device.id)));
        }
        if !operation.by_gateway() {
            self.takes_commands(device, operation.kind())?;
            if let Some(until) = &device.blocked {
                let left = spell(until.end(now).since(now.mono));
                let says = format!("{} is blocked for another {left}; unblock it first", device.id);
                return Err(Refusal::TooLate(says));
            }
        }
        if let Some(maintenance) = &device.maintenance {
            may_change(now, by, device, maintenance, operation)?;
        }
        if operation.by_gateway() { Ok(()) } else { is_switched_on(device, operation) }
    }

    fn takes_commands(&self, device: &Device, kind: OperationKind) -> Result<(), Refusal> {
        let (id, life) = (&device.id, device.life);
        match life {
            LifeCycle::Managed => Ok(()),
            LifeCycle::Quarantined if self.settings.quarantine.has(kind) => Ok(()),
            LifeCycle::Quarantined => {
                let allowed = list(self.settings.quarantine.kinds());
                Err(Refusal::TooLate(format!(
                    "{id} is in quarantine, where it may be asked for {allowed}; release it first"
                )))
            }
            LifeCycle::Pending | LifeCycle::Refused | LifeCycle::Retired => {
                Err(Refusal::TooLate(format!("{id} is {life}; only a managed device takes commands")))
            }
        }
    }
}

/// While people work on it, others may look, and say that the work is over or goes on.
fn may_change(
    now: &Now,
    by: &Principal,
    device: &Device,
    maintenance: &Maintenance,
    operation: &Operation,
) -> Result<(), Refusal> {
    let kind = operation.kind();
    if by.local || kind.only_reads() || kind == OperationKind::Maintenance {
        return Ok(());
    }
    let (id, who) = (&device.id, &maintenance.by);
    let since = spell(Duration::from_millis(match maintenance.since.boot == now.boot {
        true => now.mono.0.saturating_sub(maintenance.since.mono.0),
        false => now.wall.0.saturating_sub(maintenance.since.wall.0),
    }));
    let says = format!("{id} is worked on by {who}, for {since} now; meanwhile only who is on the spot may {kind} it");
    Err(Refusal::Busy(says))
}

fn is_switched_on(device: &Device, operation: &Operation) -> Result<(), Refusal> {
    let (id, kind) = (&device.id, operation.kind());
    if device.is_inactive() && !WHILE_INACTIVE.contains(&kind) {
        let allowed = list(WHILE_INACTIVE.into_iter());
        return Err(Refusal::TooLate(format!("{id} is switched off, so it takes only {allowed}; activate it first")));
    }
    match operation {
        Operation::Deactivate { part } if device.inactive.len() >= MOST_INACTIVE && !device.inactive.contains(part) => {
            Err(Refusal::Busy(format!("{MOST_INACTIVE} parts of {id} are switched off already; activate one of them")))
        }
        _ => Ok(()),
    }
}

fn list(kinds: impl Iterator<Item = OperationKind>) -> String {
    let names: Vec<String> = kinds.map(OperationKind::name).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// To whole units, the shortest that say enough.
fn spell(span: Duration) -> String {
    match span.as_secs() {
        s @ ..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}
