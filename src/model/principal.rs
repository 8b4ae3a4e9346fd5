//! Whoever asks.

use serde::{Deserialize, Serialize};

use super::id::Address;
use super::name::Name;

/// Root at the socket is called so.
const LOCAL_ROOT: &str = "local-root";

/// Ordered: each may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, writes and restarts.
    Operator,
    /// Everything.
    #[serde(alias = "admin")]
    Administrator,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Administrator];

    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Administrator => "administrator",
        }
    }
}

/// On what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    #[default]
    All,
    /// On the devices for which this selector holds.
    For(String),
}

impl Scope {
    pub fn is_all(&self) -> bool {
        *self == Scope::All
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub name: Name,
    pub role: Role,
    #[serde(default)]
    pub scope: Scope,
    /// On the spot: its commands go through even where the journal is full of what upstream has not fetched.
    #[serde(default)]
    pub local: bool,
    /// From where it asks, as far as that is known: an address, or who is at the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
}

impl Principal {
    /// Root on the gateway's own socket.
    pub fn local_root() -> Principal {
        let name = Name::new(LOCAL_ROOT).unwrap_or_else(|_| unreachable!("the name is within its bounds"));
        Principal { name, role: Role::Administrator, scope: Scope::All, local: true, from: None }
    }

    pub fn is_root(&self) -> bool {
        self.local && self.name.as_str() == LOCAL_ROOT
    }
}
