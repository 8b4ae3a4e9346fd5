//! dmgw: finds local devices, manages them by itself, loses nothing, answers upstream.
//!
//! > Take an event; handle it; commit what it changes; only then send what it asks for.
//!
//! To get to know the source, begin with [`model`], the words. Then [`engine`], which takes an event and says what it
//! leads to; [`store`], where that is kept, and the [`seal`] on the secrets in it; and [`turn`], which keeps the law
//! above. After these the rest is attachment: [`links`] to devices, and the simulated plant; [`view`], [`feed`], [`asks`] and
//! [`api`] to those who look and ask, [`upstream`] to those far away; [`cli`], what a person types; [`config`], the settings; [`daemon`], which wires it
//! all; [`replay`], the engine in false time. [`document`] reads what people write, [`profile`] says what a kind of
//! device means, [`selector`] which devices are meant; [`metrics`] is what is counted of all this; [`units`] reads spans and sizes, [`nearest`] finds what
//! was meant, [`disk`] writes small files whole, [`trust`] says whom we believe in TLS.

// What comes from outside must not stop the gateway; where one of these is right, a comment proves it.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod access;
pub mod api;
pub mod asks;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod disk;
pub mod document;
pub mod engine;
pub mod feed;
pub mod links;
pub mod metrics;
pub mod model;
pub mod nearest;
pub mod profile;
pub mod replay;
pub mod seal;
pub mod selector;
pub mod store;
pub mod trust;
pub mod turn;
pub mod units;
pub mod upstream;
pub mod view;
