//! How much the daemon says of itself: look, and say more or less for a while.

use std::time::Duration;

use super::args::LogArgs;
use super::client::Client;
use super::table::print;
use super::{CliError, Exit, print_json};
use crate::model::log::{Level, LogNow, SetLevel};
use crate::units::show_span;

/// As somebody types it.
pub fn level(word: &str) -> Result<Level, String> {
    let known = Level::ALL.into_iter().find(|level| level.name() == word);
    known.ok_or_else(|| format!("there are {}", Level::ALL.map(Level::name).join(", ")))
}

pub async fn log_level(client: &Client, asked: LogArgs, json: bool) -> Result<Exit, CliError> {
    let LogArgs { level, within, back } = asked;
    let at_once = Duration::ZERO;
    let now: LogNow = match (level, back) {
        (None, false) => client.get("/v1/log", at_once).await?,
        (level, _) => {
            let seconds = within.map(|within| within.as_secs());
            client.put("/v1/log", &SetLevel { level, seconds }, at_once).await?
        }
    };
    if json {
        return print_json(&now);
    }
    print(&told(&now));
    Ok(Exit::Done)
}

fn told(LogNow { level, settings, seconds }: &LogNow) -> String {
    match seconds {
        Some(seconds) => {
            let left = show_span(Duration::from_secs(*seconds));
            format!("{} for another {left}, then {} as the settings say", level.name(), settings.name())
        }
        None => format!("{}, as the settings say", level.name()),
    }
}
