//! Looking: commands, who was turned away, the journal, versions.

use std::time::Duration;

use super::client::{Client, escaped};
use super::table::{print, table, time, width};
use super::{CliError, Exit, print_json, told};
use crate::api::shown::{AttemptShown, AttemptsShown, CommandShown, CommandsShown, PageShown, Status};

const AT_ONCE: Duration = Duration::ZERO;

pub async fn attempts(client: &Client, json: bool) -> Result<Exit, CliError> {
    let shown: AttemptsShown = client.get("/v1/attempts?limit=10000", AT_ONCE).await?;
    let all = shown.attempts;
    if json {
        return print_json(&all);
    }
    if all.is_empty() {
        print("nobody was turned away");
        return Ok(Exit::Done);
    }
    let row = |of: &AttemptShown| {
        let who = of.who.as_ref().map_or_else(|| "all others".into(), ToString::to_string);
        let (link, address, count) = (of.link.to_string(), of.address.to_string(), of.count.to_string());
        vec![link, who, address, count, time(of.last), of.says.clone()]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    print(&table(&["LINK", "WHO", "ADDRESS", "TIMES", "LAST", "WHY"], &rows, width()));
    Ok(Exit::Done)
}

pub async fn commands(client: &Client, json: bool) -> Result<Exit, CliError> {
    let mut all: Vec<CommandShown> = Vec::new();
    let mut uri = "/v1/commands".to_owned();
    loop {
        let page: CommandsShown = client.get(&uri, AT_ONCE).await?;
        all.extend(page.commands);
        match page.after {
            Some(after) => uri = format!("/v1/commands?after={after}"),
            None => break,
        }
    }
    if json {
        return print_json(&CommandsShown { commands: all, after: None });
    }
    if all.is_empty() {
        print("no command is open; dmgw journal show vital shows how the last ones ended");
        return Ok(Exit::Done);
    }
    let row = |of: &CommandShown| {
        let device = of.device.as_ref().map_or_else(|| "many".into(), ToString::to_string);
        let state = of.state.name().to_owned();
        vec![of.id.to_string(), of.operation.kind().name(), state, time(of.asked), of.by.to_string(), device]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    print(&table(&["COMMAND", "OPERATION", "STATE", "ASKED", "BY", "DEVICE"], &rows, width()));
    Ok(Exit::Done)
}

pub async fn journal(client: &Client, stream: &str, from: u64, limit: usize, json: bool) -> Result<Exit, CliError> {
    let uri = format!("/v1/journal/{}?from={from}&limit={limit}&fresh=true", escaped(stream));
    let page: PageShown = client.get(&uri, AT_ONCE).await?;
    if json {
        return print_json(&page);
    }
    if page.records.is_empty() {
        print(&format!(
            "nothing from {from} on; the first held is {}, the next will be {}",
            page.first_held, page.next
        ));
        return Ok(Exit::Done);
    }
    let rows = page.records.iter().map(|held| {
        let says = match (&held.record, &held.heard) {
            (Some(record), _) => told::record(record),
            (None, Some(heard)) => told::heard(heard),
            (None, None) => String::new(),
        };
        vec![held.seq.to_string(), time(held.time), says]
    });
    print(&table(&["SEQ", "TIME", "WHAT"], &rows.collect::<Vec<_>>(), width()));
    Ok(Exit::Done)
}

pub async fn version(client: &Client, json: bool) -> Result<Exit, CliError> {
    let here = env!("CARGO_PKG_VERSION");
    // Without a daemon there is still this program.
    let there = client.get::<Status>("/v1/status", AT_ONCE).await.ok().map(|status| status.version);
    if json {
        return print_json(&serde_json::json!({ "dmgw": here, "daemon": there }));
    }
    print(&format!("dmgw {here}"));
    match there {
        Some(version) if version != here => print(&format!("the daemon that runs is {version}; restart it")),
        _ => {}
    }
    Ok(Exit::Done)
}
