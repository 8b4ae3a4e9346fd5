//! A slow line that is busy all of the time, in the running daemon: what one dead unit costs the others, and
//! how soon a command gets through. The server paces its bytes at the baud and refuses what comes too soon after another
//! frame; its own record is the witness.

mod support;

use std::time::Duration;

use dmgw::links::modbus::wire::timing::Pace;
use dmgw::links::modbus::wire::{Request, Table};
use serde_json::json;
use support::modbus::record::{Asked, now};
use support::modbus::{Fault, On, Server};
use support::{Gateway, eventually};

/// On either line.
const DEAD: u8 = 7;
const LINE: Pace = Pace { baud: 9_600, bits: 11 };
/// As the settings have it if nothing is said.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Reading and writing by the daemon, beside what is on the wire.
const OVERHEAD: Duration = Duration::from_millis(50);

/// All units are read as often as their line allows: once a second is more than it can.
fn started(lines: &[(&str, &Server)], units: u8, registers: u16) -> Gateway {
    let last = registers - 1;
    let mut settings = format!(
        "[clock]\ntrust = \"always\"\n[profile.rig.modbus]\ngap = 124\n[profile.rig.point]\n\
         \"a.first\" = {{ modbus = {{ holding = 0 }} }}\n\"a.last\" = {{ modbus = {{ holding = {last} }} }}\n\
         \"a.set\" = {{ modbus = {{ holding = 500 }}, access = \"write\" }}\n"
    );
    for (line, server) in lines {
        settings += &format!(
            "[link.{line}]\nevery = \"1s\"\nsilent_after = \"60s\"\n\
             modbus-rtu = {{ port = {:?}, parity = \"even\" }}\n",
            server.pty()
        );
        for unit in 1..=units {
            settings +=
                &format!("[device.{line}-{unit}]\nlink = \"{line}\"\naddress = \"{unit}\"\nprofile = \"rig\"\n");
        }
    }
    let mut gateway = Gateway::new(&settings);
    gateway.start();
    gateway
}

fn polls(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.function == 3).collect()
}

/// Requests to others than the dead unit. All of them are asked in turn, so each one's period goes by how many these are.
fn others(server: &Server, from: u64, to: u64) -> f64 {
    let others = |asked: &Asked| asked.unit != DEAD && (from..to).contains(&asked.at);
    let count = polls(server).into_iter().filter(others).count();
    assert!(count > 20, "{count} requests in {} ms", (to - from) / 1_000);
    count as f64
}

/// When the dead unit was asked for the so-manieth time after that.
fn asked_in_vain(server: &Server, after: u64, no: usize) -> u64 {
    eventually("the dead unit is asked", || {
        polls(server).into_iter().filter(|asked| asked.unit == DEAD && asked.at > after).nth(no).map(|asked| asked.at)
    })
}

#[test]
fn a_dead_unit_among_32_at_9600_baud_costs_the_others_less_than_a_tenth_of_their_pace() {
    let name = "a_dead_unit_among_32_at_9600_baud";
    let Some(server) = Server::rtu_pty(name, "1-32", 9_600) else { return };
    // Another line, whose units are all well, at the same time: whatever else the machine does slows both.
    let Some(well) = Server::rtu_pty(name, "1-32", 9_600) else { return };
    let _gateway = started(&[("bus", &server), ("well", &well)], 32, 10);
    for server in [&server, &well] {
        eventually("all units were read", || (polls(server).len() > 64).then_some(()));
    }
    server.fault(On::all().unit(DEAD), Fault::Mute);
    let dead = now();
    let tries: Vec<u64> = (0..3).map(|no| asked_in_vain(&server, dead, no)).collect();
    let stretch = |from: usize, to: usize| {
        (others(&well, tries[from], tries[to]) / others(&server, tries[from], tries[to]) - 1.0) * 100.0
    };
    // The first time it is soon asked once more; from then on it is left alone for the most part.
    let (first, later) = (stretch(0, 1), stretch(1, 2));
    println!(
        "one dead of 32 at 9600 baud: the others' period is longer by {later:.1} % ({first:.1} % until the second try)"
    );
    assert!(later < 10.0, "{later:.1} %");
    assert!(first > 10.0, "a time-out that is not spared must show: {first:.1} %");
    assert_eq!(server.refused(), [], "no frame came too soon");
}

#[test]
fn a_command_gets_on_a_busy_line_within_one_request_and_in_a_time_out_within_that() {
    let Some(server) = Server::rtu_pty("a_command_gets_on_a_busy_line", "1-8", 9_600) else { return };
    let gateway = started(&[("bus", &server)], 8, 100);
    let third = gateway.wait_for_device("bus-3");
    let request = Request::Read { table: Table::Holding, at: 0, count: 100 };
    let one = LINE.answered_within(&request, Duration::ZERO) + 2 * LINE.silence();
    let write = Request::WriteRegister { at: 500, value: 0 };
    let own = LINE.answered_within(&write, Duration::ZERO) + 2 * LINE.silence();
    let command = |value: u64| {
        let began = now();
        let done = gateway.operate(&third, json!({ "write": { "point": "a.0.set", "value": value } })).ok();
        assert_eq!(done["accepted"]["state"], "done", "{done}");
        let ended = now();
        let written = |asked: &Asked| asked.function == 6 && asked.values == [value as u16];
        let sent = server.asked().into_iter().find(written).expect("it was written").at;
        (Duration::from_micros(sent - began), Duration::from_micros(ended - began))
    };
    let strained = eventually("it is told that the line cannot keep up", || {
        gateway.get("/v1/links").ok()["links"][0]["strained"].as_str().map(str::to_owned)
    });
    assert!(strained.contains("% of the line at 9600 baud"), "{strained}");
    let (_, shown) = support::told(&gateway, &["link", "show", "bus"]);
    assert!(shown.contains("strained") && shown.contains("polls need"), "{shown}");
    let (exit, checked) = support::told(&gateway, &["check"]);
    assert!(exit == 0 && checked.contains("warning: link bus: polls need 202 %"), "{checked}");
    let mut times: Vec<(Duration, Duration)> = (1..=9).map(command).collect();
    times.sort_unstable();
    let ((half, _), (most, answered)) = (times[4], times[8]);
    println!(
        "a command on a busy line at 9600 baud, a request takes {one:?}: on the wire after {half:?}, {most:?} at most; \
         answered within {answered:?}"
    );
    assert!(most < one + own + OVERHEAD, "on the wire after {most:?}");
    assert!(times.iter().all(|(_, answered)| *answered < 2 * one + OVERHEAD), "{times:?}");
    // While a dead unit is waited for, nobody else can be asked.
    server.fault(On::all().unit(DEAD), Fault::Mute);
    asked_in_vain(&server, now(), 0);
    let (sent, answered) = command(10);
    println!("in the time-out of a dead unit: on the wire after {sent:?}, answered within {answered:?}");
    assert!(answered < TIMEOUT + one + own + OVERHEAD, "{answered:?}");
}
