//! Modbus: devices whose points are registers; RTU on a serial line, TCP, and RTU over TCP.
//!
//! [`plan`] turns points that are due into the fewest requests, [`value`] registers into values and back, [`task`] an
//! operation into what is written and read for it, [`wire`] is requests and answers, and all that is checked of them. All
//! of these are pure; what the registers mean stands in profiles. 
//!
//! Invariant: whoever asks gets the answer to what was asked, or an error; never the answer to something else.

pub mod plan;
pub mod task;
pub mod value;
pub mod wire;
