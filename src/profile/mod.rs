//! Profiles: what an owner or a maker wrote about a kind of device, so that a device of that kind says what it means.
//!
//! [`sections`] are the rows that a person writes; [`inherit`] fills in what one profile takes from another, [`checks`]
//! looks at what no single row can show. [`best`] says which profile fits a device, and why. [`Shaped`] is a profile made
//! ready: which points a device has by it, what a raw value means ([`Converter`]), what a wanted value is in raw.
//! [`example`] holds a profile against what its author expects. Invariant: no I/O, no clock; what comes from a device is
//! bounded by what the profile names.

pub mod checks;
mod condition;
mod convert;
mod count;
mod date;
mod energy;
pub mod example;
pub mod inherit;
mod marks;
pub mod modbus;
mod order;
mod rests;
mod score;
pub mod sections;
mod shaped;
pub mod text;
pub mod unit;
mod write;

pub use condition::Condition;
pub use convert::{Converter, Given, Kept, Raw};
pub use count::Count;
pub use date::Date;
pub use energy::Energy;
pub use marks::{Mark, Words};
pub use score::{Best, Facts, Score, best, fittest};
pub use sections::{Counter, Health, Hint, Known, Profile, Success, Wanted};
pub use shaped::Shaped;

/// Profiles of one gateway, shipped ones counted too.
pub const MOST_PROFILES: usize = 2_000;
/// Conditions of one profile.
pub const MOST_HINTS: usize = 64;
/// Points that one point is computed from.
pub const MOST_TERMS: usize = 64;
/// Words of one point, and marks of no value.
pub const MOST_WORDS: usize = 256;
/// Texts of one profile.
pub const MOST_TEXTS: usize = 1_000;

#[cfg(test)]
mod tests;
