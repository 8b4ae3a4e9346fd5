//! One ask for many devices: a parent that never goes to a link, and a command of its own for each device that may be
//! asked, all in one step.
//!
//! The parent ends when the last of its children has ended, in the same step, and exactly once. Until then none of them
//! is forgotten: after a restart the count goes on from what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::command::LONGEST_REASON;
use crate::model::device::DeviceNow;
use crate::model::event::Operate;
use crate::model::*;

use super::Engine;
use super::asks::our_id;
use super::commands::Commands;
use super::step::Step;

/// One device of many: what to do there, or why not.
type Part = (DeviceId, Result<(Arc<DeviceNow>, Operation), Refusal>);

/// What became of the children of one open parent so far.
#[derive(Debug, Default)]
pub struct Family {
    open: usize,
    refused: usize,
    ended: BTreeMap<CommandState, usize>,
}

impl Family {
    fn end(&mut self, state: CommandState) {
        self.open = self.open.saturating_sub(1);
        *self.ended.entry(state).or_default() += 1;
    }

    fn count(&self, state: CommandState) -> usize {
        self.ended.get(&state).copied().unwrap_or(0)
    }

    fn all(&self) -> usize {
        self.open + self.refused + self.ended.values().sum::<usize>()
    }

    /// In parts of a thousand.
    fn share(&self) -> u16 {
        let all = self.all().max(1);
        u16::try_from((all - self.open) * 1000 / all).unwrap_or(1000)
    }

    fn verdict(&self) -> (CommandState, Outcome) {
        use CommandState::*;
        let [done, failed, expired, cancelled, unknown] =
            [Done, Failed, Expired, Cancelled, Unknown].map(|s| self.count(s));
        if done == self.all() {
            (Done, Outcome::Done(Vec::new()))
        } else if unknown > 0 {
            (Unknown, Outcome::Lost(self.summary()))
        } else if cancelled > 0 && done + failed == 0 {
            (Cancelled, Outcome::Failed(self.summary()))
        } else if done + expired == self.all() {
            (Expired, Outcome::Failed(self.summary()))
        } else {
            (Failed, Outcome::Failed(self.summary()))
        }
    }

    /// "998 of 1000 done, 1 unknown, 1 refused".
    fn summary(&self) -> String {
        let mut text = format!("{} of {} done", self.count(CommandState::Done), self.all());
        let others = self.ended.iter().filter(|(state, _)| **state != CommandState::Done);
        let others = others.map(|(state, count)| (state.name(), *count));
        for (name, count) in others.chain([("refused", self.refused)]).filter(|(_, count)| *count > 0) {
            text += &format!(", {count} {name}");
        }
        text
    }
}

impl Engine {
    pub(super) fn operate_many(
        &mut self,
        now: &Now,
        by: &Principal,
        ask: &Operate,
        draft: Command,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let devices = self.each_once(self.meant(by, ask)?)?;
        let look = |id: DeviceId| {
            let part = self.askable(now, by, &id, &ask.operation);
            (id, part)
        };
        let parts: Vec<Part> = devices.into_iter().map(look).collect();
        let askable = parts.iter().filter(|(_, part)| part.is_ok()).count();
        self.check_room(by, 1 + askable, step)?;
        // Whom it means may be others when it is asked again: the token is for these.
        let exactly = || Operate { devices: parts.iter().map(|(id, _)| id.clone()).collect(), ..ask.clone() };
        if askable > 0
            && let Some(reply) = self.guard(now, by, &exactly())?
        {
            return Ok(reply);
        }
        let no = draft.no;
        let (parent, mut children) = family(draft, parts)?;
        for child in &mut children {
            child.timeout = child.device().map_or(child.timeout, |no| self.timeout_for(ask, no, child.timeout));
        }
        self.written.insert(no);
        self.commands.reserve(children.last().map_or(no, |child| child.no));
        self.commands.add_family(Arc::new(parent));
        let links: BTreeSet<LinkNo> = children.into_iter().filter_map(|child| self.begin(now, child, step)).collect();
        links.into_iter().for_each(|link| self.pump(now, link, step));
        if askable == 0 {
            self.end_family(now, no, step);
        }
        self.accepted(no)
    }

    fn each_once(&self, meant: Vec<DeviceId>) -> Result<Vec<DeviceId>, Refusal> {
        let mut seen = BTreeSet::new();
        let devices: Vec<DeviceId> = meant.into_iter().filter(|id| seen.insert(id.clone())).collect();
        let most = self.settings.most_targets;
        if devices.len() > most {
            let named = devices.len();
            return Err(Refusal::BadArgument(format!("one command is for {most} devices at most, not for {named}")));
        }
        Ok(devices)
    }

    /// The first of the children is under way, and so is the parent.
    pub(super) fn child_sent(&mut self, now: &Now, child: &Command) {
        let queued = |no: &CommandNo| self.commands.get(*no).is_some_and(|parent| parent.state == CommandState::Queued);
        if let Some(parent) = child.parent.filter(queued) {
            self.update(parent, |parent| {
                parent.state = CommandState::Sent;
                parent.sent = Some(*now);
            });
        }
    }

    pub(super) fn child_ended(&mut self, now: &Now, child: &Command, step: &mut Step) {
        let Some(no) = child.parent else { return };
        let Some(family) = self.commands.families.get_mut(&no) else { return };
        family.end(child.state);
        let (share, over) = (family.share(), family.open == 0);
        self.commands.show_progress(no, share);
        self.shown.insert(no);
        if over {
            self.end_family(now, no, step);
        }
    }

    pub(super) fn end_family(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(family) = self.commands.leave_family(no) else { return };
        let (state, outcome) = family.verdict();
        self.end_as(now, no, state, Some(outcome), step);
    }

    /// Parents whose last child ended without them: a crash cannot do that, a damaged row can.
    pub(super) fn end_childless(&mut self, now: &Now, step: &mut Step) {
        let of = self.commands.families.iter();
        let childless: Vec<CommandNo> = of.filter(|(_, family)| family.open == 0).map(|(no, _)| *no).collect();
        childless.into_iter().for_each(|no| self.end_family(now, no, step));
    }

    /// Those that wait end at once; those that were sent are called back, and end when their links have answered.
    pub(super) fn cancel_family(&mut self, now: &Now, parent: &Command, step: &mut Step) {
        let open: Vec<Arc<Command>> = numbers(parent)
            .filter_map(|no| self.commands.get(no))
            .filter(|child| child.state.is_open())
            .cloned()
            .collect();
        let (queued, sent): (Vec<_>, Vec<_>) = open.into_iter().partition(|child| child.state == CommandState::Queued);
        queued.iter().for_each(|child| self.cancel_one(now, child, step));
        // Not before all that waited have ended: what makes room for another shall not send one of them.
        sent.iter().for_each(|child| self.cancel_one(now, child, step));
        let on = |child: &Arc<Command>| child.device().and_then(|device| self.registry.link_of(device));
        let links: BTreeSet<LinkNo> = queued.iter().chain(&sent).filter_map(on).collect();
        links.into_iter().for_each(|link| self.pump(now, link, step));
    }
}

impl Commands {
    /// A parent, new or found at the start, and how far its children are.
    pub(super) fn add_family(&mut self, parent: Arc<Command>) {
        let mut family = Family { refused: parent.children().len(), ..Family::default() };
        for no in numbers(&parent) {
            family.refused -= 1;
            family.open += 1;
            self.parents.insert(no, parent.no);
        }
        self.families.insert(parent.no, family);
        self.add(parent);
    }

    /// At the start: counts the children that had ended, and those whose rows are gone.
    pub(super) fn count_ended(&mut self, parent: &Command) {
        for no in numbers(parent).filter(|no| self.get(*no).is_none()).collect::<Vec<_>>() {
            let state = self.ended_one(no).map_or(CommandState::Unknown, |ended| ended.state);
            if let Some(family) = self.families.get_mut(&parent.no) {
                family.end(state);
            }
        }
    }

    /// The parent has ended: from now on its children may be forgotten.
    fn leave_family(&mut self, no: CommandNo) -> Option<Family> {
        let family = self.families.remove(&no)?;
        for child in self.get(no).cloned().iter().flat_map(|parent| numbers(parent)) {
            self.parents.remove(&child);
            self.disposable.insert(child);
        }
        Some(family)
    }
}

fn numbers(parent: &Command) -> impl Iterator<Item = CommandNo> + '_ {
    parent.children().iter().filter_map(|child| match &child.part {
        ChildPart::Command(no) => Some(*no),
        ChildPart::Refused(_) => None,
    })
}

/// The parent, and a command for each device that can be asked, with the numbers after its own.
fn family(draft: Command, parts: Vec<Part>) -> Result<(Command, Vec<Command>), Refusal> {
    let (mut next, mut children, mut rows) = (draft.no, Vec::new(), Vec::with_capacity(parts.len()));
    for (device, part) in parts {
        let part = match part {
            Err(refusal) => ChildPart::Refused(short(refusal)),
            Ok((target, operation)) => {
                next = CommandNo(next.0 + 1);
                let whom = Whom::Device { no: target.device.no, id: target.device.id.clone() };
                let (no, id, parent) = (next, our_id(next)?, Some(draft.no));
                children.push(Command { no, id, whom, operation, parent, ..draft.clone() });
                ChildPart::Command(next)
            }
        };
        rows.push(Child { device, part });
    }
    Ok((Command { whom: Whom::Many(rows.into()), ..draft }, children))
}

/// All of them stand in the row of the parent, so none of them may be long.
fn short(refusal: Refusal) -> Refusal {
    let cut = |text: String| text.chars().take(LONGEST_REASON).collect();
    match refusal {
        Refusal::NotFound(text) => Refusal::NotFound(cut(text)),
        Refusal::NotAllowed(text) => Refusal::NotAllowed(cut(text)),
        Refusal::Unsupported(text) => Refusal::Unsupported(cut(text)),
        Refusal::BadArgument(text) => Refusal::BadArgument(cut(text)),
        Refusal::Expired(text) => Refusal::Expired(cut(text)),
        Refusal::Busy(text) => Refusal::Busy(cut(text)),
        Refusal::TooLate(text) => Refusal::TooLate(cut(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommandState::*;

    fn verdict(refused: usize, ended: &[CommandState]) -> (CommandState, String) {
        let mut family = Family { open: ended.len(), refused, ..Family::default() };
        ended.iter().for_each(|state| family.end(*state));
        assert_eq!((family.open, family.share()), (0, 1000));
        match family.verdict() {
            (state, Outcome::Failed(text) | Outcome::Lost(text)) => (state, text),
            (state, other) => (state, format!("{other:?}")),
        }
    }

    #[test]
    fn a_parent_ends_as_its_children_did() {
        assert_eq!(verdict(0, &[Done, Done]), (Done, "Done([])".into()));
        assert_eq!(verdict(1, &[Done, Done]), (Failed, "2 of 3 done, 1 refused".into()));
        assert_eq!(
            verdict(1, &[Done, Failed, Unknown]),
            (Unknown, "1 of 4 done, 1 failed, 1 unknown, 1 refused".into())
        );
        assert_eq!(verdict(0, &[Cancelled, Expired]), (Cancelled, "0 of 2 done, 1 expired, 1 cancelled".into()));
        assert_eq!(verdict(0, &[Done, Cancelled]).0, Failed);
        assert_eq!(verdict(0, &[Done, Expired]), (Expired, "1 of 2 done, 1 expired".into()));
        assert_eq!(verdict(1, &[Expired]).0, Failed);
        assert_eq!(verdict(2, &[]), (Failed, "0 of 2 done, 2 refused".into()));
    }

    #[test]
    fn what_has_ended_and_what_was_refused_is_progress() {
        let mut family = Family { open: 2, refused: 1, ..Family::default() };
        assert_eq!(family.share(), 333);
        family.end(Failed);
        assert_eq!(family.share(), 666);
    }
}
