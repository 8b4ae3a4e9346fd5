//! One master: a frame, its answer, the next frame.
//!
//! Invariants: what is held of a connection is one frame at most, and the rest stays with the kernel; every wait has an
//! end. Where bytes are no Modbus nobody knows where the next frame begins, so the connection ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::table::Table;
use crate::links::modbus::wire::master::{Came, Frame, MOST_FRAME, came};
use crate::links::modbus::wire::tcp::framed;

/// How long a frame may take from its first byte to its last, and an answer to be taken.
const STUCK: Duration = Duration::from_secs(5);

pub async fn attend(mut stream: TcpStream, idle: Duration, table: std::sync::Arc<Table>) {
    // Answers are small, and waited for.
    let _ = stream.set_nodelay(true);
    let mut heard = Vec::with_capacity(MOST_FRAME);
    while let Some(frame) = next(&mut stream, &mut heard, idle).await {
        let told = table.told(frame.unit, &heard[frame.pdu.clone()]).await;
        heard.drain(..frame.pdu.end);
        let answer = framed(frame.transaction, frame.unit, &told);
        if !matches!(timeout(STUCK, stream.write_all(&answer)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// None: the connection is over.
async fn next(stream: &mut TcpStream, heard: &mut Vec<u8>, idle: Duration) -> Option<Frame> {
    let mut until = Instant::now() + if heard.is_empty() { idle } else { STUCK };
    loop {
        match came(heard) {
            Came::Frame(frame) => return Some(frame),
            Came::NotModbus => return None,
            Came::More => {}
        }
        let begins = heard.is_empty();
        let room = MOST_FRAME - heard.len().min(MOST_FRAME);
        match timeout_at(until, (&mut *stream).take(room as u64).read_buf(heard)).await {
            Ok(Ok(1..)) => {}
            _ => return None,
        }
        if begins {
            until = Instant::now() + STUCK;
        }
    }
}
