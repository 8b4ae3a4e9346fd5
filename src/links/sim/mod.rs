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

use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::port::Port;
use super::Seam;
use super::proof::Proofs;
use super::runner::{self, Pace};
use crate::units;

/// Notices on their way to the runner.
const NOTICES: usize = 256;

/// `[link.NAME.sim]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the plant listens.
    pub socket: PathBuf,
    /// Requests under way at a time.
    #[serde(default = "lanes")]
    pub lanes: u16,
    /// For one read.
    #[serde(default = "timeout", deserialize_with = "units::span_text")]
    pub timeout: Duration,
    /// Further tries of a read.
    #[serde(default = "retries")]
    pub retries: u8,
    /// How slow a device that does not answer is asked in the end.
    #[serde(default = "slowest", deserialize_with = "units::span_text")]
    pub slowest: Duration,
}

fn lanes() -> u16 {
    64
}

fn timeout() -> Duration {
    Duration::from_secs(1)
}

fn retries() -> u8 {
    1
}

fn slowest() -> Duration {
    Duration::from_secs(60)
}

impl Settings {
    pub fn at(socket: PathBuf) -> Settings {
        Settings { socket, lanes: lanes(), timeout: timeout(), retries: retries(), slowest: slowest() }
    }

    fn pace(&self) -> Pace {
        Pace {
            lanes: usize::from(self.lanes.max(1)),
            timeout: self.timeout,
            retries: u32::from(self.retries),
            pause: Duration::from_millis(100),
            slowest: self.slowest,
        }
    }
}

pub async fn run(settings: Settings, credits: u16, seam: Seam) {
    let (to_runner, notices) = mpsc::channel(NOTICES);
    let port = Arc::new(Port::default());
    let mut tasks = JoinSet::new();
    let proofs = Proofs::new(seam.keys.clone());
    tasks.spawn(attend::run(settings.socket.clone(), port.clone(), proofs, to_runner));
    runner::run(seam, credits, settings.pace(), port, notices).await;
    tasks.shutdown().await;
}
