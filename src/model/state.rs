//! What a start finds on disk: enough to make the engine that wrote it again.

use std::sync::Arc;

use super::command::Command;
use super::device::{Capabilities, Device};
use super::id::ShapeNo;

/// All in ascending order of their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub shapes: Vec<(ShapeNo, Arc<Capabilities>)>,
    pub devices: Vec<Arc<Device>>,
    pub commands: Vec<Arc<Command>>,
}
