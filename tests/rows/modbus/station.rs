//! A unit that is more than a meter, with a profile of the test's own, and how it is asked.

use serde_json::json;

use super::*;

/// A pumping station: two pumps that can be let run, a controller that counts since when it runs, and the rest of what such
/// a controller may do. `more` replaces or adds to what its profile says.
pub fn station(operations: &str) -> String {
    format!(
        r#"
[device.station]
link = "bus"
address = "3"
profile = "station"
[profile.station]
title = "Pumping station"
[profile.station.modbus]
gap = 0
[profile.station.point]
"pump.1.on" = {{ access = "read-write", modbus = {{ coil = 11 }} }}
"pump.2.on" = {{ access = "read-write", modbus = {{ coil = 12 }} }}
"device.uptime" = {{ unit = "s", modbus = {{ holding = 100, type = "u32" }} }}
"device.locked" = {{ type = "bool", modbus = {{ discrete = 30 }} }}
"device.self-test" = {{ enum = {{ 0 = "never", 1 = "passed", 2 = "valve-stuck" }}, modbus = {{ holding = 120 }} }}
"port.unit" = {{ access = "read-write", min = 1, max = 247, modbus = {{ holding = 130, read_back = true }} }}
"port.baud" = {{ access = "read-write", enum = {{ 0 = "9600", 1 = "19200" }}, modbus = {{ holding = 131, read_back = true }} }}
{operations}
"#
    )
}

/// What stands in its registers at first.
pub const STATION: &str = "3 coil 1 0 0 0\n3 coil 11 0 0\n3 holding 100 0 5000\n3 discrete 30 0\n3 holding 120 0\n\
    3 holding 130 3 0\n3 holding 400 0 0 0 0 0 0 0 0\n";

pub fn at_station(operations: &str, more: &str) -> Result<(Server, Gateway), String> {
    let server = served(STATION)?;
    let gateway = started(&link(&server, "", &format!("{more}{}", station(operations))));
    soon("the station is read", || point(&gateway, "station", "device.0.uptime")["value"].as_u64())?;
    Ok((server, gateway))
}

pub fn station_id(gateway: &Gateway) -> String {
    id_of(&device(gateway, "station"))
}

pub fn part(of: &str) -> Value {
    match of.split_once('/') {
        _ if of == "device" => json!("device"),
        Some((name, instance)) => json!({ "instance": { "name": name, "instance": instance.parse::<u16>().unwrap() } }),
        None => json!({ "component": of }),
    }
}

/// Whoever turns the wheel of the world: what a command makes of a unit, once it has arrived there.
pub fn once_written(server: &Server, at: u16, then: &str) -> Shown {
    soon(&format!("something is written at {at}"), || writes(server, 3).iter().any(|(to, _)| *to == at).then_some(()))?;
    server.set(then);
    Ok(())
}

/// Asked without waiting; how the command stands once it has ended.
pub fn asked_for(gateway: &Gateway, ask: Value, meanwhile: impl FnOnce() -> Shown) -> Result<Value, String> {
    let answer = gateway.post("/v1/ask", &json!({ "operate": ask })).body;
    let id = answer["accepted"]["id"].as_str().ok_or_else(|| answer.to_string())?.to_owned();
    meanwhile()?;
    soon(&format!("{id} has ended"), || {
        let shown = gateway.get(&format!("/v1/commands/{id}")).body;
        (!matches!(shown["state"].as_str(), Some("queued" | "sent") | None)).then_some(shown)
    })
}
