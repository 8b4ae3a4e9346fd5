//! Serving the buses of a plant: connections on TCP, and serial lines.
//!
//! Tasks: one a bus, one a connection, of which there are so many. Nothing but the bus is shared.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Bus;
use super::tty::Tty;
use crate::links::modbus::wire::MOST_PDU;
use crate::links::modbus::wire::rtu::{AROUND, framed, is_frame};
use crate::links::modbus::wire::timing::Pace;

/// Connections of one bus; who comes then is turned away.
const MOST_CONNECTIONS: usize = 16;
/// Transaction, protocol, length and unit before a PDU on TCP.
const HEAD: usize = 7;
/// Bytes of a serial line that are no frame.
const MOST_HEARD: usize = 512;

pub async fn tcp(listener: TcpListener, bus: Arc<Bus>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            came = listener.accept() => match came {
                Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                    connections.spawn(connection(stream, bus.clone()));
                }
                Ok(_) => {}
                // Too many files are open: it is over when one of them is closed.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Until the other end hangs up, or says what is no Modbus.
async fn connection(mut stream: TcpStream, bus: Arc<Bus>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = [0; HEAD];
    loop {
        stream.read_exact(&mut head).await?;
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        if head[2..4] != [0, 0] || !(2..=MOST_PDU + 1).contains(&length) {
            return Ok(());
        }
        let mut pdu = vec![0; length - 1];
        stream.read_exact(&mut pdu).await?;
        let Some((says, late)) = bus.answer(head[6], &pdu) else { continue };
        sleep(late).await;
        let length = (says.len() as u16 + 1).to_be_bytes();
        let answer = [&head[..4], &length, &head[6..], &says].concat();
        stream.write_all(&answer).await?;
    }
}

/// A frame ends with silence; what begins sooner after our answer than that is not heard, as no real unit would.
pub async fn rtu(mut tty: Tty, pace: Pace, bus: Arc<Bus>) -> io::Result<()> {
    let mut heard = Vec::new();
    let mut said: Option<Instant> = None;
    loop {
        heard.clear();
        tty.read(&mut heard).await?;
        let is_early = said.is_some_and(|said| said.elapsed() < pace.silence());
        while heard.len() < MOST_HEARD && timeout(pace.silence(), tty.read(&mut heard)).await.is_ok() {}
        let length = heard.len();
        if is_early || length <= AROUND || !is_frame(&heard) {
            continue;
        }
        let Some((says, late)) = bus.answer(heard[0], &heard[1..length - 2]) else { continue };
        let answer = framed(heard[0], &says);
        // A pty takes no time for bytes, a wire does: here it passes all at once. Who speaks meanwhile breaks the answer.
        let wire = pace.of(length + answer.len());
        if timeout(wire + late, tty.read(&mut heard)).await.is_err() {
            tty.write(&answer)?;
            said = Some(Instant::now());
        }
    }
}
