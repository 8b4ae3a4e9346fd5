//! The bus under faults by chance: whatever it hands out, the server's own record must bear out. Without what keeps it from
//! late answers wrong values must be found, else this finds nothing. And each fault by its name, with what comes of it.
//!
//! On TCP, on RTU over TCP, and on a serial line at 115 200 baud; the server is of another hand.

mod named;
#[path = "../support/mod.rs"]
mod support;
mod way;

use std::time::{Duration, Instant as Clock};

use dmgw::links::modbus::bus::{Bus, Urgency};
use dmgw::links::modbus::wire::{Answer, Request, Table, Wrong};
use support::PATIENCE;
use support::modbus::chance::{Believed, Chance, wrong};
use support::modbus::{On, Server, input, record};
use tokio::time::Instant;
use way::{REGISTERS, UNITS, Way, open};

const TIMEOUT: Duration = Duration::from_millis(50);

struct Seen {
    asked: usize,
    believed: usize,
    wrong: Vec<Believed>,
}

/// Asks for so long, with a fault for about each fourth request.
async fn seen(way: Way, server: &Server, bus: &Bus, units: u64, chance: &mut Chance, span: Duration) -> Seen {
    let (mut believed, mut asked, end) = (Vec::new(), 0, Clock::now() + span);
    while Clock::now() < end {
        open(bus).await;
        if chance.below(4) == 0 {
            server.fault(On::all().once(), chance.fault(way.is_rtu(), TIMEOUT));
        }
        let unit = 1 + chance.below(units) as u8;
        let (at, count) = (chance.below(REGISTERS) as u16, 1 + chance.below(2) as u16);
        let (from, read) = (record::now(), Request::Read { table: Table::Holding, at, count });
        let answer = bus.ask(unit, read, Instant::now() + PATIENCE, Urgency::Poll).await;
        asked += usize::from(!matches!(answer, Err(Wrong::NotSent(_))));
        if let Ok(Answer::Words(values)) = answer {
            believed.push(Believed { from, to: record::now(), unit, function: 3, address: at, values });
        }
        server.well();
    }
    Seen { asked, believed: believed.len(), wrong: wrong(&believed, &server.asked()) }
}

/// Longer than the latest answer of [`Chance::fault`].
const QUARANTINE: Duration = Duration::from_millis(200);

async fn nothing_wrong(name: &str, way: Way, span: Duration) {
    let Some(server) = way.server(name) else { return };
    let (bus, seed) = (way.bus(&server, TIMEOUT, QUARANTINE), 11);
    let seen = seen(way, &server, &bus, UNITS, &mut Chance::new(seed), span).await;
    println!("{name}: seed {seed}, {} asked, {} believed", seen.asked, seen.believed);
    assert_eq!(seen.wrong, []);
    assert!(seen.believed * 2 > seen.asked, "{} of {} believed", seen.believed, seen.asked);
}

const A_WHILE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn no_wrong_value_comes_over_tcp_whatever_goes_wrong() {
    nothing_wrong("no_wrong_value_comes_over_tcp_whatever_goes_wrong", Way::Tcp, A_WHILE).await;
}

#[tokio::test]
async fn no_wrong_value_comes_of_rtu_over_tcp_whatever_goes_wrong() {
    nothing_wrong("no_wrong_value_comes_of_rtu_over_tcp_whatever_goes_wrong", Way::RtuOverTcp, A_WHILE).await;
}

#[tokio::test]
async fn no_wrong_value_comes_of_a_line_whatever_goes_wrong() {
    nothing_wrong("no_wrong_value_comes_of_a_line_whatever_goes_wrong", Way::Line, A_WHILE).await;
}

#[tokio::test]
async fn a_line_in_order_is_never_spoken_into_too_early() {
    let Some(server) = Way::Line.server("a_line_in_order_is_never_spoken_into_too_early") else { return };
    let bus = Way::Line.bus(&server, PATIENCE, QUARANTINE);
    open(&bus).await;
    for at in 0..200 {
        let read = Request::Read { table: Table::Input, at, count: 1 + at % 100 };
        let answer = bus.ask(1, read, Instant::now() + PATIENCE, Urgency::Poll).await;
        assert!(matches!(&answer, Ok(Answer::Words(values)) if values[0] == input(1, at)), "{answer:?}");
    }
    assert_eq!((server.asked().len(), server.refused()), (200, vec![]));
}

#[tokio::test]
#[ignore = "long: a minute of faults on each way"]
async fn no_wrong_value_comes_in_a_minute_of_faults() {
    for way in [Way::Tcp, Way::RtuOverTcp, Way::Line] {
        nothing_wrong("no_wrong_value_comes_in_a_minute_of_faults", way, Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn without_the_quarantine_wrong_values_come_of_a_line_and_are_found() {
    const NAME: &str = "without_the_quarantine_wrong_values_come_of_a_line_and_are_found";
    let Some(server) = Way::Line.server(NAME) else { return };
    let (bus, mut chance, end) =
        (Way::Line.bus(&server, TIMEOUT, Duration::ZERO), Chance::new(11), Clock::now() + PATIENCE);
    let span = Duration::from_secs(1);
    // Of one unit alone, for the answers of others are known by their number.
    while seen(Way::Line, &server, &bus, 1, &mut chance, span).await.wrong.is_empty() {
        assert!(Clock::now() < end, "nothing wrong was found");
    }
}
