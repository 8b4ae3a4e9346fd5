//! The Modbus peers of our tests, proved themselves: what they say is what the image holds, read by mbpoll and by plain
//! bytes; each fault is on the wire; a line has the beat of its baud and refuses whom it must.

mod beat;
mod faults;
mod judged;
#[path = "../support/mod.rs"]
mod support;
mod way;

use std::net::TcpListener;

use nix::sys::termios::BaudRate;
use support::PATIENCE;
use support::modbus::line::{Cable, Tty, has_mbpoll, mbpoll, over_tcp};
use support::modbus::plain::{Plain, TWO_REGISTERS, TWO_VALUES, frame};
use support::modbus::{Server, coil, discrete, holding, input};

fn seen(port: u16, unit: &str, table: &str, at: u16, count: u16) -> Result<Vec<u16>, String> {
    let (at, count, how) = (at.to_string(), count.to_string(), over_tcp(port));
    let words = ["-a", unit, "-t", table, "-r", &at, "-c", &count, "127.0.0.1"];
    mbpoll(&how.iter().map(String::as_str).chain(words).collect::<Vec<_>>())
}

fn holds<T: Into<u16>>(unit: u8, at: u16, count: u16, value: fn(u8, u16) -> T) -> Result<Vec<u16>, String> {
    Ok((at..at + count).map(|at| value(unit, at).into()).collect())
}

#[test]
fn mbpoll_reads_what_the_image_says_in_each_table() {
    const NAME: &str = "mbpoll_reads_what_the_image_says_in_each_table";
    let Some(server) = Server::tcp(NAME, "1-3,200") else { return };
    if !has_mbpoll(NAME) {
        return;
    }
    for (name, unit) in [("1", 1), ("3", 3), ("200", 200)] {
        assert_eq!(seen(server.port(), name, "4", 17, 9), holds(unit, 17, 9, holding));
        assert_eq!(seen(server.port(), name, "3", 990, 10), holds(unit, 990, 10, input));
        assert_eq!(seen(server.port(), name, "0", 3, 40), holds(unit, 3, 40, coil));
        assert_eq!(seen(server.port(), name, "1", 0, 8), holds(unit, 0, 8, discrete));
    }
    assert!(seen(server.port(), "3", "4", 995, 6).unwrap_err().contains("Illegal data address"));
    let asked = server.asked();
    assert_eq!(asked.len(), 13);
    assert_eq!(Ok(asked[0].values.clone()), holds(1, 17, 9, holding));
    assert_eq!((asked[12].said.as_str(), asked[12].address, asked[12].count), ("exception 2", 995, 6));
}

#[test]
fn an_image_a_write_and_a_counter_are_what_is_read_afterwards() {
    const NAME: &str = "an_image_a_write_and_a_counter_are_what_is_read_afterwards";
    let image = "# of somebody else\n9 holding 40000 1 0x0203 65535\n9 input 30 4\n9 coil 7 1\n";
    let Some(server) = Server::start(NAME, &[], image) else { return };
    let mut plain = Plain::on(&server, false);
    plain.send(7, 9, &[3, 0x9c, 0x40, 0, 3]);
    plain.hears(&frame(false, 7, 9, &[3, 6, 0, 1, 2, 3, 255, 255]));
    // It holds these and no others.
    plain.send(8, 9, &[3, 0x9c, 0x40, 0, 4]);
    plain.hears(&frame(false, 8, 9, &[0x83, 2]));
    plain.send(9, 9, &[6, 0x9c, 0x41, 0xab, 0xcd]);
    plain.hears(&frame(false, 9, 9, &[6, 0x9c, 0x41, 0xab, 0xcd]));
    server.set("9 holding 40000 77");
    server.counts("9 holding 40002");
    plain.send(10, 9, &[3, 0x9c, 0x40, 0, 3]);
    plain.hears(&frame(false, 10, 9, &[3, 6, 0, 77, 0xab, 0xcd, 0, 0]));
    let values: Vec<Vec<u16>> = server.asked().into_iter().map(|asked| asked.values).collect();
    assert_eq!(values[2..], [vec![0xabcd], vec![77, 0xabcd, 0]]);
}

#[test]
fn pymodbus_and_libmodbus_say_the_same() {
    const NAME: &str = "pymodbus_and_libmodbus_say_the_same";
    let words = ["by=listen", "units=1-3"];
    let (Some(one), Some(other)) = (Server::tcp(NAME, "1-3"), Server::pymodbus(NAME, &words, "")) else { return };
    let mut both = [Plain::on(&one, false), Plain::on(&other, false)];
    let long = [&[16, 0, 9, 0, 3, 6][..], &[1, 2, 3, 4, 5, 6]].concat();
    for pdu in [
        &[1, 0, 3, 0, 37][..],
        &[2, 0, 0, 0, 8],
        &[3, 0, 5, 0, 120],
        &[4, 3, 0, 0, 2],
        &[3, 3, 230, 0, 6],
        &[5, 0, 4, 255, 0],
        &[6, 0, 4, 1, 44],
        &[15, 0, 2, 0, 10, 2, 0b1010_0101, 0b10],
        &long,
        &[22, 0, 9, 0, 0xf2, 0, 0x25],
        &[1, 0, 0, 0, 16],
        &[3, 0, 4, 0, 10],
    ] {
        let [one, other] = both.each_mut().map(|plain| {
            plain.send(3, 2, pdu);
            plain.piece(PATIENCE)
        });
        assert_eq!(one, other, "{pdu:?}");
        assert!(one.len() > 8, "{pdu:?}");
    }
    assert_eq!(other.asked().len(), 12);
}

#[test]
fn pymodbus_serves_a_line_too() {
    const NAME: &str = "pymodbus_serves_a_line_too";
    let Some(cable) = Cable::new(NAME) else { return };
    let tty = format!("tty={}", cable.a().display());
    let Some(_server) = Server::pymodbus(NAME, &["by=tty", &tty, "units=4"], "") else { return };
    let mut tty = Tty::open(&cable.b(), BaudRate::B115200);
    tty.write(&frame(true, 0, 4, &[4, 0, 2, 0, 1]));
    let value = input(4, 2).to_be_bytes();
    assert_eq!(tty.read(7, PATIENCE), frame(true, 0, 4, &[4, 2, value[0], value[1]]));
}

#[test]
fn who_calls_in_calls_again_when_it_was_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(server) = Server::dials("who_calls_in_calls_again_when_it_was_cut_off", "2", port) else { return };
    for _ in 0..2 {
        let mut plain = Plain::over(listener.accept().unwrap().0, false);
        plain.send(1, 2, &TWO_REGISTERS);
        plain.hears(&frame(false, 1, 2, &TWO_VALUES));
        server.hang_up();
        assert!(plain.has_been_closed());
    }
}

#[test]
fn what_identifies_a_unit_comes_in_as_many_answers_as_it_takes() {
    const NAME: &str = "what_identifies_a_unit_comes_in_as_many_answers_as_it_takes";
    let long = "x".repeat(200);
    let image = format!("5 identity 0 Acme\n5 identity 1 M 1\n5 identity 128 {long}\n5 identity 129 {long}\n");
    let Some(server) = Server::start(NAME, &[], &image) else { return };
    let mut plain = Plain::on(&server, false);
    let mut ask = |level: u8, object: u8| {
        plain.send(1, 5, &[43, 14, level, object]);
        plain.piece(PATIENCE)[7..].to_vec()
    };
    let basic = [&[43, 14, 1, 0x83, 0, 0, 2, 0, 4][..], b"Acme", &[1, 3], b"M 1"].concat();
    assert_eq!(ask(1, 0), basic);
    let more = ask(3, 0);
    assert_eq!((&more[..7], more.len()), (&[43, 14, 3, 0x83, 0xff, 129, 3][..], 7 + 6 + 5 + 202));
    let last = [&[43, 14, 3, 0x83, 0, 0, 1, 129, 200], long.as_bytes()].concat();
    assert_eq!(ask(3, 129), last);
    assert_eq!(ask(4, 9), [0xab, 2]);
}

#[test]
fn what_is_said_to_all_is_written_by_all_and_answered_by_none() {
    const NAME: &str = "what_is_said_to_all_is_written_by_all_and_answered_by_none";
    let Some(server) = Server::rtu_over_tcp(NAME, "1-3") else { return };
    let mut plain = Plain::on(&server, true);
    plain.send(0, 0, &[6, 0, 5, 0x12, 0x34]);
    // The next that comes is the answer to the next.
    for unit in 1..=3 {
        plain.send(0, unit, &[3, 0, 5, 0, 1]);
        plain.hears(&frame(true, 0, unit, &[3, 2, 0x12, 0x34]));
    }
}
