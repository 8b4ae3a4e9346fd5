//! The machine itself: which packet means what in which phase.
//!
//! The caller opens a stream, says [`Client::connect`], hands in what it reads, writes what [`Client::output`] shows, and
//! asks [`Client::poll`] for events until there is none. After [`Event::Ended`] it connects again over another stream with
//! the same machine, which goes on with what it holds; or it takes that back. Packets are decoded one at a time, as they
//! are polled, so that what comes in a flood lies in the kernel and not here.

mod came;
mod ends;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use thiserror::Error;

use super::alive::{Alive, UnderWay};
use super::connect::{Connect, Version};
use super::event::{Awaited, End, Event, Limits, Receipt, Token};
use super::message::{Message, Qos, Unfit, is_filter};
use super::out::Out;
use super::reason::Reason;
use super::sending::Sending;
use super::taking::Taking;
use super::wire::Writer;

/// Subscriptions that wait for their answer: a dialect has a handful.
const MOST_ASKED: usize = 8;

/// What the machine holds at most.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages that were given to it and are not acknowledged; and their bytes.
    pub window: u16,
    pub bytes: usize,
    /// The same for those that came.
    pub incoming: u16,
    pub incoming_bytes: usize,
    /// A larger packet is not read.
    pub largest_packet: usize,
}

impl Default for Bounds {
    /// Fills a link of 10 Mbit/s with a round trip of 200 ms; requests are small and few.
    fn default() -> Bounds {
        Bounds { window: 64, bytes: 256 * 1024, incoming: 16, incoming_bytes: 512 * 1024, largest_packet: 256 * 1024 }
    }
}

/// Nothing was taken.
#[derive(Debug, Error)]
pub enum NotTaken {
    #[error("there is no room for it now")]
    NoRoom(Box<Message>),
    #[error(transparent)]
    Unfit(Unfit),
    #[error("there is no connection")]
    NotConnected,
    #[error("too many subscriptions wait for their answer")]
    Asked,
}

enum Phase {
    /// Between connections.
    Apart,
    Connecting {
        since: Instant,
        clean: bool,
        keep: Duration,
    },
    Up(Limits),
    /// DISCONNECT is on its way.
    Leaving,
}

pub struct Client {
    bounds: Bounds,
    phase: Phase,
    writer: Writer,
    patience: Duration,
    connection: u32,
    input: BytesMut,
    /// What comes of a packet that is passed over.
    passing: Option<came::Passing>,
    /// The stream has ended, with this error.
    closed: Option<Option<io::Error>>,
    /// What came would not fit beside what the caller has not taken yet.
    full: bool,
    anything_came: bool,
    out: Out,
    sending: Sending,
    taking: Taking,
    asked: Vec<(u16, usize, Instant)>,
    alive: Alive,
    events: VecDeque<Event>,
}

impl Client {
    pub fn new(now: Instant, bounds: Bounds) -> Client {
        Client {
            bounds,
            phase: Phase::Apart,
            writer: Writer(Version::Five),
            patience: Duration::ZERO,
            connection: 0,
            input: BytesMut::new(),
            passing: None,
            closed: None,
            full: false,
            anything_came: false,
            out: Out::default(),
            sending: Sending::new(bounds.window, bounds.bytes),
            taking: Taking::new(bounds.incoming, bounds.incoming_bytes),
            asked: Vec::new(),
            alive: Alive::new(now, Duration::ZERO),
            events: VecDeque::new(),
        }
    }

    // What the caller wants.

    /// Begins a connection over a stream that was just opened. An older one ends without a word.
    pub fn connect(&mut self, now: Instant, how: &Connect) -> Result<(), Unfit> {
        how.check()?;
        if !matches!(self.phase, Phase::Apart) {
            self.end(End::Left);
        }
        self.writer = Writer(how.version);
        self.patience = how.patience;
        self.connection = self.connection.wrapping_add(1);
        let keep = Duration::from_secs(how.keep_alive_seconds().into());
        self.alive = Alive::new(now, keep);
        self.phase = Phase::Connecting { since: now, clean: how.clean, keep };
        (self.closed, self.anything_came) = (None, false);
        self.out.begin();
        let (writer, bounds) = (self.writer, self.bounds);
        let write = |out: &mut BytesMut| writer.connect(out, how, bounds.incoming.max(1), bounds.largest_packet);
        self.out.secret_packet(now, writer.room_for_connect(how), write);
        Ok(())
    }

    /// Bytes that [`publish`](Client::publish) would take now; one message alone is taken whatever its size.
    pub fn room(&self) -> usize {
        self.sending.room()
    }

    /// Takes a message, to be ended by an event with that token. Between connections it waits for the next one.
    pub fn publish(&mut self, now: Instant, token: Token, message: Message) -> Result<(), NotTaken> {
        message.check().map_err(NotTaken::Unfit)?;
        if !self.sending.takes(&message) {
            return Err(NotTaken::NoRoom(Box::new(message)));
        }
        self.sending.give(token, message);
        self.send(now);
        Ok(())
    }

    /// Answered by [`Event::Subscribed`], in the order of asking. A new session of the broker knows nothing of old ones.
    pub fn subscribe(&mut self, now: Instant, filters: &[(&str, Qos)]) -> Result<(), NotTaken> {
        if !matches!(self.phase, Phase::Up(_)) {
            return Err(NotTaken::NotConnected);
        }
        if self.asked.len() >= MOST_ASKED {
            return Err(NotTaken::Asked);
        }
        filters.iter().try_for_each(|(filter, _)| is_filter(filter)).map_err(NotTaken::Unfit)?;
        let (asked, writer) = (&self.asked, self.writer);
        let id = self.sending.lend_id(|id| asked.iter().any(|(taken, ..)| *taken == id));
        self.asked.push((id, filters.len(), now));
        self.out.packet(now, |out| writer.subscribe(out, id, filters));
        Ok(())
    }

    /// The message of that receipt can be lost no more. One of an earlier connection comes again, so it is passed over.
    pub fn took(&mut self, now: Instant, receipt: Receipt) {
        let ours = receipt.connection == self.connection && matches!(self.phase, Phase::Up(_));
        if ours && self.taking.took(receipt.id) {
            let writer = self.writer;
            self.out.packet(now, |out| writer.took(out, receipt.id));
            self.full = false;
            self.alive.deaf(now, false);
        }
    }

    /// Leaves in good order: what waits to be written goes first, then [`End::Left`] is told.
    pub fn disconnect(&mut self, now: Instant, with_will: bool) {
        if !matches!(self.phase, Phase::Up(_)) {
            return self.end(End::Left);
        }
        let (writer, old) = (self.writer, self.writer.0 == Version::Old);
        // In 3.1.1 a DISCONNECT takes the will back; without one it is told.
        if !(with_will && old) {
            let reason = if with_will { Reason::of(0x04) } else { Reason::SUCCESS };
            self.out.packet(now, |out| writer.disconnect(out, reason));
        }
        self.phase = Phase::Leaving;
        self.left();
    }

    /// All that is held, in its order, to who gave it: it is neither sent any more nor told of. Only between connections.
    pub fn hand_back(&mut self) -> Vec<(Token, Message)> {
        if matches!(self.phase, Phase::Apart) { self.sending.hand_back() } else { Vec::new() }
    }

    pub fn holds_nothing(&self) -> bool {
        self.sending.is_empty()
    }

    // What the stream does.

    /// To be written, in order.
    pub fn output(&self) -> &[u8] {
        self.out.unwritten()
    }

    /// The stream took so many bytes of the output.
    pub fn wrote(&mut self, now: Instant, count: usize) {
        self.out.wrote(now, count);
        if count > 0 {
            self.alive.sent(now);
            self.sending.written(now, self.out.written(), &mut self.events);
        }
        self.left();
    }

    /// False while what came is enough: who reads on would only gather it.
    pub fn wants_input(&self) -> bool {
        !matches!(self.phase, Phase::Apart) && self.closed.is_none() && !self.full
    }

    /// Bytes as they came. Ask [`wants_input`](Client::wants_input) before reading: what was read is held, whatever it is.
    pub fn received(&mut self, now: Instant, bytes: &[u8]) {
        if !matches!(self.phase, Phase::Apart) && !bytes.is_empty() {
            self.alive.heard(now);
            self.anything_came = true;
            self.input.extend_from_slice(bytes);
        }
    }

    /// The stream has ended; what came before is still told.
    pub fn closed(&mut self, error: Option<io::Error>) {
        self.closed.get_or_insert(error);
    }

    /// The next thing that happened.
    pub fn poll(&mut self, now: Instant) -> Option<Event> {
        while self.events.is_empty() && !matches!(self.phase, Phase::Apart) {
            match self.step(now) {
                Ok(true) => {}
                Ok(false) if self.closed.is_some() => self.ended(),
                Ok(false) => break,
                Err(malformed) => self.broken(now, malformed),
            }
        }
        self.events.pop_front()
    }

    /// When [`tick`](Client::tick) has something to do, if nothing happens before.
    pub fn wake_at(&self) -> Option<Instant> {
        let overdue = self.overdue_at().map(|(at, _)| at);
        [overdue, self.ping_at()].into_iter().flatten().min()
    }

    /// Looks at the deadlines. Read first: what lies in the stream is not overdue.
    pub fn tick(&mut self, now: Instant) {
        if let Some((_, awaited)) = self.overdue_at().filter(|(at, _)| *at <= now) {
            let waited = self.alive.quiet_for(now);
            return self.end(End::Silent { awaited, waited });
        }
        if self.ping_at().is_some_and(|at| at <= now) {
            let writer = self.writer;
            self.out.packet(now, |out| writer.ping(out));
            self.alive.pinged(now);
        }
    }

    fn overdue_at(&self) -> Option<(Instant, Awaited)> {
        match self.phase {
            Phase::Apart => None,
            Phase::Connecting { since, .. } => Some((since + self.patience, Awaited::Welcome)),
            Phase::Up(_) | Phase::Leaving => {
                let asked = self.asked.first().filter(|_| !self.full);
                let asked = asked.map(|(.., at)| (*at + self.patience, Awaited::Subscription));
                let alive = self.alive.overdue_at(&self.under_way());
                [asked, alive].into_iter().flatten().min_by_key(|(at, _)| *at)
            }
        }
    }

    fn ping_at(&self) -> Option<Instant> {
        let up = matches!(self.phase, Phase::Up(_));
        self.alive.ping_at(&self.under_way()).filter(|_| up)
    }

    fn under_way(&self) -> UnderWay {
        let asked = self.asked.first().map(|(.., at)| *at);
        UnderWay { oldest: self.sending.oldest(), asked, unwritten: self.out.since() }
    }
}
