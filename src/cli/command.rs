//! Asking: commands, their end, calling them back, looking for devices.

use std::time::Duration;

use super::args::AskArgs;
use super::client::{Client, escaped};
use super::standing::show;
use super::table::print;
use super::waiting::Waiting;
use super::{CliError, Exit, again, print_json, spelling};
use crate::api::fault::{Guard, Told};
use crate::api::shown::{Answer, DeviceShown, Status};
use crate::model::event::Operate;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Ask, CommandId, DeviceId, Name, Operation, Wall};
use crate::nearest;
use crate::selector::{BadSelector, Selector};
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
    let how = &args.options;
    let default = if how.starts.is_some() { AT_ONCE } else { DEFAULT_WAIT };
    let wait = how.wait.unwrap_or(default).min(LONGEST_WAIT);
    let mut waiting = Waiting::begin(wait);
    let uri = format!("/v1/ask?wait={}", waiting.step().as_secs_f64());
    let mut answer = client.post(&uri, &Ask::Operate(operate.clone()), wait).await;
    if let Some(guard) = guard_of(&answer).filter(|_| how.yes) {
        operate.token = Some(guard.token);
        answer = client.post(&uri, &Ask::Operate(operate), wait).await;
    }
    match answer.map_err(told_again)? {
        Answer::Accepted(command) => show(&waiting.end_of(client, command).await?, "", !wait.is_zero(), json),
        Answer::Known(command) => {
            let command = waiting.end_of(client, command).await?;
            show(&command, " (asked before; this is what came of it)", !wait.is_zero(), json)
        }
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
    let CliError::Told(Told { guard: Some(guard), kind, status, message, .. }) = error else { return error };
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let line = again::with_token(typed, guard.token.as_str());
    let within = show_span(Duration::try_from_secs_f64(guard.within).unwrap_or_default());
    let hint = format!("nothing was done yet; to do it, type within {within}:\n      {line}");
    CliError::Told(Told { kind, status, message, hint, guard: Some(guard) })
}

async fn operate(client: &Client, args: &AskArgs, now: Wall) -> Result<Operate, CliError> {
    let operation = match (args.operation.as_str(), &args.args[..]) {
        ("merge", [with]) => Operation::Merge { with: device(client, with).await? },
        (word, args) => spelling::operation(word, args).map_err(|(says, hint)| usage(says, hint))?,
    };
    let how = &args.options;
    let id = how.id.as_deref().map(CommandId::new).transpose().map_err(|error| usage(error, "choose another --id"))?;
    let starts = how.starts.map(|span| now + span);
    // One that is to wait first must not expire meanwhile.
    let default = (id.is_some() || starts.is_some()).then(|| starts.unwrap_or(now) + DEFAULT_EXPIRY);
    let expires = how.expires.map(|span| now + span).or(default);
    let priority = spelling::word(&how.priority)
        .ok_or_else(|| usage(format!("{:?} is no priority", how.priority), priority_hint(&how.priority)))?;
    let token = how.token.as_deref().map(Name::new).transpose();
    let token = token.map_err(|error| usage(error, "a token is what the first step gave"))?;
    let (group, of) = meant(&args.device)?;
    let named = group.is_none() && of.is_none();
    let mut devices = if named { devices(client, &args.device).await? } else { Vec::new() };
    let device = if devices.len() == 1 { devices.pop() } else { None };
    Ok(Operate { id, device, devices, group, of, operation, priority, timeout: how.timeout, expires, starts, token })
}

/// `group:NAME`, or `for:EXPRESSION`.
fn meant(word: &str) -> Result<(Option<Name>, Option<String>), CliError> {
    if let Some(group) = word.strip_prefix("group:") {
        return Name::new(group).map(|group| (Some(group), None)).map_err(|error| usage(error, "write group:NAME"));
    }
    let Some(text) = word.strip_prefix("for:") else { return Ok((None, None)) };
    let selector =
        Selector::parse(text).map_err(|bad| usage(told_where(text, &bad), "dmgw config explain group.for"))?;
    Ok((None, Some(selector.text().to_owned())))
}

/// With a mark under what is wrong.
pub fn told_where(text: &str, bad: &BadSelector) -> String {
    let before = text.get(..bad.at.start).unwrap_or(text).chars().count();
    let wide = text.get(bad.at.clone()).map_or(1, |part| part.chars().count()).max(1);
    let meant = bad.meant.as_ref().map_or_else(String::new, |meant| format!("\nDid you mean {meant}?"));
    format!("{}\n  {text}\n  {}{}{meant}", bad.says, " ".repeat(before), "^".repeat(wide))
}

async fn device(client: &Client, word: &str) -> Result<DeviceId, CliError> {
    let device: DeviceShown = client.get(&format!("/v1/devices/{}", escaped(word)), AT_ONCE).await?;
    Ok(device.id)
}

/// Each once, in the order in which they were named.
async fn devices(client: &Client, words: &str) -> Result<Vec<DeviceId>, CliError> {
    let words: Vec<&str> = words.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(usage("no device is named", "dmgw device list shows all"));
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

fn done(says: &str, json: bool) -> Result<Exit, CliError> {
    if json {
        return print_json(&serde_json::json!("done"));
    }
    print(says);
    Ok(Exit::Done)
}

pub async fn command(client: &Client, id: &str, wait: Option<Duration>, json: bool) -> Result<Exit, CliError> {
    let wait = wait.unwrap_or_default().min(LONGEST_WAIT);
    let mut waiting = Waiting::begin(wait);
    let command = waiting.look(client, id).await?;
    show(&waiting.end_of(client, command).await?, "", !wait.is_zero(), json)
}

pub async fn cancel(client: &Client, id: &str, json: bool) -> Result<Exit, CliError> {
    let command = CommandId::new(id).map_err(|error| usage(error, "an id is what dmgw command ask printed"))?;
    match client.post("/v1/ask", &Ask::Cancel { command }, AT_ONCE).await? {
        Answer::Accepted(command) | Answer::Known(command) if command.state.is_open() => {
            let more = "; called back, if nothing has reached the device yet";
            show(&command, more, true, json)
        }
        Answer::Accepted(command) | Answer::Known(command) => show(&command, "", false, json).map(|_| Exit::Done),
        Answer::Registered(_) | Answer::Done => {
            done("called back, if nothing has reached the device yet; dmgw command show tells how it ends", json)
        }
    }
}

pub async fn discover(client: &Client, link: &str, json: bool) -> Result<Exit, CliError> {
    let link = Name::new(link).map_err(|error| usage(error, "dmgw link list shows all"))?;
    match client.post("/v1/ask", &Ask::Discover { link }, AT_ONCE).await? {
        Answer::Accepted(command) | Answer::Known(command) => show(&command, "", false, json),
        Answer::Registered(_) | Answer::Done => done("looking; dmgw device list shows what is found", json),
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

    #[test]
    fn what_cannot_be_undone_is_told_with_the_line_that_does_it() {
        let guard = Some(Guard { token: Name::new("t-1").unwrap(), within: 60.0 });
        let told =
            Told { kind: "guarded".into(), status: 428, message: "all would go".into(), hint: String::new(), guard };
        let CliError::Told(told) = told_again(CliError::Told(told)) else { panic!() };
        assert!(told.hint.contains("within 1m:") && told.hint.contains("\n      dmgw"), "{}", told.hint);
        assert!(guard_of(&Err(CliError::Told(told))).is_some());
        assert!(guard_of(&Err(CliError::Failed("no".into()))).is_none());
    }
}
