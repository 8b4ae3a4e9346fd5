//! The bus over real connections and pseudo-terminals, against peers with an RTU and a TCP framing of their own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as Clock};

use dmgw::links::modbus::bus::open::{Dial, Opened, Opening, Opens, Port};
use dmgw::links::modbus::bus::{Bus, Framing, Manner, Settings, Urgency, bus};
use dmgw::links::modbus::wire::timing::Pace;
use dmgw::links::modbus::wire::{Answer, Exception, Request, Table, Wrong};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_serial::{ClearBuffer, SerialPort, SerialStream};

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(150);
/// The peer may look at its clock so long after its last byte was read.
const SEEN_LATE: Duration = Duration::from_millis(1);
const PACE: Pace = Pace { baud: 9_600, bits: 11 };

fn started(framing: Framing, timeout: Duration, opener: impl Opens + 'static) -> Bus {
    let manner = Manner { timeout, quarantine: timeout * 2, ..Manner::new(framing, &Settings::default()) };
    let (bus, run) = bus(manner, Box::new(opener));
    tokio::spawn(run);
    bus
}

async fn polled(bus: &Bus, unit: u8, at: u16) -> Result<Answer, Wrong> {
    let read = Request::Read { table: Table::Holding, at, count: 1 };
    timeout(PATIENCE, bus.ask(unit, read, Instant::now() + PATIENCE, Urgency::Poll)).await.expect("an end")
}

/// In the background.
fn polling(bus: &Bus, unit: u8, at: u16) -> tokio::task::JoinHandle<Result<Answer, Wrong>> {
    let bus = bus.clone();
    tokio::spawn(async move { polled(&bus, unit, at).await })
}

fn value(of: u16) -> Result<Answer, Wrong> {
    Ok(Answer::Words(vec![of]))
}

// ---- the other side ----

/// Bit by bit, as the standard describes it.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0xffffu16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xa001 } else { sum >> 1 };
        }
    }
    sum.to_le_bytes()
}

fn rtu(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = [&[unit], pdu].concat();
    frame.extend(crc(&frame));
    frame
}

/// The answer that tells the address back as the value, over TCP.
fn told(request: &[u8]) -> Vec<u8> {
    [&request[..4], &[0, 5, request[6], 3, 2], &request[8..10]].concat()
}

async fn heard(from: &mut (impl AsyncRead + Unpin), bytes: usize) -> Vec<u8> {
    let mut request = vec![0; bytes];
    timeout(PATIENCE, from.read_exact(&mut request)).await.expect("a request").expect("a connection");
    request
}

const TCP_READ: usize = 12;
const RTU_READ: usize = 8;

async fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    timeout(PATIENCE, listener.accept()).await.expect("a connection").unwrap().0
}

fn dialled(framing: Framing, timeout: Duration, addresses: &[&str]) -> Bus {
    let addresses = addresses.iter().map(|address| address.to_string()).collect();
    started(framing, timeout, Dial::new(addresses, PATIENCE))
}

// ---- TCP ----

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_an_answer_gives_no_value_and_is_made_anew() {
    let (listener, address) = listening().await;
    let bus = dialled(Framing::Tcp, PATIENCE, &[&address]);
    let answer = polling(&bus, 1, 10);
    let mut peer = accepted(&listener).await;
    let request = heard(&mut peer, TCP_READ).await;
    peer.write_all(&told(&request)[..10]).await.unwrap();
    drop(peer);
    assert!(matches!(answer.await.unwrap(), Err(Wrong::Lost(_))));
    // That connection brought nothing, so there is a pause, in which nothing is sent.
    let mut peer = accepted(&listener).await;
    let answer = polling(&bus, 1, 11);
    let request = heard(&mut peer, TCP_READ).await;
    peer.write_all(&told(&request)).await.unwrap();
    assert_eq!(answer.await.unwrap(), value(11));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_nobody_asked_costs_no_request() {
    let (listener, address) = listening().await;
    let bus = dialled(Framing::Tcp, PATIENCE, &[&address]);
    for at in 0..5 {
        let mut peer = accepted(&listener).await;
        let answer = polling(&bus, 1, at);
        let request = heard(&mut peer, TCP_READ).await;
        peer.write_all(&told(&request)).await.unwrap();
        assert_eq!(answer.await.unwrap(), value(at));
    }
}

#[tokio::test]
async fn a_gateway_that_says_that_a_unit_is_silent_is_believed_and_kept() {
    let (listener, address) = listening().await;
    let bus = dialled(Framing::Tcp, PATIENCE, &[&address]);
    let dead = polling(&bus, 9, 0);
    let mut peer = accepted(&listener).await;
    let request = heard(&mut peer, TCP_READ).await;
    peer.write_all(&[&request[..4], &[0, 3, 9, 0x83, 11]].concat()).await.unwrap();
    assert_eq!(dead.await.unwrap(), Err(Wrong::Exception(Exception::NoAnswer)));
    let alive = polling(&bus, 10, 4);
    let request = heard(&mut peer, TCP_READ).await;
    assert_eq!(request[6], 10, "the same connection serves the next unit");
    peer.write_all(&told(&request)).await.unwrap();
    assert_eq!(alive.await.unwrap(), value(4));
}

#[tokio::test]
async fn another_address_is_taken_where_the_first_does_not_answer() {
    let (dead, gone) = listening().await;
    drop(dead);
    let (silent, hangs) = listening().await;
    let (listener, works) = listening().await;
    let bus = dialled(Framing::Tcp, SHORT, &[&gone, &hangs, &works]);
    let serving = tokio::spawn(async move {
        let mut peer = accepted(&listener).await;
        let request = heard(&mut peer, TCP_READ).await;
        peer.write_all(&told(&request)).await.unwrap();
        peer
    });
    let mut silences = 0;
    while polled(&bus, 1, 7).await == Err(Wrong::Silent) {
        silences += 1;
        assert!(silences < 10, "the address that answers is never tried");
    }
    assert!(silences > 0, "the address that hangs comes first");
    assert!(serving.await.is_ok());
    drop(silent);
}

// ---- RTU over TCP ----

/// Asks, lets the answer come late over the next connection, and asks something else of that unit.
async fn late_over_a_new_connection(quarantine: Duration) -> Result<Answer, Wrong> {
    let (listener, address) = listening().await;
    let manner = Manner { timeout: SHORT, quarantine, ..Manner::new(Framing::RtuOverTcp, &Settings::default()) };
    let (bus, run) = bus(manner, Box::new(Dial::new(vec![address], PATIENCE)));
    tokio::spawn(run);
    let first = polling(&bus, 7, 1);
    let mut peer = accepted(&listener).await;
    heard(&mut peer, RTU_READ).await;
    assert_eq!(first.await.unwrap(), Err(Wrong::Silent));
    let second = polling(&bus, 7, 2);
    let mut peer = accepted(&listener).await;
    let late = rtu(7, &[3, 2, 0, 1]);
    if quarantine.is_zero() {
        heard(&mut peer, RTU_READ).await;
        peer.write_all(&late).await.unwrap();
    } else {
        peer.write_all(&late).await.unwrap();
        heard(&mut peer, RTU_READ).await;
        peer.write_all(&rtu(7, &[3, 2, 0, 2])).await.unwrap();
    }
    second.await.unwrap()
}

#[tokio::test]
async fn a_late_answer_that_a_gateway_brings_over_a_new_connection_is_not_taken() {
    assert_eq!(late_over_a_new_connection(SHORT * 3).await, value(2));
    // Else it is, so this would find it.
    assert_eq!(late_over_a_new_connection(Duration::ZERO).await, value(1));
}

// ---- a pseudo-terminal ----

#[derive(Debug)]
struct Terminal(SerialStream);

impl Port for Terminal {
    fn discard(&mut self) -> io::Result<()> {
        self.0.clear(ClearBuffer::Input).map_err(io::Error::other)
    }
}

impl AsyncRead for Terminal {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Waiting for the hardware would stop the whole thread; the bus knows what its bytes take.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Pairs of terminals; the test holds the other ends.
struct Terminals(mpsc::Sender<SerialStream>);

impl Opens for Terminals {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async {
            let (theirs, ours) = SerialStream::pair().map_err(|e| e.to_string())?;
            self.0.send(theirs).await.map_err(|_| "the test is over")?;
            Ok(Opened { port: Box::new(Terminal(ours)), place: "a terminal".into() })
        })
    }
}

fn on_terminals(timeout: Duration) -> (Bus, mpsc::Receiver<SerialStream>) {
    let (ends, opened) = mpsc::channel(4);
    (started(Framing::Rtu(PACE), timeout, Terminals(ends)), opened)
}

/// The shortest time from an answer to the next request, as the peer of a bus sees it.
async fn shortest_silence(pace: Pace) -> Duration {
    let (ends, mut opened) = mpsc::channel(4);
    let bus = started(Framing::Rtu(pace), PATIENCE, Terminals(ends));
    let mut peer = opened.recv().await.unwrap();
    let measuring = tokio::spawn(async move {
        let (mut shortest, mut spoke) = (Duration::MAX, None::<Clock>);
        for _ in 0..100 {
            let request = heard(&mut peer, RTU_READ).await;
            shortest = spoke.map_or(shortest, |spoke| shortest.min(spoke.elapsed()));
            assert_eq!(request[6..], crc(&request[..6]));
            let answer = rtu(request[0], &[3, 2, request[2], request[3]]);
            peer.write_all(&answer).await.unwrap();
            spoke = Some(Clock::now());
        }
        (shortest, peer)
    });
    for at in 0..100 {
        assert_eq!(polled(&bus, 1, at).await, value(at));
    }
    measuring.await.unwrap().0
}

#[tokio::test]
async fn the_peer_on_a_line_never_sees_less_than_the_silence_between_frames() {
    let shortest = shortest_silence(PACE).await;
    assert!(shortest >= PACE.silence() - SEEN_LATE, "{shortest:?} between two frames");
    // One who takes the line for a faster one is found.
    let hasty = shortest_silence(Pace { baud: 115_200, bits: 11 }).await;
    assert!(hasty < PACE.silence() - SEEN_LATE, "{hasty:?}");
}

#[tokio::test]
async fn a_late_answer_on_a_line_is_thrown_away() {
    let (bus, mut opened) = on_terminals(SHORT);
    let mut peer = opened.recv().await.unwrap();
    let first = polling(&bus, 7, 1);
    heard(&mut peer, RTU_READ).await;
    assert_eq!(first.await.unwrap(), Err(Wrong::Silent));
    let second = polling(&bus, 7, 2);
    peer.write_all(&rtu(7, &[3, 2, 0, 1])).await.unwrap();
    heard(&mut peer, RTU_READ).await;
    peer.write_all(&rtu(7, &[3, 2, 0, 2])).await.unwrap();
    assert_eq!(second.await.unwrap(), value(2));
}

#[tokio::test]
async fn a_line_that_is_pulled_out_is_seen_at_once_and_opened_again() {
    let (bus, mut opened) = on_terminals(PATIENCE);
    let mut peer = opened.recv().await.unwrap();
    let first = polling(&bus, 7, 1);
    heard(&mut peer, RTU_READ).await;
    let began = Clock::now();
    drop(peer);
    assert!(matches!(first.await.unwrap(), Err(Wrong::Lost(_))));
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    let mut peer = timeout(PATIENCE, opened.recv()).await.unwrap().unwrap();
    // Unit 7 is kept quiet for a while: its answer may still come.
    let second = polling(&bus, 8, 2);
    heard(&mut peer, RTU_READ).await;
    peer.write_all(&rtu(8, &[3, 2, 0, 2])).await.unwrap();
    assert_eq!(second.await.unwrap(), value(2));
}
