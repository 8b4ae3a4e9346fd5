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

/// All units are read as often as the line allows: once a second is more than it can.
fn started(server: &Server, units: u8, registers: u16) -> Gateway {
    let last = registers - 1;
    let mut settings = format!(
        "[clock]\ntrust = \"always\"\n[link.bus]\nevery = \"1s\"\nsilent_after = \"60s\"\n\
         modbus-rtu = {{ port = {:?}, parity = \"even\" }}\n\
         [profile.rig.modbus]\ngap = 124\n[profile.rig.point]\n\"a.first\" = {{ modbus = {{ holding = 0 }} }}\n\
         \"a.last\" = {{ modbus = {{ holding = {last} }} }}\n\
         \"a.set\" = {{ modbus = {{ holding = 500 }}, access = \"write\" }}\n",
        server.pty()
    );
    for unit in 1..=units {
        settings += &format!("[device.d{unit}]\nlink = \"bus\"\naddress = \"{unit}\"\nprofile = \"rig\"\n");
    }
    let mut gateway = Gateway::new(&settings);
    gateway.start();
    gateway
}

fn polls(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| asked.function == 3).collect()
}

/// How far requests to others than the dead unit are apart in the mean, and thus the period of each of them.
fn apart(server: &Server, from: u64, to: u64) -> f64 {
    let others = |asked: &Asked| asked.unit != DEAD && (from..to).contains(&asked.at);
    let count = polls(server).into_iter().filter(others).count();
    assert!(count > 30, "{count} requests in {} s", (to - from) / 1_000_000);
    (to - from) as f64 / count as f64
}

/// When the dead unit was asked for the so-manieth time after that.
fn asked_in_vain(server: &Server, after: u64, no: usize) -> u64 {
    eventually("the dead unit is asked", || {
        polls(server).into_iter().filter(|asked| asked.unit == DEAD && asked.at > after).nth(no).map(|asked| asked.at)
    })
}

#[test]
fn a_dead_unit_among_32_at_9600_baud_costs_the_others_less_than_a_tenth_of_their_pace() {
    let Some(server) = Server::rtu_pty("a_dead_unit_among_32", "1-32", 9_600) else { return };
    let _gateway = started(&server, 32, 10);
    let rounds = |unit: u8| polls(&server).into_iter().filter(move |asked| asked.unit == unit).map(|asked| asked.at);
    let healthy: Vec<u64> = eventually("some rounds are over", || {
        let rounds: Vec<u64> = rounds(DEAD).collect();
        (rounds.len() > 5).then_some(rounds)
    });
    let well = apart(&server, healthy[1], healthy[5]);
    server.fault(On::all().unit(DEAD), Fault::Mute);
    let dead = now();
    let tries: Vec<u64> = (0..3).map(|no| asked_in_vain(&server, dead, no)).collect();
    // The first time it is soon asked once more; from then on it is left alone for the most part.
    let (first, later) = (apart(&server, tries[0], tries[1]), apart(&server, tries[1], tries[2]));
    let stretch = |apart: f64| (apart / well - 1.0) * 100.0;
    println!(
        "one dead of 32 at 9600 baud: the others' period is longer by {:.1} % ({:.1} % until the second try)",
        stretch(later),
        stretch(first)
    );
    assert!(stretch(later) < 10.0, "{:.1} %", stretch(later));
    assert!(stretch(first) > 10.0, "a time-out that is not spared must show: {:.1} %", stretch(first));
    assert_eq!(server.refused(), [], "no frame came too soon");
}

#[test]
fn a_command_gets_on_a_busy_line_within_one_request_and_in_a_time_out_within_that() {
    let Some(server) = Server::rtu_pty("a_command_gets_on_a_busy_line", "1-8", 9_600) else { return };
    let gateway = started(&server, 8, 100);
    let third = gateway.wait_for_device("d3");
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
