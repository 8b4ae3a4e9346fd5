//! One id, one execution: whenever, however often and from wherever the same id is asked again, the plant's own record
//! shows at most one write.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Gateway, Plant, eventually, http, pause, sums, wall};

const TRUST: &str = "[clock]\ntrust = \"always\"\n";

/// As many as fit under `limits.asks` and `limits.connections`.
const ASKERS: u64 = 16;

fn start() -> (Plant, Gateway) {
    let plant = Plant::start(include_str!("support/counting_plant.toml"));
    let gateway = Gateway::start_with(&plant, TRUST);
    gateway.wait_for_device("relay-1");
    (plant, gateway)
}

fn write(id: &str, value: i64, expires: u64) -> Value {
    json!({ "operate": {
        "id": id, "expires": expires, "device": "urn:dev:dmgw:serial:acme:relay-1",
        "operation": { "write": { "point": "relay.level", "value": value } },
    } })
}

fn executed(plant: &Plant, value: i64) -> u32 {
    sums::executed(plant).get(&value).copied().unwrap_or(0)
}

#[track_caller]
fn executed_once(plant: &Plant, value: i64) {
    eventually("the plant wrote it down", || (executed(plant, value) > 0).then_some(()));
    assert_eq!(executed(plant, value), 1, "value {value}");
}

#[test]
fn asked_many_times_at_once_from_as_many_connections() {
    let (plant, gateway) = start();
    for value in 1..=10 {
        let ask = write(&format!("at-once-{value}"), value, wall() + 60_000).to_string();
        let socket = gateway.socket();
        let answers: Vec<http::Answer> = std::thread::scope(|scope| {
            let askers: Vec<_> = (0..ASKERS)
                .map(|_| scope.spawn(|| http::exchange(&socket, "POST", "/v1/ask?wait=10", ask.as_bytes()).unwrap()))
                .collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        let first = answers.iter().filter(|answer| answer.body["accepted"]["state"] == "done").count();
        let known = answers.iter().filter(|answer| answer.body["known"]["state"] == "done").count();
        assert_eq!((first, known), (1, ASKERS as usize - 1), "{answers:?}");
        executed_once(&plant, value);
    }
}

#[test]
fn asked_again_after_a_kill_at_any_moment() {
    let (plant, mut gateway) = start();
    for value in 1..=6 {
        let ask = write(&format!("killed-{value}"), value, wall() + 60_000);
        let socket = gateway.socket();
        let text = ask.to_string();
        let asking = std::thread::spawn(move || http::exchange(&socket, "POST", "/v1/ask?wait=5", text.as_bytes()));
        pause(Duration::from_millis(value as u64 * 3));
        gateway.kill();
        let _ = asking.join().unwrap();
        gateway.start();
        gateway.wait_for_device("relay-1");
        let answer = gateway.post("/v1/ask?wait=10", &ask).ok();
        let told = if answer["known"].is_object() { &answer["known"] } else { &answer["accepted"] };
        let count = match told["state"].as_str() {
            Some("done") => {
                executed_once(&plant, value);
                1
            }
            Some("unknown") => executed(&plant, value),
            other => panic!("{other:?}: {answer}"),
        };
        assert!(count <= 1, "value {value} was written {count} times");
        // And once more, to whoever asks later.
        let again = gateway.post("/v1/ask?wait=10", &ask).ok();
        assert_eq!(again["known"]["state"], told["state"]);
        assert!(executed(&plant, value) <= 1);
    }
}

#[test]
fn asked_again_after_ten_thousand_others() {
    const OTHERS: u64 = 10_000;
    let (plant, gateway) = start();
    let ask = write("old", 5, wall() + 3_600_000);
    assert_eq!(gateway.post("/v1/ask?wait=10", &ask).ok()["accepted"]["state"], "done");
    let socket = gateway.socket();
    std::thread::scope(|scope| {
        for asker in 0..ASKERS {
            let socket = &socket;
            scope.spawn(move || {
                for n in 0..OTHERS / ASKERS {
                    let operation = json!({ "rename": { "name": format!("n-{asker}-{n}") } });
                    let ask = json!({ "operate": {
                        "device": "urn:dev:dmgw:serial:acme:relay-1", "operation": operation } });
                    let answer = http::exchange(socket, "POST", "/v1/ask", ask.to_string().as_bytes()).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
    });
    assert!(gateway.get("/v1/status").ok()["commands"].as_u64() >= Some(OTHERS));
    assert_eq!(gateway.post("/v1/ask?wait=10", &ask).ok()["known"]["state"], "done");
    executed_once(&plant, 5);
}

#[test]
fn asked_again_after_its_expiry_it_is_answered_or_refused() {
    let (plant, mut gateway) = start();
    let expires = wall() + 1_500;
    let ask = write("short", 7, expires);
    assert_eq!(gateway.post("/v1/ask?wait=10", &ask).ok()["accepted"]["state"], "done");
    eventually("it has expired", || (wall() > expires).then_some(()));
    assert_eq!(gateway.post("/v1/ask?wait=1", &ask).ok()["known"]["state"], "done");
    // What is not known any more is refused because it has expired.
    let never = gateway.post("/v1/ask", &write("never-asked", 8, expires));
    assert_eq!(never.fault().0, "expired", "{never:?}");
    gateway.kill();
    gateway.start();
    assert_eq!(gateway.post("/v1/ask?wait=1", &ask).ok()["known"]["state"], "done");
    executed_once(&plant, 7);
    assert_eq!(executed(&plant, 8), 0);
}
