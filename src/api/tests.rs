//! The answers of the doors, from a loop that says what it is told to: their status and their shape.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::feed::Feed;
use crate::model::*;
use crate::seal::Seal;
use crate::store::{JournalId, Opening, Settings, Store};

const LONG: Duration = Duration::from_secs(20);

pub struct World {
    pub door: Arc<Door>,
    store: Store,
    events: mpsc::Receiver<Event>,
    _folder: tempfile::TempDir,
}

pub fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let opening = Opening {
        boot_id: [1; 16],
        journal: JournalId([2; 16]),
        mono: Mono(0),
        wall: Wall(0),
        quality: ClockQuality::Set,
        seal: Seal::new(&[7; 32]).into(),
    };
    let (store, _) = Store::open(&folder.path().join("state.redb"), Settings::default(), &opening).unwrap();
    let (sender, events) = mpsc::channel(4);
    let door = Door {
        gateway: "here".into(),
        public_key: Some("AQID".into()),
        started: Mono(0),
        view: Arc::new(View::default()),
        live: Live::new(Feed::new(1 << 20, 4)),
        asks: Arc::new(Asks::new(sender, 4)),
        control: mpsc::channel(1).0,
        wrong: watch::channel(Vec::new()).1,
        snapshots: store.snapshots(),
        wires: Wires::default(),
        metrics: Arc::default(),
        numbers: Arc::new(counts::Seen::default),
        readers: Vec::new(),
        listens: Arc::default(),
        pace: Pace::new(0),
        strangers: Arc::default(),
        keys: Keys::default(),
        unbelieved: Arc::default(),
        settled: Together::every(BETWEEN_SETTLES),
        reads: Reads::default(),
        limits: Bounds {
            connections: 4,
            body: ALWAYS_TAKEN,
            answer: LONG,
            wait: LONG,
            stalled: LONG,
            page: 10,
            upstream: 2,
            expiry: Duration::from_secs(3_600),
        },
        mono: || Mono(5_000),
    };
    World { door: Arc::new(door), store, events, _folder: folder }
}

fn root() -> caller::Caller {
    caller::Caller::local(Principal::local_root())
}

impl World {
    /// Asks, and lets the loop answer this.
    async fn ask(&mut self, ask: Value, reply: Reply) -> (u16, Value) {
        let wait = Query::try_from_uri(&"/v1/ask".parse().unwrap());
        let asks = self.door.asks.clone();
        let answers = async {
            let Some(Event::Ask { to, .. }) = self.events.recv().await else { panic!("nobody asked") };
            asks.answer(to, reply);
        };
        let (answer, ()) =
            tokio::join!(ask::ask(State(self.door.clone()), root(), wait, Body::from(ask.to_string())), answers);
        match answer {
            Ok((status, Json(answer))) => (status.as_u16(), json!(answer)),
            Err(fault) => (fault.status.as_u16(), json!(fault.told())),
        }
    }
}

fn restart(devices: &[&str]) -> Value {
    json!({ "operate": { "id": "all-1", "expires": 9, "devices": devices, "operation": { "restart": {} } } })
}

fn id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

fn command(no: u64, name: &str, whom: Whom, state: CommandState) -> Command {
    let (id, by) = (CommandId::new(name).unwrap(), Name::new("ann").unwrap());
    let operation = Operation::Restart { part: Part::Device };
    Command { state, ..Command::new(CommandNo(no), id, by, whom, operation, Now::default()) }
}

#[tokio::test]
async fn what_cannot_be_undone_is_answered_with_a_token() {
    let reply = Reply::Guarded { token: Name::new("t-1").unwrap(), within: Duration::from_secs(60) };
    let ask = json!({ "operate": { "device": "urn:a", "operation": "factory-reset" } });
    let (status, answer) = world().ask(ask, reply).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED.as_u16());
    let error = &answer;
    assert_eq!(
        (&error["type"], &error["token"], &error["within"]),
        (&json!("urn:dmgw:problem:guarded"), &json!("t-1"), &json!(60.0))
    );
    assert!(error["detail"].as_str().unwrap().contains("urn:a back to how it left its factory"), "{answer}");
}

#[tokio::test]
async fn registered_devices_are_answered_one_by_one() {
    let each = vec![
        Registered::New(id("urn:a")),
        Registered::Known(id("urn:b")),
        Registered::Refused(Refusal::BadArgument("say who it is".into())),
    ];
    let ask = json!({ "register": { "devices": [{}, {}, {}] } });
    let (status, answer) = world().ask(ask, Reply::Registered(each)).await;
    let expected =
        json!([{ "new": "urn:a" }, { "known": "urn:b" }, { "refused": { "bad-argument": "say who it is" } }]);
    assert_eq!((status, &answer["registered"]), (200, &expected));
}

#[tokio::test]
async fn of_many_devices_each_is_looked_up_where_it_stands() {
    let mut world = world();
    let part = |name: &str, part| Child { device: id(name), part };
    let children = [
        part("urn:a", ChildPart::Command(CommandNo(2))),
        part("urn:b", ChildPart::Command(CommandNo(3))),
        part("urn:c", ChildPart::Refused(Refusal::Unsupported("urn:c cannot restart".into()))),
    ];
    let parent = Arc::new(command(1, "all-1", Whom::Many(children.into()), CommandState::Sent));
    let of = |no, name| Whom::Device { no: DeviceNo(no), id: id(name) };
    let ended = Command {
        outcome: Some(Outcome::Failed("too hot".into())),
        ..command(3, "c-3", of(2, "urn:b"), CommandState::Failed)
    };
    let open = Arc::new(command(2, "c-2", of(1, "urn:a"), CommandState::Queued));
    world.store.commit(&Now::default(), &[Change::Command(Arc::new(ended.clone()))], false).unwrap();
    world.door.view.publish_commands(vec![parent.clone(), open, Arc::new(ended)], Vec::new());

    let (status, answer) = world.ask(restart(&["urn:a", "urn:b", "urn:c"]), Reply::Accepted(parent)).await;
    let shown = &answer["accepted"];
    assert_eq!((status, &shown["counts"]["all"], &shown["progress"]), (202, &json!(3), &json!(666)));
    let states: Vec<&Value> = shown["devices"].as_array().unwrap().iter().map(|child| &child["state"]).collect();
    assert_eq!(states, [&json!("queued"), &json!("failed"), &Value::Null]);
    assert_eq!(shown["devices"][1]["outcome"]["failed"], "too hot");
    assert_eq!(shown["devices"][2]["refused"]["unsupported"], "urn:c cannot restart");
    assert_eq!(shown["device"], Value::Null);

    let again = world.ask(restart(&["urn:a", "urn:b", "urn:c"]), Reply::Known(CommandNo(1))).await;
    assert_eq!((again.0, &again.1["known"]["devices"]), (200, &shown["devices"]));
}

#[tokio::test]
async fn a_command_to_many_that_has_ended_is_read_from_the_disk() {
    let mut world = world();
    let children = [Child { device: id("urn:a"), part: ChildPart::Refused(Refusal::Busy("full".into())) }];
    let parent = Arc::new(command(1, "all-1", Whom::Many(children.into()), CommandState::Failed));
    world.store.commit(&Now::default(), &[Change::Command(parent.clone())], false).unwrap();
    world.door.view.publish_commands(vec![parent], Vec::new());
    let (status, answer) = world.ask(restart(&["urn:a"]), Reply::Known(CommandNo(1))).await;
    assert_eq!((status, &answer["known"]["devices"][0]["refused"]["busy"]), (200, &json!("full")), "{answer}");
}

#[tokio::test]
async fn who_was_turned_away_is_told_with_the_reason_in_words() {
    let world = world();
    let stranger = Stranger { link: Name::new("plant").unwrap(), who: None };
    let at = |wall| Now { wall: Wall(wall), ..Now::default() };
    let address = Address::new("a-7").unwrap();
    let attempt = Attempt { stranger, address, why: Denial::NoRoom, first: at(1), last: at(9), count: 4 };
    world.door.view.publish_attempts(vec![attempt]);
    let places = Query::try_from_uri(&"/v1/attempts".parse().unwrap());
    let shown = json!(look::attempts(State(world.door.clone()), places).await.unwrap().0);
    let expected = json!([{ "link": "plant", "address": "a-7", "why": "no-room", "first": 1, "last": 9, "count": 4,
                            "says": "as many devices as may be are known already, or wait for a decision" }]);
    assert_eq!(shown["attempts"], expected);
}

#[tokio::test]
async fn a_device_that_was_merged_names_the_one_that_it_is() {
    let world = world();
    let known = |no, name: &str, merged| {
        let device = Device::new(DeviceNo(no), id(name), LifeCycle::Managed, &Now::default());
        let device = Arc::new(Device { merged, ..device });
        Arc::new(device::DeviceNow::new(device, Arc::default()))
    };
    world.door.view.publish_devices([known(1, "urn:a", None), known(2, "urn:b", Some(DeviceNo(1)))]);
    let answer = look::device(State(world.door.clone()), root(), ask::Word("urn:b".into())).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let shown: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&shown["detail"]["merged"], &shown["detail"]["keyed"]), (&json!("urn:a"), &json!(false)), "{shown}");
}

#[tokio::test]
async fn a_wrong_path_is_told_the_nearest_route() {
    let fault = routes::nowhere(Method::GET, Uri::from_static("/v1/staus")).await;
    assert_eq!(fault.hint, "did you mean GET /v1/status?");
    let fault = routes::nowhere(Method::GET, Uri::from_static("/metrics/of/everything")).await;
    assert!(fault.hint.starts_with("there are POST /v1/ask, "), "{}", fault.hint);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_read() {
    let World { door, .. } = &world();
    let (open, gate) = std::sync::mpsc::sync_channel::<()>(0);
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let read = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for _ in 0..100 {
        let (gate, read) = (gate.clone(), read.clone());
        let reading = journal::read(door, move |_| {
            let _ = gate.lock().map(|gate| gate.recv());
            read.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        });
        let soon = tokio::time::timeout(Duration::from_millis(1), reading).await;
        assert!(soon.is_err(), "the disk takes long, and whoever asked goes");
    }
    drop(open);
    // Whoever stays is answered.
    assert_eq!(journal::read(door, |_| Ok(7)).await.unwrap(), 7);
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) <= 2);
}
