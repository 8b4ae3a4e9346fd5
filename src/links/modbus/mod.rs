//! Modbus: devices whose points are registers; RTU on a serial line, TCP, and RTU over TCP.
//!
//! [`plan`] turns points that are due into the fewest requests, [`value`] registers into values and back, [`task`] an
//! operation into what is written and read for it, [`wire`] is requests and answers, and all that is checked of them. All
//! of these are pure; what the registers mean stands in profiles. [`bus`] is one task that owns one port or connection
//! and asks one request after the other; [`driver`] ties all of it to the runner, [`serve`] lets masters read the same bus,
//! [`calls`] is how a gateway comes to us,
//! and [`settings`] is how a link says it.
//!
//! Invariant: whoever asks gets the answer to what was asked, or an error; never the answer to something else.

pub mod attach;
pub mod bus;
pub mod calls;
pub mod driver;
pub mod networks;
pub mod plan;
pub mod scan;
pub mod serve;
pub mod settings;
pub mod task;
pub mod units;
pub mod value;
pub mod who;
pub mod wire;
