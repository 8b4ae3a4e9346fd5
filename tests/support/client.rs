//! A client that asks for writes under ids of its own, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use serde_json::json;

use super::{Gateway, Plant, eventually, http, sums, wall};

pub struct Client {
    pub acknowledged: Vec<i64>,
    pub asked: i64,
    file: File,
    expires: u64,
}

impl Client {
    pub fn new(gateway: &Gateway) -> Client {
        let file = File::create(gateway.folder.path().join("acknowledged")).expect("a file of the client's");
        Client { acknowledged: Vec::new(), asked: 0, file, expires: wall() + 24 * 3600 * 1000 }
    }

    /// One write of a value that was never written before. False where there was no answer.
    pub fn ask(&mut self, gateway: &Gateway) -> bool {
        match self.try_ask(gateway) {
            Some(answer) => {
                assert!(acknowledges(&answer), "{answer:?}");
                true
            }
            None => false,
        }
    }

    pub fn try_ask(&mut self, gateway: &Gateway) -> Option<http::Answer> {
        self.asked += 1;
        let (value, expires) = (self.asked, self.expires);
        let device = format!("urn:dev:dmgw:serial:acme:relay-{}", value % 2 + 1);
        let operation = json!({ "write": { "point": "relay.level", "value": value } });
        let ask =
            json!({ "operate": { "id": id(value), "device": device, "operation": operation, "expires": expires } });
        let answer = http::exchange(&gateway.socket(), "POST", "/v1/ask", ask.to_string().as_bytes()).ok()?;
        if acknowledges(&answer) {
            // On paper before the next request.
            writeln!(self.file, "{value}").expect("room for an acknowledgement");
            self.acknowledged.push(value);
        }
        Some(answer)
    }

    /// What was acknowledged is there and has ended, and the plant did nothing twice. Returns how they ended.
    pub fn check(&self, plant: &Plant, gateway: &Gateway) -> BTreeMap<String, u64> {
        let ended: Vec<(i64, String)> = (1..=self.asked).map(|value| (value, self.end_of(gateway, value))).collect();
        let done: Vec<i64> = ended.iter().filter(|(_, state)| state == "done").map(|(value, _)| *value).collect();
        // The plant writes its record down a moment later.
        let executed = eventually("the record holds what was done", || {
            Some(sums::executed(plant)).filter(|executed| done.iter().all(|value| executed.contains_key(value)))
        });
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        for (value, state) in ended {
            let executed = executed.get(&value).copied().unwrap_or(0);
            match state.as_str() {
                "done" => assert_eq!(executed, 1, "{} is done", id(value)),
                "unknown" => assert!(executed <= 1, "{} was done {executed} times", id(value)),
                _ => assert_eq!(executed, 0, "{} is {state}", id(value)),
            }
            *ends.entry(state).or_default() += 1;
        }
        println!("{} acknowledged of {} asked; how they ended: {ends:?}", self.acknowledged.len(), self.asked);
        ends
    }

    fn end_of(&self, gateway: &Gateway, value: i64) -> String {
        let path = format!("/v1/commands/{}", id(value));
        let acknowledged = self.acknowledged.contains(&value);
        eventually("the command has ended", || {
            let answer = gateway.get(&path);
            assert!(answer.status == 200 || !acknowledged, "{} was acknowledged and is gone: {answer:?}", id(value));
            let state = answer.body["state"].as_str().unwrap_or("never accepted").to_owned();
            (!["queued", "sent"].contains(&state.as_str())).then_some(state)
        })
    }
}

/// Accepted, and perhaps ended already.
fn acknowledges(answer: &http::Answer) -> bool {
    matches!(answer.status, 200 | 202) && answer.body["accepted"].is_object()
}

fn id(value: i64) -> String {
    format!("up-{value}")
}
