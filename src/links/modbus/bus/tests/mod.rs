//! A bus against a peer that does what it is told, in false time.

mod chance;
mod flow;
mod guests;
mod line;
pub mod peer;

use std::time::Duration;

use tokio::time::Instant;

use super::super::wire::timing::Pace;
use super::super::wire::{Answer, Request, Table, Wrong};
use super::*;
use peer::{Ends, Peer};

const PACE: Pace = Pace { baud: 19_200, bits: 11 };

fn manner(framing: Framing) -> Manner {
    Manner::new(framing, &Settings::default())
}

fn read(at: u16, count: u16) -> Request {
    Request::Read { table: Table::Holding, at, count }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

async fn polled(bus: &Bus, unit: u8, at: u16, count: u16) -> Result<Answer, Wrong> {
    bus.ask(unit, read(at, count), soon(), Urgency::Poll).await
}

/// A bus, and the other end of each port that it opens.
fn with(manner: Manner) -> (Bus, Ends) {
    let (opener, ends) = peer::opener();
    let (bus, run) = bus(manner, Box::new(opener));
    tokio::spawn(run);
    (bus, ends)
}

fn rtu() -> (Bus, Ends) {
    with(manner(Framing::Rtu(PACE)))
}

fn tcp() -> (Bus, Ends) {
    with(manner(Framing::Tcp))
}
