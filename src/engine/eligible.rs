//! Whether a device may be asked for an operation at all, as it stands now.
//!
//! Its life cycle decides first, then its flags. What the gateway does without the device goes almost always, for it is
//! how a device gets out of each of these.

use std::time::Duration;

use crate::model::device::{MOST_INACTIVE, Maintenance};
use crate::model::*;

use super::Engine;

/// What a device that is switched off as a whole may be asked for.
pub const WHILE_INACTIVE: [OperationKind; 5] = [
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
        self.goes_by_its_own_id(device)?;
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

    /// What was accepted may have waited for a device that takes no such commands any more.
    pub(super) fn still_takes(&self, no: DeviceNo, command: CommandNo) -> Result<(), Refusal> {
        let (Some(entry), Some(command)) = (self.registry.get(no), self.commands.get(command)) else { return Ok(()) };
        self.goes_by_its_own_id(&entry.device)?;
        self.takes_commands(&entry.device, command.operation.kind())
    }

    fn goes_by_its_own_id(&self, device: &Device) -> Result<(), Refusal> {
        let Some(other) = device.merged else { return Ok(()) };
        let other = self.registry.get(other).map_or_else(|| other.to_string(), |entry| entry.device.id.to_string());
        Err(Refusal::TooLate(format!("{} is {other} now; ask that one", device.id)))
    }

    /// As it lives now.
    pub(super) fn may_be_asked(&self, device: &Device, kind: OperationKind) -> bool {
        match device.life {
            LifeCycle::Managed => true,
            LifeCycle::Quarantined => self.settings.quarantine.has(kind),
            LifeCycle::Pending | LifeCycle::Refused | LifeCycle::Retired => false,
        }
    }

    fn takes_commands(&self, device: &Device, kind: OperationKind) -> Result<(), Refusal> {
        let (id, life) = (&device.id, device.life);
        if self.may_be_asked(device, kind) {
            return Ok(());
        }
        Err(Refusal::TooLate(match life {
            LifeCycle::Quarantined => {
                let allowed = list(self.settings.quarantine.kinds());
                format!("{id} is in quarantine, where it may be asked for {allowed}; release it first")
            }
            _ => format!("{id} is {life}; only a managed device takes commands"),
        }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Settings;

    fn now() -> Now {
        Now { mono: Mono(500_000), boot: Boot(1), wall: Wall(9_000_000), quality: ClockQuality::Set }
    }

    fn device(no: u32, life: LifeCycle) -> Device {
        let id = DeviceId::new(&format!("urn:x:{no}")).unwrap();
        Device::new(DeviceNo(no), id, life, &now())
    }

    fn read() -> Operation {
        Operation::Read { points: vec!["a.b".parse().unwrap()] }
    }

    /// Asked from afar, of the first of these devices.
    fn refusal(operation: &Operation, devices: &[Device]) -> Option<String> {
        let state = State { devices: devices.iter().cloned().map(Into::into).collect(), ..State::default() };
        let (engine, _) = Engine::load(Settings::default(), state, &now());
        let by = Principal { local: false, ..Principal::local_root() };
        engine.eligible(&now(), &by, &devices[0], operation).err().map(|refusal| refusal.to_string())
    }

    #[test]
    fn who_goes_on_as_another_says_as_which() {
        let merged = Device { merged: Some(DeviceNo(1)), ..device(0, LifeCycle::Managed) };
        let both = [merged, device(1, LifeCycle::Managed)];
        for operation in [read(), Operation::Unblock] {
            assert_eq!(refusal(&operation, &both), Some("urn:x:0 is urn:x:1 now; ask that one".into()));
        }
    }

    #[test]
    fn what_the_gateway_does_alone_goes_in_every_life() {
        for life in [LifeCycle::Pending, LifeCycle::Refused, LifeCycle::Retired, LifeCycle::Quarantined] {
            assert_eq!(refusal(&Operation::Accept, &[device(0, life)]), None);
        }
        let says = refusal(&read(), &[device(0, LifeCycle::Retired)]);
        assert_eq!(says, Some("urn:x:0 is retired; only a managed device takes commands".into()));
    }

    #[test]
    fn in_quarantine_only_what_the_settings_allow() {
        let device = [device(0, LifeCycle::Quarantined)];
        assert_eq!(refusal(&read(), &device), None);
        assert!(refusal(&Operation::Lock, &device).unwrap().contains("may be asked for read, "));
    }

    #[test]
    fn a_blocked_device_says_for_how_long() {
        let blocked = Some(Until::after(&now(), Duration::from_secs(7_200)));
        let device = [Device { blocked, ..device(0, LifeCycle::Managed) }];
        assert_eq!(refusal(&read(), &device), Some("urn:x:0 is blocked for another 2 h; unblock it first".into()));
        assert_eq!(refusal(&Operation::Unblock, &device), None);
    }

    #[test]
    fn while_people_work_on_it_others_only_look() {
        let since = Now { mono: Mono(0), ..now() };
        let by = Name::new("ann").unwrap();
        let maintenance = Some(Maintenance { by, since, until: None });
        let device = [Device { maintenance, ..device(0, LifeCycle::Managed) }];
        assert_eq!(refusal(&read(), &device), None);
        assert_eq!(refusal(&Operation::Maintenance { until: None, span: None, off: true }, &device), None);
        let says = refusal(&Operation::Unblock, &device).unwrap();
        assert!(says.contains("worked on by ann, for 8 min now"), "{says}");
    }

    #[test]
    fn a_device_that_is_off_can_be_switched_on() {
        let off = [Device { inactive: vec![Part::Device], ..device(0, LifeCycle::Managed) }];
        assert!(refusal(&read(), &off).unwrap().contains("takes only activate, restart,"));
        assert_eq!(refusal(&Operation::Activate { part: Part::Device }, &off), None);
        assert_eq!(refusal(&Operation::Accept, &off), None);
    }

    #[test]
    fn the_parts_that_are_off_are_bounded() {
        let part = |no: usize| Part::Component(Name::new(&format!("part-{no}")).unwrap());
        let full = [Device { inactive: (0..MOST_INACTIVE).map(part).collect(), ..device(0, LifeCycle::Managed) }];
        let off = |no| Operation::Deactivate { part: part(no) };
        assert_eq!(refusal(&off(1), &full), None);
        assert!(refusal(&off(MOST_INACTIVE), &full).unwrap().contains("activate one of them"));
    }
}
