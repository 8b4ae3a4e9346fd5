//! Keys of those who sign what they ask: named in the settings, each with the role and scope of whoever has it.
//!
//! They are replaced as a whole when the settings change; who asks next is judged by the new ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::caller::Caller;
use crate::access::Reach;
use crate::model::{Address, Name, Principal, Role, Scope};
use crate::seal::PublicKey;

#[derive(Default)]
pub struct Keys(ArcSwap<BTreeMap<Name, Arc<Key>>>);

pub struct Key {
    pub public: PublicKey,
    principal: Principal,
    reach: Reach,
}

impl Keys {
    pub fn put(&self, keys: BTreeMap<Name, Arc<Key>>) {
        self.0.store(Arc::new(keys));
    }

    pub fn get(&self, name: &Name) -> Option<Arc<Key>> {
        self.0.load().get(name).cloned()
    }
}

impl Key {
    pub fn new(name: &Name, public: PublicKey, role: Role, scope: Scope) -> Key {
        let principal = Principal { name: name.clone(), role, scope, local: false, from: None };
        Key { public, reach: Reach::of(&principal), principal }
    }

    /// Whoever has signed with it, and from where it came.
    pub fn caller(&self, from: Option<Address>) -> Caller {
        Caller { principal: Principal { from, ..self.principal.clone() }, reach: self.reach.clone(), token: None }
    }
}
