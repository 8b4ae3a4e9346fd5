//! The journal from outside: a page of a stream, and "I have everything up to here".
//!
//! Pages are read from short snapshots, on a thread that may wait for the disk; an acknowledgement goes through the loop
//! like everything that changes the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::ask::{Asked, Word, body, query};
use super::caller::Caller;
use super::fault::Fault;
use super::shown::{Answer, HeardShown, JournalShown, PageShown, ReadingShown, RecordShown, StreamShown};
use super::{Door, Here, cut};
use crate::model::operation::GatewayKind;
use crate::model::record::{Entry, Record};
use crate::model::{Audit, Came, DeviceId, Event, Heard, Name, Stream};
use crate::nearest;
use crate::store::{Block, Page, Records, Snapshots, StoreError};
use crate::view::View;

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Range {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
    /// Also what waits for the next commit, which is made for it.
    #[serde(default)]
    fresh: bool,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Passed {
    reader: Name,
    stream: Stream,
    seq: u64,
}

/// Reads of the store that are under way at once. A further one waits here, not behind the threads: there it would be
/// read although whoever asked has gone, and who comes and goes would keep everybody else, and the proofs of devices,
/// waiting.
const MOST_READS: usize = 2;

pub struct Reads(Arc<Semaphore>);

impl Default for Reads {
    fn default() -> Reads {
        Reads(Arc::new(Semaphore::new(MOST_READS)))
    }
}

/// Reads the store where waiting for the disk hurts nobody.
pub async fn read<T: Send + 'static>(
    door: &Door,
    look: impl FnOnce(Snapshots) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Fault> {
    let (snapshots, reads) = (door.snapshots.clone(), door.reads.0.clone());
    let reading = async {
        // Never closed.
        let turn = reads.acquire_owned().await.ok();
        let read = move || {
            // Held until the disk has answered, also where nobody waits for it any more.
            let _turn = turn;
            look(snapshots)
        };
        tokio::task::spawn_blocking(read).await
    };
    let says = match tokio::time::timeout(door.limits.answer, reading).await {
        Ok(Ok(Ok(read))) => return Ok(read),
        Ok(Ok(Err(error))) => format!("the journal cannot be read: {error}"),
        Ok(Err(error)) => format!("the journal cannot be read: {error}"),
        Err(_) => "the disk did not answer in time".into(),
    };
    tracing::warn!("{says}");
    Err(Fault::busy(says, "look at the daemon's log, and at the disk"))
}

pub async fn page(
    State(door): Here,
    caller: Caller,
    Word(stream): Word,
    range: Asked<Range>,
) -> Result<Json<PageShown>, Fault> {
    let stream = named(&stream)?;
    let range = query(range)?;
    let limit = door.limit(range.limit)?;
    if range.fresh {
        caller.must(GatewayKind::Settle, "have things written at once (fresh)")?;
        door.settle(&caller).await;
    }
    let page = read(&door, move |snapshots| snapshots.page(stream, range.from, limit)).await?;
    let mut shown = shown(&door.view, stream, page);
    // What is of no device in scope is left out; the numbers of the others stay.
    shown.records.retain(|held| caller.reach.is_whole() || is_in_scope(&door.view, &caller, held));
    Ok(Json(shown))
}

fn is_in_scope(view: &View, caller: &Caller, held: &RecordShown) -> bool {
    let id = match (&held.record, &held.heard) {
        (Some(record), _) => record.device().cloned(),
        (None, Some(heard)) => DeviceId::new(&heard.device).ok(),
        (None, None) => None,
    };
    let other = held.record.as_ref().is_none_or(|record| may_hear(view, caller, record));
    other && id.and_then(|id| view.device(&id)).is_some_and(|known| caller.reach.sees(&known))
}

/// A record of two devices names both, so both must be within reach.
pub fn may_hear(view: &View, caller: &Caller, record: &Record) -> bool {
    let Some(other) = record.other().filter(|_| !caller.reach.is_whole()) else { return true };
    view.device(other).is_some_and(|known| caller.reach.sees(&known))
}

fn named(word: &str) -> Result<Stream, Fault> {
    let names = Stream::ALL.map(Stream::name);
    Stream::ALL.into_iter().find(|stream| stream.name() == word).ok_or_else(|| {
        let hint = match nearest::nearest(word, names) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", names.join(", ")),
        };
        Fault::not_found(format!("the journal has no stream {}", cut(word)), hint)
    })
}

fn shown(view: &View, stream: Stream, page: Page) -> PageShown {
    let Page { journal, first_held, go_on, records, damaged, .. } = page;
    let records = match records {
        Records::Entries(entries) => entries.into_iter().map(entry_shown).collect(),
        Records::Readings(blocks) => blocks.into_iter().flat_map(|block| block_shown(view, block)).collect(),
    };
    PageShown { journal: journal.to_string(), stream, first_held, next: go_on, records, damaged }
}

pub fn entry_shown((seq, entry): (u64, Entry)) -> RecordShown {
    RecordShown { seq, time: entry.at.wall, boot: entry.at.boot, record: Some(entry.record), heard: None }
}

fn block_shown(view: &View, block: Block) -> Vec<RecordShown> {
    let Block { mut seq, boot, clock, arrivals } = block;
    let arrivals = arrivals.into_iter().map(|heard| {
        let (first, time) = (seq, clock.wall(heard.at));
        seq += heard.readings.len() as u64;
        RecordShown { seq: first, time, boot, record: None, heard: Some(heard_shown(view, heard)) }
    });
    arrivals.collect()
}

/// Numbers become names where the view still knows them.
pub fn heard_shown(view: &View, heard: Heard) -> HeardShown {
    let known = view.numbered(heard.device);
    let point = |no| {
        let points = known.as_ref().map(|known| &known.capabilities.points[..]).unwrap_or_default();
        points.iter().find(|point| point.no == no).map_or_else(|| no.to_string(), |point| point.path.to_string())
    };
    let readings = heard.readings.into_iter().map(|reading| ReadingShown {
        point: point(reading.point),
        value: reading.value,
        quality: reading.quality,
        source: reading.source,
    });
    let readings = readings.collect();
    let device = known.as_ref().map_or_else(|| heard.device.to_string(), |known| known.device.id.to_string());
    HeardShown { device, readings }
}

pub async fn numbers(door: &Door) -> Result<JournalShown, Fault> {
    read(door, |snapshots| {
        let mut streams = Vec::new();
        for stream in Stream::ALL {
            // Of an empty page only the numbers around it.
            let Page { first_held, next, .. } = snapshots.page(stream, u64::MAX, 0)?;
            streams.push(StreamShown { stream, first_held, next, passed: BTreeMap::new() });
        }
        for (reader, stream, seq) in snapshots.cursors()? {
            if let Some(known) = streams.iter_mut().find(|known| known.stream == stream) {
                known.passed.insert(reader, seq);
            }
        }
        Ok(JournalShown { journal: snapshots.journal().to_string(), streams })
    })
    .await
}

pub async fn ack(State(door): Here, caller: Caller, sent: Body) -> Result<(StatusCode, Json<Answer>), Fault> {
    let passed: Passed = body(&door, &caller, sent).await?;
    if !caller.reach.may_acknowledge(&passed.reader) {
        let says = format!("{} may not say what reader {} has", caller.principal.name, passed.reader);
        let (what, on) = (GatewayKind::Acknowledge.to_string(), Some(passed.reader.to_string()));
        door.audit(Audit::new(&caller.principal, what, on, Came::Refused(says.clone()))).await;
        return Err(Fault::not_allowed(says));
    }
    check(&door, &passed).await?;
    let Passed { reader, stream, seq } = passed;
    if caller.principal.name != reader {
        // Of a reader by itself its cursor tells.
        let what = GatewayKind::Acknowledge.to_string();
        door.audit(Audit::new(&caller.principal, what, Some(reader.to_string()), Came::Done)).await;
    }
    door.asks.put(Event::Passed { reader, stream, seq }, door.limits.answer).await?;
    Ok((StatusCode::ACCEPTED, Json(Answer::Done)))
}

async fn check(door: &Arc<Door>, passed: &Passed) -> Result<(), Fault> {
    if !door.readers.contains(&passed.reader) {
        let readers: Vec<&str> = door.readers.iter().map(Name::as_str).collect();
        let hint = match nearest::nearest(passed.reader.as_str(), readers.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("journal.readers in the settings names: {}", readers.join(", ")),
        };
        return Err(Fault::not_found(format!("the journal has no reader {}", passed.reader), hint));
    }
    let numbers = numbers(door).await?;
    let next = numbers.streams.iter().find(|known| known.stream == passed.stream).map_or(1, |known| known.next);
    if passed.seq >= next {
        let says =
            format!("{} has not yet given out number {}; the next one is {next}", passed.stream.name(), passed.seq);
        return Err(Fault::bad(
            says,
            "acknowledge only what you were given, and look whether the journal is another one",
        ));
    }
    Ok(())
}
