//! Writing to the journal inside one transaction: what comes in at the end of a stream, what goes at its beginning.
//!
//! The heads are a copy that becomes the truth only when the commit succeeds.

use crate::metrics::{Cause, Tally};
use crate::model::record::Entry;
use crate::model::{Gap, GapReason, Now, Record, Stream};

use super::block::peek;
use super::error::StoreError;
use super::heads::Heads;
use super::pieces::{JournalTable, at_or_after, at_or_before, opening, put, records};
use super::rows::{HEADS, cbor, code, pack};
use super::settings::{Bounds, Reader};

pub(super) struct Journal<'t> {
    table: JournalTable<'t>,
    pub(super) heads: Heads,
    pub(super) tally: Tally,
    /// What came in with its number, where somebody wants to hear of it.
    told: Option<Vec<Numbered>>,
}

/// A record of *vital* or *events* with the number that it got.
pub type Numbered = (u64, Entry);

/// What a transaction makes of the journal.
#[derive(Default)]
pub(super) struct Written {
    pub(super) heads: Heads,
    pub(super) told: Vec<Numbered>,
}

/// What a span of records holds, as far as they can be read.
#[derive(Default)]
struct Span {
    rows: u64,
    last: u64,
    count: u64,
    /// A record in it cannot be read: the count is what it may have held.
    guessed: bool,
    times: Option<(Now, Now)>,
}

impl<'t> Journal<'t> {
    pub(super) fn new(table: JournalTable<'t>, heads: Heads) -> Journal<'t> {
        Journal { table, heads, told: None, tally: Tally::default() }
    }

    pub(super) fn telling(self, wanted: bool) -> Journal<'t> {
        Journal { told: wanted.then(Vec::new), ..self }
    }

    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let stream = entry.record.stream();
        let seq = self.heads.of(stream).next;
        let bytes = cbor(entry)?;
        let rows = put(&mut self.table, code(stream), seq, &bytes)?;
        self.tally.give(Cause::of(&entry.record), bytes.len());
        self.tally.record(stream, 1);
        self.tally.gap(&entry.record);
        self.grown(stream, seq + 1, rows);
        self.told.iter_mut().for_each(|told| told.push((seq, entry.clone())));
        Ok(())
    }

    pub(super) fn append_gap(&mut self, now: &Now, gap: Gap) -> Result<(), StoreError> {
        self.append(&Entry { at: *now, of: None, record: Record::Gap(gap) })
    }

    pub(super) fn append_block(&mut self, seq: u64, next: u64, block: &[u8]) -> Result<(), StoreError> {
        let rows = put(&mut self.table, code(Stream::Telemetry), seq, block)?;
        self.tally.give(Cause::Readings, block.len());
        self.tally.record(Stream::Telemetry, next.saturating_sub(seq));
        if self.heads.telemetry.rows == 0 {
            self.heads.telemetry.first = seq;
        }
        self.grown(Stream::Telemetry, next, rows);
        Ok(())
    }

    fn grown(&mut self, stream: Stream, next: u64, rows: u64) {
        let head = self.heads.of_mut(stream);
        head.next = next;
        head.reserved = head.reserved.max(next);
        head.rows += rows;
    }

    /// Numbers that will never be records: readings that were dropped from memory, or lost in a crash.
    pub(super) fn skip(&mut self, next: u64) {
        let head = &mut self.heads.telemetry;
        head.next = next.max(head.next);
        head.reserved = head.reserved.max(head.next);
        if head.rows == 0 {
            head.first = head.next;
        }
    }

    /// What everybody has is kept no longer.
    pub(super) fn drop_passed(&mut self, readers: &[Reader]) -> Result<(), StoreError> {
        for stream in Stream::ALL {
            let Some(passed) = self.heads.passed_by_all(readers, stream) else { continue };
            let head = self.heads.of(stream);
            if head.rows > 0 && passed >= head.first {
                let cut = self.start_of_rest(stream, passed)?;
                self.cut(stream, cut)?;
            }
        }
        Ok(())
    }

    /// Where the first record begins that holds anything after `passed`.
    fn start_of_rest(&self, stream: Stream, passed: u64) -> Result<u64, StoreError> {
        let wanted = passed.saturating_add(1);
        let Some(within) = at_or_before(&self.table, code(stream), wanted)? else { return Ok(wanted) };
        let end = within.saturating_add(self.count_at(stream, within)?.unwrap_or(u64::MAX));
        Ok(if end <= wanted { wanted } else { within })
    }

    /// How many numbers the record takes that begins there, if it can be read.
    fn count_at(&self, stream: Stream, seq: u64) -> Result<Option<u64>, StoreError> {
        if stream != Stream::Telemetry {
            return Ok(Some(1));
        }
        let block = opening(&self.table, code(stream), seq)?;
        Ok(block.and_then(|block| peek(&block).ok()).map(|peek| peek.readings))
    }

    fn cut(&mut self, stream: Stream, before: u64) -> Result<(), StoreError> {
        let (code, mut rows) = (code(stream), 0);
        self.table.retain_in((code, 0, 0)..(code, before, 0), |_, _| {
            rows += 1;
            false
        })?;
        let first = at_or_after(&self.table, code, before)?;
        let head = self.heads.of_mut(stream);
        head.first = first.unwrap_or(head.next);
        head.rows = if first.is_some() { head.rows.saturating_sub(rows) } else { 0 };
        Ok(())
    }

    /// The oldest go, at least a sixteenth of the bound at once, under one gap record.
    pub(super) fn drop_beyond(&mut self, now: &Now, bounds: &Bounds) -> Result<(), StoreError> {
        // Vital last: the gap records of the others go there.
        for stream in [Stream::Telemetry, Stream::Events, Stream::Vital] {
            let (rows, bound) = (self.heads.of(stream).rows, bounds.of(stream));
            if rows > bound {
                self.drop_oldest(now, stream, rows - bound + bounds.step(stream))?;
            }
        }
        Ok(())
    }

    fn drop_oldest(&mut self, now: &Now, stream: Stream, rows: u64) -> Result<(), StoreError> {
        let first = self.heads.of(stream).first;
        let (span, cut) = self.oldest(stream, rows)?;
        if span.count == 0 {
            return Ok(());
        }
        self.cut(stream, cut)?;
        let (from, to) = span.times.unwrap_or((Now::default(), *now));
        let (count, exact) = (span.count, !span.guessed);
        let gap = Gap { stream, why: GapReason::Bound, first, last: span.last, count, exact, from, to };
        self.append_gap(now, gap)
    }

    /// The oldest records that stand in at least so many rows, and where the rest begins; the newest record always stays.
    fn oldest(&self, stream: Stream, rows: u64) -> Result<(Span, u64), StoreError> {
        let first = self.heads.of(stream).first;
        let mut found = records(&self.table, code(stream), first)?;
        let mut span = Span::default();
        let Some(((mut seq, mut record), mut taken)) = found.next()? else { return Ok((span, first)) };
        while span.rows < rows {
            let Some(((next, after), more)) = found.next()? else { break };
            span.add(stream, seq, record.as_deref(), next, taken);
            (seq, record, taken) = (next, after, more);
        }
        Ok((span, seq))
    }

    pub(super) fn save(mut self, now: &Now) -> Result<(Written, Tally), StoreError> {
        self.heads.tick(now);
        let row = pack(&HEADS, &self.heads)?;
        self.table.insert(HEADS, row.as_slice())?;
        self.tally.give(Cause::Rest, row.len());
        Ok((Written { heads: self.heads, told: self.told.unwrap_or_default() }, self.tally))
    }

    /// After the heads were lost: they are counted again from the rows. Slow, and only then.
    pub(super) fn rebuild(&mut self) -> Result<(), StoreError> {
        for stream in Stream::ALL {
            let mut found = records(&self.table, code(stream), 0)?;
            let mut head = super::heads::Head::default();
            let mut any = false;
            while let Some(((seq, record), rows)) = found.next()? {
                if !std::mem::replace(&mut any, true) {
                    head.first = seq;
                }
                let block = record.and_then(|bytes| peek(&bytes).ok());
                let count = if stream == Stream::Telemetry { block.map_or(1, |peek| peek.readings) } else { 1 };
                head.next = seq.saturating_add(count);
                head.rows += rows;
            }
            head.reserved = head.next;
            *self.heads.of_mut(stream) = head;
        }
        Ok(())
    }
}

impl Span {
    fn add(&mut self, stream: Stream, seq: u64, record: Option<&[u8]>, next: u64, rows: u64) {
        self.rows += rows;
        let read = record.and_then(|bytes| contents(stream, bytes));
        match read {
            Some((count, from, to)) => {
                (self.last, self.count) = (seq + count.max(1) - 1, self.count + count);
                self.times = Some(self.times.map_or((from, to), |(a, b)| (earlier(a, from), later(b, to))));
            }
            None => {
                (self.last, self.count) = (next - 1, self.count + next - seq);
                self.guessed = true;
            }
        }
    }
}

/// How many numbers a record takes, and from when to when it tells.
fn contents(stream: Stream, bytes: &[u8]) -> Option<(u64, Now, Now)> {
    if stream == Stream::Telemetry {
        let block = peek(bytes).ok()?;
        let at = |mono| block.clock.now(block.boot, mono);
        return Some((block.readings, at(block.earliest), at(block.latest)));
    }
    let entry: Entry = minicbor_serde::from_slice(bytes).ok()?;
    Some((1, entry.at, entry.at))
}

fn earlier(a: Now, b: Now) -> Now {
    if (b.boot, b.mono) < (a.boot, a.mono) { b } else { a }
}

fn later(a: Now, b: Now) -> Now {
    if (b.boot, b.mono) > (a.boot, a.mono) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_record_that_cannot_be_read_the_gap_takes_all_numbers_up_to_the_next() {
        let mut span = Span::default();
        span.add(Stream::Vital, 5, Some(b"nonsense"), 9, 1);
        assert_eq!((span.rows, span.last, span.count, span.guessed), (1, 8, 4, true));
        span.add(Stream::Vital, 9, None, 10, 1);
        assert_eq!((span.rows, span.last, span.count), (2, 9, 5));
    }
}
