//! The `sim` driver: a link to a simulated plant over a Unix stream socket, see [`wire`].
//!
//! Two tasks: the runner (the link itself), and `attend`, which connects, reads and writes and is joined at the end.
//! Channels: [`Notice`](super::runner::Notice)s from `attend` to the runner, lines from the runner's requests to
//! `attend`'s writer, both bounded; answers go to whoever waits for them.

mod attend;
pub mod lines;
pub mod plant;
mod port;
pub mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::port::Port;
use super::Seam;
use super::proof::Proofs;
use super::runner::{self, Pace};
use crate::section;
use crate::units::Span;

/// Notices on their way to the runner.
const NOTICES: usize = 256;

section! {
    /// This driver speaks to a plant of made-up devices that `dmgw-plant PLANT.toml` plays.
    pub struct Settings {
        /// The socket where the plant listens.
        socket: PathBuf = PathBuf::from("/run/dmgw/plant.sock");
        /// Requests under way at the same time.
        lanes: u16 = 64, from 1, to 1_024;
        /// How long one read may take, and how often it is tried again.
        timeout: Span = Span::secs(1), from Span::millis(10), to Span::secs(3_600);
        retries: u8 = 1, from 0, to 10;
        /// How slowly a device that does not answer is asked in the end.
        slowest: Span = Span::secs(60), from Span::secs(1), to Span::secs(86_400);
    }
}

impl Settings {
    pub fn at(socket: PathBuf) -> Settings {
        Settings { socket, ..Settings::default() }
    }

    fn pace(&self) -> Pace {
        Pace {
            lanes: usize::from(self.lanes),
            timeout: self.timeout.0,
            retries: u32::from(self.retries),
            pause: Duration::from_millis(100),
            slowest: self.slowest.0,
            spared: Duration::ZERO,
            beside: false,
        }
    }
}

pub async fn run(settings: Settings, credits: u16, seam: Seam) {
    let (to_runner, notices) = mpsc::channel(NOTICES);
    let port = Arc::new(Port::default());
    let mut tasks = JoinSet::new();
    let proofs = Proofs::new(seam.readers.keys.clone());
    tasks.spawn(attend::run(settings.socket.clone(), port.clone(), proofs, to_runner));
    runner::run(seam, credits, settings.pace(), port, notices).await;
    tasks.shutdown().await;
}
