//! The other end of a bus: it takes requests as bytes and says what the test tells it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::links::modbus::bus::open::{Opened, Opening, Opens, Waiting};
use crate::links::modbus::wire::{rtu, tcp};

/// The ports that the bus opens, in turn. None in the channel: this attempt fails.
pub struct Ends(mpsc::Receiver<DuplexStream>);

pub struct Opener {
    ends: mpsc::Sender<DuplexStream>,
    pub fails: u32,
    /// While it is, nothing opens.
    pub away: Arc<AtomicBool>,
    /// Says that it is worth trying.
    pub stir: Arc<Notify>,
}

pub fn opener() -> (Opener, Ends) {
    let (ends, opened) = mpsc::channel(64);
    (Opener { ends, fails: 0, away: Arc::default(), stir: Arc::default() }, Ends(opened))
}

impl Opens for Opener {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async {
            if self.fails > 0 || self.away.load(Ordering::Relaxed) {
                self.fails = self.fails.saturating_sub(1);
                return Err("it is not there".into());
            }
            let (ours, theirs) = tokio::io::duplex(4_096);
            self.ends.send(theirs).await.map_err(|_| "the test is over")?;
            Ok(Opened { port: Box::new(ours), place: "memory".into() })
        })
    }

    fn worth_trying(&mut self) -> Waiting<'_> {
        Box::pin(self.stir.notified())
    }
}

impl Ends {
    pub async fn next(&mut self) -> Peer {
        Peer(self.0.recv().await.expect("the bus opens its port"))
    }
}

pub struct Peer(pub DuplexStream);

impl Peer {
    /// What the bus says in one go.
    pub async fn hears(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        let some = self.0.read(&mut bytes).await.unwrap();
        bytes.truncate(some);
        bytes
    }

    /// An RTU request: unit and PDU.
    pub async fn asked(&mut self) -> (u8, Vec<u8>) {
        let bytes = self.hears().await;
        assert!(rtu::is_frame(&bytes), "{bytes:02x?}");
        (bytes[0], bytes[1..bytes.len() - 2].to_vec())
    }

    /// The same over TCP, with the number of the transaction.
    pub async fn asked_tcp(&mut self) -> (u16, u8, Vec<u8>) {
        let bytes = self.hears().await;
        (tcp::transaction(&bytes), bytes[6], bytes[tcp::HEAD..].to_vec())
    }

    pub async fn says(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub async fn answers(&mut self, unit: u8, pdu: &[u8]) {
        self.says(&rtu::framed(unit, pdu)).await;
    }

    pub async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 64]).await, Ok(0) | Err(_))
    }

    /// How long until the next request, and the request.
    pub async fn waits(&mut self) -> (Duration, Vec<u8>) {
        let began = Instant::now();
        let bytes = self.hears().await;
        (began.elapsed(), bytes)
    }
}

/// The answer to a read of holding registers.
pub fn words(words: &[u16]) -> Vec<u8> {
    let mut pdu = vec![3, u8::try_from(words.len() * 2).unwrap()];
    pdu.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    pdu
}
