//! What units are told: parameters, parts switched off and on, restarts, and what else a profile maps.

use serde_json::json;

use super::station::{asked_for, at_station, once_written, part, station_id};
use super::*;

/// Without the feature: a meter whose settings are not there.
fn sets_parameters(has: bool) -> Shown {
    let image = meter(5, true);
    let image: String =
        image.lines().filter(|line| has || !line.contains("0xF910")).map(|l| format!("{l}\n")).collect();
    let server = served(&image)?;
    let gateway = started(&link(&server, "5", ""));
    let id = id_of(&up_at(&gateway, "5")?);
    let value = |path: &str| point(&gateway, &id, path)["value"].clone();
    let read = end_of(&gateway, &id, json!({ "read": { "points": ["pulse.weight", "pulse.width"] } }));
    ensure(read == "done", || format!("read: {read}"))?;
    ensure(value("pulse.0.weight") == "10Wh" && value("pulse.0.width") == "60ms", || "they read otherwise".into())?;
    // By the manager, through the gateway.
    let write =
        |point: &str, value: Value| end_of(&gateway, &id, json!({ "write": { "point": point, "value": value } }));
    for (point, value, is) in [
        ("pulse.weight", json!("1kWh"), "done"),
        ("pulse.width", json!("200ms"), "done"),
        ("pulse.width", json!("70ms"), "bad-argument"),
        ("port.unit", json!(300), "bad-argument"),
        ("energy.import", json!(0), "bad-argument"),
    ] {
        let state = write(point, value.clone());
        ensure(state == is, || format!("{point} = {value}: {state}"))?;
    }
    // 200.0 as a float.
    let told = [(0xF910, vec![3]), (0x000C, vec![0x4348, 0])];
    ensure(writes(&server, 5) == told, || format!("the meter was told {:?}", writes(&server, 5)))?;
    let read = end_of(&gateway, &id, json!({ "read": { "points": ["pulse.weight", "pulse.width"] } }));
    ensure(read == "done", || format!("read again: {read}"))?;
    ensure(value("pulse.0.weight") == "1kWh" && value("pulse.0.width") == "200ms", || "they read as before".into())?;
    // By the gateway: what shall be so is written once, and where somebody turns it at the meter it is shown.
    let wish = end_of(&gateway, &id, json!({ "desire": { "point": "pulse.weight", "value": "100Wh" } }));
    ensure(wish == "done", || format!("desire: {wish}"))?;
    soon("the meter was told what is desired", || {
        (writes(&server, 5).last() == Some(&(0xF910, vec![2]))).then_some(())
    })?;
    server.set("5 holding 0xF910 0");
    let read = end_of(&gateway, &id, json!({ "read": { "points": ["pulse.weight"] } }));
    ensure(read == "done" && value("pulse.0.weight") == "1Wh", || format!("turned at the meter: {read}"))?;
    let log = gateway.get(&format!("/v1/devices/{id}/log")).ok().to_string();
    ensure(log.contains("\"differs\":true"), || format!("nobody is told that it differs: {log}"))?;
    ensure(writes(&server, 5).len() == 3, || "it was written again by itself".into())
}

#[test]
fn y44_modbus_parameters_are_got_and_set_through_the_gateway_and_by_it() {
    on_modbus("y44_modbus", sets_parameters);
}

const SWITCHED: &str = r#"
[profile.station.operation.activate]
modbus = [
    { coil = 1, value = true },
    { for = "pump", coil = 2, value = true },
    { for = "pump", coil = 3, value = true },
    { for = "pump/1", coil = 2, value = true },
    { for = "pump/2", coil = 3, value = true },
]
[profile.station.operation.deactivate]
modbus = [
    { coil = 1, value = false },
    { for = "pump", coil = 2, value = false },
    { for = "pump", coil = 3, value = false },
    { for = "pump/1", coil = 2, value = false },
    { for = "pump/2", coil = 3, value = false },
]
"#;

/// Without the feature: a profile that maps nothing of it.
fn switches_parts(maps: bool) -> Shown {
    let (server, gateway) = at_station(if maps { SWITCHED } else { "" }, "")?;
    let id = station_id(&gateway);
    let ask = |operation: &str, of: &str| end_of(&gateway, &id, json!({ operation: { "part": part(of) } }));
    let coils = |from: u16| writes(&server, 3).into_iter().filter(move |(at, _)| (from..10).contains(at));
    let on = |pump: &str| end_of(&gateway, &id, json!({ "write": { "point": pump, "value": true } }));
    let unknown = ask("deactivate", "boiler");
    ensure(unknown == "bad-argument", || format!("what it does not have: {unknown}"))?;
    for (of, told) in [("pump/2", vec![(3, 0)]), ("pump", vec![(2, 0), (3, 0)]), ("device", vec![(1, 0)])] {
        let before = coils(0).count();
        let state = ask("deactivate", of);
        ensure(state == "done", || format!("deactivate {of}: {state}"))?;
        let seen: Vec<(u16, u16)> = coils(0).skip(before).map(|(at, values)| (at, values[0])).collect();
        ensure(seen == told, || format!("deactivate {of} told the unit {seen:?}"))?;
        let off = device(&gateway, &id)["inactive"].to_string();
        ensure(off.contains(of.split('/').next().unwrap_or(of)), || format!("{of} is not shown as off: {off}"))?;
    }
    let write = on("pump.2.on");
    ensure(write == "too-late", || format!("it is off as a whole, and a write to it ends as {write}"))?;
    for of in ["device", "pump"] {
        let state = ask("activate", of);
        ensure(state == "done", || format!("activate {of}: {state}"))?;
    }
    ensure(device(&gateway, &id)["inactive"].is_null(), || "it is still shown as off".into())?;
    let state = on("pump.2.on");
    ensure(state == "done", || format!("a write to what is on again: {state}"))?;
    ensure(coils(0).count() == 7, || format!("each once: {:?}", coils(0).collect::<Vec<_>>()))
}

#[test]
fn y45_modbus_a_unit_and_its_parts_are_switched_off_and_on() {
    on_modbus("y45_modbus", switches_parts);
}

const RESTARTED: &str = r#"
[profile.station.operation.restart]
success = { point = "device.uptime", below = 60, within = "3s" }
modbus = [{ holding = 400, value = 0xAA }, { for = "pump/2", holding = 401, value = 2 }]
"#;

/// Without the feature: it says that it restarts, and goes on as before.
fn restarts_once(starts_anew: bool) -> Shown {
    let (server, gateway) = at_station(RESTARTED, "")?;
    let id = station_id(&gateway);
    let ended = asked_for(&gateway, json!({ "device": id, "operation": { "restart": {} } }), || {
        once_written(&server, 400, if starts_anew { "3 holding 100 0 1" } else { "3 holding 100 0 5003" })
    })?;
    ensure(ended["state"] == "done" && ended["proven"] == true, || format!("restart: {ended}"))?;
    let ended =
        asked_for(&gateway, json!({ "device": id, "operation": { "restart": { "part": part("pump/2") } } }), || {
            once_written(&server, 401, "3 holding 100 0 2")
        })?;
    ensure(ended["state"] == "done", || format!("restart of a pump: {ended}"))?;
    let other = end_of(&gateway, &id, json!({ "restart": { "part": part("pump/1") } }));
    ensure(other == "failed", || format!("no step is for the other pump: {other}"))?;
    let told = writes(&server, 3);
    ensure(told == [(400, vec![0xAA]), (401, vec![2])], || format!("once each, and nothing else: {told:?}"))
}

#[test]
fn y46_modbus_a_unit_and_its_parts_are_restarted_once_and_it_is_seen_that_they_were() {
    on_modbus("y46_modbus", restarts_once);
}

pub const TOLD: &str = r#"
[profile.station.operation.self-test]
modbus = [{ holding = 405, value = 1, pause = "200ms" }, { read = ["device.self-test"] }]
[profile.station.operation.set-clock]
modbus = { holding = 402, value = ["year", "month", "day", "hour", "minute", "second"], write = "multiple" }
[profile.station.operation.connectivity-get]
idempotent = true
modbus = { read = ["port.unit", "port.baud"] }
[profile.station.operation.connectivity-set]
modbus = [{ for = "unit", point = "port.unit" }, { for = "baud", point = "port.baud" }]
"#;

#[test]
fn a_self_test_is_read_and_kept_the_clock_is_set_and_how_a_unit_is_connected_is_got_and_set() {
    if Server::tcp("a_self_test_is_read_and_kept", "1").is_none() {
        return;
    }
    let (server, mut gateway) = at_station(TOLD, "").unwrap();
    let id = station_id(&gateway);
    let operate = |operation: Value| json!({ "device": id, "operation": operation });
    let tested = asked_for(&gateway, operate(json!("self-test")), || once_written(&server, 405, "3 holding 120 2"));
    assert_eq!(tested.unwrap()["outcome"]["done"], json!([["device.0.self-test", "valve-stuck"]]));
    gateway.get("/v1/devices/station");
    assert_eq!(point(&gateway, "station", "device.0.self-test")["value"], "valve-stuck");
    gateway.kill();
    begin(&mut gateway, true);
    soon("the result is known after a restart", || {
        (point(&gateway, "station", "device.0.self-test")["value"] == "valve-stuck").then_some(())
    })
    .unwrap();

    assert_eq!(end_of(&gateway, &id, json!("set-clock")), "done");
    let (_, told) = writes(&server, 3).into_iter().find(|(at, _)| *at == 402).expect("a clock");
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let civil = jiff::civil::date(told[0] as i16, told[1] as i8, told[2] as i8).at(
        told[3] as i8,
        told[4] as i8,
        told[5] as i8,
        0,
    );
    let off = now.datetime().duration_since(civil).as_secs();
    assert!((0..30).contains(&off), "{told:?} is {off} s off");

    let got = asked_for(&gateway, operate(json!("connectivity-get")), || Ok(())).unwrap();
    assert_eq!(got["outcome"]["done"], json!([["port.0.baud", "9600"], ["port.0.unit", 3]]));
    let set = json!({ "connectivity-set": { "settings": { "baud": "19200", "unit": 9 } } });
    assert_eq!(asked_for(&gateway, operate(set), || Ok(())).unwrap()["state"], "done");
    let told = writes(&server, 3);
    assert!(told.contains(&(131, vec![1])) && told.contains(&(130, vec![9])), "{told:?}");
    let bad = json!({ "connectivity-set": { "settings": { "parity": "even" } } });
    assert_eq!(asked_for(&gateway, operate(bad), || Ok(())).unwrap()["state"], "failed");
    let bad = json!({ "connectivity-set": { "settings": { "baud": "4800" } } });
    assert_eq!(asked_for(&gateway, operate(bad), || Ok(())).unwrap()["state"], "failed");
    assert_eq!(writes(&server, 3).len(), told.len(), "what cannot be is not begun");
}
