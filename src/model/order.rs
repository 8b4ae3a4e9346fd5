//! Orders: what a link or a door is told to do, once what they rest on is committed.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::deed::Deed;
use super::id::{Address, CommandNo, DeedNo, DeviceNo, LinkNo, PointNo};
use super::name::Name;
use super::now::Mono;
use super::operation::{Operation, optional_seconds};
use super::point::PointPath;
use super::registration::Registered;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    Link {
        link: LinkNo,
        order: LinkOrder,
    },
    /// Look the device's log up, and end the command with it. The loop does it, after the commit.
    Recall {
        command: CommandNo,
        device: DeviceNo,
    },
    /// The answer to an [`Ask`](super::event::Ask).
    Reply {
        to: u64,
        reply: Reply,
    },
}

/// To a link. Each takes one of the link's credits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkOrder {
    /// Answered by `Finished`, whatever happens.
    Perform {
        command: CommandNo,
        device: DeviceNo,
        operation: Operation,
        deadline: Mono,
    },
    /// Call it back if nothing has reached the device yet. The answer is the `Finished` of the command.
    Cancel {
        command: CommandNo,
    },
    /// From now on this number means the device at this address. The profile says what kind it is, and with some
    /// protocols what there is to read; it is told again when it says something else.
    Admit {
        device: DeviceNo,
        address: Address,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Name>,
    },
    /// What to read, how often. Replaces the plan before it; an empty one stops reading.
    Plan {
        device: DeviceNo,
        points: Arc<[PlanPoint]>,
    },
    /// Have nothing to do with this address until then, or for good.
    Refuse {
        address: Address,
        until: Option<Mono>,
    },
    /// Answer a device that asked.
    Answer {
        exchange: u64,
        verdict: Verdict,
        wait: Option<Duration>,
    },
    /// See whether the device is there.
    Probe {
        device: DeviceNo,
    },
    Discover,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Accepted,
    Refused,
    /// Come back after the given time.
    Later,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanPoint {
    pub no: PointNo,
    pub path: PointPath,
    /// Absent: do not ask, but take it when the device speaks.
    #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// On disk: it will be carried out, or its end will be told.
    Accepted(Arc<Command>),
    /// The same id was asked before, as this command; the view or the store tells what became of it.
    Known(CommandNo),
    /// On disk: now it is carried out.
    Begun(DeedNo),
    /// The very same was asked before; of its answer this tells the status, the store the rest.
    Before(Arc<Deed>),
    /// What is asked cannot be undone: ask the very same again with this token, within so long.
    Guarded {
        token: Name,
        #[serde(with = "super::operation::seconds")]
        within: Duration,
    },
    /// In the order in which they were asked.
    Registered(Vec<Registered>),
    /// Done as asked; there is nothing to follow.
    Done,
    Refused(Refusal),
}

/// Why not, by what the asker can do about it. The text says what happened and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    NotAllowed(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    BadArgument(String),
    #[error("{0}")]
    Expired(String),
    /// Not now: ask again later.
    #[error("{0}")]
    Busy(String),
    /// It is too late for that.
    #[error("{0}")]
    TooLate(String),
}
