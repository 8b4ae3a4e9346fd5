//! What of the journal goes next, and how far it has arrived: pure, for one upstream.
//!
//! Of each stream there is a [`Flow`]; [`Pace`] says how much may be under way in all. Vital goes before events, and these
//! before telemetry. What is refused, or what connections seem to break over, is tried alone, in ever smaller pieces,
//! while the rest goes on; a single record that fails again and again though others arrive is set aside, and named.
//!
//! Invariants: a cursor passes a number only when it arrived, was set aside or is not held any more; a refusal that is not
//! about the record itself sets nothing aside; beyond what is in doubt no more goes than [`Pace`] allows.

mod flow;
mod pace;

use std::time::Duration;

use flow::Flow;
pub use flow::Span;
pub use pace::Pace;

use crate::model::{Mono, Stream};

/// What somebody calls something that is under way.
pub type Token = u64;

/// When so many connections in a row brought nothing forward, what they began with is doubted.
const IN_VAIN: u32 = 3;
/// After a refusal that is about all of them.
const REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_secs(600);

/// What is to be read and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub stream: Stream,
    pub span: Span,
    /// Bytes at most; what cannot be cut may have more.
    pub bytes: usize,
    /// To be sent as it is, or not at all: something in it is doubted.
    pub whole: bool,
}

/// A cursor that has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub stream: Stream,
    pub seq: u64,
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// This one: its size, its form.
    Record,
    /// All: a quota, a right.
    All,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    token: Token,
    bytes: usize,
    at: Mono,
    /// No more might go.
    full: bool,
}

pub struct Delivery {
    wanted: [bool; 3],
    flows: [Flow; 3],
    pace: Pace,
    under_way: Vec<Sent>,
    last: Token,
    /// Something has arrived in this connection.
    arrives: bool,
    /// Connections in a row that brought nothing forward.
    in_vain: u32,
    /// Nothing goes before that.
    rests: Option<(Mono, Duration)>,
}

impl Delivery {
    /// `passed`: how far each stream was acknowledged.
    pub fn new(wanted: [bool; 3], passed: [u64; 3], most_bytes: usize) -> Delivery {
        Delivery {
            wanted,
            flows: passed.map(Flow::new),
            pace: Pace::new(most_bytes),
            under_way: Vec::new(),
            last: 0,
            arrives: false,
            in_vain: 0,
            rests: None,
        }
    }

    pub fn passed(&self, stream: Stream) -> u64 {
        self.flows[stream as usize].passed()
    }

    pub fn bytes_under_way(&self) -> usize {
        self.under_way.iter().map(|sent| sent.bytes).sum()
    }

    /// None: nothing may go now. `open`: the streams that may go (a budget may hold one up).
    pub fn next(&self, on_disk: [u64; 3], open: [bool; 3], now: Mono) -> Option<Want> {
        if self.rests.is_some_and(|(until, _)| now < until) {
            return None;
        }
        let (ahead, bytes) = (self.bytes_under_way(), self.pace.pack());
        if ahead > 0 && ahead + bytes > self.pace.ahead() {
            return None;
        }
        let streams =
            || Stream::ALL.into_iter().filter(|stream| self.wanted[*stream as usize] && open[*stream as usize]);
        let ordinary = streams().find_map(|stream| {
            let span = self.flows[stream as usize].next(on_disk[stream as usize])?;
            Some(Want { stream, span, bytes, whole: false })
        });
        // Alone, and when it is known that others arrive.
        let doubtful = || {
            streams().find_map(|stream| {
                let span = self.flows[stream as usize].doubtful()?;
                Some(Want { stream, span, bytes: usize::MAX, whole: true })
            })
        };
        match (self.under_way.is_empty() && self.arrives).then(doubtful).flatten() {
            Some(doubtful) => Some(doubtful),
            None if self.flows.iter().any(Flow::tries_doubt) => None,
            None => ordinary,
        }
    }

    /// When [`next`](Delivery::next) may say something else without news.
    pub fn wake_at(&self) -> Option<Mono> {
        self.rests.map(|(until, _)| until)
    }

    pub fn sent(&mut self, stream: Stream, span: Span, bytes: usize, now: Mono) -> Token {
        self.last += 1;
        let full = self.bytes_under_way() + bytes + self.pace.pack() > self.pace.ahead();
        self.under_way.push(Sent { token: self.last, bytes, at: now, full });
        self.flows[stream as usize].sent(span, self.last);
        self.last
    }

    pub fn skip_to(&mut self, stream: Stream, first_held: u64) -> Option<Passed> {
        let moved = self.flows[stream as usize].skip_to(first_held);
        self.told(moved, stream)
    }

    /// Numbers of nothing.
    pub fn hole(&mut self, stream: Stream, span: Span) -> Option<Passed> {
        let moved = self.flows[stream as usize].is_nothing(span);
        self.told(moved, stream)
    }

    /// Something that is no record has arrived: the connection is good for something.
    pub fn lives(&mut self) {
        self.arrives = true;
    }

    pub fn arrived(&mut self, token: Token, now: Mono) -> Option<Passed> {
        let sent = self.forget(token)?;
        self.pace.arrived(now.since(sent.at), sent.full);
        (self.arrives, self.in_vain, self.rests) = (true, 0, None);
        self.on(|flow| flow.arrived(token))
    }

    /// The manager says so of its own accord.
    pub fn all_up_to(&mut self, stream: Stream, seq: u64) -> Option<Passed> {
        let moved = self.flows[stream as usize].all_up_to(seq);
        self.told(moved, stream)
    }

    /// What is to be set aside.
    pub fn refused(&mut self, token: Token, about: About, now: Mono) -> Option<(Stream, Span)> {
        self.forget(token)?;
        if about == About::All {
            let pause = self.rests.map_or(REST, |(_, pause)| (pause * 2).min(LONGEST_REST));
            self.rests = Some((now + pause, pause));
            self.flows.iter_mut().for_each(|flow| flow.goes_again(token));
            return None;
        }
        let others_arrive = self.arrives;
        self.each(|flow| flow.refused(token, others_arrive))
    }

    /// It cannot be sent at all: too large for whoever is above, or not to be written in this form.
    pub fn cannot_go(&mut self, stream: Stream, span: Span) -> Option<(Stream, Span)> {
        let aside = self.flows[stream as usize].cannot_go(span);
        aside.map(|span| (stream, span))
    }

    pub fn set_aside(&mut self, stream: Stream, span: Span) -> Option<Passed> {
        let moved = self.flows[stream as usize].set_aside(span);
        self.told(moved, stream)
    }

    /// The connection ended. What is to be set aside for it.
    pub fn cut(&mut self) -> Option<(Stream, Span)> {
        let was_under_way = !self.under_way.is_empty();
        if was_under_way && self.in_vain_again() {
            self.pace.was_in_vain();
        }
        self.under_way.clear();
        self.rests = None;
        let (suspect, arrived) = (self.in_vain >= IN_VAIN, std::mem::take(&mut self.arrives));
        self.each(|flow| flow.cut(suspect, arrived))
    }

    fn in_vain_again(&mut self) -> bool {
        self.in_vain += 1;
        self.in_vain > 1
    }

    fn forget(&mut self, token: Token) -> Option<Sent> {
        let place = self.under_way.iter().position(|sent| sent.token == token)?;
        Some(self.under_way.swap_remove(place))
    }

    fn on(&mut self, mut change: impl FnMut(&mut Flow) -> bool) -> Option<Passed> {
        let moved = Stream::ALL.into_iter().find(|stream| change(&mut self.flows[*stream as usize]))?;
        self.told(true, moved)
    }

    fn each(&mut self, mut change: impl FnMut(&mut Flow) -> Option<Span>) -> Option<(Stream, Span)> {
        let mut first = None;
        for stream in Stream::ALL {
            let span = change(&mut self.flows[stream as usize]);
            first = first.or(span.map(|span| (stream, span)));
        }
        first
    }

    fn told(&self, moved: bool, stream: Stream) -> Option<Passed> {
        moved.then(|| Passed { stream, seq: self.passed(stream) })
    }
}

#[cfg(test)]
mod tests;
