//! Gateways that call in, against servers by another hand: they are asked over the connection that they made, and nobody
//! else who connects is, or takes it from them. The witness is the servers' own record.

mod support;

use std::io::Read;

use serde_json::{Value, json};
use support::modbus::dialer::{Dialer, stranger};
use support::modbus::{Fault, On, Server, holding};
use support::{Gateway, eventually};

const PROFILE: &str = "[profile.rig.modbus]\n[profile.rig.point.\"a.first\"]\nmodbus = { holding = 10 }\n";

/// Links that wait for calls, each with the units 1 and 2: their names, and what their settings say besides.
fn gateway(links: &[(&str, &str)]) -> Gateway {
    let mut text = format!("[clock]\ntrust = \"always\"\n{PROFILE}");
    for (name, more) in links {
        text += &format!(
            "[link.{name}]\nevery = \"100ms\"\nsilent_after = \"60s\"\n\
             modbus-tcp = {{ listen = \"127.0.0.1:0\", bus = {{ timeout = \"300ms\", connect = \"1s\" }}{more} }}\n"
        );
        for unit in [1, 2] {
            text += &format!("[device.{name}-{unit}]\nlink = \"{name}\"\naddress = \"{unit}\"\nprofile = \"rig\"\n");
        }
    }
    let mut gateway = Gateway::new(&text);
    gateway.start();
    gateway
}

/// Where gateways call in.
fn port(gateway: &Gateway) -> u16 {
    eventually("gateways may call in", || {
        let log = gateway.log();
        let line = log.lines().find(|line| line.contains("Modbus gateways may call in"))?;
        let at = line.split("127.0.0.1:").nth(1)?;
        at.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

fn value(gateway: &Gateway, device: &str) -> Option<Value> {
    let shown = gateway.get(&format!("/v1/devices/{device}")).ok();
    let points = shown["detail"]["points"].as_array().cloned().unwrap_or_default();
    points.into_iter().find(|point| point["point"] == "a.0.first").map(|point| point["value"].clone())
}

fn is_read(gateway: &Gateway, device: &str, wanted: u16) {
    eventually("it is read", || (value(gateway, device) == Some(json!(wanted))).then_some(()));
}

/// So many more requests for that unit.
fn is_asked_on(server: &Server, unit: u8, times: usize) {
    let asked = || server.asked().into_iter().filter(|asked| asked.unit == unit).count();
    let before = asked();
    eventually("it is asked on", || (asked() >= before + times).then_some(()));
}

/// The connections over which the server was asked, each once.
fn connections(server: &Server) -> Vec<u32> {
    let mut connections: Vec<u32> = server.asked().iter().map(|asked| asked.conn).collect();
    connections.dedup();
    connections
}

fn is_cut_off(mut stream: std::net::TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn who_calls_in_is_asked_over_its_connection_and_over_the_next_one_when_that_was_cut_off() {
    let gateway = gateway(&[("yard", "")]);
    eventually("it is said that nobody called", || {
        gateway.log().contains("no gateway has called in at 127.0.0.1").then_some(())
    });
    let Some(server) = Server::dials("who_calls_in_is_asked_over_its_connection", "1-2", port(&gateway)) else {
        return;
    };
    is_read(&gateway, "yard-1", holding(1, 10));
    is_read(&gateway, "yard-2", holding(2, 10));
    server.set("1 holding 10 4711");
    server.hang_up();
    is_read(&gateway, "yard-1", 4711);
    assert!(connections(&server).len() >= 2, "{:?}", connections(&server));
}

#[test]
fn who_does_not_say_its_hello_or_calls_from_elsewhere_is_cut_off() {
    let name = "who_does_not_say_its_hello";
    let gateway = gateway(&[("yard", ", hello = \"GW-17\"")]);
    let (port, Some(server)) = (port(&gateway), Server::tcp(name, "1-2")) else { return };
    for says in [&b"GW-18"[..], b"gw-17 ", &[0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]] {
        assert!(is_cut_off(stranger(port, says)), "{says:?}");
    }
    eventually("it is told", || gateway.log().contains("its hello is that of no link").then_some(()));
    let _silent = stranger(port, b"GW-1");
    let _dialer = Dialer::calls(port, b"GW-17", server.port());
    is_read(&gateway, "yard-1", holding(1, 10));

    let elsewhere = self::gateway(&[("yard", ", from = [\"192.0.2.0/24\"]")]);
    assert!(is_cut_off(stranger(self::port(&elsewhere), b"")));
    eventually("it is told", || elsewhere.log().contains("none of the networks").then_some(()));
}

#[test]
fn two_links_on_one_port_are_told_apart_by_the_hellos_of_their_gateways() {
    let name = "two_links_on_one_port";
    let gateway = gateway(&[("north", ", hello = \"GW-1\\r\\n\""), ("south", ", hello = \"GW-2\\r\\n\"")]);
    let (Some(north), Some(south)) = (Server::tcp(name, "1-2"), Server::tcp(name, "1-2")) else { return };
    north.set("1 holding 10 111");
    south.set("1 holding 10 222");
    let port = port(&gateway);
    let _south = Dialer::calls(port, b"GW-2\r\n", south.port());
    is_read(&gateway, "south-1", 222);
    assert!(north.asked().is_empty());
    let _north = Dialer::calls(port, b"GW-1\r\n", north.port());
    is_read(&gateway, "north-1", 111);
    is_asked_on(&south, 1, 3);
}

#[test]
fn a_unit_that_is_silent_or_late_and_heartbeats_do_not_cost_the_connection() {
    let name = "a_unit_that_is_silent_or_late";
    let gateway = gateway(&[("yard", ", heartbeat = \"PING\"")]);
    let Some(server) = Server::tcp(name, "1-2") else { return };
    let dialer = Dialer::calls(port(&gateway), b"", server.port());
    is_read(&gateway, "yard-2", holding(2, 10));
    server.fault(On::all().unit(2), Fault::Mute);
    for _ in 0..5 {
        dialer.says(b"PING");
        is_asked_on(&server, 1, 2);
    }
    server.well();
    // Later than it is waited for: thrown away when it comes, and the next answer is its own.
    server.fault(On::all().unit(2).times(3), Fault::Delay(std::time::Duration::from_millis(400)));
    is_asked_on(&server, 2, 3);
    server.set("2 holding 10 4711");
    is_read(&gateway, "yard-2", 4711);
    assert_eq!(connections(&server).len(), 1, "{:?}", connections(&server));
}

#[test]
fn a_stranger_who_may_connect_but_does_not_answer_takes_the_link_from_nobody() {
    let name = "a_stranger_who_may_connect";
    let gateway = gateway(&[("yard", "")]);
    let (port, Some(server)) = (port(&gateway), Server::tcp(name, "1-2")) else { return };
    let _dialer = Dialer::calls(port, b"", server.port());
    is_read(&gateway, "yard-1", holding(1, 10));
    // While all answer, nobody is tried in its place; when one does not, the stranger is, and is let go.
    let first = stranger(port, b"");
    is_asked_on(&server, 1, 5);
    server.fault(On::all().unit(2).times(2), Fault::Mute);
    assert!(is_asked_and_let_go(first));
    is_asked_on(&server, 1, 5);
    assert_eq!(connections(&server).len(), 1, "{:?}", connections(&server));
}

fn is_asked_and_let_go(mut stream: std::net::TcpStream) -> bool {
    let mut asked = Vec::new();
    stream.read_to_end(&mut asked).is_ok() && asked.len() >= 12
}

#[test]
fn who_calls_again_while_its_old_connection_seems_open_is_asked_over_the_new_one() {
    let name = "who_calls_again_while_its_old_connection_seems_open";
    let gateway = gateway(&[("yard", ", hello = \"GW-17\"")]);
    let (port, Some(server)) = (port(&gateway), Server::tcp(name, "1-2")) else { return };
    let old = Dialer::calls(port, b"GW-17", server.port());
    is_read(&gateway, "yard-1", holding(1, 10));
    old.goes_deaf();
    server.set("1 holding 10 4711");
    let _new = Dialer::calls(port, b"GW-17", server.port());
    is_read(&gateway, "yard-1", 4711);
    is_asked_on(&server, 1, 3);
    assert_eq!(connections(&server).len(), 2, "{:?}", connections(&server));
}

#[test]
fn a_converter_from_a_serial_line_calls_in_too() {
    let name = "a_converter_from_a_serial_line_calls_in";
    let gateway = gateway(&[("yard", ", wrapping = \"rtu\", hello = \"DTU-5\", heartbeat = \"PING\"")]);
    let (port, Some(server)) = (port(&gateway), Server::rtu_over_tcp(name, "1-2")) else { return };
    let dialer = Dialer::calls(port, b"DTU-5", server.port());
    is_read(&gateway, "yard-2", holding(2, 10));
    for _ in 0..5 {
        dialer.says(b"PING");
        is_asked_on(&server, 1, 2);
    }
    // Without numbers nobody could tell a late answer from the next one, so a doubt ends the connection.
    server.fault(On::all().unit(2).once(), Fault::Mute);
    eventually("it is closed", || gateway.log().contains("no gateway has called in at 127.0.0.1").then_some(()));
    let _again = Dialer::calls(port, b"DTU-5", server.port());
    is_asked_on(&server, 1, 3);
}
