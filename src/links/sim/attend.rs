//! Keeping the connection to the plant: connect, greet, read and write until it ends, and again after a pause.
//!
//! Two tasks: this one reads, a child writes and ends with the connection. Where the runner stands still the reader does
//! too, and the plant with it; the writer goes on, so that the two directions never wait for each other. A plant that
//! takes no data for [`STUCK`] is taken as lost.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::lines::Lines;
use super::port::{LINES, Port, seen};
use super::wire::{FromPlant, Shown, ToPlant, VERSION, parse_line, write_line};
use crate::links::backoff::Backoff;
use crate::links::chance::Chance;
use crate::links::proof::Proofs;
use crate::links::runner::{Notice, Polled};
use crate::model::Sighting;

const GREETING: Duration = Duration::from_secs(5);
const STUCK: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Bytes gathered into one write.
const BATCH: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the connection to the plant broke: {0}")]
    Broke(#[from] io::Error),
    #[error("the plant closed the connection")]
    Closed,
    #[error("the plant takes no data")]
    Stuck,
    #[error("the plant did not greet as one of version {VERSION}")]
    Stranger,
    #[error("the runner has ended")]
    NobodyListens,
}

/// Ends when told to leave, or when the runner has ended.
pub async fn run(socket: PathBuf, port: Arc<Port>, proofs: Proofs, notices: mpsc::Sender<Notice>) {
    let chance = Chance::of(u64::from(std::process::id()), &socket.to_string_lossy());
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE, chance);
    let leaving = port.leaving.notified();
    tokio::pin!(leaving);
    loop {
        let connection = tokio::select! {
            connection = connect(&socket) => connection,
            () = &mut leaving => return,
        };
        let why = match connection {
            Err(why) => why,
            Ok((lines, to_plant)) => {
                backoff.reset();
                let why = converse(lines, to_plant, &port, &proofs, &notices).await;
                port.detach();
                tell_late(&port, &notices).await;
                why
            }
        };
        if matches!(why, Ended::NobodyListens) || notices.send(Notice::Lost { why: why.to_string() }).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(backoff.pause()) => {}
            () = &mut leaving => return,
        }
    }
}

async fn connect(socket: &PathBuf) -> Result<(Lines<OwnedReadHalf>, OwnedWriteHalf), Ended> {
    let greet = async {
        let (from_plant, mut to_plant) = UnixStream::connect(socket).await?.into_split();
        let mut hello = Vec::new();
        write_line(&ToPlant::Hello { version: VERSION }, &mut hello).map_err(|_| Ended::Stranger)?;
        to_plant.write_all(&hello).await?;
        let mut lines = Lines::new(from_plant);
        let first = lines.next().await?.ok_or(Ended::Closed)?;
        match parse_line(first) {
            Ok(FromPlant::Hello { version: VERSION }) => Ok((lines, to_plant)),
            _ => Err(Ended::Stranger),
        }
    };
    timeout(GREETING, greet).await.unwrap_or(Err(Ended::Stranger))
}

async fn converse(
    mut lines: Lines<OwnedReadHalf>,
    to_plant: OwnedWriteHalf,
    port: &Arc<Port>,
    proofs: &Proofs,
    notices: &mpsc::Sender<Notice>,
) -> Ended {
    let (queue, queued) = mpsc::channel(LINES);
    port.attach(queue);
    if notices.send(Notice::Attached).await.is_err() {
        return Ended::NobodyListens;
    }
    port.discover().await;
    let mut left_out = 0;
    let mut writer = JoinSet::new();
    writer.spawn(write(to_plant, queued));
    loop {
        tokio::select! {
            read = lines.next() => match read {
                Ok(Some(line)) => {
                    let said = match understand(line, &mut left_out) {
                        Some(message) => notice(message, port, proofs).await,
                        None => None,
                    };
                    if let Some(notice) = said && notices.send(notice).await.is_err() {
                        return Ended::NobodyListens;
                    }
                    tell_late(port, notices).await;
                }
                Ok(None) => return Ended::Closed,
                Err(broke) => return Ended::Broke(broke),
            },
            // Where writing broke the plant may have closed after its last lines: read on.
            Some(Ok(Ended::Stuck)) = writer.join_next() => return Ended::Stuck,
        }
    }
}

async fn write(mut to_plant: OwnedWriteHalf, mut queued: mpsc::Receiver<Vec<u8>>) -> Ended {
    while let Some(mut batch) = queued.recv().await {
        while batch.len() < BATCH {
            match queued.try_recv() {
                Ok(line) => batch.extend_from_slice(&line),
                Err(_) => break,
            }
        }
        match timeout(STUCK, to_plant.write_all(&batch)).await {
            Ok(Ok(())) => {}
            Ok(Err(broke)) => return Ended::Broke(broke),
            Err(_) => return Ended::Stuck,
        }
    }
    Ended::Closed
}

async fn tell_late(port: &Port, notices: &mpsc::Sender<Notice>) {
    for notice in port.late() {
        // Without a runner nobody is left to hear it.
        let _ = notices.send(notice).await;
    }
}

/// What makes no sense is left out: the request it was meant for, if any, runs into its deadline.
fn understand(line: &[u8], left_out: &mut u64) -> Option<FromPlant> {
    match parse_line(line) {
        Ok(message) => Some(message),
        Err(bad) => {
            *left_out += 1;
            // The first of a connection, and each thousandth: whoever floods us does not flood the log.
            if *left_out % 1_000 == 1 {
                let bad = &bad as &dyn std::error::Error;
                tracing::warn!(bad, left_out, "the plant says what cannot be understood; it is left out");
            }
            None
        }
    }
}

/// An answer goes to whoever waits for it; the rest is for the runner.
async fn notice(message: FromPlant, port: &Port, proofs: &Proofs) -> Option<Notice> {
    match message {
        FromPlant::Values { req, .. } => match port.take(req, message)? {
            FromPlant::Values { address, values, .. } => Some(Notice::Spoke { address, values: seen(values) }),
            _ => None,
        },
        FromPlant::Failed { req, .. } | FromPlant::Done { req, .. } => {
            port.take(req, message);
            None
        }
        FromPlant::Progress { req, share } => Some(Notice::Progress { command: port.command(req)?, share }),
        FromPlant::Found(who) => Some(Notice::Sighted(judged(who, proofs).await)),
        FromPlant::Spoke { address, values } => Some(Notice::Spoke { address, values: seen(values) }),
        FromPlant::Asks { exchange, who } => Some(Notice::Asks { exchange, who: judged(who, proofs).await }),
        FromPlant::Changed { address, capabilities } => Some(Notice::Changed { address, capabilities }),
        FromPlant::Gone { address } => Some(Notice::Gone { address }),
        FromPlant::Hello { .. } => None,
    }
}

async fn judged(mut who: Shown, proofs: &Proofs) -> Sighting {
    let (identities, key) = (std::mem::take(&mut who.identities), who.key.take());
    who.sighting(proofs.judge(identities, key).await)
}
