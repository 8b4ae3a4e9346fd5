//! Asks: the one way in for every door. Refused with the reason, or on disk and followed to its end.

use std::sync::Arc;

use crate::model::command::Expiry;
use crate::model::device::DeviceNow;
use crate::model::event::Operate;
use crate::model::*;

use super::commands::{Kept, OUR_IDS};
use super::step::Step;
use super::{Engine, record};

/// Names shown in a refusal before it says "and so many more".
const MOST_SHOWN: usize = 8;

impl Engine {
    pub(super) fn ask(&mut self, now: &Now, to: u64, by: &Principal, ask: Ask, step: &mut Step) {
        let reply = match ask {
            Ask::Operate(operate) => self.operate(now, by, operate, step),
            Ask::Cancel { command } => self.cancel(now, by, &command, step),
            Ask::Discover { link } => self.discover(now, by, &link, step),
            Ask::Register { devices } => self.register(now, by, devices, step),
        };
        step.orders.push(Order::Reply { to, reply: reply.unwrap_or_else(Reply::Refused) });
    }

    fn operate(&mut self, now: &Now, by: &Principal, ask: Operate, step: &mut Step) -> Result<Reply, Refusal> {
        if let Some(known) = ask.id.as_ref().and_then(|id| self.commands.by_id(id)) {
            return self.tell_known(by, known);
        }
        let expires = self.expiry(now, &ask)?;
        let target = self.target(now, by, &ask)?;
        let operation = fitting(&target, ask.operation.clone())?;
        self.check_queue(&target, operation.kind())?;
        self.check_room(by, step)?;
        let no = self.commands.next_no();
        let id = match ask.id {
            Some(id) => id,
            None => CommandId::new(&format!("{OUR_IDS}{no}")).map_err(|e| Refusal::BadArgument(e.to_string()))?,
        };
        let whom = Whom::Device { no: target.device.no, id: target.device.id.clone() };
        let command = Command {
            priority: ask.priority,
            expires,
            timeout: ask.timeout.unwrap_or(self.settings.command_timeout).min(self.settings.longest_expiry),
            ..Command::new(no, id, by.name.clone(), whom, operation, *now)
        };
        self.accept(now, command, step)
    }

    fn accept(&mut self, now: &Now, command: Command, step: &mut Step) -> Result<Reply, Refusal> {
        let no = command.no;
        self.written.insert(no);
        self.commands.add(Arc::new(command.clone()));
        if command.operation.by_gateway() {
            if let Some(outcome) = self.by_gateway(now, &command, step) {
                self.end(now, no, outcome, step);
            }
        } else {
            self.enqueue(now, &command);
            if let Some(link) = command.device().and_then(|device| self.registry.link_of(device)) {
                self.pump(now, link, step);
            }
        }
        self.commands.get(no).cloned().map(Reply::Accepted).ok_or_else(|| Refusal::Busy("try again".into()))
    }

    fn tell_known(&self, by: &Principal, known: Kept) -> Result<Reply, Refusal> {
        let (no, id, kind, device, asker) = match known {
            Kept::Open(open) => (open.no, &open.id, open.operation.kind(), open.device(), &open.by),
            Kept::Ended(ended) => (ended.no, &ended.id, ended.kind, ended.device, &ended.by),
        };
        let target = device.and_then(|device| self.registry.get(device));
        let may = match target {
            Some(target) => access::may(by, kind, &target.device),
            None => access::may_recall(by, asker),
        };
        if may {
            Ok(Reply::Known(no))
        } else {
            Err(Refusal::NotAllowed(format!("{} may not look at command {id}", by.name)))
        }
    }

    fn expiry(&self, now: &Now, ask: &Operate) -> Result<Expiry, Refusal> {
        if ask.id.as_ref().is_some_and(|id| id.as_str().starts_with(OUR_IDS)) {
            return Err(Refusal::BadArgument(format!("ids that begin with {OUR_IDS:?} are made by the gateway")));
        }
        let wanted = match (ask.expires, &ask.id) {
            (Some(_), _) if now.quality == ClockQuality::Unset => {
                return Err(Refusal::Busy("the clock of the gateway is not set, so no expiry can be judged".into()));
            }
            (Some(expires), _) => expires,
            (None, Some(id)) => {
                return Err(Refusal::BadArgument(format!("command {id} has an id of its own: say when it expires")));
            }
            (None, None) => now.wall + self.settings.command_expiry,
        };
        if wanted <= now.wall {
            return Err(Refusal::Expired("the command expired before it came in".into()));
        }
        if ask.id.is_some() && wanted <= self.commands.forgotten_to {
            let says = "the clock of the gateway was set back: what this id became may be forgotten";
            return Err(Refusal::Expired(says.into()));
        }
        let left = std::time::Duration::from_millis(wanted.0 - now.wall.0);
        if left > self.settings.longest_expiry {
            let most = self.settings.longest_expiry.as_secs();
            return Err(Refusal::BadArgument(format!("a command may wait {most} s at most")));
        }
        Ok(Expiry { wall: wanted, mono: now.mono + left })
    }

    fn target(&self, now: &Now, by: &Principal, ask: &Operate) -> Result<Arc<DeviceNow>, Refusal> {
        let Some(id) = &ask.device else { return Err(Refusal::BadArgument("name a device".into())) };
        let kind = ask.operation.kind();
        let target = self.registry.by_id(id).ok_or_else(|| Refusal::NotFound(format!("there is no device {id}")))?;
        if !access::may(by, kind, &target.device) {
            return Err(Refusal::NotAllowed(format!("{} may not {kind} {id}", by.name)));
        }
        self.eligible(now, by, &target.device, &ask.operation)?;
        if !ask.operation.by_gateway() && self.registry.link_of(target.device.no).is_none() {
            let link = target.device.place.as_ref().map_or("none", |place| place.link.as_str());
            return Err(Refusal::Busy(format!("{id} was last on link {link}, which is not configured")));
        }
        Ok(target.clone())
    }

    fn check_queue(&self, target: &DeviceNow, kind: OperationKind) -> Result<(), Refusal> {
        let (waiting, most) = (self.commands.waiting_for(target.device.no), self.settings.most_queued);
        if waiting < most || kind.by_gateway() {
            return Ok(());
        }
        Err(Refusal::Busy(format!("{waiting} commands wait for {} already", target.device.id)))
    }

    fn check_room(&mut self, by: &Principal, step: &mut Step) -> Result<(), Refusal> {
        if self.vital_full && !by.local {
            return Err(Refusal::Busy("the journal is full of results that no upstream has fetched".into()));
        }
        if !self.room_for_command(step) {
            let most = self.settings.most_commands;
            return Err(Refusal::Busy(format!("{most} commands are kept already, none of which may be forgotten yet")));
        }
        Ok(())
    }

    fn cancel(&mut self, now: &Now, by: &Principal, id: &CommandId, step: &mut Step) -> Result<Reply, Refusal> {
        let unknown = || Refusal::NotFound(format!("there is no command {id}"));
        let command = match self.commands.by_id(id).ok_or_else(unknown)? {
            Kept::Open(open) => open.clone(),
            Kept::Ended(ended) => {
                let state = ended.state.name();
                return Err(Refusal::TooLate(format!("command {id} has ended: {state}")));
            }
        };
        let target = command.device().and_then(|device| self.registry.get(device)).ok_or_else(unknown)?;
        if !access::may(by, command.operation.kind(), &target.device) {
            return Err(Refusal::NotAllowed(format!("{} may not cancel command {id}", by.name)));
        }
        match command.state {
            CommandState::Queued => self.end(now, command.no, Outcome::Cancelled, step),
            CommandState::Sent => {
                if let Some(link) = self.commands.call_back(&command) {
                    self.order(now, link, LinkOrder::Cancel { command: command.no }, step);
                }
            }
            ended => return Err(Refusal::TooLate(format!("command {id} has ended: {}", ended.name()))),
        }
        self.commands.get(command.no).cloned().map(Reply::Accepted).ok_or_else(unknown)
    }

    fn discover(&mut self, now: &Now, by: &Principal, name: &Name, step: &mut Step) -> Result<Reply, Refusal> {
        let place = self.links.iter().position(|link| link.settings.name == *name);
        let Some(link) = place.and_then(|place| u16::try_from(place).ok()).map(LinkNo) else {
            let known = list(self.links.iter().map(|link| link.settings.name.to_string()));
            return Err(Refusal::NotFound(format!("there is no link {name}; there is {known}")));
        };
        if !access::may_discover(by, name) {
            return Err(Refusal::NotAllowed(format!("{} may not discover on link {name}", by.name)));
        }
        if self.links[usize::from(link.0)].up.is_none() {
            return Err(Refusal::Busy(format!("link {name} is down")));
        }
        self.order(now, link, LinkOrder::Discover, step);
        Ok(Reply::Done)
    }
}

/// The operation as the device can carry it out, or why it cannot.
fn fitting(target: &DeviceNow, mut operation: Operation) -> Result<Operation, Refusal> {
    operation.check().map_err(Refusal::BadArgument)?;
    let (id, kind) = (&target.device.id, operation.kind());
    if !target.capabilities.can(kind) {
        let can = list(target.capabilities.operations.kinds().map(OperationKind::name));
        return Err(Refusal::Unsupported(format!("{id} cannot {kind}; it can {can}")));
    }
    match &mut operation {
        Operation::Read { points } | Operation::Observe { points, .. } => {
            for path in points {
                if !point(target, path)?.access.reads() {
                    return Err(Refusal::BadArgument(format!("point {path} of {id} cannot be read")));
                }
            }
        }
        Operation::Write { point: path, value } => *value = writable(target, path, value)?,
        _ => {}
    }
    Ok(operation)
}

fn point<'a>(target: &'a DeviceNow, path: &PointPath) -> Result<&'a Point, Refusal> {
    target.capabilities.point(path).ok_or_else(|| {
        let has = list(target.capabilities.points.iter().map(|point| point.path.to_string()));
        Refusal::BadArgument(format!("{} has no point {path}; it has {has}", target.device.id))
    })
}

fn writable(target: &DeviceNow, path: &PointPath, value: &Value) -> Result<Value, Refusal> {
    let point = point(target, path)?;
    let id = &target.device.id;
    if !point.access.writes() {
        return Err(Refusal::BadArgument(format!("point {path} of {id} cannot be written")));
    }
    let value =
        value.clone().into_kind(point.kind).map_err(|e| Refusal::BadArgument(format!("point {path} of {id}: {e}")))?;
    match (point.limits.clone(), value.number()) {
        (Some(limits), Some(x)) if !limits.allow(x) => {
            let Limits { min, max, .. } = limits;
            Err(Refusal::BadArgument(format!("point {path} of {id} takes {min} to {max}, not {x}")))
        }
        _ => Ok(value),
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(MOST_SHOWN);
    names.truncate(MOST_SHOWN);
    match (names.is_empty(), more) {
        (true, _) => "nothing".into(),
        (_, 0) => names.join(", "),
        _ => format!("{} and {more} more", names.join(", ")),
    }
}
