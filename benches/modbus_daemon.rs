//! The real daemon over Modbus, against the server of the tests and its own record.
//!
//! Five hundred devices of thirty points, each read each second, ten connections of fifty units: what the daemon takes of a
//! core, and how late its polls come. One device on a serial line that is asked without a pause: how near that comes to
//! what the line can carry.

mod percentile;
mod row;
#[path = "../tests/support/mod.rs"]
mod support;
#[allow(dead_code)] // the bench of the idle daemon uses all of it
mod used;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use percentile::percentile;
use row::Row;
use support::modbus::{Asked, Server, record};
use support::{Gateway, eventually, pause};
use used::Used;

const CLOCK: &str = "[clock]\ntrust = \"always\"\n";
const LINKS: u16 = 10;
const UNITS: u16 = 50;
const POINTS: u16 = 30;
const PERIOD: Duration = Duration::from_secs(1);
/// For what a start leaves to do.
const SETTLES: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(300);
const BAUD: u32 = 115_200;
/// As the peer counts: start, eight bits, parity, stop.
const BITS: f64 = 11.0;
const REGISTERS: u16 = 100;
const SERIAL: Duration = Duration::from_secs(20);

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    // One alone: cargo bench --bench modbus_daemon -- serial
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    if wanted("many") {
        many();
    }
    if wanted("serial") {
        serial();
    }
}

fn many() {
    let units = format!("units=1-{UNITS}");
    let server =
        Server::start("many", &[&units, &format!("ports={LINKS}")], "").expect("libmodbus: tests/tools.sh modbus");
    let mut gateway = Gateway::new(&settings(&server.ports()));
    gateway.start();
    eventually("all devices are read", || {
        (gateway.get("/v1/status").ok()["devices"]["up"].as_u64()? >= u64::from(LINKS * UNITS)).then_some(())
    });
    pause(SETTLES);
    let (from, before) = (record::now(), Used::by(&gateway));
    pause(WATCHED);
    let (to, after) = (record::now(), Used::by(&gateway));
    drop(gateway);
    let asked: Vec<Asked> = server.asked().into_iter().filter(|asked| (from..to).contains(&asked.at)).collect();
    let settings = [
        ("devices", (LINKS * UNITS).to_string()),
        ("points", POINTS.to_string()),
        ("every", "1s".to_owned()),
        ("seconds", WATCHED.as_secs().to_string()),
    ];
    let share = (after.seconds - before.seconds) / WATCHED.as_secs_f64() * 100.0;
    Row::new("modbus-500-core", share, None, &settings).write();
    let expected = f64::from(LINKS * UNITS) * WATCHED.as_secs_f64();
    Row::new("modbus-500-made", asked.len() as f64 / expected, None, &settings).write();
    let late = percentile(&mut late(&asked), 0.99) / PERIOD.as_millis() as f64 * 100.0;
    Row::new("modbus-500-late", late, None, &settings).write();
}

/// Behind the beat of its device, which the earliest of its polls has shown.
fn late(asked: &[Asked]) -> Vec<Duration> {
    let mut by_unit: BTreeMap<(u32, u8), Vec<u64>> = BTreeMap::new();
    asked.iter().for_each(|asked| by_unit.entry((asked.conn, asked.unit)).or_default().push(asked.at));
    let period = PERIOD.as_micros() as u64;
    let of_one = |times: Vec<u64>| {
        let first = times[0];
        // From the first on; half a period early is not taken for half a period late.
        let off = |at: &u64| ((at - first + period / 2) % period) as i64 - (period / 2) as i64;
        let earliest = times.iter().map(off).min().unwrap_or(0);
        times.iter().map(|at| Duration::from_micros((off(at) - earliest) as u64)).collect::<Vec<_>>()
    };
    by_unit.into_values().flat_map(of_one).collect()
}

fn settings(ports: &[u16]) -> String {
    let mut text = format!("{CLOCK}[profile.meter]\ntitle = \"Thirty registers\"\n");
    for point in 0..POINTS {
        let _ = writeln!(text, "[profile.meter.point.\"a.p{point}\"]\nmodbus = {{ holding = {} }}", 100 + point);
    }
    for (link, port) in ports.iter().enumerate() {
        let _ = writeln!(text, "[link.l{link}]\nevery = \"1s\"\nmodbus-tcp = {{ at = \"127.0.0.1:{port}\" }}");
        for unit in 1..=UNITS {
            let device = format!("[device.d{link}-{unit}]\nlink = \"l{link}\"\naddress = \"{unit}\"");
            let _ = writeln!(text, "{device}\nprofile = \"meter\"");
        }
    }
    text
}

fn serial() {
    let server = Server::rtu_pty("serial", "1", BAUD).expect("libmodbus: tests/tools.sh modbus");
    let mut text = format!("{CLOCK}[profile.meter]\ntitle = \"A hundred registers\"\n");
    for point in 0..REGISTERS {
        let _ = writeln!(text, "[profile.meter.point.\"a.p{point}\"]\nmodbus = {{ holding = {point} }}");
    }
    let port = server.pty().display().to_string();
    let link =
        format!("[link.l]\nevery = \"10ms\"\nmodbus-rtu = {{ port = \"{port}\", baud = {BAUD}, parity = \"even\" }}");
    let _ = writeln!(text, "{link}\n[device.d]\nlink = \"l\"\naddress = \"1\"\nprofile = \"meter\"");
    let mut gateway = Gateway::new(&text);
    gateway.start();
    eventually("it is read", || (server.asked().len() > 20).then_some(()));
    let from = record::now();
    pause(SERIAL);
    let asked = server.asked().into_iter().filter(|asked| asked.at >= from && asked.count == REGISTERS).count();
    assert_eq!(server.refused(), [], "the peer refuses what comes too soon");
    // Eight bytes ask, five stand around the data, and 1.75 ms of silence follow each frame.
    let one = f64::from(8 + 5 + 2 * u32::from(REGISTERS)) * BITS / f64::from(BAUD) + 2.0 * 0.001_75;
    let settings =
        [("baud", BAUD.to_string()), ("registers", REGISTERS.to_string()), ("points", REGISTERS.to_string())];
    Row::new("modbus-rtu-reads", asked as f64 / SERIAL.as_secs_f64(), Some(1.0 / one), &settings).write();
}
