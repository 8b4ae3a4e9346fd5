//! The door for what is asked over an upstream: the very same routes, roles, pace, answers and audit as over HTTP, without
//! a connection of its own.
//!
//! A message is read, whoever asks is made out ([`signed`](super::signed)), and the request goes through the router. What
//! changes something has an id and an absolute expiry: a command is remembered under it by the engine, everything else as
//! a deed ([`once`](super::once)).
//!
//! Invariants: at most [`Bounds::upstream`](super::Bounds) requests are under way, a further one is told so at once; each is
//! answered in bounded time, and goes on to its end where nobody waits any longer; no answer is larger than its upstream
//! carries. A task for each request, while it is under way.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::caller::Origin;
use super::fault::{Fault, PROBLEM_JSON};
use super::metrics::Connected;
use super::signed::{Known, Sent};
use super::{Door, cut, routes};
use crate::asks::AskError;
use crate::metrics;
use crate::model::deed::Wanted;
use crate::model::{CommandId, Wall};
use crate::upstream::asking::{Answered, Asked, CarryOut, Request};

const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
/// Bytes of a path with all that follows the `?`.
const LONGEST_PATH: usize = 2 << 10;
/// Where commands are asked.
const ASK: &str = "/v1/ask";
/// Beside what a route itself takes at most: to read, to be put on disk, to be answered.
const STEPS: u32 = 3;

struct Inner {
    door: Arc<Door>,
    router: TowerToHyperService<Router>,
    places: Arc<Semaphore>,
}

/// What is carried back.
struct Carried {
    status: StatusCode,
    kind: String,
    tag: Option<String>,
    body: Vec<u8>,
}

/// For the sessions of upstreams.
pub fn carry_out(door: Arc<Door>) -> CarryOut {
    let places = Arc::new(Semaphore::new(door.limits.upstream));
    let router = TowerToHyperService::new(routes::router(door.clone()));
    let inner = Arc::new(Inner { door, router, places });
    Arc::new(move |asked| {
        let inner = inner.clone();
        Box::pin(async move { inner.answered(asked).await })
    })
}

impl Inner {
    async fn answered(self: Arc<Inner>, asked: Asked) -> Answered {
        let sent = Sent::read(&asked.message, self.door.limits.body);
        let (id, reply) = sent.as_ref().map(Sent::names).unwrap_or_default();
        let went = match sent {
            Ok(sent) => self.in_time(asked, sent).await,
            Err(fault) => Err(fault),
        };
        let Carried { status, kind, tag, body } = went.unwrap_or_else(Carried::of_fault);
        Answered { id, reply, status: status.as_u16(), kind, tag, body }
    }

    async fn in_time(self: Arc<Inner>, asked: Asked, sent: Sent) -> Result<Carried, Fault> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            let says = "as many requests over upstreams are carried out as may be (limits.upstream_requests)";
            Fault::busy(says, "ask again when one of them is answered, with the same id")
        })?;
        let limits = &self.door.limits;
        let longest = limits.wait.saturating_add(limits.answer.saturating_mul(STEPS));
        let inner = self.clone();
        let under_way = tokio::spawn(async move {
            let _held = (place, Connected::new(&inner.door.metrics, metrics::Door::Upstream));
            inner.carried_out(&asked, sent).await
        });
        in_time(longest, under_way).await.unwrap_or_else(|| Err(AskError::NotKnown.into()))
    }

    async fn carried_out(&self, asked: &Asked, sent: Sent) -> Result<Carried, Fault> {
        let Known { caller, mut request, mark } = self.door.who_asks(asked, sent).await?;
        let (method, uri) = target(&request)?;
        let once = match method == Method::GET || is_command(&mut request)? {
            true => None,
            false => {
                let (id, expires) = under(&request)?;
                Some(Wanted { id, expires, mark, what: format!("{method} {}", cut(uri.path())) })
            }
        };
        let body = request.body.take().map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut inside = axum::http::Request::new(body);
        (*inside.method_mut(), *inside.uri_mut()) = (method.clone(), uri);
        if let Some(tag) = &request.if_match {
            let hint = "give it as the answer gave it";
            let tag = HeaderValue::from_str(tag).map_err(|_| Fault::bad("if_match is no tag", hint))?;
            inside.headers_mut().insert(header::IF_MATCH, tag);
        }
        inside.extensions_mut().insert(Origin::Upstream(caller));
        if let Some(once) = once {
            inside.extensions_mut().insert(once);
        }
        let answer = self.router.call(inside).await.into_response();
        carried_back(answer, method == Method::GET, asked.most).await
    }
}

/// None: too late, or it failed.
async fn in_time<T>(longest: Duration, task: tokio::task::JoinHandle<T>) -> Option<T> {
    match tokio::time::timeout(longest, task).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::error!(%error, "a request over an upstream failed; this is a fault of dmgw");
            None
        }
        Err(_) => None,
    }
}

fn target(request: &Request) -> Result<(Method, Uri), Fault> {
    let method = METHODS.into_iter().find(|known| known.as_str() == request.method);
    let method = method.ok_or_else(|| {
        let says = format!("there is no method {}", cut(&request.method));
        Fault::new(StatusCode::METHOD_NOT_ALLOWED, "bad-argument", says, "use GET, POST, PUT or DELETE")
    })?;
    let path = Some(&request.path).filter(|path| path.starts_with('/') && path.len() <= LONGEST_PATH);
    let path = path.and_then(|path| PathAndQuery::try_from(path.as_str()).ok()).ok_or_else(|| {
        let hint = "a path begins with / and is escaped as in a URL: /v1/devices?limit=100";
        Fault::bad(format!("{} is no path", cut(&request.path)), hint)
    })?;
    if routes::is_stream(path.path()) {
        let hint =
            "records come over the upstream by themselves; GET /v1/journal/{stream} looks back, a page at a time";
        return Err(Fault::bad(format!("{} has no end, and is for HTTP only", cut(path.path())), hint));
    }
    if method == Method::GET && request.body.is_some() {
        return Err(Fault::bad("a GET has no body", "say what is wanted behind the ? of the path"));
    }
    Ok((method, Uri::from(path)))
}

/// A broker may deliver it twice.
fn under(request: &Request) -> Result<(CommandId, Wall), Fault> {
    let hint = "give `id`, a text that is new each time, and `expires`, in milliseconds since 1970: a message may come \
                twice, and under an id it is carried out once";
    let (Some(id), Some(expires)) = (&request.id, request.expires) else {
        return Err(Fault::bad("what changes something says its id and when it expires", hint));
    };
    let id = CommandId::new(id).map_err(|error| Fault::bad(format!("the id cannot be used: {error}"), hint))?;
    Ok((id, expires))
}

/// A command has an id of its own, by which the engine knows it for good: it takes that of the request.
fn is_command(request: &mut Request) -> Result<bool, Fault> {
    if request.method != "POST" || request.path.split('?').next() != Some(ASK) {
        return Ok(false);
    }
    let operate = request.body.as_mut().and_then(|body| body.get_mut("operate")).and_then(Value::as_object_mut);
    let Some(operate) = operate else { return Ok(false) };
    let of_request =
        [("id", request.id.as_ref().map(|id| json!(id))), ("expires", request.expires.map(|at| json!(at)))];
    for (key, said) in of_request {
        match (operate.get(key), said) {
            (None, None) => {
                let hint = "give `id` and `expires` beside method and path: a message may come twice";
                return Err(Fault::bad(format!("neither the request nor its command says {key}"), hint));
            }
            (None, Some(said)) => drop(operate.insert(key.to_owned(), said)),
            (Some(own), Some(said)) if *own != said => {
                let says = format!("the command has another {key} than the request");
                return Err(Fault::bad(says, format!("leave {key} out of the command")));
            }
            (Some(_), _) => {}
        }
    }
    Ok(true)
}

async fn carried_back(answer: Response, looks: bool, most: usize) -> Result<Carried, Fault> {
    let (head, body) = answer.into_parts();
    let says = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let length = body.size_hint().exact().filter(|length| *length <= most as u64);
    let body = match length {
        Some(_) => to_bytes(body, most).await.ok(),
        None => None,
    };
    match body {
        Some(body) => Ok(Carried {
            status: head.status,
            kind: says(header::CONTENT_TYPE).unwrap_or_default(),
            tag: says(header::ETAG),
            body: body.into(),
        }),
        None => Err(too_large(head.status, looks, most)),
    }
}

/// What it came to stands, also where it cannot be told in full.
fn too_large(status: StatusCode, looks: bool, most: usize) -> Fault {
    let says = format!("the answer is larger than the {most} bytes that this upstream carries");
    match looks {
        true => {
            let hint = "ask for less at once: ?limit=, then ?after= or ?from= for the next page";
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", says, hint)
        }
        false => {
            Fault::new(status, "too-large", says, "it was carried out with this status; look at what it has changed")
        }
    }
}

impl Carried {
    fn of_fault(fault: Fault) -> Carried {
        let body = serde_json::to_vec(&fault.told()).unwrap_or_default();
        Carried { status: fault.status, kind: PROBLEM_JSON.to_owned(), tag: None, body }
    }
}
