//! dmgw: finds local devices, manages them by itself, loses nothing, answers upstream.

// What comes from outside must not stop the gateway; where one of these is right, a comment proves it.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod engine;
pub mod model;
pub mod replay;
