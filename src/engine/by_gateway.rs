//! Operations that the gateway carries out without the device: each ends at once, with what it changed.

use crate::model::*;

use super::Engine;
use super::blocks::end_of;
use super::step::Step;

impl Engine {
    /// `None` where the end comes later, with what had to be looked up.
    pub(super) fn by_gateway(&mut self, now: &Now, command: &Command, step: &mut Step) -> Option<Outcome> {
        let Some(no) = command.device() else { return Some(Outcome::Failed("it is for many".into())) };
        let by = &command.by;
        let ended = match &command.operation {
            Operation::Accept => self.accept_device(now, no, step),
            Operation::Refuse => self.refuse_device(now, no, step),
            Operation::Quarantine => self.quarantine(now, no, step),
            Operation::Release => self.release(now, no, step),
            Operation::Retire => self.retire(now, no, step),
            Operation::Replace { identity } => self.replace(now, no, identity, step),
            Operation::Merge { with } => self.merge(now, no, with, step),
            Operation::Split { identity } => self.split(now, no, identity, step),
            Operation::Rename { name } => self.rename(now, no, name, step),
            Operation::Group { add, remove } => self.group(now, no, add, remove, step),
            Operation::Describe { about } => self.describe(now, no, about, step),
            Operation::Profile { name } => self.assign(now, no, name.as_ref(), step),
            Operation::Block { until, span } => match end_of(now, *until, *span) {
                Ok(Some(end)) => self.block(now, no, end, step),
                Ok(None) => Err("say until when, or for how long".into()),
                Err(why) => Err(why),
            },
            Operation::Unblock => self.unblock(now, no, step),
            Operation::Maintenance { off: true, .. } => self.end_maintenance_of(now, no, by, step),
            Operation::Maintenance { until, span, .. } => {
                end_of(now, *until, *span).and_then(|end| self.maintain(now, no, by, end, step))
            }
            Operation::Desire { point, value, version } => {
                self.desire(now, no, (by, command.local), point, value.as_ref(), *version, step)
            }
            Operation::ConnectionLog { own: false } => {
                step.orders.push(Order::Recall { command: command.no, device: no });
                return None;
            }
            other => Err(format!("the gateway cannot {}", other.kind())),
        };
        Some(ended.map_or_else(Outcome::Failed, |()| Outcome::Done(Vec::new())))
    }
}
