//! What the daemon is asked for while somebody presses the tabulator. Whatever goes wrong, there is nothing to offer.

use serde::de::DeserializeOwned;

use super::PATIENCE;
use super::typed::Typed;
use crate::api::groups::{GroupsShown, KindsShown};
use crate::api::shown::{CommandsShown, DeviceShown, Devices, LinksShown, PointShown};
use crate::api::tokens::TokensShown;
use crate::cli::client::escaped;
use crate::model::OperationKind;
use crate::model::setting::Flat;

/// Nobody chooses from more.
const MOST: usize = 1_000;

fn get<T: DeserializeOwned>(uri: &str) -> Option<T> {
    let typed = Typed::now();
    let client = typed.place().whole().ok()?.client(&typed.settings()).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let answer = client.get(uri, PATIENCE);
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    })
}

/// By name, where it has one that fits, else by id.
pub fn devices(current: &str) -> Vec<String> {
    let only = beginning(current).map(|of| format!("&for={}", escaped(&of))).unwrap_or_default();
    let found: Option<Devices> = get(&format!("/v1/devices?limit={MOST}{only}"));
    let named = |device: DeviceShown| {
        let name = device.name.map(|name| name.to_string()).filter(|name| name.starts_with(current));
        name.unwrap_or_else(|| device.id.to_string())
    };
    found.into_iter().flat_map(|found| found.devices).map(named).collect()
}

/// Those whose name or id begins so.
fn beginning(current: &str) -> Option<String> {
    let plain = |c: char| !c.is_control() && c != '"' && c != '\\';
    (!current.is_empty() && current.chars().all(plain))
        .then(|| format!("id.startsWith(\"{current}\") || name.startsWith(\"{current}\")"))
}

/// Of the device that was named before; of several, of the first.
pub fn points(fits: impl Fn(&PointShown) -> bool) -> Vec<String> {
    let device = Typed::now().device().unwrap_or_default();
    let first = device.split(',').next().filter(|first| !first.is_empty());
    let found: Option<DeviceShown> = first.and_then(|first| get(&format!("/v1/devices/{}", escaped(first))));
    let points = found.and_then(|found| found.detail).map(|detail| detail.points).unwrap_or_default();
    points.iter().filter(|point| fits(point)).map(|point| point.point.to_string()).collect()
}

pub fn points_for(kind: OperationKind) -> Vec<String> {
    use OperationKind as K;
    match kind {
        K::Read | K::Observe | K::ReportPolicyGet | K::ReportPolicySet => points(|point| point.access.reads()),
        K::Write | K::Desire => points(|point| point.access.writes()),
        _ => Vec::new(),
    }
}

pub fn links() -> Vec<String> {
    let found: Option<LinksShown> = get(&format!("/v1/links?limit={MOST}"));
    found.into_iter().flat_map(|found| found.links).map(|link| link.name.to_string()).collect()
}

pub fn commands() -> Vec<String> {
    let found: Option<CommandsShown> = get(&format!("/v1/commands?limit={MOST}"));
    found.into_iter().flat_map(|found| found.commands).map(|command| command.id.to_string()).collect()
}

pub fn groups() -> Vec<String> {
    let found: Option<GroupsShown> = get(&format!("/v1/groups?limit={MOST}"));
    found.into_iter().flat_map(|found| found.groups).map(|of| of.name.to_string()).collect()
}

pub fn profiles() -> Vec<String> {
    let found: Option<KindsShown> = get(&format!("/v1/profiles?limit={MOST}"));
    found.into_iter().flat_map(|found| found.profiles).map(|of| of.name.to_string()).collect()
}

pub fn tokens() -> Vec<String> {
    let found: Option<TokensShown> = get(&format!("/v1/tokens?limit={MOST}"));
    found.into_iter().flat_map(|found| found.tokens).map(|of| of.name.to_string()).collect()
}

/// The keys that are set, and the tables that they stand in.
pub fn keys() -> Vec<String> {
    let found: Option<Flat> = get("/v1/config");
    let mut keys = std::collections::BTreeSet::new();
    for key in found.into_iter().flatten().map(|(key, _)| key) {
        let dots = key.match_indices('.').map(|(at, _)| key[..at].to_owned());
        keys.extend(dots);
        keys.insert(key);
    }
    keys.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::Selector;

    #[test]
    fn what_was_typed_of_a_device_becomes_a_selector_or_none_at_all() {
        assert!(Selector::parse(&beginning("urn:dev:é").unwrap()).is_ok());
        assert_eq!((beginning(""), beginning("a\"b"), beginning("a\\")), (None, None, None));
    }
}
