//! Groups: all of them, and the devices of one.

use super::args::ListArgs;
use super::client::Client;
use super::pages::{self, after};
use super::table::{print, table, width};
use super::{CliError, Exit, device, print_json};
use crate::api::groups::{GroupShown, GroupsShown};
use crate::nearest::nearest;

pub async fn all(client: &Client) -> Result<GroupsShown, CliError> {
    let of = |page: GroupsShown| (page.groups, after(page.after));
    Ok(GroupsShown { groups: pages::all(client, "groups", "/v1/groups", of).await?, after: None })
}

pub async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let found = all(client).await?;
    if json {
        return print_json(&found);
    }
    print(&told(&found, width()));
    Ok(Exit::Done)
}

fn told(found: &GroupsShown, width: usize) -> String {
    if found.groups.is_empty() {
        return "no groups yet; to put a device into one: dmgw command ask DEVICE group +NAME".into();
    }
    let row = |of: &GroupShown| vec![of.name.to_string(), of.devices.to_string(), of.of.clone().unwrap_or_default()];
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
