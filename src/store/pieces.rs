//! Records of the journal in pieces under 4 000 bytes: redb gives a larger value pages of its own, rounded up to a power
//! of two.
//!
//! The first piece opens with the number of pieces, so a record is read whole or not at all.

use std::time::Instant;

use redb::{ReadableTable, StorageError, Table};

use super::rows::{JournalKey, seal, unseal};

pub(super) type JournalTable<'t> = Table<'t, JournalKey, &'static [u8]>;

/// Bytes of a record in one piece; with the count and the checksum a row stays under 4 000.
const PIECE: usize = 3_990;
const COUNT: usize = 2;

/// A record as it was found: its number, and its bytes unless a piece is missing or damaged.
pub(super) type Found = (u64, Option<Vec<u8>>);

/// Returns how many rows it took. More than `u16::MAX` pieces are more than any bound lets in.
pub(super) fn put(table: &mut JournalTable, stream: u8, seq: u64, record: &[u8]) -> Result<u64, StorageError> {
    let pieces: Vec<&[u8]> = record.chunks(PIECE).collect();
    let count = u16::try_from(pieces.len()).map_err(|_| StorageError::ValueTooLarge(record.len()))?;
    for (no, piece) in (0..count).zip(pieces) {
        let mut payload = Vec::with_capacity(piece.len() + 8);
        if no == 0 {
            payload.extend_from_slice(&count.to_le_bytes());
        }
        payload.extend_from_slice(piece);
        let key = (stream, seq, no);
        table.insert(key, seal(&key, payload).as_slice())?;
    }
    Ok(u64::from(count))
}

/// The first bytes of a record: enough for the head of a block.
pub(super) fn opening(
    table: &impl ReadableTable<JournalKey, &'static [u8]>,
    stream: u8,
    seq: u64,
) -> Result<Option<Vec<u8>>, StorageError> {
    let key = (stream, seq, 0);
    let row = table.get(key)?;
    Ok(row.and_then(|row| Some(unseal(&key, row.value())?.get(COUNT..)?.to_vec())))
}

/// The number of the record that `seq` is in, or of the last one before it.
pub(super) fn at_or_before(
    table: &impl ReadableTable<JournalKey, &'static [u8]>,
    stream: u8,
    seq: u64,
) -> Result<Option<u64>, StorageError> {
    seq_of(table.range((stream, 0, 0)..=(stream, seq, u16::MAX))?.next_back())
}

pub(super) fn at_or_after(
    table: &impl ReadableTable<JournalKey, &'static [u8]>,
    stream: u8,
    seq: u64,
) -> Result<Option<u64>, StorageError> {
    seq_of(table.range((stream, seq, 0)..=(stream, u64::MAX, u16::MAX))?.next())
}

type Row<'a> = (redb::AccessGuard<'a, JournalKey>, redb::AccessGuard<'a, &'static [u8]>);

fn seq_of(row: Option<Result<Row<'_>, StorageError>>) -> Result<Option<u64>, StorageError> {
    Ok(row.transpose()?.map(|(key, _)| key.value().1))
}

/// Reads record after record, from a number on; until a time, where one is set.
pub(super) struct Records<I: Iterator> {
    rows: I,
    until: Option<Instant>,
    read: u64,
    part: Option<Part>,
}

/// A record of which rows were read; whether it is whole says the row after it.
pub(super) struct Part {
    pub(super) seq: u64,
    rows: u64,
    whole: Whole,
}

pub(super) fn records<'t>(
    table: &'t impl ReadableTable<JournalKey, &'static [u8]>,
    stream: u8,
    from: u64,
) -> Result<Records<impl Iterator<Item = Result<Row<'t>, StorageError>>>, StorageError> {
    records_after(table, stream, from, None)
}

/// The same, with a record that was begun.
pub(super) fn records_after<'t>(
    table: &'t impl ReadableTable<JournalKey, &'static [u8]>,
    stream: u8,
    from: u64,
    part: Option<Part>,
) -> Result<Records<impl Iterator<Item = Result<Row<'t>, StorageError>>>, StorageError> {
    let (seq, piece) = part.as_ref().map_or((from, 0), |part| (part.seq, part.whole.pieces));
    let rows = table.range((stream, seq, piece)..=(stream, u64::MAX, u16::MAX))?;
    Ok(Records { rows, until: None, read: 0, part })
}

impl<'t, I: Iterator<Item = Result<Row<'t>, StorageError>>> Records<I> {
    pub(super) fn until(self, until: Instant) -> Records<I> {
        Records { until: Some(until), ..self }
    }

    /// The next record with the number of rows it stands in. None at the end, and when the time is over.
    pub(super) fn next(&mut self) -> Result<Option<(Found, u64)>, StorageError> {
        while !self.is_late() {
            let Some(row) = self.rows.next().transpose()? else { return Ok(self.part.take().map(Part::finish)) };
            self.read += 1;
            let seq = row.0.value().1;
            if let Some(part) = self.part.as_mut().filter(|part| part.seq == seq) {
                part.add(&row);
                continue;
            }
            let mut begun = Part { seq, rows: 0, whole: Whole::default() };
            begun.add(&row);
            if let Some(part) = self.part.replace(begun) {
                return Ok(Some(part.finish()));
            }
        }
        Ok(None)
    }

    /// Not before anything was read: so whoever goes on comes to an end.
    pub(super) fn is_late(&self) -> bool {
        self.read > 0 && self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// The record that comes next, as far as it was read.
    pub(super) fn begun(self) -> Option<Part> {
        self.part
    }
}

impl Part {
    fn add(&mut self, row: &Row<'_>) {
        self.rows += 1;
        self.whole.add(row);
    }

    fn finish(self) -> (Found, u64) {
        ((self.seq, self.whole.finish()), self.rows)
    }
}

#[derive(Default)]
struct Whole {
    bytes: Vec<u8>,
    pieces: u16,
    wanted: u16,
    bad: bool,
}

impl Whole {
    fn add(&mut self, (key, row): &Row<'_>) {
        let key = key.value();
        match unseal(&key, row.value()) {
            Some(piece) if key.2 == self.pieces => self.put(piece),
            _ => self.bad = true,
        }
        self.pieces = self.pieces.saturating_add(1);
    }

    fn put(&mut self, mut piece: &[u8]) {
        if self.pieces == 0 {
            match piece.split_first_chunk::<COUNT>() {
                Some((count, rest)) => (self.wanted, piece) = (u16::from_le_bytes(*count), rest),
                None => self.bad = true,
            }
        }
        self.bytes.extend_from_slice(piece);
    }

    fn finish(self) -> Option<Vec<u8>> {
        (!self.bad && self.pieces == self.wanted).then_some(self.bytes)
    }
}
