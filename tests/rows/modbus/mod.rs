//! Rows on Modbus: units of a server by another hand (libmodbus), which keeps a record of its own of what it was asked.
//!
//! What their registers hold comes from the images of `tests/modbus/images`, whose sources are not those of the profiles.
//! A unit is pulled out where it says nothing any more, and put in where its registers are set.

mod asking;
mod finding;
mod guarded;
mod pacing;
mod station;

use std::path::Path;

use serde_json::{Value, json};
use toml::Table;

use super::support::modbus::{Asked, Fault, On, Server, folder};
use super::support::{self, Gateway, dmgw};
use super::{Shown, device, end_of, ensure, row, soon, within};

/// The serial number of the meter of [`meter`], as its registers hold it and as it reads.
const SERIAL: (&str, &str) = ("0x0123 0x4567", "19088743");

/// Says so where there is no libmodbus.
#[track_caller]
fn on_modbus(name: &str, proof: impl Fn(bool) -> Shown) {
    if Server::tcp(name, "1").is_some() {
        row(proof);
    }
}

/// One that is there: [`on_modbus`] has seen to it.
fn served(image: &str) -> Result<Server, String> {
    Server::start("a row on Modbus", &[], image).ok_or_else(|| "the server is gone".into())
}

/// The registers of this kind of device at this unit, as lines of an image.
fn registers(unit: u8, image: &str) -> String {
    let text = std::fs::read_to_string(folder().join(format!("images/{image}.toml"))).unwrap();
    let image: Table = text.parse().unwrap();
    let rows = |table: &str| {
        let rows = image.get(table).and_then(|rows| rows.as_table()).cloned().unwrap_or_default();
        rows.into_iter().map(|(at, held)| format!("{unit} {table} {at} {}\n", words(&held))).collect::<String>()
    };
    ["coil", "discrete", "input", "holding"].map(rows).concat()
}

fn words(held: &toml::Value) -> String {
    match held {
        toml::Value::Array(words) => words.iter().map(words_of_one).collect::<Vec<_>>().join(" "),
        one => words_of_one(one),
    }
}

fn words_of_one(word: &toml::Value) -> String {
    word.as_integer().map_or_else(|| u8::from(word.as_bool() == Some(true)).to_string(), |word| word.to_string())
}

/// A single-phase meter of Eastron with its meter code; with its serial number, or as old ones are, without.
fn meter(unit: u8, serial: bool) -> String {
    let serial = if serial { format!("{unit} holding 0xFC00 {}\n", SERIAL.0) } else { String::new() };
    let registers = registers(unit, "eastron-sdm120");
    format!(
        "{registers}{serial}{unit} holding 0xFC02 0x0020 0x0105\n{unit} holding 0xF910 1\n{unit} holding 0xF920 1\n"
    )
}

/// Into the running server, line by line.
fn put_in(server: &Server, image: &str) {
    image.lines().for_each(|line| server.set(line));
}

fn pull_out(server: &Server, unit: u8) {
    server.fault(On::all().unit(unit), Fault::Mute);
}

/// The link `bus` to the server, and further settings. Units that are not there are not waited for for long.
fn link(server: &Server, units: &str, more: &str) -> String {
    format!(
        "[clock]\ntrust = \"always\"\n[devices]\ncontest = \"500ms\"\n[link.bus]\nevery = \"200ms\"\n\
         silent_after = \"2s\"\nmodbus-tcp = {{ at = \"127.0.0.1:{}\", units = {units:?}, \
         bus = {{ timeout = \"150ms\" }} }}\n{more}\n",
        server.port()
    )
}

/// With the profiles that are shipped, or without any.
fn begin(gateway: &mut Gateway, profiles: bool) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/profiles");
    let shipped = if profiles { shipped } else { gateway.folder.path().join("none") };
    let mut command = dmgw();
    command.env("DMGW_PROFILES", shipped);
    gateway.start_as(command);
}

fn started(settings: &str) -> Gateway {
    let mut gateway = Gateway::new(settings);
    begin(&mut gateway, true);
    gateway
}

fn discover(gateway: &Gateway) {
    gateway.post("/v1/ask", &json!({ "discover": { "link": "bus" } }));
}

fn at_address(gateway: &Gateway, address: &str) -> Option<Value> {
    let devices = gateway.get("/v1/devices").body["devices"].as_array().cloned()?;
    devices.into_iter().find(|device| device["address"] == address)
}

/// The device at this address, once it is up.
fn up_at(gateway: &Gateway, address: &str) -> Result<Value, String> {
    soon(&format!("somebody is up at {address}"), || {
        at_address(gateway, address).filter(|device| device["connectivity"] == "up")
    })
}

fn id_of(device: &Value) -> String {
    device["id"].as_str().expect("an id").to_owned()
}

/// What is shown of a point: its value, its unit, its quality.
fn point(gateway: &Gateway, device: &str, path: &str) -> Value {
    let points = support::http::exchange(&gateway.socket(), "GET", &format!("/v1/devices/{device}"), b"");
    let points = points.expect("an answer").body["detail"]["points"].as_array().cloned().unwrap_or_default();
    points.into_iter().find(|point| point["point"] == path).unwrap_or_default()
}

/// What wrote to this unit, in order: where, and what.
fn writes(server: &Server, unit: u8) -> Vec<(u16, Vec<u16>)> {
    let written = |asked: &Asked| asked.unit == unit && [5, 6, 15, 16, 22].contains(&asked.function);
    server.asked().into_iter().filter(written).map(|asked| (asked.address, asked.values)).collect()
}
