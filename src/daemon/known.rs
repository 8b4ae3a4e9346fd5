//! Tells the engine of the devices that the settings name: at a start before the links begin, and whenever the settings
//! are others. Who is known as it is said costs nothing but the asking.

use std::sync::Arc;
use std::time::Duration;

use crate::asks::Asks;
use crate::config::Config;
use crate::model::registration::MOST_AT_ONCE;
use crate::model::{Ask, Name, Principal, Registered, Registration, Reply, Role, Scope};
use crate::seal::{self, Seal};

/// For one part of the list.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// Gives back whom the engine refused, and why; told to the log too.
pub async fn tell(config: &Config, seal: &Seal, asks: &Arc<Asks>) -> Vec<String> {
    let (all, mut wrong) = config.registrations(seal, seal::credentials().as_deref());
    for part in all.chunks(MOST_AT_ONCE) {
        wrong.extend(ask(part, asks).await);
    }
    for why in &wrong {
        tracing::error!("a device of the settings is not registered: {why}");
    }
    wrong
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
    Principal { name, role: Role::Administrator, scope: Scope::All, local: true }
}
