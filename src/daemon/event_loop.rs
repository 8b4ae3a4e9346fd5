//! The loop: take events, settle what they change, publish, then send what they ask for. One thread; it owns the `Turn`.
//!
//! Channels: in, the bounded event channel; out, the orders of each link (never waits: there is room by credits) and the
//! one-shot replies of [`Asks`]. It waits for nobody but the disk. What it publishes and sends is on disk before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::attached::Known;
use super::clock::Clock;
use super::links::{Door, NOT_RUNNING};
use super::mailbox::{Got, Mailbox, sleep};
use super::notify::Notify;
use super::pulse::Pulse;
use super::standing::Standing;
use super::trial::Trial;
use crate::asks::Asks;
use crate::engine;
use crate::feed::Feed;
use crate::links;
use crate::metrics::Metrics;
use crate::model::device::DeviceNow;
use crate::model::record::Entry;
use crate::model::{
    Ask, Change, Command, CommandState, Event, Layer, LinkEvent, LinkNo, LinkOrder, Now, Order, Outcome, Record, Whom,
};
use crate::seal::Seal;
use crate::store::StoreError;
use crate::turn::Turn;
use crate::view::{Health, Known as KnownCommand, LinkNow, LinkState, View};

/// Letters that are kept of what a link says of itself.
const LONGEST_WHY: usize = 200;

/// A version of the settings that is to be kept, or need not be any more.
pub enum Versioned {
    Put(Layer),
    Forget(u64),
}

/// Other settings, and the links that they are about.
pub struct Configure {
    pub settings: engine::Settings,
    pub links: Vec<Known>,
    pub versions: Vec<Versioned>,
    /// What is otherwise, for the record; nothing, where nothing is.
    pub says: Option<String>,
    /// Nothing is wrong any more with the files as they lie there.
    pub files_are_right: bool,
    /// They hold from now on, and are on disk.
    pub done: oneshot::Sender<()>,
}

pub struct EventLoop {
    pub turn: Turn,
    pub clock: Clock,
    pub batch: usize,
    pub doors: Vec<Arc<Door>>,
    /// By their numbers; none where a link was taken out.
    pub links: Vec<Option<LinkNow>>,
    /// Other settings; whoever puts some in wakes the loop with an event.
    pub configure: std::sync::mpsc::Receiver<Configure>,
    /// Who waits for settings to be on disk.
    pub configured: Vec<oneshot::Sender<()>>,
    pub view: Arc<View>,
    /// For who listens to what happens.
    pub feed: Arc<Feed>,
    pub asks: Arc<Asks>,
    pub notify: Notify,
    /// Where it leaves behind that it moves.
    pub pulse: Arc<Pulse>,
    /// For the one line that systemd shows.
    pub standing: Standing,
    pub trial: Arc<Trial>,
    pub stopping: Arc<AtomicBool>,
    /// As last published.
    pub health: Health,
    pub metrics: Arc<Metrics>,
    /// Marks the keys that are given, for the engine knows no secret of its own.
    pub seal: Arc<Seal>,
    /// What the loop itself has to say: orders that could not be sent, logs that were looked up.
    pub own: Vec<Event>,
}

impl EventLoop {
    /// What the start itself leads to, before anybody may ask: commands that a crash left open, and the first view.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.turn_once(&now, &mut Vec::new())
    }

    /// Until `stopping`; then takes what is still there and closes the store.
    pub fn run(mut self, events: mpsc::Receiver<Event>) -> Result<(), StoreError> {
        self.pulse.loop_is(std::thread::current().id());
        let mut mailbox = Mailbox::of_this_thread(events);
        let mut batch = Vec::with_capacity(self.batch);
        loop {
            if self.stopping.load(Ordering::Acquire) {
                mailbox.close();
            }
            let own = !self.own.is_empty();
            let got = self.wait(&mut mailbox, &mut batch);
            let now = self.clock.now();
            self.turn_once(&now, &mut batch)?;
            self.tell_pulse(!own && got == Got::Events);
            // With a disk that takes nothing there is no use in waiting for it: what is held was not acknowledged.
            if got == Got::Closed || (self.stopping.load(Ordering::Acquire) && !self.turn.wants_events()) {
                return self.turn.close(&self.clock.now());
            }
        }
    }

    fn wait(&mut self, mailbox: &mut Mailbox, batch: &mut Vec<Event>) -> Got {
        if self.trial.starves() {
            return Got::Nothing;
        }
        if !self.own.is_empty() {
            batch.append(&mut self.own);
            return Got::Events;
        }
        let until = self.turn.wake_at();
        if !self.turn.wants_events() {
            sleep(until);
            return Got::Nothing;
        }
        mailbox.receive(batch, self.batch, until)
    }

    /// A turn is worth something where it took what came in, or may not take it for now, and left nothing behind.
    fn tell_pulse(&self, took: bool) {
        let refused = self.turn.degraded().is_some();
        if (took || (refused && !self.turn.wants_events())) && (refused || self.turn.is_settled()) {
            self.pulse.served();
        }
    }

    fn turn_once(&mut self, now: &Now, batch: &mut Vec<Event>) -> Result<(), StoreError> {
        self.turn.listen(self.feed.listened());
        for mut event in batch.drain(..) {
            note(&mut self.links, &self.metrics, now, &event);
            mark_keys(&self.seal, &mut event);
            self.turn.take(now, event);
        }
        let others: Vec<Configure> = self.configure.try_iter().collect();
        others.into_iter().for_each(|other| self.configure(now, other));
        let orders = self.turn.settle(now)?;
        self.publish(now);
        // After the view, from which listeners take the names.
        self.feed.put(now, self.turn.news());
        self.send(orders);
        if self.turn.is_settled() {
            for done in self.configured.drain(..) {
                // Whoever gave them may have gone.
                let _ = done.send(());
            }
        }
        Ok(())
    }

    fn configure(&mut self, now: &Now, other: Configure) {
        let Configure { settings, links, versions, says, files_are_right, done } = other;
        self.turn.configure(now, settings, kept(now, versions, says));
        self.view.publish_profiles(self.turn.profiles().clone());
        self.view.publish_groups(self.turn.groups());
        if files_are_right {
            self.health.settings = None;
        }
        let before = std::mem::take(&mut self.links).into_iter().chain(std::iter::repeat_with(|| None));
        self.links = links.iter().zip(before).map(|(link, before)| link_now(link, before, now)).collect();
        self.doors = links.into_iter().map(|link| link.door).collect();
        self.configured.push(done);
    }

    fn publish(&mut self, now: &Now) {
        let mut touched = self.turn.touched();
        touched.devices.sort_unstable();
        touched.devices.dedup();
        let devices: Vec<Arc<DeviceNow>> =
            touched.devices.iter().filter_map(|no| self.turn.engine().device(*no).cloned()).collect();
        for device in &devices {
            self.tell_device(now, device);
        }
        for gone in touched.gone.iter().filter_map(|no| self.view.numbered(*no)) {
            self.standing.device(Some(gone.live.connectivity), None);
        }
        touched.commands.iter().for_each(|command| {
            tell_command(command);
            self.count_command(command);
        });
        // First, for another may have its id by now.
        self.view.forget_devices(&touched.gone);
        self.view.publish_devices(devices);
        if touched.attempts {
            self.view.publish_attempts(self.turn.engine().attempts().cloned().collect());
        }
        if touched.tokens {
            self.view.publish_tokens(self.turn.engine().tokens());
        }
        if !touched.ended.is_empty() {
            self.view.publish_ended(touched.ended);
        }
        self.view.publish_commands(touched.commands, touched.forgotten);
        self.publish_health(now);
    }

    fn publish_health(&mut self, now: &Now) {
        for (link, counts) in self.links.iter_mut().zip(self.turn.engine().link_counts()) {
            if let Some(link) = link {
                (link.rejected, link.dropped) = (counts.rejected, counts.dropped);
                (link.waiting, link.credits) = (counts.waiting as u64, (counts.credits, counts.total));
            }
        }
        self.metrics.held.set(self.turn.held() as u64);
        self.health.links = self.links.iter().flatten().cloned().collect();
        self.health.degraded = self.turn.degraded().map(str::to_owned);
        self.health.now = *now;
        self.view.publish_health(self.health.clone());
        // What is not taken is news again with the next turn.
        if self.notify.is_heard()
            && let Some(line) = self.standing.news(&self.health)
            && self.notify.say_status(&line)
        {
            self.standing.said(line);
        }
    }

    fn tell_device(&mut self, now: &Now, device: &DeviceNow) {
        let id = &device.device.id;
        let life = device.device.life;
        let link = device.device.place.as_ref().map_or("-", |place| place.link.as_str());
        let before = self.view.numbered(device.device.no);
        let was = before.as_ref().map(|before| before.live.connectivity);
        self.standing.device(was, Some(device.live.connectivity));
        let Some(before) = before else {
            // Those that the store knew are not news.
            if device.device.first_seen == *now {
                tracing::info!(device = %id, link, %life, "new device");
            }
            return;
        };
        if before.live.connectivity != device.live.connectivity {
            tracing::info!(device = %id, link, "device is {}", device.live.connectivity);
        }
        if before.device.life != life {
            tracing::info!(device = %id, link, %life, "device was {} before", before.device.life);
        }
    }

    /// Each once when it comes, once when it has ended: what the view knows already was counted.
    fn count_command(&self, command: &Command) {
        let known = self.view.command(&command.id);
        if known.is_none() {
            self.metrics.accepted.add(1);
        }
        if !matches!(known, Some(KnownCommand::Ended(_))) {
            self.metrics.command_is(command.state);
        }
    }

    fn send(&mut self, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Reply { to, reply } => self.asks.answer(to, reply),
                Order::Link { link, order } => self.send_to_link(link, order),
                // The turn has done it.
                Order::Recall { .. } => {}
            }
        }
    }

    /// An order that cannot be sent was not sent, and a command that it carried ends so: *sent* is never a lie.
    fn send_to_link(&mut self, link: LinkNo, order: LinkOrder) {
        let Some(door) = self.doors.get(usize::from(link.0)) else {
            return tracing::error!(%link, "an order for a link that is not there");
        };
        let Err((order, why)) = door.send(order) else { return };
        match why {
            // It ends just now: the engine hears of it with the next event.
            NOT_RUNNING => tracing::debug!(link = %door.name, "order not sent: {why}"),
            _ => tracing::error!(link = %door.name, "order not sent: {why}"),
        }
        if let LinkOrder::Perform { command, .. } = order {
            let outcome = Outcome::NotSent(why.into());
            self.own.push(Event::Link { link, event: LinkEvent::Finished { command, outcome } });
        }
    }
}

/// What is to be on disk of other settings.
pub fn kept(now: &Now, versions: Vec<Versioned>, says: Option<String>) -> Vec<Change> {
    let change = |versioned| match versioned {
        Versioned::Put(layer) => {
            Change::Layer(Arc::new(Layer { at: if layer.at == Now::default() { *now } else { layer.at }, ..layer }))
        }
        Versioned::Forget(version) => Change::ForgetLayer(version),
    };
    let record = says.map(|says| Change::Record(Entry { at: *now, of: None, record: Record::Settings { says } }));
    versions.into_iter().map(change).chain(record).collect()
}

/// As readers are told of it: one that is there goes on as it is.
pub fn link_now(link: &Known, before: Option<LinkNow>, now: &Now) -> Option<LinkNow> {
    let (name, driver) = (link.door.name.clone(), link.driver?);
    let known = before.filter(|before| before.driver == driver);
    Some(known.unwrap_or(LinkNow {
        name,
        driver,
        state: LinkState::Starting,
        since: now.mono,
        strained: None,
        rejected: 0,
        dropped: 0,
        heard: 0,
        missed: 0,
        waiting: 0,
        credits: (0, 0),
    }))
}

/// Whichever door they come through.
fn mark_keys(seal: &Seal, event: &mut Event) {
    let Event::Ask { ask: Ask::Register { devices }, .. } = event else { return };
    devices.iter_mut().for_each(|device| device.key_mark = device.key.as_ref().map(|key| seal.mark(key)));
}

/// What readers are told of links stands in the events that pass.
fn note(links: &mut [Option<LinkNow>], metrics: &Metrics, now: &Now, event: &Event) {
    let Event::Link { link, event } = event else { return };
    let Some(Some(known)) = links.get_mut(usize::from(link.0)) else { return };
    let state = match event {
        LinkEvent::Heard(heard) => {
            let readings = heard.readings.len() as u64;
            known.heard += readings;
            return metrics.heard.add(readings);
        }
        LinkEvent::Missed { .. } => return known.missed += 1,
        LinkEvent::Strained { why } => return strained(known, why.as_deref()),
        LinkEvent::Up { .. } => LinkState::Up,
        LinkEvent::Down { why } | LinkEvent::Ended { why, .. } => {
            LinkState::Down(why.chars().take(LONGEST_WHY).collect())
        }
        _ => return,
    };
    if known.state != state {
        match &state {
            LinkState::Down(why) if why == links::STOPPING => tracing::debug!(link = %known.name, "{why}"),
            LinkState::Down(why) => tracing::warn!(link = %known.name, "link is down: {why}"),
            _ => tracing::info!(link = %known.name, "link is up"),
        }
        *known = LinkNow { state, since: now.mono, ..known.clone() };
    }
    if matches!(event, LinkEvent::Ended { .. }) {
        known.strained = None;
    }
}

fn strained(link: &mut LinkNow, why: Option<&str>) {
    match why {
        Some(why) => tracing::warn!(link = %link.name, "link cannot keep up: {why}"),
        None => tracing::info!(link = %link.name, "link keeps up again"),
    }
    link.strained = why.map(|why| why.chars().take(LONGEST_WHY).collect());
}

fn tell_command(command: &Command) {
    let (id, operation) = (&command.id, command.operation.kind());
    let device = match &command.whom {
        Whom::Device { id, .. } => id.to_string(),
        Whom::Many(children) if children.len() == 1 => "1 device".into(),
        Whom::Many(children) => format!("{} devices", children.len()),
    };
    match command.state {
        CommandState::Queued | CommandState::Sent => {
            tracing::debug!(command = %id, device, %operation, by = %command.by, "command {}", command.state.name());
        }
        state => tracing::info!(command = %id, device, %operation, by = %command.by, "command {}", state.name()),
    }
}
