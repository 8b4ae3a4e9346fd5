//! What there is to know of a device: on request from each door, and reported when it changes.

use std::cell::Cell;

use serde_json::{Value, json};

use super::support::{Gateway, Plant, told};
use super::{Shown, device, end_of, ensure, row, soon};

/// A controller that tells of itself. Without: a mute one, which only gives a number.
fn controller(tells: bool) -> String {
    let about = r#"
hardware = "acme C-7 rev 2"
application = "drainage"
versions = { os = "5.10.7", firmware = "1.0" }
operations = ["update", "software-list", "restart"]
components = ["modem.0"]
point."config.interval" = { type = "uint", access = "read-write", value = { echo = 30 } }
[[device.box.fault]]
at = "4s"
lasts = "4s"
do = "silent"
"#;
    let load = "point.\"cpu.load\" = { type = \"float\", unit = \"%\", value = { walk = { start = 20.0, step = 2.0, min = 1.0, max = 99.0 } } }\n";
    let about = if tells { about } else { "" };
    format!("socket = \"plant.sock\"\nrecord = \"record.jsonl\"\n[device.box]\nserial = \"acme:box\"\n{load}{about}")
}

/// Each fact by its kind, and where it stands in what is known of the device.
const FACTS: [(&str, &str, &str); 9] = [
    ("hardware", "/detail/about/hardware", "acme C-7 rev 2"),
    ("operating system", "/detail/about/versions/os", "5.10.7"),
    ("software", "/detail/about/versions/firmware", "1.0"),
    ("applications", "/detail/about/application", "drainage"),
    ("components", "/detail/components", "modem"),
    ("communication", "/link", "plant"),
    ("management services", "/detail/operations", "software-list"),
    ("state", "/connectivity", "up"),
    ("configuration", "/detail/points", "config.0.interval"),
];

fn on_request(gateway: &Gateway, id: &str) -> Shown {
    soon("its configuration was read", || value_of(&device(gateway, id), "config.0.interval"))?;
    let shown = device(gateway, id);
    let (code, page) = told(gateway, &["device", "show", id]);
    ensure(code == 0, || format!("device show: {page}"))?;
    for (what, place, text) in FACTS {
        let found = shown.pointer(place).map(Value::to_string).unwrap_or_default();
        ensure(found.contains(text), || format!("{what} by HTTP: {found}"))?;
        ensure(page.contains(text), || format!("{what} on the command line: {page}"))?;
    }
    let load = value_of(&shown, "cpu.0.load").and_then(|load| load.as_f64());
    ensure(load.is_some_and(|load| (1.0..=99.0).contains(&load)), || format!("performance: {load:?}"))?;
    let read = end_of(gateway, id, json!({ "read": { "points": ["cpu.load", "config.interval"] } }));
    ensure(read == "done", || format!("read now: {read}"))
}

fn value_of(shown: &Value, point: &str) -> Option<Value> {
    let points = shown["detail"]["points"].as_array()?.iter();
    points.filter(|of| of["point"] == point).map(|of| of["value"].clone()).find(|value| !value.is_null())
}

/// How something that is reported is known.
type Is<'a> = (&'a str, &'a dyn Fn(&Value) -> bool);

/// What a listener is told within a time, beside all that it need not mind.
fn heard(gateway: &Gateway, from: &str, wanted: &[Is<'_>]) -> Shown {
    let mut listener = gateway.listen(&format!("from={from}"), None);
    let missing: Vec<Cell<bool>> = wanted.iter().map(|_| Cell::new(true)).collect();
    let end = std::time::Instant::now() + super::support::PATIENCE;
    while missing.iter().any(Cell::get) && std::time::Instant::now() < end {
        let message = listener.next().ok_or("the stream ended")?;
        for (seen, (_, is)) in missing.iter().zip(wanted) {
            seen.set(seen.get() && !is(&message.data));
        }
    }
    let names = wanted.iter().zip(&missing).filter(|(_, missing)| missing.get()).map(|((name, _), _)| *name);
    let names: Vec<&str> = names.collect();
    ensure(names.is_empty(), || format!("nobody reported {names:?}"))
}

/// On request, by both doors; then reported: a new state, new settings, a fault and its end, and how it performs.
fn tells_of_itself(tells: bool) -> Shown {
    let plant = Plant::start(&controller(tells));
    let gateway = Gateway::start_with(&plant, "");
    let id = gateway.wait_for_device("box");
    let from = gateway.listen("streams=vital", None).id;
    on_request(&gateway, &id)?;
    let set = end_of(&gateway, &id, json!({ "write": { "point": "config.interval", "value": 60 } }));
    ensure(set == "done", || format!("its configuration is set: {set}"))?;
    let record = |data: &Value, kind: &str| data["record"][kind]["device"] == id.as_str();
    let reading = |data: &Value, point: &str| {
        let readings = data["heard"]["readings"].as_array().into_iter().flatten();
        readings.filter(|of| of["point"] == point).map(|of| of["value"].clone()).next_back()
    };
    heard(
        &gateway,
        &from,
        &[
            ("performance", &|data| reading(data, "cpu.0.load").is_some()),
            ("configuration", &|data| reading(data, "config.0.interval") == Some(json!(60))),
            ("what was done to it", &|data| record(data, "result")),
            ("a fault", &|data| record(data, "device-silent")),
            ("its end", &|data| record(data, "device-up")),
        ],
    )?;
    let (_, log) = told(&gateway, &["device", "log", &id]);
    ensure(log.contains("silent"), || format!("its log: {log}"))?;
    let update = end_of(&gateway, &id, json!({ "update": { "image": "sha256:2" } }));
    let firmware = || device(&gateway, &id).pointer("/detail/about/versions/firmware").cloned();
    ensure(update == "done", || format!("update: {update}"))?;
    soon("the new version is known", || firmware().filter(|now| *now != "1.0")).map(drop)
}

#[test]
fn y20_sim_device_information_state_faults_and_performance_reported_and_on_request() {
    row(tells_of_itself);
}
