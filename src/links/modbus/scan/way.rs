//! Where a scan looks, and the ways in which that can be spoken to.

use std::fmt;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::links::modbus::bus::open::{Dial, Opened, Opening, Opens};
use crate::links::modbus::bus::{self, Bus, Framing, Manner, Settings, Standing};
use crate::links::modbus::wire::timing::Pace;
use crate::links::serial::{self, Baud, Line, OpenError, Parity, Roots, Rs485, Wanted};
use crate::units::Span;

/// How long a unit that answers may think at least, once it is known that it is there.
const PATIENT: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);
/// Rates as devices on such lines mostly have them, the most usual first; then with which parity.
const USUAL: [(u32, &[Parity]); 8] = [
    (9_600, &[Parity::None, Parity::Even]),
    (19_200, &[Parity::Even, Parity::None]),
    (38_400, &[Parity::None, Parity::Even]),
    (115_200, &[Parity::None, Parity::Even]),
    (57_600, &[Parity::None, Parity::Even]),
    (4_800, &[Parity::None, Parity::Even]),
    (2_400, &[Parity::None, Parity::Even]),
    (1_200, &[Parity::None, Parity::Even]),
];

/// One way to speak to whatever is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Line(Line),
    Tcp,
    RtuOverTcp,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Line(line) => line.fmt(f),
            Way::Tcp => f.write_str("Modbus TCP"),
            Way::RtuOverTcp => f.write_str("RTU over TCP"),
        }
    }
}

impl Way {
    fn framing(self) -> Framing {
        match self {
            Way::Line(line) => Framing::Rtu(Pace { baud: line.baud.get(), bits: line.bits_a_byte() as u8 }),
            Way::Tcp => Framing::Tcp,
            Way::RtuOverTcp => Framing::RtuOverTcp,
        }
    }

    /// What one question takes where nobody answers.
    pub fn takes(self, thinks: Duration) -> Duration {
        const REQUEST_AND_ANSWER: usize = 15;
        /// A line is left silent for a while after each doubt; a connection is made anew.
        const AFTERWARDS: Duration = Duration::from_millis(25);
        self.framing().takes(REQUEST_AND_ANSWER) + thinks + AFTERWARDS
    }
}

/// Of a serial line all that is not said: these rates and these parities, in the order in which it is worth trying them.
pub fn lines(bauds: &[Baud], parities: &[Parity]) -> Vec<Way> {
    let line = |baud, parity| Way::Line(Line { baud, parity, data_bits: 8, stop_bits: 1 });
    let usual = || USUAL.iter().flat_map(|(rate, parities)| parities.iter().map(|of| (Baud::new(*rate), *of)));
    let odd = || USUAL.iter().map(|(rate, _)| (Baud::new(*rate), Parity::Odd));
    let all: Vec<(Baud, Parity)> = match bauds {
        [] => usual().chain(odd()).collect(),
        _ => bauds.iter().flat_map(|baud| [Parity::None, Parity::Even, Parity::Odd].map(|of| (*baud, of))).collect(),
    };
    let wanted = all.into_iter().filter(|(_, parity)| parities.is_empty() || parities.contains(parity));
    wanted.map(|(baud, parity)| line(baud, parity)).collect()
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Port {
        port: Wanted,
        rs485: Option<Rs485>,
    },
    /// HOST:PORT
    Host(String),
}

/// Why a scan cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error(transparent)]
    Port(#[from] OpenError),
    #[error("{at} cannot be reached: {why}")]
    Host { at: String, why: String },
    #[error("the scan has lost its port: {0}")]
    Lost(String),
}

/// A bus as long as it is needed. A port has one at a time.
pub struct Session {
    pub bus: Bus,
    /// What the port does not do of it.
    pub cannot: Option<String>,
    task: JoinHandle<()>,
}

impl Session {
    fn begin(way: Way, thinks: Duration, opener: Box<dyn Opens>) -> Session {
        let timeout = Span(thinks.max(PATIENT));
        let settings = Settings { timeout, quarantine: Some(timeout), ..Settings::default() };
        let (bus, task) = bus::bus(Manner::new(way.framing(), &settings), opener);
        Session { bus, cannot: None, task: tokio::spawn(task) }
    }

    /// The port is closed when this comes back.
    pub async fn end(self) {
        drop(self.bus);
        // It ends when nobody can ask it any more.
        let _ = self.task.await;
    }
}

impl Place {
    /// `thinks`: what a unit may take at least.
    pub async fn open(&self, way: Way, thinks: Duration) -> Result<Session, Stop> {
        match (self, way) {
            (Place::Port { port, rs485 }, Way::Line(line)) => {
                let roots = Roots::default();
                let at = serial::wanted::locate(port, &roots).map_err(OpenError::from)?;
                let port = serial::open(&at, line, rs485.clone(), &roots).await?;
                // What it does not do of RS-485 is a matter for whoever has wired it.
                let cannot = port.cannot().first().filter(|_| rs485.is_none()).cloned();
                let place = port.name().to_owned();
                let session = Session::begin(way, thinks, Box::new(Once(Some(Opened { port: Box::new(port), place }))));
                Ok(Session { cannot, ..session })
            }
            (Place::Host(at), _) => reached(at, way, thinks).await,
            (Place::Port { port, .. }, _) => Err(Stop::Lost(format!("{port} is no network"))),
        }
    }
}

async fn reached(at: &str, way: Way, thinks: Duration) -> Result<Session, Stop> {
    let session = Session::begin(way, thinks, Box::new(Dial::new(vec![at.to_owned()], CONNECT)));
    match standing(&session.bus).await {
        None => Ok(session),
        Some(why) => Err(Stop::Host { at: at.to_owned(), why }),
    }
}

/// Once it has settled: why it is not open, if it is not.
pub async fn standing(bus: &Bus) -> Option<String> {
    let mut stands = bus.standing();
    let settled = stands.wait_for(|now| matches!(now, Standing::Open { .. } | Standing::Down { .. }));
    match timeout(CONNECT, settled).await {
        Ok(Ok(now)) => match &*now {
            Standing::Down { why } => Some(why.clone()),
            _ => None,
        },
        Ok(Err(_)) => Some("the bus has ended".into()),
        Err(_) => Some("no connection came about in time".into()),
    }
}

/// A port that is open already. Lost, it is not looked for again.
struct Once(Option<Opened>);

impl Opens for Once {
    fn open(&mut self) -> Opening<'_> {
        let opened = self.0.take().ok_or_else(|| "it has gone".to_owned());
        Box::pin(std::future::ready(opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_lines_come_first_and_what_is_said_narrows_them() {
        let shown = |ways: Vec<Way>| ways.iter().map(ToString::to_string).collect::<Vec<_>>();
        let all = shown(lines(&[], &[]));
        assert_eq!(all[..4], ["9600 8N1", "9600 8E1", "19200 8E1", "19200 8N1"]);
        assert_eq!(all.len(), 24);
        assert_eq!(shown(lines(&[Baud::new(7_200)], &[])), ["7200 8N1", "7200 8E1", "7200 8O1"]);
        assert_eq!(shown(lines(&[Baud::new(9_600)], &[Parity::Even])), ["9600 8E1"]);
        assert!(shown(lines(&[], &[Parity::Odd])).iter().all(|line| line.ends_with("8O1")));
    }
}
