//! One turn of the loop: events in, one commit, orders out.
//!
//! This is where the law is kept. [`Turn::take`] has the engine handle events; what they change and ask for is held
//! back. [`Turn::settle`] commits the changes, many events to a commit, and only then gives the orders out. Changes that
//! can wait do not cause a commit of their own: they ride on the next one, at the latest after [`LONGEST_WAIT`].
//!
//! A log that somebody asked for is looked up here too, after the commit that accepted the question; the end of its command
//! is a second commit of the same settling.
//!
//! When the disk takes nothing, all is held: orders, answers, changes. The store is opened anew with growing pauses, the
//! same changes are tried again, and new asks are refused with the reason. Readings are gathered as far as memory is
//! allowed to be used for them; past the bound on changes no more events are taken in, so that the links wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{self, Engine, Step, Touched};
use crate::feed::{Listened, News};
use crate::model::*;
use crate::profile::Shaped;
use crate::store::{Snapshots, Store, StoreError};

mod recall;

/// How long a change that can wait may have to.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The same while somebody listens to what happens: a record is told of once it is on disk.
pub const LISTENED_WAIT: Duration = Duration::from_secs(1);
/// Pauses between attempts while the disk takes nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Changes held while the disk takes nothing; beyond them the links have to wait.
pub const MOST_HELD: usize = 10_000;

/// Commits of one settling: what one leads to is committed by the next, and not only when something else happens.
const MOST_COMMITS: usize = 4;

/// Changes that can wait, and do no longer: far below the bound at which the links would have to.
const MOST_WAITING: usize = MOST_HELD / 10;

pub struct Turn {
    engine: Engine,
    store: Store,
    changes: Vec<Change>,
    orders: Vec<Order>,
    /// Answers that rest on no change.
    answers: Vec<Order>,
    unseen: Unseen,
    must_commit: bool,
    /// Readings in memory go along with the next commit.
    must_flush: bool,
    listened: Listened,
    /// Readings that came while somebody listens, by the number of the first, until they are told.
    heard: Vec<(u64, Heard)>,
    /// When the oldest of the changes came.
    waiting_since: Option<Mono>,
    trouble: Option<Trouble>,
    vital_full: bool,
    /// A link's task ended otherwise than by a stop.
    lost_a_link: bool,
}

/// What readers may not see before it is on disk.
#[derive(Default)]
struct Unseen {
    devices: BTreeSet<DeviceNo>,
    commands: BTreeMap<CommandNo, Arc<Command>>,
    ended: Vec<(CommandId, CommandNo)>,
    forgotten: Vec<CommandId>,
    gone: Vec<DeviceNo>,
    attempts: bool,
    tokens: bool,
}

/// The disk takes nothing.
struct Trouble {
    why: String,
    pause: Duration,
    retry_at: Mono,
    /// The caller brought a fresh handle.
    reopened: bool,
}

impl Turn {
    pub fn new(settings: engine::Settings, store: Store, state: State, now: &Now) -> Turn {
        let (engine, step) = Engine::load(settings, state, now);
        let mut turn = Turn {
            engine,
            store,
            changes: Vec::new(),
            orders: Vec::new(),
            answers: Vec::new(),
            unseen: Unseen::default(),
            must_commit: false,
            must_flush: false,
            listened: Listened::default(),
            heard: Vec::new(),
            waiting_since: None,
            trouble: None,
            vital_full: false,
            lost_a_link: false,
        };
        turn.absorb(now, step);
        turn
    }

    pub fn take(&mut self, now: &Now, event: Event) {
        match (event, &self.trouble) {
            (Event::Ask { to, .. } | Event::Begin { to, .. }, Some(trouble)) => {
                let why = format!("the store takes nothing ({}); ask again when `dmgw status` says ok", trouble.why);
                self.answers.push(Order::Reply { to, reply: Reply::Refused(Refusal::Busy(why)) });
            }
            (event, _) => {
                if let Event::Link { link: ended, event: LinkEvent::Ended { stopped, .. } } = &event {
                    self.lost_a_link |= !stopped;
                    // They were for the task that is no more; what it was to perform ends with it.
                    self.orders.retain(|order| !matches!(order, Order::Link { link, .. } if link == ended));
                }
                let settle = match event {
                    Event::Ask { ask: Ask::Settle { readings }, .. } => Some(readings),
                    _ => None,
                };
                let step = self.engine.handle(now, event);
                self.absorb(now, step);
                self.must_flush |= settle == Some(true) && self.store.gathered() > 0;
                self.must_commit |= self.must_flush || (settle.is_some() && !self.changes.is_empty());
            }
        }
    }

    /// Commits what has to be, and gives out the orders that may go now. An error is one that trying again will not
    /// mend.
    pub fn settle(&mut self, now: &Now) -> Result<Vec<Order>, StoreError> {
        self.wake_engine(now);
        let mut out = std::mem::take(&mut self.answers);
        if self.trouble.as_ref().is_some_and(|trouble| now.mono < trouble.retry_at) {
            return Ok(out);
        }
        for _ in 0..MOST_COMMITS {
            if self.is_due(now)
                && let Err(error) = self.commit(now, &mut out)
            {
                self.in_trouble(now, error)?;
                return Ok(out);
            }
            if !self.must_commit {
                out.append(&mut self.orders);
                return Ok(out);
            }
        }
        Ok(out)
    }

    /// Who listens from now on.
    pub fn listen(&mut self, listened: Listened) {
        self.store.tell(listened.any);
        self.listened = listened;
    }

    /// What happened since this was asked last and may be shown outside.
    pub fn news(&mut self) -> News {
        let next = Stream::ALL.map(|stream| self.store.shown_to(stream));
        let [.., shown_to] = next;
        let mut readings = std::mem::take(&mut self.heard);
        // What has no reserved number yet is found on disk once it is there.
        readings.retain(|(first, heard)| first + heard.readings.len() as u64 <= shown_to);
        News { readings, records: self.store.told(), next }
    }

    /// Other settings for the engine, and what has to be on disk with them. What they lead to goes out with the next
    /// [`Turn::settle`].
    pub fn configure(&mut self, now: &Now, settings: engine::Settings, changes: Vec<Change>) {
        let mut step = self.engine.configure(now, settings);
        step.changes.extend(changes);
        self.absorb(now, step);
    }

    /// Kinds of devices, as they are told now.
    pub fn profiles(&self) -> &BTreeMap<Name, Arc<Shaped>> {
        self.engine.profiles()
    }

    /// Groups that rest on a selector, with its text.
    pub fn groups(&self) -> BTreeMap<Name, String> {
        self.engine.groups().map(|(name, of)| (name.clone(), of.text().to_owned())).collect()
    }

    /// All that somebody waits for is on disk.
    pub fn is_settled(&self) -> bool {
        !self.must_commit
    }

    fn is_due(&self, now: &Now) -> bool {
        let many = self.changes.len() >= MOST_WAITING;
        self.trouble.is_some() || self.must_commit || many || self.commit_at().is_some_and(|at| at <= now.mono)
    }

    /// When to call [`Turn::settle`] even if no event comes before.
    pub fn wake_at(&self) -> Option<Mono> {
        let retry = self.trouble.as_ref().map(|trouble| trouble.retry_at);
        let commit = if retry.is_some() { None } else { self.commit_at() };
        // While no events are taken, the engine's own wait as well.
        let engine = if self.wants_events() { self.engine.wake_at() } else { None };
        [retry, commit, engine].into_iter().flatten().min()
    }

    /// For a store in a backend of the caller's: a fresh handle on the same bytes, with which it is tried again.
    pub fn reopen_on(&mut self, backend: impl redb::StorageBackend) -> Result<(), StoreError> {
        self.store.reopen_on(backend)?;
        self.trouble.iter_mut().for_each(|trouble| trouble.reopened = true);
        Ok(())
    }

    /// False while so much is held that the links have to wait.
    pub fn wants_events(&self) -> bool {
        self.changes.len() < MOST_HELD
    }

    /// Changes that wait for the disk.
    pub fn held(&self) -> usize {
        self.changes.len()
    }

    /// Why the store takes nothing, while it does not.
    pub fn degraded(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.why.as_str())
    }

    /// What readers of the view may see now and have not seen: nothing that stands on disk otherwise.
    pub fn touched(&mut self) -> Touched {
        // Field by field, so that a new one is not forgotten here.
        let Touched { devices, gone, attempts, tokens, commands, ended, forgotten } = self.engine.touched();
        self.unseen.devices.extend(devices);
        self.unseen.commands.extend(commands.into_iter().map(|command| (command.no, command)));
        self.unseen.ended.extend(ended);
        self.unseen.forgotten.extend(forgotten);
        self.unseen.gone.extend(gone);
        self.unseen.attempts |= attempts;
        self.unseen.tokens |= tokens;
        if !self.must_commit {
            let Unseen { devices, commands, ended, forgotten, gone, attempts, tokens } =
                std::mem::take(&mut self.unseen);
            let (devices, commands) = (devices.into_iter().collect(), commands.into_values().collect());
            return Touched { devices, gone, attempts, tokens, commands, ended, forgotten };
        }
        let held: BTreeSet<DeviceNo> = self.changes.iter().filter_map(changed_device).collect();
        let devices = self.unseen.devices.difference(&held).copied().collect();
        self.unseen.devices.retain(|no| held.contains(no));
        Touched { devices, ..Touched::default() }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn snapshots(&self) -> Snapshots {
        self.store.snapshots()
    }

    /// The end: everything is on disk when it returns without an error. Where a link ended before its time it may have
    /// had more to say: then the store is not marked as clean, and the next start says that something may be missing.
    pub fn close(mut self, now: &Now) -> Result<(), StoreError> {
        if self.trouble.is_some() {
            self.store.reopen()?;
        }
        let last = self.engine.last_words(now);
        self.changes.extend(last);
        self.store.commit(now, &self.changes, true)?;
        if self.lost_a_link { Ok(()) } else { self.store.close(now) }
    }

    fn absorb(&mut self, now: &Now, step: Step) {
        for heard in step.heard {
            let copy = (self.listened.any && !heard.readings.is_empty()).then(|| heard.clone());
            let first = self.store.gather(now, heard);
            self.heard.extend(copy.map(|heard| (first, heard)));
        }
        self.must_commit |= step.changes.iter().any(|change| !change.can_wait());
        if !step.changes.is_empty() {
            self.waiting_since.get_or_insert(now.mono);
        }
        self.changes.extend(step.changes);
        self.orders.extend(step.orders);
    }

    fn wake_engine(&mut self, now: &Now) {
        if self.wants_events() && self.engine.wake_at().is_some_and(|at| at <= now.mono) {
            let step = self.engine.handle(now, Event::Wake);
            self.absorb(now, step);
        }
    }

    fn commit_at(&self) -> Option<Mono> {
        // What somebody waits for is late already.
        let longest = match (self.must_commit, self.listened.records) {
            (true, _) => Duration::ZERO,
            (false, true) => LISTENED_WAIT,
            (false, false) => LONGEST_WAIT,
        };
        let waiting = self.waiting_since.map(|since| since + longest);
        [waiting, self.store.flush_at()].into_iter().flatten().min()
    }

    /// Gives out only orders that rest on what is committed; what follows from the commit waits for the next.
    fn commit(&mut self, now: &Now, out: &mut Vec<Order>) -> Result<(), StoreError> {
        if self.trouble.as_ref().is_some_and(|trouble| !trouble.reopened) {
            self.store.reopen()?;
        }
        let flush = self.must_flush || self.store.flush_at().is_some_and(|at| at <= now.mono);
        self.store.commit(now, &self.changes, flush)?;
        self.changes.clear();
        (self.must_commit, self.must_flush) = (false, false);
        self.waiting_since = None;
        let mut orders = std::mem::take(&mut self.orders);
        if let Some(trouble) = self.trouble.take() {
            tracing::info!(was = trouble.why, "the store takes changes again");
            self.take_back_what_is_late(now, &mut orders);
        }
        self.recall(now, &mut orders);
        self.look_at_bounds(now);
        out.append(&mut orders);
        Ok(())
    }

    /// Orders that were held so long that their commands are no longer wanted do not go out.
    fn take_back_what_is_late(&mut self, now: &Now, orders: &mut Vec<Order>) {
        let engine = &self.engine;
        let is_late = |order: &mut Order| perform(order).is_some_and(|(_, command)| engine.expired(now, command));
        let late: Vec<(LinkNo, CommandNo)> = orders.extract_if(.., is_late).filter_map(|o| perform(&o)).collect();
        for (link, command) in late {
            let outcome = Outcome::NotSent("its time was over before the disk took it".into());
            let step = self.engine.handle(now, Event::Link { link, event: LinkEvent::Finished { command, outcome } });
            self.absorb(now, step);
        }
    }

    fn recall(&mut self, now: &Now, orders: &mut Vec<Order>) {
        let asked: Vec<Order> = orders.extract_if(.., |order| matches!(order, Order::Recall { .. })).collect();
        for order in asked {
            let Order::Recall { command, device } = order else { continue };
            let outcome = match self.store.snapshots().log(device) {
                Ok(log) => Outcome::Done(recall::shown(&log)),
                Err(error) => Outcome::Failed(format!("the log cannot be read: {}", chain(&error))),
            };
            let step = self.engine.handle(now, Event::Recalled { command, outcome });
            self.absorb(now, step);
        }
    }

    fn look_at_bounds(&mut self, now: &Now) {
        let full = self.store.vital_full();
        if full != self.vital_full {
            self.vital_full = full;
            let step = self.engine.handle(now, Event::VitalFull(full));
            self.absorb(now, step);
        }
    }

    fn in_trouble(&mut self, now: &Now, error: StoreError) -> Result<(), StoreError> {
        if !error.retryable() {
            return Err(error);
        }
        let why = chain(&error);
        let pause = match &self.trouble {
            Some(before) => (before.pause * 2).min(LONGEST_PAUSE),
            None => {
                tracing::error!(why, "the store takes nothing; commands are refused and readings held until it does");
                FIRST_PAUSE
            }
        };
        self.trouble = Some(Trouble { why, pause, retry_at: now.mono + pause, reopened: false });
        Ok(())
    }
}

fn changed_device(change: &Change) -> Option<DeviceNo> {
    match change {
        Change::Device(device) => Some(device.no),
        Change::ForgetDevice(no) => Some(*no),
        _ => None,
    }
}

fn perform(order: &Order) -> Option<(LinkNo, CommandNo)> {
    match order {
        Order::Link { link, order: LinkOrder::Perform { command, .. } } => Some((*link, *command)),
        _ => None,
    }
}

/// An error with everything that led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
