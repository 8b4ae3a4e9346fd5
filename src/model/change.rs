//! Changes: what an event makes of the state, to be committed before anybody hears of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::about::About;
use super::attempt::{Attempt, Stranger};
use super::command::Command;
use super::deed::Deed;
use super::device::{Capabilities, Connectivity, Device};
use super::id::{CommandNo, DeedNo, DeviceNo, Identity, ShapeNo};
use super::layer::Layer;
use super::name::Name;
use super::now::Wall;
use super::record::{Entry, Stream};
use super::secret::Secret;
use super::token::Token;
use super::totals::Totals;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A new kind of device; what it holds never changes under its number.
    Shape {
        no: ShapeNo,
        capabilities: Arc<Capabilities>,
    },
    /// No device has this shape any more.
    ForgetShape(ShapeNo),
    /// A device is new or another than before.
    Device(Arc<Device>),
    /// A command is new or has gone on.
    Command(Arc<Command>),
    /// A command need no longer be known. No forgotten id from outside expired later than the time given.
    Forget {
        no: CommandNo,
        forgotten_to: Wall,
    },
    /// What is carried out once is about to be, or was.
    Deed(Arc<Deed>),
    /// The same of a deed as of a command.
    ForgetDeed {
        no: DeedNo,
        forgotten_to: Wall,
    },
    /// For the journal, and for the log of the device that it is about.
    Record(Entry),
    /// What is known of a device beside: what is given replaces what was.
    About {
        device: DeviceNo,
        about: Arc<About>,
    },
    /// How a device was heard from is written last.
    Was {
        device: DeviceNo,
        connectivity: Connectivity,
    },
    /// What is counted for a device.
    Totals {
        device: DeviceNo,
        totals: Arc<Totals>,
        /// What cannot be counted again from what the device shows is not lost at a crash.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        at_once: bool,
    },
    /// Who shows this identity must hold this key; without one: nobody has to any more.
    Key {
        identity: Identity,
        #[serde(serialize_with = "super::secret::hidden")]
        key: Option<Secret>,
    },
    /// A device is no more, with its log and all that is known of it.
    ForgetDevice(DeviceNo),
    /// Somebody was turned away.
    Attempt(Attempt),
    ForgetAttempt(Stranger),
    /// Somebody may come in from afar.
    Token(Arc<Token>),
    ForgetToken(Name),
    /// A change of the settings was made through a door.
    Layer(Arc<Layer>),
    /// What it said stands in the next one too.
    ForgetLayer(u64),
    /// A reader has everything of this stream up to and with this number.
    Passed {
        reader: Name,
        stream: Stream,
        seq: u64,
    },
}

impl Change {
    /// What was only seen, or can be told again, waits for the next commit that somebody waits for, or for the next
    /// flush of readings; what a crash took before that, a gap record of the start after it names.
    pub fn can_wait(&self) -> bool {
        match self {
            Change::Record(entry) => entry.record.stream() == Stream::Events,
            Change::ForgetShape(_) | Change::Forget { .. } | Change::Passed { .. } | Change::Was { .. } => true,
            Change::ForgetDeed { .. } => true,
            Change::Totals { at_once, .. } => !at_once,
            Change::Attempt(_) | Change::ForgetAttempt(_) => true,
            Change::Shape { .. } | Change::Device(_) | Change::ForgetDevice(_) | Change::Command(_) => false,
            Change::About { .. } | Change::Key { .. } | Change::Layer(_) | Change::ForgetLayer(_) => false,
            Change::Token(_) | Change::ForgetToken(_) | Change::Deed(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_wait_unless_they_could_not_be_counted_again() {
        let totals = |at_once| Change::Totals { device: DeviceNo(0), totals: Arc::default(), at_once };
        assert!(totals(false).can_wait() && !totals(true).can_wait());
    }
}
