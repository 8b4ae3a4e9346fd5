//! Asking: commands, their end, calling them back, looking for devices.

use std::time::Duration;

use super::args::AskArgs;
use super::client::{Client, escaped};
use super::table::{print, table, time, width};
use super::{CliError, Exit, again, print_json, spelling, told};
use crate::api::fault::{Guard, Told};
use crate::api::shown::{Answer, ChildShown, CommandShown, DeviceShown, ManyCounts, Status};
use crate::model::event::Operate;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Ask, CommandId, CommandState, DeviceId, Name, Operation, Outcome, Wall};
use crate::nearest;
use crate::units::show_span;

const AT_ONCE: Duration = Duration::ZERO;
/// Of a command with an id of its own, where nobody says.
const DEFAULT_EXPIRY: Duration = Duration::from_secs(3_600);
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// The daemon lets nobody wait longer at once.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

fn usage(says: impl ToString, hint: impl ToString) -> CliError {
    CliError::Usage { says: says.to_string(), hint: hint.to_string() }
}

pub async fn ask(client: &Client, args: AskArgs, json: bool) -> Result<Exit, CliError> {
    // The time is the gateway's, not that of this terminal.
    let now = client.get::<Status>("/v1/status", AT_ONCE).await?.clock.time;
    let mut operate = operate(client, &args, now).await?;
    let default = if args.starts.is_some() { AT_ONCE } else { DEFAULT_WAIT };
    let wait = args.wait.unwrap_or(default).min(LONGEST_WAIT);
    let uri = format!("/v1/ask?wait={}", wait.as_secs_f64());
    let mut answer = client.post(&uri, &Ask::Operate(operate.clone()), wait).await;
    if let Some(guard) = guard_of(&answer).filter(|_| args.yes) {
        operate.token = Some(guard.token);
        answer = client.post(&uri, &Ask::Operate(operate), wait).await;
    }
    match answer.map_err(told_again)? {
        Answer::Accepted(command) => show(&command, "", !wait.is_zero(), json),
        Answer::Known(command) => show(&command, " (asked before; this is what came of it)", !wait.is_zero(), json),
        Answer::Registered(_) | Answer::Done => done("done", json),
    }
}

fn guard_of(answer: &Result<Answer, CliError>) -> Option<Guard> {
    match answer {
        Err(CliError::Told(told)) => told.guard.clone(),
        _ => None,
    }
}

/// What cannot be undone: with the line that does it.
fn told_again(error: CliError) -> CliError {
    let CliError::Told(Told { guard: Some(guard), kind, message, .. }) = error else { return error };
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let line = again::with_token(typed, guard.token.as_str());
    let within = show_span(Duration::try_from_secs_f64(guard.within).unwrap_or_default());
    let hint = format!("nothing was done yet; to do it, type within {within}:\n      {line}");
    CliError::Told(Told { kind, message, hint, guard: Some(guard) })
}

async fn operate(client: &Client, args: &AskArgs, now: Wall) -> Result<Operate, CliError> {
    let operation = match (args.operation.as_str(), &args.args[..]) {
        ("merge", [with]) => Operation::Merge { with: device(client, with).await? },
        (word, args) => spelling::operation(word, args, now).map_err(|(says, hint)| usage(says, hint))?,
    };
    let id = args.id.as_deref().map(CommandId::new).transpose().map_err(|error| usage(error, "choose another --id"))?;
    let starts = args.starts.map(|span| now + span);
    // One that is to wait first must not expire meanwhile.
    let default = (id.is_some() || starts.is_some()).then(|| starts.unwrap_or(now) + DEFAULT_EXPIRY);
    let expires = args.expires.map(|span| now + span).or(default);
    let priority = serde_json::from_value(serde_json::json!(args.priority))
        .map_err(|_| usage(format!("{:?} is no priority", args.priority), priority_hint(&args.priority)))?;
    let token = args.token.as_deref().map(Name::new).transpose();
    let token = token.map_err(|error| usage(error, "a token is what the first step gave"))?;
    let mut devices = devices(client, &args.device).await?;
    let device = if devices.len() == 1 { devices.pop() } else { None };
    Ok(Operate { id, device, devices, operation, priority, timeout: args.timeout, expires, starts, token })
}

async fn device(client: &Client, word: &str) -> Result<DeviceId, CliError> {
    let device: DeviceShown = client.get(&format!("/v1/devices/{}", escaped(word)), AT_ONCE).await?;
    Ok(device.id)
}

/// Each once, in the order in which they were named.
async fn devices(client: &Client, words: &str) -> Result<Vec<DeviceId>, CliError> {
    let words: Vec<&str> = words.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(usage("no device is named", "dmgw devices shows all"));
    }
    if words.len() > MOST_AT_ONCE {
        let says = format!("{} devices are named; at most {MOST_AT_ONCE} at once", words.len());
        return Err(usage(says, "ask them in parts"));
    }
    let mut found = Vec::new();
    for word in words {
        let id = device(client, word).await?;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

fn priority_hint(word: &str) -> String {
    match nearest::nearest(word, ["low", "normal", "high"]) {
        Some(near) => format!("did you mean {near}?"),
        None => "write low, normal or high".into(),
    }
}

fn show(command: &CommandShown, more: &str, waited: bool, json: bool) -> Result<Exit, CliError> {
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
    print(&format!("{}  {} on {whom}: {}{more}", command.id, command.operation.kind(), command.state.name()));
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
    print(&format!("  not ended yet; look again with: dmgw command {} --wait 30s", command.id));
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

fn done(says: &str, json: bool) -> Result<Exit, CliError> {
    if json {
        return print_json(&serde_json::json!("done"));
    }
    print(says);
    Ok(Exit::Done)
}

pub async fn command(client: &Client, id: &str, wait: Option<Duration>, json: bool) -> Result<Exit, CliError> {
    let wait = wait.unwrap_or_default().min(LONGEST_WAIT);
    let uri = format!("/v1/commands/{}?wait={}", escaped(id), wait.as_secs_f64());
    show(&client.get(&uri, wait).await?, "", !wait.is_zero(), json)
}

pub async fn cancel(client: &Client, id: &str, json: bool) -> Result<Exit, CliError> {
    let command = CommandId::new(id).map_err(|error| usage(error, "an id is what dmgw ask printed"))?;
    match client.post("/v1/ask", &Ask::Cancel { command }, AT_ONCE).await? {
        Answer::Accepted(command) | Answer::Known(command) if command.state.is_open() => {
            let more = "; called back, if nothing has reached the device yet";
            show(&command, more, true, json)
        }
        Answer::Accepted(command) | Answer::Known(command) => show(&command, "", false, json).map(|_| Exit::Done),
        Answer::Registered(_) | Answer::Done => {
            done("called back, if nothing has reached the device yet; dmgw command shows how it ends", json)
        }
    }
}

pub async fn discover(client: &Client, link: &str, json: bool) -> Result<Exit, CliError> {
    let link = Name::new(link).map_err(|error| usage(error, "dmgw links shows all"))?;
    match client.post("/v1/ask", &Ask::Discover { link }, AT_ONCE).await? {
        Answer::Accepted(command) | Answer::Known(command) => show(&command, "", false, json),
        Answer::Registered(_) | Answer::Done => done("looking; dmgw devices shows what is found", json),
    }
}

pub async fn ack(client: &Client, stream: &str, reader: &str, seq: u64, json: bool) -> Result<Exit, CliError> {
    let passed = serde_json::json!({ "reader": reader, "stream": stream, "seq": seq });
    client.post::<Answer>("/v1/journal/ack", &passed, AT_ONCE).await?;
    done("told; it may be deleted now", json)
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

    #[test]
    fn what_cannot_be_undone_is_told_with_the_line_that_does_it() {
        let guard = Some(Guard { token: Name::new("t-1").unwrap(), within: 60.0 });
        let told = Told { kind: "guarded".into(), message: "all would go".into(), hint: String::new(), guard };
        let CliError::Told(told) = told_again(CliError::Told(told)) else { panic!() };
        assert!(told.hint.contains("within 1m:") && told.hint.contains("\n      dmgw "), "{}", told.hint);
        assert!(guard_of(&Err(CliError::Told(told))).is_some());
        assert!(guard_of(&Err(CliError::Failed("no".into()))).is_none());
    }
}
