//! What was given to us to send: the window, packet ids, and what is sent again after a connection was lost.
//!
//! One list in the order of giving: first those on the wire, then those that wait for room. A lost connection makes all of
//! them wait again; what may have got through goes again as a duplicate if the broker kept the session, else as new.
//!
//! Invariants: an entry leaves the list with exactly one event, or by `hand_back`. Packet ids of entries differ. What is on
//! the wire is within the broker's window, and in the order of the list.

use std::collections::VecDeque;
use std::time::Instant;

use super::alive::Oldest;
use super::event::{Event, Limits, Refusal, Token};
use super::message::{Message, Qos};
use super::out::Out;
use super::wire::{Malformed, Writer};

struct Held {
    token: Token,
    message: Message,
    weight: usize,
    /// 0: not on the wire, or nobody acknowledges it.
    id: u16,
    /// Where its last byte stands in the connection.
    ends: u64,
    /// When that byte had left.
    at: Option<Instant>,
    /// It may have got through in an earlier connection.
    again: bool,
    /// A later one was acknowledged before it.
    passed: bool,
}

pub struct Sending {
    held: VecDeque<Held>,
    /// So many at the front are on the wire.
    on_wire: usize,
    weight: usize,
    unacknowledged: u16,
    last_id: u16,
    most: usize,
    most_bytes: usize,
}

impl Sending {
    pub fn new(most: u16, most_bytes: usize) -> Sending {
        Sending {
            held: VecDeque::new(),
            on_wire: 0,
            weight: 0,
            unacknowledged: 0,
            last_id: 0,
            most: most.max(1).into(),
            most_bytes,
        }
    }

    /// Bytes that may be given now: 0 where nothing may.
    pub fn room(&self) -> usize {
        if self.held.len() >= self.most { 0 } else { self.most_bytes.saturating_sub(self.weight) }
    }

    pub fn takes(&self, message: &Message) -> bool {
        self.held.is_empty() || (self.held.len() < self.most && self.weight + message.weight() <= self.most_bytes)
    }

    pub fn give(&mut self, token: Token, message: Message) {
        let weight = message.weight();
        self.weight += weight;
        self.held.push_back(Held { token, message, weight, id: 0, ends: 0, at: None, again: false, passed: false });
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Puts on the wire what may go now. `taken` says which ids others use.
    pub fn send(
        &mut self,
        now: Instant,
        wire: (&Writer, &Limits),
        out: &mut Out,
        events: &mut VecDeque<Event>,
        taken: impl Fn(u16) -> bool,
    ) {
        let (writer, limits) = wire;
        while let Some(held) = self.held.get(self.on_wire) {
            let acknowledged = held.message.qos == Qos::AtLeastOnce;
            if acknowledged && self.unacknowledged >= limits.window {
                return;
            }
            if let Some(why) = refusal(&held.message, writer, limits) {
                let Some(held) = self.remove(self.on_wire) else { return };
                events.push_back(Event::Refused { token: held.token, why });
                continue;
            }
            let id = if acknowledged { self.free_id(&taken) } else { 0 };
            self.put(now, id, writer, out);
        }
    }

    fn put(&mut self, now: Instant, id: u16, writer: &Writer, out: &mut Out) {
        let Some(held) = self.held.get_mut(self.on_wire) else { return };
        out.packet(now, |bytes| writer.publish(bytes, &held.message, id, held.again));
        (held.id, held.ends, held.at, held.passed) = (id, out.end(), None, false);
        held.again = held.again || id != 0;
        self.unacknowledged += u16::from(id != 0);
        self.on_wire += 1;
    }

    fn free_id(&mut self, taken: impl Fn(u16) -> bool) -> u16 {
        // The window is far smaller than the ids there are, so this ends.
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = self.last_id;
            if !taken(id) && !self.has(id) {
                return id;
            }
        }
    }

    pub fn has(&self, id: u16) -> bool {
        self.held.range(..self.on_wire).any(|held| held.id == id)
    }

    /// An id for who sends something else than a message.
    pub fn lend_id(&mut self, taken: impl Fn(u16) -> bool) -> u16 {
        self.free_id(taken)
    }

    /// Bytes up to `written` have left: what nobody acknowledges is done with that.
    pub fn written(&mut self, now: Instant, written: u64, events: &mut VecDeque<Event>) {
        let fresh = self.held.range(..self.on_wire).rev().take_while(|held| held.at.is_none()).count();
        let mut at = self.on_wire - fresh;
        while at < self.on_wire && self.held[at].ends <= written {
            self.held[at].at = Some(now);
            if self.held[at].id != 0 {
                at += 1;
                continue;
            }
            let Some(held) = self.take_off_wire(at) else { return };
            events.push_back(Event::Acknowledged { token: held.token, heard: true });
        }
    }

    /// The token of what was acknowledged; an id that waits for nothing is a fault of the broker.
    pub fn acknowledged(&mut self, id: u16) -> Result<Token, Malformed> {
        let on_wire = self.held.range(..self.on_wire);
        let found = on_wire.enumerate().find(|(_, held)| held.id == id && id != 0);
        let written = found.filter(|(_, held)| held.at.is_some());
        let index = written.map(|(index, _)| index).ok_or(Malformed::StrangeId("PUBACK", id))?;
        self.held.range_mut(..index).for_each(|held| held.passed = true);
        let held = self.take_off_wire(index).ok_or(Malformed::StrangeId("PUBACK", id))?;
        self.unacknowledged -= 1;
        Ok(held.token)
    }

    fn take_off_wire(&mut self, index: usize) -> Option<Held> {
        let held = self.remove(index)?;
        self.on_wire -= 1;
        Some(held)
    }

    fn remove(&mut self, index: usize) -> Option<Held> {
        let held = self.held.remove(index)?;
        self.weight -= held.weight;
        Some(held)
    }

    pub fn oldest(&self) -> Option<Oldest> {
        let mut on_wire = self.held.range(..self.on_wire);
        on_wire.find_map(|held| held.at.filter(|_| held.id != 0).map(|at| Oldest { at, passed: held.passed }))
    }

    /// The connection is gone: all of it waits again.
    pub fn lost(&mut self) {
        self.held.range_mut(..self.on_wire).for_each(|held| (held.id, held.at) = (0, None));
        (self.on_wire, self.unacknowledged) = (0, 0);
    }

    /// The broker remembers nothing, so nothing is a duplicate.
    pub fn forgotten(&mut self) {
        self.held.iter_mut().for_each(|held| held.again = false);
    }

    /// All that is held, in order, to who gave it. Only between connections.
    pub fn hand_back(&mut self) -> Vec<(Token, Message)> {
        self.weight = 0;
        self.held.drain(..).map(|held| (held.token, held.message)).collect()
    }
}

/// Why the broker would not take it.
fn refusal(message: &Message, writer: &Writer, limits: &Limits) -> Option<Refusal> {
    if message.qos > limits.qos {
        return Some(Refusal::NoQos);
    }
    if message.retain && !limits.retain {
        return Some(Refusal::NoRetain);
    }
    let most = limits.largest_packet?;
    let size = writer.size(message);
    (size > most).then_some(Refusal::TooLarge { size, most })
}
