//! The routes: one table of what there is, what it takes, and what it says of itself. The router, the answer to whoever
//! asks for something else, the published description and the tests of who may what are all made of it.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post, put};

use super::caller::{allow, enter};
use super::fault::Fault;
use super::rest::heard_out;
use super::tag::tagged;
use super::{Door, ask, config, groups, journal, link, log, look, metrics, openapi, points, stream, tokens};
use crate::model::operation::GatewayKind;
use crate::nearest;

pub struct Route {
    pub method: &'static str,
    /// What stands in braces is a word; of a device or command it may hold slashes.
    pub path: &'static str,
    /// What is asked of a device the engine judges, by the operation.
    pub needs: GatewayKind,
    /// In a line, for people.
    pub says: &'static str,
    go: fn() -> MethodRouter<Arc<Door>>,
}

macro_rules! routes {
    ($($method:ident $path:literal, $needs:ident, $go:path, $says:literal;)*) => {
        &[$(Route {
            method: stringify!($method),
            path: $path,
            needs: GatewayKind::$needs,
            says: $says,
            go: || routes!(@ $method)($go),
        }),*]
    };
    (@ GET) => { get };
    (@ POST) => { post };
    (@ PUT) => { put };
    (@ DELETE) => { delete };
}

pub const ROUTES: &[Route] = routes! {
    POST "/v1/ask", Look, ask::ask, "Ask for an operation, cancel one, discover, register, grant, revoke";
    GET "/v1/commands", Look, ask::commands, "Commands that have not ended";
    GET "/v1/commands/{id}", Look, ask::command, "What became of a command";
    GET "/v1/status", Look, look::status, "How the gateway is";
    GET "/v1/devices", Look, look::devices, "Devices, a page at a time";
    GET "/v1/devices/{id}", Look, look::device, "All that is known of a device";
    GET "/v1/devices/{id}/log", Look, look::device, "What happened to a device";
    GET "/v1/points", Look, points::list, "Points of devices with their last values, a page at a time";
    GET "/v1/groups", Look, groups::list, "Groups, and how many devices are in each";
    GET "/v1/profiles", Look, groups::profiles, "Kinds of devices that are known, and how many devices are of each";
    GET "/v1/links", Look, look::links, "What devices hang on";
    GET "/v1/links/{name}", Look, link::show, "How a link is, and what its units do";
    GET "/v1/links/{name}/trace", TraceLink, link::trace::trace, "What goes over the wire of a link: a stream of frames";
    POST "/v1/links/{name}/raw", RawRead, link::raw::raw, "Ask a unit something by hand";
    POST "/v1/links/{name}/release", ReleaseLink, link::release::release, "Lend the port of a link for a time";
    POST "/v1/links/{name}/resume", ReleaseLink, link::release::resume, "Take the port of a link back";
    GET "/v1/metrics", Survey, metrics::metrics, "What the gateway counts of itself, for Prometheus";
    GET "/v1/attempts", Survey, look::attempts, "Who was turned away";
    GET "/v1/journal/{stream}", Look, journal::page, "Records of vital, events or telemetry, a page at a time";
    GET "/v1/stream", Look, stream::stream, "What happens, as it happens: a stream of events";
    POST "/v1/journal/ack", Look, journal::ack, "A reader has everything up to a number";
    GET "/v1/openapi.json", Look, openapi::document, "What all of these take and answer (OpenAPI 3.1)";
    GET "/v1/config", ShowSettings, config::show, "The settings that hold, and where each is from";
    GET "/v1/config/diff", ShowSettings, config::diff, "What a reload would change, or what a version has changed";
    GET "/v1/config/versions", ShowSettings, config::versions, "The versions over the files";
    POST "/v1/config/reload", Configure, config::reload, "Read the settings files again";
    POST "/v1/config/change", Configure, config::change, "Change named tables: a new version";
    POST "/v1/config/confirm/{version}", Configure, config::confirm, "What is on probation shall stay";
    POST "/v1/config/back/{version}", Configure, config::back, "As it was with that version";
    GET "/v1/log", Survey, log::show, "How much the daemon says of itself";
    PUT "/v1/log", SetLog, log::set, "Another level, for a time or until the next reload";
    GET "/v1/tokens", Grant, tokens::list, "Who may come in from afar";
    POST "/v1/tokens", Grant, tokens::create, "Let somebody in: the token is told once";
    DELETE "/v1/tokens/{name}", Grant, tokens::revoke, "Let somebody in no longer";
};

/// What is answered without an end.
pub fn is_stream(path: &str) -> bool {
    path == "/v1/stream" || (path.starts_with("/v1/links/") && path.ends_with("/trace"))
}

/// As the router takes it: ids may hold slashes, and what follows a device's id is looked at by the route.
fn taken(path: &str) -> Option<String> {
    (!path.ends_with("/{id}/log")).then(|| path.replace("{id}", "{*id}"))
}

pub fn router(door: Arc<Door>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        if let Some(path) = taken(route.path) {
            let allowed = from_fn_with_state((door.clone(), route.needs), allow);
            router = router.route(&path, (route.go)().route_layer(allowed));
        }
    }
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(tagged))
        .layer(from_fn_with_state(door.clone(), enter))
        .layer(from_fn_with_state(door.clone(), heard_out))
        .layer(from_fn_with_state(door.clone(), metrics::counted))
        .with_state(door)
}

pub async fn nowhere(method: Method, uri: Uri) -> Fault {
    let all: Vec<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let asked = format!("{method} {}", uri.path());
    let near = nearest::nearest(&asked, all.iter().map(String::as_str));
    let hint = match near {
        Some(route) => format!("did you mean {route}?"),
        None => format!("there are {}", all.join(", ")),
    };
    Fault::new(StatusCode::NOT_FOUND, "not-found", format!("there is nothing at {}", cut(uri.path())), hint)
}

async fn wrong_method(method: Method, uri: Uri) -> Fault {
    let says = format!("{} does not take {method}", cut(uri.path()));
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "bad-argument", says, "use GET to look and POST to ask")
}

pub fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}
