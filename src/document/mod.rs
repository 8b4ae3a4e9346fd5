//! What a person wrote: TOML as a tree in which every value knows its place, and what is wrong with it.
//!
//! [`parse`] makes the [`tree`] and goes on after a mistake, so that all of them are told at once. [`section!`] says which
//! keys a table has, with their defaults, bounds and reasons; the same rows read a file, teach it and explain it.
//! [`fault`] shows a mistake where it stands, and `mask` keeps secrets out of what it shows. Invariant: nothing here knows what the settings mean.

pub mod fault;
pub mod leaf;
mod lines;
pub mod mask;
pub mod parse;
pub mod part;
mod placed;
pub mod section;
pub mod tree;

pub use fault::{Fault, Faults};
pub use leaf::leaf;
pub use placed::Placed;
pub use section::{KeyDoc, Nested, Section};
pub use tree::{At, Key, Node, Origin, Source, Sources, Table, Val};

#[cfg(test)]
mod tests;
