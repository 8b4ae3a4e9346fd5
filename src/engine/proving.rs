//! Success that is not believed: where a profile says how it is seen that an operation was carried out, a device that says
//! "done" is asked for that point until it shows it, or until the span for it is over.
//!
//! Meanwhile the command stays `sent` and nothing else goes to its device. Only reads are asked again. Where the device has
//! no such point, or somebody calls the command back, nobody will know: it is `unknown` at once. So it is after a restart,
//! as any that was sent.

use std::time::Duration;

use crate::model::*;
use crate::profile::Success;

use super::Engine;
use super::meaning::raw_points;
use super::step::Step;
use super::timers::Timer;

/// So many looks, spread over the span; and not more often than this.
const LOOKS: u32 = 20;
const SHORTEST: Duration = Duration::from_millis(500);

pub struct Check {
    success: Success,
    /// What the device said.
    outcome: Outcome,
    until: Mono,
    /// A read is under way, and must have ended by then.
    asked: Option<Mono>,
    /// What the point showed last.
    saw: Option<Value>,
}

impl Check {
    fn pause(&self) -> Duration {
        (self.success.within.0 / LOOKS).max(SHORTEST)
    }
}

impl Engine {
    /// True where it is looked whether what the device said is so.
    pub(super) fn is_doubted(
        &mut self,
        now: &Now,
        link: LinkNo,
        command: &Command,
        outcome: &Outcome,
        step: &mut Step,
    ) -> bool {
        let Some(device) = command.device().filter(|_| matches!(outcome, Outcome::Done(_))) else { return false };
        let kind = command.operation.kind();
        let wanted = self.kinds.shaped(device).and_then(|shaped| shaped.profile.operation.get(&kind));
        let Some(success) = wanted.and_then(|wanted| wanted.success.clone()) else { return false };
        let until = now.mono + success.within.0;
        let check = Check { success, outcome: outcome.clone(), until, asked: None, saw: None };
        self.kinds.checks.insert(command.no, check);
        self.show_proving(device, Some(&command.id));
        self.look(now, link, device, command.no, step);
        true
    }

    /// The device is asked for the point.
    fn look(&mut self, now: &Now, link: LinkNo, device: DeviceNo, no: CommandNo, step: &mut Step) {
        let Some(check) = self.kinds.checks.get_mut(&no) else { return };
        let within = check.success.within.0;
        self.timers.set((now.mono + check.pause()).min(check.until), Timer::Proof(no));
        let point = check.success.point.value.clone();
        if self.links[usize::from(link.0)].up.is_none() {
            return;
        }
        let points = match self.looked_at(device, &point) {
            Ok(points) => points,
            Err(why) => return self.not_seen(now, no, &why, step),
        };
        let deadline = now.mono + self.settings.command_timeout.min(within);
        if let Some(check) = self.kinds.checks.get_mut(&no) {
            check.asked = Some(deadline + self.settings.grace);
        }
        let operation = Operation::Read { points };
        self.order(now, link, LinkOrder::Perform { command: no, device, operation, deadline }, step);
    }

    /// The points of the device that show it.
    fn looked_at(&self, device: DeviceNo, point: &PointPath) -> Result<Vec<PointPath>, String> {
        let (Some(shaped), Some(entry)) = (self.kinds.shaped(device), self.registry.get(device)) else {
            return Err("its profile has gone since".into());
        };
        let raw = raw_points(shaped, std::slice::from_ref(point))?;
        match raw.iter().find(|path| entry.wire().point(path).is_none_or(|point| !point.access.reads())) {
            None if raw.is_empty() => Err(format!("there is no {point}")),
            None => Ok(raw),
            Some(raw) if raw == point => Err(format!("there is no {point} that can be read")),
            Some(raw) if entry.wire().point(raw).is_none() => {
                Err(format!("there is no {raw} of which {point} is made"))
            }
            Some(raw) => Err(format!("{raw} of which {point} is made cannot be read")),
        }
    }

    /// What came of a look.
    pub(super) fn looked(&mut self, now: &Now, device: DeviceNo, no: CommandNo, outcome: Outcome, step: &mut Step) {
        if matches!(outcome, Outcome::Done(_) | Outcome::Failed(_)) {
            self.answered(now, device, step);
        }
        let entry = self.registry.get(device).cloned();
        let given = match (outcome, entry) {
            (Outcome::Done(values), Some(entry)) => self.take_meant(now, &entry, values, step),
            _ => Vec::new(),
        };
        let Some(check) = self.kinds.checks.get_mut(&no) else { return };
        check.asked = None;
        let mut shown = false;
        for given in given {
            if let Some(seen) = check.success.seen(&given.path, &given.value, given.quality) {
                (shown, check.saw) = (seen, Some(given.value));
            }
        }
        if shown {
            let outcome = check.outcome.clone();
            self.update(no, |command| command.proven = Some(true));
            self.end(now, no, outcome.bounded(), step);
        } else if check.until <= now.mono {
            self.not_shown(now, no, step);
        } else {
            let next = (now.mono + check.pause()).min(check.until);
            self.timers.set(next, Timer::Proof(no));
        }
    }

    /// It is time to look again, or too late.
    pub(super) fn proof_due(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(check) = self.kinds.checks.get(&no) else { return };
        if check.until <= now.mono {
            return self.not_shown(now, no, step);
        }
        if let Some(asked) = check.asked.filter(|asked| *asked > now.mono) {
            return self.timers.set(asked.min(check.until), Timer::Proof(no));
        }
        let device = self.commands.get(no).and_then(|command| command.device());
        let Some((device, link)) = device.and_then(|no| Some((no, self.registry.link_of(no)?))) else {
            return self.timers.set(check.until, Timer::Proof(no));
        };
        self.look(now, link, device, no, step);
    }

    fn not_shown(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(check) = self.kinds.checks.get(&no) else { return };
        let point = &check.success.point.value;
        let Some(value) = &check.saw else {
            let why = format!("{point} could not be read to see whether it is so");
            return self.not_seen(now, no, &why, step);
        };
        let outcome = Outcome::Failed(format!("the device said done, but {point} shows {value}"));
        self.end(now, no, outcome.bounded(), step);
    }

    /// Nobody can say whether it was carried out.
    pub(super) fn not_seen(&mut self, now: &Now, no: CommandNo, why: &str, step: &mut Step) {
        self.end(now, no, Outcome::Lost(format!("the device said done, but {why}")).bounded(), step);
    }

    /// It has ended, whatever it was.
    pub(super) fn stop_proving(&mut self, command: &Command) {
        if let (Some(_), Some(device)) = (self.kinds.checks.remove(&command.no), command.device()) {
            self.show_proving(device, None);
        }
    }

    /// So that those that wait for the device are told why.
    fn show_proving(&mut self, device: DeviceNo, command: Option<&CommandId>) {
        if let Some((_, live)) = self.registry.live(device, &mut self.touched.devices) {
            live.proving = command.cloned().map(Box::new);
        }
    }
}
