//! Accounts: what the plant emitted = what the journal holds + what gap records name.
//!
//! Only counters are counted: each value of a counter is emitted once, so a reading is told by device, point and value.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Gateway, Plant};

/// Gaps tell times of arrival; a reading may have been emitted so much earlier, in milliseconds.
const UNDER_WAY: u64 = 1_000;
/// The plant notes the time once the reading has left, when it may have arrived already.
const NOTED: u64 = 100;

/// Serial number of the device, point, value.
pub type Emitted = (String, String, i64);

#[derive(Clone, Debug)]
pub struct GapSeen {
    pub why: String,
    pub first: u64,
    pub last: u64,
    pub count: u64,
    pub exact: bool,
    pub from_mono: u64,
    pub to_mono: u64,
}

/// When each counter's value was emitted, by the plant's own record.
pub fn emitted(plant: &Plant) -> BTreeMap<Emitted, u64> {
    let mut emitted = BTreeMap::new();
    for line in plant.witness() {
        let reading = &line["reading"];
        let Some(point) = reading["point"].as_str().filter(|point| point.starts_with("count.")) else { continue };
        let key = (text(&reading["device"]), point.to_owned(), number(&reading["value"]));
        let again = emitted.insert(key, reading["mono"].as_u64().expect("a time"));
        assert!(again.is_none(), "a counter never shows a value twice: {line}");
    }
    emitted
}

/// How often the plant was made to write each value, whether or not it answered.
pub fn executed(plant: &Plant) -> BTreeMap<i64, u32> {
    let mut executed = BTreeMap::new();
    for line in plant.witness() {
        if let Some(value) = line["order"]["operation"]["write"]["value"].as_i64() {
            *executed.entry(value).or_default() += 1;
        }
    }
    executed
}

/// Every counter's value that the journal holds, page by page; no number twice, none out of order.
pub fn journalled(gateway: &Gateway) -> BTreeMap<Emitted, u64> {
    let (mut held, mut from, mut last) = (BTreeMap::new(), 1, 0);
    loop {
        let page = gateway.get(&format!("/v1/journal/telemetry?from={from}&limit=1000")).ok();
        assert_eq!(page.get("damaged"), None, "{page}");
        for record in page["records"].as_array().expect("records") {
            let seq = record["seq"].as_u64().expect("a number");
            assert!(seq > last, "number {seq} after {last}");
            let readings = record["heard"]["readings"].as_array().expect("readings");
            last = seq + readings.len() as u64 - 1;
            let device = text(&record["heard"]["device"]);
            let serial = device.trim_start_matches("urn:dev:dmgw:serial:").to_owned();
            for (reading, seq) in readings.iter().zip(seq..) {
                let point = text(&reading["point"]);
                if point.starts_with("count.") {
                    let again = held.insert((serial.clone(), point, number(&reading["value"])), seq);
                    assert!(again.is_none(), "{serial} {reading} stands there twice");
                }
            }
        }
        let next = page["next"].as_u64().expect("where to go on");
        if next <= from {
            return held;
        }
        from = next;
    }
}

/// The number that the next record of a stream gets.
pub fn next(gateway: &Gateway, stream: &str) -> u64 {
    let status = gateway.get("/v1/status").ok();
    let streams = status["journal"]["streams"].as_array().expect("streams");
    let stream = streams.iter().find(|known| known["stream"] == stream).expect("the stream");
    stream["next"].as_u64().expect("a number")
}

pub fn gaps(gateway: &Gateway) -> Vec<GapSeen> {
    let (mut gaps, mut from) = (Vec::new(), 1);
    loop {
        let page = gateway.get(&format!("/v1/journal/vital?from={from}&limit=1000")).ok();
        for record in page["records"].as_array().expect("records") {
            let gap = &record["record"]["gap"];
            if gap.is_object() {
                gaps.push(GapSeen {
                    why: text(&gap["why"]),
                    first: gap["first"].as_u64().expect("a number"),
                    last: gap["last"].as_u64().expect("a number"),
                    count: gap["count"].as_u64().expect("a number"),
                    exact: gap["exact"].as_bool().expect("yes or no"),
                    from_mono: gap["from"]["mono"].as_u64().expect("a time"),
                    to_mono: gap["to"]["mono"].as_u64().expect("a time"),
                });
            }
        }
        let next = page["next"].as_u64().expect("where to go on");
        if next <= from {
            return gaps;
        }
        from = next;
    }
}

/// Stops both, the gateway first, and looks at the books: nothing is on its way any more.
pub fn close(plant: &mut Plant, gateway: &mut Gateway) -> usize {
    let (status, took) = gateway.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status:?} after {took:?}");
    plant.stop();
    gateway.start();
    balance(plant, gateway)
}

/// Fails unless emitted = journal + gaps. Returns how many readings are missing.
fn balance(plant: &Plant, gateway: &Gateway) -> usize {
    let (held, gaps) = (journalled(gateway), gaps(gateway));
    let emitted = emitted(plant);
    assert!(!emitted.is_empty(), "the plant emitted nothing");
    for key in held.keys() {
        assert!(emitted.contains_key(key), "{key:?} is in the journal and was never emitted");
    }
    let mut room: Vec<u64> = gaps.iter().map(|gap| gap.count).collect();
    let missing: Vec<(&Emitted, &u64)> = emitted.iter().filter(|(key, _)| !held.contains_key(*key)).collect();
    for (key, mono) in &missing {
        let within = gaps.iter().zip(&mut room).find(|(gap, room)| {
            (gap.from_mono.saturating_sub(UNDER_WAY)..=gap.to_mono + NOTED).contains(mono) && **room > 0
        });
        let Some((_, room)) = within else {
            panic!("{key:?}, emitted at {mono}, is missing and no gap names it: {gaps:?}")
        };
        *room -= 1;
    }
    missing.len()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_f64().map(|x| x as i64)).unwrap_or_else(|| panic!("a number: {value}"))
}
