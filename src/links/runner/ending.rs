//! Endings: of requests when the attachment is lost, and of the link when it is told to stop.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::Runner;
use super::polled::{Notice, Polled};
use crate::links::{EngineGone, STOPPING};
use crate::model::{LinkEvent, LinkOrder, Outcome};

/// For what is under way at a stop.
const IN_FLIGHT: Duration = Duration::from_millis(1_200);
/// For what the devices had sent before; together below the three seconds that the daemon gives its links.
const ON_ITS_WAY: Duration = Duration::from_millis(1_200);

impl<P: Polled> Runner<P> {
    /// Waits so long for requests to end by themselves, then ends them; tells what came of each.
    pub(super) async fn settle(&mut self, patience: Duration) -> Result<(), EngineGone> {
        let until = Instant::now() + patience;
        while let Ok(Some(answered)) = timeout_at(until, self.work.join_next_with_id()).await {
            self.ended(answered).await?;
        }
        self.work.abort_all();
        while let Some(answered) = self.work.join_next_with_id().await {
            self.ended(answered).await?;
        }
        Ok(())
    }

    /// Lets what is under way end, says good-bye, hears what was on its way, answers every order.
    pub(super) async fn finish(&mut self) -> Result<(), EngineGone> {
        // First: the engine sends nothing more, and keeps what comes back as not sent for the next start.
        self.seam.tell(LinkEvent::Down { why: STOPPING.into() }).await?;
        self.down = Some(STOPPING.into());
        self.seam.orders.close();
        self.refuse_waiting(STOPPING).await?;
        self.answer_the_rest().await?;
        self.let_commands_end().await?;
        let polled = self.polled.clone();
        self.aside(0, async move { polled.leave().await });
        self.hear_to_the_end().await?;
        self.settle(Duration::ZERO).await?;
        self.answer_the_rest().await?;
        self.give_back().await
    }

    async fn let_commands_end(&mut self) -> Result<(), EngineGone> {
        let until = Instant::now() + IN_FLIGHT;
        while self.is_performing() {
            tokio::select! {
                Some(answered) = self.work.join_next_with_id() => self.ended(answered).await?,
                Some(notice) = self.notices.recv() => self.hear_last(notice).await?,
                () = sleep_until(until) => break,
            }
        }
        Ok(())
    }

    /// Until the driver has closed its notices and the last request has ended: what a device answered is not dropped.
    async fn hear_to_the_end(&mut self) -> Result<(), EngineGone> {
        let until = Instant::now() + ON_ITS_WAY;
        let mut open = true;
        while open || !self.work.is_empty() {
            tokio::select! {
                Some(answered) = self.work.join_next_with_id() => self.ended(answered).await?,
                notice = self.notices.recv(), if open => match notice {
                    Some(notice) => self.hear_last(notice).await?,
                    None => open = false,
                },
                () = sleep_until(until) => break,
            }
        }
        Ok(())
    }

    /// Up and down are no news any more.
    async fn hear_last(&mut self, notice: Notice) -> Result<(), EngineGone> {
        match notice {
            Notice::Attached | Notice::Lost { .. } => Ok(()),
            notice => self.hear(notice).await,
        }
    }

    async fn answer_the_rest(&mut self) -> Result<(), EngineGone> {
        while let Ok(order) = self.seam.orders.try_recv() {
            match order {
                LinkOrder::Perform { command, .. } => {
                    self.finished(command, Outcome::NotSent(STOPPING.into())).await?;
                }
                _ => self.took += 1,
            }
        }
        Ok(())
    }
}
