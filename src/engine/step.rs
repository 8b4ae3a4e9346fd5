//! What an event leads to.

use std::sync::Arc;

use crate::model::{Change, Command, CommandId, CommandNo, DeviceNo, Heard, Order};

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
    /// Forgotten devices.
    pub gone: Vec<DeviceNo>,
    /// Somebody was turned away.
    pub attempts: bool,
    /// Somebody may come in, or no longer.
    pub tokens: bool,
    pub commands: Vec<Arc<Command>>,
    /// Found at the start, ended long ago.
    pub ended: Vec<(CommandId, CommandNo)>,
    pub forgotten: Vec<CommandId>,
}
