//! Tells the engine of the devices that the settings name: at a start before the links begin, and whenever the settings
//! are others. Who is known as it is said costs nothing but the asking.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::start::Running;
use crate::asks::Asks;
use crate::config::Config;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Ask, Name, Principal, Registered, Registration, Reply, Role, Scope};
use crate::seal;
use crate::view::View;

/// For one part of the list.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// As many as people read; the log has all.
const MOST_SHOWN: usize = 20;

/// Gives back what is wrong with which device; told to the log and to whoever looks at the status too.
pub async fn tell(config: &Config, running: &Running) -> Vec<String> {
    let (all, mut wrong) = config.registrations(&running.seal, seal::credentials().as_deref());
    for part in all.chunks(MOST_AT_ONCE) {
        wrong.extend(ask(part, &running.asks).await);
    }
    wrong.extend(shared_names(config, &running.view));
    for why in &wrong {
        tracing::error!("a device of the settings is not as they say: {why}");
    }
    running.wrong.send_replace(wrong.iter().take(MOST_SHOWN).cloned().collect());
    wrong
}

/// One whose table was given other identities is another device, and the name leads to neither while both have it.
fn shared_names(config: &Config, view: &View) -> Vec<String> {
    let mut named: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for known in view.devices(None, usize::MAX) {
        if let Some(name) = known.device.name.as_ref().filter(|name| config.device.contains_key(name)) {
            named.entry(name.clone()).or_default().push(known.device.id.to_string());
        }
    }
    let shared = named.into_iter().filter(|(_, ids)| ids.len() > 1);
    let says = |(name, ids): (Name, Vec<String>)| {
        let ids = ids.join(", ");
        format!(
            "device.{name}: several devices have this name: {ids}; give the one that was it another: dmgw command ask ID rename NAME"
        )
    };
    shared.map(says).collect()
}

async fn ask(part: &[(Name, Registration)], asks: &Arc<Asks>) -> Vec<String> {
    let devices = part.iter().map(|(_, registration)| registration.clone()).collect();
    let told = match asks.ask(settings(), Ask::Register { devices }, TAKEN_WITHIN).await {
        Ok(Reply::Registered(told)) => told,
        Ok(Reply::Refused(refusal)) => return vec![refusal.to_string()],
        Ok(_) => return Vec::new(),
        Err(error) => return vec![error.to_string()],
    };
    let refused = part.iter().zip(told).filter_map(|((name, _), told)| match told {
        Registered::Refused(refusal) => Some(format!("device.{name}: {refusal}")),
        Registered::New(_) | Registered::Known(_) => None,
    });
    refused.collect()
}

/// Whoever may write the settings may register.
fn settings() -> Principal {
    let name = Name::new("settings").unwrap_or_else(|_| unreachable!("the name is within its bounds"));
    Principal { name, role: Role::Administrator, scope: Scope::All, local: true, from: None }
}
