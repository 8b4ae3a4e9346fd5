//! The daemon's door: HTTP and JSON, over a Unix socket for root and a group, and from afar with TLS.
//!
//! In reading order: [`serve`] takes connections, [`caller`] makes out who asks, [`routes`] is the table of what may be
//! asked. What comes over an upstream goes through the same table ([`inner`]), past [`signed`]. Handlers read the view and short snapshots of the store, and ask the loop through [`Asks`]; each wait has a
//! deadline. What is not an answer of the engine never reaches the engine: bodies are bounded and read here.

mod anybody;
mod ask;
pub mod caller;
mod config;
pub mod far;
pub mod fault;
pub mod groups;
pub mod inner;
mod journal;
mod keys;
pub mod link;
mod log;
mod look;
mod metrics;
mod once;
mod openapi;
mod pace;
mod paged;
mod pieces;
pub mod points;
mod rest;
pub mod routes;
mod serve;
pub mod shown;
pub mod signed;
pub mod socket;
mod stream;
mod strict;
pub mod tag;
mod taking;
mod together;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use tokio::sync::{mpsc, oneshot, watch};

use crate::asks::Asks;
use crate::links::wires::Wires;
use crate::metrics::{self as counts, Metrics};
use crate::model::layer::{Versions, Wanted};
use crate::model::log::{LogNow, SetLevel};
use crate::model::setting::{Difference, Flat, Reloaded};
use crate::model::{Mono, Name};
use crate::store::Snapshots;
use crate::view::View;
pub use ask::BETWEEN_SETTLES;
pub use journal::Reads;
pub use keys::{Key, Keys};
pub use pace::{Pace, Strangers};
pub use routes::cut;
pub use serve::{Doors, serve};
pub use stream::Live;
pub use together::Together;

/// Bytes of a request that no settings can forbid: a client that sends much sends it in parts of this size.
pub const ALWAYS_TAKEN: usize = 64 << 10;

/// All that a request may use.
pub struct Door {
    pub gateway: String,
    /// Absent where the gateway could not open its own key.
    pub public_key: Option<String>,
    pub started: Mono,
    pub view: Arc<View>,
    /// For those who listen to what happens.
    pub live: Live,
    pub asks: Arc<Asks>,
    pub control: mpsc::Sender<Control>,
    /// What is wrong with devices of the settings.
    pub wrong: watch::Receiver<Vec<String>>,
    pub snapshots: Snapshots,
    /// What running links lay open.
    pub wires: Wires,
    /// What is counted, and what there is of it now.
    pub metrics: Arc<Metrics>,
    pub numbers: counts::Reader,
    pub readers: Vec<Name>,
    pub limits: Bounds,
    /// Where those from afar may come.
    pub listens: far::Listens,
    pub pace: Pace,
    pub strangers: Arc<Strangers>,
    /// Of those who sign what they ask.
    pub keys: Keys,
    pub unbelieved: Arc<Strangers>,
    /// What those who are not root have written.
    pub settled: Together,
    pub reads: Reads,
    /// The time since the boot.
    pub mono: fn() -> Mono,
}

/// What one client, or all of them together, may take.
pub struct Bounds {
    pub connections: usize,
    /// Bytes of a request.
    pub body: usize,
    /// How long an answer may take that nobody asked to wait for.
    pub answer: Duration,
    /// How long somebody may wait for a command's end.
    pub wait: Duration,
    /// Who takes nothing of an answer for so long is let go.
    pub stalled: Duration,
    /// Entries of a list at once.
    pub page: usize,
    /// Requests over upstreams that are carried out at once.
    pub upstream: usize,
    /// How far ahead what is signed may expire.
    pub expiry: Duration,
}

/// What is asked of the daemon itself, and where the answer goes.
pub enum Control {
    /// Other settings; where somebody says so, only if they are still those that they have seen.
    Apply(Asked, Option<tag::Seen>, oneshot::Sender<Result<Reloaded, NotApplied>>),
    /// The version on probation shall stay.
    Confirm(u64, oneshot::Sender<Result<(), String>>),
    /// The settings that hold.
    Show(oneshot::Sender<Result<Flat, String>>),
    /// What a reload would change, or what one version has changed against another.
    Difference(Option<(u64, u64)>, oneshot::Sender<Result<Vec<Difference>, String>>),
    Versions(oneshot::Sender<Result<Versions, String>>),
    /// How much it says of itself.
    Log(oneshot::Sender<LogNow>),
    SetLog(SetLevel, oneshot::Sender<Result<LogNow, String>>),
}

/// Nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    #[error("the settings are others by now")]
    ChangedMeanwhile,
    #[error("nothing is changed: {0}")]
    Wrong(String),
}

/// Other settings.
pub enum Asked {
    /// Read the files again.
    Reload,
    Change(Wanted, Name),
    /// As it was with that version.
    Back(u64, Name),
}

type Here = State<Arc<Door>>;

#[cfg(test)]
mod tests;
