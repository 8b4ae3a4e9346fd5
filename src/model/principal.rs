//! Whoever asks.

use serde::{Deserialize, Serialize};

use super::id::DeviceId;
use super::name::Name;

/// Ordered: each may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, writes and restarts.
    Operator,
    /// Everything.
    Administrator,
}

/// On what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    All,
    Links(Vec<Name>),
    Devices(Vec<DeviceId>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub name: Name,
    pub role: Role,
    pub scope: Scope,
    /// On the spot: its commands go through even where the journal is full of what upstream has not fetched.
    pub local: bool,
}

impl Principal {
    /// Root on the gateway's own socket.
    pub fn local_root() -> Principal {
        let name = Name::new("local-root").unwrap_or_else(|_| unreachable!("the name is within its bounds"));
        Principal { name, role: Role::Administrator, scope: Scope::All, local: true }
    }
}
