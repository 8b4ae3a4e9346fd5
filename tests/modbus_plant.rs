//! The plant's own buses of Modbus, seen by another hand (mbpoll) and by the gateway: what `make demo` rests on.

mod support;

use std::time::Duration;

use nix::sys::termios::BaudRate;
use serde_json::{Value, json};
use support::modbus::line::{Tty, has_mbpoll, mbpoll, over_tcp};
use support::{Gateway, Plant, eventually, told};

const PLANT: &str = r#"
socket = "plant.sock"
record = "record.jsonl"
[modbus.panel]
tcp = "127.0.0.1:0"
[modbus.panel.unit.1]
profile = "eastron-sdm630"
serial = 21340001
[modbus.panel.unit.3]
profile = "schneider-iem3155"
serial = 61500342
identity = ["Schneider Electric", "iEM3155", "V1.7.9"]
[modbus.line]
pty = "line.tty"
baud = 19200
[modbus.line.unit.1]
profile = "eastron-sdm120"
serial = 19880077
set = { "pulse.weight" = "100Wh" }
[modbus.line.unit.2]
profile = "waveshare-relay-8ch"
set = { "relay.3.on" = true }
"#;

const FALLS_SILENT: &str =
    "[[modbus.line.unit.1.fault]]\nat = \"4s\"\nlasts = \"4s\"\nagain = \"60s\"\ndo = \"vanish\"\n";

fn port(plant: &Plant) -> u16 {
    let said = plant.bus("panel");
    said.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_else(|| panic!("{said} is no address"))
}

#[test]
fn another_hand_reads_and_writes_the_units_of_the_plant() {
    if !has_mbpoll("another_hand_reads_the_units_of_the_plant") {
        return;
    }
    let plant = Plant::start(PLANT);
    let over_tcp = over_tcp(port(&plant));
    let tcp: Vec<&str> = over_tcp.iter().map(String::as_str).chain(["127.0.0.1"]).collect();
    let serial = mbpoll(&[&["-a", "1", "-t", "4", "-r", "64512", "-c", "2"], &tcp[..]].concat()).unwrap();
    assert_eq!(serial, [325, 40_801], "21340001 of 32 bits");
    let sign = mbpoll(&[&["-a", "1", "-t", "4", "-r", "64514"], &tcp[..]].concat()).unwrap();
    assert_eq!(sign, [0x79]);
    let nobody = mbpoll(&[&["-a", "9", "-o", "0.3", "-t", "4", "-r", "0"], &tcp[..]].concat()).unwrap_err();
    assert!(nobody.contains("timed out"), "{nobody}");
    let missing = mbpoll(&[&["-a", "1", "-t", "4", "-r", "5000"], &tcp[..]].concat()).unwrap_err();
    assert!(missing.contains("Illegal data address"), "{missing}");
    let tty = plant.bus("line");
    let rtu = ["-m", "rtu", "-b", "19200", "-P", "none", &tty];
    let coils = |rtu: &[&str]| mbpoll(&[&["-a", "2", "-t", "0", "-r", "0", "-c", "4"], rtu].concat()).unwrap();
    assert_eq!(coils(&rtu), [0, 0, 1, 0]);
    mbpoll(&[&["-a", "2", "-t", "0", "-r", "0"], &rtu[..], &["1"]].concat()).unwrap();
    assert_eq!(coils(&rtu), [1, 0, 1, 0]);
}

#[test]
fn a_unit_on_the_line_hears_only_frames_with_silence_before_them_and_right_sums() {
    let plant = Plant::start(PLANT);
    let mut tty = Tty::open(plant.bus("line").as_ref(), BaudRate::B19200);
    // Holding register 0xFC02 of unit 1.
    let request = dmgw::links::modbus::wire::rtu::framed(1, &[3, 0xfc, 0x02, 0, 1]);
    let right = dmgw::links::modbus::wire::rtu::framed(1, &[3, 2, 0, 0x20]);
    let hears = |tty: &mut Tty, bytes: &[u8]| {
        tty.write(bytes);
        tty.read(right.len() + 1, Duration::from_millis(500))
    };
    assert_eq!(hears(&mut tty, &request), right);
    let broken: Vec<u8> = request.iter().map(|byte| byte ^ 1).collect();
    assert_eq!(hears(&mut tty, &broken), [0; 0]);
    assert_eq!(hears(&mut tty, &[&request[..], &request[..]].concat()), [0; 0], "two frames in one");
    assert_eq!(hears(&mut tty, &request), right);
}

fn settings(plant: &Plant) -> String {
    format!(
        "[clock]\ntrust = \"always\"\n[link.panel]\nevery = \"300ms\"\nsilent_after = \"2s\"\n\
         modbus-tcp = {{ at = {:?}, units = \"1-4\", bus = {{ timeout = \"300ms\" }} }}\n\
         [link.line]\nevery = \"300ms\"\nsilent_after = \"2s\"\n\
         modbus-rtu = {{ port = {:?}, baud = 19200, units = \"1-2\", bus = {{ timeout = \"300ms\" }} }}\n\
         [device.board]\nlink = \"line\"\naddress = \"2\"\nprofile = \"waveshare-relay-8ch\"\n",
        plant.bus("panel"),
        plant.bus("line")
    )
}

fn begun(plant: &Plant) -> Gateway {
    let mut gateway = Gateway::new(&settings(plant));
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles");
    gateway.start_with_env(&[("DMGW_PROFILES", shipped)]);
    gateway
}

fn point(gateway: &Gateway, device: &str, path: &str) -> Option<Value> {
    let shown = gateway.get(&format!("/v1/devices/{device}")).body;
    let points = shown["detail"]["points"].as_array()?.iter();
    points.filter(|point| point["point"] == path).map(|point| point["value"].clone()).find(|value| !value.is_null())
}

fn state(gateway: &Gateway, device: &str) -> Value {
    gateway.get(&format!("/v1/devices/{device}")).body["connectivity"].clone()
}

#[test]
fn the_gateway_finds_and_reads_them_and_what_it_reads_moves() {
    let plant = Plant::start(PLANT);
    let gateway = begun(&plant);
    let [three, speaking, one] = ["eastron:21340001", "schneider-electric:61500342", "eastron:19880077"]
        .map(|n| format!("urn:dev:dmgw:serial:{n}"));
    for (id, path) in [(&three, "phase.3.voltage"), (&speaking, "phase.2.current"), (&one, "phase.1.voltage")] {
        let before = eventually(&format!("{path} of {id} is read"), || point(&gateway, id, path));
        eventually("it moves", || point(&gateway, id, path).filter(|now| *now != before));
    }
    let counted = eventually("energy is read", || point(&gateway, &three, "energy.0.import")?.as_f64());
    assert!(counted > 0.0, "{counted}");
    assert_eq!(eventually("a setting", || point(&gateway, &one, "pulse.0.weight")), "100Wh");
    let says = gateway.get(&format!("/v1/devices/{speaking}")).ok()["detail"]["about"]["hardware"].clone();
    assert_eq!(says, "Schneider Electric iEM3155");
    let board = gateway.wait_for_device("board");
    let (code, says) = told(&gateway, &["write", "board", "relay.8.on", "true"]);
    assert_eq!(code, 0, "{says}");
    let read = gateway.operate(&board, json!({ "read": { "points": ["relay.8.on", "relay.3.on", "relay.1.on"] } }));
    let values = read.ok()["accepted"]["outcome"]["done"].clone();
    let is =
        |path: &str| values.as_array().and_then(|all| all.iter().find(|one| one[0] == path)).map(|one| one[1].clone());
    let relays = ["relay.8.on", "relay.3.on", "relay.1.on"].map(is);
    assert_eq!(relays, [Some(json!(true)), Some(json!(true)), Some(json!(false))], "{values}");
}

#[test]
fn a_unit_that_vanishes_is_silent_alone_and_comes_back() {
    let plant = Plant::start(&format!("{PLANT}{FALLS_SILENT}"));
    let gateway = begun(&plant);
    let meter = gateway.wait_for_device("urn:dev:dmgw:serial:eastron:19880077");
    eventually("it is silent", || (state(&gateway, &meter) == "silent").then_some(()));
    assert_eq!(state(&gateway, "board"), "up");
    eventually("it is back", || (state(&gateway, &meter) == "up").then_some(()));
}
