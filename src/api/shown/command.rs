//! A command as it looks from outside; of one to many devices what became of each.

use serde::{Deserialize, Serialize};

use crate::model::command::Priority;
use crate::model::*;

/// Bytes of all results that the answer about one command to many holds; the rest is looked up one by one.
const MOST_OF_MANY: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandShown {
    pub id: CommandId,
    pub state: CommandState,
    /// Absent where it is for many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    pub operation: Operation,
    pub by: Name,
    pub priority: Priority,
    pub asked: Wall,
    /// Not to be sent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Wall>,
    pub expires: Wall,
    /// Seconds that the device may take.
    pub timeout: f64,
    /// Why it has not been sent yet, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Wall>,
    /// In parts of a thousand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Wall>,
    /// Of one that is done: the gateway has seen that it is so, or, where it cannot be undone, it has not and only the
    /// device says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<bool>,
    /// Of a command to many: what became of each, in the order in which they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<ChildShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<ManyCounts>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChildShown {
    pub device: DeviceId,
    /// Absent where it was refused, or is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CommandState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u16>,
    /// Absent where it has not ended, or where the results of all are too much for one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ManyCounts {
    pub all: usize,
    pub refused: usize,
    pub queued: usize,
    pub sent: usize,
    pub done: usize,
    pub failed: usize,
    pub expired: usize,
    pub cancelled: usize,
    pub unknown: usize,
    /// Ended so long ago that nobody remembers how.
    pub forgotten: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommandsShown {
    pub commands: Vec<CommandShown>,
    /// Ask with `after` this for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<CommandNo>,
}

/// What an ask is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Accepted(CommandShown),
    /// The same id was asked before.
    Known(CommandShown),
    /// In the order in which they were asked.
    Registered(Vec<Registered>),
    Done,
}

impl CommandShown {
    pub fn of(command: &Command) -> CommandShown {
        CommandShown {
            id: command.id.clone(),
            state: command.state,
            device: match &command.whom {
                Whom::Device { id, .. } => Some(id.clone()),
                Whom::Many(_) => None,
            },
            operation: command.operation.clone(),
            by: command.by.clone(),
            priority: command.priority,
            asked: command.asked.wall,
            starts: command.starts.map(|starts| starts.wall),
            expires: command.expires.wall,
            timeout: command.timeout.as_secs_f64(),
            waits: None,
            sent: command.sent.map(|now| now.wall),
            progress: command.progress,
            outcome: command.outcome.clone(),
            ended: command.ended.map(|now| now.wall),
            proven: command.proven,
            devices: Vec::new(),
            counts: None,
        }
    }

    /// Of one to many; the parts are looked up by their numbers.
    pub fn of_many(command: &Command, look: impl Fn(CommandNo) -> Option<Command>) -> CommandShown {
        let (mut counts, mut room) = (ManyCounts::default(), MOST_OF_MANY);
        let mut devices = Vec::new();
        for child in command.children() {
            let shown = match &child.part {
                ChildPart::Refused(refusal) => ChildShown::refused(&child.device, refusal),
                ChildPart::Command(no) => ChildShown::of(&child.device, look(*no), &mut room),
            };
            counts.add(&shown);
            devices.push(shown);
        }
        let progress = command.progress.or(command.state.is_open().then(|| counts.progress()));
        CommandShown { devices, counts: Some(counts), progress, ..CommandShown::of(command) }
    }
}

impl ChildShown {
    fn refused(device: &DeviceId, refusal: &Refusal) -> ChildShown {
        let refused = Some(refusal.clone());
        ChildShown { device: device.clone(), command: None, state: None, refused, progress: None, outcome: None }
    }

    fn of(device: &DeviceId, command: Option<Command>, room: &mut usize) -> ChildShown {
        let device = device.clone();
        let Some(command) = command else {
            return ChildShown { device, command: None, state: None, refused: None, progress: None, outcome: None };
        };
        let weight = command.outcome.as_ref().map_or(0, weight);
        let outcome = command.outcome.filter(|_| weight <= *room);
        *room -= if outcome.is_some() { weight } else { 0 };
        let (id, state, progress) = (Some(command.id), Some(command.state), command.progress);
        ChildShown { device, command: id, state, refused: None, progress, outcome }
    }
}

fn weight(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Done(values) => values.iter().map(|(_, value)| value.weight()).sum(),
        // Bounded, and short.
        _ => 0,
    }
}

impl ManyCounts {
    fn add(&mut self, child: &ChildShown) {
        self.all += 1;
        let place = match (&child.refused, child.state) {
            (Some(_), _) => &mut self.refused,
            (None, None) => &mut self.forgotten,
            (None, Some(CommandState::Queued)) => &mut self.queued,
            (None, Some(CommandState::Sent)) => &mut self.sent,
            (None, Some(CommandState::Done)) => &mut self.done,
            (None, Some(CommandState::Failed)) => &mut self.failed,
            (None, Some(CommandState::Expired)) => &mut self.expired,
            (None, Some(CommandState::Cancelled)) => &mut self.cancelled,
            (None, Some(CommandState::Unknown)) => &mut self.unknown,
        };
        *place += 1;
    }

    /// How many have ended, in parts of a thousand.
    fn progress(&self) -> u16 {
        let ended = self.all - self.queued - self.sent;
        u16::try_from(ended * 1_000 / self.all.max(1)).unwrap_or(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(no: u64, whom: Whom, state: CommandState) -> Command {
        let id = CommandId::new(&format!("c-{no}")).unwrap();
        let command = Command::new(CommandNo(no), id, Name::new("p").unwrap(), whom, Operation::Probe, Now::default());
        Command { state, ..command }
    }

    fn many(parts: Vec<ChildPart>) -> Command {
        let device = |no| DeviceId::new(&format!("urn:{no}")).unwrap();
        let children = parts.into_iter().enumerate().map(|(no, part)| Child { device: device(no), part });
        command(1, Whom::Many(children.collect::<Vec<_>>().into()), CommandState::Sent)
    }

    fn part(no: u64, state: CommandState, outcome: Option<Outcome>) -> Command {
        let whom = Whom::Device { no: DeviceNo(1), id: DeviceId::new("urn:x").unwrap() };
        Command { outcome, ..command(no, whom, state) }
    }

    #[test]
    fn a_command_to_many_tells_of_each_and_counts_them() {
        let refusal = Refusal::Unsupported("cannot".into());
        let parent = many(vec![
            ChildPart::Command(CommandNo(2)),
            ChildPart::Refused(refusal.clone()),
            ChildPart::Command(CommandNo(3)),
            ChildPart::Command(CommandNo(4)),
        ]);
        let shown = CommandShown::of_many(&parent, |no| match no.0 {
            2 => Some(part(2, CommandState::Done, Some(Outcome::Done(Vec::new())))),
            3 => Some(part(3, CommandState::Queued, None)),
            _ => None,
        });
        let counts = ManyCounts { all: 4, refused: 1, queued: 1, done: 1, forgotten: 1, ..ManyCounts::default() };
        assert_eq!((shown.counts, shown.progress), (Some(counts), Some(750)));
        let states: Vec<Option<CommandState>> = shown.devices.iter().map(|child| child.state).collect();
        assert_eq!(states, [Some(CommandState::Done), None, Some(CommandState::Queued), None]);
        assert_eq!(shown.devices[1].refused, Some(refusal));
        assert_eq!(shown.devices[0].command.as_ref().unwrap().as_str(), "c-2");
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["devices"][1]["refused"]["unsupported"], "cannot");
        assert_eq!(serde_json::from_value::<CommandShown>(json).unwrap(), shown);
    }

    #[test]
    fn the_results_of_many_are_bounded_and_their_states_are_not() {
        let heavy: Vec<(PointPath, Value)> = vec![("a.b".parse().unwrap(), Value::text(&"x".repeat(1_024))); 8];
        let parent = many((0..200).map(|no| ChildPart::Command(CommandNo(no))).collect());
        let look = |no: CommandNo| Some(part(no.0, CommandState::Done, Some(Outcome::Done(heavy.clone()))));
        let shown = CommandShown::of_many(&parent, look);
        let told = shown.devices.iter().filter(|child| child.outcome.is_some()).count();
        assert!((100..200).contains(&told), "{told}");
        assert_eq!(shown.counts.unwrap().done, 200);
    }

    #[test]
    fn nobody_of_many_is_no_division_by_nothing() {
        assert_eq!(CommandShown::of_many(&many(Vec::new()), |_| None).progress, Some(0));
    }
}
