//! What the feed holds no more, from the store; and what is only gathered in memory is written for it first.
//!
//! One listener at a time reads, so that listeners leave the disk to others too. After a while of rest one flush serves
//! all who wait for one: flash wears by the number of writes, and who is late can wait some seconds.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::flow::Flow;
use super::text;
use crate::api::fault::Fault;
use crate::api::{Door, Together, journal};
use crate::feed::pieces;
use crate::model::Stream;
use crate::store::{Block, Page, Records};

pub const BETWEEN_FLUSHES: Duration = Duration::from_secs(5);
/// Records of a page, and readings of one.
const RECORDS: usize = 32;
const READINGS: usize = 512;
/// After a disk that did not answer.
const REST: Duration = Duration::from_secs(1);

pub struct Past {
    readers: Semaphore,
    /// Readings that are flushed for somebody who listens.
    flushed: Together,
}

impl Default for Past {
    fn default() -> Past {
        Past { readers: Semaphore::new(1), flushed: Together::every(BETWEEN_FLUSHES) }
    }
}

/// The next of a stream, of which the feed holds only what is from a number on.
pub async fn catch_up(flow: &mut Flow, stream: Stream, held_from: u64) {
    let from = flow.position.last[stream as usize] + 1;
    let Ok(page) = page(&flow.door, stream, from).await else { return };
    let on_disk = page.next;
    show(flow, stream, page);
    let last = flow.position.last[stream as usize];
    if last + 1 >= on_disk && last + 1 < held_from {
        let door = flow.door.clone();
        flush(&door).await;
    }
}

async fn page(door: &Door, stream: Stream, from: u64) -> Result<Page, Fault> {
    let limit = if stream == Stream::Telemetry { READINGS } else { RECORDS };
    // Never closed.
    let _turn = door.live.past.readers.acquire().await;
    let page = journal::read(door, move |snapshots| snapshots.page(stream, from, limit)).await;
    if page.is_err() {
        sleep(REST).await;
    }
    page
}

fn show(flow: &mut Flow, stream: Stream, page: Page) {
    skip_to(flow, stream, page.first_held);
    match page.records {
        Records::Entries(entries) => {
            for (seq, entry) in entries {
                if flow.is_full() {
                    return;
                }
                skip_to(flow, stream, seq);
                flow.position.last[stream as usize] = seq;
                if flow.covers(entry.of) && flow.may_hear(&entry.record) {
                    flow.push(&text::record(stream, seq, entry));
                }
            }
        }
        Records::Readings(blocks) => {
            for block in blocks {
                if !show_block(flow, block) {
                    return;
                }
            }
        }
    }
    // What stood there and cannot be read, or was given to nobody.
    skip_to(flow, stream, page.go_on);
}

/// False where there is no room for all of it.
fn show_block(flow: &mut Flow, block: Block) -> bool {
    let Block { mut seq, boot, clock, arrivals } = block;
    for heard in arrivals {
        let (time, first) = (clock.wall(heard.at), seq);
        seq += heard.readings.len() as u64;
        for (first, heard) in pieces(first, heard) {
            if flow.is_full() {
                return false;
            }
            skip_to(flow, Stream::Telemetry, first);
            flow.position.last[Stream::Telemetry as usize] = first + heard.readings.len() as u64 - 1;
            if flow.covers(Some(heard.device)) {
                let text = text::heard(&flow.door.view, first, heard, boot, time);
                flow.push(&text);
            }
        }
    }
    true
}

/// Numbers before this one that the listener does not have, nobody has any more.
fn skip_to(flow: &mut Flow, stream: Stream, next: u64) {
    let first = flow.position.last[stream as usize] + 1;
    if first < next {
        flow.position.last[stream as usize] = next - 1;
        flow.push(&text::gap(stream, first, next - 1));
    }
}

/// Comes back when what was gathered before is on disk, or when that did not work.
async fn flush(door: &Door) {
    door.live.past.flushed.once(door.write_out(true)).await;
}
