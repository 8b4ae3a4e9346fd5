//! The judge finds out who believes too much: the same client, under the same faults, that goes on after a doubt, and one
//! that begins anew.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use crate::support::eventually;
use crate::support::modbus::chance::{Believed, Chance, wrong};
use crate::support::modbus::plain::{Plain, frame};
use crate::support::modbus::{On, Server, record};

const PATIENCE: Duration = Duration::from_millis(40);
const REQUESTS: usize = 250;
const REGISTERS: u16 = 20;

/// It looks at length, unit, function and CRC.
struct Client<'a> {
    server: &'a Server,
    plain: Plain,
    begins_anew: bool,
    believed: Vec<Believed>,
}

impl Client<'_> {
    fn asks(&mut self, unit: u8, address: u16) {
        let from = record::now();
        let heard = self.hears(unit, address);
        let is_whole = heard.len() == 9 && heard == frame(true, 0, unit, &heard[1..7]) && heard[1..3] == [3, 4];
        if is_whole {
            let values = heard[3..7].chunks(2).map(|word| u16::from_be_bytes([word[0], word[1]])).collect();
            self.believed.push(Believed { from, to: record::now(), unit, function: 3, address, values });
        } else {
            self.doubts();
        }
    }

    fn hears(&mut self, unit: u8, address: u16) -> Vec<u8> {
        if !self.lies_there().is_empty() && self.begins_anew {
            self.doubts();
        }
        self.plain.send(0, unit, &[3, 0, address as u8, 0, 2]);
        let (end, mut all) = (Instant::now() + PATIENCE, Vec::new());
        while all.len() < 9 && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.plain.stream.set_read_timeout(Some(left)).unwrap();
            let mut part = [0; 9];
            match self.plain.stream.read(&mut part[all.len()..]) {
                Ok(0) | Err(_) => break,
                Ok(length) => all.extend_from_slice(&part[all.len()..][..length]),
            }
        }
        all
    }

    /// What came although nobody asked. It throws it away.
    fn lies_there(&mut self) -> Vec<u8> {
        self.plain.stream.set_nonblocking(true).unwrap();
        let (mut all, mut part) = (Vec::new(), [0; 256]);
        let ended = loop {
            match self.plain.stream.read(&mut part) {
                Ok(length @ 1..) => all.extend_from_slice(&part[..length]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break false,
                _ => break true,
            }
        };
        self.plain.stream.set_nonblocking(false).unwrap();
        if ended {
            self.plain = Plain::on(self.server, true);
        }
        all
    }

    fn doubts(&mut self) {
        if self.begins_anew {
            self.plain = Plain::on(self.server, true);
        }
    }
}

/// How much it believed, and what of that was wrong.
fn client(server: &Server, begins_anew: bool, seed: u64) -> (usize, Vec<Believed>) {
    let (mut chance, plain) = (Chance::new(seed), Plain::on(server, true));
    let mut client = Client { server, plain, begins_anew, believed: Vec::new() };
    for _ in 0..REQUESTS {
        if chance.below(3) == 0 {
            let fault = chance.fault(true, PATIENCE);
            server.fault(On::all().once(), fault);
        }
        client.asks(1 + chance.below(2) as u8, chance.below(u64::from(REGISTERS)) as u16);
        server.well();
    }
    (client.believed.len(), wrong(&client.believed, &server.asked()))
}

#[test]
fn who_goes_on_after_a_late_answer_believes_what_is_wrong_and_is_found_out() {
    const NAME: &str = "who_goes_on_after_a_late_answer_believes_what_is_wrong_and_is_found_out";
    let Some(server) = Server::rtu_over_tcp(NAME, "1-2") else { return };
    (1..=2).for_each(|unit| (0..=REGISTERS).for_each(|at| server.counts(&format!("{unit} holding {at}"))));
    let (believed, wrong) = client(&server, true, 7);
    assert!(believed > REQUESTS / 2, "{believed}");
    assert_eq!(wrong, []);
    let mut seeds = 7..;
    let (believed, wrong) = eventually("it believes what is wrong", || {
        let found = client(&server, false, seeds.next()?);
        (!found.1.is_empty()).then_some(found)
    });
    assert!(believed > REQUESTS / 2 && wrong.len() < believed, "{believed}, {wrong:?}");
}
