//! `POST /v1/links/{name}/release` and `…/resume`: a link's port is lent for a time, so that another program may have it,
//! and taken back.
//!
//! The link is down meanwhile and says so; it comes back by itself when the time is over, and when the daemon starts anew
//! or the link's settings change.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::lent_shown;
use crate::api::Here;
use crate::api::ask::{Word, body};
use crate::api::caller::Caller;
use crate::api::fault::Fault;
use crate::api::shown::LentShown;
use crate::model::operation::GatewayKind;
use crate::model::{Audit, Came};
use crate::units::show_span;

/// Whoever needs a port for longer takes its link out of the settings.
const LONGEST: u64 = 86_400;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "ReleaseWanted"))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// For so long: a day at most.
    pub seconds: u64,
}

pub async fn release(
    State(door): Here,
    caller: Caller,
    Word(word): Word,
    sent: Body,
) -> Result<Json<LentShown>, Fault> {
    let (link, wire) = door.wire(&caller, &word, GatewayKind::ReleaseLink).await?;
    let Wanted { seconds } = body(&door, &caller, sent).await?;
    if !(1..=LONGEST).contains(&seconds) {
        let says = format!("a port can be lent for 1 to {LONGEST} seconds, not for {seconds}");
        return Err(Fault::bad(says, "ask for less; who needs it for longer takes the link out of the settings"));
    }
    let time = Duration::from_secs(seconds);
    // Who goes away while a request is under way gets the port all the same: so there is a record of it.
    let lending = tokio::spawn(async move {
        let lent_to = caller.principal.name.clone();
        let gone = |why: &dyn ToString| Fault::busy(format!("link {link} has ended: {}", why.to_string()), "ask again");
        let lending = wire.lend(lent_to, time).await.map_err(|wrong| gone(&wrong));
        let came = lending.as_ref().map_or_else(|fault| Came::Failed(fault.message.clone()), |()| Came::Done);
        let on = format!("{link} for {}", show_span(time));
        door.audit(Audit::new(&caller.principal, GatewayKind::ReleaseLink.to_string(), Some(on), came)).await;
        lending?;
        wire.lent().map(lent_shown).ok_or_else(|| gone(&"it has its port back already"))
    });
    done(lending).await
}

async fn done(task: JoinHandle<Result<LentShown, Fault>>) -> Result<Json<LentShown>, Fault> {
    let ended = task.await;
    ended.unwrap_or_else(|_| Err(Fault::busy("the gateway failed over it", "look with dmgw link show"))).map(Json)
}

/// Tells how it was lent until now.
pub async fn resume(State(door): Here, caller: Caller, Word(word): Word) -> Result<Json<LentShown>, Fault> {
    let (link, wire) = door.wire(&caller, &word, GatewayKind::ReleaseLink).await?;
    // As above.
    let taking = tokio::spawn(async move {
        let Some(lent) = wire.take_back().await else {
            let says = format!("the port of link {link} is not lent");
            let remedy = "it may have come back by itself: dmgw link show";
            return Err(Fault::new(StatusCode::CONFLICT, "too-late", says, remedy));
        };
        door.audit(Audit::new(&caller.principal, "resume-link", Some(link.to_string()), Came::Done)).await;
        Ok(lent_shown(lent))
    });
    done(taking).await
}
