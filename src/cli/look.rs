//! Looking: commands, who was turned away, the journal, versions.

use std::time::Duration;

use super::client::{Client, escaped};
use super::pages::{self, after};
use super::table::{print, table, time, width};
use super::{CliError, Exit, print_json, told};
use crate::api::shown::{AttemptShown, AttemptsShown, CommandShown, CommandsShown, PageShown, Status};

const AT_ONCE: Duration = Duration::ZERO;

pub async fn attempts(client: &Client, json: bool) -> Result<Exit, CliError> {
    let of = |page: AttemptsShown| (page.attempts, after(page.after));
    let all = pages::all(client, "attempts", "/v1/attempts", of).await?;
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
    let all = open_commands(client).await?;
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

pub async fn open_commands(client: &Client) -> Result<Vec<CommandShown>, CliError> {
    let of = |page: CommandsShown| (page.commands, after(page.after));
    pages::all(client, "commands", "/v1/commands", of).await
}

pub async fn journal(client: &Client, stream: &str, from: u64, limit: usize, json: bool) -> Result<Exit, CliError> {
    let page: PageShown = fresh(client, &format!("/v1/journal/{}?from={from}&limit={limit}", escaped(stream))).await?;
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

/// With what waits for the next commit, which is made for it; whoever may not have that done gets the rest.
async fn fresh(client: &Client, uri: &str) -> Result<PageShown, CliError> {
    match client.get(&format!("{uri}&fresh=true"), AT_ONCE).await {
        Err(CliError::Told(told)) if told.kind == "not-allowed" => {}
        answer => return answer,
    }
    let page = client.get(uri, AT_ONCE).await?;
    eprintln!("The newest may be missing: to have all of it written down first is for operators.");
    Ok(page)
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
