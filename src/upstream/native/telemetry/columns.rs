//! The journal's own block as a message: 1 byte of version, 16 of the journal's id, what is damaged before it, the block.
//!
//! `docs/dmgw-1.md` says what stands in a block, byte by byte. Devices and points are numbers there; announcements say
//! which they are.

use super::Head;
use super::span::Span;
use crate::model::Heard;
use crate::store::block::{decode, encode};
use crate::store::{Block, JournalId};
use crate::upstream::native::BadMessage;

const VERSION: u8 = 1;
/// Version, journal and the count of damaged spans.
const HEAD: usize = 1 + 16 + 2;
const SPAN: usize = 16;

/// The first so many readings of a span, with the clock as it is known now.
pub(super) fn write(span: &Span, count: usize, head: (JournalId, &[(u64, u64)])) -> Result<Vec<u8>, BadMessage> {
    let arrivals: Vec<Heard> = span
        .parts(count)
        .map(|part| Heard { device: part.device, at: part.at, readings: part.readings.to_vec() })
        .collect();
    let (journal, damaged) = head;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&journal.0);
    // As many as are written.
    let damaged = &damaged[..damaged.len().min(usize::from(u16::MAX))];
    bytes.extend_from_slice(&(damaged.len() as u16).to_le_bytes());
    for number in damaged.iter().flat_map(|(first, last)| [first, last]) {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend(encode(span.first, span.boot, span.clock, &arrivals)?);
    Ok(bytes)
}

/// What stands before the block, and the block.
pub fn read(bytes: &[u8]) -> Result<(Head, Block), BadMessage> {
    let wrong = |says: &str| BadMessage::wrong(says);
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or_else(|| wrong("columns end too early"))?;
    if head[0] != VERSION {
        return Err(wrong("columns of another version"));
    }
    let mut journal = [0; 16];
    journal.copy_from_slice(&head[1..17]);
    let spans = usize::from(u16::from_le_bytes([head[17], head[18]]));
    let (damaged, block) = rest.split_at_checked(spans * SPAN).ok_or_else(|| wrong("columns end too early"))?;
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let damaged = damaged.chunks_exact(SPAN).map(|span| (number(&span[..8]), number(&span[8..]))).collect();
    let block = decode(block)?;
    let mono = block.arrivals.first().map(|heard| heard.at).unwrap_or_default();
    let head = Head {
        journal: JournalId(journal),
        first: block.seq,
        boot: block.boot,
        mono,
        clock: block.clock.quality,
        damaged,
    };
    Ok((head, block))
}
