//! A link over Modbus in the running daemon, against a server by another hand that keeps its own record.

mod support;

use serde_json::{Value, json};
use support::modbus::{Fault, On, Server, holding};
use support::{Gateway, eventually};

/// Unit 1 shows its registers as they come; unit 2 too. What each register holds is known from its number.
const PROFILE: &str = r#"
[profile.rig]
title = "What the test asks for"
[profile.rig.modbus]
gap = 10
[profile.rig.point."a.first"]
modbus = { holding = 10 }
[profile.rig.point."a.second"]
modbus = { holding = 11 }
[profile.rig.point."a.near"]
modbus = { holding = 15 }
[profile.rig.point."a.far"]
modbus = { holding = 400 }
[profile.rig.point."a.missing"]
modbus = { holding = 5000 }
[profile.rig.point."a.set"]
access = "read-write"
modbus = { holding = 20, read_back = true }
[profile.rig.point."a.level"]
access = "read-write"
modbus = { holding = 22, type = "f32", read_back = true }
"#;

fn settings(link: &str) -> String {
    format!(
        "[clock]\ntrust = \"always\"\n[link.bus]\nevery = \"200ms\"\nsilent_after = \"2s\"\n{link}\n{PROFILE}\n\
         [device.one]\nlink = \"bus\"\naddress = \"1\"\nprofile = \"rig\"\n\
         [device.two]\nlink = \"bus\"\naddress = \"2\"\nprofile = \"rig\"\n"
    )
}

fn over_tcp(server: &Server) -> String {
    format!("modbus-tcp = {{ at = \"127.0.0.1:{}\", bus = {{ timeout = \"300ms\" }} }}", server.port())
}

fn started(settings: &str) -> Gateway {
    let mut gateway = Gateway::new(settings);
    gateway.start();
    gateway
}

fn point(gateway: &Gateway, device: &str, path: &str) -> Option<Value> {
    let shown = gateway.get(&format!("/v1/devices/{device}")).ok();
    shown["detail"]["points"].as_array().into_iter().flatten().find(|point| point["point"] == path).cloned()
}

fn value(gateway: &Gateway, device: &str, path: &str) -> Option<Value> {
    point(gateway, device, path).map(|point| point["value"].clone())
}

#[test]
fn units_are_read_by_their_profile_in_few_requests_and_a_register_that_is_not_there_costs_the_others_nothing() {
    let name = "units_are_read_by_their_profile";
    let Some(server) = Server::tcp(name, "1-2") else { return };
    let gateway = started(&settings(&over_tcp(&server)));
    for (unit, device) in [(1, "one"), (2, "two")] {
        eventually("all that is there has been read", || {
            let read = |(path, at): (&str, u16)| value(&gateway, device, path) == Some(json!(holding(unit, at)));
            [("a.0.first", 10), ("a.0.second", 11), ("a.0.near", 15), ("a.0.far", 400)]
                .into_iter()
                .all(read)
                .then_some(())
        });
        let missing = point(&gateway, device, "a.0.missing").unwrap();
        assert_eq!(missing["quality"], json!({ "bad": "device-says" }), "{missing}");
        assert_eq!(missing["value"], "the unit says that it has nothing there", "{missing}");
        assert_eq!(gateway.get(&format!("/v1/devices/{device}")).ok()["connectivity"], "up");
    }
    // Once it is known what is missing, a look takes two requests: 10 to 20 together, 400 alone.
    eventually("it is known what is missing", || {
        let looks =
            server.asked().into_iter().filter(|asked| asked.unit == 1).map(|asked| (asked.address, asked.count));
        let last: Vec<(u16, u16)> = looks.rev().take(8).collect();
        (last.len() == 8 && last.iter().all(|look| [(10, 14), (400, 1)].contains(look))).then_some(())
    });
}

#[test]
fn a_write_reaches_the_unit_once_and_is_read_back() {
    let Some(server) = Server::tcp("a_write_reaches_the_unit_once", "1-2") else { return };
    let gateway = started(&settings(&over_tcp(&server)));
    eventually("it is read", || value(&gateway, "one", "a.0.set"));
    let done = gateway.cli(&["write", "one", "a.0.set", "4711"]);
    assert!(done.status.success(), "{done:?}");
    let writes: Vec<_> =
        server.asked().into_iter().filter(|asked| asked.function == 6 || asked.function == 16).collect();
    assert_eq!(writes.len(), 1, "{writes:?}");
    eventually("it reads so", || (value(&gateway, "one", "a.0.set") == Some(json!(4711))).then_some(()));
    // A register holds less of it than was said; what reads back is what a register can hold.
    let done = gateway.cli(&["write", "one", "a.0.level", "3.3"]);
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_write_that_is_not_answered_is_unknown_and_one_that_is_refused_has_failed() {
    let Some(server) = Server::tcp("a_write_that_is_not_answered_is_unknown", "1-2") else { return };
    let gateway = started(&settings(&over_tcp(&server)));
    eventually("it is read", || value(&gateway, "one", "a.0.set"));
    server.fault(On::all().unit(1).at(20, 20), Fault::Mute);
    let lost = gateway.cli(&["write", "one", "a.0.set", "1"]);
    assert_eq!(lost.status.code(), Some(3), "{lost:?}");
    server.well();
    eventually("it is read again", || (gateway.get("/v1/devices/one").ok()["connectivity"] == "up").then_some(()));
    // 11: a gateway has passed it on, and the unit was silent. 10: it knows no way there. 4: the unit failed.
    for (exception, exit) in [(11, 3), (10, 1), (4, 1)] {
        server.fault(On::all().unit(1).at(20, 20), Fault::Exception(exception));
        let ended = gateway.cli(&["write", "one", "a.0.set", "1"]);
        assert_eq!(ended.status.code(), Some(exit), "{exception}: {ended:?}");
        server.well();
    }
}

#[test]
fn one_unit_that_is_silent_does_not_take_the_others_with_it() {
    let Some(server) = Server::tcp("one_unit_that_is_silent", "1-2") else { return };
    let gateway = started(&settings(&over_tcp(&server)));
    eventually("both are read", || value(&gateway, "one", "a.0.far").and(value(&gateway, "two", "a.0.far")));
    server.fault(On::all().unit(2), Fault::Mute);
    let is = |device: &str, state: &str| gateway.get(&format!("/v1/devices/{device}")).ok()["connectivity"] == state;
    eventually("the silent one is seen to be", || is("two", "silent").then_some(()));
    assert!(is("one", "up"));
    server.well();
    eventually("it comes back", || is("two", "up").then_some(()));
}

#[test]
fn a_line_of_a_serial_port_is_read_and_written_as_well() {
    let Some(server) = Server::rtu_pty("a_line_of_a_serial_port", "1-2", 115_200) else { return };
    let port = server.pty();
    let link = format!("modbus-rtu = {{ port = {port:?}, baud = 115200, bus = {{ timeout = \"500ms\" }} }}");
    let gateway = started(&settings(&link));
    for (unit, device) in [(1, "one"), (2, "two")] {
        eventually("it is read", || {
            (value(&gateway, device, "a.0.far") == Some(json!(holding(unit, 400)))).then_some(())
        });
    }
    let done = gateway.cli(&["write", "two", "a.0.set", "7"]);
    assert!(done.status.success(), "{done:?}");
    eventually("it reads so", || (value(&gateway, "two", "a.0.set") == Some(json!(7))).then_some(()));
    assert!(server.refused().is_empty(), "no frame came too soon after another: {:?}", server.refused());
}

#[test]
fn units_that_nobody_named_are_found_and_recognised_by_what_only_they_show() {
    let Some(server) = Server::tcp("units_that_nobody_named_are_found", "1,3") else { return };
    let at = format!("127.0.0.1:{}", server.port());
    // Register 10 of unit 1 holds 266, of unit 3 it holds 778.
    let gateway = started(&format!(
        "[clock]\ntrust = \"always\"\n[link.bus]\nevery = \"200ms\"\n\
         modbus-tcp = {{ at = {at:?}, units = \"1-4\", bus = {{ timeout = \"200ms\" }} }}\n\
         [profile.odd]\nmaker = \"acme\"\nmodel = \"O-3\"\nmatch = [{{ hardware = \"acme O*\" }}]\n\
         [profile.odd.modbus]\nprobe = [{{ holding = 10, equals = 778 }}]\n\
         [profile.odd.point.\"a.first\"]\nmodbus = {{ holding = 10 }}\n"
    ));
    assert!(gateway.cli(&["link", "discover", "bus"]).status.success());
    let found = || gateway.get("/v1/devices").ok()["devices"].as_array().cloned().unwrap_or_default();
    let of = |address: &str| found().into_iter().find(|device| device["address"] == address);
    let third = eventually("the third is found and recognised", || of("3").filter(|third| third["profile"] == "odd"));
    let id = third["id"].as_str().unwrap().to_owned();
    eventually("it is read", || (value(&gateway, &id, "a.0.first") == Some(json!(778))).then_some(()));
    let first = eventually("the first is found", || of("1"));
    assert!(first["profile"].is_null(), "it shows no sign: {first}");
    assert_eq!(found().len(), 2, "nobody is at 2 and 4");
}

#[test]
fn a_second_link_on_the_same_port_by_another_name_is_told_whose_it_is() {
    let Some(server) = Server::rtu_pty("a_second_link_on_the_same_port", "1-2", 9_600) else { return };
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("by-another-name");
    std::os::unix::fs::symlink(server.pty(), &other).unwrap();
    let gateway = started(&format!(
        "[clock]\ntrust = \"always\"\n[link.a]\nmodbus-rtu = {{ port = {:?} }}\n[link.b]\nmodbus-rtu = {{ port = {other:?} }}\n",
        server.pty()
    ));
    let links = eventually("one is up and the other is not", || {
        let links = gateway.get("/v1/links").ok()["links"].as_array().cloned().unwrap_or_default();
        let is = |state: &str| links.iter().any(|link| link["state"] == state);
        (is("up") && is("down")).then_some(links)
    });
    let of = |state: &str| links.iter().find(|link| link["state"] == state).unwrap();
    let wanted = format!("is the port of link {} already", of("up")["name"].as_str().unwrap());
    assert!(of("down")["reason"].as_str().unwrap().contains(&wanted), "{links:?}");
}
