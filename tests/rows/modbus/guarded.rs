//! What cannot be undone: asked twice, done once, and said whether it was seen.

use serde_json::json;

use super::station::{STATION, asked_for, at_station, once_written, station, station_id};
use super::*;

/// With the token that the first ask is answered with.
fn in_two_steps(
    gateway: &Gateway,
    device: &str,
    operation: &str,
    meanwhile: impl FnOnce() -> Shown,
) -> Result<Value, String> {
    let ask = json!({ "device": device, "operation": operation });
    let first = gateway.post("/v1/ask", &json!({ "operate": ask }));
    ensure(first.status == 428 && first.fault().0 == "guarded", || format!("{operation} at once: {first:?}"))?;
    let token = first.body["token"].clone();
    asked_for(gateway, json!({ "device": device, "operation": operation, "token": token }), meanwhile)
}

fn locked(success: bool) -> String {
    let success =
        if success { "success = { point = \"device.locked\", equals = true, within = \"2s\" }\n" } else { "" };
    format!(
        "[profile.station.operation.lock]\n{success}modbus = {{ holding = 402, value = 1 }}\n\
         [profile.station.operation.erase]\nmodbus = {{ holding = 403, value = 0xDEAD }}\n"
    )
}

/// Without the feature: a profile that does not say how a lock is seen.
fn locks_and_proves_it(success: bool) -> Shown {
    let (server, gateway) = at_station(&locked(success), "")?;
    let id = station_id(&gateway);
    let alone = gateway.post("/v1/ask", &json!({ "operate": { "device": id, "operation": "lock" } }));
    ensure(alone.status == 428 && writes(&server, 3).is_empty(), || format!("one step was enough: {alone:?}"))?;
    // Nobody can show it: said so, by every door.
    let erased = in_two_steps(&gateway, &id, "erase", || Ok(()))?;
    ensure(erased["state"] == "done" && erased["proven"] == false, || format!("erase: {erased}"))?;
    let says = support::told(&gateway, &["command", "show", erased["id"].as_str().unwrap()]).1;
    ensure(says.contains("unproven"), || format!("on the command line: {says}"))?;
    let vital = support::told(&gateway, &["journal", "show", "vital"]).1;
    let vital = vital.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure(vital.contains("done, as the device says: unproven"), || format!("in the journal: {vital}"))?;
    let done = in_two_steps(&gateway, &id, "lock", || once_written(&server, 402, "3 discrete 30 1"))?;
    ensure(done["state"] == "done" && done["proven"] == true, || format!("lock: {done}"))?;
    ensure(writes(&server, 3) == [(403, vec![0xDEAD]), (402, vec![1])], || format!("{:?}", writes(&server, 3)))?;
    // One that says that it is locked and is not.
    server.set("3 discrete 30 0");
    let lied = in_two_steps(&gateway, &id, "lock", || Ok(()))?;
    ensure(lied["state"] == "failed", || format!("a lock that nothing shows: {lied}"))
}

#[test]
fn y47_modbus_lock_and_erase_take_two_steps_and_it_is_said_whether_they_are_proven() {
    on_modbus("y47_modbus", locks_and_proves_it);
}

const RESET: &str = "[profile.station.operation.factory-reset]\nmodbus = { holding = 404, value = 0x5AA5 }\n";

/// Without the feature: a unit that fails to do it, so that it stays what it was.
fn goes_back_to_onboarding(does: bool) -> Shown {
    let server = served(&format!("{STATION}{}", meter(5, true)))?;
    let kind = station(RESET).replace("[device.station]\nlink = \"bus\"\naddress = \"3\"\nprofile = \"station\"\n", "");
    // Who comes waits for a decision; a controller is recognised by its signs.
    let kind = kind.replace(
        "title = \"Pumping station\"",
        "maker = \"acme\"\nmodel = \"S1\"\nmatch = [{ hardware = \"acme S1\" }]",
    );
    let kind = kind.replace(
        "gap = 0",
        "gap = 0\nprobe = { holding = 130, equals = 3 }\nserial = { holding = 400, type = \"u32\" }",
    );
    let gateway = started(&link(&server, "3", &format!("[[admission]]\nlink = \"bus\"\nthen = \"hold\"\n{kind}")));
    let held = soon("it waits for a decision", || at_address(&gateway, "3").filter(|it| it["life"] == "pending"))?;
    let id = id_of(&held);
    ensure(end_of(&gateway, &id, json!("accept")) == "done", || "accept".into())?;
    soon("it is read", || point(&gateway, &id, "device.0.uptime")["value"].as_u64())?;
    let wish = end_of(&gateway, &id, json!({ "desire": { "point": "port.baud", "value": "19200" } }));
    ensure(wish == "done", || format!("desire: {wish}"))?;
    soon("what is desired is written", || writes(&server, 3).contains(&(131, vec![1])).then_some(()))?;
    let alone = gateway.post("/v1/ask", &json!({ "operate": { "device": id, "operation": "factory-reset" } }));
    ensure(alone.status == 428, || format!("one step was enough: {alone:?}"))?;
    if !does {
        server.fault(On::all().unit(3).at(404, 404), Fault::Exception(4));
    }
    let done = in_two_steps(&gateway, &id, "factory-reset", || Ok(()))?;
    server.set("3 holding 131 0");
    ensure(writes(&server, 3).contains(&(404, vec![0x5AA5])), || "the unit was told nothing".into())?;
    let waits =
        soon("it waits for a decision again", || Some(device(&gateway, &id)).filter(|it| it["life"] == "pending"))?;
    ensure(waits["id"] == id.as_str() && done["proven"] == false, || format!("{waits} {done}"))?;
    let early = end_of(&gateway, &id, json!({ "read": { "points": ["device.uptime"] } }));
    ensure(early == "too-late", || format!("a read of one that waits: {early}"))?;
    ensure(end_of(&gateway, &id, json!("accept")) == "done", || "accept again".into())?;
    // Onboarding brings its settings back.
    soon("what is desired is written once more", || {
        (writes(&server, 3).iter().filter(|write| **write == (131, vec![1])).count() == 2).then_some(())
    })?;
    soon("it is read again", || point(&gateway, &id, "device.0.uptime")["value"].as_u64()).map(drop)
}

#[test]
fn y19_modbus_a_unit_that_is_set_back_to_its_factory_goes_back_to_onboarding() {
    on_modbus("y19_modbus", goes_back_to_onboarding);
}
