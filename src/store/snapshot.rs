//! What others than the loop read: pages of the journal as it stood at one moment.
//!
//! A page is bounded by a count, by bytes and by a time, and the file is let go before anything is decoded: a long-lived
//! snapshot would pin pages and make the file grow. What a slow disk does not give in time comes with the next page. [`Store::reopen`](super::Store::reopen) waits for pages that are being read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase};

use crate::metrics::OfStore;
use crate::model::record::Entry;
use crate::model::{Layer, Name, Stream};
use crate::seal::Seal;

use super::block::{Block, decode, peek};
use super::error::StoreError;
use super::heads::{Heads, JournalId, read_heads_in};
use super::pieces::{Found, Part, at_or_before, records_after};
use super::rows::{JOURNAL, code};
use super::state::{DamagedRow, read_layers};

/// Bytes of rows that one page is made of; the record that passes it is the last.
const PAGE_BYTES: usize = 512 << 10;

/// The one open file, shared by the writer and the readers.
pub(super) struct Shared {
    file: RwLock<Handle>,
    pub(super) journal: JournalId,
    /// What keys of devices are closed with.
    pub(super) seal: Arc<Seal>,
    pub(super) damaged: AtomicU64,
    pub(super) counts: Arc<OfStore>,
    pub(super) longest_read: Duration,
}

enum Handle {
    Open(Database),
    /// Could not be opened again so far.
    Failed,
    Closed,
}

impl Shared {
    pub(super) fn new(
        db: Database,
        journal: JournalId,
        seal: Arc<Seal>,
        counts: Arc<OfStore>,
        longest_read: Duration,
    ) -> Shared {
        let (file, damaged) = (RwLock::new(Handle::Open(db)), AtomicU64::new(0));
        Shared { file, journal, seal, damaged, counts, longest_read }
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.file.read().unwrap_or_else(PoisonError::into_inner) {
            Handle::Open(db) => f(db),
            Handle::Failed => Err(StoreError::Io(redb::Error::PreviousIo)),
            Handle::Closed => Err(StoreError::Closed),
        }
    }

    /// redb opens a file only once, so the old handle goes first.
    pub(super) fn replace(&self, open: impl FnOnce() -> Result<Database, StoreError>) -> Result<(), StoreError> {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        *file = Handle::Failed;
        *file = Handle::Open(open()?);
        Ok(())
    }

    pub(super) fn close(&self) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = Handle::Closed;
    }
}

#[derive(Clone)]
pub struct Snapshots {
    pub(super) shared: Arc<Shared>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub journal: JournalId,
    /// The first number that is still held; what went before went to every reader, or a gap record in vital names it.
    pub first_held: u64,
    /// What the next record on disk will get.
    pub next: u64,
    /// Where the next page begins.
    pub go_on: u64,
    pub records: Records,
    /// First and last number of what stands there and cannot be read.
    pub damaged: Vec<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Records {
    Entries(Vec<(u64, Entry)>),
    /// With the clock of each boot as it is known now.
    Readings(Vec<Block>),
}

/// The rows of a page before they are decoded.
struct Raw {
    heads: Heads,
    found: Vec<Found>,
    /// Where the record after them begins.
    after: u64,
}

impl Snapshots {
    pub(super) fn new(shared: Arc<Shared>) -> Snapshots {
        Snapshots { shared }
    }

    /// What was changed of the settings through doors, in the order of the versions; and those that cannot be believed.
    pub fn layers(&self) -> Result<(Vec<Layer>, Vec<DamagedRow>), StoreError> {
        self.shared.with(|db| read_layers(&db.begin_read()?))
    }

    /// Records from a number on, at most `limit`: entries, or readings. Fewer where the disk is slow.
    pub fn page(&self, stream: Stream, from: u64, limit: usize) -> Result<Page, StoreError> {
        let raw = Raw::read(&self.shared, stream, from, limit)?;
        let head = *raw.heads.of(stream);
        let (journal, from) = (self.shared.journal, from.max(head.first));
        let mut page = Page {
            journal,
            first_held: head.first,
            next: head.next,
            go_on: raw.after,
            records: Records::Entries(Vec::new()),
            damaged: Vec::new(),
        };
        match stream {
            Stream::Telemetry => page.fill_readings(&raw, from, limit as u64),
            Stream::Vital | Stream::Events => page.fill_entries(raw),
        }
        self.shared.damaged.fetch_add(page.damaged.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    /// How far each reader is, as it stands on disk.
    pub fn cursors(&self) -> Result<Vec<(Name, Stream, u64)>, StoreError> {
        let heads = self.shared.with(|db| heads_in(&db.begin_read()?))?;
        let flat = |(name, streams): (Name, std::collections::BTreeMap<Stream, u64>)| {
            streams.into_iter().map(move |(stream, seq)| (name.clone(), stream, seq))
        };
        Ok(heads.cursors.into_iter().flat_map(flat).collect())
    }

    pub fn journal(&self) -> JournalId {
        self.shared.journal
    }

    /// How often a damaged row was met since the start.
    pub fn damaged(&self) -> u64 {
        self.shared.damaged.load(Ordering::Relaxed)
    }
}

fn heads_in(txn: &redb::ReadTransaction) -> Result<Heads, StoreError> {
    read_heads_in(txn)?.ok_or_else(|| StoreError::Corrupt("the heads of the journal cannot be read".into()))
}

impl Raw {
    /// A record that takes longer than a snapshot may live is read in several; it never changes, it may only go.
    fn read(shared: &Shared, stream: Stream, from: u64, limit: usize) -> Result<Raw, StoreError> {
        let mut part = None;
        loop {
            match shared.with(|db| Raw::begin(db, stream, from, limit, part.take(), shared.longest_read))? {
                Begun::Page(raw) => return Ok(raw),
                Begun::Late(begun) => part = begun,
            }
        }
    }

    fn begin(
        db: &Database,
        stream: Stream,
        from: u64,
        limit: usize,
        part: Option<Part>,
        longest: Duration,
    ) -> Result<Begun, StoreError> {
        let until = Instant::now() + longest;
        let txn = db.begin_read()?;
        let heads = heads_in(&txn)?;
        let table = txn.open_table(JOURNAL)?;
        let head = heads.of(stream);
        let from = from.max(head.first);
        let part = part.filter(|part| part.seq >= head.first);
        // A block that began earlier may hold the number that is asked for.
        let start = match stream {
            Stream::Telemetry if part.is_none() => at_or_before(&table, code(stream), from)?.unwrap_or(from),
            _ => from,
        };
        let mut rows = records_after(&table, code(stream), start, part)?.until(until);
        let (mut found, mut bytes, mut taken) = (Vec::new(), 0, 0);
        while taken < limit
            && bytes < PAGE_BYTES
            && let Some(((seq, record), count)) = rows.next()?
        {
            taken += readings(stream, seq, from, record.as_deref());
            bytes += record.as_ref().map_or(count as usize * 4_000, Vec::len);
            found.push((seq, record));
        }
        let late = rows.is_late();
        let begun = rows.begun();
        if late && found.is_empty() && limit > 0 {
            return Ok(Begun::Late(begun));
        }
        let after = begun.map_or(heads.of(stream).next, |part| part.seq);
        Ok(Begun::Page(Raw { heads, found, after }))
    }
}

enum Begun {
    Page(Raw),
    /// The time was over before there was one record.
    Late(Option<Part>),
}

/// What a record counts against the limit.
fn readings(stream: Stream, seq: u64, from: u64, record: Option<&[u8]>) -> usize {
    match record.map(peek) {
        Some(Ok(peek)) if stream == Stream::Telemetry => {
            (seq.saturating_add(peek.readings).saturating_sub(from.max(seq))) as usize
        }
        _ => 1,
    }
}

impl Page {
    pub fn is_empty(&self) -> bool {
        match &self.records {
            Records::Entries(entries) => entries.is_empty(),
            Records::Readings(blocks) => blocks.is_empty(),
        }
    }

    fn fill_entries(&mut self, raw: Raw) {
        let mut entries = Vec::with_capacity(raw.found.len());
        for (seq, record) in raw.found {
            match record.and_then(|bytes| minicbor_serde::from_slice(&bytes).ok()) {
                Some(entry) => entries.push((seq, entry)),
                None => self.damaged.push((seq, seq)),
            }
        }
        self.records = Records::Entries(entries);
    }

    fn fill_readings(&mut self, raw: &Raw, from: u64, limit: u64) {
        let (mut blocks, mut left) = (Vec::new(), limit);
        let ends = raw.found.iter().skip(1).map(|found| found.0).chain([raw.after]);
        for ((seq, record), end) in raw.found.iter().zip(ends) {
            let block = record.as_deref().and_then(|bytes| decode(bytes).ok()).filter(|block| block.seq == *seq);
            let Some(mut block) = block else {
                self.damaged.push((*seq, end.saturating_sub(1)));
                continue;
            };
            block.clock = raw.heads.clocks.get(&block.boot).copied().unwrap_or(block.clock);
            let kept = block.keep(from, left);
            left -= kept;
            if left == 0 {
                // The rest of this block, if there is any.
                self.go_on = if block.seq + kept < end { block.seq + kept } else { end };
            }
            if kept > 0 {
                blocks.push(block);
            }
        }
        self.records = Records::Readings(blocks);
    }
}

impl Block {
    /// Leaves only readings from a number on, at most so many; returns how many are left.
    fn keep(&mut self, from: u64, most: u64) -> u64 {
        let (mut skip, mut left) = (from.saturating_sub(self.seq), most);
        self.seq = self.seq.max(from);
        self.arrivals.retain_mut(|heard| {
            let skipped = skip.min(heard.readings.len() as u64);
            heard.readings.drain(..skipped as usize);
            heard.readings.truncate(left.min(usize::MAX as u64) as usize);
            skip -= skipped;
            left -= heard.readings.len() as u64;
            !heard.readings.is_empty()
        });
        most - left
    }
}
