//! What units are told: parameters, parts switched off and on, restarts, and what cannot be undone.

use serde_json::json;

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
