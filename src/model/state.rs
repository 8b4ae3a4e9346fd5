//! What a start finds on disk: enough to make the engine that wrote it again.

use std::sync::Arc;

use super::change::Change;
use super::command::Command;
use super::device::{Capabilities, Device};
use super::id::ShapeNo;
use super::now::Wall;

/// All in ascending order of their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub shapes: Vec<(ShapeNo, Arc<Capabilities>)>,
    pub devices: Vec<Arc<Device>>,
    pub commands: Vec<Arc<Command>>,
    /// No forgotten id from outside expired later than this.
    pub forgotten_to: Wall,
}

impl State {
    /// What a change makes of it: the same that the store does to its tables, in memory.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Shape { no, capabilities } => put(&mut self.shapes, (*no, capabilities.clone()), |(no, _)| *no),
            Change::ForgetShape(no) => self.shapes.retain(|(known, _)| known != no),
            Change::Device(device) => put(&mut self.devices, device.clone(), |device| device.no),
            Change::Command(command) => put(&mut self.commands, command.clone(), |command| command.no),
            Change::Forget { no, forgotten_to } => {
                self.commands.retain(|command| command.no != *no);
                self.forgotten_to = self.forgotten_to.max(*forgotten_to);
            }
            Change::Record(_) | Change::Passed { .. } => {}
        }
    }
}

fn put<T, K: Ord>(rows: &mut Vec<T>, row: T, key: impl Fn(&T) -> K) {
    match rows.binary_search_by_key(&key(&row), &key) {
        Ok(place) => rows[place] = row,
        Err(place) => rows.insert(place, row),
    }
}
