//! How a connection ends; each way ends what was under way in it, and nothing that is held for the next one.

use std::io;
use std::time::Instant;

use bytes::BytesMut;

use super::{Client, Phase};
use crate::upstream::mqtt::connect::Version;
use crate::upstream::mqtt::event::{End, Event};
use crate::upstream::mqtt::wire::Malformed;

impl Client {
    pub(super) fn left(&mut self) {
        if matches!(self.phase, Phase::Leaving) && self.out.is_empty() {
            self.end(End::Left);
        }
    }

    /// The stream ended.
    pub(super) fn ended(&mut self) {
        let error = self.closed.take().flatten();
        let silent = matches!(self.phase, Phase::Connecting { .. }) && !self.anything_came && is_plain(&error);
        let end = match self.phase {
            _ if silent && self.writer.0 == Version::Five => End::OldBroker { told: false },
            Phase::Leaving => End::Left,
            _ => End::Closed { error: error.map(|error| error.to_string()) },
        };
        self.end(end);
    }

    /// MQTT 5 lets us say why; half a packet cannot be followed by another.
    pub(super) fn broken(&mut self, now: Instant, malformed: Malformed) {
        let says = matches!(self.phase, Phase::Up(_)) && self.writer.0 == Version::Five && self.out.is_empty();
        let (writer, reason) = (self.writer, malformed.reason());
        self.end(End::Broken(malformed));
        if says {
            self.out.packet(now, |out| writer.disconnect(out, reason));
        }
    }

    pub(super) fn end(&mut self, end: End) {
        if matches!(self.phase, Phase::Apart) {
            return;
        }
        self.phase = Phase::Apart;
        self.sending.lost();
        self.taking.forget();
        self.asked.clear();
        self.input = BytesMut::new();
        (self.passing, self.full) = (None, false);
        self.out.begin();
        self.events.push_back(Event::Ended(end));
    }
}

/// Closed by the other end, without a reason as TLS would give one.
fn is_plain(error: &Option<io::Error>) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    error.as_ref().is_none_or(|error| matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}
