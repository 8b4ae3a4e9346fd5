//! Asks: the one way in for every door. Refused with the reason, or on disk and followed to its end.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{May, Reach};
use crate::model::command::Expiry;
use crate::model::device::DeviceNow;
use crate::model::event::Operate;
use crate::model::operation::GatewayKind;
use crate::model::*;

use super::Engine;
use super::audit;
use super::commands::Kept;
use super::fitting::{fitting, list};
use super::remembering::OUR_IDS;
use super::step::Step;
use super::timers::Timer;

/// Whoever names only an identity does not hear by it what the device is called that is not there for them.
fn unnamed(operation: &Operation, refusal: Refusal) -> Refusal {
    match (operation, refusal) {
        (Operation::Replace { identity }, Refusal::NotFound(_)) => {
            Refusal::NotAllowed(format!("{identity} is not free to be given to another device"))
        }
        (_, refusal) => refusal,
    }
}

impl Engine {
    pub(super) fn ask(&mut self, now: &Now, to: u64, by: &Principal, ask: Ask, step: &mut Step) {
        let before = step.changes.len();
        let reply = match &ask {
            Ask::Operate(operate) => self.operate(now, by, operate, step),
            Ask::Cancel { command } => self.cancel(now, by, command, step),
            Ask::Discover { link } => self.discover(now, by, link, step),
            Ask::Settle { .. } => settle(by),
            Ask::Register { devices } => self.register(now, by, devices, step),
            Ask::Grant(grant) => self.give(now, by, grant.clone(), step),
            Ask::Revoke { token } => self.revoke(by, token.clone(), step),
        };
        let reply = reply.unwrap_or_else(Reply::Refused);
        if let Some(came) = audit::came(&ask, &reply, step.changes.len() > before) {
            let (what, on) = audit::of_ask(&ask);
            self.audit(now, Audit::new(by, what, on, came), step);
        }
        step.orders.push(Order::Reply { to, reply });
    }

    fn operate(&mut self, now: &Now, by: &Principal, ask: &Operate, step: &mut Step) -> Result<Reply, Refusal> {
        if let Some(known) = ask.id.as_ref().and_then(|id| self.commands.by_id(id)) {
            return self.tell_known(by, known, ask);
        }
        let draft = self.draft(now, by, ask)?;
        let Some(id) = one_device(ask)? else { return self.operate_many(now, by, ask, draft, step) };
        let (target, operation) = self.askable(now, by, id, &ask.operation)?;
        self.check_room(by, 1, step)?;
        if let Some(reply) = self.guard(now, by, ask)? {
            return Ok(reply);
        }
        let whom = Whom::Device { no: target.device.no, id: target.device.id.clone() };
        let (no, timeout) = (draft.no, self.timeout_for(ask, target.device.no, draft.timeout));
        if let Some(link) = self.begin(now, Command { whom, operation, timeout, ..draft }, step) {
            self.pump(now, link, step);
        }
        self.accepted(no)
    }

    /// The command as it was asked, for nobody yet.
    fn draft(&self, now: &Now, by: &Principal, ask: &Operate) -> Result<Command, Refusal> {
        let expires = self.expiry(now, ask)?;
        let starts = self.start(now, ask, &expires)?;
        let no = self.commands.next_no();
        let id = ask.id.clone().map_or_else(|| our_id(no), Ok)?;
        let nobody = Whom::Many([].into());
        Ok(Command {
            local: by.local,
            from: by.from.clone(),
            mark: mark_of(ask),
            priority: ask.priority,
            expires,
            starts,
            timeout: ask.timeout.unwrap_or(self.settings.command_timeout).min(self.settings.longest_expiry),
            ..Command::new(no, id, by.name.clone(), nobody, ask.operation.clone(), *now)
        })
    }

    /// Where whoever asks says nothing, the device's profile may.
    pub(super) fn timeout_for(&self, ask: &Operate, device: DeviceNo, usual: Duration) -> Duration {
        let own = self.usual_timeout(device, ask.operation.kind()).filter(|_| ask.timeout.is_none());
        own.unwrap_or(usual).min(self.settings.longest_expiry)
    }

    /// Takes a command in: what the gateway does itself ends at once, the rest waits for the link given back.
    pub(super) fn begin(&mut self, now: &Now, command: Command, step: &mut Step) -> Option<LinkNo> {
        let no = command.no;
        let command = Arc::new(command);
        self.written.insert(no);
        self.commands.add(command.clone());
        if !command.operation.by_gateway() {
            self.enqueue(now, &command);
            return command.device().and_then(|device| self.registry.link_of(device));
        }
        match self.by_gateway(now, &command, step) {
            Some(outcome) => self.end(now, no, outcome, step),
            None => self.look_up(now, &command),
        }
        None
    }

    /// Its answer comes from the store, as if that were a link.
    fn look_up(&mut self, now: &Now, command: &Command) {
        self.child_sent(now, command);
        self.timers.set(now.mono + command.timeout + self.settings.grace, Timer::Deadline(command.no));
        self.update(command.no, |command| {
            command.state = CommandState::Sent;
            command.sent = Some(*now);
        });
    }

    pub(super) fn accepted(&self, no: CommandNo) -> Result<Reply, Refusal> {
        self.commands.get(no).cloned().map(Reply::Accepted).ok_or_else(|| Refusal::Busy("try again".into()))
    }

    fn tell_known(&self, by: &Principal, known: Kept, ask: &Operate) -> Result<Reply, Refusal> {
        let known = match known {
            Kept::Open(open) => open.brief(),
            Kept::Ended(ended) => ended.clone(),
        };
        let target = known.device.and_then(|device| self.registry.get(device));
        self.may_touch(by, known.kind, target, &known.by).map_err(|may| match may {
            May::Unseen => Refusal::BadArgument(format!("id {} was used before; take a new one", known.id)),
            _ => Refusal::NotAllowed(format!("{} may not look at command {}", by.name, known.id)),
        })?;
        let other = known.kind != ask.operation.kind() || self.is_for_another(&known, ask);
        if other || (known.mark != 0 && known.mark != mark_of(ask)) {
            let what = match target {
                Some(target) => format!("{} on {}", known.kind, target.device.id),
                None => format!("{} on several devices", known.kind),
            };
            let what = if other { what } else { format!("{what}, with other arguments or for others") };
            let says = format!("id {} was used for another command, {what}; take a new one", known.id);
            return Err(Refusal::BadArgument(says));
        }
        Ok(Reply::Known(known.no))
    }

    /// What concerns a command: by its device, where that is known.
    fn may_touch(
        &self,
        by: &Principal,
        kind: OperationKind,
        target: Option<&Arc<DeviceNow>>,
        asked_by: &Name,
    ) -> Result<(), May> {
        let reach = Reach::of(by);
        let may = match target {
            Some(target) => reach.may(kind, target),
            None if reach.may_recall(asked_by) => May::Yes,
            None => May::No,
        };
        if may == May::Yes { Ok(()) } else { Err(may) }
    }

    fn is_for_another(&self, known: &Ended, ask: &Operate) -> bool {
        match (known.device, &ask.device) {
            (Some(no), Some(asked)) => match self.registry.by_id(asked) {
                Some(other) => other.device.no != no,
                // The device may have been forgotten meanwhile, with its id.
                None => self.registry.get(no).is_some(),
            },
            (None, None) => false,
            _ => true,
        }
    }

    fn expiry(&self, now: &Now, ask: &Operate) -> Result<Expiry, Refusal> {
        if ask.id.as_ref().is_some_and(|id| id.as_str().starts_with(OUR_IDS)) {
            return Err(Refusal::BadArgument(format!("ids that begin with {OUR_IDS:?} are made by the gateway")));
        }
        let wanted = match (ask.expires, &ask.id) {
            (Some(_), _) if now.quality == ClockQuality::Unset => {
                return Err(unjudged());
            }
            (Some(expires), _) => expires,
            (None, Some(id)) => {
                return Err(Refusal::BadArgument(format!("command {id} has an id of its own: say when it expires")));
            }
            (None, None) => ask.starts.unwrap_or_default().max(now.wall) + self.settings.command_expiry,
        };
        self.judged(now, "command", wanted, ask.id.is_some())
    }

    /// Whether what expires then may still be taken; `own`: it has an id that was not made here.
    pub(super) fn judged(&self, now: &Now, what: &str, wanted: Wall, own: bool) -> Result<Expiry, Refusal> {
        if own && now.quality == ClockQuality::Unset {
            return Err(unjudged());
        }
        if wanted <= now.wall {
            return Err(Refusal::Expired(format!("the {what} expired before it came in")));
        }
        if own && wanted <= self.commands.forgotten_to {
            let says = "what this id became may be forgotten, for the clock of the gateway was set back or its store was \
                        damaged; take an id of the gateway, or one that expires later";
            return Err(Refusal::Expired(says.into()));
        }
        let left = Duration::from_millis(wanted.0 - now.wall.0);
        if left > self.settings.longest_expiry {
            let most = self.settings.longest_expiry.as_secs();
            return Err(Refusal::BadArgument(format!("a {what} may wait {most} s at most")));
        }
        Ok(Expiry { wall: wanted, mono: now.mono + left })
    }

    fn start(&self, now: &Now, ask: &Operate, expires: &Expiry) -> Result<Option<Expiry>, Refusal> {
        let Some(wall) = ask.starts else { return Ok(None) };
        if now.quality == ClockQuality::Unset {
            return Err(Refusal::Busy("the clock of the gateway is not set, so no start can be judged".into()));
        }
        if ask.operation.by_gateway() {
            let kind = ask.operation.kind();
            return Err(Refusal::BadArgument(format!("{kind} is done by the gateway at once; ask when it shall be")));
        }
        if wall >= expires.wall {
            return Err(Refusal::BadArgument("the command would expire before it starts".into()));
        }
        let left = Duration::from_millis(wall.0.saturating_sub(now.wall.0));
        Ok(Some(Expiry { wall, mono: now.mono + left }).filter(|_| !left.is_zero()))
    }

    /// The device and the operation as it can carry it out.
    pub(super) fn askable(
        &self,
        now: &Now,
        by: &Principal,
        id: &DeviceId,
        operation: &Operation,
    ) -> Result<(Arc<DeviceNow>, Operation), Refusal> {
        let target = self.target(now, by, id, operation)?;
        if let Some(other) = self.goes_into(operation) {
            self.target(now, by, &other, operation).map_err(|refusal| unnamed(operation, refusal))?;
        }
        let fitted = fitting(&target, operation.clone())?;
        self.for_the_link(&target, &fitted).map_err(Refusal::BadArgument)?;
        self.check_queue(&target, &fitted)?;
        Ok((target, fitted))
    }

    /// The other device that this one takes over.
    fn goes_into(&self, operation: &Operation) -> Option<DeviceId> {
        match operation {
            Operation::Merge { with } => self.registry.by_id(with).map(|other| other.device.id.clone()),
            Operation::Replace { identity } => {
                let other = self.registry.get(self.registry.by_identity(identity)?)?;
                Some(other.device.id.clone())
            }
            _ => None,
        }
    }

    fn target(
        &self,
        now: &Now,
        by: &Principal,
        id: &DeviceId,
        operation: &Operation,
    ) -> Result<Arc<DeviceNow>, Refusal> {
        let kind = operation.kind();
        let target = self.registry.by_id(id).ok_or_else(|| Refusal::NotFound(format!("there is no device {id}")))?;
        match Reach::of(by).may(kind, target) {
            May::Yes => {}
            May::No => return Err(Refusal::NotAllowed(format!("{} may not {kind} {id}", by.name))),
            May::Unseen => return Err(Refusal::NotFound(format!("there is no device {id}"))),
        }
        self.eligible(now, by, &target.device, operation)?;
        if !operation.by_gateway() && self.registry.link_of(target.device.no).is_none() {
            return Err(Refusal::Busy(match &target.device.place {
                Some(_) if target.device.displaced => format!("{id} is nowhere until it is met again"),
                Some(place) => format!("{id} was last on link {}, which is not configured", place.link),
                None => format!("{id} was not seen on any link so far"),
            }));
        }
        Ok(target.clone())
    }

    fn check_queue(&self, target: &DeviceNow, operation: &Operation) -> Result<(), Refusal> {
        let (waiting, most) = (self.commands.waiting_for(target.device.no), self.settings.most_queued);
        if waiting < most || operation.by_gateway() {
            return Ok(());
        }
        Err(Refusal::Busy(format!("{waiting} commands wait for {} already", target.device.id)))
    }

    pub(super) fn check_room(&mut self, by: &Principal, more: usize, step: &mut Step) -> Result<(), Refusal> {
        if self.vital_full && !by.local {
            return Err(Refusal::Busy("the journal is full of results that no upstream has fetched".into()));
        }
        if !self.room_for_commands(more, step) {
            let most = self.settings.most_commands;
            return Err(Refusal::Busy(format!("{most} commands are kept already, none of which may be forgotten yet")));
        }
        Ok(())
    }

    fn cancel(&mut self, now: &Now, by: &Principal, id: &CommandId, step: &mut Step) -> Result<Reply, Refusal> {
        let unknown = || Refusal::NotFound(format!("there is no command {id}"));
        let too_late = |state: CommandState| Refusal::TooLate(format!("command {id} has ended: {}", state.name()));
        let command = match self.commands.by_id(id).ok_or_else(unknown)? {
            Kept::Open(open) if open.state.is_open() => open.clone(),
            Kept::Open(open) => return Err(too_late(open.state)),
            Kept::Ended(ended) => return Err(too_late(ended.state)),
        };
        let target = command.device().and_then(|device| self.registry.get(device));
        self.may_touch(by, command.operation.kind(), target, &command.by).map_err(|may| match may {
            May::Unseen => unknown(),
            _ => Refusal::NotAllowed(format!("{} may not cancel command {id}", by.name)),
        })?;
        match command.whom {
            Whom::Device { no, .. } => {
                self.cancel_one(now, &command, step);
                if let Some(link) = self.registry.link_of(no) {
                    self.pump(now, link, step);
                }
            }
            Whom::Many(_) => self.cancel_family(now, &command, step),
        }
        self.commands.get(command.no).cloned().map(Reply::Accepted).ok_or_else(unknown)
    }

    /// What waits ends at once; what was sent is called back, and its link says what became of it. What its device says is
    /// done ends too: nobody looks any longer whether it is.
    pub(super) fn cancel_one(&mut self, now: &Now, command: &Command, step: &mut Step) {
        if command.state == CommandState::Queued || command.operation.by_gateway() {
            self.end(now, command.no, Outcome::Cancelled, step);
        } else if self.kinds.checks.contains_key(&command.no) {
            self.not_seen(now, command.no, "it was called back before anybody saw that it is so", step);
        } else if let Some(link) = self.commands.call_back(command) {
            self.order(now, link, LinkOrder::Cancel { command: command.no }, step);
        }
    }

    fn discover(&mut self, now: &Now, by: &Principal, name: &Name, step: &mut Step) -> Result<Reply, Refusal> {
        if !Reach::of(by).may_gateway(GatewayKind::Discover) {
            return Err(Refusal::NotAllowed(format!("{} may not discover on link {name}", by.name)));
        }
        let Some(link) = self.registry.link(name) else {
            let known = list(self.registry.link_names());
            return Err(Refusal::NotFound(format!("there is no link {name}; there is {known}")));
        };
        if self.links[usize::from(link.0)].up.is_none() {
            return Err(Refusal::Busy(format!("link {name} is down")));
        }
        self.order(now, link, LinkOrder::Discover, step);
        Ok(Reply::Done)
    }
}

fn unjudged() -> Refusal {
    Refusal::Busy("the clock of the gateway is not set, so no expiry can be judged".into())
}

/// Costs a commit.
fn settle(by: &Principal) -> Result<Reply, Refusal> {
    match Reach::of(by).may_gateway(GatewayKind::Settle) {
        true => Ok(Reply::Done),
        false => Err(Refusal::NotAllowed(format!("{} may not have things written at once", by.name))),
    }
}

/// Tells what is asked of many, or with other arguments, from what was asked before under the same id. Never 0.
fn mark_of(ask: &Operate) -> u32 {
    // Plain data in bounded lists: it always has bytes.
    let bytes = match (&ask.group, &ask.of) {
        (None, None) => minicbor_serde::to_vec((&ask.devices, &ask.operation)),
        (group, of) => minicbor_serde::to_vec((group, of, &ask.operation)),
    };
    crc32c::crc32c(&bytes.unwrap_or_default()).max(1)
}

/// The one device that is asked; `None`: it is for many.
fn one_device(ask: &Operate) -> Result<Option<&DeviceId>, Refusal> {
    let said = [ask.device.is_some(), !ask.devices.is_empty(), ask.group.is_some(), ask.of.is_some()];
    match said.iter().filter(|said| **said).count() {
        1 => Ok(ask.device.as_ref()),
        0 => Err(Refusal::BadArgument(
            "name a device, a list of devices with at least one, a group, or a selector (for)".into(),
        )),
        _ => {
            Err(Refusal::BadArgument("name a device, or a list of devices, or a group, or a selector, not two".into()))
        }
    }
}

pub(super) fn our_id(no: CommandNo) -> Result<CommandId, Refusal> {
    CommandId::new(&format!("{OUR_IDS}{no}")).map_err(|error| Refusal::BadArgument(error.to_string()))
}
