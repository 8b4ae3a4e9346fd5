//! What came: one packet after the other, each judged by where the connection stands.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::{Client, Phase};
use crate::upstream::mqtt::alive::Alive;
use crate::upstream::mqtt::connect::Version;
use crate::upstream::mqtt::event::{End, Event, Limits, Receipt, Refusal, Welcome};
use crate::upstream::mqtt::message::Qos;
use crate::upstream::mqtt::reason::Reason;
use crate::upstream::mqtt::wire::{self, Answer, Came, Head, Malformed, Packet};

/// A connection is answered in fewer bytes, whatever the broker has to say with it.
const LARGEST_ANSWER: usize = 64 * 1024;
/// An input buffer that grew beyond this is given back when it is empty.
const KEPT: usize = 64 * 1024;

/// A message that is not held: what is left of it is thrown away as it comes.
pub(super) struct Passing {
    topic: String,
    id: u16,
    size: usize,
    left: usize,
}

impl Client {
    /// Decodes one packet; false where there is none that could be.
    pub(super) fn step(&mut self, now: Instant) -> Result<bool, Malformed> {
        if let Some(passing) = self.passing.take() {
            return Ok(self.pass_on(now, passing));
        }
        self.sounds_like_mqtt()?;
        let Some(head) = wire::head(&self.input)? else { return Ok(false) };
        if head.end > self.largest(&head)? {
            return self.pass_over(&head);
        }
        if self.input.len() < head.end {
            return Ok(false);
        }
        if head.is_publish() && head.qos() > 0 && !self.taking.fits(head.end) {
            self.full = true;
            self.alive.deaf(now, true);
            return Ok(false);
        }
        let packet = self.input.split_to(head.end);
        let read = wire::read(self.writer.0, &head, &packet);
        drop(packet);
        self.give_input_back();
        self.take(now, read?, &head)?;
        Ok(true)
    }

    /// A memory that is not needed any more, for this may stay open for years.
    fn give_input_back(&mut self) {
        if self.input.is_empty() && self.input.capacity() > KEPT {
            self.input = BytesMut::new();
        }
    }

    /// The first answer is a CONNACK, or a DISCONNECT of a broker that is in a hurry.
    fn sounds_like_mqtt(&self) -> Result<(), Malformed> {
        let connecting = matches!(self.phase, Phase::Connecting { .. });
        match self.input.first() {
            Some(first) if connecting && !matches!(first, 0x20 | 0xe0) => {
                let begin = &self.input[..self.input.len().min(40)];
                Err(Malformed::NotMqtt(begin.escape_ascii().to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Of a message any length may be passed over; another packet is not held beyond a bound.
    fn largest(&self, head: &Head) -> Result<usize, Malformed> {
        let connecting = matches!(self.phase, Phase::Connecting { .. });
        let most = if connecting { LARGEST_ANSWER } else { self.bounds.largest_packet };
        if head.end > most && (connecting || !head.is_publish()) {
            return Err(Malformed::Large(wire::name(head.first), head.end, most));
        }
        Ok(most)
    }

    /// Were such a message to end the connection, it would come again with each new one.
    fn pass_over(&mut self, head: &Head) -> Result<bool, Malformed> {
        if head.qos() > 1 {
            return Err(Malformed::Qos2);
        }
        let Some(begin) = wire::begin(head, &self.input)? else { return Ok(false) };
        self.input.advance(begin.taken);
        let (topic, id) = (begin.topic, begin.id);
        self.passing = Some(Passing { topic, id, size: head.end, left: head.end - begin.taken });
        Ok(true)
    }

    fn pass_on(&mut self, now: Instant, mut passing: Passing) -> bool {
        let gone = passing.left.min(self.input.len());
        self.input.advance(gone);
        self.give_input_back();
        passing.left -= gone;
        if passing.left > 0 {
            self.passing = Some(passing);
            return false;
        }
        let Passing { topic, id, size, .. } = passing;
        if id != 0 && matches!(self.phase, Phase::Up(_)) {
            let writer = self.writer;
            self.out.packet(now, |out| writer.took(out, id));
        }
        self.events.push_back(Event::PassedOver { topic, size });
        true
    }

    fn take(&mut self, now: Instant, packet: Packet, head: &Head) -> Result<(), Malformed> {
        match (&self.phase, packet) {
            (Phase::Connecting { clean, keep, .. }, Packet::Answer(answer)) => {
                let (clean, keep) = (*clean, *keep);
                self.answered(now, answer, clean, keep)
            }
            (Phase::Connecting { .. }, Packet::Bye { reason, text, elsewhere }) => {
                self.end(End::Refused { reason, text, elsewhere });
                Ok(())
            }
            (Phase::Up(_) | Phase::Leaving, Packet::Bye { reason, text, elsewhere }) => {
                self.end(End::Told { reason, text, elsewhere });
                Ok(())
            }
            (Phase::Up(_), Packet::Publish(came)) => self.came(came, head),
            // It could not be acknowledged any more; it comes again.
            (Phase::Leaving, Packet::Publish(_)) => Ok(()),
            (Phase::Up(_) | Phase::Leaving, Packet::Acknowledged { id, reason, text }) => {
                self.acknowledged(now, id, reason, text)
            }
            (Phase::Up(_) | Phase::Leaving, Packet::Subscribed { id, granted }) => self.subscribed(id, granted),
            (Phase::Up(_) | Phase::Leaving, Packet::Pong) => {
                self.alive.ponged();
                Ok(())
            }
            _ => Err(Malformed::Unexpected(wire::name(head.first))),
        }
    }

    fn answered(&mut self, now: Instant, answer: Answer, clean: bool, keep: Duration) -> Result<(), Malformed> {
        let Answer { reason, text, elsewhere, .. } = answer;
        if reason == Reason::VERSION && self.writer.0 == Version::Five {
            self.end(End::OldBroker { told: true });
            return Ok(());
        }
        if reason != Reason::SUCCESS {
            self.end(End::Refused { reason, text, elsewhere });
            return Ok(());
        }
        if answer.session_present && clean {
            return Err(Malformed::Content("CONNACK", "it has a session that it was to forget"));
        }
        let keep_alive =
            answer.keep_alive.filter(|seconds| *seconds > 0).map_or(keep, |s| Duration::from_secs(s.into()));
        self.alive = Alive::new(now, keep_alive);
        let limits = Limits {
            window: answer.receive_maximum.unwrap_or(u16::MAX).min(self.bounds.window).max(1),
            largest_packet: answer.largest_packet,
            qos: answer.qos,
            retain: answer.retain,
            keep_alive,
            session_expiry: answer.session_expiry,
        };
        if !answer.session_present {
            self.sending.forgotten();
        }
        let (session_present, client_id) = (answer.session_present, answer.client_id);
        self.events.push_back(Event::Connected(Welcome { session_present, client_id, limits: limits.clone() }));
        self.phase = Phase::Up(limits);
        self.send(now);
        Ok(())
    }

    fn came(&mut self, came: Came, head: &Head) -> Result<(), Malformed> {
        let Came { message, id, again } = came;
        if id != 0 && self.taking.has(id) {
            // Brokers of the old protocol may repeat what was not acknowledged in time.
            let repeats = again && self.writer.0 == Version::Old;
            return if repeats { Ok(()) } else { Err(Malformed::Content("PUBLISH", "its id is in use")) };
        }
        let receipt = (id != 0).then_some(Receipt { connection: self.connection, id });
        if receipt.is_some() {
            self.taking.came(id, head.end);
        }
        self.events.push_back(Event::Message { message, again, receipt });
        Ok(())
    }

    fn acknowledged(&mut self, now: Instant, id: u16, reason: Reason, text: Option<String>) -> Result<(), Malformed> {
        let token = self.sending.acknowledged(id)?;
        self.alive.acknowledged(now);
        self.events.push_back(if reason.is_refusal() {
            Event::Refused { token, why: Refusal::Broker { reason, text } }
        } else {
            Event::Acknowledged { token, heard: reason != Reason::NOBODY_LISTENS }
        });
        self.send(now);
        Ok(())
    }

    fn subscribed(&mut self, id: u16, granted: Vec<Result<Qos, Reason>>) -> Result<(), Malformed> {
        let found = self.asked.iter().position(|(asked, ..)| *asked == id);
        let index = found.ok_or(Malformed::StrangeId("SUBACK", id))?;
        if self.asked.remove(index).1 != granted.len() {
            return Err(Malformed::Content("SUBACK", "it does not answer each filter"));
        }
        self.events.push_back(Event::Subscribed(granted));
        Ok(())
    }

    pub(super) fn send(&mut self, now: Instant) {
        if let Phase::Up(limits) = &self.phase {
            let asked = &self.asked;
            let taken = |id| asked.iter().any(|(taken, ..)| *taken == id);
            self.sending.send(now, (&self.writer, limits), &mut self.out, &mut self.events, taken);
        }
    }
}
