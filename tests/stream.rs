//! `GET /v1/stream` of the real daemon, on a real plant: live, filtered, taken up again where it was left, within bounds.
//!
//! The plant's own record is the witness: what it emitted was told, each number once and in order, or a gap names it.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use support::listen::Message;
use support::sums::{self, Emitted};
use support::{Gateway, Listener, Plant, TWO_DEVICES, eventually, pause};

const COUNTING: &str = include_str!("support/counting_plant.toml");
/// Nothing goes to disk by itself while a test runs.
const NO_FLUSH: &str = "flush_busy = \"1h\"\nflush_idle = \"1h\"\n";
const SETTINGS: &str = "[clock]\ntrust = \"always\"\n";

/// What a listener was told: each number of each stream once, in order.
#[derive(Default)]
struct Told {
    /// Of telemetry, where it began.
    began: u64,
    last: BTreeMap<String, u64>,
    counted: BTreeMap<Emitted, u64>,
    gaps: Vec<(String, u64, u64)>,
}

impl Told {
    /// Goes on from a position.
    fn after(id: &str) -> Told {
        let numbers = id.split('.').skip(1).map(|number| number.parse().unwrap());
        let streams = ["vital", "events", "telemetry"].map(str::to_owned);
        let last: BTreeMap<String, u64> = streams.into_iter().zip(numbers).collect();
        Told { began: last["telemetry"], last, ..Told::default() }
    }

    #[track_caller]
    fn note(&mut self, message: &Message) {
        let (first, last) = message.numbers();
        let before = self.last.insert(message.stream().to_owned(), last);
        assert_eq!(before.map(|before| before + 1), Some(first), "{message:?}");
        if message.event == "gap" {
            self.gaps.push((message.stream().to_owned(), first, last));
        }
        let heard = &message.data["heard"];
        let serial = heard["device"].as_str().unwrap_or_default().trim_start_matches("urn:dev:dmgw:serial:");
        for (reading, seq) in heard["readings"].as_array().into_iter().flatten().zip(first..) {
            let point = reading["point"].as_str().unwrap();
            if point.starts_with("count.") {
                let key = (serial.to_owned(), point.to_owned(), reading["value"].as_i64().unwrap());
                assert_eq!(self.counted.insert(key, seq), None, "told twice: {reading}");
            }
        }
    }

    fn take(&mut self, listener: &mut Listener, enough: impl Fn(&Told) -> bool) {
        while !enough(self) {
            self.note(&listener.next().expect("more messages"));
        }
    }

    /// The books: what the plant emitted is in the journal; of that, all between where it began and where it ended was told,
    /// under the same numbers, and nothing else.
    fn check(&self, plant: &mut Plant, gateway: &mut Gateway) {
        assert_eq!(sums::close(plant, gateway), 0, "nothing is lost at a clean stop");
        let span = self.began + 1..=self.last["telemetry"];
        let held = sums::journalled(gateway).into_iter().filter(|(_, seq)| span.contains(seq)).collect();
        assert!(self.counted == held, "told: {:?}\nheld: {held:?}", self.counted);
    }
}

fn counting(store: &str, more: &str) -> (Plant, Gateway) {
    let plant = Plant::start(COUNTING);
    let mut gateway = Gateway::new(&Gateway::settings(&plant, "100ms", store, &format!("{SETTINGS}{more}")));
    gateway.start();
    gateway.wait_for_device("relay-2");
    (plant, gateway)
}

fn on_disk(gateway: &Gateway) -> u64 {
    sums::next(gateway, "telemetry")
}

#[test]
fn what_the_plant_emits_is_told_each_number_once_while_nothing_goes_to_disk() {
    let (mut plant, mut gateway) = counting(NO_FLUSH, "");
    let before = on_disk(&gateway);
    let mut listener = gateway.listen("", None);
    let mut told = Told::after(&listener.id);
    told.take(&mut listener, |told| told.counted.len() >= 500);
    assert_eq!((told.gaps.len(), on_disk(&gateway)), (0, before));
    told.check(&mut plant, &mut gateway);
}

#[test]
fn a_record_is_told_within_moments_though_nobody_waits_for_its_commit() {
    let mut plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    gateway.wait_for_device("relay-1");
    let mut listener = gateway.listen("streams=events", None);
    plant.kill();
    let down = listener.until(|message| !message.data["record"]["link-down"].is_null());
    assert_eq!((down.event.as_str(), &down.data["record"]["link-down"]["link"]), ("events", &json!("plant")));
}

#[test]
fn who_wants_one_device_or_stream_hears_of_nothing_else() {
    let (_plant, gateway) = counting(NO_FLUSH, "");
    let relay = "urn:dev:dmgw:serial:acme:relay-1";
    let mut of_one = gateway.listen("device=sensor-2", None);
    let mut selected = gateway.listen("for=id%20%3D%3D%20%22urn:dev:dmgw:serial:acme:meter-1%22", None);
    let mut vital = gateway.listen("streams=vital", None);
    for _ in 0..20 {
        assert_eq!(of_one.next().unwrap().data["heard"]["device"], "urn:dev:dmgw:serial:acme:sensor-2");
        assert_eq!(selected.next().unwrap().data["heard"]["device"], "urn:dev:dmgw:serial:acme:meter-1");
    }
    gateway.operate(relay, json!({ "write": { "point": "relay.level", "value": 3 } })).ok();
    let result = vital.next().unwrap();
    assert_eq!((result.event.as_str(), &result.data["record"]["result"]["device"]), ("vital", &json!(relay)));
}

#[test]
fn who_comes_back_gets_what_was_told_meanwhile_also_what_is_only_in_memory() {
    let (mut plant, mut gateway) = counting(NO_FLUSH, "[limits]\nstream_memory = \"16KiB\"\n");
    let before = on_disk(&gateway);
    let mut listener = gateway.listen("", None);
    let mut told = Told::after(&listener.id);
    told.take(&mut listener, |told| told.counted.len() >= 50);
    let id = listener.id.clone();
    drop(listener);
    // Far more than the memory for listeners holds.
    let mut other = gateway.listen("", None);
    let mut far = Told::after(&other.id);
    far.take(&mut other, |far| far.counted.len() >= 1_000);
    assert_eq!(on_disk(&gateway), before, "nobody who listens live has anything written");
    let mut listener = gateway.listen("", Some(&id));
    assert_eq!(listener.id, id);
    let wanted = far.counted.len() + told.counted.len();
    told.take(&mut listener, |told| told.counted.len() >= wanted);
    assert!(told.gaps.is_empty() && on_disk(&gateway) > before, "what it missed was flushed for it");
    told.check(&mut plant, &mut gateway);
}

#[test]
fn a_short_absence_is_made_up_from_memory_and_nothing_is_written_for_it() {
    let (mut plant, mut gateway) = counting(NO_FLUSH, "");
    let before = on_disk(&gateway);
    let mut listener = gateway.listen("", None);
    let mut told = Told::after(&listener.id);
    for round in 1..=5 {
        told.take(&mut listener, |told| told.counted.len() >= 60 * round);
        let id = listener.id.clone();
        drop(listener);
        pause(Duration::from_millis(100));
        listener = gateway.listen("", Some(&id));
    }
    assert_eq!((told.gaps.len(), on_disk(&gateway)), (0, before));
    told.check(&mut plant, &mut gateway);
}

#[test]
fn after_a_kill_a_listener_goes_on_and_is_told_of_the_gap() {
    let (plant, mut gateway) = counting("flush_idle = \"300ms\"\nflush_busy = \"300ms\"\n", "");
    let mut listener = gateway.listen("", None);
    let mut told = Told::after(&listener.id);
    told.take(&mut listener, |told| told.counted.len() >= 200);
    let id = listener.id.clone();
    gateway.kill();
    gateway.start();
    let mut listener = gateway.listen("", Some(&id));
    let before = told.counted.len();
    told.take(&mut listener, |told| told.counted.len() >= before + 200 && !told.gaps.is_empty());
    // Of readings the skipped numbers; what was emitted and lost lies within them, and a record in vital says so.
    let gaps = sums::gaps(&gateway);
    let crash = gaps.iter().find(|gap| gap.why == "crash" && gap.last > 0).expect("a gap record");
    let (stream, first, last) = told.gaps[0].clone();
    assert_eq!((told.gaps.len(), stream.as_str(), last), (1, "telemetry", crash.last));
    assert!(first >= crash.first, "{first} {crash:?}");
    // The plant writes its record down a moment later.
    eventually("all that was told was emitted", || {
        let emitted = sums::emitted(&plant);
        told.counted.keys().all(|key| emitted.contains_key(key)).then_some(())
    });
}

#[test]
fn a_position_of_another_journal_is_reset_and_everything_that_is_held_comes() {
    let (mut plant, mut gateway) = counting("flush_idle = \"300ms\"\nflush_busy = \"300ms\"\n", "");
    let first = eventually("readings are on disk", || (on_disk(&gateway) > 100).then_some(1));
    let foreign = format!("{}.7.7.7", "ab".repeat(16));
    let mut listener = gateway.listen("", Some(&foreign));
    let reset = listener.next().unwrap();
    let journal = gateway.get("/v1/status").ok()["journal"]["journal"].clone();
    assert_eq!((reset.event.as_str(), &reset.data["journal"]), ("reset", &journal));
    let mut told = Told::after(&reset.id);
    assert!(told.last.values().all(|last| *last + 1 == first), "{:?}", told.last);
    told.take(&mut listener, |told| told.counted.len() >= 300);
    assert!(told.gaps.is_empty() && told.last["events"] >= 7);
    told.check(&mut plant, &mut gateway);
}

#[test]
fn what_is_not_held_any_more_is_named_by_a_gap() {
    let readers = "[journal]\nreaders = { office = [\"telemetry\"] }\n";
    let (_plant, gateway) = counting("flush_idle = \"100ms\"\nflush_busy = \"100ms\"\n", readers);
    let seq = eventually("readings are on disk", || Some(on_disk(&gateway) - 1).filter(|seq| *seq > 300));
    let ack = json!({ "reader": "office", "stream": "telemetry", "seq": seq });
    assert_eq!(gateway.post("/v1/journal/ack", &ack).status, 202);
    eventually("what was acknowledged is gone", || {
        let page = gateway.get("/v1/journal/telemetry?limit=1").ok();
        (page["first_held"].as_u64()? > 300).then_some(())
    });
    let journal = gateway.get("/v1/status").ok()["journal"]["journal"].as_str().unwrap().to_owned();
    let mut listener = gateway.listen(&format!("streams=telemetry&from={journal}.0.0.0"), None);
    let gap = listener.next().unwrap();
    assert_eq!((gap.event.as_str(), gap.stream(), gap.numbers().0), ("gap", "telemetry", 1));
    let mut told = Told::after(&gap.id);
    assert!(gap.numbers().1 > 300);
    told.take(&mut listener, |told| told.counted.len() >= 50);
}

#[test]
fn what_cannot_be_listened_to_is_refused_with_what_would_be_right() {
    let (_plant, gateway) = counting(NO_FLUSH, "");
    let id = gateway.listen("", None).id;
    let journal = id.split('.').next().unwrap();
    for (asked, says) in [
        (format!("from={journal}.0.0.9000000000"), "telemetry has not yet given out number 9000000000"),
        (format!("from={journal}.4000.0.0"), "vital has not yet given out number 4000"),
        ("from=yesterday".into(), "\"yesterday\" is no position"),
        ("streams=vitals".into(), "did you mean vital?"),
        ("for=nmae%20%3D%3D%201".into(), "name"),
        ("since=1".into(), "unknown field `since`"),
    ] {
        let refused = Listener::open(&gateway.socket(), &format!("/v1/stream?{asked}"), None).err().expect(&asked);
        let (kind, message, hint) = refused.fault();
        assert_eq!((refused.status, kind), (400, "bad-argument"), "{asked}");
        assert!(format!("{message} {hint}").contains(says), "{asked}: {message} {hint}");
    }
    let refused = Listener::open(&gateway.socket(), "/v1/stream?device=nobody", None).err().unwrap();
    assert_eq!(refused.status, 404);
}

#[test]
fn one_listener_too_many_is_told_to_come_back_and_gets_the_place_of_one_that_left() {
    let (_plant, gateway) = counting(NO_FLUSH, "[limits]\nstreams = 2\n");
    let (first, _second) = (gateway.listen("", None), gateway.listen("", None));
    let refused = Listener::open(&gateway.socket(), "/v1/stream", None).err().unwrap();
    assert_eq!((refused.status, refused.fault().0), (503, "busy"));
    assert!(refused.fault().1.contains("limits.streams"));
    drop(first);
    eventually("the place is free", || Listener::open(&gateway.socket(), "/v1/stream", None).ok());
}

#[test]
fn who_takes_nothing_is_let_go_and_its_place_is_free() {
    let more = "[limits]\nstreams = 1\nstalled = \"500ms\"\nstream_memory = \"16KiB\"\n";
    let (mut plant, mut gateway) = counting(NO_FLUSH, more);
    let mut stuck = gateway.listen("", None);
    let mut told = Told::after(&stuck.id);
    // It reads nothing from here on, and the socket between takes some hundred kilobytes.
    let mut next = eventually("its place is free", || Listener::open(&gateway.socket(), "/v1/stream", None).ok());
    assert_eq!(next.next().unwrap().event, "telemetry");
    drop(next);
    // What was on its way still comes, the rest after it.
    while let Some(message) = stuck.next() {
        told.note(&message);
    }
    // The one that went in between has its place until it is missed.
    let back = || Listener::open(&gateway.socket(), "/v1/stream", Some(&stuck.id)).ok();
    let mut again = eventually("its place is free again", back);
    let before = told.counted.len();
    told.take(&mut again, |told| told.counted.len() >= before + 100);
    assert!(told.gaps.is_empty());
    told.check(&mut plant, &mut gateway);
}

#[test]
fn a_stop_of_the_daemon_ends_a_stream_at_once() {
    let (_plant, mut gateway) = counting(NO_FLUSH, "");
    let mut listener = gateway.listen("streams=vital", None);
    let (ended, took) = gateway.terminate();
    assert!(ended.success() && took < Duration::from_secs(3), "{took:?}");
    while listener.next().is_some() {}
}

#[test]
fn nothing_is_said_while_nothing_happens() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let mut listener = gateway.listen("", None);
    assert!(listener.is_silent_for(Duration::from_secs(1)));
}
