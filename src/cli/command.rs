//! Asking: commands, their end, calling them back, looking for devices.

use std::time::Duration;

use super::args::AskArgs;
use super::client::{Client, escaped};
use super::look::told_outcome;
use super::table::print;
use super::{CliError, Exit, print_json};
use crate::api::shown::{Answer, CommandShown, DeviceShown, Status};
use crate::model::event::Operate;
use crate::model::{Ask, CommandId, CommandState, Name, Outcome, Wall};
use crate::{cli::spelling, nearest};

const AT_ONCE: Duration = Duration::ZERO;
/// Of a command with an id of its own, where nobody says.
const DEFAULT_EXPIRY: Duration = Duration::from_secs(3_600);
/// The daemon lets nobody wait longer at once.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

fn usage(says: impl ToString, hint: impl ToString) -> CliError {
    CliError::Usage { says: says.to_string(), hint: hint.to_string() }
}

pub async fn ask(client: &Client, args: AskArgs, json: bool) -> Result<Exit, CliError> {
    // The time is the gateway's, not that of this terminal.
    let now = client.get::<Status>("/v1/status", AT_ONCE).await?.clock.time;
    let operate = operate(client, &args, now).await?;
    let wait = args.wait.min(LONGEST_WAIT);
    let uri = format!("/v1/ask?wait={}", wait.as_secs_f64());
    match client.post(&uri, &Ask::Operate(operate), wait).await? {
        Answer::Accepted(command) => show(&command, "", !wait.is_zero(), json),
        Answer::Known(command) => show(&command, " (asked before; this is what came of it)", !wait.is_zero(), json),
        Answer::Done => done("done", json),
    }
}

async fn operate(client: &Client, args: &AskArgs, now: Wall) -> Result<Operate, CliError> {
    let operation = spelling::operation(&args.operation, &args.args, now).map_err(|(says, hint)| usage(says, hint))?;
    let id = args.id.as_deref().map(CommandId::new).transpose().map_err(|error| usage(error, "choose another --id"))?;
    let expires = args.expires.or(id.is_some().then_some(DEFAULT_EXPIRY)).map(|span| now + span);
    let priority = serde_json::from_value(serde_json::json!(args.priority))
        .map_err(|_| usage(format!("{:?} is no priority", args.priority), priority_hint(&args.priority)))?;
    let device: DeviceShown = client.get(&format!("/v1/devices/{}", escaped(&args.device)), AT_ONCE).await?;
    let device = Some(device.id);
    let (devices, starts, token) = (Vec::new(), None, None);
    Ok(Operate { id, device, devices, operation, priority, timeout: args.timeout, expires, starts, token })
}

fn priority_hint(word: &str) -> String {
    match nearest::nearest(word, ["low", "normal", "high"]) {
        Some(near) => format!("did you mean {near}?"),
        None => "write low, normal or high".into(),
    }
}

fn show(command: &CommandShown, more: &str, waited: bool, json: bool) -> Result<Exit, CliError> {
    if json {
        print_json(command)?;
        return Ok(exit(command.state, waited));
    }
    let device = command.device.as_ref().map_or_else(|| "many".into(), ToString::to_string);
    let of = format!("{} on {device}", command.operation.kind());
    print(&format!("{}  {of}: {}{more}", command.id, command.state.name()));
    if let Some(outcome) = command.outcome.as_ref().filter(|outcome| !says_nothing(outcome)) {
        print(&format!("  {}", told_outcome(outcome)));
    }
    if let Some(progress) = command.progress.filter(|_| command.state.is_open()) {
        print(&format!("  {} % so far", progress / 10));
    }
    if command.state.is_open() {
        print(&format!("  not ended yet; look again with: dmgw command {} --wait 30s", command.id));
    }
    if command.state == CommandState::Unknown {
        print("  look at the device before you ask again: it may have been carried out");
    }
    Ok(exit(command.state, waited))
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
        Answer::Done => {
            done("called back, if nothing has reached the device yet; dmgw command shows how it ends", json)
        }
    }
}

pub async fn discover(client: &Client, link: &str, json: bool) -> Result<Exit, CliError> {
    let link = Name::new(link).map_err(|error| usage(error, "dmgw links shows all"))?;
    match client.post("/v1/ask", &Ask::Discover { link }, AT_ONCE).await? {
        Answer::Accepted(command) | Answer::Known(command) => show(&command, "", false, json),
        Answer::Done => done("looking; dmgw devices shows what is found", json),
    }
}
