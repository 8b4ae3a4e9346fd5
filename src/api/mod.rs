//! The daemon's door: HTTP and JSON over a Unix socket that only root and the daemon's own user may use.
//!
//! Tasks: one that accepts, one for each connection, at most `limits.connections` of them. They read the view and short
//! snapshots of the store, and ask the loop through [`Asks`]; each wait has a deadline. What is not an answer of the
//! engine never reaches the engine: bodies are bounded and read here.

mod ask;
mod config;
pub mod fault;
mod journal;
mod look;
pub mod shown;
pub mod socket;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::asks::Asks;
use crate::model::layer::{Versions, Wanted};
use crate::model::setting::{Difference, Flat, Reloaded};
use crate::model::{Mono, Name};
use crate::nearest;
use crate::store::Snapshots;
use crate::view::View;
use fault::Fault;

/// Bytes of a request that no settings can forbid: a client that sends much sends it in parts of this size.
pub const ALWAYS_TAKEN: usize = 64 << 10;
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are told why they may not stay, at once.
const DOORSTEP: usize = 8;
const LARGEST_HEAD: usize = 16 << 10;

/// All that a request may use.
pub struct Door {
    pub gateway: String,
    /// Absent where the gateway could not open its own key.
    pub public_key: Option<String>,
    pub started: Mono,
    pub view: Arc<View>,
    pub asks: Arc<Asks>,
    pub control: mpsc::Sender<Control>,
    /// What is wrong with devices of the settings.
    pub wrong: watch::Receiver<Vec<String>>,
    pub snapshots: Snapshots,
    pub readers: Vec<Name>,
    pub limits: Bounds,
    /// The time since the boot.
    pub mono: fn() -> Mono,
}

/// What one client, or all of them together, may take.
pub struct Bounds {
    pub connections: usize,
    /// Bytes of a request.
    pub body: usize,
    /// How long an answer may take that nobody asked to wait for.
    pub answer: Duration,
    /// How long somebody may wait for a command's end.
    pub wait: Duration,
    /// Entries of a list at once.
    pub page: usize,
}

/// What is asked of the daemon itself, and where the answer goes.
pub enum Control {
    Apply(Asked, oneshot::Sender<Result<Reloaded, String>>),
    /// The version on probation shall stay.
    Confirm(u64, oneshot::Sender<Result<(), String>>),
    /// The settings that hold.
    Show(oneshot::Sender<Result<Flat, String>>),
    /// What a reload would change, or what one version has changed against another.
    Difference(Option<(u64, u64)>, oneshot::Sender<Result<Vec<Difference>, String>>),
    Versions(oneshot::Sender<Result<Versions, String>>),
}

/// Other settings.
pub enum Asked {
    /// Read the files again.
    Reload,
    Change(Wanted, Name),
    /// As it was with that version.
    Back(u64, Name),
}

type Here = State<Arc<Door>>;

/// Each with its method, as a 404 names them.
pub const ROUTES: [&str; 20] = [
    "POST /v1/ask",
    "GET /v1/commands",
    "GET /v1/commands/{id}",
    "GET /v1/status",
    "GET /v1/devices",
    "GET /v1/devices/{id}",
    "GET /v1/devices/{id}/log",
    "GET /v1/attempts",
    "GET /v1/links",
    "GET /v1/journal/vital",
    "GET /v1/journal/events",
    "GET /v1/journal/telemetry",
    "POST /v1/journal/ack",
    "GET /v1/config",
    "GET /v1/config/diff",
    "POST /v1/config/reload",
    "GET /v1/config/versions",
    "POST /v1/config/change",
    "POST /v1/config/confirm/{version}",
    "POST /v1/config/back/{version}",
];

fn routes(door: Arc<Door>) -> Router {
    Router::new()
        .route("/v1/ask", post(ask::ask))
        // Ids may hold slashes.
        .route("/v1/commands", get(ask::commands))
        .route("/v1/commands/{*id}", get(ask::command))
        .route("/v1/status", get(look::status))
        .route("/v1/devices", get(look::devices))
        .route("/v1/devices/{*id}", get(look::device))
        .route("/v1/attempts", get(look::attempts))
        .route("/v1/links", get(look::links))
        .route("/v1/journal/ack", post(journal::ack))
        .route("/v1/journal/{stream}", get(journal::page))
        .route("/v1/config", get(config::show))
        .route("/v1/config/diff", get(config::diff))
        .route("/v1/config/reload", post(config::reload))
        .route("/v1/config/versions", get(config::versions))
        .route("/v1/config/change", post(config::change))
        .route("/v1/config/confirm/{version}", post(config::confirm))
        .route("/v1/config/back/{version}", post(config::back))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(door)
}

async fn nowhere(method: Method, uri: Uri) -> Fault {
    let asked = format!("{method} {}", uri.path());
    let near = nearest::nearest(&asked, ROUTES);
    let hint = match near {
        Some(route) => format!("did you mean {route}?"),
        None => format!("there are {}", ROUTES.join(", ")),
    };
    Fault::new(StatusCode::NOT_FOUND, "not-found", format!("there is nothing at {}", cut(uri.path())), hint)
}

async fn wrong_method(method: Method, uri: Uri) -> Fault {
    let says = format!("{} does not take {method}", cut(uri.path()));
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "bad-argument", says, "use GET to look and POST to ask")
}

fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}

/// Until `stop`; then lets the connections end what they are at.
pub async fn serve(listener: UnixListener, door: Arc<Door>, mut stop: watch::Receiver<bool>) {
    let most = door.limits.connections;
    let places = Arc::new(Semaphore::new(most));
    let doorstep = Arc::new(Semaphore::new(DOORSTEP));
    let service = TowerToHyperService::new(routes(door));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: the next try comes when some may be free.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        match admit(&stream, &places) {
            Ok(place) => drop(tokio::spawn(connection(stream, service.clone(), stop.clone(), place))),
            Err(fault) => turn_away(stream, fault, &doorstep),
        }
    }
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could say so is gone: stopped all the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A place for the connection, unless it may not come in or all are taken.
fn admit(stream: &UnixStream, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
    socket::may_enter(stream)?;
    places.clone().try_acquire_owned().map_err(|_| {
        Fault::busy("all connections are in use (limits.connections)", "come back when one of them has ended")
    })
}

/// So many are told why they may not stay; more of them at once are closed without a word.
fn turn_away(stream: UnixStream, fault: Fault, doorstep: &Arc<Semaphore>) {
    if let Ok(place) = doorstep.clone().try_acquire_owned() {
        tokio::spawn(async move {
            socket::turn_away(stream, fault).await;
            drop(place);
        });
    }
}

async fn connection(
    stream: UnixStream,
    service: TowerToHyperService<Router>,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(LARGEST_HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection to the socket ended");
    }
}

#[cfg(test)]
mod tests;
