//! Groups and kinds of devices: which there are, and how many devices in the caller's scope are in each.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Here;
use super::ask::{Asked, query};
use super::caller::Caller;
use super::fault::Fault;
use super::paged::{Names, paged};
use crate::model::Name;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GroupShown {
    pub name: Name,
    /// Who is in it, where a selector says so, as far as the caller may see all devices; else whoever was put into it.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    pub devices: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GroupsShown {
    pub groups: Vec<GroupShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Name>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KindShown {
    pub name: Name,
    /// Devices of this kind.
    pub devices: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KindsShown {
    pub profiles: Vec<KindShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Name>,
}

pub async fn list(State(door): Here, caller: Caller, range: Asked<Names>) -> Result<Json<GroupsShown>, Fault> {
    let range = query(range)?;
    let rules = door.view.groups();
    let mut counts: BTreeMap<Name, usize> = BTreeMap::new();
    // Those that nobody is in are told to whoever may see the settings.
    if caller.reach.is_whole() {
        counts.extend(rules.keys().map(|name| (name.clone(), 0)));
    }
    for known in door.view.devices_that(|known| caller.reach.sees(known), None, usize::MAX) {
        for group in known.device.groups.iter().chain(known.dynamic.iter()) {
            *counts.entry(group.clone()).or_default() += 1;
        }
    }
    // A rule may name devices that are out of scope.
    let rule = |name: &Name| rules.get(name).filter(|_| caller.reach.is_whole()).cloned();
    let all = counts.into_iter().map(|(name, devices)| GroupShown { of: rule(&name), name, devices });
    let (groups, after) = paged(&door, all.collect(), &range, |group: &GroupShown| group.name.clone())?;
    Ok(Json(GroupsShown { groups, after }))
}

pub async fn profiles(State(door): Here, caller: Caller, range: Asked<Names>) -> Result<Json<KindsShown>, Fault> {
    let range = query(range)?;
    let mut counts: BTreeMap<Name, usize> = door.view.profiles().keys().map(|name| (name.clone(), 0)).collect();
    for known in door.view.devices_that(|known| caller.reach.sees(known), None, usize::MAX) {
        if let Some(count) = known.device.profile_name().and_then(|name| counts.get_mut(name)) {
            *count += 1;
        }
    }
    // Those of which it has no device tell of the others.
    counts.retain(|_, devices| caller.reach.is_whole() || *devices > 0);
    let all = counts.into_iter().map(|(name, devices)| KindShown { name, devices });
    let (profiles, after) = paged(&door, all.collect(), &range, |kind: &KindShown| kind.name.clone())?;
    Ok(Json(KindsShown { profiles, after }))
}
