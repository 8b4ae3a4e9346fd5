//! The doors for engineers to the wire of a link over Modbus, behind the real daemon: what they show and do is held against
//! the record of a server by another hand, and against mbpoll and tshark, which know nothing of us.

#[path = "../support/mod.rs"]
mod support;

mod lend;
mod raw;
mod trace;
mod units;

use serde_json::Value;
use support::modbus::Server;
use support::{Gateway, text};

/// Two registers of each unit; nobody but the tests asks for what stands from 600 on.
const DEVICES: &str = r#"
[profile.rig]
[profile.rig.point."a.first"]
modbus = { holding = 10 }
[profile.rig.point."a.second"]
modbus = { holding = 11 }
[device.one]
link = "bus"
address = "1"
profile = "rig"
[device.two]
link = "bus"
address = "2"
profile = "rig"
"#;

fn started(link: &str) -> Gateway {
    let mut gateway = Gateway::new(&format!(
        "[clock]\ntrust = \"always\"\n[limits]\nrequests = 0\n[link.bus]\nevery = \"100ms\"\nsilent_after = \"2s\"\n{link}\n{DEVICES}"
    ));
    gateway.start();
    for device in ["one", "two"] {
        gateway.wait_for_device(device);
    }
    gateway
}

fn over_tcp(name: &str) -> Option<(Server, Gateway)> {
    let server = Server::tcp(name, "1-2")?;
    let link = format!("modbus-tcp = {{ at = \"127.0.0.1:{}\", bus = {{ timeout = \"1s\" }} }}", server.port());
    let gateway = started(&link);
    Some((server, gateway))
}

fn over_rtu(name: &str) -> Option<(Server, Gateway)> {
    let server = Server::rtu_pty(name, "1-2", 115_200)?;
    let link = format!(
        "modbus-rtu = {{ port = {:?}, baud = 115200, bus = {{ timeout = \"500ms\", slowest = \"1s\" }} }}",
        server.pty()
    );
    let gateway = started(&link);
    Some((server, gateway))
}

/// How it ended, what it printed as JSON.
fn json_of(gateway: &Gateway, words: &[&str]) -> (i32, Value) {
    let ended = gateway.cli(&[words, &["--json"]].concat());
    let shown = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("{words:?}: {}", text(&ended.stderr)));
    (ended.status.code().unwrap(), shown)
}

/// What the journal tells of such a deed, the oldest first.
fn audits(gateway: &Gateway, what: &str) -> Vec<Value> {
    let page = gateway.get("/v1/journal/vital?fresh=true&limit=1000").ok();
    let records = page["records"].as_array().unwrap().iter().map(|held| held["record"]["audit"].clone());
    records.filter(|audit| audit["what"] == what).collect()
}
