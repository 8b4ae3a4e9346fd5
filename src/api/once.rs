//! Around one route: what has an id from outside is carried out once at most.
//!
//! Its row is on disk before the route's own work begins, and how it was answered before anybody hears of it. The very same
//! asked again is answered from that; where the gateway was started anew in between, nobody knows. Only what a route takes,
//! of somebody who may ask it, comes as far as here: nothing else costs a row.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Door;
use super::caller::Caller;
use super::fault::Fault;
use super::journal;
use crate::asks::AskError;
use crate::model::deed::{self, First, Wanted, Went};
use crate::model::operation::GatewayKind;
use crate::model::{Deed, DeedNo, Event, Reply};

/// Whoever asked is told long before; but what was begun must come to its end, however slow the disk.
const DISK_TAKES: Duration = Duration::from_secs(86_400);

/// Says what it came to; where nobody does (the work was dropped, or failed), that nobody knows.
struct Begun {
    door: Arc<Door>,
    no: Option<DeedNo>,
}

pub async fn carried_out(
    door: Arc<Door>,
    caller: Caller,
    needs: GatewayKind,
    wanted: Wanted,
    request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let (by, expires) = (caller.principal, wanted.expires);
    let begun = match door.asks.answered(|to| Event::Begin { to, by, wanted }, DISK_TAKES).await? {
        Reply::Begun(no) => Begun { door: door.clone(), no: Some(no) },
        Reply::Before(deed) => return first(&door, &deed).await,
        Reply::Refused(refusal) => return Err(refusal.into()),
        _ => return Err(AskError::NotKnown.into()),
    };
    let answer = match door.now().wall < expires {
        true => next.run(request).await,
        false => too_late().into_response(),
    };
    let (head, body) = answer.into_parts();
    // What has no end is asked with GET, and that has no deed.
    let body = to_bytes(body, usize::MAX).await.map_err(|_| AskError::NotKnown)?;
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let first = First { status: head.status.as_u16(), body: kept(needs, head.status, kind, &body) };
    begun.end(first).await?;
    Ok(Response::from_parts(head, Body::from(body)))
}

fn too_late() -> Fault {
    let says = "the disk was so slow that the request expired before it could be carried out; nothing was done";
    Fault::new(StatusCode::GONE, "expired", says, "ask with a later `expires`, and with a new id")
}

/// A token is told once, and no disk has it.
fn kept(needs: GatewayKind, status: StatusCode, kind: &str, body: &Bytes) -> Option<deed::Body> {
    if needs == GatewayKind::Grant && status.is_success() && !body.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    Some(deed::Body { kind: kind.to_owned(), text: text.to_owned() })
}

impl Begun {
    async fn end(mut self, first: First) -> Result<(), Fault> {
        let Some(deed) = self.no.take() else { return Ok(()) };
        let status = first.status;
        let ended = self.door.asks.answered(|to| Event::Carried { to, deed, first: Some(first) }, DISK_TAKES).await;
        ended.map(drop).map_err(|error| {
            let says = format!("it was answered ({status}), and that could not be put on disk: {error}");
            Fault::new(StatusCode::GATEWAY_TIMEOUT, "not-known", says, "ask again with the same id")
        })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let (Some(deed), Ok(here)) = (self.no.take(), tokio::runtime::Handle::try_current()) else { return };
        let door = self.door.clone();
        here.spawn(async move {
            let lost = |to| Event::Carried { to, deed, first: None };
            if let Err(error) = door.asks.answered(lost, DISK_TAKES).await {
                tracing::warn!(%error, "a request whose end nobody knows could not be told of");
            }
        });
    }
}

/// What it was answered before.
async fn first(door: &Door, known: &Arc<Deed>) -> Result<Response, Fault> {
    let status = match &known.went {
        Went::UnderWay => {
            return Err(Fault::busy("this is being carried out just now", "ask again with the same id"));
        }
        Went::Unknown => {
            let says = "the gateway failed or was started anew over it: it is not known whether this was carried out";
            let hint = "look at what it was to change, then ask with a new id if need be";
            return Err(Fault::new(StatusCode::GATEWAY_TIMEOUT, "not-known", says, hint));
        }
        Went::Answered(first) => StatusCode::from_u16(first.status).unwrap_or(StatusCode::OK),
    };
    let no = known.no;
    let whole = journal::read(door, move |snapshots| snapshots.deed(no)).await?;
    let body = whole.and_then(|whole| whole.first(known)).and_then(|first| first.body);
    let Some(deed::Body { kind, text }) = body else {
        let says = "this was carried out before, and what it was answered is not kept";
        return Ok(Fault::new(status, "not-kept", says, "look at what it has changed").into_response());
    };
    let mut answer = (status, text).into_response();
    answer.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(kind) = HeaderValue::from_str(&kind).ok().filter(|kind| !kind.is_empty()) {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(answer)
}
