//! Fifty units of each make on each way: what the running daemon shows, what mbpoll reads, and what the units hold are the
//! same. And the address that is taken where the first one is not to be had.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::termios::BaudRate;
use serde_json::{Value, json};
use support::modbus::line::{Cable, Tty, has_mbpoll, mbpoll, over_tcp};
use support::modbus::{Server, coil, discrete, holding, input};
use support::relay::{Relay, Trouble};
use support::{Gateway, eventually};

const UNITS: u8 = 50;
const BAUD: u32 = 115_200;

const PROFILE: &str = r#"
[profile.rig]
title = "What the test asks for"
[profile.rig.point."a.coil"]
modbus = { coil = 3 }
[profile.rig.point."a.discrete"]
modbus = { discrete = 900 }
[profile.rig.point."a.input"]
modbus = { input = 20 }
[profile.rig.point."a.holding"]
modbus = { holding = 999 }
"#;

/// By the name of its point, in the order in which they are told.
fn truth(unit: u8) -> [(&'static str, Value); 4] {
    [
        ("a.0.coil", json!(coil(unit, 3))),
        ("a.0.discrete", json!(discrete(unit, 900))),
        ("a.0.holding", json!(holding(unit, 999))),
        ("a.0.input", json!(input(unit, 20))),
    ]
}

fn started(link: &str, units: u8) -> Gateway {
    let device = |unit: u8| format!("[device.u{unit}]\nlink = \"bus\"\naddress = \"{unit}\"\nprofile = \"rig\"\n");
    let devices: String = (1..=units).map(device).collect();
    let mut gateway = Gateway::new(&format!("[link.bus]\nevery = \"1s\"\n{link}\n{PROFILE}{devices}"));
    gateway.start();
    gateway
}

fn over(server: u16, wrapping: &str) -> String {
    format!("modbus-tcp = {{ at = \"127.0.0.1:{server}\", wrapping = {wrapping:?} }}")
}

fn on(port: &Path) -> String {
    format!("modbus-rtu = {{ port = {port:?}, baud = {BAUD} }}")
}

/// Fifty devices, each with all that its unit holds.
fn shows_the_truth(gateway: &Gateway) {
    for unit in 1..=UNITS {
        eventually(&format!("unit {unit} is read"), || {
            let shown = gateway.get(&format!("/v1/devices/u{unit}")).body;
            let points = shown["detail"]["points"].as_array()?;
            let value = |name: &str| points.iter().find(|point| point["point"] == name).map(|point| &point["value"]);
            truth(unit).iter().all(|(name, holds)| value(name) == Some(holds)).then_some(())
        });
    }
}

/// What mbpoll reads of some of the units is the same.
fn another_eye_sees_it_too(how: &[&str], where_to: &str) {
    for unit in [1, 2, UNITS / 2, UNITS] {
        for ((_, holds), (table, at)) in truth(unit).iter().zip([("0", "3"), ("1", "900"), ("4", "999"), ("3", "20")]) {
            let which = ["-a", &unit.to_string(), "-t", table, "-r", at, "-c", "1", where_to].map(str::to_owned);
            let words: Vec<&str> = how.iter().copied().chain(which.iter().map(String::as_str)).collect();
            let number = holds.as_u64().unwrap_or_else(|| u64::from(*holds == json!(true)));
            assert_eq!(mbpoll(&words).map(|read| json!(read[0])), Ok(json!(number)), "unit {unit}, table {table}");
        }
    }
}

fn eye_on_a_line(port: &Path) {
    let how = ["-m", "rtu", "-b", "115200", "-P", "none", "-o", "2"];
    another_eye_sees_it_too(&how, port.to_str().unwrap());
}

fn tcp(name: &str, server: Option<Server>) -> Option<Server> {
    let server = server.filter(|_| has_mbpoll(name))?;
    let how = over_tcp(server.port());
    another_eye_sees_it_too(&how.each_ref().map(String::as_str), "127.0.0.1");
    let gateway = started(&over(server.port(), "tcp"), UNITS);
    shows_the_truth(&gateway);
    Some(server)
}

#[test]
fn fifty_units_of_libmodbus_over_tcp() {
    const NAME: &str = "fifty_units_of_libmodbus_over_tcp";
    let Some(server) = tcp(NAME, Server::tcp(NAME, "1-50")) else { return };
    let asked = server.asked();
    // mbpoll makes a connection each time; all units of the daemon share one, which comes last.
    let last = asked.last().unwrap().conn;
    let units = |unit| asked.iter().any(|asked| asked.conn == last && asked.unit == unit);
    assert!((1..=UNITS).all(units), "one connection serves all units");
}

#[test]
fn fifty_units_of_pymodbus_over_tcp() {
    const NAME: &str = "fifty_units_of_pymodbus_over_tcp";
    tcp(NAME, Server::pymodbus(NAME, &["by=listen", "units=1-50"], ""));
}

/// mbpoll speaks RTU only on a line: a cable, and at its other end somebody who passes on what is said.
struct Converter {
    cable: Cable,
    stream: TcpStream,
    over: Arc<AtomicBool>,
}

impl Converter {
    fn to(name: &str, server: u16) -> Option<Converter> {
        let (cable, over) = (Cable::new(name)?, Arc::new(AtomicBool::new(false)));
        let stream = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let [mut from_line, mut to_line] = [(); 2].map(|()| Tty::open(&cable.a(), BaudRate::B115200));
        let [mut from_server, mut to_server] = [(); 2].map(|()| stream.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok(length @ 1..) = from_server.read(&mut bytes) {
                to_line.write(&bytes[..length]);
            }
        });
        let is_over = over.clone();
        std::thread::spawn(
            move || {
                while !is_over.load(Ordering::Relaxed) && to_server.write_all(&from_line.some()).is_ok() {}
            },
        );
        Some(Converter { cable, stream, over })
    }
}

impl Drop for Converter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn rtu_over_tcp(name: &str, server: Option<Server>) -> Option<()> {
    let server = server.filter(|_| has_mbpoll(name))?;
    let converter = Converter::to(name, server.port())?;
    eye_on_a_line(&converter.cable.b());
    drop(converter);
    let gateway = started(&over(server.port(), "rtu"), UNITS);
    shows_the_truth(&gateway);
    Some(())
}

#[test]
fn fifty_units_of_libmodbus_by_rtu_over_tcp() {
    const NAME: &str = "fifty_units_of_libmodbus_by_rtu_over_tcp";
    rtu_over_tcp(NAME, Server::rtu_over_tcp(NAME, "1-50"));
}

#[test]
fn fifty_units_of_pymodbus_by_rtu_over_tcp() {
    const NAME: &str = "fifty_units_of_pymodbus_by_rtu_over_tcp";
    rtu_over_tcp(NAME, Server::pymodbus(NAME, &["by=listen", "frames=rtu", "units=1-50"], ""));
}

/// One after the other, for a line has one master.
fn line(name: &str, port: PathBuf) {
    if !has_mbpoll(name) {
        return;
    }
    eye_on_a_line(&port);
    shows_the_truth(&started(&on(&port), UNITS));
}

#[test]
fn fifty_units_of_libmodbus_on_a_line() {
    const NAME: &str = "fifty_units_of_libmodbus_on_a_line";
    let Some(server) = Server::rtu_pty(NAME, "1-50", BAUD) else { return };
    line(NAME, server.pty());
    assert!((1..=UNITS).all(|unit| server.asked().iter().any(|asked| asked.unit == unit)));
}

#[test]
fn fifty_units_of_pymodbus_on_a_line() {
    const NAME: &str = "fifty_units_of_pymodbus_on_a_line";
    let Some(cable) = Cable::new(NAME) else { return };
    let tty = format!("tty={}", cable.a().display());
    let Some(_server) = Server::pymodbus(NAME, &["by=tty", &tty, "units=1-50"], "") else { return };
    line(NAME, cable.b());
}

// ---- a backup address ----

/// Two that are one device to the outside, each behind a way of its own; what they hold tells them apart.
struct Two {
    gateway: Gateway,
    _servers: [Server; 2],
    ways: [Relay; 2],
}

impl Two {
    fn new(name: &str) -> Option<Two> {
        let servers = [Server::tcp(name, "1")?, Server::tcp(name, "1")?];
        servers[1].set("1 holding 999 2");
        servers[0].set("1 holding 999 1");
        let ways = servers.each_ref().map(|server| Relay::to(server.port()));
        let [at, backup] = ways.each_ref().map(|way| format!("127.0.0.1:{}", way.port()));
        let bus = "bus = { timeout = \"200ms\" }";
        let link = format!("modbus-tcp = {{ at = {at:?}, backup = [{backup:?}], {bus} }}");
        Some(Two { gateway: started(&link, 1), _servers: servers, ways })
    }

    /// The value is that of this one.
    fn is_at(&self, which: usize) {
        eventually("the value is that of this one", || {
            let shown = self.gateway.get("/v1/devices/u1").body;
            let points = shown["detail"]["points"].as_array()?;
            points.iter().any(|point| point["value"] == which + 1).then_some(())
        });
        eventually("the link is up", || {
            (self.gateway.get("/v1/links").ok()["links"][0]["state"] == "up").then_some(())
        });
    }

    fn dies(&self, which: usize, how: Trouble) {
        self.ways[which].trouble(how);
        self.ways[which].reset();
    }
}

fn another_takes_over(name: &str, how: Trouble) {
    let Some(two) = Two::new(name) else { return };
    two.is_at(0);
    two.dies(0, how);
    two.is_at(1);
    // It stays there, although the first is well again, until that one dies.
    two.ways[0].trouble(Trouble::None);
    two.dies(1, how);
    two.is_at(0);
}

#[test]
fn a_backup_address_takes_over_where_the_first_refuses_and_the_first_when_that_does() {
    another_takes_over("a_backup_address_takes_over_where_the_first_refuses", Trouble::Refuse);
}

#[test]
fn a_backup_address_takes_over_where_the_first_says_nothing_any_more() {
    another_takes_over("a_backup_address_takes_over_where_the_first_says_nothing_any_more", Trouble::BlackHole);
}
