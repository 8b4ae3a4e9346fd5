//! The engine: one event in, one step out. No I/O, no clock, no randomness; iteration orders are fixed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::device::DeviceNow;
use crate::model::*;

/// What an event leads to: changes to commit, readings to keep, then orders to send.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    pub changes: Vec<Change>,
    pub heard: Vec<Heard>,
    pub orders: Vec<Order>,
}

/// What a link does with a device that it meets for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    #[default]
    Accept,
    /// Keep it pending until an administrator decides.
    Hold,
    Refuse,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LinkSettings {
    pub name: Name,
    pub admission: Admission,
    /// How often to read what can be read.
    pub every: Duration,
    /// Not heard for so long: silent.
    pub silent_after: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A [`LinkNo`] is a place in this list.
    pub links: Vec<LinkSettings>,
    pub command_timeout: Duration,
    pub command_expiry: Duration,
    /// How long past its expiry a command's id is still answered from its first result.
    pub remember: Duration,
    pub most_devices: usize,
    pub most_commands: usize,
}

pub struct Engine {
    _settings: Settings,
    _x: BTreeMap<u8, u8>,
}

/// What changed for readers since the view was last published.
#[derive(Debug, Default)]
pub struct Touched {
    pub devices: Vec<DeviceNo>,
    pub commands: Vec<Arc<Command>>,
    pub forgotten: Vec<CommandId>,
}

impl Engine {
    /// After a start: commands that were sent are `unknown` now, which is in the step.
    pub fn load(_settings: Settings, _state: State, _now: &Now) -> (Engine, Step) {
        todo!()
    }

    pub fn handle(&mut self, _now: &Now, _event: Event) -> Step {
        todo!()
    }

    /// When to call `handle` with [`Event::Wake`] if nothing else happens before.
    pub fn wake_at(&self) -> Option<Mono> {
        todo!()
    }

    pub fn touched(&mut self) -> Touched {
        todo!()
    }

    pub fn device(&self, _no: DeviceNo) -> Option<&Arc<DeviceNow>> {
        todo!()
    }

    /// What a restart would find, had everything been committed.
    pub fn state(&self) -> State {
        todo!()
    }
}
