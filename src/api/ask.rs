//! Asking: an operation, a call-back, a look for devices; and what became of a command.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;

use super::caller::Caller;
use super::fault::Fault;
use super::look::no_device;
use super::shown::{Answer, CommandShown, CommandsShown, Seen, waits};
use super::{Door, Here, cut, journal, strict};
use crate::asks::AskError;
use crate::model::event::Operate;
use crate::model::operation::GatewayKind;
use crate::model::{
    Ask, Child, ChildPart, Command, CommandId, CommandNo, CommandState, DeviceNo, Name, OperationKind, Principal,
    Refusal, Reply,
};
use crate::nearest;
use crate::view::Known;

/// For those who are not root, together.
pub const BETWEEN_SETTLES: Duration = Duration::from_secs(1);

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds to wait for the command's end.
    #[serde(default)]
    wait: f64,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Open {
    after: Option<u64>,
    limit: Option<usize>,
}

/// What stands in the path, as text.
pub struct Word(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Word, Fault> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(word)) => Ok(Word(word)),
            Err(_) => Err(Fault::bad("what stands in the path is no text", "write it in UTF-8, escaped as in a URL")),
        }
    }
}

pub type Asked<T> = Result<Query<T>, QueryRejection>;

/// What stands after the `?`.
pub fn query<T>(asked: Asked<T>) -> Result<T, Fault> {
    asked.map(|Query(query)| query).map_err(|error| {
        let says = error.body_text();
        let hint = match says.find("unknown ").and_then(|at| nearest::meant(&says[at..])) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "correct what stands after the ? and ask again".into(),
        };
        Fault::bad(cut(&says), hint)
    })
}

/// The body, if it comes in time, is not too large, is what it should be, and whoever sends it may still come in.
pub async fn body<T: DeserializeOwned>(door: &Door, caller: &Caller, body: Body) -> Result<T, Fault> {
    let most = door.limits.body;
    let whole = tokio::time::timeout(door.limits.answer, Limited::new(body, most).collect()).await;
    let Ok(whole) = whole else {
        return Err(Fault::new(
            StatusCode::REQUEST_TIMEOUT,
            "bad-argument",
            "the request did not come to its end",
            "send it in one go",
        ));
    };
    let bytes = whole.map_err(|error| unread(error.as_ref(), most))?.to_bytes();
    let read = strict::read(&bytes).map_err(|error| not_json(&error.to_string()));
    // There may be keys in it. What is not ours alone, the connection overwrites.
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.zeroize();
    }
    door.still_knows(caller)?;
    read
}

fn unread(error: &(dyn std::error::Error + 'static), most: usize) -> Fault {
    if error.is::<http_body_util::LengthLimitError>() {
        let says = format!("the request is larger than {most} bytes");
        return Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "bad-argument", says, "ask for less at once (limits.body)");
    }
    Fault::bad(format!("the request could not be read: {error}"), "send it again")
}

fn not_json(says: &str) -> Fault {
    let hint = match nearest::meant(says) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "the body is JSON, such as {\"operate\":{\"device\":\"urn:…\",\"operation\":{\"read\":{\"points\":\
                 [\"power.0.active\"]}}}}"
            .into(),
    };
    Fault::bad(format!("the request is not an ask: {}", cut(says)), hint)
}

pub async fn ask(
    State(door): Here,
    caller: Caller,
    waits: Asked<Wait>,
    sent: Body,
) -> Result<(StatusCode, Json<Answer>), Fault> {
    let wait = door.wait(query(waits)?)?;
    let ask: Ask = body(&door, &caller, sent).await?;
    let reply = door.asks.ask(caller.principal.clone(), ask.clone(), door.limits.answer).await?;
    match reply {
        Reply::Accepted(command) => {
            let command = match door.command(&command.id, wait).await? {
                Some(shown) => shown,
                None => CommandShown::of(&command),
            };
            let open = command.state.is_open();
            Ok((if open { StatusCode::ACCEPTED } else { StatusCode::OK }, Json(Answer::Accepted(command))))
        }
        Reply::Known(no) => Ok((StatusCode::OK, Json(Answer::Known(door.asked_before(&ask, no, wait).await?)))),
        Reply::Registered(each) => Ok((StatusCode::OK, Json(Answer::Registered(each)))),
        Reply::Guarded { token, within } => Err(Fault::guarded(would(&ask), token, within)),
        Reply::Done => Ok((StatusCode::OK, Json(Answer::Done))),
        // The answers to another question.
        Reply::Begun(_) | Reply::Before(_) => Err(AskError::NotKnown.into()),
        Reply::Refused(refusal) => Err(door.refused(&caller, &ask, refusal)),
    }
}

/// What would happen.
fn would(ask: &Ask) -> String {
    let Ask::Operate(Operate { device, devices, group, of, operation, .. }) = ask else {
        return "this cannot be undone".into();
    };
    let whom = match (device, &devices[..]) {
        (None, []) => match (group, of) {
            (Some(group), _) => format!("each device of group {group}"),
            (_, of) => format!("each device for which {} holds", of.as_deref().unwrap_or("nothing")),
        },
        (Some(device), _) => device.to_string(),
        (None, [one]) => one.to_string(),
        (None, many) => format!("each of {} devices", many.len()),
    };
    match operation.kind() {
        OperationKind::FactoryReset => format!("factory-reset would set {whom} back to how it left its factory"),
        OperationKind::Erase => format!("erase would delete all that {whom} has stored"),
        OperationKind::Lock => format!("lock would keep everybody out of {whom}"),
        kind => format!("{kind} on {whom} cannot be undone"),
    }
}

pub async fn command(
    State(door): Here,
    caller: Caller,
    Word(id): Word,
    waits: Asked<Wait>,
) -> Result<Json<CommandShown>, Fault> {
    let wait = door.wait(query(waits)?)?;
    let known = match CommandId::new(&id) {
        Ok(id) if door.may_see(&caller, &id).await? => door.command(&id, wait).await?,
        _ => None,
    };
    match known {
        Some(command) => Ok(Json(command)),
        None => Err(Fault::not_found(
            format!("there is no command {}", cut(&id)),
            "it was never accepted here, or is forgotten: ids are kept until their expiry and a while longer",
        )),
    }
}

/// Those that have not ended.
pub async fn commands(State(door): Here, caller: Caller, range: Asked<Open>) -> Result<Json<CommandsShown>, Fault> {
    let range = query(range)?;
    let limit = door.limit(range.limit)?;
    let after = range.after.map(CommandNo);
    let open = door.view.open_commands().into_iter().filter(|command| after.is_none_or(|after| command.no > after));
    let open = open.filter(|command| door.sees(&caller, command.device(), &command.by));
    let open: Vec<Arc<Command>> = open.take(limit).collect();
    let after = (open.len() == limit).then(|| open.last().map(|last| last.no)).flatten();
    Ok(Json(CommandsShown { commands: open.iter().map(|command| CommandShown::of(command)).collect(), after }))
}

fn number(child: &Child) -> Option<CommandNo> {
    match child.part {
        ChildPart::Command(no) => Some(no),
        ChildPart::Refused(_) => None,
    }
}

impl Door {
    /// Has what was only seen put on disk, for those who may ask for that. Where it cannot be, whoever looks sees what is
    /// there. Each costs a commit: those who are not root have one a second together.
    pub async fn settle(&self, caller: &Caller) {
        if !caller.reach.may_gateway(GatewayKind::Settle) {
            return;
        }
        match caller.principal.is_root() {
            true => self.write_out(false).await,
            false => self.settled.once(self.write_out(false)).await,
        }
    }

    /// At once; where the disk does not take it, that is for those who look.
    pub async fn write_out(&self, readings: bool) {
        let _ = self.asks.ask(Principal::local_root(), Ask::Settle { readings }, self.limits.answer).await;
    }

    /// Of a command: by its device, or else by who asked it.
    fn sees(&self, caller: &Caller, device: Option<DeviceNo>, by: &Name) -> bool {
        match device.and_then(|no| self.view.numbered(no)) {
            Some(known) => caller.reach.sees(&known),
            None => caller.reach.may_recall(by) || caller.reach.is_whole(),
        }
    }

    async fn may_see(&self, caller: &Caller, id: &CommandId) -> Result<bool, Fault> {
        let seen = match self.view.command(id) {
            None => return Ok(false),
            Some(Known::Open(command)) => self.sees(caller, command.device(), &command.by),
            Some(Known::Ended(_)) if caller.reach.is_whole() => true,
            Some(Known::Ended(no)) => {
                let ended = journal::read(self, move |snapshots| snapshots.command(no)).await?;
                ended.is_some_and(|command| self.sees(caller, command.device(), &command.by))
            }
        };
        Ok(seen)
    }

    fn wait(&self, asked: Wait) -> Result<Duration, Fault> {
        let most = self.limits.wait;
        match Duration::try_from_secs_f64(asked.wait) {
            // Who wants to wait longer is told after a while how it stands, and may ask again.
            Ok(wait) => Ok(wait.min(most)),
            Err(_) => {
                let says = format!("wait takes 0 to {} seconds", most.as_secs());
                Err(Fault::bad(says, "wait for less, then look again with GET /v1/commands/{id}?wait=…"))
            }
        }
    }

    /// As it stands when it ends, or when the time is over.
    async fn command(&self, id: &CommandId, wait: Duration) -> Result<Option<CommandShown>, Fault> {
        let known = match wait.is_zero() {
            true => self.view.command(id),
            false => self.view.ended(id, wait).await,
        };
        match known {
            None => Ok(None),
            Some(Known::Open(command)) => self.shown(&command).await.map(Some),
            Some(Known::Ended(no)) => self.stored(no).await,
        }
    }

    async fn asked_before(&self, ask: &Ask, no: CommandNo, wait: Duration) -> Result<CommandShown, Fault> {
        let known = match ask {
            Ask::Operate(Operate { id: Some(id), .. }) => self.command(id, wait).await?,
            _ => None,
        };
        match known {
            Some(command) => Ok(command),
            None => self.stored(no).await?.ok_or_else(|| Fault::from(AskError::NotKnown)),
        }
    }

    async fn stored(&self, no: CommandNo) -> Result<Option<CommandShown>, Fault> {
        match journal::read(self, move |snapshots| snapshots.command(no)).await? {
            Some(command) => self.shown(&command).await.map(Some),
            None => Ok(None),
        }
    }

    /// Of a command to many the parts too: those that are open stand in the view, the others in the store. There are at
    /// most `limits.targets`.
    async fn shown(&self, command: &Command) -> Result<CommandShown, Fault> {
        if command.device().is_some() {
            return Ok(CommandShown { waits: self.waits_for(command), ..CommandShown::of(command) });
        }
        let parts: BTreeSet<CommandNo> = command.children().iter().filter_map(number).collect();
        let open = self.view.open_commands().into_iter().filter(|open| parts.contains(&open.no));
        let mut found: BTreeMap<CommandNo, Command> = open.map(|open| (open.no, Command::clone(&open))).collect();
        let ended: Vec<CommandNo> = parts.into_iter().filter(|no| !found.contains_key(no)).collect();
        let stored = journal::read(self, move |snapshots| {
            ended.into_iter().map(|no| Ok((no, snapshots.command(no)?))).collect::<Result<Vec<_>, _>>()
        });
        found.extend(stored.await?.into_iter().filter_map(|(no, command)| Some((no, command?))));
        Ok(CommandShown::of_many(command, |no| found.get(&no).cloned()))
    }

    /// What the view tells of why a command is not sent yet.
    fn waits_for(&self, command: &Command) -> Option<String> {
        let known = command.device().filter(|_| command.state == CommandState::Queued);
        let known = known.and_then(|no| self.view.numbered(no))?;
        let now = self.now();
        if command.starts.is_some_and(|starts| command.asked.boot == now.boot && starts.mono > now.mono) {
            return Some("its time has not come".into());
        }
        waits(&known, &Seen { now: &now, health: &self.view.health() })
    }

    /// The engine says what is wrong; what was probably meant stands in the view.
    fn refused(&self, caller: &Caller, ask: &Ask, refusal: Refusal) -> Fault {
        let fault = Fault::from(refusal.clone());
        let hint = match (ask, refusal) {
            (Ask::Operate(Operate { device: Some(device), .. }), Refusal::NotFound(_)) => {
                match self.view.find(device.as_str(), &caller.reach) {
                    Err(missing) => no_device(device.as_str(), &missing).hint,
                    Ok(device) => format!("did you mean {}?", device.device.id),
                }
            }
            (Ask::Discover { link }, Refusal::NotFound(_)) => {
                let health = self.view.health();
                let links: Vec<&str> = health.links.iter().map(|known| known.name.as_str()).collect();
                match nearest::nearest(link.as_str(), links.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are {}", links.join(", ")),
                }
            }
            (Ask::Operate(_), Refusal::TooLate(_)) => {
                "dmgw device show ID (GET /v1/devices/{id}) shows how it stands".into()
            }
            (Ask::Cancel { .. }, Refusal::NotFound(_)) => "it was never accepted here, or is forgotten".into(),
            _ => return fault,
        };
        Fault { hint, ..fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, Operation};

    #[test]
    fn what_cannot_be_undone_says_what_would_happen_to_whom() {
        let device = |no| DeviceId::new(&format!("urn:{no}")).unwrap();
        let one = Operate::new(device(1), Operation::Erase);
        assert_eq!(would(&Ask::Operate(one.clone())), "erase would delete all that urn:1 has stored");
        let many = Operate { device: None, devices: vec![device(1), device(2)], ..one };
        assert!(would(&Ask::Operate(many)).contains("each of 2 devices"));
        for kind in OperationKind::ALL.iter().filter(|kind| kind.is_dangerous()) {
            let operation = serde_json::from_value(serde_json::json!(kind.name())).unwrap();
            let says = would(&Ask::Operate(Operate::new(device(1), operation)));
            assert!(says.contains(" would "), "{says}");
        }
    }
}
