//! The daemon under real systemd, in a box: its unit, its user, its watchdog, its socket, its credentials, its journal.
//!
//! Needs root and what `tests/tools.sh box` makes; elsewhere each test says SKIP and why.

#[path = "../support/mod.rs"]
mod support;

mod boxed;
mod guarded;
mod served;
