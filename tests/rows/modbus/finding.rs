//! Who is on the bus: found by themselves, recognised, read, and known again wherever they are.

use serde_json::json;

use super::*;

/// Without the feature: a meter so old that no register of it holds a serial number.
fn keeps_its_id(serial: bool) -> Shown {
    let server = served(&meter(5, serial))?;
    let mut gateway = started(&link(&server, "4-8", ""));
    let id = id_of(&up_at(&gateway, "5")?);
    ensure(id.starts_with("urn:"), || format!("{id} is no URN"))?;
    gateway.kill();
    begin(&mut gateway, true);
    ensure(id_of(&up_at(&gateway, "5")?) == id, || "another id after a restart".into())?;
    // Somebody gives it another address, and the cable another place.
    put_in(&server, &meter(7, serial));
    pull_out(&server, 5);
    // The meter wants a pause before each request, and which of its registers are not there is learnt anew.
    let moved = within(15, "the same id at the other address", || {
        let known = device(&gateway, &id);
        // Who looks around all the time holds its polls up.
        if known["address"] != "7" {
            discover(&gateway);
        }
        Some(known).filter(|device| device["address"] == "7" && device["connectivity"] == "up")
    })?;
    ensure(moved["id"] == id.as_str() && id.contains(SERIAL.1), || format!("{id} says nothing of its serial number"))?;
    gateway.kill();
    begin(&mut gateway, true);
    ensure(id_of(&up_at(&gateway, "7")?) == id, || "another id after the move and a restart".into())?;
    let state = end_of(&gateway, &id, json!({ "write": { "point": "pulse.weight", "value": "100Wh" } }));
    ensure(state == "done", || format!("it cannot be addressed there: {state}"))?;
    ensure(writes(&server, 7) == [(0xF910, vec![2])], || format!("{:?}", writes(&server, 7)))
}

#[test]
fn y01_modbus_a_unit_keeps_its_id_by_its_serial_number_over_restart_and_another_address() {
    on_modbus("y01_modbus", keeps_its_id);
}

/// Without the feature: a link that is not told to look for anybody.
fn finds_who_is_there(looks: bool) -> Shown {
    let server = served(&[meter(3, true), registers(9, "pzem-016")].concat())?;
    let gateway = started(&link(&server, if looks { "1-10" } else { "" }, ""));
    for address in ["3", "9"] {
        up_at(&gateway, address)?;
    }
    let all = gateway.get("/v1/devices").ok()["devices"].as_array().map(Vec::len);
    ensure(all == Some(2), || format!("{all:?} devices where two are"))?;
    for unit in 1..=10 {
        ensure(server.asked().iter().any(|asked| asked.unit == unit), || format!("nobody looked at {unit}"))?;
    }
    ensure(writes(&server, 3).is_empty() && writes(&server, 9).is_empty(), || "looking wrote something".into())?;
    // One that comes later is found too.
    put_in(&server, &registers(6, "waveshare-relay-8ch"));
    soon("the new one is found", || {
        discover(&gateway);
        at_address(&gateway, "6")
    })
    .map(drop)
}

#[test]
fn y10_modbus_units_are_found_where_nobody_has_named_them() {
    on_modbus("y10_modbus", finds_who_is_there);
}

/// A meter of Schneider that says who it is by function 43/14 and by no register.
fn speaking(unit: u8) -> String {
    let says = [(0, "Schneider Electric"), (1, "iEM3155"), (2, "V1.7.9")];
    let says: String = says.map(|(no, text)| format!("{unit} identity {no} {text}\n")).concat();
    format!("{}{says}", registers(unit, "schneider-iem3155"))
}

/// Without the feature: units that do not say, nor show, who they are.
fn learns_what_they_can(tells: bool) -> Shown {
    let image = match tells {
        true => [speaking(4), meter(5, true)].concat(),
        false => [registers(4, "schneider-iem3155"), registers(5, "eastron-sdm120")].concat(),
    };
    let server = served(&image)?;
    let mut gateway = started(&link(&server, "4-5", ""));
    let by_itself = id_of(&up_at(&gateway, "4")?);
    let by_signs = id_of(&up_at(&gateway, "5")?);
    // What it says, and what follows from it, are a part of the device; also after a restart that cannot ask it.
    let is_known = |gateway: &Gateway| {
        let facts = [
            (&by_itself, "/profile", "schneider-iem3155"),
            (&by_itself, "/detail/about/hardware", "Schneider Electric iEM3155"),
            (&by_itself, "/detail/about/versions/firmware", "V1.7.9"),
            (&by_itself, "/detail/operations", "\"read\""),
            (&by_itself, "/detail/points", "energy.0.import"),
            (&by_signs, "/profile", "eastron-sdm120"),
            (&by_signs, "/detail/about/hardware", "Eastron SDM120-Modbus"),
            (&by_signs, "/detail/about/versions/firmware", "261"),
            (&by_signs, "/detail/operations", "connectivity-set"),
            (&by_signs, "/detail/points", "pulse.0.weight"),
        ];
        facts.into_iter().try_for_each(|(id, place, wanted)| {
            let shown = device(gateway, id).pointer(place).map(ToString::to_string).unwrap_or_default();
            ensure(shown.contains(wanted), || format!("{id}{place} is {shown}, not {wanted}"))
        })
    };
    // What a kind has is told a moment after it is recognised.
    let _ = soon("its points are known", || is_known(&gateway).ok());
    is_known(&gateway)?;
    let of = |id: &str, what: &str| device(&gateway, id)["detail"]["operations"].to_string().contains(what);
    ensure(!of(&by_itself, "connectivity-set"), || "each kind can what its registers can, and no more".into())?;
    pull_out(&server, 4);
    pull_out(&server, 5);
    gateway.kill();
    begin(&mut gateway, true);
    is_known(&gateway)
}

#[test]
fn y11_modbus_what_a_unit_is_and_can_is_learnt_from_it_and_kept() {
    on_modbus("y11_modbus", learns_what_they_can);
}

/// Without the feature: a kind that no profile describes.
fn plugs_and_plays(known: bool) -> Shown {
    let server = served(&meter(5, true))?;
    let mut gateway = Gateway::new(&link(&server, "1-8", ""));
    begin(&mut gateway, known);
    let id = id_of(&up_at(&gateway, "5")?);
    // Nobody has asked for anything but to see.
    for (path, unit, value) in
        [("phase.1.voltage", "V", 238.6), ("phase.1.power", "W", -1673.8), ("energy.0.import", "kWh", 1556.356)]
    {
        soon(&format!("{path} is read"), || {
            let shown = point(&gateway, &id, path);
            let close = shown["value"].as_f64().is_some_and(|read| (read - value).abs() < 0.01);
            (close && shown["unit"] == unit && shown["quality"] == "good").then_some(())
        })?;
    }
    let asked = server.asked();
    let seen = asked.iter().find(|asked| asked.unit == 5).map_or(0, |asked| asked.at);
    let read = asked.iter().find(|asked| asked.function == 4 && asked.address == 0).map_or(0, |asked| asked.at);
    println!("from the first sight to the first reading: {} ms", read.saturating_sub(seen) / 1000);
    ensure(writes(&server, 5).is_empty(), || "something was written".into())
}

#[test]
fn y21_modbus_a_known_kind_is_read_with_nobody_doing_anything() {
    on_modbus("y21_modbus", plugs_and_plays);
}
