//! Asking: an operation, a call-back, a look for devices; and what became of a command.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::look::no_device;
use super::shown::{Answer, CommandShown};
use super::{Door, Here, cut, journal};
use crate::asks::AskError;
use crate::model::event::Operate;
use crate::model::{Ask, CommandId, Principal, Refusal, Reply};
use crate::nearest;
use crate::view::Known;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds to wait for the command's end.
    #[serde(default)]
    wait: f64,
}

pub type Asked<T> = Result<Query<T>, QueryRejection>;

/// What stands after the `?`.
pub fn query<T>(asked: Asked<T>) -> Result<T, Fault> {
    let says =
        |error: QueryRejection| Fault::bad(cut(&error.body_text()), "correct what stands after the ? and ask again");
    asked.map(|Query(query)| query).map_err(says)
}

/// The body, if it comes in time, is not too large and is what it should be.
pub async fn body<T: DeserializeOwned>(door: &Door, body: Body) -> Result<T, Fault> {
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
    serde_json::from_slice(&bytes).map_err(|error| not_json(&error.to_string()))
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

pub async fn ask(State(door): Here, waits: Asked<Wait>, sent: Body) -> Result<(StatusCode, Json<Answer>), Fault> {
    let wait = door.wait(query(waits)?)?;
    let ask: Ask = body(&door, sent).await?;
    let reply = door.asks.ask(Principal::local_root(), ask.clone(), door.limits.answer).await?;
    match reply {
        Reply::Accepted(command) => {
            let command = match door.command(&command.id, wait).await? {
                Some(shown) => shown,
                None => CommandShown::of(&command),
            };
            let open = command.state.is_open();
            Ok((if open { StatusCode::ACCEPTED } else { StatusCode::OK }, Json(Answer::Accepted(command))))
        }
        Reply::Known(_) => {
            let Ask::Operate(Operate { id: Some(id), .. }) = &ask else { return Err(Fault::from(AskError::NotKnown)) };
            match door.command(id, wait).await? {
                Some(command) => Ok((StatusCode::OK, Json(Answer::Known(command)))),
                None => Err(Fault::from(AskError::NotKnown)),
            }
        }
        Reply::Guarded { .. } | Reply::Registered(_) => Err(Fault::from(AskError::NotKnown)),
        Reply::Done => Ok((StatusCode::OK, Json(Answer::Done))),
        Reply::Refused(refusal) => Err(door.refused(&ask, refusal)),
    }
}

pub async fn command(
    State(door): Here,
    Path(id): Path<String>,
    waits: Asked<Wait>,
) -> Result<Json<CommandShown>, Fault> {
    let wait = door.wait(query(waits)?)?;
    let known = match CommandId::new(&id) {
        Ok(id) => door.command(&id, wait).await?,
        Err(_) => None,
    };
    match known {
        Some(command) => Ok(Json(command)),
        None => Err(Fault::not_found(
            format!("there is no command {}", cut(&id)),
            "it was never accepted here, or is forgotten: ids are kept until their expiry and a while longer",
        )),
    }
}

impl Door {
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
            Some(Known::Open(command)) => Ok(Some(CommandShown::of(&command))),
            Some(Known::Ended(no)) => {
                let stored = journal::read(self, move |snapshots| snapshots.command(no)).await?;
                Ok(stored.as_ref().map(CommandShown::of))
            }
        }
    }

    /// The engine says what is wrong; what was probably meant stands in the view.
    fn refused(&self, ask: &Ask, refusal: Refusal) -> Fault {
        let fault = Fault::from(refusal.clone());
        let hint = match (ask, refusal) {
            (Ask::Operate(Operate { device: Some(device), .. }), Refusal::NotFound(_)) => {
                match self.view.find(device.as_str()) {
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
            (Ask::Cancel { .. }, Refusal::NotFound(_)) => "it was never accepted here, or is forgotten".into(),
            _ => return fault,
        };
        Fault { hint, ..fault }
    }
}
