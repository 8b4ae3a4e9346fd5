//! How the gateway is, on one page.

use std::time::Duration;

use super::client::Client;
use super::table::{pairs, table, time, width};
use super::watch::{self, How};
use super::{CliError, Exit, link};
use crate::api::shown::{Counts, Status, StreamShown};
use crate::units::show_span;

const AT_ONCE: Duration = Duration::ZERO;

pub fn seconds(seconds: f64) -> String {
    show_span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

pub async fn status(client: &Client, how: How) -> Result<Exit, CliError> {
    watch::show(how, async || client.get("/v1/status", AT_ONCE).await, |status| told(status, width())).await
}

pub fn told(status: &Status, width: usize) -> String {
    let health = match &status.reason {
        Some(why) => format!("{}: {why}", status.health),
        None => status.health.clone(),
    };
    let key = status.public_key.as_deref().unwrap_or("cannot be opened; the log says why");
    let mut rows = vec![
        ("gateway", format!("{}  (dmgw {}, up {})", status.gateway, status.version, seconds(status.uptime))),
        ("key", key.to_owned()),
        ("health", health),
    ];
    rows.extend(status.settings.iter().map(|trouble| ("settings", format!("{trouble}; dmgw check shows where"))));
    rows.extend(status.wrong.iter().map(|why| ("settings", why.clone())));
    rows.push(("clock", format!("{}  ({})", time(status.clock.time), status.clock.quality)));
    let from_afar = status.listens.zip(status.certificate);
    rows.extend(from_afar.map(|(at, mark)| ("from afar", format!("https://{at}  (certificate sha256:{mark})"))));
    rows.push(("devices", devices(&status.devices)));
    rows.push(("commands", format!("{} remembered", status.commands)));
    let mut parts = vec![pairs(&rows, width), link::table_of(&status.links)];
    if let Some(journal) = &status.journal {
        let rows: Vec<Vec<String>> = journal.streams.iter().map(stream_row).collect();
        parts.push(table(&["JOURNAL", "FIRST HELD", "NEXT", "PASSED"], &rows, width));
    }
    parts.join("\n\n")
}

/// What there is none of is left out, beside those that are well.
fn devices(of: &Counts) -> String {
    let all = [
        (of.degraded, "degraded"),
        (of.silent, "silent"),
        (of.gone, "gone"),
        (of.unknown, "not heard yet"),
        (of.pending, "pending"),
        (of.quarantined, "quarantined"),
        (of.refused, "refused"),
        (of.retired, "retired"),
    ];
    let some = all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    format!("{}: {} up{}", of.all, of.up, some.collect::<String>())
}

fn stream_row(stream: &StreamShown) -> Vec<String> {
    let passed: Vec<String> = stream.passed.iter().map(|(reader, seq)| format!("{reader} {seq}")).collect();
    vec![stream.stream.name().into(), stream.first_held.to_string(), stream.next.to_string(), passed.join(", ")]
}
