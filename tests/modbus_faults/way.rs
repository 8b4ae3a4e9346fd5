//! The ways from a bus to a server: as a link has them.

use std::time::Duration;

use dmgw::links::modbus::attach::Adapter;
use dmgw::links::modbus::bus::open::{Dial, Opens};
use dmgw::links::modbus::bus::{Bus, Framing, Manner, Settings, Standing, bus};
use dmgw::links::modbus::wire::timing::Pace;
use dmgw::links::serial::{self, Baud, Parity, Roots, Wanted};
use dmgw::model::Name;
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::modbus::Server;

pub const UNITS: u64 = 4;
/// Those below, and this one, count.
pub const REGISTERS: u64 = 14;
const BRISK: Duration = Duration::from_millis(10);
const BAUD: u32 = 115_200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Tcp,
    RtuOverTcp,
    Line,
}

impl Way {
    pub fn is_rtu(self) -> bool {
        self != Way::Tcp
    }

    pub fn server(self, name: &str) -> Option<Server> {
        let server = match self {
            Way::Tcp => Server::tcp(name, "1-4"),
            Way::RtuOverTcp => Server::rtu_over_tcp(name, "1-4"),
            Way::Line => Server::rtu_pty(name, "1-4", BAUD),
        }?;
        // So that what is old is wrong.
        let all = (1..=UNITS).flat_map(|unit| (0..=REGISTERS).map(move |at| (unit, at)));
        all.for_each(|(unit, at)| server.counts(&format!("{unit} holding {at}")));
        Some(server)
    }

    pub fn bus(self, server: &Server, timeout: Duration, quarantine: Duration) -> Bus {
        let framing = match self {
            Way::Tcp => Framing::Tcp,
            Way::RtuOverTcp => Framing::RtuOverTcp,
            Way::Line => Framing::Rtu(Pace { baud: BAUD, bits: 11 }),
        };
        let opener: Box<dyn Opens> = match self {
            Way::Line => Box::new(adapter(server)),
            _ => Box::new(Dial::new(vec![format!("127.0.0.1:{}", server.port())], PATIENCE)),
        };
        let brisk = Manner { timeout, busy_pause: BRISK, slowest: BRISK, ..Manner::new(framing, &Settings::default()) };
        let (bus, run) = bus(Manner { quarantine, ..brisk }, opener);
        tokio::spawn(run);
        bus
    }
}

fn adapter(server: &Server) -> Adapter {
    let (port, baud) = (Wanted::said(server.pty().to_str().unwrap()).unwrap(), Baud::new(BAUD));
    let settings = serial::Settings { port, baud, parity: Parity::None, data_bits: 8, stop_bits: 1, rs485: None };
    Adapter::new(Name::new("line").unwrap(), settings, Roots::default())
}

pub async fn open(bus: &Bus) {
    let mut standing = bus.standing();
    let open = standing.wait_for(|standing| matches!(standing, Standing::Open { .. }));
    timeout(PATIENCE, open).await.expect("it opens").expect("it lives");
}
