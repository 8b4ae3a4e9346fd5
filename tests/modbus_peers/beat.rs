//! A line has the beat of its baud, and refuses whom it must.

use std::time::{Duration, Instant};

use nix::sys::termios::BaudRate;

use crate::holds;
use crate::support::modbus::line::{Tty, has_mbpoll, mbpoll};
use crate::support::modbus::plain::{TWO_REGISTERS, frame};
use crate::support::modbus::{Server, holding};
use crate::support::{self, PATIENCE, eventually};

const BITS_OF_A_CHARACTER: f64 = 11.0;

fn characters(count: usize, baud: f64) -> Duration {
    Duration::from_secs_f64(count as f64 * BITS_OF_A_CHARACTER / baud)
}

#[test]
fn mbpoll_reads_a_line_at_its_baud_and_at_no_other() {
    const NAME: &str = "mbpoll_reads_a_line_at_its_baud_and_at_no_other";
    let Some(server) = Server::rtu_pty(NAME, "1-3", 9600) else { return };
    if !has_mbpoll(NAME) {
        return;
    }
    let pty = server.pty();
    let read = |baud: &str| {
        let how = ["-m", "rtu", "-b", baud, "-P", "none", "-o", "0.5", "-a", "2", "-t", "4", "-r", "30", "-c", "4"];
        mbpoll(&[&how[..], &[pty.to_str().unwrap()]].concat())
    };
    assert_eq!(read("9600"), holds(2, 30, 4, holding));
    assert!(read("19200").is_err());
    assert_eq!(server.asked().len(), 1);
    assert_eq!(server.refused()[0].refused, "baud");
}

/// Requests one after the other, each as soon as the line allows; how long they took, and as the beat has it.
fn conversation(server: &Server, speed: BaudRate, baud: f64, frames: usize, registers: u8) -> (Duration, Duration) {
    let mut tty = Tty::open(&server.pty(), speed);
    let silence = if baud > 19_200.0 { Duration::from_micros(1_750) } else { characters(7, baud) / 2 };
    let (request, length) = (frame(true, 0, 2, &[3, 0, 0, 0, registers]), 5 + 2 * usize::from(registers));
    // The answer comes when the request has passed, after the silence that ends it.
    let exchange = characters(request.len() + length, baud) + silence;
    let mut took = Duration::ZERO;
    for _ in 0..frames {
        let began = Instant::now();
        tty.write(&request);
        assert_eq!(tty.read(length, PATIENCE).len(), length);
        took += began.elapsed();
        // What passes here is no part of it: only that the line is silent for long enough.
        support::pause(2 * silence);
    }
    (took, exchange * frames as u32)
}

#[test]
fn a_line_is_as_fast_as_its_baud_within_a_twentieth() {
    const NAME: &str = "a_line_is_as_fast_as_its_baud_within_a_twentieth";
    let Some(slow) = Server::rtu_pty(NAME, "2", 2400) else { return };
    let Some(fast) = Server::rtu_pty(NAME, "2", 115_200) else { return };
    for (server, speed, baud, frames, registers) in
        [(slow, BaudRate::B2400, 2_400.0, 4, 10), (fast, BaudRate::B115200, 115_200.0, 20, 125)]
    {
        // Never faster; slower only where the machine is busy with others, so the best of a few counts.
        let ratio = |_| {
            let (took, computed) = conversation(&server, speed, baud, frames, registers);
            took.as_secs_f64() / computed.as_secs_f64()
        };
        let best = eventually("it keeps the beat", || Some(ratio(())).filter(|ratio| *ratio <= 1.05));
        assert!(best >= 0.95, "{baud} baud: {best}");
        assert_eq!(server.refused(), []);
    }
}

#[test]
fn a_line_without_a_baud_has_no_beat_and_refuses_nobody() {
    const NAME: &str = "a_line_without_a_baud_has_no_beat_and_refuses_nobody";
    let Some(server) = Server::rtu_pty(NAME, "2", 0) else { return };
    // As if it were one of 300 baud, which would take more than a second.
    let mut tty = Tty::open(&server.pty(), BaudRate::B300);
    let (began, request) = (Instant::now(), frame(true, 0, 2, &[6, 0, 5, 0, 7]));
    for _ in 0..3 {
        tty.write(&request);
        assert_eq!(tty.read(8, PATIENCE), request);
    }
    assert!(began.elapsed() < characters(2 * 3 * 8, 300.0) / 2);
    assert_eq!((server.asked().len(), server.refused().len()), (3, 0));
}

/// At 300 baud a character takes 37 ms, so a busy machine does not matter: silence of 3.5 is 128 ms.
#[test]
fn who_speaks_after_one_character_of_silence_is_refused() {
    const NAME: &str = "who_speaks_after_one_character_of_silence_is_refused";
    let Some(server) = Server::rtu_pty(NAME, "2", 300) else { return };
    let mut tty = Tty::open(&server.pty(), BaudRate::B300);
    let request = frame(true, 0, 2, &[6, 0, 5, 0, 7]);
    tty.write(&request);
    assert_eq!(tty.read(8, PATIENCE), request, "a write is answered as it was asked");
    support::pause(characters(1, 300.0));
    tty.write(&request);
    eventually("it is refused", || server.refused().into_iter().next());
    let refused = &server.refused()[0];
    assert_eq!(refused.refused, "silence");
    assert!(refused.silence < 128_000, "{refused:?}");
    assert_eq!(server.asked().len(), 1, "and not carried out");
    // After silence enough it is a device as any other.
    support::pause(characters(5, 300.0));
    tty.write(&request);
    assert_eq!(tty.read(8, PATIENCE), request);
    assert_eq!((server.asked().len(), server.refused().len()), (2, 1));
}

#[test]
fn two_frames_without_silence_between_them_are_one_that_nobody_understands() {
    const NAME: &str = "two_frames_without_silence_between_them_are_one_that_nobody_understands";
    let Some(server) = Server::rtu_pty(NAME, "2", 1200) else { return };
    let mut tty = Tty::open(&server.pty(), BaudRate::B1200);
    tty.write(&frame(true, 0, 2, &TWO_REGISTERS).repeat(2));
    eventually("it is refused", || server.refused().into_iter().next());
    assert_eq!(server.refused()[0].refused, "crc");
    assert_eq!(server.asked(), []);
}
