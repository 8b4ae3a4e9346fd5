//! How a bus is treated.

use std::time::Duration;

use super::super::wire::Request;
use super::super::wire::timing::Pace;
use super::super::wire::told::Frames;
use crate::section;
use crate::units::Span;

section! {
    /// How units on a Modbus bus are asked.
    pub struct Settings {
        /// How long a unit may think before it answers. What the bytes take on a serial line comes on top.
        timeout: Span = Span::secs(1), from Span::millis(10), to Span::secs(60);
        /// How long a unit that was silent, or answered with what was no answer, is not asked again: a late answer must
        /// not be taken for the next one. Twice the timeout, if nothing is said.
        quarantine: Option<Span> = None, like "\"2s\"";
        /// How long the line is left alone after a request to all units.
        turnaround: Span = Span::millis(100), from Span::millis(0), to Span::secs(10);
        /// How soon a unit that says that it is busy is asked again.
        busy_pause: Span = Span::millis(200), from Span::millis(10), to Span::secs(60);
        /// How long a connection may take to come about.
        connect: Span = Span::secs(5), from Span::millis(100), to Span::secs(60);
        /// How seldom a port or connection that fails is tried in the end.
        slowest: Span = Span::secs(30), from Span::secs(1), to Span::secs(3_600);
        /// Requests that wait: so many commands, and so many polls.
        queue: u16 = 64, from 1, to 1_024;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Rtu(Pace),
    Tcp,
    RtuOverTcp,
}

impl Framing {
    pub const fn frames(self) -> Frames {
        match self {
            Framing::Tcp => Frames::Tcp,
            Framing::Rtu(_) | Framing::RtuOverTcp => Frames::Rtu,
        }
    }

    /// Silence that a frame ends with. A network keeps no time, so there is none to be seen on it.
    pub fn silence(self) -> Duration {
        match self {
            Framing::Rtu(pace) => pace.silence(),
            Framing::Tcp | Framing::RtuOverTcp => Duration::ZERO,
        }
    }

    /// What so many bytes take on the way out.
    pub fn takes(self, bytes: usize) -> Duration {
        match self {
            Framing::Rtu(pace) => pace.of(bytes),
            Framing::Tcp | Framing::RtuOverTcp => Duration::ZERO,
        }
    }
}

/// The settings, made ready.
#[derive(Clone, Debug)]
pub struct Manner {
    pub framing: Framing,
    pub timeout: Duration,
    pub quarantine: Duration,
    pub turnaround: Duration,
    pub busy_pause: Duration,
    pub slowest: Duration,
    pub queue: usize,
    /// Per cent of the time that guests may take from polls.
    pub guests: u8,
}

/// Of those whose link says nothing of guests, and so has none.
const GUESTS: u8 = 50;

impl Manner {
    pub fn new(framing: Framing, settings: &Settings) -> Manner {
        let timeout = settings.timeout.0;
        Manner {
            framing,
            timeout,
            quarantine: settings.quarantine.as_ref().map_or(timeout * 2, |span| span.0).max(framing.silence()),
            turnaround: settings.turnaround.0,
            busy_pause: settings.busy_pause.0,
            slowest: settings.slowest.0,
            queue: usize::from(settings.queue).max(1),
            guests: GUESTS,
        }
    }

    /// How long an answer is waited for. `thinks`: for no longer than this, on top of what bytes take on a serial line.
    pub fn wait(&self, request: &Request, thinks: Option<Duration>) -> Duration {
        let timeout = thinks.map_or(self.timeout, |thinks| thinks.min(self.timeout));
        match self.framing {
            Framing::Rtu(pace) => pace.answered_within(request, timeout),
            Framing::Tcp | Framing::RtuOverTcp => timeout,
        }
    }
}
