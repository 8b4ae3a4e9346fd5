//! `dmgw/1`, our own protocol with a manager: what its messages are. No I/O and no clock; the session brings both.
//!
//! Both halves stand here, the gateway's and the manager's, so each form is proven by its way there and back. Read in this
//! order: [`topics`], [`form`], [`records`] (*vital* and *events*), [`telemetry`], [`envelope`], [`request`] and
//! [`response`], [`state`], [`registry`]. For strangers it is written down in `docs/dmgw-1.md`, and as `asyncapi.json`
//! beside this file, which is made from these types.
//!
//! Invariants:
//! 1. Bytes from outside become types with bounds once: a size is checked before anything is unpacked or read, nesting before
//!    a tree is built. Nothing here panics, and every error says what is wrong.
//! 2. A message keeps the bound that it is made for, or is not made: what cannot be cut further is told as
//!    [`TooLarge`](cut::TooLarge), with its number.
//! 3. What is signed are the exact bytes that are sent; nothing is spelled anew before it is verified.
//! 4. A value that is not good, or a time that nobody knows, never looks good to who knows only the standard.

#[cfg(test)]
mod asyncapi;
pub mod cut;
pub mod envelope;
#[cfg(test)]
mod examples;
pub mod form;
mod packed;
pub mod records;
pub mod registry;
pub mod request;
pub mod response;
pub mod spelled;
pub mod state;
pub mod telemetry;
pub mod topics;
mod tree;

/// Bytes of a message after it is unpacked.
pub const LARGEST: usize = 4 << 20;
/// How deep objects and lists may stand in each other.
pub const MOST_NESTED: usize = 32;

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadMessage {
    #[error("it has {0} bytes; at most {1} are taken")]
    TooLong(usize, usize),
    #[error("objects and lists stand in each other more than {MOST_NESTED} deep")]
    Nested,
    #[error("it is not what is described: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is no CBOR: {0}")]
    Cbor(#[from] minicbor::decode::Error),
    #[error("it cannot be unpacked, or is more than {LARGEST} bytes then")]
    Zstd,
    #[error("{0}")]
    Columns(#[from] crate::store::block::BadBlock),
    #[error("{0}")]
    Envelope(#[from] envelope::BadEnvelope),
    #[error("{0}")]
    Wrong(String),
}

impl BadMessage {
    fn wrong(says: impl Into<String>) -> BadMessage {
        BadMessage::Wrong(says.into())
    }
}
