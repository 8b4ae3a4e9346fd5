//! What each route takes and answers, beside what its table says. A route without a row here fails a test, and so does a
//! row without a route.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::schemas::Of;
use crate::api::shown::{
    Answer, AttemptsShown, CommandShown, CommandsShown, DeviceShown, Devices, LentShown, LinkShown, LinksShown,
    LogShown, PageShown, RawShown, Status,
};
use crate::api::{ask, config, groups, journal, link, look, paged, points, stream, tokens};
use crate::metrics::text::CONTENT_TYPE as METRICS;
use crate::model::layer::{Versions, Wanted};
use crate::model::log::{LogNow, SetLevel};
use crate::model::setting::{Difference, Flat, Reloaded};
use crate::model::{Ask, CommandId, Name, Stream};

/// A status, what it comes with (of which kind, in which form), and when it is told.
pub type Told = (u16, Option<(&'static str, Of)>, &'static str);

pub struct Row {
    pub route: &'static str,
    /// The word in the path.
    pub word: Option<(Of, &'static str)>,
    pub query: Option<Of>,
    pub body: Option<(Of, fn() -> Value)>,
    /// Beside problems; without a shape: an answer without a body.
    pub answers: &'static [Told],
    pub example: Option<fn() -> Value>,
    /// Statuses of problems, beside those of every route.
    pub refuses: &'static [u16],
    /// It takes `If-Match`.
    pub guarded: bool,
}

const fn row(route: &'static str, answers: &'static [Told]) -> Row {
    Row { route, word: None, query: None, body: None, answers, example: None, refuses: &[], guarded: false }
}

impl Row {
    const fn word(self, of: Of, says: &'static str) -> Row {
        Row { word: Some((of, says)), ..self }
    }

    const fn query(self, query: Of) -> Row {
        Row { query: Some(query), ..self }
    }

    const fn body(self, body: Of, example: fn() -> Value) -> Row {
        Row { body: Some((body, example)), ..self }
    }

    const fn example(self, example: fn() -> Value) -> Row {
        Row { example: Some(example), ..self }
    }

    const fn refuses(self, refuses: &'static [u16]) -> Row {
        Row { refuses, ..self }
    }

    const fn guarded(self) -> Row {
        Row { guarded: true, ..self }
    }
}

fn of<T: JsonSchema>(all: &mut SchemaGenerator) -> Schema {
    all.subschema_for::<T>()
}

/// Not under a name of its own.
fn fields<T: JsonSchema>(all: &mut SchemaGenerator) -> Schema {
    T::json_schema(all)
}

const fn some<T: JsonSchema>() -> Option<(&'static str, Of)> {
    Some(("application/json", of::<T>))
}

const fn text(media: &'static str) -> Option<(&'static str, Of)> {
    Some((media, of::<String>))
}

/// It has no end, and so no tag.
pub const STREAM: &str = "text/event-stream";
const A_DEVICE: &str = "Its id, its name, or what only its id ends with. Slashes in it may stand as they are";
const STREAMED: &str = "Server-Sent Events without an end: `vital`, `events` and `telemetry` with a record as in the \
    journal, `gap` with numbers that nobody can get any more, `reset` where the journal is another one. The id of the last \
    message, as Last-Event-ID or `from`, is where to go on";
const A_LINK: &str = "As the settings call it";
const WHOLE_LINK: &str = "Whose devices are all in scope, those to come as well: the scope holds by `link` alone";
const TRACED: &str = "Server-Sent Events without an end: first `link` as of GET /v1/links/{name}, then a `frame` for each \
    that passes (`micros` since 1970, `way` out or in, `wrapped` rtu or tcp, `made` asked, answer, stray or refused and `why`, \
    `bytes` in hex, what it `says`), `missed` with how many `frames` a slow listener did not get, `ended` when the link has";
/// Where a wire is asked for.
const WIRE: &[u16] = &[403, 404, 422, 503, 504];
/// Where the loop is asked, and where it refuses.
const ASKED: &[u16] = &[403, 404, 409, 410, 422, 503, 504];
const CHANGED: &[u16] = &[403, 409, 412, 503, 504];

pub const ROWS: &[Row] = &[
    row(
        "POST /v1/ask",
        &[
            (200, some::<Answer>(), "It has ended, or was asked before, or there is nothing to follow"),
            (202, some::<Answer>(), "It is accepted and on disk; look at /v1/commands/{id} for how it ends"),
        ],
    )
    .query(fields::<ask::Wait>)
    .body(of::<Ask>, read_a_point)
    .example(done)
    .refuses(&[403, 404, 409, 410, 422, 428, 503, 504]),
    row("GET /v1/commands", &[(200, some::<CommandsShown>(), "A page of them")]).query(fields::<ask::Open>),
    row("GET /v1/commands/{id}", &[(200, some::<CommandShown>(), "How it stands")])
        .word(of::<CommandId>, "As it was answered when it was asked")
        .query(fields::<ask::Wait>)
        .refuses(&[404, 503]),
    row("GET /v1/status", &[(200, some::<Status>(), "How it is")]),
    row("GET /v1/devices", &[(200, some::<Devices>(), "A page of them")]).query(fields::<look::Range>),
    row("GET /v1/devices/{id}", &[(200, some::<DeviceShown>(), "With its detail")])
        .word(of::<String>, A_DEVICE)
        .refuses(&[404, 503]),
    row("GET /v1/devices/{id}/log", &[(200, some::<LogShown>(), "The oldest first")])
        .word(of::<String>, A_DEVICE)
        .refuses(&[404, 503]),
    row("GET /v1/points", &[(200, some::<points::PointsShown>(), "A page of them")]).query(fields::<points::Range>),
    row("GET /v1/groups", &[(200, some::<groups::GroupsShown>(), "A page of them")]).query(fields::<paged::Names>),
    row("GET /v1/profiles", &[(200, some::<groups::KindsShown>(), "A page of them")]).query(fields::<paged::Names>),
    row("GET /v1/links", &[(200, some::<LinksShown>(), "A page of them")]).query(fields::<paged::Names>),
    row("GET /v1/links/{name}", &[(200, some::<LinkShown>(), "With its bus, where it has one and runs")])
        .word(of::<Name>, A_LINK)
        .refuses(&[404]),
    row("GET /v1/links/{name}/trace", &[(200, text(STREAM), TRACED)])
        .word(of::<Name>, WHOLE_LINK)
        .query(fields::<link::trace::Wanted>)
        .refuses(WIRE),
    row("POST /v1/links/{name}/raw", &[(200, some::<RawShown>(), "It went out, and this came of it")])
        .word(of::<Name>, "Whose devices are all in scope. What may write takes the role administrator")
        .body(of::<link::raw::Wanted>, || json!({ "unit": 7, "pdu": "03 00 64 00 02" }))
        .example(read_by_hand)
        .refuses(WIRE),
    row("POST /v1/links/{name}/release", &[(200, some::<LentShown>(), "The port is closed; it comes back by itself")])
        .word(of::<Name>, WHOLE_LINK)
        .body(of::<link::release::Wanted>, || json!({ "seconds": 1800 }))
        .refuses(WIRE),
    row("POST /v1/links/{name}/resume", &[(200, some::<LentShown>(), "It takes its port back; so it was lent")])
        .word(of::<Name>, WHOLE_LINK)
        .refuses(&[403, 404, 409, 422, 503]),
    row("GET /v1/metrics", &[(200, text(METRICS), "The text format of Prometheus")]).refuses(&[403]),
    row("GET /v1/attempts", &[(200, some::<AttemptsShown>(), "A page of them")])
        .query(fields::<look::Places>)
        .refuses(&[403]),
    row("GET /v1/journal/{stream}", &[(200, some::<PageShown>(), "A page of it")])
        .word(of::<Stream>, "Which one")
        .query(fields::<journal::Range>)
        .refuses(&[403, 404, 503]),
    row("GET /v1/stream", &[(200, text(STREAM), STREAMED)])
        .query(fields::<stream::Wanted>)
        .refuses(&[403, 404, 503, 504]),
    row("POST /v1/journal/ack", &[(202, some::<Answer>(), "It is on disk soon, with what comes next")])
        .body(of::<journal::Passed>, || json!({ "reader": "app", "stream": "vital", "seq": 17 }))
        .refuses(&[403, 404, 503, 504]),
    row("GET /v1/openapi.json", &[(200, some::<Value>(), "This")]),
    row("GET /v1/config", &[(200, some::<Flat>(), "By key")]).refuses(&[403, 503, 504]),
    row("GET /v1/config/diff", &[(200, some::<Vec<Difference>>(), "By key")])
        .query(fields::<config::Between>)
        .refuses(&[403, 409, 503, 504]),
    row("GET /v1/config/versions", &[(200, some::<Versions>(), "The oldest first")]).refuses(&[403, 503, 504]),
    row("POST /v1/config/reload", RELOADED).refuses(CHANGED).guarded(),
    row("POST /v1/config/change", RELOADED).body(of::<Wanted>, a_group).refuses(CHANGED).guarded(),
    row("POST /v1/config/confirm/{version}", &[(200, some::<()>(), "It stays")])
        .word(of::<u64>, "The one on probation")
        .refuses(&[403, 409, 503, 504]),
    row("POST /v1/config/back/{version}", RELOADED)
        .word(of::<u64>, "Which was the last then; 0: the files alone")
        .refuses(CHANGED)
        .guarded(),
    row("GET /v1/log", &[(200, some::<LogNow>(), "What holds")]).refuses(&[403, 503, 504]),
    row("PUT /v1/log", &[(200, some::<LogNow>(), "What holds now")])
        .body(of::<SetLevel>, || json!({ "level": "debug", "seconds": 600 }))
        .refuses(&[403, 503, 504]),
    row("GET /v1/tokens", &[(200, some::<tokens::TokensShown>(), "A page of them")])
        .query(fields::<paged::Names>)
        .refuses(&[403]),
    row("POST /v1/tokens", &[(201, some::<tokens::TokenShown>(), "With the token itself, unless a certificate does")])
        .body(of::<tokens::Wanted>, || json!({ "name": "dashboard", "role": "viewer", "for": "\"line-a\" in groups" }))
        .refuses(ASKED),
    row("DELETE /v1/tokens/{name}", &[(204, None, "Whoever shows it is not let in any more")])
        .word(of::<Name>, "Of the token")
        .refuses(ASKED),
];

const RELOADED: &[Told] = &[
    (200, some::<Reloaded>(), "They hold"),
    (202, some::<Reloaded>(), "They hold, and the disk has not taken them yet"),
];

fn read_a_point() -> Value {
    let device = "urn:dev:dmgw:serial:acme:17";
    json!({ "operate": { "device": device, "operation": { "read": { "points": ["power.0.active"] } } } })
}

fn done() -> Value {
    json!({ "accepted": {
        "id": "c-17", "state": "done", "device": "urn:dev:dmgw:serial:acme:17",
        "operation": { "read": { "points": ["power.0.active"] } }, "by": "dashboard", "priority": "normal",
        "asked": 1_803_902_400_000u64, "expires": 1_803_902_460_000u64, "timeout": 10.0, "sent": 1_803_902_400_003u64,
        "outcome": { "done": [["power.0.active", 1234.5]] }, "ended": 1_803_902_400_041u64
    } })
}

fn read_by_hand() -> Value {
    json!({
        "unit": 7, "state": "answered", "sent": "03 00 64 00 02", "asked": "read holding registers 100 to 101",
        "came": "03 04 00 0c 00 22", "says": "read holding registers = 12 34", "registers": { "100": 12, "101": 34 }
    })
}

fn a_group() -> Value {
    json!({ "text": "[group.line-a]\nfor = { link = \"meters\" }\n", "note": "as agreed", "confirm_within": 600 })
}
