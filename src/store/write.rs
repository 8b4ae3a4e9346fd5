//! The one who writes: gathers readings, commits changes, and opens the file again after the disk had failed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use redb::{Database, StorageBackend, WriteTransaction};

use crate::metrics::{OfStore, Tally};
use crate::model::{Change, Gap, GapReason, Heard, Mono, Now, Stream};

use super::block::{Clock, encode};
use super::error::StoreError;
use super::file::{begin, connect, connect_on};
use super::gather::Gathered;
use super::heads::{Heads, read_heads};
use super::journal::{Journal, Numbered, Written};
use super::rows::JOURNAL;
use super::settings::Settings;
use super::snapshot::{Shared, Snapshots};
use super::state::Sorted;
use super::watch::Looks;

pub struct Store {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Settings,
    /// As they stand on disk.
    pub(super) heads: Heads,
    pub(super) gathered: Gathered,
    /// Where the file is, unless it lies in a backend that the caller brought.
    pub(super) path: Option<PathBuf>,
    looks: Looks,
    /// A commit that failed, and may yet turn out to have taken hold.
    failed: Option<Attempt>,
    /// Changes of a commit that seemed to fail and did not.
    landed: Vec<Change>,
    /// Somebody wants to hear which records were committed; those that nobody was told of yet.
    tells: bool,
    told: Vec<Numbered>,
}

struct Attempt {
    changes: Vec<Change>,
    written: Written,
    tally: Tally,
}

/// How far a commit came before it was no longer sure that nothing was written.
#[derive(Default)]
struct Reached {
    written: Option<Written>,
    tally: Tally,
}

/// What one call of commit is to write.
struct Work<'a> {
    changes: Sorted<'a>,
    flush: bool,
    closing: bool,
}

impl Store {
    pub(super) fn new(
        shared: Arc<Shared>,
        settings: Settings,
        heads: Heads,
        path: Option<PathBuf>,
        looks: Looks,
    ) -> Store {
        let gathered = Gathered::new(heads.telemetry.next);
        let (landed, told) = (Vec::new(), Vec::new());
        let store = Store { shared, settings, heads, gathered, path, looks, failed: None, landed, tells: false, told };
        store.tell_heads();
        store
    }

    /// Takes readings in, for the next flush. Returns the number of the first; the others follow.
    pub fn gather(&mut self, now: &Now, heard: Heard) -> u64 {
        let seq = self.gathered.add(now, heard, &self.settings);
        self.shared.counts.gathered.set(self.gathered.len());
        seq
    }

    /// The last number of a reading that may be shown outside already.
    pub fn sendable_to(&self) -> u64 {
        self.gathered.next().min(self.heads.telemetry.reserved) - 1
    }

    /// The number after the last that may be shown outside.
    pub fn shown_to(&self, stream: Stream) -> u64 {
        if stream == Stream::Telemetry { self.sendable_to() + 1 } else { self.heads.of(stream).next }
    }

    /// Whether [`Store::told`] is to tell of what is committed from now on.
    pub fn tell(&mut self, wanted: bool) {
        self.tells = wanted;
    }

    /// Records of *vital* and *events* that were committed since this was asked last, each with its number.
    pub fn told(&mut self) -> Vec<Numbered> {
        std::mem::take(&mut self.told)
    }

    /// When to commit with `flush` if nothing else happens before.
    pub fn flush_at(&self) -> Option<Mono> {
        self.gathered.due(&self.settings, self.heads.telemetry.reserved)
    }

    /// Readings in memory only.
    pub fn gathered(&self) -> u64 {
        self.gathered.len()
    }

    /// Results of commands that are under way still find room; new commands from upstream should be refused.
    pub fn vital_full(&self) -> bool {
        let bounds = &self.settings.bounds;
        self.heads.vital.rows + bounds.step(Stream::Vital) >= bounds.vital
    }

    /// How many were made since the start: what flash wears by.
    pub fn commits(&self) -> u64 {
        self.shared.counts.commits.get()
    }

    pub fn counts(&self) -> Arc<OfStore> {
        self.shared.counts.clone()
    }

    pub fn snapshots(&self) -> Snapshots {
        Snapshots::new(self.shared.clone())
    }

    /// Makes the changes durable, all or none; takes gathered readings along when told to, or when they are ripe.
    ///
    /// After an error nothing has moved: the same call may be made again, after [`Store::reopen`] if it is retryable.
    /// Changes may be added at the end of the list in between.
    pub fn commit(&mut self, now: &Now, changes: &[Change], flush: bool) -> Result<(), StoreError> {
        self.commit_as(now, changes, flush, false)
    }

    /// Everything to disk, and a mark that nothing is missing.
    pub fn close(mut self, now: &Now) -> Result<(), StoreError> {
        self.commit_as(now, &[], true, true)?;
        self.shared.close();
        Ok(())
    }

    fn commit_as(&mut self, now: &Now, all: &[Change], flush: bool, closing: bool) -> Result<(), StoreError> {
        let changes = all.strip_prefix(self.landed.as_slice()).unwrap_or(all);
        let flush = flush || (!changes.is_empty() && self.gathered.ripe(now.mono, &self.settings));
        let mut work = Work { changes: Sorted::of(changes), flush, closing };
        self.leave_strangers_out(&mut work.changes);
        let journal = closing || self.touches_journal(&work);
        if !journal && !work.changes.has_rows() {
            self.landed.clear();
            return Ok(());
        }
        let (mut reached, begin) = (Reached::default(), Instant::now());
        let went = self.write(now, &work, journal, &mut reached);
        let Reached { written, tally } = reached;
        match went {
            Ok(()) => {
                self.shared.counts.took.add(begin.elapsed());
                self.moved(written, &tally);
            }
            Err(error) => {
                self.shared.counts.failed.add(1);
                let attempt = written.map(|written| Attempt { changes: all.to_vec(), written, tally });
                self.failed = attempt.or(self.failed.take());
                return Err(error);
            }
        }
        self.landed.clear();
        Ok(())
    }

    fn leave_strangers_out(&self, changes: &mut Sorted) {
        changes.passed.retain(|(reader, stream, seq)| {
            let known = self.settings.wants(reader, *stream);
            if !known {
                tracing::warn!(%reader, stream = stream.name(), "nobody by this name reads the stream; ignored");
            }
            known && self.handed_out(*stream, *seq) > self.heads.cursor(reader, *stream)
        });
    }

    /// Nobody can have passed what was never given to anybody.
    fn handed_out(&self, stream: Stream, seq: u64) -> u64 {
        let next = if stream == Stream::Telemetry { self.gathered.next() } else { self.heads.of(stream).next };
        seq.min(next - 1)
    }

    fn touches_journal(&self, work: &Work) -> bool {
        work.changes.touches_journal() || (work.flush && self.gathered.len() > 0) || self.gathered.lost().is_some()
    }

    /// `reached` has what was written when it is no longer sure that nothing was.
    fn write(&mut self, now: &Now, work: &Work, journal: bool, reached: &mut Reached) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        shared.with(|db| {
            let txn = begin(db)?;
            let mut tally = Tally::default();
            work.changes.write(&txn, &shared.seal, &mut tally)?;
            let written = if journal { Some(self.write_journal(&txn, now, work, &mut tally)?) } else { None };
            *reached = Reached { written, tally };
            Ok(txn.commit()?)
        })
    }

    fn write_journal(
        &mut self,
        txn: &WriteTransaction,
        now: &Now,
        work: &Work,
        tally: &mut Tally,
    ) -> Result<Written, StoreError> {
        let mut journal = Journal::new(txn.open_table(JOURNAL)?, self.heads.clone()).telling(self.tells);
        journal.tally = std::mem::take(tally);
        if let Some(lost) = self.gathered.lost() {
            journal.append_gap(now, lost.clone())?;
            journal.skip(lost.last + 1);
        }
        for entry in &work.changes.records {
            journal.append(entry)?;
        }
        if work.flush {
            self.write_blocks(&mut journal, now)?;
        }
        for (reader, stream, seq) in &work.changes.passed {
            let seq = self.handed_out(*stream, *seq);
            journal.heads.pass(reader, *stream, seq);
        }
        journal.drop_passed(&self.settings.readers)?;
        journal.drop_beyond(now, &self.settings.bounds)?;
        self.finish(&mut journal.heads, now, work);
        let (written, counted) = journal.save(now)?;
        *tally = counted;
        Ok(written)
    }

    fn write_blocks(&mut self, journal: &mut Journal, now: &Now) -> Result<(), StoreError> {
        for (seq, next, arrivals) in self.gathered.blocks(&self.settings) {
            match encode(seq, now.boot, Clock::of(now), arrivals) {
                Ok(block) => journal.append_block(seq, next, &block)?,
                // Cannot be while blocks are cut to their bounds; but if so, not in silence and not for ever.
                Err(error) => {
                    tracing::error!(%error, seq, "readings cannot be encoded; they are left out");
                    journal.append_gap(now, unencoded(now, seq, next))?;
                    journal.skip(next);
                }
            }
        }
        Ok(())
    }

    fn finish(&self, heads: &mut Heads, now: &Now, work: &Work) {
        let next = self.gathered.next();
        heads.clean = work.closing;
        // Reserved anew each time, for the row is written anyway.
        heads.telemetry.reserved = if work.closing { next } else { next.saturating_add(self.settings.reserve) };
        if heads.telemetry.next == next {
            heads.flushed = *now;
        }
    }

    fn moved(&mut self, written: Option<Written>, tally: &Tally) {
        self.failed = None;
        self.shared.counts.commits.add(1);
        self.shared.counts.add(tally);
        if let Some(Written { heads, mut told }) = written {
            self.gathered.taken(heads.telemetry.next);
            self.heads = heads;
            self.told.append(&mut told);
            self.tell_heads();
        }
    }

    fn tell_heads(&self) {
        let counts = &self.shared.counts;
        counts.gathered.set(self.gathered.len());
        Stream::ALL.into_iter().for_each(|stream| counts.holds(stream, self.heads.of(stream).rows));
    }

    /// After a disk error: redb writes no more until the file was opened again. Snapshots wait meanwhile.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        // A storage of the caller's can only be handed over anew by the caller.
        let path = self.path.clone().ok_or(StoreError::Io(redb::Error::PreviousIo))?;
        let (cache, looks) = (self.settings.cache, self.looks.clone());
        self.reopen_by(|| connect(&path, cache, &looks))
    }

    /// The same for a store in a backend of the caller's: a fresh handle on the same bytes.
    pub fn reopen_on(&mut self, backend: impl StorageBackend) -> Result<(), StoreError> {
        let (cache, looks) = (self.settings.cache, self.looks.clone());
        self.reopen_by(|| connect_on(backend, cache, &looks))
    }

    fn reopen_by(&mut self, open: impl FnOnce() -> Result<Database, StoreError>) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        shared.replace(open)?;
        let heads = shared.with(read_heads)?;
        match self.failed.take() {
            Some(attempt) if heads.as_ref() == Some(&attempt.written.heads) => {
                self.moved(Some(attempt.written), &attempt.tally);
                self.landed = attempt.changes;
                Ok(())
            }
            _ if heads.as_ref() == Some(&self.heads) => Ok(()),
            _ => Err(StoreError::Corrupt("it is not the file that was open before".into())),
        }
    }
}

fn unencoded(now: &Now, first: u64, next: u64) -> Gap {
    let (stream, why, exact) = (Stream::Telemetry, GapReason::Corrupt, true);
    Gap { stream, why, first, last: next - 1, count: next - first, exact, from: *now, to: *now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_for_readings_that_cannot_be_written_names_each_of_them() {
        let gap = unencoded(&Now::default(), 10, 13);
        assert_eq!((gap.first, gap.last, gap.count, gap.exact), (10, 12, 3, true));
    }
}
