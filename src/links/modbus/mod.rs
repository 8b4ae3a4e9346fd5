//! Modbus: devices whose points are registers.
//!
//! [`plan`] turns points that are due into the fewest requests, [`value`] registers into values and back, [`task`] an
//! operation into what is written and read for it. All of these are pure; what the registers mean stands in profiles.

pub mod plan;
pub mod task;
pub mod value;
