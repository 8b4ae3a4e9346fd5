//! One stream on its way: what has arrived, what is under way, and what is in doubt.
//!
//! Invariants: `passed` moves only over numbers that arrived, were set aside or are not held any more; each number is
//! under way at most once in a connection, unless it is in doubt.

use std::collections::BTreeMap;

use super::Token;

/// First number → last number, without overlaps.
type Spans = BTreeMap<u64, u64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

/// Something that was refused, or after which the connection ended, again and again.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    span: Span,
    /// How much there is against it, of what failed though others arrived.
    weight: u8,
}

/// How it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Whoever is above did not take it.
    Refused,
    /// The connection ended over it, which may have other reasons.
    Cut,
}

impl Failed {
    fn weight(self) -> u8 {
        match self {
            Failed::Refused => 3,
            Failed::Cut => 1,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Flow {
    /// Everything up to here has arrived.
    passed: u64,
    /// What comes after it was not sent in this connection.
    next: u64,
    under_way: BTreeMap<u64, (u64, Token)>,
    /// Beyond `passed`.
    arrived: Spans,
    doubts: Vec<Doubt>,
}

/// With so much against it many are halved, and a single one is set aside: three refusals, or nine connections.
const HALVED: u8 = 3;
const SET_ASIDE: u8 = 9;
/// Whatever is in doubt beyond that has to wait: then it is the way that is bad, or the broker.
const MOST_DOUBTS: usize = 16;

impl Flow {
    pub fn new(passed: u64) -> Flow {
        Flow { passed, next: passed + 1, under_way: BTreeMap::new(), arrived: Spans::new(), doubts: Vec::new() }
    }

    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Where the next one begins that may go, and where it has to end at the latest.
    pub fn next(&self, on_disk: u64) -> Option<Span> {
        let mut first = self.next.max(self.passed + 1);
        while let Some(end) = self.covered(first) {
            first = end + 1;
        }
        let later = self.arrived.range(first..).next().map(|(from, _)| *from);
        let doubt = self.doubts.iter().map(|doubt| doubt.span.first).filter(|from| *from > first).min();
        let end = [Some(on_disk), later, doubt].into_iter().flatten().min()?;
        (first < end).then(|| Span { first, last: end - 1 })
    }

    /// Whether that number needs not go, and up to where.
    fn covered(&self, no: u64) -> Option<u64> {
        let arrived = self.arrived.range(..=no).next_back().map(|(_, last)| *last).filter(|last| *last >= no);
        let doubt = self.doubts.iter().find(|doubt| doubt.span.first <= no && no <= doubt.span.last);
        arrived.or(doubt.map(|doubt| doubt.span.last))
    }

    /// What is in doubt is tried alone, the oldest first.
    pub fn doubtful(&self) -> Option<Span> {
        self.doubts.first().map(|doubt| doubt.span)
    }

    /// What is in doubt is under way.
    pub fn tries_doubt(&self) -> bool {
        self.doubts.iter().any(|doubt| self.under_way.contains_key(&doubt.span.first))
    }

    pub fn sent(&mut self, span: Span, token: Token) {
        self.under_way.insert(span.first, (span.last, token));
        if !self.doubts.iter().any(|doubt| doubt.span.first == span.first) {
            self.next = self.next.max(span.last + 1);
        }
    }

    fn take(&mut self, token: Token) -> Option<Span> {
        let found = self.under_way.iter().find(|(_, (_, of))| *of == token).map(|(first, (last, _))| (*first, *last));
        let (first, last) = found?;
        self.under_way.remove(&first);
        Some(Span { first, last })
    }

    /// True if the cursor has moved.
    pub fn arrived(&mut self, token: Token) -> bool {
        let Some(span) = self.take(token) else { return false };
        self.is_there(span)
    }

    /// What is before is not held any more.
    pub fn skip_to(&mut self, first_held: u64) -> bool {
        first_held > self.passed + 1 && self.is_there(Span { first: self.passed + 1, last: first_held - 1 })
    }

    pub fn is_nothing(&mut self, span: Span) -> bool {
        self.is_there(span)
    }

    fn is_there(&mut self, span: Span) -> bool {
        let before = self.passed;
        let last = self.arrived.entry(span.first).or_insert(span.last);
        *last = span.last.max(*last);
        while let Some(entry) = self.arrived.first_entry() {
            if *entry.key() > self.passed + 1 {
                break;
            }
            self.passed = self.passed.max(entry.remove());
        }
        let passed = self.passed;
        // Of what is in doubt no more than what is not there yet.
        self.doubts.retain_mut(|doubt| {
            doubt.span.first = doubt.span.first.max(passed + 1);
            doubt.span.last >= doubt.span.first && !(span.first <= doubt.span.first && doubt.span.last <= span.last)
        });
        self.next = self.next.max(passed + 1);
        passed > before
    }

    /// Whoever is above has everything up to there, whatever we know of it.
    pub fn all_up_to(&mut self, seq: u64) -> bool {
        self.under_way.retain(|_, (last, _)| *last > seq);
        seq > self.passed && self.is_there(Span { first: self.passed + 1, last: seq })
    }

    /// It was not taken. A single record that fails time after time though others arrive is given back, to be set aside.
    pub fn refused(&mut self, token: Token, others_arrive: bool) -> Option<Span> {
        let span = self.take(token)?;
        self.doubt(span, others_arrive.then_some(Failed::Refused))
    }

    /// It was not taken, and the reason is not in it.
    pub fn goes_again(&mut self, token: Token) {
        if let Some(span) = self.take(token) {
            self.next = self.next.min(span.first);
        }
    }

    /// It cannot be sent at all.
    pub fn cannot_go(&mut self, span: Span) -> Option<Span> {
        let mut failed = self.doubt(span, Some(Failed::Refused));
        while failed.is_none() && span.last == span.first && self.doubts.iter().any(|doubt| doubt.span == span) {
            failed = self.doubt(span, Some(Failed::Refused));
        }
        failed
    }

    fn doubt(&mut self, span: Span, failed: Option<Failed>) -> Option<Span> {
        let place = match self.doubts.iter().position(|doubt| doubt.span == span) {
            Some(place) => place,
            None if self.doubts.len() >= MOST_DOUBTS => {
                self.next = self.next.min(span.first);
                return None;
            }
            None => {
                let place = self.doubts.partition_point(|doubt| doubt.span.first < span.first);
                self.doubts.insert(place, Doubt { span, weight: 0 });
                place
            }
        };
        let weight = &mut self.doubts[place].weight;
        *weight = weight.saturating_add(failed.map_or(0, Failed::weight));
        match (*weight, span.last > span.first) {
            (HALVED.., true) => {
                self.doubts.remove(place);
                span.halves().into_iter().rev().for_each(|span| self.doubts.insert(place, Doubt { span, weight: 0 }));
                None
            }
            (SET_ASIDE.., false) => {
                self.doubts.remove(place);
                Some(span)
            }
            _ => None,
        }
    }

    /// What was set aside counts as arrived.
    pub fn set_aside(&mut self, span: Span) -> bool {
        self.is_there(span)
    }

    /// The connection ended: what was under way goes again. `suspect`: nothing has arrived for some connections, so the
    /// first of what was under way is doubted.
    pub fn cut(&mut self, suspect: bool, others_arrived: bool) -> Option<Span> {
        let first = self.under_way.iter().next().map(|(first, (last, _))| Span { first: *first, last: *last });
        self.under_way.clear();
        self.next = self.passed + 1;
        let first = first?;
        match self.doubts.iter().any(|doubt| doubt.span == first) {
            true => self.doubt(first, others_arrived.then_some(Failed::Cut)),
            false if suspect => self.doubt(first, None),
            false => None,
        }
    }
}

impl Span {
    fn halves(self) -> [Span; 2] {
        let middle = self.first + (self.last - self.first) / 2;
        [Span { first: self.first, last: middle }, Span { first: middle + 1, last: self.last }]
    }
}
