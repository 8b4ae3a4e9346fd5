//! The settings: which hold, and to read them again. Both are the daemon's own doing; the engine only hears of the result.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::fault::Fault;
use super::{Control, Door, Here};
use crate::model::setting::{Flat, Reloaded};

pub async fn show(State(door): Here) -> Result<Json<Flat>, Fault> {
    let (to, answer) = oneshot::channel();
    door.control(Control::Show(to))?;
    door.heard(answer).await.map(Json)
}

pub async fn reload(State(door): Here) -> Result<Json<Reloaded>, Fault> {
    let (to, answer) = oneshot::channel();
    door.control(Control::Reload(to))?;
    door.heard(answer).await?.map(Json).map_err(|faults| {
        let says = format!("nothing is changed, for the settings have mistakes:\n{faults}");
        Fault::new(StatusCode::CONFLICT, "bad-settings", says, "mend them; `dmgw check` tells when they are right")
    })
}

impl Door {
    fn control(&self, what: Control) -> Result<(), Fault> {
        self.control.try_send(what).map_err(|error| match error {
            TrySendError::Full(_) => Fault::busy("the daemon is still busy with its settings", "come back in a while"),
            TrySendError::Closed(_) => Fault::busy("the daemon is stopping", "come back when it runs again"),
        })
    }

    async fn heard<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, Fault> {
        let late = || {
            let says = "the daemon did not answer in time; its settings may or may not be others by now";
            Fault::new(StatusCode::GATEWAY_TIMEOUT, "not-known", says, "GET /v1/config shows which hold")
        };
        tokio::time::timeout(self.limits.wait, answer).await.ok().and_then(Result::ok).ok_or_else(late)
    }
}
