//! Each fault is on the wire, and gone when it is over.

use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::modbus::plain::{Plain, TWO_REGISTERS, TWO_VALUES, frame};
use crate::support::modbus::{Fault, On, Server};

/// As long as one looks for what must not come.
const A_WHILE: Duration = Duration::from_millis(300);

#[test]
fn each_fault_is_on_the_wire_of_tcp() {
    let Some(server) = Server::tcp("each_fault_is_on_the_wire_of_tcp", "1-3") else { return };
    let right = frame(false, 1, 2, &TWO_VALUES);
    let changed = |at: usize, mask: u8| {
        let mut bytes = right.clone();
        bytes[at] ^= mask;
        bytes
    };
    for (fault, expected) in [
        (Fault::Mute, vec![]),
        (Fault::Exception(0x0b), frame(false, 1, 2, &[0x83, 0x0b])),
        (Fault::Most(1, 3), frame(false, 1, 2, &[0x83, 3])),
        (Fault::Most(2, 3), right.clone()),
        (Fault::Fewer(1), frame(false, 1, 2, &[3, 2, 2, 5])),
        (Fault::wrong_unit(), changed(6, 0x40)),
        (Fault::wrong_function(), changed(7, 7)),
        (Fault::wrong_transaction(), changed(1, 0x80)),
        (Fault::Break(-1, 1), changed(12, 1)),
        (Fault::Truncate(3), right[..10].to_vec()),
        (Fault::Noise(vec![0xaa, 0xbb]), [&[0xaa, 0xbb], &right[..]].concat()),
        (Fault::Tail(vec![0xcc]), [&right[..], &[0xcc]].concat()),
        (Fault::Twice, right.repeat(2)),
    ] {
        server.fault(On::all().unit(2).once(), fault.clone());
        assert_eq!(Plain::on(&server, false).asks(), expected, "{fault:?}");
        server.well();
        assert_eq!(Plain::on(&server, false).asks(), right, "well again after {fault:?}");
    }
    let first = &server.asked()[0];
    assert_eq!((first.said.as_str(), &first.faults[..]), ("nothing", &["mute".to_owned()][..]));
    // What a fault makes of an answer is no truth.
    let of_two = server.asked().into_iter().filter(|asked| asked.unit == 2 && asked.said == "answer");
    assert!(of_two.map(|asked| asked.values).all(|values| values == [517, 518]));
}

#[test]
fn each_fault_of_rtu_has_a_right_crc_unless_it_is_the_fault() {
    const NAME: &str = "each_fault_of_rtu_has_a_right_crc_unless_it_is_the_fault";
    let Some(server) = Server::rtu_over_tcp(NAME, "1-3") else { return };
    let right = frame(true, 0, 2, &TWO_VALUES);
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 0x55;
    for (fault, expected) in [
        (Fault::wrong_crc(), wrong),
        (Fault::wrong_unit(), frame(true, 0, 0x42, &TWO_VALUES)),
        (Fault::wrong_function(), frame(true, 0, 2, &[4, 4, 2, 5, 2, 6])),
        (Fault::Fewer(2), frame(true, 0, 2, &[3, 0])),
        (Fault::Exception(6), frame(true, 0, 2, &[0x83, 6])),
        (Fault::Twice, right.repeat(2)),
    ] {
        server.fault(On::all().unit(2).once(), fault.clone());
        assert_eq!(Plain::on(&server, true).asks(), expected, "{fault:?}");
        assert_eq!(Plain::on(&server, true).asks(), right, "once was enough of {fault:?}");
    }
}

#[test]
fn a_fault_of_some_addresses_leaves_the_others_alone() {
    let Some(server) = Server::tcp("a_fault_of_some_addresses_leaves_the_others_alone", "1-3") else { return };
    server.fault(On::all().at(10, 19), Fault::Exception(2));
    let mut plain = Plain::on(&server, false);
    for (at, count, refused) in [(8, 2, false), (8, 3, true), (19, 1, true), (20, 1, false)] {
        plain.send(1, 2, &[3, 0, at, 0, count]);
        let values: Vec<u8> = (at..at + count).flat_map(|at| [2, at]).collect();
        let answer = if refused { vec![0x83, 2] } else { [&[3, 2 * count][..], &values].concat() };
        plain.hears(&frame(false, 1, 2, &answer));
    }
}

#[test]
fn a_late_answer_lets_others_pass_and_comes() {
    let Some(server) = Server::tcp("a_late_answer_lets_others_pass_and_comes", "1-3") else { return };
    server.fault(On::all().unit(2).at(5, 6).once(), Fault::Delay(A_WHILE));
    let (mut plain, began) = (Plain::on(&server, false), Instant::now());
    plain.send(1, 2, &TWO_REGISTERS);
    plain.send(2, 3, &[3, 0, 0, 0, 1]);
    plain.hears(&frame(false, 2, 3, &[3, 2, 3, 0]));
    plain.hears(&frame(false, 1, 2, &TWO_VALUES));
    assert!(began.elapsed() >= A_WHILE);
}

#[test]
fn answers_are_glued_split_repeated_and_cut() {
    let Some(server) = Server::tcp("answers_are_glued_split_repeated_and_cut", "1-3") else { return };
    let mut plain = Plain::on(&server, false);
    let right = frame(false, 1, 2, &TWO_VALUES);
    server.fault(On::all().once(), Fault::Glue);
    plain.send(1, 2, &TWO_REGISTERS);
    assert!(plain.piece(A_WHILE).is_empty());
    plain.send(2, 3, &[3, 0, 0, 0, 1]);
    let other = frame(false, 2, 3, &[3, 2, 3, 0]);
    assert_eq!(plain.piece(PATIENCE), [&right[..], &other].concat());
    // The answer before, word for word, transaction too.
    server.fault(On::all().once(), Fault::Stale);
    plain.send(1, 2, &TWO_REGISTERS);
    plain.hears(&other);
    let began = Instant::now();
    server.fault(On::all().once(), Fault::Split(9, A_WHILE));
    plain.send(1, 2, &TWO_REGISTERS);
    assert_eq!(plain.piece(PATIENCE), right[..9]);
    plain.hears(&right[9..]);
    assert!(began.elapsed() >= A_WHILE);
    server.fault(On::all().once(), Fault::Cut(8));
    plain.send(1, 2, &TWO_REGISTERS);
    plain.hears(&right[..8]);
    assert!(plain.has_been_closed());
}
