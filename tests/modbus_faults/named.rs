//! Each fault by its name, on each way: what comes of the request that it meets, and that what is asked next is right.

use std::time::Duration;

use dmgw::links::modbus::bus::{Bus, Urgency};
use dmgw::links::modbus::wire::{Answer, Exception, Odd, Request, Table, Wrong};
use tokio::time::Instant;

use crate::support::PATIENCE;
use crate::support::modbus::chance::{Believed, wrong};
use crate::support::modbus::{Fault, On, Server, record};
use crate::way::{Way, open};

/// A busy machine must not make a right answer late.
const TIMEOUT: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_millis(450);
const QUARANTINE: Duration = Duration::from_millis(600);
const UNIT: u8 = 2;
const OTHER: u8 = 3;

/// What a client takes for the truth, or why nothing.
async fn asked(bus: &Bus, unit: u8) -> Result<Believed, Wrong> {
    open(bus).await;
    let (from, read) = (record::now(), Request::Read { table: Table::Holding, at: 4, count: 2 });
    match bus.ask(unit, read, Instant::now() + PATIENCE, Urgency::Poll).await? {
        Answer::Words(values) => Ok(Believed { from, to: record::now(), unit, function: 3, address: 4, values }),
        other => panic!("{other:?}"),
    }
}

/// What is believed has been held by the server at that time.
fn bears_out(server: &Server, believed: Believed, what: &str) {
    assert_eq!(wrong(&[believed], &server.asked()), [], "{what}");
}

/// What comes of it: a right value, or an error that is as expected.
#[derive(Debug)]
enum Comes {
    Right,
    Wrong(Wrong),
    /// Lost, in whatever words of the system.
    Lost,
    /// No answer, for whatever reason.
    Odd,
}

fn odd(odd: Odd) -> Comes {
    Comes::Wrong(Wrong::NotAnAnswer(odd))
}

async fn on(test: &str, way: Way, fault: Fault, comes: Comes) {
    let Some(server) = way.server(test) else { return };
    let bus = way.bus(&server, TIMEOUT, QUARANTINE);
    bears_out(&server, asked(&bus, UNIT).await.unwrap(), "before it");
    server.fault(On::all().unit(UNIT).once(), fault);
    let met = asked(&bus, UNIT).await;
    println!("{test}: {way:?}: {}", met.as_ref().map_or_else(ToString::to_string, |_| "a right value".into()));
    match (met, comes) {
        (Ok(believed), Comes::Right) => bears_out(&server, believed, "in spite of it"),
        (Err(wrong), Comes::Wrong(expected)) => assert_eq!(wrong, expected, "{way:?}"),
        (Err(Wrong::Lost(_)), Comes::Lost) | (Err(Wrong::NotAnAnswer(_)), Comes::Odd) => {}
        (met, comes) => panic!("{way:?}: {comes:?} was expected, {met:?} came"),
    }
    assert_eq!(server.asked().iter().filter(|asked| !asked.faults.is_empty()).count(), 1, "it was met");
    for (unit, what) in [(OTHER, "another unit"), (UNIT, "the same unit"), (UNIT, "and again")] {
        bears_out(&server, asked(&bus, unit).await.unwrap_or_else(|wrong| panic!("{way:?}, {what}: {wrong}")), what);
    }
}

async fn on_each(test: &str, fault: Fault, comes: impl Fn(Way) -> Comes) {
    for way in [Way::Tcp, Way::RtuOverTcp, Way::Line] {
        on(test, way, fault.clone(), comes(way)).await;
    }
}

#[tokio::test]
async fn a_late_answer_is_none_and_not_the_next_one() {
    let silent = |_| Comes::Wrong(Wrong::Silent);
    on_each("a_late_answer_is_none_and_not_the_next_one", Fault::Delay(LATE), silent).await;
}

#[tokio::test]
async fn a_short_reply_is_refused_with_what_was_asked_for() {
    let short = |_| odd(Odd::Quantity { asked: 2, came: 1 });
    on_each("a_short_reply_is_refused_with_what_was_asked_for", Fault::Fewer(1), short).await;
}

#[tokio::test]
async fn a_reply_without_its_end_is_refused() {
    let ended = |_| odd(Odd::Length);
    on_each("a_reply_without_its_end_is_refused", Fault::Truncate(2), ended).await;
}

#[tokio::test]
async fn a_split_frame_is_put_together() {
    on_each("a_split_frame_is_put_together", Fault::Split(5, TIMEOUT / 6), |_| Comes::Right).await;
}

#[tokio::test]
async fn noise_before_a_frame_is_passed_over_where_there_can_be_any() {
    const NAME: &str = "noise_before_a_frame_is_passed_over_where_there_can_be_any";
    let comes = |way: Way| if way.is_rtu() { Comes::Right } else { Comes::Odd };
    on_each(NAME, Fault::Noise(vec![0xff, 0x00, 0xaa]), comes).await;
}

#[tokio::test]
async fn noise_behind_a_frame_speaks_against_it() {
    on_each("noise_behind_a_frame_speaks_against_it", Fault::Tail(vec![0x55, 0x00]), |_| odd(Odd::More)).await;
}

#[tokio::test]
async fn of_two_replies_in_one_piece_none_is_taken() {
    on_each("of_two_replies_in_one_piece_none_is_taken", Fault::Twice, |_| odd(Odd::More)).await;
}

#[tokio::test]
async fn a_reply_of_another_unit_is_refused_with_its_number() {
    let other = |_| odd(Odd::Unit(UNIT ^ 0x40));
    on_each("a_reply_of_another_unit_is_refused_with_its_number", Fault::wrong_unit(), other).await;
}

#[tokio::test]
async fn a_reply_to_another_function_is_refused() {
    const NAME: &str = "a_reply_to_another_function_is_refused";
    on_each(NAME, Fault::wrong_function(), |_| odd(Odd::Function(4))).await;
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_on_a_line_near_and_far() {
    for way in [Way::RtuOverTcp, Way::Line] {
        let name = "a_wrong_checksum_is_refused_on_a_line_near_and_far";
        on(name, way, Fault::wrong_crc(), odd(Odd::Checksum)).await;
    }
}

#[tokio::test]
async fn a_reply_of_another_transaction_is_refused() {
    let name = "a_reply_of_another_transaction_is_refused";
    on(name, Way::Tcp, Fault::wrong_transaction(), odd(Odd::Transaction)).await;
}

#[tokio::test]
async fn a_connection_that_is_cut_in_mid_frame_gives_no_value() {
    const NAME: &str = "a_connection_that_is_cut_in_mid_frame_gives_no_value";
    // A line cannot be cut off by who speaks on it: the rest never comes.
    let comes = |way: Way| if way == Way::Line { odd(Odd::Length) } else { Comes::Lost };
    on_each(NAME, Fault::Cut(5), comes).await;
}

#[tokio::test]
async fn a_gateway_that_reached_nobody_is_told_by_its_name() {
    let no_answer = |_| Comes::Wrong(Wrong::Exception(Exception::NoAnswer));
    on_each("a_gateway_that_reached_nobody_is_told_by_its_name", Fault::Exception(0x0b), no_answer).await;
}

/// A reply that stays away and comes with the next one, in one piece, from a unit that was left alone meanwhile.
#[tokio::test]
async fn a_reply_that_comes_glued_to_the_next_one_is_taken_for_neither() {
    const NAME: &str = "a_reply_that_comes_glued_to_the_next_one_is_taken_for_neither";
    let Some(server) = Way::Line.server(NAME) else { return };
    let bus = Way::Line.bus(&server, TIMEOUT, QUARANTINE);
    server.fault(On::all().unit(UNIT).once(), Fault::Glue);
    assert_eq!(asked(&bus, UNIT).await, Err(Wrong::Silent));
    assert_eq!(asked(&bus, UNIT).await, Err(Wrong::NotAnAnswer(Odd::More)));
    bears_out(&server, asked(&bus, UNIT).await.unwrap(), "what comes then");
}
