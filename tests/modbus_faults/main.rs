//! The bus under faults by chance: whatever it hands out, the server's own record must bear out. Without what keeps it from
//! late answers wrong values must be found, else this finds nothing.
//!
//! On TCP, on RTU over TCP, and on a serial line at 115 200 baud; the server is of another hand.

#[path = "../support/mod.rs"]
mod support;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as Clock};

use dmgw::links::modbus::bus::open::{Dial, Opened, Opening, Opens, Port};
use dmgw::links::modbus::bus::{Bus, Framing, Manner, Settings, Standing, Urgency, bus};
use dmgw::links::modbus::wire::timing::Pace;
use dmgw::links::modbus::wire::{Answer, Request, Table, Wrong};
use dmgw::links::serial::wanted::locate;
use dmgw::links::serial::{self, Baud, Line, Parity, Roots, Wanted};
use support::PATIENCE;
use support::modbus::chance::{Believed, Chance, wrong};
use support::modbus::{On, Server, input, record};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};

const UNITS: u64 = 4;
const REGISTERS: u64 = 14;
const TIMEOUT: Duration = Duration::from_millis(50);
const BRISK: Duration = Duration::from_millis(10);
const BAUD: u32 = 115_200;

// ---- the ways to a server ----

#[derive(Debug)]
struct OnLine(serial::Port);

impl Port for OnLine {
    fn discard(&mut self) -> io::Result<()> {
        self.0.discard()
    }
}

impl AsyncRead for OnLine {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for OnLine {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct Tty(PathBuf);

impl Opens for Tty {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async {
            let (path, roots) = (self.0.to_string_lossy().into_owned(), Roots::default());
            let line = Line { baud: Baud::new(BAUD), parity: Parity::None, data_bits: 8, stop_bits: 1 };
            let at = locate(&Wanted::said(&path).map_err(|e| e.to_string())?, &roots).map_err(|e| e.to_string())?;
            let port = serial::open(&at, line, None, &roots).await.map_err(|e| e.to_string())?;
            Ok(Opened { port: Box::new(OnLine(port)), place: path })
        })
    }
}

#[derive(Clone, Copy)]
enum Way {
    Tcp,
    RtuOverTcp,
    Line,
}

impl Way {
    fn is_rtu(self) -> bool {
        !matches!(self, Way::Tcp)
    }

    fn server(self, name: &str) -> Option<Server> {
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

    fn bus(self, server: &Server, timeout: Duration, quarantine: Duration) -> Bus {
        let framing = match self {
            Way::Tcp => Framing::Tcp,
            Way::RtuOverTcp => Framing::RtuOverTcp,
            Way::Line => Framing::Rtu(Pace { baud: BAUD, bits: 11 }),
        };
        let opener: Box<dyn Opens> = match self {
            Way::Line => Box::new(Tty(server.pty())),
            _ => Box::new(Dial::new(vec![format!("127.0.0.1:{}", server.port())], PATIENCE)),
        };
        let brisk = Manner { timeout, busy_pause: BRISK, slowest: BRISK, ..Manner::new(framing, &Settings::default()) };
        let (bus, run) = bus(Manner { quarantine, ..brisk }, opener);
        tokio::spawn(run);
        bus
    }
}

// ---- what is believed ----

struct Seen {
    asked: usize,
    believed: usize,
    wrong: Vec<Believed>,
}

/// Asks for so long, with a fault for about each fourth request.
async fn seen(way: Way, server: &Server, bus: &Bus, units: u64, chance: &mut Chance, span: Duration) -> Seen {
    let (mut believed, mut asked, end) = (Vec::new(), 0, Clock::now() + span);
    while Clock::now() < end {
        open(bus).await;
        if chance.below(4) == 0 {
            server.fault(On::all().once(), chance.fault(way.is_rtu(), TIMEOUT));
        }
        let unit = 1 + chance.below(units) as u8;
        let (at, count) = (chance.below(REGISTERS) as u16, 1 + chance.below(2) as u16);
        let (from, read) = (record::now(), Request::Read { table: Table::Holding, at, count });
        let answer = bus.ask(unit, read, Instant::now() + PATIENCE, Urgency::Poll).await;
        asked += usize::from(!matches!(answer, Err(Wrong::NotSent(_))));
        if let Ok(Answer::Words(values)) = answer {
            believed.push(Believed { from, to: record::now(), unit, function: 3, address: at, values });
        }
        server.well();
    }
    Seen { asked, believed: believed.len(), wrong: wrong(&believed, &server.asked()) }
}

async fn open(bus: &Bus) {
    let mut standing = bus.standing();
    let open = standing.wait_for(|standing| matches!(standing, Standing::Open { .. }));
    timeout(PATIENCE, open).await.expect("it opens").expect("it lives");
}

/// Longer than the latest answer of [`Chance::fault`].
const QUARANTINE: Duration = Duration::from_millis(200);

async fn nothing_wrong(name: &str, way: Way, span: Duration) {
    let Some(server) = way.server(name) else { return };
    let (bus, seed) = (way.bus(&server, TIMEOUT, QUARANTINE), 11);
    let seen = seen(way, &server, &bus, UNITS, &mut Chance::new(seed), span).await;
    println!("{name}: seed {seed}, {} asked, {} believed", seen.asked, seen.believed);
    assert_eq!(seen.wrong, []);
    assert!(seen.believed * 2 > seen.asked, "{} of {} believed", seen.believed, seen.asked);
}

const A_WHILE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn no_wrong_value_comes_over_tcp_whatever_goes_wrong() {
    nothing_wrong("no_wrong_value_comes_over_tcp_whatever_goes_wrong", Way::Tcp, A_WHILE).await;
}

#[tokio::test]
async fn no_wrong_value_comes_of_rtu_over_tcp_whatever_goes_wrong() {
    nothing_wrong("no_wrong_value_comes_of_rtu_over_tcp_whatever_goes_wrong", Way::RtuOverTcp, A_WHILE).await;
}

#[tokio::test]
async fn no_wrong_value_comes_of_a_line_whatever_goes_wrong() {
    nothing_wrong("no_wrong_value_comes_of_a_line_whatever_goes_wrong", Way::Line, A_WHILE).await;
}

#[tokio::test]
async fn a_line_in_order_is_never_spoken_into_too_early() {
    let Some(server) = Way::Line.server("a_line_in_order_is_never_spoken_into_too_early") else { return };
    let bus = Way::Line.bus(&server, PATIENCE, QUARANTINE);
    open(&bus).await;
    for at in 0..200 {
        let read = Request::Read { table: Table::Input, at, count: 1 + at % 100 };
        let answer = bus.ask(1, read, Instant::now() + PATIENCE, Urgency::Poll).await;
        assert!(matches!(&answer, Ok(Answer::Words(values)) if values[0] == input(1, at)), "{answer:?}");
    }
    assert_eq!((server.asked().len(), server.refused()), (200, vec![]));
}

#[tokio::test]
#[ignore = "long: a minute of faults on each way"]
async fn no_wrong_value_comes_in_a_minute_of_faults() {
    for way in [Way::Tcp, Way::RtuOverTcp, Way::Line] {
        nothing_wrong("no_wrong_value_comes_in_a_minute_of_faults", way, Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn without_the_quarantine_wrong_values_come_of_a_line_and_are_found() {
    const NAME: &str = "without_the_quarantine_wrong_values_come_of_a_line_and_are_found";
    let Some(server) = Way::Line.server(NAME) else { return };
    let (bus, mut chance, end) =
        (Way::Line.bus(&server, TIMEOUT, Duration::ZERO), Chance::new(11), Clock::now() + PATIENCE);
    let span = Duration::from_secs(1);
    // Of one unit alone, for the answers of others are known by their number.
    while seen(Way::Line, &server, &bus, 1, &mut chance, span).await.wrong.is_empty() {
        assert!(Clock::now() < end, "nothing wrong was found");
    }
}
