//! Events: one thing that happened. The only way into the engine.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::about::About;
use super::audit::Audit;
use super::command::{Outcome, Priority};
use super::deed::{First, Wanted};
use super::device::Capabilities;
use super::id::{Address, CommandId, CommandNo, DeedNo, DeviceId, DeviceNo, Identity, LinkNo};
use super::name::Name;
use super::now::Wall;
use super::operation::{Operation, optional_seconds};
use super::principal::Principal;
use super::reading::Heard;
use super::record::Stream;
use super::registration::Registration;
use super::token::Grant;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    Link {
        link: LinkNo,
        event: LinkEvent,
    },
    /// A principal asks; the answer is a `Reply` order to the same number.
    Ask {
        to: u64,
        by: Principal,
        ask: Ask,
    },
    /// A principal wants this to be carried out, once; answered as an ask is.
    Begin {
        to: u64,
        by: Principal,
        wanted: Wanted,
    },
    /// How a deed was answered first; None: nobody can say whether it was carried out. Answered when that is on disk.
    Carried {
        to: u64,
        deed: DeedNo,
        #[serde(default)]
        first: Option<First>,
    },
    /// Somebody asked a door for something that never reaches the engine.
    Audit(Audit),
    /// A reader of the journal has everything up to and with this number.
    Passed {
        reader: Name,
        stream: Stream,
        seq: u64,
    },
    /// What an [`Order::Recall`](super::order::Order::Recall) found.
    Recalled {
        command: CommandNo,
        outcome: Outcome,
    },
    /// The vital stream has reached its bound, or has room again.
    VitalFull(bool),
    /// The time that the engine asked to be woken at.
    Wake,
}

/// From a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkEvent {
    /// Attached. The first one of a link's task says how many orders the link can take at a time; its credits last as
    /// long as the task, so later ones change nothing about them.
    Up {
        credits: u16,
    },
    /// Cannot reach its devices. It still takes and answers orders.
    Down {
        why: String,
    },
    /// So many orders are dealt with: their credits are back. (`Finished` brings its own back.)
    Took {
        orders: u16,
    },
    Sighted(Sighting),
    /// A device asks to be let in; answered by `Answer` to the same exchange.
    Asked {
        exchange: u64,
        who: Sighting,
    },
    Heard(Heard),
    /// The device now has other components, points or operations.
    Changed {
        device: DeviceNo,
        capabilities: Arc<Capabilities>,
    },
    /// A device was asked, as often as its link asks, and did not answer.
    Missed {
        device: DeviceNo,
    },
    /// In parts of a thousand.
    Progress {
        command: CommandNo,
        share: u16,
    },
    Finished {
        command: CommandNo,
        outcome: Outcome,
    },
    /// Why it cannot read all that it should as often as it should; none: it can.
    Strained {
        why: Option<String>,
    },
    /// The device left.
    Gone {
        device: DeviceNo,
    },
    /// The link's task is no more, and its channel with it: all its credits are void. Said by whoever ran the task.
    Ended {
        why: String,
        /// It was told to stop, and has said all that it had to say.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stopped: bool,
    },
}

/// A device is there, and this is who it says or shows to be. Point numbers in it mean nothing yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    pub address: Address,
    #[serde(default)]
    pub identities: Vec<Identity>,
    #[serde(default)]
    pub capabilities: Option<Arc<Capabilities>>,
    /// What it tells about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Arc<About>>,
}

impl Sighting {
    pub fn new(address: Address, identities: Vec<Identity>, capabilities: Option<Arc<Capabilities>>) -> Sighting {
        Sighting { address, identities, capabilities, about: None }
    }
}

/// Identities of one sighting; more is a hostile device.
pub const MOST_IDENTITIES: usize = 8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    Operate(Operate),
    Cancel {
        command: CommandId,
    },
    Discover {
        link: Name,
    },
    /// Somebody looks at what is on disk: what waits for the next commit need not wait longer.
    Settle {
        /// Readings that are gathered in memory, too.
        #[serde(default)]
        readings: bool,
    },
    /// Devices that shall be known; answered one by one.
    Register {
        devices: Vec<Registration>,
    },
    /// Somebody shall be let in who shows this.
    Grant(Grant),
    /// And no longer.
    Revoke {
        token: Name,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Operate {
    /// The asker's own id. It must come with `expires`; without it one is made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// On this one …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// … or on each of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceId>,
    /// … or on each of this group …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Name>,
    /// … or on each for which this selector holds.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    pub operation: Operation,
    #[serde(default)]
    pub priority: Priority,
    /// How long the device may take.
    #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub timeout: Option<Duration>,
    /// Not to be sent after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Wall>,
    /// Not to be sent before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Wall>,
    /// The second step of what is dangerous: what the first was answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Name>,
}

impl Operate {
    /// With an id of ours and the spans of the settings.
    pub fn new(device: DeviceId, operation: Operation) -> Operate {
        Operate {
            id: None,
            device: Some(device),
            devices: Vec::new(),
            group: None,
            of: None,
            operation,
            priority: Priority::default(),
            timeout: None,
            expires: None,
            starts: None,
            token: None,
        }
    }
}
