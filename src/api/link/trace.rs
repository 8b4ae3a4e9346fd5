//! `GET /v1/links/{name}/trace`: the frames of a link's wire as they pass, as Server-Sent Events.
//!
//! The first message tells of the link, the others are frames. Who is too slow is told how many it missed; nothing is kept
//! for it beyond what all listeners share. Nobody's requests wait for a listener.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until};

use super::shown;
use crate::api::ask::{Asked, Word, query};
use crate::api::caller::Caller;
use crate::api::fault::Fault;
use crate::api::pieces::Pieces;
use crate::api::shown::{FrameShown, Missed, Way, Wrapped};
use crate::api::{Door, Here};
use crate::links::modbus::bus::trace::{Frame, Made};
use crate::links::modbus::wire::hex;
use crate::links::modbus::wire::told::{self, Frames};
use crate::model::operation::GatewayKind;
use crate::model::token::Token;
use crate::model::{Audit, Came};

/// Without a frame there is a comment, so that both ends know that the other is there.
const BEAT: Duration = Duration::from_secs(15);
/// A piece that is so long goes out.
const FULL: usize = 32 << 10;
/// The two clocks are read in whole milliseconds: by so many they are apart now and then, and nobody has set one.
const UNSET: u64 = 10;

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Traced"))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only what was asked of this unit, and what came then.
    unit: Option<u8>,
}

pub async fn trace(
    State(door): Here,
    caller: Caller,
    Word(word): Word,
    asked: Asked<Wanted>,
) -> Result<Response, Fault> {
    let (link, wire) = door.wire(&caller, &word, GatewayKind::TraceLink).await?;
    let Wanted { unit } = query(asked)?;
    let frames = wire.listen().ok_or_else(|| {
        Fault::busy(format!("as many look at the wire of link {link} as may"), "come back when one of them has left")
    })?;
    let what = GatewayKind::TraceLink.to_string();
    door.audit(Audit::new(&caller.principal, what, Some(link.to_string()), Came::Done)).await;
    let (known, devices) = door.link(&caller, &word)?;
    let first = message("link", &shown(&door, &known, &devices, door.now().mono));
    let sight = Sight { unit, asked: None };
    let trace = Trace {
        door,
        frames,
        sight,
        token: caller.token,
        piece: first,
        beat: Instant::now() + BEAT,
        over: false,
        ahead: 0,
    };
    let body = Pieces::of(trace, |mut trace| Box::pin(async { Some((trace.next().await?, trace)) }));
    let kind = (header::CONTENT_TYPE, "text/event-stream");
    Ok(([kind, (header::CACHE_CONTROL, "no-store")], Body::new(body)).into_response())
}

/// Whom somebody looks at.
struct Sight {
    unit: Option<u8>,
    /// The unit that was asked last.
    asked: Option<u8>,
}

impl Sight {
    /// What answers a unit belongs to it, whatever it says of itself.
    fn covers(&mut self, frame: &Frame) -> bool {
        let said = told::inside(frame.frames, &frame.bytes).map(|(unit, _)| unit);
        if frame.made == Made::Asked {
            self.asked = said;
        }
        let Some(unit) = self.unit else { return true };
        said == Some(unit) || (frame.made != Made::Asked && self.asked == Some(unit))
    }
}

struct Trace {
    door: Arc<Door>,
    frames: Receiver<Arc<Frame>>,
    sight: Sight,
    /// Who was let in by one sees nothing more once it is taken back.
    token: Option<Arc<Token>>,
    piece: String,
    beat: Instant,
    /// The link has ended.
    over: bool,
    /// Milliseconds that the calendar is ahead of the clock that never steps.
    ahead: u64,
}

impl Trace {
    /// None when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.token.as_ref().is_some_and(|token| !self.door.is_good(token)) {
                return None;
            }
            if !self.piece.is_empty() {
                self.beat = Instant::now() + BEAT;
                return Some(std::mem::take(&mut self.piece).into());
            }
            if self.over {
                return None;
            }
            let came = tokio::select! {
                came = self.frames.recv() => came,
                () = sleep_until(self.beat) => {
                    self.piece.push_str(":\n\n");
                    continue;
                }
            };
            self.take(came);
            self.take_the_rest();
        }
    }

    /// What is there without waiting goes out together.
    fn take_the_rest(&mut self) {
        while self.piece.len() < FULL && !self.over {
            match self.frames.try_recv() {
                Ok(frame) => self.take(Ok(frame)),
                Err(TryRecvError::Lagged(missed)) => self.take(Err(RecvError::Lagged(missed))),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn take(&mut self, came: Result<Arc<Frame>, RecvError>) {
        match came {
            Ok(frame) if self.sight.covers(&frame) => {
                let now = self.door.now();
                let ahead = now.wall.0.saturating_sub(now.mono.0);
                self.ahead = if ahead.abs_diff(self.ahead) > UNSET { ahead } else { self.ahead };
                let text = message("frame", &frame_shown(&frame, self.ahead));
                self.piece.push_str(&text);
            }
            Ok(_) => {}
            Err(RecvError::Lagged(frames)) => self.piece.push_str(&message("missed", &Missed { frames })),
            Err(RecvError::Closed) => {
                self.piece.push_str(&message("ended", &serde_json::json!({})));
                self.over = true;
            }
        }
    }
}

fn frame_shown(frame: &Frame, ahead: u64) -> FrameShown {
    let (made, why) = match &frame.made {
        Made::Asked => ("asked", None),
        Made::Answer => ("answer", None),
        Made::Stray => ("stray", None),
        Made::Refused(why) => ("refused", Some(why.clone())),
    };
    FrameShown {
        micros: frame.at.saturating_add(ahead.saturating_mul(1_000)),
        way: if frame.way == told::Way::Out { Way::Out } else { Way::In },
        wrapped: if frame.frames == Frames::Rtu { Wrapped::Rtu } else { Wrapped::Tcp },
        made: made.into(),
        why,
        bytes: hex(&frame.bytes),
        says: frame.told(),
    }
}

fn message(event: &str, data: &impl Serialize) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail; what cannot be written as JSON would be a fault of ours.
    let _ = write!(text, "event: {event}\ndata: {}\n\n", serde_json::to_string(data).unwrap_or_else(|_| "null".into()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tests::world;
    use crate::links::modbus::wire::rtu;

    #[tokio::test]
    async fn a_slow_listener_is_told_how_many_frames_it_missed_and_that_the_link_has_ended() {
        let (frames, heard) = tokio::sync::broadcast::channel(4);
        let world = world();
        let sight = Sight { unit: None, asked: None };
        let beat = Instant::now() + BEAT;
        let door = world.door.clone();
        let mut trace =
            Trace { door, frames: heard, sight, token: None, piece: String::new(), beat, over: false, ahead: 0 };
        for at in 0..10u8 {
            let bytes = rtu::framed(at, &[3, 0, 0, 0, 1]);
            let frame = Frame { at: at.into(), frames: Frames::Rtu, way: told::Way::Out, made: Made::Asked, bytes };
            frames.send(Arc::new(frame)).unwrap();
        }
        let piece = String::from_utf8(trace.next().await.unwrap().to_vec()).unwrap();
        let events: Vec<&str> = piece.split("\n\n").filter(|event| !event.is_empty()).collect();
        assert_eq!((events.len(), events[0]), (5, "event: missed\ndata: {\"frames\":6}"), "{piece}");
        assert!(events[1].contains("unit 6:") && events[4].contains("unit 9:"), "{piece}");
        drop(frames);
        assert!(trace.next().await.unwrap().starts_with(b"event: ended"));
        assert!(trace.next().await.is_none());
    }

    #[test]
    fn of_one_unit_is_seen_what_it_was_asked_and_what_came_then() {
        let mut sight = Sight { unit: Some(7), asked: None };
        let mut covers =
            |way, made, bytes: Vec<u8>| sight.covers(&Frame { at: 0, frames: Frames::Rtu, way, made, bytes });
        let refused = || Made::Refused("no".into());
        assert!(covers(told::Way::Out, Made::Asked, rtu::framed(7, &[3, 0, 0, 0, 1])));
        assert!(covers(told::Way::In, refused(), vec![7, 3]), "the half of an answer");
        assert!(covers(told::Way::In, refused(), rtu::framed(8, &[3, 2, 0, 1])), "another one answered");
        assert!(!covers(told::Way::Out, Made::Asked, rtu::framed(8, &[3, 0, 0, 0, 1])));
        assert!(!covers(told::Way::In, Made::Answer, rtu::framed(8, &[3, 2, 0, 1])));
        assert!(!covers(told::Way::In, Made::Stray, vec![1]));
        assert!(covers(told::Way::In, Made::Stray, rtu::framed(7, &[3, 2, 0, 1])), "it speaks late");
        let mut all = Sight { unit: None, asked: None };
        assert!(all.covers(&Frame { at: 0, frames: Frames::Rtu, way: told::Way::In, made: refused(), bytes: vec![9] }));
    }
}
