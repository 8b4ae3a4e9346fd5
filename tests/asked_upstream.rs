//! What is asked over an upstream: every route unsigned, signed, expired, replayed, for another gateway, out of scope, twice
//! with one id, and after a restart. Through the very door that sessions use, on a real engine and store; no broker.

#[path = "asked_upstream/world.rs"]
mod world;

use dmgw::api::routes::{ROUTES, Route, is_stream};
use dmgw::model::*;
use dmgw::seal::Envelope;
use dmgw::upstream::asking::{Answered, Request, Unsigned};
use serde_json::{Value, json};
use world::{NOW, World};

const SOON: u64 = NOW + 60_000;

fn operate(value: bool) -> Value {
    json!({ "operate": { "device": world::DEVICE, "operation": { "write": { "point": "relay.on", "value": value } } } })
}

/// Something that each route takes, so far that it is not the form that is refused.
fn body_for(route: &Route) -> Option<Value> {
    match (route.method, route.path) {
        (_, "/v1/ask") => Some(operate(true)),
        ("PUT", "/v1/log") => Some(json!({ "level": "debug", "seconds": 60 })),
        ("POST", "/v1/tokens") => Some(json!({ "name": "bob", "role": "viewer" })),
        ("POST", "/v1/journal/ack") => Some(json!({ "reader": "app", "stream": "vital", "seq": 1 })),
        ("POST", "/v1/config/change") => Some(json!({ "hide": ["link.plant"] })),
        ("POST", "/v1/links/{name}/raw") => Some(json!({ "unit": 1, "pdu": "03 00 00 00 01" })),
        ("POST", "/v1/links/{name}/release") => Some(json!({ "seconds": 60 })),
        _ => None,
    }
}

fn request(route: &Route, id: &str) -> Request {
    let path = route.path.replace("{name}", "plant").replace("{id}", "x").replace("{version}", "7");
    let path = path.replace("{stream}", "vital");
    let (id, expires) = (Some(id.to_owned()), Some(Wall(SOON)));
    Request { id, expires, body: body_for(route), ..Request::new(route.method, &path) }
}

fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| !is_stream(route.path))
}

fn changes(route: &Route) -> bool {
    route.method != "GET"
}

/// A signed request of this gateway.
fn whole(request: Request) -> Request {
    Request { gateway: Some("here".into()), nonce: Some("n-1".into()), ..request }
}

fn told(answer: &Answered) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

/// Only a command says the second time that it was known.
fn same(first: &Answered, second: &Answered) -> bool {
    let (one, two) = (told(first), told(second));
    let command = one["accepted"]["id"].is_string() && one["accepted"]["id"] == two["known"]["id"];
    command || (first.status, &first.body, &first.kind) == (second.status, &second.body, &second.kind)
}

#[tokio::test]
async fn every_route_is_there_for_whom_may_and_nothing_of_it_is_done_twice() {
    let mut world = World::new().await;
    for route in routes() {
        let what = format!("{} {}", route.method, route.path);
        let first = world.plain(&request(route, &format!("a-{what}").replace(' ', "")), Unsigned::Allow).await;
        assert!(first.status != 401 && first.status != 403 && first.status != 405, "{what}: {first:?}");
        let done = world.did();
        let second = world.plain(&request(route, &format!("a-{what}").replace(' ', "")), Unsigned::Allow).await;
        if changes(route) {
            assert_eq!(world.did(), done, "{what} was done again: {second:?}");
            assert!(
                same(&first, &second) || route.path == "/v1/tokens" && second.status == first.status,
                "{what}: {first:?} {second:?}"
            );
        }
    }
    let (performed, controls) = world.did();
    // Of the settings: reload, change, confirm and back; and the level of the log.
    assert_eq!((performed, controls), (1, 5));
    world.restart().await;
    let before = world.did();
    for route in routes().filter(|route| changes(route)) {
        let what = format!("{} {}", route.method, route.path);
        let again = world.plain(&request(route, &format!("a-{what}").replace(' ', "")), Unsigned::Allow).await;
        assert!(again.status != 504, "{what}: {again:?}");
        assert_eq!(world.did(), before, "{what} was done again after a restart: {again:?}");
    }
}

#[tokio::test]
async fn what_is_unsigned_is_refused_where_the_upstream_says_so() {
    let world = World::new().await;
    for route in routes() {
        let what = format!("{} {}", route.method, route.path);
        let refused = world.plain(&request(route, "a-1"), Unsigned::Refuse).await;
        assert_eq!((refused.status, world.did()), (403, (0, 0)), "{what}: {refused:?}");
        assert!(told(&refused)["detail"].as_str().unwrap().contains("must be signed"), "{what}");
        if changes(route) {
            let refused = world.plain(&request(route, "a-1"), Unsigned::Look).await;
            assert_eq!((refused.status, world.did()), (403, (0, 0)), "{what}: {refused:?}");
        } else {
            let looked = world.plain(&request(route, "a-1"), Unsigned::Look).await;
            assert_ne!(looked.status, 403, "{what}: {looked:?}");
        }
        // Signed it goes.
        let signed =
            world.signed(&whole(request(route, &format!("s-{what}").replace(' ', ""))), Unsigned::Refuse).await;
        assert!(signed.status != 401 && signed.status != 403, "{what}: {signed:?}");
        world.reset();
    }
    assert!(world.audits().iter().any(|audit| audit.what == "unsigned" && audit.is_refused()));
}

#[tokio::test]
async fn what_is_signed_is_for_this_gateway_in_time_and_by_a_key_that_is_known() {
    let world = World::new().await;
    for route in routes() {
        let what = format!("{} {}", route.method, route.path);
        let good = whole(request(route, "a-1"));
        let other_gateway = Request { gateway: Some("there".into()), ..good.clone() };
        let expired = Request { expires: Some(Wall(NOW)), ..good.clone() };
        let too_far = Request { expires: Some(Wall(NOW + world::LONGEST + 1)), ..good.clone() };
        for (status, request) in [(403, other_gateway), (410, expired), (400, too_far)] {
            let refused = world.signed(&request, Unsigned::Allow).await;
            assert_eq!((refused.status, world.did()), (status, (0, 0)), "{what}: {refused:?}");
        }
        for missing in ["gateway", "id", "nonce", "expires"] {
            let mut part = serde_json::to_value(&good).unwrap();
            part.as_object_mut().unwrap().remove(missing);
            let refused = world.send(&world.envelope(&part.to_string()), Unsigned::Allow).await;
            assert_eq!(refused.status, 400, "{what} without {missing}: {refused:?}");
        }
        let envelope = world.envelope(&serde_json::to_string(&good).unwrap());
        let nobody = Envelope { key: Name::new("nobody").unwrap(), ..envelope.clone() };
        let bent = Envelope { says: envelope.says.replace("a-1", "a-2"), ..envelope.clone() };
        let borrowed = Envelope { key: world.viewer_key(), ..envelope.clone() };
        let none = Envelope { signature: "AAAA".into(), ..envelope };
        for wrong in [nobody, bent, borrowed, none] {
            let refused = world.send(&wrong, Unsigned::Allow).await;
            assert_eq!((refused.status, world.did()), (401, (0, 0)), "{what}: {refused:?}");
        }
        world.set_clock(NOW, ClockQuality::Unset);
        let refused = world.signed(&good, Unsigned::Allow).await;
        assert_eq!((refused.status, world.did()), (503, (0, 0)), "{what}: {refused:?}");
        assert!(told(&refused)["detail"].as_str().unwrap().contains("clock"), "{what}");
        world.set_clock(NOW, ClockQuality::Set);
    }
    world.door().unbelieved.tell(world.door()).await;
    world.settled().await;
    let audits = world.audits();
    let whats: Vec<&str> = audits.iter().map(|audit| audit.what.as_str()).collect();
    for what in
        ["unknown-key", "no-signature", "wrong-signature", "other-gateway", "stale", "too-far-ahead", "clock-unset"]
    {
        // Each a hundred times, told in a record or two.
        let count = whats.iter().filter(|told| **told == what).count();
        assert!((1..=2).contains(&count), "{what}: {whats:?}");
    }
    let late = |audit: &&Audit| audit.what == "request" && why(audit).contains("expired before it came in");
    assert_eq!(audits.iter().filter(late).count(), 1, "{whats:?}");
}

fn why(audit: &Audit) -> String {
    match &audit.came {
        Came::Refused(why) | Came::Unknown(why) => why.clone(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn the_same_bytes_are_answered_again_and_others_under_their_id_are_refused() {
    let mut world = World::new().await;
    let put = |level: &str| Request {
        id: Some("a-1".into()),
        expires: Some(Wall(SOON)),
        body: Some(json!({ "level": level, "seconds": 60 })),
        ..Request::new("PUT", "/v1/log")
    };
    let signed = whole(put("debug"));
    let first = world.signed(&signed, Unsigned::Refuse).await;
    assert_eq!((first.status, told(&first)["level"].as_str(), world.did()), (200, Some("debug"), (0, 1)));
    for _ in 0..3 {
        let again = world.signed(&signed, Unsigned::Refuse).await;
        assert_eq!((again.status, &again.body, world.did()), (200, &first.body, (0, 1)));
        let other = world.signed(&whole(put("trace")), Unsigned::Refuse).await;
        assert_eq!((other.status, world.did()), (400, (0, 1)), "{other:?}");
        assert!(told(&other)["detail"].as_str().unwrap().contains("was used for another request"), "{other:?}");
        let anew = Request { nonce: Some("n-2".into()), ..signed.clone() };
        assert_eq!((world.signed(&anew, Unsigned::Refuse).await.status, world.did()), (400, (0, 1)));
        world.restart().await;
    }
    // Of another principal it is another id.
    assert_eq!((world.plain(&put("debug"), Unsigned::Allow).await.status, world.did()), (200, (0, 2)));
    let replayed = |audit: &Audit| audit.what == "request" && why(audit).contains("another request");
    assert!(world.audits().iter().any(replayed), "{:?}", world.audits());
}

#[tokio::test]
async fn a_command_is_carried_out_once_and_its_result_is_told_again() {
    let mut world = World::new().await;
    let ask = |value| Request {
        id: Some("c1".into()),
        expires: Some(Wall(SOON)),
        body: Some(operate(value)),
        ..Request::new("POST", "/v1/ask?wait=5")
    };
    let first = world.signed(&whole(ask(true)), Unsigned::Refuse).await;
    assert_eq!((first.status, told(&first)["accepted"]["state"].as_str()), (200, Some("done")), "{first:?}");
    for _ in 0..2 {
        let again = world.signed(&whole(ask(true)), Unsigned::Refuse).await;
        assert_eq!((again.status, told(&again)["known"]["state"].as_str()), (200, Some("done")), "{again:?}");
        let other = world.signed(&whole(ask(false)), Unsigned::Refuse).await;
        assert_eq!(other.status, 400, "{other:?}");
        assert_eq!(world.did().0, 1);
        world.restart().await;
    }
    let own = json!({ "operate": { "id": "c2", "expires": SOON, "device": world::DEVICE, "operation": "locate" } });
    let two = Request { body: Some(own), ..ask(true) };
    assert_eq!(world.plain(&two, Unsigned::Allow).await.status, 400, "two ids");
    let none = Request { id: None, expires: None, ..ask(true) };
    assert_eq!(world.plain(&none, Unsigned::Allow).await.status, 400, "no id");
}

#[tokio::test]
async fn what_was_begun_before_a_kill_is_not_known_and_not_done_again() {
    let mut world = World::new().await;
    let reload =
        Request { id: Some("a-1".into()), expires: Some(Wall(SOON)), ..Request::new("POST", "/v1/config/reload") };
    // The row is on disk; then the power goes.
    world.begin_only(&reload).await;
    world.restart().await;
    for _ in 0..2 {
        let answer = world.plain(&reload, Unsigned::Allow).await;
        assert_eq!((answer.status, world.did()), (504, (0, 0)), "{answer:?}");
        assert!(told(&answer)["detail"].as_str().unwrap().contains("not known"), "{answer:?}");
    }
    let unknown = |audit: &Audit| {
        matches!(&audit.came, Came::Unknown(_)) && audit.on.as_deref() == Some("POST /v1/config/reload")
    };
    assert_eq!(world.audits().iter().filter(|audit| unknown(audit)).count(), 1, "{:?}", world.audits());
    // With a new id it goes.
    let anew = Request { id: Some("a-2".into()), ..reload };
    assert_eq!((world.plain(&anew, Unsigned::Allow).await.status, world.did()), (409, (0, 1)));
}

#[tokio::test]
async fn whoever_may_less_is_told_so_and_what_is_out_of_scope_is_not_there() {
    let world = World::new().await;
    for route in routes() {
        let what = format!("{} {}", route.method, route.path);
        let answer = world.signed_by_viewer(&whole(request(route, "v-1"))).await;
        if changes(route) {
            // A viewer of another link: refused by role, or the device is not there.
            assert!([400, 403, 404].contains(&answer.status), "{what}: {answer:?}");
        }
        assert_eq!(world.did(), (0, 0), "{what}: {answer:?}");
    }
    let devices = world.signed_by_viewer(&whole(Request { expires: Some(Wall(SOON)), ..look("/v1/devices") })).await;
    assert_eq!((devices.status, told(&devices)["devices"].as_array().map(Vec::len)), (200, Some(0)), "{devices:?}");
    let all = world.plain(&look("/v1/devices"), Unsigned::Allow).await;
    assert_eq!(told(&all)["devices"].as_array().map(Vec::len), Some(1));
    // Only what it may ask at all has taken a row: to acknowledge, as a reader that it is not.
    assert_eq!(world.deeds(), 1);
}

fn look(path: &str) -> Request {
    Request { id: Some("l-1".into()), ..Request::new("GET", path) }
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_at_once_and_takes_no_row() {
    let world = World::new().await;
    let id = |request: Request| Request { id: Some("a-1".into()), expires: Some(Wall(SOON)), ..request };
    for (status, request) in [
        (404, id(Request::new("POST", "/v1/nothing"))),
        (404, id(Request::new("GET", "/"))),
        (405, id(Request::new("DELETE", "/v1/status"))),
        (405, id(Request::new("PATCH", "/v1/log"))),
        (405, id(Request::new("get", "/v1/status"))),
        (400, id(Request::new("GET", "v1/status"))),
        (400, id(Request::new("GET", ""))),
        (400, id(Request::new("GET", &format!("/v1/{}", "x".repeat(9_000))))),
        (400, id(Request::new("GET", "/v1/stream?from=1"))),
        (400, id(Request::new("GET", "/v1/links/plant/trace"))),
        (400, Request { body: Some(json!({})), ..look("/v1/status") }),
        (400, Request { id: None, ..id(Request::new("POST", "/v1/config/reload")) }),
        (400, Request { expires: None, ..id(Request::new("POST", "/v1/config/reload")) }),
        (400, Request { id: Some("a b".into()), ..id(Request::new("POST", "/v1/config/reload")) }),
        (410, Request { expires: Some(Wall(NOW - 1)), ..look("/v1/status") }),
        (400, Request { gateway: Some("there".into()), ..look("/v1/status") }),
    ] {
        let answer = world.plain(&request, Unsigned::Allow).await;
        assert_eq!((answer.status, &answer.id), (status, &request.id), "{request:?}: {answer:?}");
        assert!(told(&answer)["detail"].is_string() && told(&answer)["remedy"].is_string(), "{answer:?}");
    }
    for bytes in [&b""[..], b"{", b"[]", b"null", b"{\"says\":1}", b"{\"method\":\"GET\"}", b"\xff", &[b' '; 100_000]] {
        let answer = world.bytes(bytes.to_vec(), Unsigned::Allow, usize::MAX).await;
        assert!(answer.status == 400 || answer.status == 413, "{answer:?}");
    }
    assert_eq!((world.did(), world.deeds()), ((0, 0), 0));
}

#[tokio::test]
async fn an_answer_fits_what_its_upstream_carries_or_says_how_to_ask_for_less() {
    let world = World::new().await;
    let bytes = |request: &Request| serde_json::to_vec(request).unwrap();
    let whole = world.bytes(bytes(&look("/v1/openapi.json")), Unsigned::Allow, usize::MAX).await;
    assert!(whole.status == 200 && whole.body.len() > 10_000 && whole.tag.is_some());
    let cut = world.bytes(bytes(&look("/v1/openapi.json")), Unsigned::Allow, whole.body.len() - 1).await;
    assert_eq!((cut.status, told(&cut)["type"].as_str()), (413, Some("urn:dmgw:problem:too-large")), "{cut:?}");
    let fits = world.bytes(bytes(&look("/v1/openapi.json")), Unsigned::Allow, whole.body.len()).await;
    assert_eq!(fits.body, whole.body);
    // What was carried out says so, however little can be told of it.
    let put = Request {
        expires: Some(Wall(SOON)),
        body: Some(json!({ "level": "debug", "seconds": 60 })),
        ..look("/v1/log")
    };
    let put = Request { method: "PUT".into(), ..put };
    let answer = world.bytes(bytes(&put), Unsigned::Allow, 4).await;
    assert_eq!((answer.status, told(&answer)["type"].as_str()), (200, Some("urn:dmgw:problem:too-large")));
}

#[tokio::test]
async fn a_token_is_told_once_and_its_secret_is_on_no_disk() {
    let world = World::new().await;
    let create = Request {
        id: Some("t-1".into()),
        expires: Some(Wall(SOON)),
        body: Some(json!({ "name": "bob", "role": "viewer" })),
        ..Request::new("POST", "/v1/tokens")
    };
    let first = world.plain(&create, Unsigned::Allow).await;
    let token = told(&first)["token"].as_str().unwrap().to_owned();
    assert_eq!(first.status, 201);
    let again = world.plain(&create, Unsigned::Allow).await;
    assert_eq!((again.status, told(&again)["type"].as_str()), (201, Some("urn:dmgw:problem:not-kept")), "{again:?}");
    assert!(!world.disk_holds(&token), "the secret stands in the store");
    assert!(world.disk_holds("POST /v1/tokens"), "the row does");
}

#[tokio::test]
async fn one_request_too_many_is_told_so_at_once() {
    let world = World::new().await;
    let gate = world.hold_controls().await;
    let slow = |no: u32| {
        let id = Some(format!("slow-{no}"));
        let request = Request { id, expires: Some(Wall(SOON)), ..Request::new("POST", "/v1/config/reload") };
        world.plain_later(&request)
    };
    let held: Vec<_> = (0..world::AT_ONCE).map(|no| slow(no as u32)).collect();
    world.until_under_way(world::AT_ONCE).await;
    let busy = world.plain(&look("/v1/status"), Unsigned::Allow).await;
    assert_eq!((busy.status, told(&busy)["type"].as_str()), (503, Some("urn:dmgw:problem:busy")), "{busy:?}");
    drop(gate);
    for one in held {
        assert_eq!(one.await.unwrap().status, 409);
    }
    assert_eq!(world.plain(&look("/v1/status"), Unsigned::Allow).await.status, 200);
}

#[tokio::test]
async fn whoever_stops_waiting_does_not_stop_what_was_begun() {
    let world = World::new().await;
    let gate = world.hold_controls().await;
    let reload =
        Request { id: Some("a-1".into()), expires: Some(Wall(SOON)), ..Request::new("POST", "/v1/config/reload") };
    let waiting = world.plain_later(&reload);
    world.until_deeds(1).await;
    waiting.abort();
    let meanwhile = world.plain(&reload, Unsigned::Allow).await;
    assert_eq!((meanwhile.status, told(&meanwhile)["type"].as_str()), (503, Some("urn:dmgw:problem:busy")));
    drop(gate);
    world.until_under_way(0).await;
    let answer = world.plain(&reload, Unsigned::Allow).await;
    assert_eq!((answer.status, world.did()), (409, (0, 1)), "{answer:?}");
}
