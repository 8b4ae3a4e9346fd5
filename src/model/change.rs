//! Changes: what an event makes of the state, to be committed before anybody hears of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::device::{Capabilities, Device};
use super::id::{CommandNo, ShapeNo};
use super::name::Name;
use super::now::Wall;
use super::record::{Entry, Stream};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A new kind of device; what it holds never changes under its number.
    Shape { no: ShapeNo, capabilities: Arc<Capabilities> },
    /// No device has this shape any more.
    ForgetShape(ShapeNo),
    /// A device is new or another than before.
    Device(Arc<Device>),
    /// A command is new or has gone on.
    Command(Arc<Command>),
    /// A command need no longer be known. No forgotten id from outside expired later than the time given.
    Forget { no: CommandNo, forgotten_to: Wall },
    /// For the journal.
    Record(Entry),
    /// A reader has everything of this stream up to and with this number.
    Passed { reader: Name, stream: Stream, seq: u64 },
}

impl Change {
    /// What was only seen, or can be told again, waits for the next commit that somebody waits for, or for the next
    /// flush of readings; what a crash took before that, a gap record of the start after it names.
    pub fn can_wait(&self) -> bool {
        match self {
            Change::Record(entry) => entry.record.stream() == Stream::Events,
            Change::ForgetShape(_) | Change::Forget { .. } | Change::Passed { .. } => true,
            Change::Shape { .. } | Change::Device(_) | Change::Command(_) => false,
        }
    }
}
