//! Records: what the journal holds for upstreams, in streams by importance.

use serde::{Deserialize, Serialize};

use super::audit::Audit;
use super::command::CommandState;
use super::command::Outcome;
use super::device::LifeCycle;
use super::id::{Address, CommandId, DeviceId, DeviceNo};
use super::name::Name;
use super::now::{Now, Wall};
use super::point::PointPath;

/// A stream of the journal. Each numbers its records from 1, without a step back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Results of commands, gaps; later alarms, tickets and heads of the audit log.
    Vital,
    /// What happened to links and devices.
    Events,
    /// Readings.
    Telemetry,
}

impl Stream {
    pub const ALL: [Stream; 3] = [Stream::Vital, Stream::Events, Stream::Telemetry];

    pub fn name(self) -> &'static str {
        match self {
            Stream::Vital => "vital",
            Stream::Events => "events",
            Stream::Telemetry => "telemetry",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// Power or process was gone before they were on disk.
    Crash,
    /// The journal was full.
    Bound,
    /// The disk took nothing for so long that memory was full.
    Memory,
    /// What stood on disk could not be read back.
    Corrupt,
}

/// Nothing is lost in silence: what is missing, how many, from when to when, why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gap {
    pub stream: Stream,
    pub why: GapReason,
    /// The first and the last number that are missing.
    pub first: u64,
    pub last: u64,
    /// How many records are missing: so many, or at most so many; 0 and not exact: nobody knows.
    pub count: u64,
    pub exact: bool,
    /// Nothing that is missing came in before or after.
    pub from: Now,
    pub to: Now,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// How a command ended.
    Result {
        command: CommandId,
        /// `None`: it was for many, each of which has a result of its own.
        device: Option<DeviceId>,
        operation: String,
        state: CommandState,
        outcome: Option<Outcome>,
        /// Who asked it, and from where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Name>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Address>,
        /// Of what is done: it was seen that it is so, or it was not, and only the device says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proven: Option<bool>,
    },
    /// Somebody asked for something that became no command.
    Audit(Audit),
    Gap(Gap),
    /// The settings are others: which version, by whom, what is otherwise.
    Settings {
        says: String,
    },
    LinkUp {
        link: Name,
    },
    LinkDown {
        link: Name,
        why: String,
    },
    DeviceAdded {
        device: DeviceId,
        link: Name,
        address: Address,
        life: LifeCycle,
    },
    DeviceMoved {
        device: DeviceId,
        link: Name,
        address: Address,
    },
    DeviceLife {
        device: DeviceId,
        life: LifeCycle,
    },
    DeviceBlocked {
        device: DeviceId,
        until: Wall,
    },
    DeviceUnblocked {
        device: DeviceId,
    },
    /// It has another profile now, or none.
    DeviceProfile {
        device: DeviceId,
        profile: Option<Name>,
    },
    /// There is no room for the points that its profile makes of it: it is seen as it gives itself.
    ProfileNoRoom {
        device: DeviceId,
        profile: Name,
    },
    /// Its key, hardware or identities are others now.
    DeviceReplaced {
        device: DeviceId,
    },
    /// `with` goes on as `device`.
    DeviceMerged {
        device: DeviceId,
        with: DeviceId,
    },
    DeviceSplit {
        device: DeviceId,
        from: DeviceId,
    },
    /// Both were shown as one: somebody should say whether they are (`merge`).
    DeviceAlike {
        device: DeviceId,
        other: DeviceId,
    },
    /// Somebody elsewhere claims to be it, and it still answers.
    DeviceContested {
        device: DeviceId,
        link: Name,
        address: Address,
    },
    Maintenance {
        device: DeviceId,
        by: Name,
        on: bool,
    },
    /// What somebody wants a point to be; the last version wins.
    Desired {
        device: DeviceId,
        point: PointPath,
        by: Name,
        version: u64,
    },
    /// The device is not as desired, or is again.
    Differs {
        device: DeviceId,
        point: PointPath,
        differs: bool,
    },
    DeviceChanged {
        device: DeviceId,
    },
    DeviceUp {
        device: DeviceId,
    },
    /// It does not answer each time, or is not well by its profile; `why` says what that saw.
    DeviceDegraded {
        device: DeviceId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    DeviceSilent {
        device: DeviceId,
    },
    DeviceGone {
        device: DeviceId,
    },
}

impl Record {
    /// Whom it is about; of two the first.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Record::Result { device, .. } => device.as_ref(),
            Record::Audit(_) | Record::Gap(_) | Record::Settings { .. } => None,
            Record::LinkUp { .. } | Record::LinkDown { .. } => None,
            Record::DeviceAdded { device, .. }
            | Record::DeviceMoved { device, .. }
            | Record::DeviceLife { device, .. }
            | Record::DeviceBlocked { device, .. }
            | Record::DeviceUnblocked { device }
            | Record::DeviceProfile { device, .. }
            | Record::ProfileNoRoom { device, .. }
            | Record::DeviceReplaced { device }
            | Record::DeviceMerged { device, .. }
            | Record::DeviceSplit { device, .. }
            | Record::DeviceAlike { device, .. }
            | Record::DeviceContested { device, .. }
            | Record::Maintenance { device, .. }
            | Record::Desired { device, .. }
            | Record::Differs { device, .. }
            | Record::DeviceChanged { device }
            | Record::DeviceUp { device }
            | Record::DeviceDegraded { device, .. }
            | Record::DeviceSilent { device }
            | Record::DeviceGone { device } => Some(device),
        }
    }

    /// The second of two that it is about.
    pub fn other(&self) -> Option<&DeviceId> {
        match self {
            Record::DeviceMerged { with: other, .. }
            | Record::DeviceSplit { from: other, .. }
            | Record::DeviceAlike { other, .. } => Some(other),
            _ => None,
        }
    }

    pub fn stream(&self) -> Stream {
        match self {
            Record::Result { .. } | Record::Audit(_) | Record::Gap(_) => Stream::Vital,
            _ => Stream::Events,
        }
    }
}

/// A record as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Now,
    /// In whose log it stands as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<DeviceNo>,
    pub record: Record,
}

/// Records in the log of one device; the oldest go first.
pub const LONGEST_LOG: usize = 32;
