//! What an event leads to.

use std::sync::Arc;

use crate::model::{Change, Command, CommandId, DeviceNo, Heard, Order};

/// Changes to commit, readings to keep, then orders to send.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    pub changes: Vec<Change>,
    pub heard: Vec<Heard>,
    pub orders: Vec<Order>,
}

/// What is another now for those who read the view.
#[derive(Debug, Default)]
pub struct Touched {
    pub devices: Vec<DeviceNo>,
    pub commands: Vec<Arc<Command>>,
    pub forgotten: Vec<CommandId>,
}
