//! The engine: one event in, one step out. No I/O, no clock, no randomness; iteration orders are fixed.
//!
//! > Take an event; handle it; commit what it changes; only then send what it asks for.
//!
//! [`Engine::handle`] is the second part of that law. It changes only memory; what must outlive the process stands in
//! the [`Step`] as [`Change`]s, what others shall do as [`Order`]s. A timeout is data: [`Engine::wake_at`] says when to
//! come back with [`Event::Wake`].
//!
//! * [`registry`]: devices, by number, id, identity and address;
//! * [`admission`]: who may join, and what a sighting comes to; [`meeting`]: a known device shows itself again;
//!   [`claims`]: somebody says to be a device that is elsewhere; [`attempts`]: who was turned away;
//! * [`registering`], [`life`], [`kinship`], [`describing`]: what administrators decide about devices;
//! * [`configuring`]: other settings while it runs;
//! * [`grouping`]: what selectors say of devices;
//! * [`kinds`]: devices by their profiles; [`meaning`] turns what they give and are told, [`proving`] looks whether
//!   what they say is so;
//! * [`links`]: attachments and their credits; what waits for a credit waits here;
//! * [`commands`]: from asked to ended; [`asks`] is the way in, past [`fitting`] and [`guard`]; [`waiting`] says what
//!   holds one back, [`fan_out`] makes one for many;
//! * [`deeds`]: what else is carried out once at most, by a door;
//! * [`reporting`]: readings and connectivity;
//! * [`reactions`]: what the gateway does by itself about a fact. Policies join here;
//! * [`timers`]: deadlines as data.

mod admission;
mod again;
mod asks;
mod attempts;
mod audit;
mod blocks;
mod by_gateway;
mod claims;
mod commands;
mod configuring;
mod deeds;
mod describing;
mod desired;
mod eligible;
mod fan_out;
mod fitting;
mod grouping;
mod guard;
mod kinds;
mod kinship;
mod life;
mod links;
mod meaning;
mod meeting;
mod proving;
mod queues;
mod reactions;
mod registering;
mod registry;
mod remembering;
mod reporting;
mod settings;
mod step;
mod timers;
mod tokens;
mod waiting;

pub use crate::model::Pattern;
pub use links::LinkCounts;
pub use settings::{Admission, AdmissionRule, GroupRule, LinkSettings, ONLY_LOOKS, Settings};
pub use step::{Step, Touched};

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::device::DeviceNow;
use crate::model::*;

use attempts::Attempts;
use audit::Audits;
use claims::Claims;
use commands::{Commands, as_stored};
use deeds::Deeds;
use guard::Guards;
use kinds::Kinds;
use links::LinkState;
use reactions::Fact;
use registry::Registry;
use timers::Timers;
use tokens::Tokens;

pub struct Engine {
    settings: Settings,
    registry: Registry,
    attempts: Attempts,
    tokens: Tokens,
    audits: Audits,
    claims: Claims,
    commands: Commands,
    deeds: Deeds,
    guards: Guards,
    links: Vec<LinkState>,
    timers: Timers,
    vital_full: bool,
    /// As the start found it.
    lost_device: Option<DeviceNo>,
    /// Facts that the event at hand made true, in order.
    facts: Vec<Fact>,
    /// Commands that the event at hand changed on disk, and those it only changed for readers.
    written: BTreeSet<CommandNo>,
    shown: BTreeSet<CommandNo>,
    /// Devices of which it has to be looked anew in which groups they are.
    regroup: BTreeSet<DeviceNo>,
    kinds: Kinds,
    touched: Touched,
}

impl Engine {
    /// After a start: commands that were sent are `unknown` now, and the step says so.
    pub fn load(settings: Settings, state: State, now: &Now) -> (Engine, Step) {
        let links: Vec<LinkState> = settings.links.iter().map(|link| LinkState::new(link.clone())).collect();
        let mut engine = Engine {
            registry: Registry::load(&settings, state.shapes, state.devices),
            attempts: Attempts::load(settings.most_attempts, state.attempts),
            tokens: Tokens::load(state.tokens),
            audits: Audits::default(),
            claims: Claims::default(),
            commands: Commands::default(),
            deeds: Deeds::default(),
            guards: Guards::default(),
            links,
            timers: Timers::default(),
            vital_full: false,
            lost_device: None,
            facts: Vec::new(),
            written: BTreeSet::new(),
            shown: BTreeSet::new(),
            regroup: BTreeSet::new(),
            kinds: Kinds::load(state.totals),
            touched: Touched::default(),
            settings,
        };
        for (no, about) in &state.about {
            engine.registry.know(*no, about);
        }
        engine.touched = Touched::of_start(engine.registry.numbers().collect(), &engine.attempts);
        engine.watch_retired(now);
        engine.watch_tokens(now);
        let mut step = Step::default();
        engine.commands.forgotten_to = state.forgotten_to;
        engine.lost_device = state.lost_device;
        state.lost_device.into_iter().for_each(|no| engine.registry.reserve(no));
        engine.load_commands(now, state.commands, state.ended, &mut step);
        engine.load_lost(now, state.lost_commands, &mut step);
        engine.load_deeds(now, state.deeds, state.lost_deeds, &mut step);
        engine.load_flags(now, &mut step);
        engine.match_all(now, &mut step);
        engine.group_all();
        engine.close_step(now, &mut step);
        (engine, step)
    }

    pub fn handle(&mut self, now: &Now, event: Event) -> Step {
        let mut step = Step::default();
        match event {
            Event::Link { link, event } => self.link_event(now, link, event, &mut step),
            Event::Ask { to, by, ask } => self.ask(now, to, &by, ask, &mut step),
            Event::Begin { to, by, wanted } => self.begin_deed(now, to, &by, &wanted, &mut step),
            Event::Carried { to, deed, first } => self.carried(now, to, deed, first, &mut step),
            Event::Audit(audit) => self.audit(now, audit, &mut step),
            Event::Passed { reader, stream, seq } => step.changes.push(Change::Passed { reader, stream, seq }),
            Event::Recalled { command, outcome } => self.recalled(now, command, outcome, &mut step),
            Event::VitalFull(full) => self.vital_full = full,
            Event::Wake => {
                self.wake(now, &mut step);
                (0..).take(self.links.len()).for_each(|no| self.pump(now, LinkNo(no), &mut step));
            }
        }
        self.react(now, &mut step);
        self.close_step(now, &mut step);
        step
    }

    /// When to call [`Engine::handle`] with [`Event::Wake`] if nothing else happens before.
    pub fn wake_at(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// What readers of the view have not seen yet.
    pub fn touched(&mut self) -> Touched {
        let touched = std::mem::take(&mut self.touched);
        self.registry.shown(&touched.devices);
        touched
    }

    pub fn device(&self, no: DeviceNo) -> Option<&Arc<DeviceNow>> {
        self.registry.get(no)
    }

    /// Its time is over, or it is not known any more.
    pub fn expired(&self, now: &Now, command: CommandNo) -> bool {
        self.commands.get(command).is_none_or(|command| command.expired(now))
    }

    /// In the order of the links.
    pub fn link_counts(&self) -> impl Iterator<Item = LinkCounts> + '_ {
        self.links.iter().map(LinkState::counts)
    }

    /// What a restart would find, had everything been committed.
    pub fn state(&self) -> State {
        State {
            shapes: self.registry.shapes().collect(),
            devices: self.registry.devices().collect(),
            commands: self.commands.stored(),
            ended: self.commands.ended().cloned().collect(),
            attempts: self.attempts.stored().cloned().collect(),
            tokens: self.tokens.all().cloned().collect(),
            about: self.registry.about().collect(),
            totals: self.kinds.stored(),
            deeds: self.deeds.all().cloned().collect(),
            forgotten_to: self.commands.forgotten_to,
            lost_device: self.lost_device,
            lost_commands: self.commands.lost.iter().copied().collect(),
            lost_deeds: Vec::new(),
        }
    }

    fn link_event(&mut self, now: &Now, link: LinkNo, event: LinkEvent, step: &mut Step) {
        if usize::from(link.0) >= self.links.len() {
            return;
        }
        match event {
            LinkEvent::Heard(heard) => self.heard(now, link, heard, step),
            LinkEvent::Up { credits } => self.link_up(now, link, credits, step),
            LinkEvent::Down { why } => self.link_down(now, link, why, step),
            LinkEvent::Ended { why, .. } => self.link_ended(now, link, why, step),
            LinkEvent::Took { orders } => self.credits_back(link, orders),
            LinkEvent::Sighted(sighting) => self.sighted(now, link, sighting, step),
            LinkEvent::Asked { exchange, who } => self.asked(now, link, exchange, who, step),
            LinkEvent::Changed { device, capabilities } => self.changed(now, link, device, capabilities, step),
            LinkEvent::Progress { command, share } => self.progress(now, link, command, share, step),
            LinkEvent::Finished { command, outcome } => self.finished(now, link, command, outcome, step),
            LinkEvent::Gone { device } => self.gone(now, link, device, step),
            // For who looks at the link; nothing rests on it.
            LinkEvent::Strained { .. } => {}
            LinkEvent::Missed { device } => self.missed(now, link, device, step),
        }
        self.pump(now, link, step);
    }

    /// One change a command, whatever happened to it in this step.
    fn close_step(&mut self, now: &Now, step: &mut Step) {
        self.learn(now, step);
        for no in std::mem::take(&mut self.written) {
            if let Some(command) = self.commands.get(no) {
                step.changes.push(Change::Command(as_stored(command)));
                self.shown.insert(no);
            }
        }
        for no in std::mem::take(&mut self.shown) {
            if let Some(command) = self.commands.get(no) {
                self.touched.commands.push(command.clone());
            }
            self.commands.settle(no);
        }
    }
}

/// For the journal, and for the log of the device that it is about.
fn record(now: &Now, of: impl Into<Option<DeviceNo>>, record: Record) -> Change {
    Change::Record(crate::model::record::Entry { at: *now, of: of.into(), record })
}
