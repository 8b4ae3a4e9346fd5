//! `Name`: a short string that many devices share, kept once.
//!
//! Component names, point names, units and links repeat ten thousand times; a `Name` is one pointer to the one copy.
//! Never intern what strangers choose freely (text values, identities): the pool only forgets names that nobody holds.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name anybody may give to a component, a point, a unit or a link.
pub const LONGEST_NAME: usize = 64;

/// Below this size the pool is not worth sweeping.
const SMALLEST_SWEEP: usize = 1024;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadName {
    #[error("a name is 1 to {LONGEST_NAME} bytes long; this one has {0}")]
    Length(usize),
    #[error("a name holds letters, digits and any of - _ / @ % ; {0:?} is not allowed")]
    Character(char),
}

impl Name {
    pub fn new(text: &str) -> Result<Name, BadName> {
        if text.is_empty() || text.len() > LONGEST_NAME {
            return Err(BadName::Length(text.len()));
        }
        match text.chars().find(|c| !(c.is_alphanumeric() || "-_/@%".contains(*c))) {
            Some(c) => Err(BadName::Character(c)),
            None => Ok(Name(pool().intern(text))),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True where both are the one copy: how a test sees that interning works.
    pub fn shares_copy_with(&self, other: &Name) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

struct Pool {
    names: HashSet<Arc<str>>,
    sweep_at: usize,
}

impl Pool {
    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        if self.names.len() >= self.sweep_at {
            self.names.retain(|name| Arc::strong_count(name) > 1);
            self.sweep_at = (self.names.len() * 2).max(SMALLEST_SWEEP);
        }
        let new: Arc<str> = text.into();
        self.names.insert(new.clone());
        new
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    static POOL: std::sync::LazyLock<Mutex<Pool>> =
        std::sync::LazyLock::new(|| Mutex::new(Pool { names: HashSet::new(), sweep_at: SMALLEST_SWEEP }));
    // A panic while the lock was held cannot leave a half-made set behind.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Name::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_share_one_copy() {
        let (a, b) = (Name::new("relay").unwrap(), Name::new("relay").unwrap());
        assert!(a.shares_copy_with(&b));
    }

    #[test]
    fn names_that_nobody_holds_are_swept() {
        let kept = Name::new("kept-through-the-sweep").unwrap();
        for i in 0..5000 {
            Name::new(&format!("sweep-{i}")).unwrap();
        }
        assert!(pool().names.len() < 2 * SMALLEST_SWEEP + 1);
        assert!(kept.shares_copy_with(&Name::new("kept-through-the-sweep").unwrap()));
    }

    #[test]
    fn a_name_is_bounded_and_plain() {
        assert_eq!(Name::new(""), Err(BadName::Length(0)));
        assert_eq!(Name::new(&"x".repeat(65)), Err(BadName::Length(65)));
        assert_eq!(Name::new("a b"), Err(BadName::Character(' ')));
        assert_eq!(Name::new("a.b"), Err(BadName::Character('.')));
    }
}
