//! Waiting for a command's end. Where somebody sees it, the wait goes in short steps, and each tells how far it is.

use std::time::{Duration, Instant};

use super::CliError;
use super::client::{Client, escaped};
use super::progress::Progress;
use crate::api::shown::CommandShown;
use crate::units::show_span;

const STEP: Duration = Duration::from_millis(500);

pub struct Waiting {
    began: Instant,
    span: Duration,
    progress: Progress,
}

impl Waiting {
    pub fn begin(span: Duration) -> Waiting {
        Waiting { began: Instant::now(), span, progress: Progress::begin() }
    }

    fn left(&self) -> Duration {
        self.span.saturating_sub(self.began.elapsed())
    }

    /// How long the daemon may keep its next answer.
    pub fn step(&self) -> Duration {
        if self.progress.is_visible() { self.left().min(STEP) } else { self.left() }
    }

    pub async fn look(&self, client: &Client, id: &str) -> Result<CommandShown, CliError> {
        let step = self.step();
        client.get(&format!("/v1/commands/{}?wait={}", escaped(id), step.as_secs_f64()), step).await
    }

    /// As it is when it has ended, or when the time is over.
    pub async fn end_of(&mut self, client: &Client, mut command: CommandShown) -> Result<CommandShown, CliError> {
        while command.state.is_open() && !self.left().is_zero() {
            let waited = show_span(self.began.elapsed());
            self.progress.say(|| says(&command, &waited));
            command = self.look(client, command.id.as_str()).await?;
        }
        self.progress.end();
        Ok(command)
    }
}

fn says(command: &CommandShown, waited: &str) -> String {
    let share = command.progress.map(|share| format!(", {} %", share / 10)).unwrap_or_default();
    let ended = command.counts.as_ref().map(|counts| {
        let open = counts.queued + counts.sent;
        format!(", {} of {} have ended", counts.all - open, counts.all)
    });
    let waits = command.waits.as_ref().map(|why| format!("; it waits: {why}"));
    format!(
        "{}  {} for {waited}{share}{}{}",
        command.id,
        command.state.name(),
        ended.unwrap_or_default(),
        waits.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_who_waits_is_told_how_far_it_is() {
        let command = |more: serde_json::Value| {
            let mut shown = serde_json::json!({
                "id": "c-7", "operation": "probe", "state": "sent", "asked": 0, "by": "ann", "priority": "normal",
                "expires": 0, "timeout": 5.0,
            });
            shown.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<CommandShown>(shown).unwrap()
        };
        assert_eq!(says(&command(serde_json::json!({ "progress": 420 })), "3s"), "c-7  sent for 3s, 42 %");
        let waits = serde_json::json!({ "state": "queued", "waits": "it sleeps" });
        assert_eq!(says(&command(waits), "3s"), "c-7  queued for 3s; it waits: it sleeps");
    }
}
