//! How much the daemon says of itself: what holds, and another level for a time.

use axum::Json;
use axum::body::Body;
use axum::extract::State;

use super::ask::body;
use super::caller::Caller;
use super::fault::Fault;
use super::{Control, Here};
use crate::model::log::{LogNow, SetLevel};
use crate::model::{Audit, Came};

pub async fn show(State(door): Here) -> Result<Json<LogNow>, Fault> {
    Ok(Json(door.control(Control::Log).await?))
}

pub async fn set(State(door): Here, caller: Caller, sent: Body) -> Result<Json<LogNow>, Fault> {
    let wanted: SetLevel = body(&door, &caller, sent).await?;
    let set = door.control(|to| Control::SetLog(wanted, to)).await?;
    let came = set.as_ref().map_or_else(|why| Came::Refused(why.clone()), |_| Came::Done);
    door.audit(Audit::new(&caller.principal, "set-log", None, came)).await;
    set.map(Json)
        .map_err(|why| Fault::bad(why, "say for how long with seconds; log.level of the settings holds for ever"))
}
