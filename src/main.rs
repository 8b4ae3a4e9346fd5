//! Starts what the arguments ask for.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

fn main() {}
