//! The settings: which hold, to read them again, and to change them. All of it is the daemon's own doing; the engine only
//! hears of the result.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::ask::body;
use super::fault::Fault;
use super::{Asked, Control, Door, Here};
use crate::model::layer::{Versions, Wanted};
use crate::model::setting::{Flat, Reloaded};
use crate::model::{Principal, access};

pub async fn show(State(door): Here) -> Result<Json<Flat>, Fault> {
    door.control(Control::Show).await.map(Json)
}

pub async fn versions(State(door): Here) -> Result<Json<Versions>, Fault> {
    door.control(Control::Versions).await?.map(Json).map_err(|why| Fault::busy(why, "come back in a while"))
}

pub async fn reload(State(door): Here) -> Result<Json<Reloaded>, Fault> {
    door.apply(Asked::Reload).await
}

pub async fn change(State(door): Here, sent: Body) -> Result<Json<Reloaded>, Fault> {
    let wanted: Wanted = body(&door, sent).await?;
    let by = may_configure(Principal::local_root())?;
    door.apply(Asked::Change(wanted, by.name)).await
}

pub async fn back(State(door): Here, Path(version): Path<u64>) -> Result<Json<Reloaded>, Fault> {
    let by = may_configure(Principal::local_root())?;
    door.apply(Asked::Back(version, by.name)).await
}

pub async fn confirm(State(door): Here, Path(version): Path<u64>) -> Result<Json<()>, Fault> {
    may_configure(Principal::local_root())?;
    let confirmed = door.control(|to| Control::Confirm(version, to)).await?;
    confirmed.map(Json).map_err(|why| {
        Fault::new(StatusCode::CONFLICT, "bad-argument", why, "GET /v1/config/versions shows what is on probation")
    })
}

fn may_configure(principal: Principal) -> Result<Principal, Fault> {
    match access::may_configure(&principal) {
        true => Ok(principal),
        false => {
            let says = format!("{} may not change the settings", principal.name);
            Err(Fault::new(StatusCode::FORBIDDEN, "not-allowed", says, "ask an administrator"))
        }
    }
}

impl Door {
    async fn apply(&self, what: Asked) -> Result<Json<Reloaded>, Fault> {
        self.control(|to| Control::Apply(what, to)).await?.map(Json).map_err(|why| {
            let says = format!("nothing is changed: {why}");
            Fault::new(
                StatusCode::CONFLICT,
                "bad-settings",
                says,
                "mend it; `dmgw check` tells when the files are right",
            )
        })
    }

    async fn control<T>(&self, what: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, Fault> {
        let (to, answer) = oneshot::channel();
        self.control.try_send(what(to)).map_err(|error| match error {
            TrySendError::Full(_) => Fault::busy("the daemon is still busy with its settings", "come back in a while"),
            TrySendError::Closed(_) => Fault::busy("the daemon is stopping", "come back when it runs again"),
        })?;
        let late = || {
            let says = "the daemon did not answer in time; its settings may or may not be others by now";
            Fault::new(StatusCode::GATEWAY_TIMEOUT, "not-known", says, "GET /v1/config shows which hold")
        };
        tokio::time::timeout(self.limits.wait, answer).await.ok().and_then(Result::ok).ok_or_else(late)
    }
}
