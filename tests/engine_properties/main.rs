//! Any order of events, restarts and lost answers keeps the engine's invariants.
//!
//! A small world plays the link: it takes orders from a bounded channel, executes what it is told to perform and counts
//! it, and answers or not. What the engine emits reaches the world only after the change is on the (simulated) disk; a
//! crash throws away what was not.

mod act;
mod devices;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use dmgw::engine::{Engine, Step};
use dmgw::model::event::Operate;
use dmgw::model::*;
use proptest::prelude::*;

use act::{Act, act};
use devices::{PAUSE, capabilities, id_of, operation, settings};

const CREDITS: u16 = 6;
const LINK: LinkNo = LinkNo(0);

struct World {
    engine: Engine,
    now: Now,
    disk: State,
    crash_at_next: bool,
    /// The link's channel, and what it executed or holds without having answered.
    channel: VecDeque<LinkOrder>,
    holding: VecDeque<CommandNo>,
    attached: bool,
    executed: BTreeMap<CommandNo, u32>,
    /// Executions by the asker's own id.
    by_id: BTreeMap<CommandId, u32>,
    results: BTreeSet<CommandId>,
    /// How each device was when that was written last.
    told: BTreeMap<DeviceId, Connectivity>,
    replies: u64,
    /// Parents with the ids of their children.
    families: BTreeMap<CommandId, Vec<CommandId>>,
    /// The last token given, and how many there were.
    token: Option<Name>,
    tokens: u32,
    resets: u32,
    /// When each device was last told to write.
    written: BTreeMap<DeviceNo, Now>,
}

impl World {
    fn new() -> World {
        let now = Now { mono: Mono(1), boot: Boot(1), wall: Wall(1_000_000), quality: ClockQuality::Set };
        let (engine, _) = Engine::load(settings(), State::default(), &now);
        World {
            engine,
            now,
            disk: State::default(),
            crash_at_next: false,
            channel: VecDeque::new(),
            holding: VecDeque::new(),
            attached: false,
            executed: BTreeMap::new(),
            by_id: BTreeMap::new(),
            results: BTreeSet::new(),
            told: BTreeMap::new(),
            replies: 0,
            families: BTreeMap::new(),
            token: None,
            tokens: 0,
            resets: 0,
            written: BTreeMap::new(),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Sight { who, place } => {
                let identity = Identity::new(IdentityKind::Serial, &format!("acme:{who}"), Proof::Claimed).unwrap();
                let address = Address::new(&format!("{place}")).unwrap();
                let capabilities = Some(capabilities(1 + who % 3));
                self.link(LinkEvent::Sighted(Sighting::new(address, vec![identity], capabilities)));
            }
            Act::Hear { device } => {
                let reading =
                    Reading { point: PointNo(0), value: Value::Bool(true), quality: Quality::Good, source: None };
                let device = DeviceNo(device.into());
                self.link(LinkEvent::Heard(Heard { device, at: self.now.mono, readings: vec![reading] }));
            }
            Act::Change { device, points } => {
                let device = DeviceNo(device.into());
                self.link(LinkEvent::Changed { device, capabilities: capabilities(points) });
            }
            Act::Ask { who, write, own_id, expires_s, starts_s } => self.ask(who, write, own_id, expires_s, starts_s),
            Act::AskMany { who, what, expires_s } => self.ask_many(who, what, expires_s),
            Act::Reset { who, with_token } => {
                let token = self.token.clone().filter(|_| with_token);
                self.operate(Operate { token, ..Operate::new(id_of(who), Operation::FactoryReset) });
            }
            Act::Cancel { command } => {
                let command = CommandId::new(&format!("c-{command}")).unwrap();
                self.event(Event::Ask { to: 0, by: Principal::local_root(), ask: Ask::Cancel { command } });
            }
            Act::Take => self.take(true),
            Act::TakeInVain => self.take(false),
            Act::Answer { outcome, late } => self.answer(outcome, late),
            Act::Up if !self.attached => {
                self.attached = true;
                self.link(LinkEvent::Up { credits: CREDITS });
            }
            Act::Up => {}
            Act::Down => {
                if std::mem::take(&mut self.attached) {
                    self.link(LinkEvent::Down { why: "cable".into() });
                }
            }
            Act::Ended => {
                self.lose_the_link();
                self.link(LinkEvent::Ended { why: "panic".into(), stopped: false });
            }
            Act::Pass { ms } => self.pass(ms.into()),
            Act::Step { hours } => {
                self.now.wall = Wall(self.now.wall.0.saturating_add_signed(i64::from(hours) * 3_600_000));
            }
            Act::Restart { reboot } => {
                self.compare_with_reloaded();
                self.restart(reboot);
            }
            Act::CrashAtNext => self.crash_at_next = true,
            Act::VitalFull(full) => self.event(Event::VitalFull(full)),
            Act::Known(known) => {
                self.now.quality = if known { ClockQuality::Set } else { ClockQuality::Unset };
            }
            Act::Missed { device } => self.link(LinkEvent::Missed { device: DeviceNo(device.into()) }),
            Act::Block { who, seconds } => {
                let end = Duration::from_secs(seconds.into());
                let (until, span) = match seconds % 2 {
                    0 => (Some(self.now.wall + end), None),
                    _ => (None, Some(end)),
                };
                self.operate_on(who, Operation::Block { until, span });
            }
            Act::Unblock { who } => self.operate_on(who, Operation::Unblock),
            Act::Maintenance { who, seconds, off } => {
                let until = seconds.map(|seconds| self.now.wall + Duration::from_secs(seconds.into()));
                self.operate_on(who, Operation::Maintenance { until, span: None, off });
            }
            Act::Switch { who, part, on } => {
                let part = if part { Part::Component(Name::new("relay").unwrap()) } else { Part::Device };
                self.operate_on(who, if on { Operation::Activate { part } } else { Operation::Deactivate { part } });
            }
            Act::Desire { who, value } => {
                let (point, value) = ("relay.0.on".parse().unwrap(), value.map(Value::Bool));
                self.operate_on(who, Operation::Desire { point, value, version: None });
            }
            Act::Refuse { who, back } => self.operate_on(who, if back { Operation::Accept } else { Operation::Refuse }),
        }
    }

    fn ask(&mut self, who: u8, write: bool, own_id: Option<u8>, expires_s: u8, starts_s: u8) {
        // An id of one's own always means the same command, with the same expiry.
        let id = own_id.map(|n| CommandId::new(&format!("own-{n}")).unwrap());
        let (expires, starts) = match own_id {
            Some(n) => (Wall(1_000_000 + u64::from(n + 1) * 20_000), None),
            None => {
                let after = |s: u8| self.now.wall + Duration::from_secs(s.into());
                (after(expires_s), Some(after(starts_s)).filter(|_| starts_s > 3))
            }
        };
        self.operate(Operate { id, expires: Some(expires), starts, ..Operate::new(id_of(who), operation(write)) });
    }

    fn ask_many(&mut self, who: u8, what: u8, expires_s: u8) {
        let operation = match what {
            2 => {
                let (point, value) = ("relay.0.on".parse().unwrap(), Some(Value::Bool(expires_s.is_multiple_of(2))));
                Operation::Desire { point, value, version: None }
            }
            what => operation(what == 1),
        };
        let devices = (0..6).filter(|n| who & (1 << n) != 0).map(id_of).collect();
        let expires = Some(self.now.wall + Duration::from_secs(expires_s.into()));
        let ask = Operate { device: None, devices, expires, ..Operate::new(id_of(0), operation) };
        self.operate(ask);
    }

    fn operate(&mut self, ask: Operate) {
        self.replies += 1;
        let (to, by) = (self.replies, Principal::local_root());
        self.event(Event::Ask { to, by, ask: Ask::Operate(ask) });
    }

    fn operate_on(&mut self, who: u8, operation: Operation) {
        self.operate(Operate::new(id_of(who), operation));
    }

    fn take(&mut self, reaches_the_device: bool) {
        let Some(order) = self.channel.pop_front() else { return };
        match order {
            // A link begins nothing after its deadline.
            LinkOrder::Perform { command, deadline, .. }
                if !reaches_the_device || !self.attached || deadline <= self.now.mono =>
            {
                self.link(LinkEvent::Finished { command, outcome: Outcome::NotSent("no route".into()) });
            }
            LinkOrder::Perform { command, .. } => self.execute(command),
            LinkOrder::Cancel { command } => {
                // In time if the order to perform is still in the channel.
                let waiting = self
                    .channel
                    .iter()
                    .position(|order| matches!(order, LinkOrder::Perform { command: no, .. } if *no == command));
                if let Some(place) = waiting {
                    self.channel.remove(place);
                    self.link(LinkEvent::Finished { command, outcome: Outcome::Cancelled });
                }
                self.link(LinkEvent::Took { orders: 1 });
            }
            _ => self.link(LinkEvent::Took { orders: 1 }),
        }
    }

    fn execute(&mut self, command: CommandNo) {
        let row =
            self.disk.commands.iter().find(|row| row.no == command).expect("a command is on disk before it is sent");
        *self.executed.entry(command).or_default() += 1;
        self.resets += u32::from(row.operation == Operation::FactoryReset);
        assert!(self.resets <= self.tokens, "reset, and nobody was asked whether it was meant");
        if !row.id.as_str().starts_with("c-") {
            *self.by_id.entry(row.id.clone()).or_default() += 1;
        }
        self.holding.push_back(command);
    }

    fn answer(&mut self, outcome: u8, late: bool) {
        if late {
            self.pass(30_000);
        }
        let Some(command) = self.holding.pop_front() else { return };
        let outcome = match outcome {
            0 | 1 => Outcome::Done(Vec::new()),
            2 => Outcome::Failed("interlock".into()),
            _ => Outcome::Lost("no answer".into()),
        };
        self.link(LinkEvent::Finished { command, outcome });
    }

    fn lose_the_link(&mut self) {
        self.channel.clear();
        self.holding.clear();
        self.attached = false;
    }

    fn link(&mut self, event: LinkEvent) {
        self.event(Event::Link { link: LINK, event });
    }

    fn event(&mut self, event: Event) {
        let step = self.engine.handle(&self.now, event);
        if std::mem::take(&mut self.crash_at_next) {
            return self.restart(false);
        }
        self.commit(step);
    }

    fn pass(&mut self, ms: u64) {
        let end = Mono(self.now.mono.0 + ms);
        while let Some(wake) = self.engine.wake_at().filter(|wake| *wake <= end) {
            self.advance(wake.max(self.now.mono));
            self.event(Event::Wake);
            let next = self.engine.wake_at();
            assert!(next.is_none_or(|next| next > self.now.mono), "asks to be woken at {next:?} again");
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Mono) {
        self.now.wall = self.now.wall_at(to);
        self.now.mono = to;
    }

    fn restart(&mut self, reboot: bool) {
        self.lose_the_link();
        self.now.boot.0 += u32::from(reboot);
        let (engine, step) = Engine::load(settings(), self.disk.clone(), &self.now);
        self.engine = engine;
        self.commit(step);
    }

    /// What the engine would tell a link that comes up now is what it would tell it after a restart. Spends the engine.
    fn compare_with_reloaded(&mut self) {
        self.engine
            .handle(&self.now, Event::Link { link: LINK, event: LinkEvent::Ended { why: "x".into(), stopped: false } });
        let (mut reloaded, _) = Engine::load(settings(), self.disk.clone(), &self.now);
        let told = told_on_up(&mut self.engine, &self.now);
        assert_eq!(told, told_on_up(&mut reloaded, &self.now), "a restart tells the link something else");
    }

    fn commit(&mut self, step: Step) {
        for change in &step.changes {
            self.disk.apply(change);
            match change {
                Change::Record(entry) => self.check_result(&entry.record),
                Change::Command(command) => self.check_command(command),
                _ => {}
            }
            if let Change::Record(entry) = change
                && let Some((device, connectivity)) = connectivity(&entry.record)
            {
                let before = self.told.insert(device.clone(), connectivity);
                assert_ne!(before, Some(connectivity), "{device} is told to be {connectivity} again");
            }
        }
        assert_eq!(self.disk, self.engine.state(), "a restart would not find this state");
        for device in &self.disk.devices {
            assert_eq!(device.was, self.told.get(&device.id).copied().unwrap_or_default(), "{}", device.id);
        }
        for order in step.orders {
            match order {
                Order::Link { order, .. } => self.deliver(order),
                Order::Reply { reply: Reply::Guarded { token, .. }, .. } => {
                    (self.token, self.tokens) = (Some(token), self.tokens + 1);
                }
                Order::Reply { .. } | Order::Recall { .. } => {}
            }
        }
        assert!(self.channel.len() + self.holding.len() <= usize::from(CREDITS), "more orders than credits");
        self.check_commands();
    }

    /// Every child ends before its parent, or in the same step before it.
    fn check_result(&mut self, record: &Record) {
        let Record::Result { command, device, .. } = record else { return };
        assert!(self.results.insert(command.clone()), "{command} ended twice");
        if device.is_none() {
            let children = self.families.get(command).map_or(&[][..], |children| &children[..]);
            let open: Vec<_> = children.iter().filter(|child| !self.results.contains(child)).collect();
            assert!(open.is_empty(), "{command} ended before {open:?}");
        }
    }

    /// What we said was not sent was not executed.
    fn check_command(&mut self, command: &Command) {
        let children = command.children().iter().filter_map(|child| match child.part {
            ChildPart::Command(no) => Some(CommandId::new(&format!("c-{no}")).unwrap()),
            ChildPart::Refused(_) => None,
        });
        if command.device().is_none() {
            self.families.insert(command.id.clone(), children.collect());
        }
        let not_sent = matches!(command.outcome, Some(Outcome::NotSent(_)));
        if not_sent || matches!(command.state, CommandState::Expired | CommandState::Cancelled) {
            assert!(!self.executed.contains_key(&command.no), "{command:?} was executed");
        }
    }

    fn deliver(&mut self, order: LinkOrder) {
        if let LinkOrder::Perform { command, device, operation, .. } = &order {
            let row = self.disk.commands.iter().find(|row| row.no == *command).expect("on disk before it is sent");
            assert_eq!(row.state, CommandState::Sent, "{command} goes out as {:?}", row.state);
            let starts = row.starts.filter(|_| row.asked.boot == self.now.boot);
            assert!(starts.is_none_or(|starts| starts.mono <= self.now.mono), "{command} goes out before its time");
            self.check_device(*device, operation);
        }
        let served = match &order {
            LinkOrder::Perform { device, .. } | LinkOrder::Admit { device, .. } | LinkOrder::Probe { device } => {
                Some(*device)
            }
            LinkOrder::Plan { device, points } if !points.is_empty() => Some(*device),
            _ => None,
        };
        let row = served.and_then(|no| self.disk.devices.iter().find(|row| row.no == no));
        let blocked = row.and_then(|row| row.blocked);
        assert!(blocked.is_none(), "{order:?} goes out for a device that is blocked until {blocked:?}");
        self.channel.push_back(order);
    }

    fn check_device(&mut self, no: DeviceNo, operation: &Operation) {
        let known = self.engine.device(no).expect("a command is for a device");
        if let Some(sleeps) = known.capabilities.sleeps {
            let awake = known.live.heard.is_some_and(|heard| heard + sleeps.awake > self.now.mono);
            assert!(awake, "{no} sleeps, and is asked");
        }
        if let Operation::Write { point, .. } = operation {
            let pause = known.capabilities.point(point).and_then(|point| point.limits.as_ref()?.pause);
            let before = self.written.get(&no).filter(|before| pause.is_some() && before.boot == self.now.boot);
            if let Some(before) = before {
                assert!(before.mono + PAUSE <= self.now.mono, "{no} is written again too soon");
            }
            self.written.retain(|known, _| pause.is_some() || *known != no);
            pause.map(|_| self.written.insert(no, self.now));
        }
    }

    fn check_commands(&self) {
        for command in &self.disk.commands {
            let executed = self.executed.get(&command.no).copied().unwrap_or(0);
            assert!(executed <= 1, "{} was executed {executed} times", command.id);
            let never_sent =
                matches!(command.state, CommandState::Expired | CommandState::Cancelled | CommandState::Queued);
            assert!(!never_sent || executed == 0, "{} is {:?} and was executed", command.id, command.state);
            assert_eq!(command.state.is_open(), !self.results.contains(&command.id), "{}", command.id);
        }
        for (id, executed) in &self.by_id {
            assert!(*executed <= 1, "{id} was executed {executed} times");
        }
    }
}

fn connectivity(record: &Record) -> Option<(&DeviceId, Connectivity)> {
    match record {
        Record::DeviceUp { device } => Some((device, Connectivity::Up)),
        Record::DeviceDegraded { device, .. } => Some((device, Connectivity::Degraded)),
        Record::DeviceSilent { device } => Some((device, Connectivity::Silent)),
        Record::DeviceGone { device } => Some((device, Connectivity::Gone)),
        _ => None,
    }
}

/// Where devices are and what is read of them.
fn told_on_up(engine: &mut Engine, now: &Now) -> BTreeSet<String> {
    let step = engine.handle(now, Event::Link { link: LINK, event: LinkEvent::Up { credits: 1_000 } });
    let orders = step.orders.into_iter().filter_map(|order| match order {
        Order::Link { order: LinkOrder::Perform { .. } | LinkOrder::Discover, .. } => None,
        Order::Link { order, .. } => Some(format!("{order:?}")),
        Order::Reply { .. } | Order::Recall { .. } => None,
    });
    orders.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_a_promise(acts in proptest::collection::vec(act(), 1..150)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        // Whatever happened: in the end every command has ended.
        world.crash_at_next = false;
        world.pass(24 * 3600 * 1000);
        let open: Vec<_> = world.disk.commands.iter().filter(|command| command.state.is_open()).collect();
        prop_assert!(open.is_empty(), "still open: {open:?}");
        let blocked: Vec<_> = world.disk.devices.iter().filter(|device| device.blocked.is_some()).collect();
        prop_assert!(blocked.is_empty(), "still blocked: {blocked:?}");
    }
}

#[test]
fn the_world_notices_a_command_that_is_sent_twice() {
    let broken = std::panic::catch_unwind(|| {
        let mut world = World::new();
        for act in [Act::Up, Act::Sight { who: 1, place: 1 }, Act::Take, Act::Take, Act::Take] {
            world.act(act);
        }
        world.act(Act::Ask { who: 1, write: true, own_id: None, expires_s: 9, starts_s: 0 });
        let twice = world.channel.back().cloned().unwrap();
        world.channel.push_back(twice);
        (0..4).for_each(|_| world.act(Act::Take));
        world.act(Act::VitalFull(false));
    });
    assert!(broken.is_err());
}

#[test]
fn the_world_notices_an_order_for_a_device_that_is_blocked() {
    let broken = std::panic::catch_unwind(|| {
        let mut world = World::new();
        for act in [Act::Up, Act::Sight { who: 1, place: 1 }, Act::Take, Act::Take, Act::Take] {
            world.act(act);
        }
        world.act(Act::Block { who: 1, seconds: 60 });
        world.deliver(LinkOrder::Probe { device: DeviceNo(0) });
    });
    assert!(broken.is_err());
}
