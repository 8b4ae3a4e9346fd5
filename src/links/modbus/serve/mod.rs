//! A Modbus TCP server: masters, such as a SCADA system, read the units of a bus through us.
//!
//! Modbus knows no password, so who may connect is said by networks, and nobody can write: a request that does not read
//! is refused here, before the bus hears of it.
//!
//! Tasks: one that listens, and one for each master; all of them end with the link. A master waits for the answer to its
//! request before its next one is read, so each has one request on its way at most, as a guest of the bus. Bounds: masters at
//! once; how long one may say nothing, or take over a frame or an answer; answers that are kept.
//!
//! Invariant: what a master is told comes from the unit that it asked, for the very same request: now, or not longer ago
//! than `fresh`.

mod master;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::table::Table;
use super::bus::Bus;
use super::networks::{Network, TurnedAway, may_come};
use super::units::Units;
use crate::links::backoff::Backoff;
use crate::links::chance::Chance;
use crate::model::Name;
use crate::section;
use crate::units::Span;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After a connection that could not be taken: the machine lacks something.
const BREATH: Duration = Duration::from_millis(100);

section! {
    /// A Modbus TCP server, through which masters such as a SCADA system read the units of this bus. They can only read
    /// (functions 1 to 4, 17 and 43/14); everything else is refused. Modbus knows no password and hides nothing: whoever
    /// may connect reads all units, so say who may, and let it listen on no network that you do not trust.
    pub struct Serve {
        /// Where to listen. (A port below 1024, such as the usual 502, is one that the shipped service may not take.)
        at: SocketAddr, like "\"192.0.2.1:1502\"";
        /// The networks, or single addresses, that masters may connect from. Without any: only this machine.
        from: Vec<Network> = Vec::new(), like "[\"192.0.2.0/24\", \"198.51.100.7\"]";
        /// Which units masters may read, such as "1-10". Without any: all.
        units: Units = Units::default(), like "\"1-10, 255\"";
        /// How much of the bus masters may have while we want it too, all together and in per cent of the time. What we do
        /// not need they have besides.
        share: u8 = 30, from 1, to 50;
        /// An answer that is not older is given again to who asks the very same: so many masters, or a hasty one, cost a slow
        /// bus no more than one. (Who asks the same at the same time is always answered at once.)
        fresh: Span = Span::secs(0), from Span::secs(0), to Span::secs(3_600);
        /// How long a request may wait for the bus; then it is refused as busy (exception 6).
        patience: Span = Span::secs(2), from Span::millis(100), to Span::secs(60);
        /// A master that says nothing for so long is cut off.
        idle: Span = Span::secs(60), from Span::secs(1), to Span::secs(86_400);
        /// Masters that are connected at once; a further one is cut off at once.
        masters: usize = 8, from 1, to 64;
    }
}

/// Until it is dropped.
pub async fn run(serve: Serve, link: Name, bus: Bus) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE, Chance::new(u64::from(serve.at.port())));
    let mut told = false;
    loop {
        match TcpListener::bind(serve.at).await {
            Ok(listener) => return listen(&serve, &link, listener, bus).await,
            Err(why) if !told => {
                told = true;
                tracing::error!(%link, at = %serve.at, "Modbus masters cannot connect yet: {why}");
            }
            Err(_) => {}
        }
        sleep(backoff.pause()).await;
    }
}

async fn listen(serve: &Serve, link: &Name, listener: TcpListener, bus: Bus) {
    let at = listener.local_addr().unwrap_or(serve.at);
    tracing::info!(%link, %at, "Modbus masters may connect");
    let table = Arc::new(Table::new(serve, bus));
    let mut masters = JoinSet::new();
    let strangers = TurnedAway::new(at);
    loop {
        tokio::select! {
            Some(_) = masters.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => match why_not(serve, from, masters.len()) {
                    None => _ = masters.spawn(master::attend(stream, serve.idle.0, table.clone())),
                    Some(why) => strangers.tell(from, why),
                },
                Err(_) => sleep(BREATH).await,
            }
        }
    }
}

fn why_not(serve: &Serve, from: SocketAddr, connected: usize) -> Option<&'static str> {
    match () {
        () if !may_come(&serve.from, from.ip()) => Some("it is in none of the networks that may"),
        () if connected >= serve.masters => Some("there are as many as may be"),
        () => None,
    }
}
