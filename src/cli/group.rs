//! Groups: all of them, and the devices of one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::args::ListArgs;
use super::client::Client;
use super::table::{print, table, width};
use super::{CliError, Exit, device, print_json};
use crate::model::Name;
use crate::nearest::nearest;

/// `GET /v1/groups`.
#[derive(Serialize, Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Serialize, Deserialize)]
struct Group {
    name: Name,
    /// Whoever fits is in it; absent where devices are put into it one by one.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    devices: usize,
}

async fn all(client: &Client) -> Result<Groups, CliError> {
    client.get("/v1/groups", Duration::ZERO).await
}

pub async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let found = all(client).await?;
    if json {
        return print_json(&found);
    }
    print(&told(&found, width()));
    Ok(Exit::Done)
}

fn told(found: &Groups, width: usize) -> String {
    if found.groups.is_empty() {
        return "no groups yet; to put a device into one: dmgw command ask DEVICE group +NAME".into();
    }
    let row = |of: &Group| vec![of.name.to_string(), of.devices.to_string(), of.of.clone().unwrap_or_default()];
    table(&["GROUP", "DEVICES", "FOR"], &found.groups.iter().map(row).collect::<Vec<_>>(), width)
}

pub async fn show(client: &Client, name: &str, json: bool) -> Result<Exit, CliError> {
    let found = all(client).await?;
    if !found.groups.iter().any(|group| group.name.as_str() == name) {
        let hint = match nearest(name, found.groups.iter().map(|group| group.name.as_str())) {
            Some(near) => format!("did you mean {near}?"),
            None => "dmgw group list shows all".into(),
        };
        return Err(CliError::NotFound { says: format!("there is no group {name:?}"), hint });
    }
    let only = ListArgs { group: Some(name.to_owned()), ..ListArgs::default() };
    device::devices(client, &only, json).await
}
