//! How a command stands, as a person sees it and as a script does; of one to many devices each in a line.

use super::table::{print, table, time, width};
use super::{CliError, Exit, print_json, told};
use crate::api::shown::{ChildShown, CommandShown, ManyCounts};
use crate::model::{CommandState, Outcome};

pub fn show(command: &CommandShown, more: &str, waited: bool, json: bool) -> Result<Exit, CliError> {
    let exit = match &command.counts {
        Some(counts) => exit_of_many(counts, waited),
        None => exit(command.state, waited),
    };
    if json {
        return print_json(command).map(|_| exit);
    }
    let whom = match (&command.device, &command.counts) {
        (Some(device), _) => device.to_string(),
        (None, Some(counts)) => format!("{} devices", counts.all),
        (None, None) => "many".into(),
    };
    let proven = told::proven(command.proven);
    print(&format!("{}  {} on {whom}: {}{proven}{more}", command.id, command.operation.kind(), command.state.name()));
    if let Some(outcome) = command.outcome.as_ref().filter(|outcome| !says_nothing(outcome)) {
        print(&format!("  {}", told::outcome(outcome)));
    }
    if let Some(counts) = &command.counts {
        print(&of_many(&command.devices, counts, width()));
    }
    if command.state.is_open() {
        show_open(command);
    }
    if command.state == CommandState::Unknown || command.counts.is_some_and(|counts| counts.unknown > 0) {
        print("  look at the device before you ask again: it may have been carried out");
    }
    Ok(exit)
}

fn show_open(command: &CommandShown) {
    if let Some(progress) = command.progress {
        print(&format!("  {} % so far", progress / 10));
    }
    if let Some(starts) = command.starts.filter(|_| command.state == CommandState::Queued) {
        print(&format!("  not sent before {}", time(starts)));
    }
    if let Some(why) = &command.waits {
        print(&format!("  it waits: {why}"));
    }
    print(&format!("  not ended yet; look again with: dmgw command show {} --wait 30s", command.id));
}

/// A line for each, and the sum.
fn of_many(devices: &[ChildShown], counts: &ManyCounts, width: usize) -> String {
    let row = |child: &ChildShown| {
        let state = match (&child.refused, child.state) {
            (Some(_), _) => "refused",
            (None, Some(state)) => state.name(),
            (None, None) => "forgotten",
        };
        let outcome = child.outcome.as_ref().filter(|outcome| !says_nothing(outcome)).map(told::outcome);
        let says = child.refused.as_ref().map(ToString::to_string).or(outcome).unwrap_or_default();
        vec![child.device.to_string(), state.to_owned(), says]
    };
    let rows: Vec<Vec<String>> = devices.iter().map(row).collect();
    let ManyCounts { refused, queued, sent, done, failed, expired, cancelled, unknown, forgotten, .. } = counts;
    let sums = [
        (done, "done"),
        (failed, "failed"),
        (refused, "refused"),
        (expired, "expired"),
        (cancelled, "cancelled"),
        (unknown, "unknown"),
        (forgotten, "forgotten"),
        (sent, "sent"),
        (queued, "queued"),
    ];
    let sums = sums.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}"));
    let table = table(&["DEVICE", "STATE", "WHAT CAME OF IT"], &rows, width);
    format!("{table}\n{} in all: {}", counts.all, sums.collect::<Vec<_>>().join(", "))
}

/// The worst of all: what is not known, then what was not done.
fn exit_of_many(counts: &ManyCounts, waited: bool) -> Exit {
    let open = counts.queued + counts.sent;
    let not_done = counts.refused + counts.failed + counts.expired + counts.cancelled;
    match (counts.unknown + counts.forgotten, open, not_done) {
        (1.., ..) => Exit::Unknown,
        (0, 1.., _) if waited => Exit::Unknown,
        (0, _, 1..) => Exit::Failed,
        (0, _, 0) => Exit::Done,
    }
}

/// "Done" twice.
fn says_nothing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done(values) if values.is_empty())
}

/// One that is still open although somebody waited is as good as unknown; nobody waited: it was accepted.
fn exit(state: CommandState, waited: bool) -> Exit {
    match state {
        CommandState::Queued | CommandState::Sent if waited => Exit::Unknown,
        CommandState::Queued | CommandState::Sent | CommandState::Done => Exit::Done,
        CommandState::Failed | CommandState::Expired | CommandState::Cancelled => Exit::Failed,
        CommandState::Unknown => Exit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> ManyCounts {
        let mut counts = ManyCounts::default();
        for word in text.split_whitespace() {
            counts.all += 1;
            let place = match word {
                "done" => &mut counts.done,
                "failed" => &mut counts.failed,
                "refused" => &mut counts.refused,
                "unknown" => &mut counts.unknown,
                _ => &mut counts.sent,
            };
            *place += 1;
        }
        counts
    }

    #[test]
    fn of_many_the_worst_is_what_a_script_sees() {
        for (text, waited, expected) in [
            ("done done", true, Exit::Done),
            ("done failed", true, Exit::Failed),
            ("done refused", false, Exit::Failed),
            ("failed unknown done", true, Exit::Unknown),
            ("done sent", true, Exit::Unknown),
            ("done sent", false, Exit::Done),
            ("", true, Exit::Done),
        ] {
            assert_eq!(exit_of_many(&counts(text), waited), expected, "{text}");
        }
    }

    #[test]
    fn of_many_there_is_a_line_for_each_and_a_sum() {
        let children: Vec<ChildShown> = serde_json::from_value(serde_json::json!([
            { "device": "urn:a", "command": "c-2", "state": "done", "outcome": { "done": [["a.0.x", 5]] } },
            { "device": "urn:b", "refused": { "unsupported": "urn:b cannot read" } },
            { "device": "urn:c", "command": "c-3", "state": "failed", "outcome": { "failed": "no" } },
        ]))
        .unwrap();
        let told = of_many(&children, &counts("done refused failed"), 80);
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "DEVICE  STATE    WHAT CAME OF IT",
                "urn:a   done     a.0.x = 5",
                "urn:b   refused  urn:b cannot read",
                "urn:c   failed   no",
                "3 in all: 1 done, 1 failed, 1 refused",
            ]
        );
    }
}
