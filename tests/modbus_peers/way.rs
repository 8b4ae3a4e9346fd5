//! The way over TCP has the troubles that it is told to have.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::modbus::Server;
use crate::support::modbus::plain::{Plain, TWO_REGISTERS, TWO_VALUES, frame};
use crate::support::relay::{Relay, Trouble};

const A_WHILE: Duration = Duration::from_millis(300);

fn through(relay: &Relay) -> Plain {
    Plain::over(TcpStream::connect(("127.0.0.1", relay.port())).unwrap(), false)
}

#[test]
fn a_way_without_trouble_passes_all_on_and_ends_with_its_server() {
    const NAME: &str = "a_way_without_trouble_passes_all_on_and_ends_with_its_server";
    let Some(server) = Server::tcp(NAME, "1-3") else { return };
    let relay = Relay::to(server.port());
    let mut plain = through(&relay);
    assert_eq!(plain.asks(), frame(false, 1, 2, &TWO_VALUES));
    server.hang_up();
    assert!(plain.has_been_closed());
}

#[test]
fn a_slow_way_takes_its_time_for_each_byte() {
    let Some(server) = Server::tcp("a_slow_way_takes_its_time_for_each_byte", "1-3") else { return };
    let relay = Relay::to(server.port());
    let mut plain = through(&relay);
    relay.trouble(Trouble::Slow(200));
    let (began, right) = (Instant::now(), frame(false, 1, 2, &TWO_VALUES));
    plain.send(1, 2, &TWO_REGISTERS);
    plain.hears(&right);
    // Twelve bytes there, thirteen back, five milliseconds each.
    assert!(began.elapsed() >= Duration::from_millis(5) * (12 + 13));
    relay.trouble(Trouble::None);
    assert_eq!(plain.asks(), right);
}

#[test]
fn a_black_hole_gives_back_what_it_swallowed_when_it_is_over() {
    const NAME: &str = "a_black_hole_gives_back_what_it_swallowed_when_it_is_over";
    let Some(server) = Server::tcp(NAME, "1-3") else { return };
    let relay = Relay::to(server.port());
    let mut plain = through(&relay);
    relay.trouble(Trouble::BlackHole);
    plain.send(1, 2, &TWO_REGISTERS);
    assert!(plain.piece(A_WHILE).is_empty());
    assert!(server.asked().is_empty());
    relay.trouble(Trouble::None);
    plain.hears(&frame(false, 1, 2, &TWO_VALUES));
}

#[test]
fn a_connection_is_cut_in_the_middle_of_a_frame_reset_and_refused() {
    const NAME: &str = "a_connection_is_cut_in_the_middle_of_a_frame_reset_and_refused";
    let Some(server) = Server::tcp(NAME, "1-3") else { return };
    let relay = Relay::to(server.port());
    let mut plain = through(&relay);
    let over = |plain: &mut Plain| plain.stream.read(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::ConnectionReset);
    relay.trouble(Trouble::Cut(8));
    plain.send(1, 2, &TWO_REGISTERS);
    plain.hears(&frame(false, 1, 2, &TWO_VALUES)[..8]);
    assert!(over(&mut plain));
    relay.trouble(Trouble::Refuse);
    assert!(over(&mut through(&relay)));
    relay.trouble(Trouble::None);
    let mut plain = through(&relay);
    assert_eq!(plain.asks(), frame(false, 1, 2, &TWO_VALUES));
    relay.reset();
    assert!(over(&mut plain));
}
