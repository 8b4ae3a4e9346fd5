//! What the engine is told at its start. Each bound has a name here.

use std::time::Duration;

use serde::Deserialize;

use crate::model::Name;

/// What a link does with a device that it meets for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// A [`LinkNo`](crate::model::LinkNo) is a place in this list.
    pub links: Vec<LinkSettings>,
    /// How long a device may take for a command, where the asker does not say.
    pub command_timeout: Duration,
    /// How long a command may wait to be sent, where the asker does not say.
    pub command_expiry: Duration,
    /// The longest expiry that anybody may ask for.
    pub longest_expiry: Duration,
    /// How long past its expiry a command's id is still answered from its first result.
    pub remember: Duration,
    /// Past a command's deadline, how long its link may take to say how it ended.
    pub grace: Duration,
    /// How long a device that asked too early shall wait.
    pub come_back: Duration,
    pub most_devices: usize,
    pub most_commands: usize,
    /// Commands that wait for one device: a dead one shall not take the room of all.
    pub most_queued: usize,
    /// Orders of one link that wait for a credit, commands and plans not counted.
    pub most_waiting: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            links: Vec::new(),
            command_timeout: Duration::from_secs(10),
            command_expiry: Duration::from_secs(300),
            longest_expiry: Duration::from_secs(7 * 24 * 3600),
            remember: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
            come_back: Duration::from_secs(60),
            most_devices: 100_000,
            most_commands: 20_000,
            most_queued: 256,
            most_waiting: 1_000,
        }
    }
}
