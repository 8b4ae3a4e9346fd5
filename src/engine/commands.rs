//! Commands from asked to ended.
//!
//! A command is `queued` until its link has a credit and its device has no other command under way. From `sent` on only
//! the link's answer says what happened: a deadline that passes, a link that ends or a restart makes it `unknown`, and it
//! is never sent again by itself. Ended commands stay for as long as their id must be answered from them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::command::{Expiry, Priority};
use crate::model::*;

use super::step::Step;
use super::timers::Timer;
use super::{Engine, record};

/// Nothing is looked at again sooner: a time of zero in the settings must not hold the loop.
const SOONEST: Duration = Duration::from_secs(1);

/// A command as memory has it.
pub enum Kept<'a> {
    Open(&'a Arc<Command>),
    Ended(&'a Ended),
}

/// Which goes first: by priority, then in the order of acceptance.
type Rank = (Reverse<Priority>, CommandNo);

#[derive(Default)]
pub struct Commands {
    /// Those that have not ended before this step.
    open: BTreeMap<CommandNo, Arc<Command>>,
    ended: BTreeMap<CommandNo, Ended>,
    by_id: BTreeMap<CommandId, CommandNo>,
    queues: BTreeMap<DeviceNo, BTreeSet<Rank>>,
    /// The first of each queue whose device has nothing under way.
    ready: BTreeSet<(LinkNo, Rank, DeviceNo)>,
    listed: BTreeMap<DeviceNo, (LinkNo, Rank)>,
    /// What each device has under way, and on which link.
    flying: BTreeMap<DeviceNo, (CommandNo, LinkNo)>,
    /// Sent, and called back since: not to be sent again.
    called_back: BTreeSet<CommandNo>,
    /// No forgotten id of others expires later: one that does not either may be a forgotten one, if the clock was set
    /// back.
    pub forgotten_to: Wall,
    /// Ended, under an id of ours: nobody will ask the same again.
    disposable: BTreeSet<CommandNo>,
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

    /// As they stand on disk: progress is for readers, until the end is stored with it.
    pub fn stored(&self) -> Vec<Arc<Command>> {
        let stored = |command: &Arc<Command>| match (command.state.is_open(), command.progress) {
            (true, Some(_)) => Arc::new(Command { progress: None, ..command.as_ref().clone() }),
            _ => command.clone(),
        };
        self.open.values().map(stored).collect()
    }

    pub fn ended(&self) -> impl Iterator<Item = &Ended> {
        self.ended.values()
    }

    pub fn count(&self) -> usize {
        self.open.len() + self.ended.len()
    }

    pub fn next_no(&self) -> CommandNo {
        CommandNo(self.newest().map_or(1, |no| no.0 + 1))
    }

    fn newest(&self) -> Option<CommandNo> {
        let open = self.open.last_key_value().map(|(no, _)| *no);
        open.max(self.ended.last_key_value().map(|(no, _)| *no))
    }

    pub fn flying_on(&self, link: LinkNo) -> Vec<CommandNo> {
        self.flying.values().filter(|(_, on)| *on == link).map(|(no, _)| *no).collect()
    }

    /// The link that has the command, which is no longer wanted.
    pub fn call_back(&mut self, command: &Command) -> Option<LinkNo> {
        let (_, link) = self.flying.get(&command.device()?).filter(|(no, _)| *no == command.no)?;
        self.called_back.insert(command.no);
        Some(*link)
    }

    pub fn is_flying(&self, device: DeviceNo) -> bool {
        self.flying.contains_key(&device)
    }

    pub fn waiting_for(&self, device: DeviceNo) -> usize {
        self.queues.get(&device).map_or(0, BTreeSet::len)
    }

    /// What waits for the device, in the order in which it would be sent.
    pub fn queued_for(&self, device: DeviceNo) -> Vec<CommandNo> {
        self.queues.get(&device).into_iter().flatten().map(|(_, no)| *no).collect()
    }

    pub fn next_ready(&self, link: LinkNo) -> Option<(DeviceNo, CommandNo)> {
        let first = (link, (Reverse(Priority::High), CommandNo(0)), DeviceNo(0));
        let (of, (_, no), device) = self.ready.range(first..).next()?;
        (*of == link).then_some((*device, *no))
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

    fn enqueue(&mut self, device: DeviceNo, command: &Command, link: Option<LinkNo>) {
        self.queues.entry(device).or_default().insert((Reverse(command.priority), command.no));
        self.list(device, link);
    }

    fn dequeue(&mut self, device: DeviceNo, command: &Command, link: Option<LinkNo>) {
        if let Some(queue) = self.queues.get_mut(&device) {
            queue.remove(&(Reverse(command.priority), command.no));
            if queue.is_empty() {
                self.queues.remove(&device);
            }
        }
        self.list(device, link);
    }

    /// Brings the device's place among the ready ones up to date.
    pub fn list(&mut self, device: DeviceNo, link: Option<LinkNo>) {
        if let Some((link, rank)) = self.listed.remove(&device) {
            self.ready.remove(&(link, rank, device));
        }
        let first = self.queues.get(&device).and_then(|queue| queue.first().copied());
        if let (Some(rank), Some(link), false) = (first, link, self.flying.contains_key(&device)) {
            self.ready.insert((link, rank, device));
            self.listed.insert(device, (link, rank));
        }
    }

    /// The oldest that can be forgotten before its time. The newest stays, for its number must not be given again.
    fn oldest_disposable(&self) -> Option<CommandNo> {
        self.disposable.first().copied().filter(|no| Some(*no) != self.newest())
    }
}

impl Engine {
    pub(super) fn load_commands(&mut self, now: &Now, open: Vec<Arc<Command>>, ended: Vec<Ended>, step: &mut Step) {
        for ended in ended {
            self.touched.ended.push((ended.id.clone(), ended.no));
            self.remember(now, &ended);
            self.commands.add_ended(ended);
        }
        for command in open {
            self.touched.commands.push(command.clone());
            self.commands.add(command.clone());
            match command.state {
                CommandState::Sent => {
                    let why = "the gateway stopped before the answer came";
                    self.end(now, command.no, Outcome::Lost(why.into()), step);
                }
                CommandState::Queued if command.expired(now) => self.expire(now, command.no, step),
                _ => self.enqueue(now, &command),
            }
        }
    }

    pub(super) fn enqueue(&mut self, now: &Now, command: &Command) {
        if let Some(device) = command.device() {
            let link = self.registry.link_of(device);
            self.commands.enqueue(device, command, link);
        }
        self.timers.set(until(now, command.asked.boot, &command.expires), Timer::Expiry(command.no));
    }

    /// Makes room for one more; false where every command kept is still needed.
    pub(super) fn room_for_command(&mut self, step: &mut Step) -> bool {
        while self.commands.count() >= self.settings.most_commands {
            match self.commands.oldest_disposable() {
                Some(no) => self.forget(no, step),
                None => return false,
            }
        }
        true
    }

    /// From `queued` to `sent`; `None` where its time is over.
    pub(super) fn dispatch(&mut self, now: &Now, link: LinkNo, no: CommandNo, step: &mut Step) -> Option<LinkOrder> {
        let command = self.commands.get(no)?.clone();
        if command.expired(now) {
            self.expire(now, no, step);
            return None;
        }
        let device = command.device()?;
        self.commands.flying.insert(device, (no, link));
        self.commands.dequeue(device, &command, Some(link));
        let deadline = now.mono + command.timeout;
        self.timers.set(deadline + self.settings.grace, Timer::Deadline(no));
        self.update(no, |command| {
            command.state = CommandState::Sent;
            command.sent = Some(*now);
        });
        Some(LinkOrder::Perform { command: no, device, operation: command.operation.clone(), deadline })
    }

    pub(super) fn finished(&mut self, now: &Now, link: LinkNo, no: CommandNo, outcome: Outcome, step: &mut Step) {
        self.perform_answered(link);
        let Some(command) = self.commands.get(no).cloned() else { return };
        let Some(device) = command.device().filter(|device| self.commands.flying.get(device) == Some(&(no, link)))
        else {
            return; // Ended before: its first result stands.
        };
        if matches!(outcome, Outcome::Done(_) | Outcome::Failed(_)) {
            self.alive(now, device, step);
        }
        let link_is_down = self.links[usize::from(link.0)].up.is_none();
        if matches!(outcome, Outcome::NotSent(_)) && self.commands.called_back.contains(&no) {
            self.end(now, no, Outcome::Cancelled, step);
        } else if matches!(outcome, Outcome::NotSent(_)) && link_is_down && !command.expired(now) {
            self.queue_again(now, device, &command);
        } else {
            self.end(now, no, outcome.bounded(), step);
        }
    }

    /// What the gateway had to look up.
    pub(super) fn recalled(&mut self, now: &Now, no: CommandNo, outcome: Outcome, step: &mut Step) {
        if self.commands.get(no).is_some() {
            self.end(now, no, outcome.bounded(), step);
        }
    }

    /// Nothing has reached the device, so it is as if it had never been sent.
    fn queue_again(&mut self, now: &Now, device: DeviceNo, command: &Command) {
        self.commands.flying.remove(&device);
        self.update(command.no, |command| {
            command.state = CommandState::Queued;
            command.sent = None;
        });
        self.enqueue(now, command);
    }

    pub(super) fn progress(&mut self, now: &Now, link: LinkNo, no: CommandNo, share: u16, step: &mut Step) {
        let Some(command) = self.commands.open.get_mut(&no) else { return };
        let Some(device) = command.device() else { return };
        if self.commands.flying.get(&device) == Some(&(no, link)) {
            Arc::make_mut(command).progress = Some(share.min(1000));
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
        self.update(no, |command| {
            command.state = state;
            command.outcome = outcome;
            command.ended = Some(*now);
        });
        self.commands.called_back.remove(&no);
        let Some(command) = self.commands.get(no).cloned() else { return };
        if let Some(device) = command.device() {
            if self.commands.flying.get(&device).is_some_and(|(flying, _)| *flying == no) {
                self.commands.flying.remove(&device);
            }
            self.commands.dequeue(device, &command, self.registry.link_of(device));
        }
        self.remember(now, &command.brief());
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
        };
        step.changes.push(record(now, command.device(), result));
    }

    /// Keeps an ended command for as long as its id must be answered from it.
    fn remember(&mut self, now: &Now, command: &Ended) {
        let at = until(now, command.asked, &command.expires).max(now.mono) + self.settings.remember;
        self.timers.set(at, Timer::Forget(command.no));
        if is_ours(&command.id) {
            self.commands.disposable.insert(command.no);
        }
    }

    fn forget(&mut self, no: CommandNo, step: &mut Step) {
        self.commands.disposable.remove(&no);
        if let Some(command) = self.commands.ended.remove(&no) {
            self.commands.by_id.remove(&command.id);
            if !is_ours(&command.id) {
                self.commands.forgotten_to = self.commands.forgotten_to.max(command.expires.wall);
            }
            self.touched.forgotten.push(command.id.clone());
            step.changes.push(Change::Forget { no, forgotten_to: self.commands.forgotten_to });
        }
    }

    fn update(&mut self, no: CommandNo, change: impl FnOnce(&mut Command)) {
        if let Some(command) = self.commands.open.get_mut(&no) {
            change(Arc::make_mut(command));
            self.written.insert(no);
        }
    }

    pub(super) fn wake(&mut self, now: &Now, step: &mut Step) {
        while let Some(timer) = self.timers.due(now.mono) {
            match timer {
                Timer::Silence(device) => self.look_for_silence(now, device, step),
                Timer::Expiry(no) => self.expiry_reached(now, no, step),
                Timer::Deadline(no) => self.deadline_reached(now, no, step),
                Timer::Forget(no) => self.forget_reached(now, no, step),
                Timer::Contest(device) => self.contest_over(now, device, step),
                Timer::Retired(device) => self.retirement_over(now, device, step),
            }
        }
    }

    fn expiry_reached(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        if self.commands.get(no).is_some_and(|command| command.state == CommandState::Queued) {
            self.expire(now, no, step);
        }
    }

    fn deadline_reached(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(command) = self.commands.get(no) else { return };
        let over = command.sent.is_some_and(|sent| sent.mono + command.timeout + self.settings.grace <= now.mono);
        if command.state == CommandState::Sent && over {
            self.end(now, no, Outcome::Lost("the link did not say how it ended".into()), step);
        }
    }

    fn forget_reached(&mut self, now: &Now, no: CommandNo, step: &mut Step) {
        let Some(command) = self.commands.ended.get(&no) else { return };
        // Not before the wall clock has passed its expiry too: set back meanwhile, it would let the same id in again.
        let left = Duration::from_millis(command.expires.wall.0.saturating_sub(now.wall.0));
        if self.commands.newest() == Some(no) || (!left.is_zero() && !is_ours(&command.id)) {
            let again = self.settings.remember.max(SOONEST);
            self.timers.set(now.mono + again, Timer::Forget(no));
        } else {
            self.forget(no, step);
        }
    }
}

/// Ids that we make begin so; nobody else may use them.
pub const OUR_IDS: &str = "c-";

fn is_ours(id: &CommandId) -> bool {
    id.as_str().starts_with(OUR_IDS)
}

/// The end of a command's expiry on the clock of this boot.
fn until(now: &Now, asked: Boot, expires: &Expiry) -> Mono {
    if asked == now.boot {
        expires.mono
    } else {
        Mono(now.mono.0.saturating_add(expires.wall.0.saturating_sub(now.wall.0)))
    }
}
