//! dmgw: finds local devices, manages them by itself, loses nothing, answers upstream.

pub mod engine;
pub mod model;
pub mod replay;
