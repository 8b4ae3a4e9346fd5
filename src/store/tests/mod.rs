//! Tests of the store, by subject.

mod block;
mod bounds;
mod broken;
mod flow;
mod kept;
mod sealed;
mod slow;
#[path = "../../../tests/support/torn_disk.rs"]
mod torn_disk;
mod watched;
mod words;
