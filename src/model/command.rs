//! Commands: one asked operation on a device, from `queued` to its end.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{Address, CommandId, CommandNo, DeviceId, DeviceNo};
use super::name::Name;
use super::now::{Boot, ClockQuality, Mono, Now, Wall};
use super::operation::{Operation, OperationKind};
use super::order::Refusal;
use super::point::PointPath;
use super::value::Value;

/// Values in one result; a link that sends more is cut.
pub const MOST_RESULTS: usize = 256;
/// Bytes of all values of one result, for results stay in memory as long as their command's id.
pub const LARGEST_RESULT: usize = 8 * 1024;
/// Bytes of a reason; a longer one is cut.
pub const LONGEST_REASON: usize = 256;

/// Ordered: the later goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CommandState {
    /// On disk, not yet given to the link.
    Queued,
    /// Given to the link: from here on only its answer says what happened.
    Sent,
    Done,
    Failed,
    /// Its time was over before it was sent.
    Expired,
    Cancelled,
    /// It was sent, and nobody can say whether it was carried out.
    Unknown,
}

impl CommandState {
    pub fn is_open(self) -> bool {
        matches!(self, CommandState::Queued | CommandState::Sent)
    }

    pub fn name(self) -> &'static str {
        match self {
            CommandState::Queued => "queued",
            CommandState::Sent => "sent",
            CommandState::Done => "done",
            CommandState::Failed => "failed",
            CommandState::Expired => "expired",
            CommandState::Cancelled => "cancelled",
            CommandState::Unknown => "unknown",
        }
    }
}

/// What a link says became of an order to perform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done(Vec<(PointPath, Value)>),
    /// The device said no, or what it did is proven not to have worked.
    Failed(String),
    /// Nothing reached the device: safe to ask again.
    NotSent(String),
    /// Something may have reached the device, and no answer came that tells.
    Lost(String),
    /// Called back before anything reached the device.
    Cancelled,
}

impl Outcome {
    /// What comes from a link is cut to its bounds.
    pub fn bounded(self) -> Outcome {
        match self {
            Outcome::Done(mut values) => {
                values.truncate(MOST_RESULTS);
                let mut room = LARGEST_RESULT;
                values.retain(|(_, value)| {
                    let fits = value.check().is_ok() && value.weight() <= room;
                    room -= if fits { value.weight() } else { 0 };
                    fits
                });
                Outcome::Done(values)
            }
            Outcome::Failed(why) => Outcome::Failed(cut(why)),
            Outcome::NotSent(why) => Outcome::NotSent(cut(why)),
            Outcome::Lost(why) => Outcome::Lost(cut(why)),
            Outcome::Cancelled => Outcome::Cancelled,
        }
    }

    pub fn state(&self) -> CommandState {
        match self {
            Outcome::Done(_) => CommandState::Done,
            Outcome::Failed(_) | Outcome::NotSent(_) => CommandState::Failed,
            Outcome::Lost(_) => CommandState::Unknown,
            Outcome::Cancelled => CommandState::Cancelled,
        }
    }
}

fn cut(mut text: String) -> String {
    let mut end = text.len().min(LONGEST_REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// When a command is no longer wanted, or not yet. Kept on both clocks: within the boot that took it the one that never
/// steps decides, after a reboot the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    pub wall: Wall,
    pub mono: Mono,
}

/// Whom a command is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    Device {
        no: DeviceNo,
        id: DeviceId,
    },
    /// A command of its own for each of them.
    Many(Arc<[Child]>),
}

/// What became of one device of many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    pub device: DeviceId,
    #[serde(flatten)]
    pub part: ChildPart,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChildPart {
    Command(CommandNo),
    Refused(Refusal),
}

/// What memory keeps of a command that has ended: enough to answer its id. The rest stands in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub no: CommandNo,
    pub id: CommandId,
    pub by: Name,
    /// `None`: it was for many.
    pub device: Option<DeviceNo>,
    pub kind: OperationKind,
    pub state: CommandState,
    pub asked: Boot,
    pub expires: Expiry,
    #[serde(default)]
    pub mark: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub no: CommandNo,
    pub id: CommandId,
    pub by: Name,
    /// From where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    pub whom: Whom,
    pub operation: Operation,
    /// By somebody on the spot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
    /// A mark of what was asked, of which devices; 0: not known.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub mark: u32,
    #[serde(default)]
    pub priority: Priority,
    pub state: CommandState,
    pub asked: Now,
    pub expires: Expiry,
    /// Not to be sent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Expiry>,
    /// The command to many that this one is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CommandNo>,
    /// How long the device may take, once sent.
    #[serde(with = "super::operation::seconds")]
    pub timeout: Duration,
    /// When it was sent, on the clock of the boot that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Now>,
    /// How far, in parts of a thousand, as the link last said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Now>,
    /// Of one that is done: its profile says how success is seen, and it was seen; or, where it cannot be undone, nobody
    /// has seen it, and only the device says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<bool>,
}

fn is_unknown(mark: &u32) -> bool {
    *mark == 0
}

impl Command {
    /// One that was just asked.
    pub fn new(no: CommandNo, id: CommandId, by: Name, whom: Whom, operation: Operation, asked: Now) -> Command {
        Command {
            no,
            id,
            by,
            from: None,
            whom,
            operation,
            local: false,
            mark: 0,
            priority: Priority::default(),
            state: CommandState::Queued,
            asked,
            expires: Expiry { wall: asked.wall, mono: asked.mono },
            starts: None,
            parent: None,
            timeout: Duration::ZERO,
            sent: None,
            progress: None,
            outcome: None,
            ended: None,
            proven: None,
        }
    }

    /// `None` where it is for many.
    pub fn device(&self) -> Option<DeviceNo> {
        match &self.whom {
            Whom::Device { no, .. } => Some(*no),
            Whom::Many(_) => None,
        }
    }

    pub fn children(&self) -> &[Child] {
        match &self.whom {
            Whom::Device { .. } => &[],
            Whom::Many(children) => children,
        }
    }

    /// What memory keeps of it once it has ended.
    pub fn brief(&self) -> Ended {
        Ended {
            no: self.no,
            id: self.id.clone(),
            by: self.by.clone(),
            device: self.device(),
            kind: self.operation.kind(),
            state: self.state,
            asked: self.asked.boot,
            expires: self.expires,
            mark: self.mark,
        }
    }

    pub fn expired(&self, now: &Now) -> bool {
        if now.boot == self.asked.boot {
            now.mono >= self.expires.mono
        } else {
            // Without a clock nobody knows how long the machine was off: the earlier end wins.
            now.quality == ClockQuality::Unset || now.wall >= self.expires.wall
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_at_a_character() {
        let long = "é".repeat(LONGEST_REASON);
        let Outcome::Failed(cut) = Outcome::Failed(long).bounded() else { panic!() };
        assert_eq!(cut, "é".repeat(LONGEST_REASON / 2));
    }

    #[test]
    fn a_result_is_cut_to_its_bounds() {
        let path: PointPath = "a.b".parse().unwrap();
        let many = vec![(path.clone(), Value::Int(1)); MOST_RESULTS + 9];
        let Outcome::Done(kept) = Outcome::Done(many).bounded() else { panic!() };
        assert_eq!(kept.len(), MOST_RESULTS);
        let heavy = vec![(path, Value::text(&"x".repeat(5000)))];
        assert_eq!(Outcome::Done(heavy).bounded(), Outcome::Done(Vec::new()));
    }
}
