//! Commands from asked to ended.
//!
//! A command is `queued` until its link has a credit, its device has no other command under way, and nothing else holds
//! it back ([`waiting`](super::waiting)). From `sent` on only the link's answer says what happened: a deadline that
//! passes, a link that ends or a restart makes it `unknown`, and it is never sent again by itself, unless a profile says
//! that it may be ([`again`](super::again)). Ended commands stay for a while ([`remembering`](super::remembering)).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::*;

use super::again::Again;
use super::fan_out::Family;
use super::fitting::fitting;
use super::queues::{Queues, Rank};
use super::remembering::{ended_until, until};
use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

/// Timers that one wake looks at: a step shall not grow with everything that falls silent or expires together.
const MOST_AT_ONCE: usize = 1_000;

/// A command as memory has it.
pub enum Kept<'a> {
    Open(&'a Arc<Command>),
    Ended(&'a Ended),
}

#[derive(Default)]
pub struct Commands {
    /// Those that have not ended before this step.
    open: BTreeMap<CommandNo, Arc<Command>>,
    ended: BTreeMap<CommandNo, Ended>,
    by_id: BTreeMap<CommandId, CommandNo>,
    pub(super) queues: Queues,
    /// Sent, and called back since: not to be sent again.
    called_back: BTreeSet<CommandNo>,
    reserved: CommandNo,
    /// The newest of all, if its row cannot be believed: it stays, so that its number is not given again.
    pub(super) lost: Option<CommandNo>,
    /// No forgotten id of others expires later: one that does not either may be a forgotten one, if the clock was set
    /// back.
    pub forgotten_to: Wall,
    /// Ended, under an id of ours: nobody will ask the same again.
    pub(super) disposable: BTreeSet<CommandNo>,
    /// Open parents, with what became of their children.
    pub(super) families: BTreeMap<CommandNo, Family>,
    /// The open parent of a child.
    pub(super) parents: BTreeMap<CommandNo, CommandNo>,
    /// Has been out, and may go again.
    pub(super) again: BTreeMap<CommandNo, Again>,
    /// When this engine started.
    pub(super) loaded: Mono,
}

impl Commands {
    pub fn get(&self, no: CommandNo) -> Option<&Arc<Command>> {
        self.open.get(&no)
    }

    pub fn by_id(&self, id: &CommandId) -> Option<Kept<'_>> {
        let no = *self.by_id.get(id)?;
        let open = self.open.get(&no).map(Kept::Open);
        open.or_else(|| self.ended.get(&no).map(Kept::Ended))
    }

    /// As they stand on disk.
    pub fn stored(&self) -> Vec<Arc<Command>> {
        self.open.values().map(as_stored).collect()
    }

    pub fn ended(&self) -> impl Iterator<Item = &Ended> {
        self.ended.values()
    }

    pub(super) fn ended_one(&self, no: CommandNo) -> Option<&Ended> {
        self.ended.get(&no)
    }

    /// One that has ended, with its id.
    pub(super) fn forget(&mut self, no: CommandNo) -> Option<Ended> {
        let ended = self.ended.remove(&no)?;
        self.by_id.remove(&ended.id);
        Some(ended)
    }

    pub fn count(&self) -> usize {
        self.open.len() + self.ended.len()
    }

    pub fn next_no(&self) -> CommandNo {
        CommandNo(self.newest().max(Some(self.reserved)).map_or(1, |no| no.0 + 1))
    }

    /// Numbers up to this one are given: what comes in between takes later ones.
    pub fn reserve(&mut self, no: CommandNo) {
        self.reserved = self.reserved.max(no);
    }

    pub(super) fn newest(&self) -> Option<CommandNo> {
        let open = self.open.last_key_value().map(|(no, _)| *no);
        open.max(self.ended.last_key_value().map(|(no, _)| *no))
    }

    pub fn flying_on(&self, link: LinkNo) -> Vec<CommandNo> {
        self.queues.flying_on(link)
    }

    /// The link that has the command, which is no longer wanted.
    pub fn call_back(&mut self, command: &Command) -> Option<LinkNo> {
        let (_, link) = self.queues.flying(command.device()?).filter(|(no, _)| *no == command.no)?;
        self.called_back.insert(command.no);
        Some(link)
    }

    /// Those of the device that wait for another try.
    pub(super) fn tried(&self, device: DeviceNo) -> impl Iterator<Item = CommandNo> + '_ {
        let is_its = move |no: &CommandNo| self.get(*no).is_some_and(|command| command.device() == Some(device));
        self.again.keys().copied().filter(is_its)
    }

    pub(super) fn is_called_back(&self, no: CommandNo) -> bool {
        self.called_back.contains(&no)
    }

    pub fn is_flying(&self, device: DeviceNo) -> bool {
        self.queues.flying(device).is_some()
    }

    pub fn waiting_for(&self, device: DeviceNo) -> usize {
        self.queues.waiting_for(device)
    }

    /// What waits for the device, in the order in which it would be sent.
    pub fn queued_for(&self, device: DeviceNo) -> Vec<CommandNo> {
        self.queues.of(device).map(|(_, no)| no).collect()
    }

    pub fn add(&mut self, command: Arc<Command>) {
        self.by_id.insert(command.id.clone(), command.no);
        self.open.insert(command.no, command);
    }

    fn add_ended(&mut self, ended: Ended) {
        self.by_id.insert(ended.id.clone(), ended.no);
        self.ended.insert(ended.no, ended);
    }

    /// At the end of a step: of what has ended memory keeps little.
    pub fn settle(&mut self, no: CommandNo) {
        if self.open.get(&no).is_some_and(|command| !command.state.is_open())
            && let Some(command) = self.open.remove(&no)
        {
            self.ended.insert(no, command.brief());
        }
    }

    /// For readers; it is stored with the end.
    pub(super) fn show_progress(&mut self, no: CommandNo, share: u16) {
        if let Some(command) = self.open.get_mut(&no) {
            Arc::make_mut(command).progress = Some(share.min(1000));
        }
    }

    /// Brings the device's place among the ready ones up to date.
    pub fn list(&mut self, device: DeviceNo, link: Option<LinkNo>) {
        self.queues.list(device, link);
    }

    /// The oldest that can be forgotten before its time. The newest stays, for its number must not be given again.
    pub(super) fn oldest_disposable(&self) -> Option<CommandNo> {
        self.disposable.first().copied().filter(|no| Some(*no) != self.newest())
    }
}

/// While it is open its progress is for readers only.
pub(super) fn as_stored(command: &Arc<Command>) -> Arc<Command> {
    match (command.state.is_open(), command.progress) {
        (true, Some(_)) => Arc::new(Command { progress: None, ..command.as_ref().clone() }),
        _ => command.clone(),
    }
}

fn rank(command: &Command) -> Rank {
    (Reverse(command.priority), command.no)
}

impl Engine {
    pub(super) fn load_commands(&mut self, now: &Now, open: Vec<Arc<Command>>, ended: Vec<Ended>, step: &mut Step) {
        self.commands.loaded = now.mono;
        for command in &open {
            self.touched.commands.push(command.clone());
            match command.whom {
                Whom::Device { .. } => self.commands.add(command.clone()),
                Whom::Many(_) => self.commands.add_family(command.clone()),
            }
        }
        for ended in ended {
            self.touched.ended.push((ended.id.clone(), ended.no));
            self.remember(now, &ended, ended_until(now, &ended, self.settings.longest_expiry));
            self.commands.add_ended(ended);
        }
        let parents = open.iter().filter(|command| command.device().is_none());
        parents.for_each(|parent| self.commands.count_ended(parent));
        open.iter().filter(|command| command.device().is_some()).for_each(|command| self.load_one(now, command, step));
        self.end_childless(now, step);
    }

    fn load_one(&mut self, now: &Now, command: &Command, step: &mut Step) {
        match command.state {
            CommandState::Sent if command.operation.by_gateway() => {
                let why = "the gateway stopped before it had looked it up; ask again";
                self.end(now, command.no, Outcome::Failed(why.into()), step);
            }
            CommandState::Sent => {
                let why = "the gateway stopped before the answer came";
                self.end(now, command.no, Outcome::Lost(why.into()), step);
            }
            CommandState::Queued => {
                if command.sent.is_some() {
                    self.commands.again.insert(command.no, Again::loaded(now));
                }
                match command.expired(now) {
                    true => self.expire(now, command.no, step),
                    false => self.enqueue(now, command),
                }
            }
            _ => {}
        }
    }

    pub(super) fn enqueue(&mut self, now: &Now, command: &Command) {
        if let Some(device) = command.device() {
            let link = self.registry.link_of(device);
            self.commands.queues.add(device, rank(command), link);
        }
        self.timers.set(until(now, command), Timer::Expiry(command.no));
    }

    /// From `queued` to `sent`; `None` where its time is over, or it cannot be done any more.
    pub(super) fn dispatch(&mut self, now: &Now, link: LinkNo, no: CommandNo, step: &mut Step) -> Option<LinkOrder> {
        let command = self.commands.get(no)?.clone();
        if command.expired(now) {
            self.expire(now, no, step);
            return None;
        }
        let device = command.device()?;
        let fits = self.goes_no_more(&command).map_or_else(|| self.still_fits(device, &command.operation), Err);
        let operation = match fits {
            Ok(operation) => operation,
            Err(why) => {
                self.end(now, no, Outcome::NotSent(why).bounded(), step);
                return None;
            }
        };
        if !command.operation.kind().only_reads() {
            self.give_up_tries(now, device, no, step);
        }
        self.commands.queues.take_off(device, no, link);
        self.commands.queues.remove(device, rank(&command), Some(link));
        self.note_write(now, device, &command.operation, step);
        self.child_sent(now, &command);
        let deadline = now.mono + command.timeout;
        self.timers.set(deadline + self.settings.grace, Timer::Deadline(no));
        self.update(no, |command| {
            command.state = CommandState::Sent;
            command.sent = Some(*now);
        });
        Some(LinkOrder::Perform { command: no, device, operation, deadline })
    }

    /// What was right when it was asked may have changed since. How the device lives was looked at before. Gives back
    /// what its link is told.
    fn still_fits(&self, device: DeviceNo, operation: &Operation) -> Result<Operation, String> {
        let target = self.registry.get(device).ok_or("the device is not known any more")?;
        fitting(target, operation.clone()).map_err(|refusal| refusal.to_string())?;
        self.for_the_link(target, operation)
    }

    pub(super) fn finished(&mut self, now: &Now, link: LinkNo, no: CommandNo, outcome: Outcome, step: &mut Step) {
        self.perform_answered(link);
        let Some(command) = self.commands.get(no).cloned() else { return };
        let Some(device) = command.device().filter(|device| self.commands.queues.flying(*device) == Some((no, link)))
        else {
            return; // Ended before: its first result stands.
        };
        if self.kinds.checks.contains_key(&no) {
            return self.looked(now, device, no, outcome, step);
        }
        if matches!(outcome, Outcome::Done(_) | Outcome::Failed(_)) {
            self.answered(now, device, step);
        }
        let outcome = match outcome {
            Outcome::Done(values) => self.take_done(now, device, &command.operation, values, step),
            other => other,
        };
        if self.is_doubted(now, link, &command, &outcome, step) {
            return;
        }
        let link_is_down = self.links[usize::from(link.0)].up.is_none();
        match outcome {
            Outcome::NotSent(_) if self.commands.is_called_back(no) => self.end(now, no, Outcome::Cancelled, step),
            Outcome::NotSent(_) if link_is_down && !command.expired(now) => self.queue_again(now, device, &command),
            Outcome::Lost(why) => self.lost(now, no, why, step),
            outcome => self.end(now, no, outcome.bounded(), step),
        }
    }

    /// What the gateway had to look up.
    pub(super) fn recalled(&mut self, now: &Now, no: CommandNo, outcome: Outcome, step: &mut Step) {
        if self.commands.get(no).is_some_and(|command| command.state.is_open() && command.operation.by_gateway()) {
            self.end(now, no, outcome.bounded(), step);
        }
    }

    /// Where nothing has reached the device it is as if it had never been sent.
    pub(super) fn queue_again(&mut self, now: &Now, device: DeviceNo, command: &Command) {
        self.commands.queues.land(device, command.no);
        let was_out = self.commands.again.contains_key(&command.no);
        self.update(command.no, |command| {
            command.state = CommandState::Queued;
            command.sent = command.sent.filter(|_| was_out);
        });
        self.enqueue(now, command);
    }

    pub(super) fn progress(&mut self, now: &Now, link: LinkNo, no: CommandNo, share: u16, step: &mut Step) {
        let Some(device) = self.commands.get(no).and_then(|command| command.device()) else { return };
        if self.commands.queues.flying(device) == Some((no, link)) {
            self.commands.show_progress(no, share);
            self.shown.insert(no);
            self.alive(now, device, step);
        }
    }

    pub(super) fn end(&mut self, now: &Now, no: CommandNo, outcome: Outcome, step: &mut Step) {
        self.end_as(now, no, outcome.state(), Some(outcome), step);
    }

    pub(super) fn expire(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        self.end_as(now, no, CommandState::Expired, None, step);
    }

    pub(super) fn end_as(
        &mut self,
        now: &Now,
        no: CommandNo,
        state: CommandState,
        outcome: Option<Outcome>,
        step: &mut Step,
    ) {
        let (state, outcome) = self.ends_after_tries(no, state, outcome);
        self.update(no, |command| {
            command.state = state;
            command.outcome = outcome;
            command.ended = Some(*now);
            // Of what cannot be undone it is said whether anybody has seen it.
            let is_done = state == CommandState::Done && command.operation.kind().is_dangerous();
            command.proven = command.proven.or(is_done.then_some(false));
        });
        self.commands.called_back.remove(&no);
        self.commands.again.remove(&no);
        let Some(command) = self.commands.get(no).cloned() else { return };
        self.stop_proving(&command);
        if let Some(device) = command.device() {
            self.commands.queues.land(device, no);
            self.commands.queues.remove(device, rank(&command), self.registry.link_of(device));
        }
        self.remember(now, &command.brief(), until(now, &command));
        let device = match &command.whom {
            Whom::Device { id, .. } => Some(id.clone()),
            Whom::Many(_) => None,
        };
        let result = Record::Result {
            command: command.id.clone(),
            device,
            operation: command.operation.kind().name(),
            state,
            outcome: command.outcome.clone(),
            by: Some(command.by.clone()),
            from: command.from.clone(),
            proven: command.proven,
        };
        step.changes.push(record(now, command.device(), result));
        self.child_ended(now, &command, step);
        self.activity_changed(now, &command, step);
        self.joins_anew(now, &command, step);
    }

    pub(super) fn update(&mut self, no: CommandNo, change: impl FnOnce(&mut Command)) {
        if let Some(command) = self.commands.open.get_mut(&no) {
            change(Arc::make_mut(command));
            self.written.insert(no);
        }
    }

    /// What is left over is still due, so the loop comes back for it.
    pub(super) fn wake(&mut self, now: &Now, step: &mut Step) {
        for _ in 0..MOST_AT_ONCE {
            let Some(timer) = self.timers.due(now.mono) else { return };
            match timer {
                Timer::Audit => self.audits_due(now, step),
                Timer::Tokens => self.tokens_due(now, step),
                Timer::Silence(device) => self.look_for_silence(now, device, step),
                Timer::Expiry(no) => self.expiry_reached(now, no, step),
                Timer::Deadline(no) => self.deadline_reached(now, no, step),
                Timer::Forget(no) => self.forget_reached(now, no, step),
                Timer::Deed(no) => self.deed_due(now, no, step),
                Timer::Contest(device) => self.contest_over(now, device, step),
                Timer::Retired(device) => self.retirement_over(now, device, step),
                Timer::Ready(device) => self.look_again(device),
                Timer::Totals(device) => self.keep_totals(device, false, step),
                Timer::Proof(no) => self.proof_due(now, no, step),
                Timer::Block(device) => self.block_reached(now, device, step),
                Timer::Maintenance(device) => self.maintenance_reached(now, device, step),
            }
        }
    }

    fn expiry_reached(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        if self.commands.get(no).is_some_and(|command| command.state == CommandState::Queued) {
            self.expire(now, no, step);
        }
    }

    fn deadline_reached(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(command) = self.commands.get(no).filter(|command| command.state == CommandState::Sent) else { return };
        if self.kinds.checks.contains_key(&no) {
            return; // It has answered; that has a time of its own.
        }
        let due = command.sent.map_or(now.mono, |sent| sent.mono + command.timeout + self.settings.grace);
        if due > now.mono {
            // It was called off and sent again since.
            self.timers.set(due, Timer::Deadline(no));
        } else {
            let outcome = match command.operation.by_gateway() {
                true => Outcome::Failed("it was not looked up in time; ask again".into()),
                false => Outcome::Lost("the link did not say how it ended".into()),
            };
            self.end(now, no, outcome, step);
        }
    }
}
