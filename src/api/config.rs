//! The settings: which hold, to read them again, and to change them. All of it is the daemon's own doing; the engine only
//! hears of the result.

use std::fmt::Display;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::ask::{Asked as AskedFor, Word, body, query};
use super::caller::Caller;
use super::fault::Fault;
use super::tag::Seen;
use super::{Asked, Control, Door, Here, NotApplied, cut};
use crate::model::layer::{Versions, Wanted};
use crate::model::setting::{Difference, Flat, Reloaded};
use crate::model::{Audit, Came};

pub async fn show(State(door): Here) -> Result<Json<Flat>, Fault> {
    door.control(Control::Show).await?.map(Json).map_err(|why| Fault::busy(why, "come back in a while"))
}

pub async fn versions(State(door): Here) -> Result<Json<Versions>, Fault> {
    door.control(Control::Versions).await?.map(Json).map_err(|why| Fault::busy(why, "come back in a while"))
}

/// Of two versions, or else of what a reload would change.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Between {
    from: Option<u64>,
    to: Option<u64>,
}

pub async fn diff(State(door): Here, between: AskedFor<Between>) -> Result<Json<Vec<Difference>>, Fault> {
    let versions = match query(between)? {
        Between { from: Some(from), to } => Some((from, to.unwrap_or(from.saturating_add(1)))),
        Between { from: None, to: None } => None,
        Between { from: None, to: Some(_) } => return Err(bad_settings("say from which version, too".into())),
    };
    door.control(|to| Control::Difference(versions, to)).await?.map(Json).map_err(bad_settings)
}

fn bad_settings(says: String) -> Fault {
    Fault::new(
        StatusCode::CONFLICT,
        "bad-settings",
        says,
        "mend it; `dmgw check` tells when the files are right, and `dmgw config back` undoes a version",
    )
}

fn not_applied(why: NotApplied) -> Fault {
    match why {
        NotApplied::Wrong(_) => bad_settings(why.to_string()),
        NotApplied::ChangedMeanwhile => Fault::new(
            StatusCode::PRECONDITION_FAILED,
            "changed-meanwhile",
            format!("{why}; nothing is changed"),
            "look at them again (GET /v1/config), and ask with the ETag that they have now",
        ),
    }
}

pub async fn reload(State(door): Here, caller: Caller, head: HeaderMap) -> Result<(StatusCode, Json<Reloaded>), Fault> {
    door.apply(&caller, "reload", Asked::Reload, &head).await
}

pub async fn change(
    State(door): Here,
    caller: Caller,
    head: HeaderMap,
    sent: Body,
) -> Result<(StatusCode, Json<Reloaded>), Fault> {
    let wanted: Wanted = body(&door, &caller, sent).await?;
    let by = caller.principal.name.clone();
    door.apply(&caller, "change", Asked::Change(wanted, by), &head).await
}

pub async fn back(
    State(door): Here,
    caller: Caller,
    Word(version): Word,
    head: HeaderMap,
) -> Result<(StatusCode, Json<Reloaded>), Fault> {
    let by = caller.principal.name.clone();
    door.apply(&caller, "back", Asked::Back(number(&version)?, by), &head).await
}

pub async fn confirm(State(door): Here, caller: Caller, Word(version): Word) -> Result<Json<()>, Fault> {
    let version = number(&version)?;
    let confirmed = door.control(|to| Control::Confirm(version, to)).await;
    door.tell(&caller, "confirm", Some(version), &confirmed).await;
    confirmed?.map(Json).map_err(|why| {
        Fault::new(
            StatusCode::CONFLICT,
            "bad-argument",
            why,
            "dmgw config versions (GET /v1/config/versions) shows what is on probation",
        )
    })
}

fn number(word: &str) -> Result<u64, Fault> {
    word.parse().map_err(|_| {
        Fault::bad(
            format!("{} is no number of a version", cut(word)),
            "dmgw config versions shows all; 0: the files alone",
        )
    })
}

impl Door {
    async fn apply(
        &self,
        caller: &Caller,
        verb: &str,
        what: Asked,
        head: &HeaderMap,
    ) -> Result<(StatusCode, Json<Reloaded>), Fault> {
        let seen = Seen::read(head, header::IF_MATCH);
        let version = match &what {
            Asked::Back(version, _) => Some(*version),
            Asked::Reload | Asked::Change(..) => None,
        };
        let came_to = self.control(|to| Control::Apply(what, seen, to)).await;
        self.tell(caller, verb, version, &came_to).await;
        let reloaded = came_to?.map_err(not_applied)?;
        let status = if reloaded.unsettled { StatusCode::ACCEPTED } else { StatusCode::OK };
        Ok((status, Json(reloaded)))
    }

    /// Who asked it, and what came of it.
    async fn tell<T, E: Display>(
        &self,
        caller: &Caller,
        verb: &str,
        version: Option<u64>,
        came: &Result<Result<T, E>, Fault>,
    ) {
        let came = match came {
            Ok(Ok(_)) => Came::Done,
            Ok(Err(why)) => Came::Refused(why.to_string()),
            Err(fault) => Came::Refused(fault.message.clone()),
        };
        let on = version.map(|version| format!("version {version}"));
        self.audit(Audit::new(&caller.principal, format!("config {verb}"), on, came)).await;
    }

    pub async fn control<T>(&self, what: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, Fault> {
        let (to, answer) = oneshot::channel();
        self.control.try_send(what(to)).map_err(|error| match error {
            TrySendError::Full(_) => Fault::busy("the daemon is still busy with its settings", "come back in a while"),
            TrySendError::Closed(_) => Fault::busy("the daemon is stopping", "come back when it runs again"),
        })?;
        let late = || {
            let says = "the daemon did not answer in time; its settings may or may not be others by now";
            Fault::new(
                StatusCode::GATEWAY_TIMEOUT,
                "not-known",
                says,
                "dmgw config show --running (GET /v1/config) shows which hold",
            )
        };
        tokio::time::timeout(self.limits.wait, answer).await.ok().and_then(Result::ok).ok_or_else(late)
    }
}
