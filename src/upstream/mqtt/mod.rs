//! The client of an MQTT broker as a pure machine: bytes and times go in; bytes, events and a time to wake come out.
//!
//! ```text
//!              publish, subscribe, took, disconnect              Event: Acknowledged, Refused, Message, Ended ...
//!                            │                                      ▲
//!  received(bytes) ──▶ ┌───────────────────────────────────────────────────┐ ──▶ output(), then wrote(n)
//!  closed, tick    ──▶ │ Client: sending (window), taking, deadlines       │ ──▶ wake_at()
//!                      └───────────────────────────────────────────────────┘
//!                            └── wire: rumqttc's codec, behind checks of our own
//! ```
//!
//! rumqttc reads and writes the packets; its event loop is not used, for it forgets what it holds whenever a broker has no
//! session, and tells nobody which publish was acknowledged. [`run`] drives the machine over any stream; tests drive it in
//! false time. MQTT 5, and 3.1.1 where a broker has no more: the end [`End::OldBroker`] says when to try it.
//!
//! Invariants: what was taken by [`Client::publish`] ends exactly once, as acknowledged, refused or handed back; nothing is
//! forgotten with a connection or with the broker's memory. What is sent is in the order in which it was given. Never more
//! than the window is on its way, in messages and in bytes. Nothing that a broker sends panics, or is held beyond a bound.

mod alive;
mod client;
mod connect;
mod event;
mod message;
mod out;
mod reason;
pub mod run;
mod sending;
mod taking;
#[cfg(test)]
mod tests;
mod wire;

pub use self::client::{Bounds, Client, NotTaken};
pub use self::connect::{Connect, Version};
pub use self::event::{Awaited, End, Event, Limits, Receipt, Refusal, Token, Welcome};
pub use self::message::{Message, Qos, Unfit};
pub use self::reason::Reason;
pub use self::wire::Malformed;
