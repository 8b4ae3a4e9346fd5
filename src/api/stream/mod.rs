//! `GET /v1/stream`: what happens, as it happens, as Server-Sent Events; and what happened meanwhile, for who comes back.
//!
//! [`position`] is what a message's `id` says; [`sight`] what somebody may see; [`flow`] the answer's body, which takes
//! from the [`Feed`]; [`past`] reads from the store what the feed holds no more; [`text`] makes the messages.
//!
//! Invariants: of each stream a listener gets every number once and in order, or a `gap` that names it. A listener holds
//! at most one piece of some tens of KiB; who takes nothing for `limits.stalled` is let go. One reads the store for all of
//! them at a time, and they have readings flushed at most once in [`past::BETWEEN_FLUSHES`]. No task of its own: the
//! connection's task asks for the next piece when it has room for it.

mod flow;
mod past;
mod position;
mod sight;
mod text;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::ask::{Asked, query};
use super::caller::Caller;
use super::fault::Fault;
use super::look::no_device;
use super::pieces::Pieces;
use super::{Door, Here, cut, journal};
use crate::asks::AskError;
use crate::feed::{Feed, Listener, Numbers};
use crate::model::device::DeviceNow;
use crate::model::{Event, Stream};
use crate::nearest;
use crate::selector::For;
use flow::Flow;
use past::Past;
use position::Position;
use sight::Sight;

/// What all listeners share.
pub struct Live {
    pub feed: Arc<Feed>,
    past: Past,
}

impl Live {
    pub fn new(feed: Feed) -> Live {
        Live { feed: Arc::new(feed), past: Past::default() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Some of `vital,events,telemetry`; without it all.
    streams: Option<String>,
    /// Only what is about such devices …
    #[serde(rename = "for")]
    of: Option<For>,
    /// … or about this one.
    device: Option<String>,
    /// What comes after this position; without it what happens from now on.
    from: Option<String>,
}

pub async fn stream(
    State(door): Here,
    caller: Caller,
    asked: Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let reach = caller.reach.clone();
    let sight = Sight::new(reach.is_whole(), move |known| reach.sees(known));
    open(door, caller, query(asked)?, &headers, sight).await
}

/// For somebody who sees so much.
async fn open(
    door: Arc<Door>,
    caller: Caller,
    asked: Wanted,
    headers: &HeaderMap,
    sight: Sight,
) -> Result<Response, Fault> {
    let wanted = streams(asked.streams.as_deref())?;
    let sight = narrowed(&door, &caller, sight, asked.of, asked.device.as_deref())?;
    // Who comes back by itself asks with the address it began with, and says here how far it came.
    let back = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("it is no text"));
    let from = back.or(asked.from.as_deref()).map(position).transpose()?;
    let [vital, events, _] = wanted;
    let listener = door.live.feed.listen(vital || events);
    let mut listener = listener
        .ok_or_else(|| Fault::busy("as many listen as may (limits.streams)", "come back when one of them has left"))?;
    let next = next(&door, &mut listener).await?;
    let (position, reset) = match from {
        Some(from) if from.journal == door.snapshots.journal() => (known(from, &next)?, false),
        Some(_) => (first_held(&door).await?, true),
        None => (Position { journal: door.snapshots.journal(), last: next.map(|next| next - 1) }, false),
    };
    let flow = Flow::new(door, listener, sight, caller.token, wanted, position, reset);
    let kind = (header::CONTENT_TYPE, "text/event-stream");
    Ok((
        [kind, (header::CACHE_CONTROL, "no-store")],
        Body::new(Pieces::of(flow, |mut flow| Box::pin(async { Some((flow.next().await?, flow)) }))),
    )
        .into_response())
}

fn streams(asked: Option<&str>) -> Result<[bool; 3], Fault> {
    let Some(asked) = asked else { return Ok([true; 3]) };
    let mut wanted = [false; 3];
    for word in asked.split(',') {
        match Stream::ALL.iter().position(|stream| stream.name() == word) {
            Some(stream) => wanted[stream] = true,
            None => {
                let names = Stream::ALL.map(Stream::name);
                let hint = match nearest::nearest(word, names) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are {}", names.join(", ")),
                };
                return Err(Fault::bad(format!("there is no stream {:?}", cut(word)), hint));
            }
        }
    }
    Ok(wanted)
}

fn narrowed(door: &Door, caller: &Caller, sight: Sight, of: Option<For>, device: Option<&str>) -> Result<Sight, Fault> {
    let sight = match device {
        None => sight,
        Some(word) => {
            let found = door.view.find(word, &caller.reach).map_err(|missing| no_device(word, &missing))?;
            let no = found.device.no;
            sight.only(move |known: &DeviceNow| known.device.no == no)
        }
    };
    Ok(match of {
        None => sight,
        Some(For(selector)) => sight.only(move |known| selector.fits(known)),
    })
}

fn position(text: &str) -> Result<Position, Fault> {
    Position::parse(text).ok_or_else(|| {
        let hint =
            "give the id of a message of this stream as it was, or leave it out to hear of what happens from now on";
        Fault::bad(format!("{:?} is no position", cut(text)), hint)
    })
}

/// Nobody can have heard of what did not happen yet.
fn known(from: Position, next: &Numbers) -> Result<Position, Fault> {
    for (stream, (last, next)) in Stream::ALL.iter().zip(from.last.iter().zip(next)) {
        if last >= next {
            let name = stream.name();
            let says = format!("{name} has not yet given out number {last}; the next one is {next}");
            return Err(Fault::bad(says, "begin anew, without a position"));
        }
    }
    Ok(from)
}

/// Before what is still held of each stream.
async fn first_held(door: &Door) -> Result<Position, Fault> {
    journal::read(door, |snapshots| {
        let mut last = [0; 3];
        for (stream, last) in Stream::ALL.into_iter().zip(&mut last) {
            *last = snapshots.page(stream, u64::MAX, 0)?.first_held.saturating_sub(1);
        }
        Ok(Position { journal: snapshots.journal(), last })
    })
    .await
}

/// What comes next of each stream. Who listens wakes the loop, which then tells it, and commits what waits too long now.
async fn next(door: &Door, listener: &mut Listener) -> Result<Numbers, Fault> {
    door.asks.put(Event::Wake, door.limits.answer).await?;
    let told = async {
        loop {
            match door.live.feed.next() {
                Some(next) => return next,
                None => listener.news().await,
            }
        }
    };
    tokio::time::timeout(door.limits.answer, told).await.map_err(|_| Fault::from(AskError::NotTaken))
}

#[cfg(test)]
mod tests;
