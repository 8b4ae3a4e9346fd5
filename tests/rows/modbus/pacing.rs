//! How a bus is shared: who goes first, who is asked less, and what the gateway does for units that can little.

use std::time::Duration;

use serde_json::json;

use super::asking::TOLD;
use super::station::{STATION, at_station, station, station_id};
use super::*;

/// Without the feature, so to say: a profile that says how such a unit is tested.
fn says_unsupported(lacks_it: bool) -> Shown {
    let (server, gateway) = at_station(if lacks_it { "" } else { TOLD }, "")?;
    let id = station_id(&gateway);
    let answer = gateway.post("/v1/ask", &json!({ "operate": { "device": id, "operation": "self-test" } }));
    ensure(answer.status == 422 && answer.fault().0 == "unsupported", || format!("answered {answer:?}"))?;
    let says = answer.body["detail"].as_str().unwrap_or_default().to_owned();
    ensure(says.contains("self-test") && says.contains("write"), || format!("no reason: {says}"))?;
    ensure(writes(&server, 3).is_empty(), || "something was sent all the same".into())?;
    // What the gateway does for a unit that cannot: it keeps what it said last, knows whether it is there, and since when.
    let last = point(&gateway, "station", "device.0.uptime")["value"].clone();
    pull_out(&server, 3);
    soon("it is seen to be silent", || (device(&gateway, &id)["connectivity"] == "silent").then_some(()))?;
    ensure(point(&gateway, "station", "device.0.uptime")["value"] == last, || "its last value is gone".into())?;
    let log = gateway.operate(&id, json!({ "connection-log": {} })).ok()["accepted"]["outcome"]["done"].to_string();
    ensure(log.contains("silent"), || format!("a log of its comings and goings: {log}"))
}

#[test]
fn y03_modbus_what_a_unit_lacks_the_gateway_does_or_says_so_at_once() {
    on_modbus("y03_modbus", says_unsupported);
}

/// Without the feature: as important as all others.
fn the_important_goes_first(high: bool) -> Shown {
    let (server, gateway) = at_station("", "")?;
    let id = station_id(&gateway);
    // Each write takes its time, so that others gather behind it.
    server.fault(On::all().unit(3).at(11, 12), Fault::Delay(Duration::from_millis(80)));
    let ask = |point: &str, priority: &str| {
        let operation = json!({ "write": { "point": point, "value": true } });
        let ask = json!({ "operate": { "device": id, "operation": operation, "priority": priority } });
        gateway.post("/v1/ask", &ask).ok();
    };
    (0..8).for_each(|_| ask("pump.1.on", "normal"));
    ask("pump.2.on", if high { "high" } else { "normal" });
    let order = soon("all nine were written", || {
        let written: Vec<u16> = writes(&server, 3).into_iter().map(|(at, _)| at).collect();
        (written.len() == 9).then_some(written)
    })?;
    let before = order.iter().position(|at| *at == 12);
    ensure(before.is_some_and(|before| before <= 4), || format!("{before:?} others went before it"))
}

#[test]
fn y09_modbus_what_is_important_goes_before_what_waits() {
    on_modbus("y09_modbus", the_important_goes_first);
}

/// Without the feature: a profile that lets it be written as fast as one likes.
fn writes_are_paced(paced: bool) -> Shown {
    let server = served(STATION)?;
    let pause = if paced { "pause = \"1s\", " } else { "" };
    let kind = station("").replace("\"pump.1.on\" = { ", &format!("\"pump.1.on\" = {{ {pause}"));
    let gateway = started(&link(&server, "", &kind));
    gateway.wait_for_device("station");
    let id = station_id(&gateway);
    for value in [true, false, true] {
        let state = end_of(&gateway, &id, json!({ "write": { "point": "pump.1.on", "value": value } }));
        ensure(state == "done", || format!("a write: {state}"))?;
    }
    let at: Vec<u64> = server.asked().iter().filter(|asked| asked.function == 5).map(|asked| asked.at).collect();
    let least = at.windows(2).map(|pair| pair[1] - pair[0]).min();
    // The pause is one of orders; how long each takes to the wire may differ, on a busy machine by much.
    ensure(at.len() == 3 && least >= Some(500_000), || format!("{} writes, {least:?} us between two", at.len()))
}

#[test]
fn y09_modbus_a_unit_is_written_no_faster_than_its_profile_lets() {
    on_modbus("y09_modbus", writes_are_paced);
}

/// So many requests reached this unit.
fn asked(server: &Server, unit: u8) -> usize {
    server.asked().iter().filter(|asked| asked.unit == unit).count()
}

/// Without the feature: both answer.
fn the_silent_is_asked_less(silent: bool) -> Shown {
    let server = served(&[meter(5, true), meter(6, false)].concat())?;
    let gateway = started(&link(&server, "5-6", ""));
    up_at(&gateway, "5")?;
    up_at(&gateway, "6")?;
    if silent {
        pull_out(&server, 6);
        soon("it is silent", || (at_address(&gateway, "6")?["connectivity"] == "silent").then_some(()))?;
    }
    let before = (asked(&server, 5), asked(&server, 6));
    support::eventually("the other has been read twenty times more", || {
        (asked(&server, 5) >= before.0 + 20).then_some(())
    });
    let (well, ill) = (asked(&server, 5) - before.0, asked(&server, 6) - before.1);
    println!("while one was asked {well} times, the silent one was {ill} times");
    ensure(ill * 3 <= well, || format!("{ill} of {well}"))
}

#[test]
fn y09_modbus_a_silent_unit_is_asked_less_and_costs_the_others_little() {
    on_modbus("y09_modbus", the_silent_is_asked_less);
}

/// So often each of these is read.
const EVERY: Duration = Duration::from_millis(600);

/// The most of the eight that were asked within a twelfth of their period, where each was asked last.
fn most_together(server: &Server) -> usize {
    let mut last = std::collections::BTreeMap::new();
    // Who a unit is it is asked at the beginning, and not as often as it is read.
    let polls = server.asked().into_iter().filter(|asked| asked.function == 3);
    polls.for_each(|asked| _ = last.insert((asked.unit, asked.address), asked.at));
    let period = EVERY.as_micros() as u64;
    // Those of a period before belong between them.
    let at: Vec<u64> = last.into_values().flat_map(|at| [at, at + period]).collect();
    let together = |from: &u64| at.iter().filter(|at| (*from..*from + period / 12).contains(*at)).count();
    at.iter().map(together).max().unwrap_or(0)
}

/// Eight points, one a unit. Without the feature, so to say: all of them at one, which is read in one go.
fn polls_are_spread(spread: bool) -> Shown {
    let server = Server::tcp("polls_are_spread", "1-8").ok_or("the server is gone")?;
    let point = |no: u16| format!("[profile.rig.point.\"a.{no}.at\"]\nmodbus = {{ holding = {} }}\n", 100 * no);
    let points: String = (1..=if spread { 1 } else { 8 }).map(point).collect();
    let device = |no: u8| format!("[device.u{no}]\nlink = \"bus\"\naddress = \"{no}\"\nprofile = \"rig\"\n");
    let devices: String = (1..=if spread { 8 } else { 1 }).map(device).collect();
    let settings = link(&server, "", &format!("[profile.rig]\n{points}{devices}"));
    let _gateway = started(&settings.replace("every = \"200ms\"", &format!("every = \"{}ms\"", EVERY.as_millis())));
    soon("all eight are read again and again", || (server.asked().len() >= 40).then_some(()))?;
    let most = most_together(&server);
    ensure(most <= 4, || format!("{most} of 8 are asked together"))
}

#[test]
fn y09_modbus_units_of_one_period_are_not_all_asked_at_once() {
    on_modbus("y09_modbus", polls_are_spread);
}
