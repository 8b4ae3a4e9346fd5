//! Links: all of them, and one with the devices on it.

use super::args::ListArgs;
use super::client::Client;
use super::pages::{self, after};
use super::status::seconds;
use super::table::{pairs, print, table, width};
use super::{CliError, Exit, device, print_json};
use crate::api::shown::{LinkShown, LinksShown};
use crate::nearest::nearest;

pub async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let links = all(client).await?;
    if json {
        return print_json(&links);
    }
    print(&table_of(&links));
    Ok(Exit::Done)
}

pub async fn all(client: &Client) -> Result<Vec<LinkShown>, CliError> {
    let of = |page: LinksShown| (page.links, after(page.after));
    pages::all(client, "links", "/v1/links", of).await
}

pub async fn show(client: &Client, name: &str, json: bool) -> Result<Exit, CliError> {
    let links = all(client).await?;
    let Some(link) = links.iter().find(|link| link.name.as_str() == name) else { return Err(unknown(name, &links)) };
    if json {
        return print_json(link);
    }
    print(&told(link, width()));
    let only = ListArgs { link: Some(name.to_owned()), ..ListArgs::default() };
    if link.devices > 0 {
        print("");
        device::devices(client, &only, false).await?;
    }
    Ok(Exit::Done)
}

fn told(link: &LinkShown, width: usize) -> String {
    let rows = [
        ("link", link.name.to_string()),
        ("driver", link.driver.clone()),
        ("state", format!("{} for {}", link.state, seconds(link.since))),
        ("because", link.reason.clone().unwrap_or_default()),
        ("strained", link.strained.clone().unwrap_or_default()),
        ("devices", link.devices.to_string()),
        ("rejected", link.rejected.to_string()),
        ("dropped", link.dropped.to_string()),
    ];
    let rows: Vec<(&str, String)> = rows.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    pairs(&rows, width)
}

fn unknown(name: &str, links: &[LinkShown]) -> CliError {
    let names = || links.iter().map(|link| link.name.as_str());
    let hint = match nearest(name, names()) {
        Some(near) => format!("did you mean {near}?"),
        None if links.is_empty() => {
            "the settings have no link; dmgw config explain link tells how one is written".into()
        }
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    CliError::NotFound { says: format!("there is no link {name:?}"), hint }
}

pub fn table_of(links: &[LinkShown]) -> String {
    let row = |link: &LinkShown| {
        let state = match link.reason.as_ref().or(link.strained.as_ref()) {
            Some(why) => format!("{}: {why}", link.state),
            None => link.state.clone(),
        };
        let (devices, rejected) = (link.devices.to_string(), link.rejected.to_string());
        vec![link.name.to_string(), link.driver.clone(), devices, rejected, seconds(link.since), state]
    };
    table(
        &["LINK", "DRIVER", "DEVICES", "REJECTED", "SINCE", "STATE"],
        &links.iter().map(row).collect::<Vec<_>>(),
        width(),
    )
}
