//! The looks that a link over Modbus takes around by itself, and a unit that is replaced by another: who it is, and what
//! becomes of its readings.

mod support;

use serde_json::json;
use support::modbus::image::{plant, shipped, started, value};
use support::modbus::{Fault, On, Server};
use support::{Gateway, eventually, text};

/// One meter with a number on a link, of which somebody said where it is and what it is.
fn metered(server: &Server, scan: &str) -> Gateway {
    let at = format!("127.0.0.1:{}", server.port());
    let gateway = started(&format!(
        "[link.bus]\nevery = \"200ms\"\nsilent_after = \"3s\"\n\
         modbus-tcp = {{ at = {at:?}, scan = {scan:?}, bus = {{ timeout = \"200ms\", slowest = \"1s\" }} }}\n\
         [device.main]\nlink = \"bus\"\naddress = \"3\"\nprofile = \"eastron-sdm120\"\n"
    ));
    eventually("it is read", || value(&gateway, "main", "phase.1.voltage").as_f64());
    eventually("it is known by its number", || {
        let identities = gateway.get("/v1/devices/main").body["detail"]["identities"].to_string();
        identities.contains("eastron:1234567").then_some(())
    });
    gateway
}

fn logged(gateway: &Gateway, device: &str) -> String {
    gateway.get(&format!("/v1/devices/{device}/log")).body.to_string()
}

/// Another meter of the same make stands there from now on, with other values.
fn replaced(server: &Server) {
    server.set("3 input 0x0000 0x42C8 0x0000");
    server.set("3 holding 0xFC00 0x0000 0x0042");
}

#[test]
fn a_unit_that_is_replaced_while_it_is_read_is_noticed_and_gives_nothing_under_the_old_name() {
    let Some(server) = Server::start("a_unit_that_is_replaced", &[], &plant()) else { return };
    let gateway = metered(&server, "1s");
    replaced(&server);
    eventually("the one before has gone", || {
        (gateway.get("/v1/devices/main").body["connectivity"] == "gone").then_some(())
    });
    assert!(logged(&gateway, "main").contains("device-gone"), "{}", logged(&gateway, "main"));
    let new = eventually("the new one is known by its own number", || {
        let device = gateway.get("/v1/devices/urn:dev:dmgw:serial:eastron:66").body;
        (device["connectivity"] == "up").then_some(device)
    });
    assert_eq!(new["address"], "3");
    eventually("and read", || (value(&gateway, "serial:eastron:66", "phase.1.voltage") == json!(100.0)).then_some(()));
    let why = gateway.get("/v1/devices/main").body["why"].to_string();
    assert!(why.contains("another device was met at its place"), "{why}");
    // The old one is put back.
    server.set("3 holding 0xFC00 0x0012 0xD687");
    eventually("it has its place back", || {
        (gateway.get("/v1/devices/main").body["connectivity"] == "up").then_some(())
    });
}

#[test]
fn new_hardware_goes_on_under_the_old_name_once_somebody_says_so() {
    let Some(server) = Server::start("new_hardware_goes_on_under_the_old_name", &[], &plant()) else { return };
    let gateway = metered(&server, "1s");
    replaced(&server);
    eventually("the one before has gone", || {
        (gateway.get("/v1/devices/main").body["connectivity"] == "gone").then_some(())
    });
    let done = gateway.cli(&["command", "ask", "main", "replace", "serial:eastron:66"]);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    eventually("it is read under the old name", || {
        (value(&gateway, "main", "phase.1.voltage") == json!(100.0)).then_some(())
    });
    assert!(logged(&gateway, "main").contains("device-replaced"), "{}", logged(&gateway, "main"));
}

#[test]
fn a_unit_that_comes_back_as_another_is_not_read_before_it_has_shown_who_it_is() {
    let Some(server) = Server::start("a_unit_that_comes_back_as_another", &[], &plant()) else { return };
    let gateway = metered(&server, "0s");
    server.fault(On::all().unit(3), Fault::Mute);
    eventually("it is silent", || (gateway.get("/v1/devices/main").body["connectivity"] == "silent").then_some(()));
    // A device of another kind, which shows neither the number nor the sign; and other values stand there.
    server.set("3 input 0x0000 0x42C8 0x0000");
    server.set("3 holding 0xFC00 0 0 0");
    let before = server.asked().len();
    server.well();
    eventually("it has gone", || (gateway.get("/v1/devices/main").body["connectivity"] == "gone").then_some(()));
    eventually("it is looked at again and again", || {
        let later = server.asked().split_off(before);
        (later.iter().filter(|asked| asked.address == 0xfc00).count() >= 5).then_some(())
    });
    assert_eq!(
        value(&gateway, "main", "phase.1.voltage"),
        json!(238.60000610351562),
        "nothing was taken from the other"
    );
    let asked = server.asked().split_off(before);
    let read = |asked: &&support::modbus::Asked| asked.function == 4 && asked.address == 0;
    assert_eq!(asked.iter().find(read), None, "no value was even asked for");
    // It is written as little as it is read.
    let written = gateway.cli(&["write", "main", "relay.pulse-width", "100"]);
    assert!(!written.status.success());
    assert!(server.asked().iter().all(|asked| asked.function != 16 && asked.function != 6));
    server.set("3 holding 0xFC00 0x0012 0xD687 0x0020");
    eventually("the old one is read again", || {
        (value(&gateway, "main", "phase.1.voltage") == json!(100.0)).then_some(())
    });
}

#[test]
fn a_unit_that_was_replaced_while_the_gateway_was_off_is_not_read_under_the_old_name() {
    let Some(server) = Server::start("a_unit_that_was_replaced_while_off", &[], &plant()) else { return };
    let mut gateway = metered(&server, "0s");
    gateway.terminate();
    replaced(&server);
    let before = server.asked().len();
    // Nor is the new one let in.
    let settings = std::fs::read_to_string(gateway.config()).unwrap();
    gateway.configure(&format!("{settings}\n[[admission]]\nlink = \"bus\"\nthen = \"refuse\"\n"));
    gateway.start_with_env(&[("DMGW_PROFILES", &shipped())]);
    eventually("it has gone", || (gateway.get("/v1/devices/main").body["connectivity"] == "gone").then_some(()));
    eventually("the new one is turned away", || {
        gateway.get("/v1/attempts").body.to_string().contains("eastron:66").then_some(())
    });
    eventually("it is looked at again and again", || {
        let later = server.asked().split_off(before);
        (later.iter().filter(|asked| asked.address == 0xfc00).count() >= 5).then_some(())
    });
    let asked = server.asked().split_off(before);
    let values = |asked: &&support::modbus::Asked| asked.function == 4 && asked.address == 0;
    assert_eq!(asked.iter().find(values), None, "no value was asked for");
    server.set("3 holding 0xFC00 0x0012 0xD687");
    eventually("the old one is read again", || {
        (value(&gateway, "main", "phase.1.voltage") == json!(100.0)).then_some(())
    });
}

#[test]
fn without_looks_around_nobody_notices_who_is_replaced_between_two_reads() {
    let Some(server) = Server::start("without_looks_around_nobody_notices", &[], &plant()) else { return };
    let gateway = metered(&server, "0s");
    replaced(&server);
    eventually("the other is read under the old name", || {
        (value(&gateway, "main", "phase.1.voltage") == json!(100.0)).then_some(())
    });
    let before = server.asked().len();
    eventually("it goes on so", || (server.asked().len() > before + 30).then_some(()));
    assert_eq!(gateway.get("/v1/devices/main").body["connectivity"], "up");
}

#[test]
fn a_link_finds_who_is_put_on_its_line_later() {
    let Some(server) = Server::start("a_link_finds_who_is_put_on_its_line_later", &[], "9 holding 0 7\n") else {
        return;
    };
    let at = format!("127.0.0.1:{}", server.port());
    let gateway = started(&format!(
        "[link.bus]\nevery = \"200ms\"\n\
         modbus-tcp = {{ at = {at:?}, units = \"3-5\", scan = \"1s\", bus = {{ timeout = \"100ms\" }} }}\n"
    ));
    eventually("it was looked for in vain", || server.asked().iter().any(|asked| asked.unit == 5).then_some(()));
    assert_eq!(gateway.get("/v1/devices").body["devices"], json!([]));
    plant().lines().filter(|line| line.starts_with('3')).for_each(|line| server.set(line));
    eventually("it is found, recognised and read", || {
        value(&gateway, "serial:eastron:1234567", "phase.1.voltage").as_f64()
    });
}

#[test]
fn a_retired_device_is_read_no_more_and_its_unit_is_looked_for_again() {
    let Some(server) = Server::start("a_retired_device_is_read_no_more", &[], &plant()) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    let gateway = started(&format!(
        "[link.bus]\nevery = \"200ms\"\n\
         modbus-tcp = {{ at = {at:?}, units = \"3\", scan = \"1s\", bus = {{ timeout = \"100ms\" }} }}\n"
    ));
    let meter = "serial:eastron:1234567";
    eventually("it is found by itself and read", || value(&gateway, meter, "phase.1.voltage").as_f64());
    let retired = gateway.cli(&["command", "ask", meter, "retire"]);
    assert!(retired.status.success(), "{}{}", text(&retired.stdout), text(&retired.stderr));
    let before = server.asked().len();
    // Who it is is asked by function 43, of a unit that nobody reads.
    eventually("it is looked for", || {
        let later = server.asked().split_off(before);
        (later.iter().filter(|asked| asked.function == 43).count() >= 2).then_some(())
    });
    let last = server.asked().split_off(before).iter().rposition(|asked| asked.function == 4 && asked.address == 0);
    assert!(last.is_none_or(|last| last < 5), "it is not read: {last:?}");
}

#[test]
fn who_is_looked_for_in_vain_costs_the_others_little() {
    let Some(server) = Server::start("who_is_looked_for_in_vain", &[], &plant()) else { return };
    let at = format!("127.0.0.1:{}", server.port());
    let gateway = started(&format!(
        "[link.bus]\nevery = \"200ms\"\n\
         modbus-tcp = {{ at = {at:?}, units = \"20-40\", scan = \"1s\", bus = {{ timeout = \"100ms\" }} }}\n\
         [device.main]\nlink = \"bus\"\naddress = \"3\"\nprofile = \"eastron-sdm120\"\n"
    ));
    // The first look is ordered when the link comes up, and goes from one to the next.
    let looks = || -> Vec<u64> {
        let mut seen = std::collections::BTreeSet::new();
        let asked = server.asked().into_iter().filter(|asked| asked.unit >= 20);
        asked.filter(|asked| !seen.insert(asked.unit)).map(|asked| asked.at).collect()
    };
    let looks = eventually("some were looked for again", || Some(looks()).filter(|looks| looks.len() >= 6));
    for two in looks.windows(2) {
        // A look takes the time-out of 100 ms, and nine times as long it is left to others.
        assert!(two[1] - two[0] >= 900_000, "{two:?}");
        let read = server.asked().into_iter().filter(|asked| asked.unit == 3 && (two[0]..two[1]).contains(&asked.at));
        assert!(read.count() >= 3, "the meter is read meanwhile");
    }
    assert_eq!(gateway.get("/v1/devices/main").body["connectivity"], "up");
}
