//! Telling the runner how the bus stands, and what units have by their profiles.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::load::Look;
use super::{Driver, lock};
use crate::links::modbus::bus::Standing;
use crate::links::runner::Notice;
use crate::links::wires::Lent;
use crate::units::show_span;

/// Closes the channel of notices when the runner leaves.
pub(super) async fn run(driver: Arc<Driver>) {
    attend(&driver).await;
    lock(&driver.notices).take();
}

async fn attend(driver: &Driver) {
    let mut standing = driver.bus.standing();
    standing.mark_changed();
    let (mut attached, mut look) = (false, Look::default());
    loop {
        tokio::select! {
            () = driver.leaving.notified() => return,
            changed = standing.changed() => {
                // The bus has ended: so does the link.
                if changed.is_err() {
                    return;
                }
                let now = standing.borrow_and_update().clone();
                driver.tell_standing(now, &mut attached).await;
            }
            () = driver.to_tell.notified() => driver.tell_changed().await,
            () = driver.load.changed.notified() => look.soon(),
            () = sleep_until(look.at.unwrap_or_else(Instant::now)), if look.at.is_some() => {
                driver.tell_load(&mut look).await;
            }
        }
    }
}

impl Driver {
    /// A connection that is made anew because of a doubt is no news.
    async fn tell_standing(&self, now: Standing, attached: &mut bool) {
        let notice = match now {
            Standing::Opening => return,
            Standing::Open { .. } if *attached => return,
            Standing::Open { place } => {
                tracing::info!(place, "a Modbus link is open");
                Notice::Attached
            }
            Standing::Down { why } => Notice::Lost { why },
            Standing::Lent { .. } => Notice::Lost { why: self.lent() },
        };
        if notice != Notice::Attached {
            // Others may hang there when it is back.
            lock(&self.units).values().for_each(|unit| lock(&unit.known).doubts());
        }
        *attached = notice == Notice::Attached;
        self.tell(notice).await;
    }

    fn lent(&self) -> String {
        match self.wire.lent() {
            Some(Lent { by, time, .. }) => format!("its port is lent to {by} for {}", show_span(time)),
            // It is back by now.
            None => "its port was lent".into(),
        }
    }

    async fn tell_changed(&self) {
        loop {
            let first = lock(&self.changed).pop_first();
            let Some((address, capabilities)) = first else { return };
            self.tell(Notice::Changed { address, capabilities }).await;
        }
    }

    pub(super) async fn tell(&self, notice: Notice) {
        let Some(notices) = lock(&self.notices).clone() else { return };
        // The runner has gone: nobody wants to know.
        let _ = notices.send(notice).await;
    }
}
