//! The machine in false time, against packets written by hand: each side of it in a file of its own.

mod limits;
mod model;
mod peer;
mod properties;
mod sends;
mod takes;
mod waits;

use std::time::{Duration, Instant};

use super::*;

/// Success, no session, no properties.
pub const WELCOME: &[u8] = &[0x20, 3, 0, 0, 0];
pub const WELCOME_BACK: &[u8] = &[0x20, 3, 1, 0, 0];
pub const OLD_WELCOME: &[u8] = &[0x20, 2, 0, 0];

/// A machine and its false time.
pub struct Bench {
    pub client: Client,
    pub now: Instant,
    pub how: Connect,
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(Bounds::default())
    }

    pub fn with(bounds: Bounds) -> Bench {
        let now = Instant::now();
        Bench { client: Client::new(now, bounds), now, how: Connect::new("gateway") }
    }

    /// Connected, with that answer of the broker.
    pub fn up(answer: &[u8]) -> Bench {
        let mut bench = Bench::new();
        bench.connect(answer);
        bench
    }

    pub fn old() -> Bench {
        let mut bench = Bench::new();
        bench.how.version = Version::Old;
        bench.connect(OLD_WELCOME);
        bench
    }

    pub fn connect(&mut self, answer: &[u8]) -> Welcome {
        self.client.connect(self.now, &self.how).unwrap();
        self.written();
        self.hears(answer);
        match self.event() {
            Event::Connected(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn hears(&mut self, bytes: &[u8]) {
        self.client.received(self.now, bytes);
    }

    pub fn event(&mut self) -> Event {
        self.client.poll(self.now).expect("an event")
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll(self.now)).collect()
    }

    pub fn end(&mut self) -> End {
        match self.event() {
            Event::Ended(end) => end,
            other => panic!("{other:?}"),
        }
    }

    /// What leaves now, all of it.
    pub fn written(&mut self) -> Vec<u8> {
        let bytes = self.client.output().to_vec();
        self.client.wrote(self.now, bytes.len());
        bytes
    }

    pub fn publishes(&mut self, token: Token) {
        self.client.publish(self.now, token, Message::new("t", vec![token as u8])).unwrap();
    }

    pub fn passes(&mut self, span: Duration) {
        self.now += span;
        self.client.tick(self.now);
    }

    /// Nothing happens but what the machine wakes for, until it ends: how long that took.
    pub fn waits_for_the_end(&mut self) -> (Duration, End) {
        let begin = self.now;
        for _ in 0..20 {
            let at = self.client.wake_at().expect("something is awaited");
            self.now = at.max(self.now);
            self.client.tick(self.now);
            if let Some(Event::Ended(end)) = self.client.poll(self.now) {
                return (self.now - begin, end);
            }
            self.written();
        }
        panic!("it never ends");
    }
}

pub fn acknowledged(token: Token) -> Event {
    Event::Acknowledged { token, heard: true }
}

/// A message of quality 1 with that id, as a broker sends it.
pub fn incoming(id: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x32, 6 + payload.len() as u8, 0, 1, b'q', 0, id, 0], payload].concat()
}
